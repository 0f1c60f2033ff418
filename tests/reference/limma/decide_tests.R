# decideTests of limma on the three studies.
# usage: Rscript decide_tests.R DATA OUT    (DATA holds NAME/expr.csv.gz and NAME/samples.csv.gz)
# Writes OUT/NAME.csv: for the first rows, one column per method, adjustment and coefficient, values -1, 0, 1; the last
# two rows count the -1 and the 1 over all features.
suppressMessages(library(limma))
args <- commandArgs(TRUE)
for (name in c("sim1", "sim2", "bladderbatch")) {
  Y <- as.matrix(read.csv(file.path(args[1], name, "expr.csv.gz"), row.names = 1, check.names = FALSE))
  S <- read.csv(file.path(args[1], name, "samples.csv.gz"), row.names = 1)
  mod <- if (name == "bladderbatch") model.matrix(~factor(cancer), S) else model.matrix(~x + age, S)
  C <- cbind(a = c(0, 1, 0), b = c(0, 0, 1), c = c(0, 1, -1))
  fit <- eBayes(contrasts.fit(lmFit(Y, mod), C))
  out <- NULL
  for (m in c("separate", "global", "hierarchical", "nestedF")) for (a in c("BH", "holm", "BY", "bonferroni", "none")) {
    d <- unclass(decideTests(fit, method = m, adjust.method = a))
    d <- rbind(d[seq_len(min(nrow(d), 150)), ], colSums(d == -1), colSums(d == 1))
    colnames(d) <- paste(m, tolower(a), colnames(C), sep = ".")
    out <- cbind(out, d)
  }
  write.csv(out, file.path(args[2], paste0(name, ".csv")), row.names = FALSE)
}
