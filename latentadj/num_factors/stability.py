"""Stability: what another rule answers on random halves of the features."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from latentadj.core.feature_folds import balanced_labels, residual_grams
from latentadj.core.kernels import RegressionSums
from latentadj.core.matrix import Array, FeatureSubset
from latentadj.core.spectrum import spectrum_of_gram
from latentadj.exceptions import MethodError
from latentadj.num_factors.base import NumFactorsRule, check_scale, feature_weights
from latentadj.num_factors.deterministic_parallel import DeterministicParallelAnalysis
from latentadj.problem import AdjustmentProblem
from latentadj.results.factors import RuleAnswer

#: Groups of features that are put together to halves.
N_GROUPS = 20


class Stability(NumFactorsRule):
    """Apply a rule to random halves of the features and take the median of its answers.

    Parameters
    ----------
    rule : NumFactorsRule, optional
        Applied to every half; by default `DeterministicParallelAnalysis`. Rules that need only the residual
        spectrum and the features' sums of squares cost nothing beyond one pass; others read each half again.
    n_halves : int, default=50
        Halves; they come in pairs that share no feature.

    Notes
    -----
    Features are put into twenty random groups, one Gram matrix is made of each in a single pass, and a half is ten
    groups: its Gram matrix is their sum. The statistic of factor i is the share of the halves that answer at least
    i, and the answer the number of factors on which more than half of them agree. `note` has the whole
    distribution; a wide one says that factors are weak or carried by few features. A half has fewer features, so
    that weak factors are found less often than by the rule on all of them.

    References
    ----------
    Meinshausen and Buehlmann (2010), "Stability selection", JRSS B 72, 417-473; halves in pairs: Shah and Samworth
    (2013), JRSS B 75, 55-80.

    Examples
    --------
    >>> from latentadj.core.matrix import ArrayMatrix
    >>> from latentadj.design import Design
    >>> rng = np.random.default_rng(0)
    >>> factor, group = rng.normal(size=40), np.repeat([0.0, 1.0], 20)
    >>> X = np.outer(factor, rng.normal(size=300)) + rng.normal(size=(40, 300))
    >>> problem = AdjustmentProblem(ArrayMatrix(X), Design.from_arrays(group))
    >>> Stability().select(problem, 10, rng).n_factors
    1
    """

    def __init__(self, rule: NumFactorsRule | None = None, n_halves: int = 50) -> None:
        self.rule = rule
        self.n_halves = n_halves

    @property
    def name(self) -> str:
        """Name of the rule in tables."""
        return "stability"

    @property
    def scale(self) -> str | None:  # type: ignore[override]
        """Scale of the rule that is repeated."""
        return self._inner().scale

    def select(self, problem: AdjustmentProblem, limit: int, rng: np.random.Generator) -> RuleAnswer:
        """Apply the rule; see `NumFactorsRule.select`.

        Raises
        ------
        MethodError
            If `n_halves` is below 2, the features are too few, or the inner rule cannot be applied.
        """
        self._check(problem)
        inner = self._inner()
        halves = random_halves(problem, self.n_halves, inner.scale, rng)
        answers = np.array([inner.select(half, limit, rng).n_factors for half in halves], dtype=np.intp)
        shares = np.array([np.mean(answers >= i + 1) for i in range(max(limit, 0))])
        return RuleAnswer(
            rule=self.name,
            n_factors=int(np.sum(shares > 0.5)),
            statistic=shares,
            threshold=np.full(len(shares), 0.5),
            description=(
                f"Share of {len(answers)} random halves of the features on which {inner.name} finds at least as many "
                "factors; a factor counts when more than half of them do."
            ),
            note=_distribution(answers),
        )

    def _inner(self) -> NumFactorsRule:
        return DeterministicParallelAnalysis() if self.rule is None else self.rule

    def _check(self, problem: AdjustmentProblem) -> None:
        if self.n_halves < 2:
            raise MethodError(f"n_halves={self.n_halves} cannot be used: at least 2 are needed. The default is 50.")
        if problem.n_features < 2 * N_GROUPS:
            raise MethodError(
                f"the rule puts the features into {N_GROUPS} groups and only {problem.n_features} are there (at least "
                f"{2 * N_GROUPS} are needed). Use another rule."
            )


def random_halves(
    problem: AdjustmentProblem, n_halves: int, scale: str | None, rng: np.random.Generator
) -> list[AdjustmentProblem]:
    """Problems on random halves of the features, with their residual spectra filled in; one pass.

    Parameters
    ----------
    problem : AdjustmentProblem
    n_halves : int
    scale : {"unit", None}
        Scale of the spectrum that is filled in.
    rng : numpy.random.Generator

    Returns
    -------
    list of AdjustmentProblem
        Halves 1 and 2 share no feature, 3 and 4 neither, and so on.
    """
    check_scale(scale)
    labels = balanced_labels(problem.n_features, N_GROUPS, rng)
    grams = residual_grams(problem.matrix, problem.basis, labels, N_GROUPS, feature_weights(problem, scale))
    halves: list[AdjustmentProblem] = []
    while len(halves) < n_halves:
        order = rng.permutation(N_GROUPS)
        for groups in (order[: N_GROUPS // 2], order[N_GROUPS // 2 :]):
            halves.append(_half(problem, np.flatnonzero(np.isin(labels, groups)), grams[groups].sum(axis=0), scale))
    return halves[:n_halves]


def _half(problem: AdjustmentProblem, index: NDArray[np.intp], gram: Array, scale: str | None) -> AdjustmentProblem:
    controls = None if problem.controls is None else problem.controls[index]
    raw = None if problem.raw is None else replace(problem.raw, matrix=FeatureSubset(problem.raw.matrix, index))
    half = replace(problem, matrix=FeatureSubset(problem.matrix, index), controls=controls, raw=raw, target=None)
    complement = problem.basis.complement()
    spectrum = spectrum_of_gram(complement @ gram @ complement.T, complement, len(index))
    sums = problem.sums
    known = {
        "basis": problem.basis,
        "sums": RegressionSums(sums.effects[index], sums.rss[index], sums.tss[index], sums.mean[index]),
        "unit_spectrum" if scale == "unit" else "spectrum": spectrum,
    }
    vars(half).update(known)  # the caches that `cached_property` reads
    return half


def _distribution(answers: NDArray[np.intp]) -> str:
    numbers, counts = np.unique(answers, return_counts=True)
    return f"Answers: {', '.join(f'{k} on {c}' for k, c in zip(numbers, counts, strict=True))}."
