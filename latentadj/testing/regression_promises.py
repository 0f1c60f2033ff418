"""Factors join one regression, and what that regression cannot see changes nothing."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from latentadj.core.whitening import Whitening
from latentadj.testing.comparison import numbers, require_close, require_same
from latentadj.testing.promise import (
    Promise,
    only_continuous,
    only_least_squares,
    only_refitted,
    only_with_number,
)
from latentadj.testing.subject import Subject

Array = NDArray[np.float64]


def zero_factors(subject: Subject) -> None:
    """Zero factors: the regression as the design was given."""
    found, usual = subject.run(method=subject.estimator(0)), subject.usual
    plain = usual.unadjusted_tests
    for name in ("estimate", "std_error", "statistic", "p_value"):
        require_close(getattr(found.tests, name), getattr(plain, name), 0.0, name)
    require_close(np.asarray(found.fit.sigma2), np.asarray(usual.unadjusted_fit.sigma2), 0.0, "sigma2")
    require_close(found.factors.to_numpy(), np.empty((usual.n_samples, 0)), 0.0, "factors")


def unadjusted_regression(subject: Subject) -> None:
    """Columns without factors, against a least-squares routine."""
    coef, _ = _regression(subject, subject.usual.design.matrix)
    tested = [i for i, role in enumerate(subject.usual.design.roles) if role == "primary"]
    require_close(subject.usual.unadjusted_tests.estimate, coef[tested].T, subject.rounding, "estimate_unadjusted")


def full_regression(subject: Subject) -> None:
    """Effects, loadings and variances, against a least-squares routine."""
    result, d = subject.usual, subject.usual.design.matrix.shape[1]
    full = np.column_stack([result.design.matrix, result.factors.to_numpy()])
    coef, rss = _regression(subject, full, result.estimate.whitening)
    tested = [i for i, role in enumerate(result.design.roles) if role == "primary"]
    df = result.n_samples - full.shape[1]
    require_close(result.tests.estimate, coef[tested].T, subject.rounding, "estimate")
    require_close(result.loadings.to_numpy(), coef[d:].T, subject.rounding, "loadings")
    require_close(np.asarray(result.fit.sigma2), rss / df, subject.rounding, "sigma2")
    require_close(np.asarray(result.fit.df_resid, dtype=np.float64), np.asarray(float(df)), 0.0, "df_resid")


def link(subject: Subject) -> None:
    """A method that returns a link says how much of each effect was confounding."""
    result = subject.usual
    omega = result.estimate.link.omega  # type: ignore[union-attr]
    subtracted = result.unadjusted_tests.estimate - result.loadings.to_numpy() @ omega.T
    require_close(result.tests.estimate, subtracted, subject.rounding, "estimate")


def nuisance_coding(subject: Subject) -> None:
    """Primary columns plus nuisance columns span the same design and mean the same."""
    design = subject.usual.design
    matrix = design.matrix.copy()
    nuisance = [i for i, role in enumerate(design.roles) if role == "nuisance"]
    primary = [i for i, role in enumerate(design.roles) if role == "primary"]
    matrix[:, primary] += 3.0 * matrix[:, nuisance].sum(axis=1, keepdims=True)
    found = subject.run(formula=replace(design, matrix=matrix))
    require_same(numbers(found), subject.expected, subject.rounding)


def shift(subject: Subject) -> None:
    """A constant added to each feature moves its mean and nothing else."""
    moved = np.random.default_rng(3).normal(size=subject.study.X.shape[1]) * 5
    expected = {**subject.expected, "mean": subject.expected["mean"] + moved}
    require_same(numbers(subject.run(subject.study.X + moved)), expected, subject.rounding)


def nuisance_effects(subject: Subject) -> None:
    """Further effects of the nuisance columns are what the design is told to remove."""
    columns = subject.usual.design.nuisance
    columns = columns - columns.mean(axis=0)
    spread = columns.std(axis=0)
    columns = columns[:, spread > 0] / spread[spread > 0]
    effects = np.random.default_rng(4).normal(size=(columns.shape[1], subject.study.X.shape[1]))
    found = numbers(subject.run(subject.study.X + columns @ effects))
    require_same(found, subject.expected, subject.rounding, leave_out=("mean",))


def units(subject: Subject) -> None:
    """A thousandfold matrix has thousandfold effects and the same tests."""
    found, usual = subject.run(subject.study.X * 1000.0), subject.usual
    require_close(found.tests.estimate, 1000.0 * usual.tests.estimate, subject.rounding, "estimate")
    require_close(found.tests.statistic, usual.tests.statistic, subject.rounding, "statistic")
    require_close(found.factors.to_numpy(), usual.factors.to_numpy(), subject.rounding, "factors")


def _regression(subject: Subject, design: Array, whitening: Whitening | None = None) -> tuple[Array, Array]:
    """Coefficients ``(d, n_features)`` and residual sums of squares by a routine that shares no code."""
    Y = subject.working(subject.study.X)
    if whitening is not None:
        Y, design = whitening.apply(Y), whitening.apply(design)
    coef = np.asarray(np.linalg.lstsq(design, Y)[0], dtype=np.float64)
    return coef, np.asarray(np.sum((Y - design @ coef) ** 2, axis=0), dtype=np.float64)


def _only_linked(subject: Subject) -> str:
    estimate = subject.usual.estimate
    if estimate.link is None or estimate.whitening is not None:
        return "the method returns no link between factors and primary variables of the data as they are"
    return only_refitted(subject)


REGRESSION = (
    Promise("zero_factors", "n_factors=0 gives the regression without factors.", zero_factors, only_with_number),
    Promise(
        "unadjusted_regression",
        "Unadjusted effects are least squares on the design.",
        unadjusted_regression,
        only_least_squares,
    ),
    Promise(
        "full_regression",
        "Effects, loadings and variances are least squares on the design with the factors in it.",
        full_regression,
        only_refitted,
    ),
    Promise("link", "Refitting equals subtracting loadings times the link.", link, _only_linked),
    Promise("nuisance_coding", "x plus nuisance columns means the same as x.", nuisance_coding),
    Promise("shift", "Constants added to features change their means only.", shift, only_continuous),
    Promise(
        "nuisance_effects",
        "Effects of nuisance columns added to the data change nothing.",
        nuisance_effects,
        only_continuous,
    ),
    Promise("units", "A change of units changes effects by that factor, and no test.", units, only_continuous),
)
