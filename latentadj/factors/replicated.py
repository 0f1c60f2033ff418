"""The shell of methods that find unwanted variation between replicates."""

from __future__ import annotations

import warnings
from abc import abstractmethod
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from latentadj.core.matrix import Array, RotatedMatrix
from latentadj.core.replicates import factor_room, membership, ruv_three
from latentadj.design import Design
from latentadj.exceptions import ControlsError, FactorLimitWarning, MethodError
from latentadj.factors.base import LatentFactorEstimator
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
    """

    labels: NDArray[np.intp]
    pseudo: Array | None = None


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
        room = factor_room(sets.labels, int(self._controls(problem).sum()))
        number = choose_number(self._between_replicates(problem, sets), self.n_factors, rng)
        if number.n_factors <= room:
            return number
        message = (
            f"{number.n_factors} factors are too many: replicates and controls carry at most {room} (samples beyond the "
            "first of each set of replicates, and no more than controls). "
        )
        if number.chosen_by == "user":
            error = ControlsError if room == self._controls(problem).sum() else MethodError
            raise error(message + "Use fewer factors, or more replicates and controls.")
        warnings.warn(message + f"Using {room} factors.", FactorLimitWarning, stacklevel=4)
        return replace(number, n_factors=room)

    def _between_replicates(self, problem: AdjustmentProblem, sets: ReplicateSets) -> AdjustmentProblem:
        """Return the problem whose residuals are the differences between replicates."""
        matrix = (problem if problem.raw is None else problem.raw).matrix
        if sets.pseudo is not None:
            matrix = RotatedMatrix(matrix, np.vstack([np.eye(problem.n_samples), sets.pseudo]).T)
        design = Design.from_arrays(membership(sets.labels), intercept=False)
        return AdjustmentProblem(matrix, design)

    def _estimate_factors(self, problem: AdjustmentProblem, n_factors: int, rng: np.random.Generator) -> FactorEstimate:
        sets, plain = self._sets(problem), problem if problem.raw is None else problem.raw
        mean, weights = (None, None) if self._literal else (plain.sums.mean, plain.unit_weights)
        found = ruv_three(
            plain.matrix,
            sets.labels,
            self._controls(problem),
            n_factors,
            pseudo=sets.pseudo,
            weights=weights,
            mean=mean,
        )
        scores = found.scores if problem.whitening is None else problem.whitening.apply(found.scores)
        return FactorEstimate(scores, loadings=found.loadings)
