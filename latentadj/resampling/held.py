"""Tests by rearrangement with the factors of a result held: matrix products on residuals."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from latentadj.core.matrix import Array
from latentadj.core.passes import one_blas_thread, run_pass
from latentadj.core.resampling import NullGeometry, ResamplingKernel
from latentadj.core.resampling_draws import (
    Draws,
    GatherDraws,
    MultiplierDraws,
    RotationDraws,
    permutations,
    rotations,
    signs,
)
from latentadj.core.resampling_pvalues import Exceedances
from latentadj.core.resampling_robust import RobustResamplingKernel
from latentadj.core.sandwich import SandwichScores
from latentadj.exceptions import MethodError
from latentadj.resampling.subject import Subject

#: Bytes of the statistics that are held at a time; more draws are done in further passes over the data.
STATISTICS_BYTES = 1 << 27
Labels = NDArray[np.intp]


@dataclass(frozen=True)
class HeldTests:
    """Observed statistics and the p-values of all tests.

    Attributes
    ----------
    statistic, p_value, p_pooled, p_max : ndarray of shape (n_features, T)
    """

    statistic: Array
    p_value: Array
    p_pooled: Array
    p_max: Array


@one_blas_thread()
def held_tests(
    subject: Subject, scheme: str, n_draws: int, rng: np.random.Generator, groups: Labels | None
) -> HeldTests:
    """Test everything with the factors held.

    Parameters
    ----------
    subject : Subject
    scheme : {"freedman_lane", "sign_flip", "rotation", "labels"}
    n_draws : int
    rng : numpy.random.Generator
        All tests see the same rearrangements.
    groups : ndarray of int, shape (n_samples,), optional
        Samples that are exchanged, or change sign, together.

    Returns
    -------
    HeldTests
    """
    seed = rng.integers(0, 2**63, size=4)
    parts = [_one_test(subject, i, scheme, n_draws, np.random.default_rng(seed), groups) for i in _tests(subject)]
    return HeldTests(*(np.column_stack(columns) for columns in zip(*parts, strict=True)))


def _tests(subject: Subject) -> range:
    return range(len(subject.names))


def _one_test(
    subject: Subject, test: int, scheme: str, n_draws: int, rng: np.random.Generator, groups: Labels | None
) -> tuple[Array, Array, Array, Array]:
    geometry = subject.geometry(test)
    observed = observed_statistics(subject, test, subject.sandwich)
    counts = Exceedances(observed)
    for part in chunks(n_draws, subject.matrix.shape[1]):
        draws = make_draws(scheme, part, geometry, rng, groups)
        counts.add(statistics(subject, test, draws, subject.sandwich))
    return observed, counts.p_value(), counts.p_pooled(), counts.p_max()


def chunks(n_draws: int, n_features: int) -> list[int]:
    """Split draws so that their statistics fit into memory."""
    size = max(STATISTICS_BYTES // (8 * max(n_features, 1)), 1)
    return [min(size, n_draws - first) for first in range(0, n_draws, size)]


def make_draws(
    scheme: str, n_draws: int, geometry: NullGeometry, rng: np.random.Generator, groups: Labels | None
) -> Draws:
    """Draw rearrangements of the residuals of a null model."""
    n = len(geometry.tested)
    if scheme == "freedman_lane":
        return GatherDraws(permutations(n_draws, n, rng, groups))
    if scheme == "sign_flip":
        return MultiplierDraws(signs(n_draws, np.arange(n) if groups is None else groups, rng))
    if scheme == "rotation":
        return RotationDraws(rotations(n_draws, geometry.tested.shape[1], geometry.left(), rng))
    return RotationDraws(_permuted_columns(permutations(n_draws, n, rng, groups), geometry))


def _permuted_columns(order: Labels, geometry: NullGeometry) -> Array:
    """Tested columns that belong to other samples, with the null model removed again, ``(n_draws, q, n_samples)``."""
    moved = geometry.tested[order]
    moved = moved - geometry.reduced @ (geometry.reduced.T @ moved)
    return np.asarray(np.linalg.qr(moved)[0].transpose(0, 2, 1), dtype=np.float64)


def statistics(
    subject: Subject,
    test: int,
    draws: Draws,
    sandwich: SandwichScores | None,
    *,
    null_imposed: bool = True,
    inflated: bool = True,
    level: float | None = None,
) -> Array:
    """Statistics of draws ``(n_draws, n_features)``, or a quantile of their absolute values ``(1, n_features)``."""
    geometry, m = subject.geometry(test), subject.matrix.shape[1]
    if sandwich is None:
        inflated = inflated and not isinstance(draws, RotationDraws)
        kernel = ResamplingKernel(
            geometry, draws, m, subject.variances, null_imposed=null_imposed, inflated=inflated, level=level
        )
        found: Array = run_pass(subject.matrix, kernel)[0]
        return found
    if not isinstance(draws, GatherDraws | MultiplierDraws) or subject.contrasts[test].shape[1] > 1:
        raise MethodError(
            "With sandwich errors residuals can be permuted (scheme='freedman_lane') or change sign ('sign_flip'), and "
            "columns are tested one by one. Choose one of these, or leave the robust errors out."
        )
    removed = geometry.reduced if null_imposed else geometry.full
    robust = RobustResamplingKernel(
        sandwich,
        subject.contrasts[test],
        removed,
        draws,
        m,
        subject.variances,
        geometry.df_resid,
        inflated=inflated,
        level=level,
    )
    found = run_pass(subject.matrix, robust)[0]
    return found


def observed_statistics(subject: Subject, test: int, sandwich: SandwichScores | None) -> Array:
    """Statistics of the data as they are, NaN for features that do not vary, ``(n_features,)``."""
    n = subject.matrix.shape[0]
    as_they_are = GatherDraws(np.arange(n)[None, :])
    found = statistics(subject, test, as_they_are, sandwich, inflated=False)[0]
    return np.where(subject.usable, found, np.nan)
