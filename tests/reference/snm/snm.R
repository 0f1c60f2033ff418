# Supervised normalisation (Mecham, Nelson and Storey 2010) written out with lme4, as a second opinion on the numbers.
# usage: Rscript snm.R VALUES.csv SAMPLES.csv N_ITER MAX_EVALUATIONS OUT_PREFIX
# VALUES: samples x features; SAMPLES: columns x (biology) and batch (0/1)
suppressMessages({ library(lme4); library(splines) })
args <- commandArgs(TRUE)
Y <- as.matrix(read.csv(args[1])); S <- read.csv(args[2])
n_iter <- as.integer(args[3]); max_eval <- as.integer(args[4]); out <- args[5]
n <- nrow(Y); m <- ncol(Y)
W <- cbind(1, S$batch); full <- cbind(W, S$x)

test <- function(Z) {
  big <- lm.fit(full, Z); small <- lm.fit(W, Z)
  rss <- colSums(big$residuals^2); df <- n - ncol(full)
  f <- (colSums(small$residuals^2) - rss) / (rss / df)
  list(p = pf(f, 1, df, lower.tail = FALSE), big = big$fitted.values, small = small$fitted.values)
}
share <- function(p) min(1, sapply(seq(0, 0.9, by = 0.05), function(l) mean(p >= l) / (1 - l)))

normal <- Y; criteria <- c(); shares <- c()
for (round in seq_len(n_iter)) {
  found <- test(normal)
  pi0 <- share(found$p)
  null <- rank(found$p) > (1 - pi0) * m
  M <- found$big; M[, null] <- found$small[, null]
  level <- colMeans(M)
  range <- quantile(level[null], c(0.001, 0.999))
  code <- pmin(pmax(floor((level - range[1]) / (range[2] - range[1]) * 20), 0), 19)
  inside <- null & level >= range[1] & level <= range[2]
  bins <- sort(unique(code[inside]))
  average <- function(A) sapply(bins, function(b) rowMeans(A[, inside & code == b, drop = FALSE]))
  y <- as.vector(average(Y)); mu <- as.vector(average(M)); size <- sapply(bins, function(b) sum(inside & code == b))
  bin <- factor(rep(seq_along(bins), each = n)); array <- factor(rep(seq_len(n), length(bins)))
  batch <- rep(S$batch, length(bins)); weight <- rep(pmin(1, size / 50), each = n)
  knots <- range(mu) + c(-1, 1)
  curve <- ns(mu, df = 4, intercept = TRUE, Boundary.knots = knots)
  fit <- suppressWarnings(lmer(y ~ -1 + bin + bin:batch + (-1 + curve | array), weights = weight,
    control = lmerControl(optimizer = "bobyqa", optCtrl = list(maxfun = max_eval), check.conv.grad = "ignore",
      check.conv.hess = "ignore", check.conv.singular = "ignore")))
  criteria <- c(criteria, REMLcrit(fit)); shares <- c(shares, pi0)
  u <- as.matrix(ranef(fit)$array)
  normal <- Y
  for (i in seq_len(n)) {
    normal[i, ] <- Y[i, ] - as.vector(predict(curve, M[i, ]) %*% u[i, ])
  }
}
final <- test(normal)
write.csv(normal, paste0(out, "_values.csv"), row.names = FALSE)
write.csv(data.frame(p = final$p, null = as.integer(null)), paste0(out, "_features.csv"), row.names = FALSE)
write.csv(data.frame(criterion = criteria, share = shares), paste0(out, "_rounds.csv"), row.names = FALSE)
