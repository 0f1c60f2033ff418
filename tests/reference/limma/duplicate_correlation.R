# duplicateCorrelation of limma with missing values on the two simulated studies, first 120 features.
# usage: Rscript duplicate_correlation.R DATA OUT    (DATA holds NAME/expr.csv.gz and NAME/samples.csv.gz)
# Feature i and sample j (from 1) are missing where (7 i + 13 j + i j) mod 19 is 0. Writes OUT/NAME_missing.csv.
suppressMessages(library(limma))
args <- commandArgs(TRUE)
for (name in c("sim1", "sim2")) {
  Y <- as.matrix(read.csv(file.path(args[1], name, "expr.csv.gz"), row.names = 1, check.names = FALSE))[1:120, ]
  S <- read.csv(file.path(args[1], name, "samples.csv.gz"), row.names = 1)
  i <- row(Y); j <- col(Y)
  Y[(7 * i + 13 * j + i * j) %% 19 == 0] <- NA
  d <- duplicateCorrelation(Y, model.matrix(~x + age, S), block = S$block)
  out <- c(d$consensus.correlation, d$atanh.correlations)
  writeLines(format(out, digits = 17), file.path(args[2], paste0(name, "_missing.csv")))
}
