"""Regression and moderated p-values against one read of the matrix."""

from __future__ import annotations

import tracemalloc

import numpy as np

import latentadj as la
from benchmarks.measure import Case, Row
from latentadj.core.matrix import ArrayMatrix
from latentadj.core.regression import fit_regression
from latentadj.core.tails import t_two_sided_p
from latentadj.core.variance import squeeze_variances


def study(n_features: int, n_samples: int) -> tuple[np.ndarray, la.Design]:
    """Noise around 8, two groups."""
    X = np.random.default_rng(0).standard_normal((n_samples, n_features)) + 8.0
    return X, la.Design.from_arrays(np.repeat([0.0, 1.0], [n_samples // 2, n_samples - n_samples // 2]))


def moderated_p(X: np.ndarray, design: np.ndarray) -> np.ndarray:
    """The array-level pipeline: fit, moderate, test the last column."""
    fit = fit_regression(ArrayMatrix(X), design)
    prior = squeeze_variances(fit.sigma2, fit.df_resid)
    t = fit.coef[:, -1] / np.sqrt(prior.s2_post * fit.cov_unscaled[-1, -1])
    return t_two_sided_p(t, prior.df_total)


def cases(n_features: int = 100_000, n_samples: int = 200) -> list[Case]:
    """Both memory orders at array level, and `adjust`."""
    X, design = study(n_features, n_samples)
    X_features_major = np.asfortranarray(X)

    def check() -> None:
        res = la.adjust(X, design, method="none")
        np.testing.assert_allclose(res.tests.p_value[:, 0], moderated_p(X, design.matrix), rtol=1e-9)
        coef = np.linalg.lstsq(design.matrix, X[:, :500], rcond=None)[0]
        np.testing.assert_allclose(res.fit.coef[:500], coef.T, rtol=1e-9)

    size = f"{n_features:,} x {n_samples}"
    flat = X_features_major.ravel(order="K")
    return [
        Case(
            f"regression + moderated p, {size}, samples contiguous by feature",
            "one read",
            lambda: moderated_p(X_features_major, design.matrix),
            flat.sum,
            max_multiple=5,
        ),
        Case(
            f"regression + moderated p, {size}, rows are samples",
            "one read",
            lambda: moderated_p(X, design.matrix),
            X.sum,
            max_multiple=5,
            check=check,
        ),
        Case(
            f"adjust(method='none'), {size}",
            "one read",
            lambda: la.adjust(X, design, method="none"),
            X.sum,
            max_multiple=8,
        ),
    ]


def large_cases(n_features: int = 1_000_000, n_samples: int = 50, n_columns: int = 6) -> list[Case]:
    """Many features of few samples, a moderated p-value for each of five columns."""
    rng = np.random.default_rng(0)
    X = np.asfortranarray(rng.standard_normal((n_samples, n_features)) + 8.0)
    design = np.column_stack([np.ones(n_samples), rng.standard_normal((n_samples, n_columns - 1))])
    flat = X.ravel(order="K")

    def ours() -> np.ndarray:
        fit = fit_regression(ArrayMatrix(X), design)
        prior = squeeze_variances(fit.sigma2, fit.df_resid)
        unscaled = np.diag(fit.cov_unscaled)[1:]
        return t_two_sided_p(fit.coef[:, 1:] / np.sqrt(prior.s2_post[:, None] * unscaled), prior.df_total)

    def check() -> None:
        coef, rss = np.linalg.lstsq(design, X[:, :500], rcond=None)[:2]
        fit = fit_regression(ArrayMatrix(X[:, :500]), design)
        np.testing.assert_allclose(fit.coef, coef.T, rtol=1e-8, atol=1e-12)
        np.testing.assert_allclose(fit.sigma2, rss / (n_samples - n_columns), rtol=1e-9)

    title = f"regression + {n_columns - 1} moderated p, {n_features:,} x {n_samples}, p = {n_columns}"
    return [Case(title, "one read", ours, flat.sum, check=check)]


def memory_rows(n_features: int = 100_000, n_samples: int = 200) -> list[Row]:
    """Peak extra memory in units of the matrix, traced through NumPy's allocator."""
    X, design = study(n_features, n_samples)
    rows = []
    for method, options in (
        ("none", {}),
        ("sva", {"n_factors": 3, "max_iter": 5, "compat": "sva"}),
        ("cate", {"n_factors": 3}),
    ):
        tracemalloc.start()
        la.adjust(X, design, method=method, **options)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        name = f"peak extra memory, adjust(method={method!r}), {n_features:,} x {n_samples} [MB]"
        rows.append(Row(name, "the matrix [MB]", peak / 1e6, X.nbytes / 1e6, "< 0.25", peak < 0.25 * X.nbytes))
    return rows
