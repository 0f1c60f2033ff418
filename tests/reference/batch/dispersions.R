# edgeR's dispersions within each batch, as ComBat_seq(group = group) asks for them
# usage: Rscript dispersions.R DIR; reads DIR/counts.csv (features x samples), DIR/samples.csv (batch, group), writes DIR/dispersion.csv
suppressMessages(library(edgeR))
dir <- commandArgs(TRUE)[1]
C <- as.matrix(read.csv(file.path(dir, "counts.csv"), header = FALSE)); dimnames(C) <- NULL
S <- read.csv(file.path(dir, "samples.csv")); mod <- model.matrix(~factor(S$group))
phi <- sapply(sort(unique(S$batch)), function(b) { i <- S$batch == b
  common <- estimateGLMCommonDisp(C[, i], design = mod[i, ], subset = nrow(C))
  estimateGLMTagwiseDisp(C[, i], design = mod[i, ], dispersion = common, prior.df = 0) })
write.table(format(phi, digits = 17), file.path(dir, "dispersion.csv"), sep = ",", quote = FALSE, row.names = FALSE, col.names = FALSE)
