# Answers of sva and cate on the data extracts: Rscript make_answers.R SOURCE OUT.csv
# SOURCE holds bladderbatch, sim1, sim2 with expr.csv.gz (features in rows) and samples.csv.gz.
suppressMessages({ library(sva); library(cate) })
source_dir <- commandArgs(TRUE)[1]; out <- commandArgs(TRUE)[2]
rows <- data.frame()
note <- function(key, value) rows <<- rbind(rows, data.frame(key = key, i = seq_along(value), value = as.numeric(value)))
load_study <- function(name) {
  list(Y = as.matrix(read.csv(file.path(source_dir, name, "expr.csv.gz"), row.names = 1)),
       s = read.csv(file.path(source_dir, name, "samples.csv.gz"), row.names = 1, stringsAsFactors = TRUE))
}
ed <- function(Y, primary, nuisance, r_max) {
  D <- list(P = primary); f <- ~P
  if (!is.null(nuisance)) { D$N <- nuisance; f <- ~P | N }
  est.confounder.num(f, D, t(Y), method = "ed", rmax = r_max, bcv.plot = FALSE)
}
for (name in c("sim1", "sim2")) {
  d <- load_study(name); mod <- model.matrix(~age + x, d$s); n <- ncol(d$Y)
  note(paste0(name, ".be"), sapply(1:60, function(seed) num.sv(d$Y, mod, method = "be", seed = seed)))
  r_max <- min(20, n %/% 2 - 1)
  note(paste0(name, ".ed_rmax"), r_max)
  note(paste0(name, ".ed"), ed(d$Y, model.matrix(~x, d$s)[, -1, drop = FALSE], model.matrix(~age, d$s)[, -1, drop = FALSE], r_max))
  r0 <- t(d$Y); X0 <- model.matrix(~age, d$s); r0 <- r0 - X0 %*% qr.coef(qr(X0), r0); r_max <- min(20, n %/% 2)
  note(paste0(name, ".ed_null_rmax"), r_max); note(paste0(name, ".ed_null"), est.factor.num(r0, method = "ed", rmax = r_max, bcv.plot = FALSE))
}
d <- load_study("bladderbatch"); mod <- model.matrix(~cancer, d$s)
note("bladder.be", sapply(1:5, function(seed) num.sv(d$Y, mod, method = "be", seed = seed)))
mod <- model.matrix(~cancer + factor(batch), d$s)
note("bladder_batch.be", sapply(1:5, function(seed) num.sv(d$Y, mod, method = "be", seed = seed)))
note("bladder.ed_rmax", 20)
note("bladder.ed", ed(d$Y, model.matrix(~cancer, d$s)[, -1], NULL, 20))
r0 <- t(d$Y); r0 <- scale(r0, scale = FALSE); note("bladder.ed_null_rmax", 20)
note("bladder.ed_null", est.factor.num(r0, method = "ed", rmax = 20, bcv.plot = FALSE))
write.csv(rows, out, row.names = FALSE)
