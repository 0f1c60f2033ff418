# Warm CPU seconds of R's packages on a matrix in a folder: x.f64 (sample by sample), y.f64.
# usage: Rscript rivals.R FOLDER N_FEATURES N_SAMPLES NAME...; prints "name<TAB>seconds", writes NAME-free checks: sv.f64
a <- commandArgs(TRUE)
m <- as.integer(a[2]); n <- as.integer(a[3]); wanted <- a[-(1:3)]
Y <- matrix(readBin(file.path(a[1], "x.f64"), "double", as.double(m) * n), m, n)
y <- readBin(file.path(a[1], "y.f64"), "double", n)
suppressPackageStartupMessages({ library(limma); library(sva) })
mod <- cbind(1, y); mod0 <- cbind(rep(1, n))
quiet <- function(f) { s <- file(nullfile(), "w"); sink(s); on.exit({ sink(); close(s) }); suppressMessages(f()) }
cpu <- function(f, warm, reps) { for (i in seq_len(warm)) quiet(f)
  t <- sapply(seq_len(reps), function(i) { gc(); s <- system.time(quiet(f)); s[["user.self"]] + s[["sys.self"]] }); median(t) }
big <- as.double(m) * n > 5e6
train <- seq_len(n) <= n %/% 2
soft <- rep(c(1, 0), length.out = m)
p <- if ("qvalue" %in% wanted) pnorm(rnorm(m)) else NULL
fitted <- if (any(grepl("^fsva", wanted))) quiet(function() sva(Y[, train], mod[train, ], mod0[train, , drop = FALSE], n.sv = 5)) else NULL
fresh <- which(!train)[1:10]
# maximum-likelihood factor analysis with random scores by EM from principal components (Rubin and Thayer 1982), stopped at
# a relative change of the log-likelihood of 1e-6; R has no package of it here, so this is the algorithm written out
fa_ml <- function(k = 5, tol = 1e-6) {
  O <- qr.Q(qr(mod), complete = TRUE)[, -(1:2)]; R <- crossprod(O, t(Y)); nu <- nrow(R)
  s <- svd(R, nu = k, nv = k); G <- s$v %*% diag(s$d[1:k]) / sqrt(nu); ss <- colSums(R^2); psi <- pmax(ss / nu - rowSums(G^2), 1e-8)
  old <- -Inf
  repeat {
    GP <- G / psi; M <- solve(diag(k) + crossprod(G, GP)); RG <- R %*% GP; EZ <- RG %*% M
    like <- -nu / 2 * (sum(log(psi)) - as.numeric(determinant(M)$modulus)) - (sum(ss / psi) - sum(EZ * RG)) / 2
    if (like - old < tol * abs(old)) break
    old <- like; EZZ <- nu * M + crossprod(EZ); C <- crossprod(R, EZ); G <- C %*% solve(EZZ); psi <- (ss - rowSums(C * G)) / nu
  }
  list(G = G, psi = psi)
}
work <- list(
  fa_ml = fa_ml,
  limma = function() eBayes(lmFit(Y, mod)),
  sva = function() sva(Y, mod, mod0, n.sv = 5, B = 5),
  sva_two_step = function() sva(Y, mod, mod0, n.sv = 5, method = "two-step"),
  supervised_sva = function() ssva(Y, soft, n.sv = 5),
  svaseq = function() svaseq(exp(Y - min(Y)), mod, mod0, n.sv = 5),
  fsva_fast = function() fsva(Y[, train], mod[train, ], fitted, Y[, !train], method = "fast"),
  fsva_exact = function() fsva(Y[, train], mod[train, ], fitted, Y[, fresh], method = "exact"),
  num.sv_be = function() num.sv(Y, mod, "be", B = 20, seed = 1),
  num.sv_leek = function() num.sv(Y, mod, "leek"),
  qvalue = function() qvalue::qvalue(p),
  # negative binomial quasi-likelihood; Y holds counts
  edgeR = function() { d <- edgeR::DGEList(Y); d <- edgeR::estimateDisp(d, mod); edgeR::glmQLFTest(edgeR::glmQLFit(d, mod)) }
)
once <- c("num.sv_be", "edgeR", "fsva_exact", "fa_ml")
for (name in wanted) { f <- work[[name]]
  cat(name, if (name %in% once) cpu(f, 0, 1) else cpu(f, if (big) 1 else 2, if (big) 1 else 3), sep = "\t"); cat("\n") }
if ("sva" %in% wanted) writeBin(c(quiet(work$sva)$sv), file.path(a[1], "sv.f64"))
