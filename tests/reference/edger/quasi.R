# Likelihood ratios and quasi-likelihood F tests of edgeR for the simulated counts.
# usage: Rscript quasi.R COUNTS SAMPLES OUT  (csv or csv.gz, genes x samples with row names; columns `group`, `batch`, `z`)
suppressMessages(library(edgeR))
args <- commandArgs(TRUE)
C <- as.matrix(read.csv(args[1], row.names = 1, check.names = FALSE))
S <- read.csv(args[2], row.names = 1)
design <- model.matrix(~ S$group + S$batch + S$z)
y <- calcNormFactors(DGEList(C))
y <- estimateDisp(y, design)
known <- glmFit(y, design, dispersion = 0.3, prior.count = 0)
quasi <- glmQLFit(y, design)
one <- glmLRT(known, coef = 2); both <- glmLRT(known, coef = 3:4)
out <- cbind(known$coefficients, deviance = known$deviance, lr_group = one$table$LR, lr_both = both$table$LR,
  trend = y$trended.dispersion, level = y$AveLogCPM,
  p_group = glmQLFTest(quasi, coef = 2)$table$PValue, p_both = glmQLFTest(quasi, coef = 3:4)$table$PValue)
colnames(out)[1:4] <- c("intercept", "group", "batch", "z")
write.csv(format(out, digits = 15), file.path(args[3], "quasi.csv"), row.names = FALSE, quote = FALSE)
cat(y$samples$lib.size * y$samples$norm.factors, sep = "\n", file = file.path(args[3], "depth.txt"))
