# CPU seconds of R's packages for known batches and blocks, on the matrix in a folder: x.f64 (sample by sample), codes.i32 and covariate.f64.
# usage: Rscript known_batches.R FOLDER N_FEATURES N_SAMPLES NAME...; prints "name<TAB>seconds", writes the answers as NAME.f64
a <- commandArgs(TRUE)
m <- as.integer(a[2]); n <- as.integer(a[3]); wanted <- a[-(1:3)]
Y <- matrix(readBin(file.path(a[1], "x.f64"), "double", as.double(m) * n), m, n)
codes <- readBin(file.path(a[1], "codes.i32"), "integer", n)
x <- readBin(file.path(a[1], "covariate.f64"), "double", n)
suppressPackageStartupMessages({ library(limma); library(sva) })
quiet <- function(f) { s <- file(nullfile(), "w"); sink(s); on.exit({ sink(); close(s) }); suppressMessages(f()) }
work <- list(
  combat = function() ComBat(Y, codes, mod = cbind(1, x)),
  combat_nonparametric = function() ComBat(Y, codes, mod = cbind(1, x), par.prior = FALSE),
  duplicate_correlation = function() { d <- duplicateCorrelation(Y, cbind(1, x), block = codes); c(d$consensus.correlation, tanh(d$atanh.correlations)) }
)
for (name in wanted) {
  gc(); s <- system.time(answer <- quiet(work[[name]]))
  writeBin(as.double(answer), file.path(a[1], paste0(name, ".f64")))
  cat(name, s[["user.self"]] + s[["sys.self"]], sep = "\t"); cat("\n")
}
