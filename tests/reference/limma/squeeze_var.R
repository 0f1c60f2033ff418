# Runs limma::squeezeVar on every IN/*.csv (columns s2, df, level; one row per feature) with and without the trend
# and the robust fit, and R's lowess on every IN/*.lowess (columns x, y). Usage: Rscript squeeze_var.R IN
suppressMessages(library(limma))
options(warn = -1)
folder <- commandArgs(TRUE)[1]
save17 <- function(m, file) {
  write.table(formatC(m, digits = 17, format = "g"), file, quote = FALSE, row.names = FALSE, col.names = FALSE)
}
for (file in list.files(folder, pattern = "\\.csv$", full.names = TRUE)) {
  input <- as.matrix(read.csv(file, header = FALSE))
  n <- nrow(input)
  df <- if (length(unique(input[, 2])) == 1) input[1, 2] else input[, 2]
  for (trend in 0:1) for (robust in 0:1) {
    out <- squeezeVar(input[, 1], df, covariate = if (trend) input[, 3], robust = robust == 1)
    save17(cbind(rep_len(out$df.prior, n), rep_len(out$var.prior, n), out$var.post),
           sub("csv$", paste0("out", trend, robust), file))
  }
}
for (file in list.files(folder, pattern = "\\.lowess$", full.names = TRUE)) {
  input <- as.matrix(read.csv(file, header = FALSE))
  o <- order(input[, 1])
  smooth <- function(...) { s <- numeric(nrow(input)); s[o] <- lowess(input[, 1], input[, 2], ...)$y; s }
  range_x <- diff(range(input[, 1]))
  save17(cbind(smooth(), smooth(f = 0.4, iter = 3), smooth(f = 0.3, iter = 0, delta = 0),
               smooth(f = 0.2, iter = 2, delta = 0.05 * range_x)), sub("lowess$", "smooth", file))
}
