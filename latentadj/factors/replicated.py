"""The shell of methods that find unwanted variation between replicates."""

from __future__ import annotations

import warnings
from abc import abstractmethod
from dataclasses import dataclass, replace
from numbers import Integral
from typing import Any, ClassVar

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from latentadj.core.matrix import Array, RotatedMatrix
from latentadj.core.replicates import corrected_scores, factor_room, membership, ruv_three, within_variance
from latentadj.design import Design
from latentadj.exceptions import FactorLimitWarning, MethodError
from latentadj.factors.base import LatentFactorEstimator
from latentadj.factors.limits import capped_by_controls
from latentadj.num_factors import choose_number
from latentadj.problem import AdjustmentProblem
from latentadj.results.factors import FactorEstimate, NumFactorsResult


@dataclass(frozen=True)
class ReplicateSets:
    """Which samples, and averages of samples, are replicates of each other.

    Attributes
    ----------
    labels : ndarray of int, shape (n_samples + n_pseudo,)
    pseudo : ndarray of shape (n_pseudo, n_samples) or None
        Averages that serve as further samples.
    cells : ndarray of int, shape (n_samples,) or None
        Samples whose averages are pseudo-samples; what differs between them is noise.
    """

    labels: NDArray[np.intp]
    pseudo: Array | None = None
    cells: NDArray[np.intp] | None = None


def codes_of(values: NDArray[Any]) -> NDArray[np.intp]:
    """Integer codes of labels in sorted order; -1 where the label is missing."""
    return np.asarray(pd.factorize(pd.Series(values), sort=True)[0], dtype=np.intp)


def single_codes(codes: NDArray[np.intp]) -> NDArray[np.intp]:
    """Give every sample without a label a label of its own."""
    out = codes.copy()
    missing = np.flatnonzero(codes < 0)
    out[missing] = codes.max(initial=-1) + 1 + np.arange(len(missing))
    return out


class ReplicateFactorEstimator(LatentFactorEstimator):
    """Base class of RUV-III and RUVs: says what replicates are (`_sets`) and which features serve as controls.

    Notes
    -----
    The number of factors is chosen on what is left of the data between replicates, because that is what these
    methods can see.
    """

    method_info: ClassVar[Any]

    @abstractmethod
    def _sets(self, problem: AdjustmentProblem) -> ReplicateSets:
        """Return the sets of replicates."""

    @property
    def _literal(self) -> bool:
        """Whether the reference's numbers are asked for: features neither scaled nor centred."""
        return False

    def _controls(self, problem: AdjustmentProblem) -> NDArray[np.bool_]:
        chosen = np.ones(problem.n_features, dtype=bool) if problem.controls is None else problem.controls
        return chosen & ~problem.constant

    def _choose_number(self, problem: AdjustmentProblem, rng: np.random.Generator) -> NumFactorsResult:
        sets = self._sets(problem)
        room = factor_room(sets.labels, problem.n_features)
        message = f"replicates carry at most {room} factors: samples beyond the first of each set of replicates"
        given = isinstance(self.n_factors, Integral) and not isinstance(self.n_factors, bool) and self.n_factors >= 0
        if given and int(self.n_factors) <= room:
            return NumFactorsResult(int(self.n_factors), "user", room)
        if given:
            raise MethodError(f"n_factors={self.n_factors}: {message}. Use fewer factors, or more replicates.")
        number = choose_number(self._between_replicates(problem, sets), self.n_factors, rng)
        if number.n_factors > room:
            warnings.warn(f"Using {room} factors; {message}.", FactorLimitWarning, stacklevel=4)
        return replace(number, n_factors=min(number.n_factors, room))

    def _between_replicates(self, problem: AdjustmentProblem, sets: ReplicateSets) -> AdjustmentProblem:
        """Return the problem whose residuals are the differences between replicates."""
        matrix = (problem if problem.raw is None else problem.raw).matrix
        if sets.pseudo is not None:
            matrix = RotatedMatrix(matrix, np.vstack([np.eye(problem.n_samples), sets.pseudo]).T)
        design = Design.from_arrays(membership(sets.labels), intercept=False)
        return AdjustmentProblem(matrix, design)

    def _estimate_factors(self, problem: AdjustmentProblem, n_factors: int, rng: np.random.Generator) -> FactorEstimate:
        sets, plain = self._sets(problem), problem if problem.raw is None else problem.raw
        controls = self._controls(problem)
        if problem.controls is not None:
            n_factors = capped_by_controls(problem, n_factors, self.n_factors)
        mean, weights = (None, None) if self._literal else (plain.sums.mean, plain.unit_weights)
        found = ruv_three(
            plain.matrix, sets.labels, controls, n_factors, pseudo=sets.pseudo, weights=weights, mean=mean
        )
        scores = found.scores
        if mean is not None and weights is not None and scores.shape[1]:
            noise = _noise(plain, sets, found.loadings)
            scores = corrected_scores(plain.matrix, found, controls, noise, weights, mean)
        if problem.whitening is not None:
            scores = problem.whitening.apply(scores)
        return FactorEstimate(scores, loadings=found.loadings)


def _noise(problem: AdjustmentProblem, sets: ReplicateSets, loadings: Array) -> Array:
    """Noise variances ``(n_features,)`` between replicates, or within the cells of pseudo-samples."""
    if sets.cells is not None:
        return within_variance(problem.matrix, sets.cells)
    return within_variance(problem.matrix, sets.labels, loadings)
