# P-value vectors, and what qvalue and sva answer for them.
#
# Usage: Rscript make_reference.R SOURCE OUT
# SOURCE holds bladderbatch, sim1 and sim2 (expr.csv.gz with features in rows, samples.csv.gz).
# OUT receives one CSV per case and package; pack.py turns them into the npz files of the two folders.
suppressMessages({ library(qvalue); library(sva) })
args <- commandArgs(TRUE)
source_dir <- args[1]; out <- args[2]

table_of <- function(name, file) read.csv(file.path(source_dir, name, file), row.names = 1, check.names = FALSE)
f_pvalues <- function(name, full, null) {
  samples <- table_of(name, "samples.csv.gz")
  unname(f.pvalue(as.matrix(table_of(name, "expr.csv.gz")), model.matrix(full, samples), model.matrix(null, samples)))
}
write_table <- function(columns, file) {
  text <- lapply(columns, function(v) sprintf("%.17g", v))
  write.csv(as.data.frame(text), file.path(out, file), row.names = FALSE, quote = FALSE)
}
or_nan <- function(expr, n) tryCatch(suppressWarnings(expr), error = function(e) rep(NaN, n))

sim1 <- f_pvalues("sim1", ~ x + age, ~ age)
sim2 <- f_pvalues("sim2", ~ x + age, ~ age)
set.seed(20)
# edge.lfdr with the kernel grid of R >= 4.4: nodes 0 .. (2 n - 1) / (n - 1) (up - lo) instead of 0 .. 2 (up - lo)
new_density <- stats:::density.default
body(new_density) <- parse(text = sub("2 * (up - lo)", "(2 * n - 1)/(n - 1) * (up - lo)", fixed = TRUE,
  paste(deparse(body(new_density)), collapse = "\n")))[[1]]
new_grid_edge <- sva:::edge.lfdr
environment(new_grid_edge) <- list2env(list(density = new_density), parent = environment(sva:::edge.lfdr))
cases <- list(
  bladder = f_pvalues("bladderbatch", ~ factor(cancer), ~ 1),
  sim1 = sim1,
  sim2 = sim2,
  ties = round(sim1, 2),                      # ties, exact zeros
  grid = ceiling(sim1 * 20) / 20,             # multiples of 0.05: on the cut-offs; exact ones
  missing = replace(sim1, seq(3, 1000, 7), NA),
  extreme = c(1e-300, 1e-20, 1e-9, 0, 1, 1 - 1e-12, sim2),
  gap = c(rep(c(1e-7, 2e-7), 3), seq(0.3, 0.99, length.out = 300)),
  uniform = runif(3000),
  small = sim2[1:40]
)

scalars <- list()
for (name in names(cases)) {
  p <- cases[[name]]; n <- length(p); present <- p[!is.na(p)]
  scalars[[name]] <- c(
    smoother = or_nan(pi0est(p)$pi0, 1), bootstrap = or_nan(pi0est(p, pi0.method = "bootstrap")$pi0, 1),
    log = or_nan(pi0est(p, smooth.log.pi0 = TRUE)$pi0, 1), single = or_nan(pi0est(p, lambda = 0.5)$pi0, 1),
    ten = or_nan(pi0est(p, lambda = seq(0, 0.9, 0.1))$pi0, 1),
    many = or_nan(pi0est(p, lambda = seq(0.01, 0.95, length.out = 95))$pi0, 1),
    uneven = or_nan(pi0est(p, lambda = c(0.1, 0.15, 0.3, 0.5, 0.55, 0.8))$pi0, 1))
  write_table(list(p = p), paste0(name, ".p.csv"))
  write_table(list(
    q_smoother = or_nan(qvalue(p, lfdr.out = FALSE)$qvalues, n),
    q_bootstrap = or_nan(qvalue(p, pi0.method = "bootstrap", lfdr.out = FALSE)$qvalues, n),
    q_pfdr = or_nan(qvalue(p, pi0 = 0.7, pfdr = TRUE, lfdr.out = FALSE)$qvalues, n),
    lfdr = or_nan(lfdr(p), n), lfdr_half = or_nan(lfdr(p, pi0 = 0.5), n),
    lfdr_logit = or_nan(lfdr(p, pi0 = 0.8, transf = "logit"), n),
    lfdr_raw = or_nan(lfdr(p, pi0 = 0.8, trunc = FALSE, monotone = FALSE), n),
    curve_smoother = or_nan(c(pi0est(p)$pi0.smooth, rep(NaN, n - 19)), n),
    curve = or_nan(c(pi0est(p)$pi0.lambda, rep(NaN, n - 19)), n),
    bh = p.adjust(p, "BH"), by = p.adjust(p, "BY"), holm = p.adjust(p, "holm"),
    bonferroni = p.adjust(p, "bonferroni")), paste0(name, ".qvalue.csv"))
  edge <- function(...) { v <- rep(NA, n); v[!is.na(p)] <- sva:::edge.lfdr(present, ...); v }
  write_table(list(
    lfdr = or_nan(edge(), n), lfdr_logit = or_nan(edge(transf = "logit"), n),
    lfdr_raw = or_nan(edge(trunc = FALSE, monotone = FALSE), n),
    lfdr_new_grid = or_nan(replace(p, !is.na(p), new_grid_edge(present)), n)), paste0(name, ".sva_lfdr.csv"))
}
write_table(scalars, "pi0.csv")
writeLines(c(R.version.string, sapply(c("qvalue", "sva"), function(k) paste(k, packageVersion(k)))),
           file.path(out, "versions.txt"))
