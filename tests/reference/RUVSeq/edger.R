# Tagwise dispersions and offsets of edgeR for the residuals that RUVr takes.
# usage: Rscript edger.R COUNTS.csv.gz SAMPLES.csv.gz OUT  (genes x samples with row names; column `group`)
suppressMessages(library(edgeR))
args <- commandArgs(TRUE)
C <- as.matrix(read.csv(gzfile(args[1]), row.names = 1, check.names = FALSE)); mode(C) <- "integer"
x <- factor(read.csv(gzfile(args[2]), row.names = 1)$group); mod <- model.matrix(~x)
y <- calcNormFactors(DGEList(C, group = x), "upperquartile")
y <- estimateGLMTagwiseDisp(estimateGLMCommonDisp(y, mod), mod)
write.csv(cbind(dispersion = y$tagwise.dispersion), file.path(args[3], "dispersion.csv"), row.names = FALSE)
write.csv(cbind(offset = as.vector(getOffset(y))), file.path(args[3], "offset.csv"), row.names = FALSE)
