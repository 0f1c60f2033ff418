# treat, decideTests, F of contrasts and arrayWeights of limma on the three studies, partly with sva's factors in the design.
# usage: Rscript fronts.R DATA OUT    (DATA holds NAME/expr.csv.gz and NAME/samples.csv.gz)
# Writes OUT/NAME_TABLE.csv with 17 significant digits.
suppressMessages({ library(limma); library(sva) })
args <- commandArgs(TRUE)
n_factors <- c(sim1 = 3, sim2 = 2, bladderbatch = 2)
for (name in names(n_factors)) {
  Y <- as.matrix(read.csv(file.path(args[1], name, "expr.csv.gz"), row.names = 1, check.names = FALSE))
  S <- read.csv(file.path(args[1], name, "samples.csv.gz"), row.names = 1)
  mod <- if (name == "bladderbatch") model.matrix(~factor(cancer), S) else model.matrix(~x + age, S)
  mod0 <- if (name == "bladderbatch") mod[, 1, drop = FALSE] else model.matrix(~age, S)
  save <- function(x, table) write.csv(format(as.data.frame(unclass(x)), digits = 17), file.path(args[2], paste0(name, "_", table, ".csv")), row.names = FALSE, quote = FALSE)
  rows <- seq_len(120)
  C <- cbind(a = c(0, 1, 0), b = c(0, 0, 1), c = c(0, 1, -1))
  plain <- contrasts.fit(lmFit(Y, mod), C)
  fit <- eBayes(plain); tr <- treat(plain, lfc = 0.2)
  save(cbind(t = tr$t[rows, ], p = tr$p.value[rows, ]), "treat")
  save(cbind(F = fit$F[rows], p = fit$F.p.value[rows]), "joint")
  calls <- list(lfc_separate = decideTests(fit, lfc = 0.2), lfc_global = decideTests(fit, method = "global", lfc = 0.2),
    lfc_hierarchical = decideTests(fit, method = "hierarchical", lfc = 0.2), lfc_nestedF = decideTests(fit, method = "nestedF", lfc = 0.2),
    treat_separate = decideTests(tr), treat_global = decideTests(tr, method = "global"))
  for (k in names(calls)) { d <- unclass(calls[[k]]); save(rbind(d[seq_len(min(nrow(d), 150)), ], colSums(d == -1), colSums(d == 1)), k) }
  sv <- sva(Y, mod, mod0, n.sv = n_factors[[name]])$sv
  with_sv <- treat(lmFit(Y, cbind(mod, sv)), lfc = 0.2)
  save(cbind(t = with_sv$t[rows, 2:3], p = with_sv$p.value[rows, 2:3]), "treat_sv")
  few <- Y[seq_len(min(1000, nrow(Y))), ]
  W <- ((7 * row(few) + 13 * col(few)) %% 5 + 1) / 3
  save(cbind(group = arrayWeights(few, mod, var.group = factor(S$batch), method = "reml"),
             weights = arrayWeights(few, mod, weights = W, method = "genebygene")), "array_weights")
}
