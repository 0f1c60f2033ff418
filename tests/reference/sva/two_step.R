# Usage: Rscript two_step.R FOLDER; reads expr.csv (features in rows) and x.csv, writes sv.csv with 17 digits.
suppressMessages(library(sva))
folder <- commandArgs(TRUE)[1]
expr <- as.matrix(read.csv(file.path(folder, "expr.csv"), header = FALSE))
dimnames(expr) <- NULL
x <- scan(file.path(folder, "x.csv"), quiet = TRUE)
design <- model.matrix(~x)
found <- sva(expr, design, design[, 1, drop = FALSE], n.sv = 3, method = "two-step")
text <- formatC(found$sv, digits = 17, format = "g", width = 1)
write.table(text, file.path(folder, "sv.csv"), sep = ",", row.names = FALSE, col.names = FALSE, quote = FALSE)
