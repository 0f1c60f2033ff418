# Binomial regressions of numbers of successes by base R's glm: writes trials.csv (fits) and successes.csv (data).
# Call: Rscript make_trials.R OUTPUT_DIRECTORY
out <- commandArgs(TRUE)[1]
set.seed(11); n <- 24; m <- 12
x <- rnorm(n); group <- rep(0:1, each = n / 2)
trials <- matrix(rpois(m * n, 8), m); trials[1:3, ] <- 2; trials[5, 1:3] <- 0
successes <- matrix(rbinom(m * n, trials, plogis(rnorm(m) + outer(rnorm(m, 0, .5), x))), m)
control <- glm.control(epsilon = 1e-14, maxit = 200)
fits <- t(sapply(seq_len(m), function(j) {
  s <- successes[j, ]; f <- trials[j, ] - s; used <- trials[j, ] > 0
  one <- function(formula) glm(formula, family = binomial(), control = control, subset = used)
  full <- one(cbind(s, f) ~ x + group)
  c(coef(full), as.vector(summary(full)$cov.unscaled), deviance(full), sum(residuals(full, "pearson")^2),
    deviance(one(cbind(s, f) ~ group)) - deviance(full), deviance(one(cbind(s, f) ~ 1)) - deviance(full)) }))
colnames(fits) <- c(paste0("coef", 1:3), paste0("cov", 1:9), "deviance", "pearson", "lr_x", "lr_both")
write.csv(format(as.data.frame(fits), digits = 17), file.path(out, "trials.csv"), row.names = FALSE, quote = FALSE)
write.csv(rbind(x = x, group = group, trials = trials, successes = successes) |> format(digits = 17),
          file.path(out, "successes.csv"), quote = FALSE)
