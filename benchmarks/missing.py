"""Missing values: fits against the complete fit, and factors of completed data against those of complete data."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np

from benchmarks.measure import Case, Row
from latentadj.core.completion import complete
from latentadj.core.matrix import Array, ArrayMatrix, collect
from latentadj.core.regression import RegressionFit, design_basis, fit_regression
from latentadj.core.spectrum import residual_spectrum
from latentadj.core.weighted_regression import fit_weighted_regression
from latentadj.core.whitening import WhitenedMatrix, Whitening
from latentadj.simulation import Scenario, simulate

#: Share of the values of a feature that is missing in the timings.
SHARE = 0.2
COMPLETE = "fit of complete data"


def study(n_features: int, n_samples: int, n_columns: int) -> tuple[Array, Array]:
    """Noise around 8; an intercept and normal covariates."""
    rng = np.random.default_rng(0)
    Y = rng.standard_normal((n_samples, n_features)) + 8.0
    return Y, np.column_stack([np.ones(n_samples), rng.standard_normal((n_samples, n_columns - 1))])


def with_patterns(Y: Array, n_patterns: int) -> Array:
    """Every feature gets one of some patterns of missing samples."""
    rng = np.random.default_rng(1)
    patterns = rng.uniform(size=(len(Y), n_patterns)) < SHARE
    return np.where(patterns[:, rng.integers(0, n_patterns, Y.shape[1])], np.nan, Y)


def pairs(n_samples: int) -> Array:
    """Covariance of samples that come two by two, correlated 1/3."""
    pair = np.arange(n_samples) // 2
    return np.eye(n_samples) + 0.5 * (pair[:, None] == pair)


def alone(y: Array, design: Array, covariance: Array) -> tuple[Array, Array, float]:
    """Coefficients, unscaled covariance and residual variance of one feature from its observed rows."""
    seen = np.isfinite(y)
    lower = np.linalg.cholesky(covariance[np.ix_(seen, seen)])
    X, values = np.linalg.solve(lower, design[seen]), np.linalg.solve(lower, y[seen])
    coef = np.linalg.lstsq(X, values, rcond=None)[0]
    r_inverse = np.linalg.inv(np.linalg.qr(X)[1])
    return coef, r_inverse @ r_inverse.T, np.square(values - X @ coef).sum() / (seen.sum() - len(coef))


def check_fit(make: Callable[[], RegressionFit], Y: Array, design: Array, covariance: Array) -> None:
    """Every hundredth feature against its fit alone, to 1e-10."""
    fit = make()
    for j in range(0, Y.shape[1], 100):
        for ours, expected in zip(
            (fit.coef[j], fit.cov_unscaled[j], fit.sigma2[j]), alone(Y[:, j], design, covariance), strict=True
        ):
            np.testing.assert_allclose(np.asarray(ours), np.asarray(expected), rtol=1e-10, atol=1e-11)


def cases(n_features: int = 20_000, n_samples: int = 100, n_columns: int = 6) -> list[Case]:
    """Patterns shared by features and not, samples independent and correlated."""
    Y, design = study(n_features, n_samples, n_columns)
    size = f"{n_features:,} x {n_samples}, {n_columns} columns"
    whitening = Whitening.from_covariance(pairs(n_samples))
    whitened, mapped = WhitenedMatrix(ArrayMatrix(Y), whitening), whitening.apply(design)
    made = []
    for n_patterns, limit, limit_correlated in ((200, 5, 8), (n_features, 10, 40)):
        X = with_patterns(Y, n_patterns)
        name = f"{size}, 20 % missing in {n_patterns:,} patterns"
        fit = partial(fit_weighted_regression, ArrayMatrix(X), design)
        plain = partial(fit_regression, ArrayMatrix(Y), design)
        check = partial(check_fit, fit, X, design, np.eye(n_samples))
        made.append(Case(f"incomplete fit, {name}", COMPLETE, fit, plain, max_multiple=limit, check=check))
        fit = partial(fit_weighted_regression, ArrayMatrix(X), design, whitening=whitening)
        plain = partial(fit_regression, whitened, mapped)
        check = partial(check_fit, fit, X, design, pairs(n_samples))
        correlated = f"incomplete fit, correlated samples, {name}"
        made.append(Case(correlated, COMPLETE, fit, plain, max_multiple=limit_correlated, check=check))
    return made


def factor_rows() -> list[Row]:
    """Smallest canonical correlation of three factors of completed data with those of the complete data."""
    made = simulate(Scenario(n_samples=100, n_features=2000, n_factors=3), np.random.default_rng(0))
    basis = design_basis(made.design.matrix)
    low = 1.0 / (1.0 + np.exp((made.X - np.quantile(made.X, 0.15)) / 0.7))
    one = np.where(np.arange(100) == 3, 0.6, 0.05)[:, None]
    shares = {
        "5 % missing at random": 0.05,
        "20 % missing at random": 0.2,
        "60 % of one sample and 5 % of the others missing": one,
        "20 % missing, low values more often": low * 0.2 / low.mean(),
    }
    rows = []
    for name, share in shares.items():
        Y = np.where(np.random.default_rng(1).uniform(size=made.X.shape) < share, np.nan, made.X)
        found = _factors(collect(complete(ArrayMatrix(Y), basis).matrix), made.design.matrix)
        smallest = float(np.linalg.svd(found.T @ _factors(made.X, made.design.matrix), compute_uv=False).min())
        name = f"canonical correlation of 3 factors, 2,000 x 100, {name}"
        rows.append(Row(name, "complete data", smallest, 1.0, "> 0.99", smallest > 0.99))
    return rows


def _factors(Y: Array, design: Array) -> Array:
    """Three leading directions of the residuals, features scaled to unit residual variance."""
    basis = design_basis(design)
    size = np.sqrt(np.square(basis.project_out(Y)).sum(axis=0))
    weights = np.divide(1.0, size, out=np.zeros_like(size), where=size > 0)
    return residual_spectrum(ArrayMatrix(Y), basis, weights=weights).vectors[:, :3]
