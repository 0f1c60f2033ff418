# Permutation answers of sva over many seeds: Rscript make_be.R SOURCE OUT.csv
# SOURCE holds bladderbatch, sim1, sim2 with expr.csv.gz (features in rows) and samples.csv.gz.
suppressMessages(library(sva))
source_dir <- commandArgs(TRUE)[1]; out <- commandArgs(TRUE)[2]
rows <- data.frame()
study <- function(name) list(Y = as.matrix(read.csv(file.path(source_dir, name, "expr.csv.gz"), row.names = 1)),
                             s = read.csv(file.path(source_dir, name, "samples.csv.gz"), row.names = 1))
note <- function(key, Y, mod, seeds) for (seed in seeds)
  rows <<- rbind(rows, data.frame(key = key, seed = seed, value = num.sv(Y, mod, method = "be", seed = seed)))
for (name in c("sim1", "sim2")) { d <- study(name); note(name, d$Y, model.matrix(~age + x, d$s), 1:60) }
d <- study("bladderbatch")
note("bladder", d$Y, model.matrix(~cancer, d$s), 1:3)
note("bladder_batch", d$Y, model.matrix(~cancer + factor(batch), d$s), 1:6)
write.csv(rows, out, row.names = FALSE)
