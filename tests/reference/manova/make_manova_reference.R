# Pillai's trace of three responses on a factor, without and with a covariate. Usage: Rscript make_manova_reference.R OUT.csv
out <- commandArgs(trailingOnly = TRUE)[1]
set.seed(1)
n <- 40
Z <- matrix(round(rnorm(n * 3), 3), n)
group <- factor(rep(1:4, 10))
Z[, 1] <- Z[, 1] + (group == 2)
x <- round(rnorm(n), 3)
plain <- summary(manova(Z ~ group), test = "Pillai")$stats["group", ]
given <- summary(manova(Z ~ x + group), test = "Pillai")$stats["group", ]
write.csv(data.frame(Z, group = group, x = x), out, row.names = FALSE)
write.csv(signif(rbind(plain = plain, given = given), 15), sub(".csv", "_answers.csv", out))
