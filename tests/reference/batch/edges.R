# ComBat and removeBatchEffect on a small study with missing values, a batch of one sample and constant values.
# usage: Rscript edges.R DIR; reads DIR/values.csv, DIR/samples.csv (made by make_edges.py), writes DIR/KEY.csv with 17 digits
suppressMessages({ library(sva); library(limma) })
dir <- commandArgs(TRUE)[1]
Y <- as.matrix(read.csv(file.path(dir, "values.csv"), header = FALSE)); dimnames(Y) <- NULL
S <- read.csv(file.path(dir, "samples.csv"))
put <- function(key, m) write.table(format(m, digits = 17), file.path(dir, paste0(key, ".csv")), sep = ",", quote = FALSE, row.names = FALSE, col.names = FALSE)
full <- Y[rowSums(is.na(Y)) == 0, ]; mod <- cbind(x = S$x)
quiet <- function(...) { capture.output(o <- suppressMessages(ComBat(...))); o }
put("plain", quiet(full, S$batch, mod))
put("gaps", quiet(Y, S$batch, mod))
put("gaps_ref", quiet(Y, S$batch, mod, ref.batch = "b"))
put("gaps_nonpar", quiet(Y, S$batch, mod, par.prior = FALSE))
put("gaps_meanonly", quiet(Y, S$batch, mod, mean.only = TRUE))
put("single", quiet(Y, S$single, mod))
put("single_nonpar", quiet(full, S$single, mod, par.prior = FALSE))
put("constant", { C <- full; C[3, S$batch == "a"] <- 1.5; C[7, S$batch == "c"] <- 0; quiet(C, S$batch, mod) })
put("rbe_two", removeBatchEffect(full, S$batch, S$second, covariates = S$x))
put("rbe_gaps", removeBatchEffect(Y, S$batch, S$second, design = cbind(1, S$x)))
put("rbe_nested", removeBatchEffect(full, S$batch, S$single, design = cbind(1, S$x)))
