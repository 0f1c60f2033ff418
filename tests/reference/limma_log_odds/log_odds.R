# Usage: Rscript log_odds.R FOLDER
# For every FOLDER/NAME.csv (columns coef, unscaled, sigma, df; no header) writes FOLDER/NAME.out with limma's
# columns t, df.total, s2.prior, lods of eBayes, default and robust, 17 significant digits.
suppressMessages(library(limma))
folder <- commandArgs(TRUE)[1]
for (path in Sys.glob(file.path(folder, "*.csv"))) {
  d <- as.matrix(read.csv(path, header = FALSE))
  out <- NULL
  for (robust in c(FALSE, TRUE)) {
    fit <- new("MArrayLM", list(coefficients = d[, 1, drop = FALSE], stdev.unscaled = d[, 2, drop = FALSE],
                                sigma = d[, 3], df.residual = d[, 4], cov.coefficients = matrix(1)))
    e <- suppressWarnings(eBayes(fit, robust = robust))
    out <- cbind(out, e$t, rep_len(e$df.total, nrow(d)), rep_len(e$s2.prior, nrow(d)), e$lods)
  }
  text <- apply(out, 2, function(x) sprintf("%.17g", x))
  write.table(text, sub("csv$", "out", path), sep = ",", quote = FALSE, row.names = FALSE, col.names = FALSE)
}
for (path in Sys.glob(file.path(folder, "*.expr"))) {
  Y <- as.matrix(read.csv(path, header = FALSE))
  X <- as.matrix(read.csv(sub("expr$", "design", path), header = FALSE))
  fit <- lmFit(Y, X)
  lods <- cbind(eBayes(fit)$lods, eBayes(fit, trend = TRUE)$lods, eBayes(fit, robust = TRUE)$lods)
  text <- apply(lods, 2, function(x) sprintf("%.17g", x))
  write.table(text, sub("expr$", "lods", path), sep = ",", quote = FALSE, row.names = FALSE, col.names = FALSE)
}
