# Normalization factors, log-CPM and expression filters of edgeR for the simulated counts and thinner versions of them.
# usage: Rscript reference.R COUNTS SAMPLES OUT  (csv or csv.gz, genes x samples with row names; column `group`)
suppressMessages(library(edgeR))
args <- commandArgs(TRUE)
C <- as.matrix(read.csv(args[1], row.names = 1, check.names = FALSE))
x <- factor(read.csv(args[2], row.names = 1)$group)
save <- function(name, value) write.csv(value, file.path(args[3], paste0(name, ".csv")), row.names = FALSE)
thin <- floor(C / 100)                                      # many zeros
thinner <- floor(C / 1000)                                  # most upper quartiles are zero
fac <- function(y, ...) suppressWarnings(calcNormFactors(y, ...))
save("factors", cbind(
  thin = fac(thin), thinner = fac(thinner), unweighted = fac(C, doWeighting = FALSE),
  trims = fac(thin, logratioTrim = 0.1, sumTrim = 0.2), reference = fac(C, refColumn = 3),
  cutoff = fac(C, Acutoff = -12), quantile = fac(C, method = "upperquartile", p = 0.9)))
y <- calcNormFactors(DGEList(C))
save("cpm", cbind(cpm(y, log = TRUE, prior.count = 0.5)[1:20, ]))
save("cpm_plain", cpm(C, log = TRUE)[1:20, ])
mod <- model.matrix(~x); odd <- thin[, 1:11]
keep <- function(...) suppressMessages(filterByExpr(...))
save("filter", cbind(
  plain = keep(C), group = keep(thin, group = x), design = keep(thin, design = mod), alone = keep(thin),
  odd = keep(odd, group = x[1:11]), few = keep(thin, group = x, min.count = 2, min.total.count = 60),
  large = keep(thin, group = x, large.n = 5, min.prop = 0.5), tmm = keep(calcNormFactors(DGEList(thin)), group = x),
  unequal = keep(thin, group = rep(c("a", "b", "c"), c(3, 12, 25)))) + 0)
