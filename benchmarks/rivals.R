# Warm CPU seconds of R's limma and sva on a matrix in a folder: x.f64 (sample by sample), y.f64.
# usage: Rscript rivals.R FOLDER N_FEATURES N_SAMPLES N_METHODS; prints one median per method, writes sv.f64
a <- commandArgs(TRUE)
m <- as.integer(a[2]); n <- as.integer(a[3])
Y <- matrix(readBin(file.path(a[1], "x.f64"), "double", as.double(m) * n), m, n)
y <- readBin(file.path(a[1], "y.f64"), "double", n)
suppressPackageStartupMessages({ library(limma); library(sva) })
mod <- cbind(1, y); mod0 <- cbind(rep(1, n))
quiet <- function(f) { s <- file(nullfile(), "w"); sink(s); on.exit({ sink(); close(s) }); suppressMessages(f()) }
cpu <- function(f, warm, reps) { for (i in seq_len(warm)) quiet(f)
  t <- sapply(seq_len(reps), function(i) { gc(); s <- system.time(quiet(f)); s[["user.self"]] + s[["sys.self"]] }); median(t) }
big <- as.double(m) * n > 5e6
out <- cpu(function() eBayes(lmFit(Y, mod)), 4, 3)
out <- c(out, cpu(function() sva(Y, mod, mod0, n.sv = 5, B = 5), if (big) 1 else 2, if (big) 1 else 3))
if (a[4] == "3") out <- c(out, cpu(function() num.sv(Y, mod, "be", B = 20, seed = 1), 0, 1))
writeBin(c(quiet(function() sva(Y, mod, mod0, n.sv = 5, B = 5))$sv), file.path(a[1], "sv.f64"))
cat(out, sep = "\n")
