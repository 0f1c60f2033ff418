# Generalised linear models by base R's glm and MASS: writes glm.csv, data.csv.
# Call: Rscript make_reference.R OUTPUT_DIRECTORY
suppressMessages(library(MASS))
out <- commandArgs(TRUE)[1]
set.seed(7); n <- 24; m <- 12
x <- rnorm(n); group <- rep(0:1, each = n / 2); size <- runif(n, .5, 2)
phi <- 0.3
mu <- outer(exp(rnorm(m, 2, 1)), size) * exp(outer(rnorm(m, 0, .5), group))
counts <- matrix(rnbinom(m * n, mu = mu, size = 1 / phi), m)
binary <- matrix(rbinom(m * n, 1, plogis(outer(rnorm(m), rep(1, n)) + outer(rnorm(m), x))), m)
control <- glm.control(epsilon = 1e-14, maxit = 200)
fits <- function(y, family, off) t(apply(y, 1, function(v) {
  f <- glm(v ~ x + group, family = family, offset = off, control = control)
  s <- summary(f, dispersion = 1)
  c(coef(f), as.vector(s$cov.unscaled), deviance(f), sum(residuals(f, "pearson")^2)) }))
off <- log(size)
res <- rbind(fits(counts, poisson(), off), fits(counts, negative.binomial(1 / phi), off), fits(binary, binomial(), rep(0, n)))
colnames(res) <- c(paste0("coef", 1:3), paste0("cov", 1:9), "deviance", "pearson")
write.csv(data.frame(family = rep(c("poisson", "negative_binomial", "binomial"), each = m), format(res, digits = 17)),
          file.path(out, "glm.csv"), row.names = FALSE, quote = FALSE)
write.csv(rbind(x = x, group = group, size = size, counts = counts, binary = binary) |> format(digits = 17),
          file.path(out, "data.csv"), quote = FALSE)
