"""Surrogate variable analysis by iteratively re-weighted features."""

from __future__ import annotations

import warnings
from numbers import Integral
from typing import Any, ClassVar

import numpy as np

from latentadj.core.fixed_point import FixedPoint, extrapolated_iteration, iterate
from latentadj.core.leading_directions import residual_directions
from latentadj.core.matrix import Array
from latentadj.core.spectrum import safe_to_project_last
from latentadj.core.surrogate_weights import SurrogateWeighting, WeightingRounds
from latentadj.exceptions import MethodError, NotConvergedWarning
from latentadj.factors.base import LatentFactorEstimator
from latentadj.factors.info import MethodInfo
from latentadj.num_factors import NumFactorsRule
from latentadj.problem import AdjustmentProblem
from latentadj.results.factors import FactorEstimate


class SVA(LatentFactorEstimator):
    """Iteratively re-weighted surrogate variable analysis (IRW-SVA).

    Parameters
    ----------
    n_factors : {"auto"} or int or NumFactorsRule, default="auto"
    max_iter : int, default=200
        Largest number of rounds.
    tol : float, default=1e-4
        Sine of the largest angle between the factors of two rounds at which they count as settled.
    compat : {None, "sva"}, default=None
        "sva" does exactly `max_iter` plain rounds, with the density grid of R before 4.4. With
        ``max_iter=5`` that is the R package's default, which is often far from where the rounds lead.
    model : PrimaryModel or None, default=None
    random_state : default=0

    Notes
    -----
    Leek and Storey (2007, 2008). Each round weighs every feature by the probability that it depends on the
    factors but not on the primary variables, and takes the leading components of the weighted, centred data
    (not of the residuals: that is what lets the factors be associated with the primary variables). Rounds are
    extrapolated (SQUAREM) until they settle; `estimate_` says whether they did. The map has small jumps where a
    density estimate changes, so some data sets circle within a small angle; that is reported as not converged.

    ``estimate_.details`` holds ``probability_factors`` and ``probability_primary``, the two posterior
    probabilities of every feature.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> y, z = np.repeat([0, 1], 10), rng.normal(size=20)
    >>> X = np.outer(z, rng.normal(size=300)) + 0.5 * rng.normal(size=(20, 300))
    >>> sva = SVA(n_factors=1).fit(X, y)
    >>> bool(abs(np.corrcoef(sva.factors_[:, 0], z)[0, 1]) > 0.99)
    True
    """

    method_info: ClassVar[MethodInfo] = MethodInfo(
        name="sva",
        title="Surrogate variable analysis (IRW)",
        reference="Leek and Storey (2008), PNAS 105:18718",
        identified_by="enough features depend on the factors and not on the primary variables",
        summary="Components of the data with every feature weighted by its probability of being only noise.",
        not_promised={
            "nuisance_effects": "Components are those of the centred data, effects of the nuisance columns included.",
        },
    )

    def __init__(
        self,
        n_factors: int | str | NumFactorsRule = "auto",
        *,
        max_iter: int = 200,
        tol: float = 1e-4,
        compat: str | None = None,
        model: Any = None,
        random_state: Any = 0,
    ) -> None:
        super().__init__(n_factors, model=model, random_state=random_state)
        self.max_iter = max_iter
        self.tol = tol
        self.compat = compat

    def _estimate_factors(self, problem: AdjustmentProblem, n_factors: int, rng: np.random.Generator) -> FactorEstimate:
        if self.compat not in (None, "sva"):
            raise MethodError(f"compat={self.compat!r} is unknown; SVA knows None and 'sva'.")
        if not (isinstance(self.max_iter, Integral) and self.max_iter >= 1 and self.tol > 0):
            raise MethodError(f"SVA needs max_iter >= 1 and tol > 0; got max_iter={self.max_iter!r}, tol={self.tol!r}.")
        reference = self.compat == "sva"
        weighting = SurrogateWeighting(
            problem.matrix, problem.basis, problem.n_nuisance, problem.sums, reference, problem.level
        )
        one_round = WeightingRounds(weighting, n_factors)
        start = leading_residuals(problem, n_factors)
        if reference:
            point = iterate(one_round, start, self.max_iter)
        else:
            point = extrapolated_iteration(one_round, start, tol=self.tol, max_iter=self.max_iter)
            self._report(point)
        return rounds_estimate(one_round, point.converged, {"last_change": point.change})

    def _report(self, point: FixedPoint) -> None:
        if not point.converged:
            warnings.warn(
                f"SVA's factors still moved by an angle of sine {point.change:.1e} after {point.n_iter} rounds "
                f"(tol={self.tol:g}). Raise max_iter, try another number of factors, or compare with CATE.",
                NotConvergedWarning,
                stacklevel=2,
            )


def leading_residuals(problem: AdjustmentProblem, n_factors: int) -> Array:
    """Return the leading residual directions ``(n_samples, n_factors)``; of many samples without a full spectrum."""
    if "spectrum" not in vars(problem) and problem.level is None and safe_to_project_last(problem.sums):
        found = residual_directions(problem.matrix, problem.basis.q, problem.sums, n_factors)
        if found is not None:
            return found
    return problem.spectrum.vectors[:, :n_factors]


def rounds_estimate(rounds: WeightingRounds, converged: bool, details: dict[str, Any]) -> FactorEstimate:
    """Return what the last round left: its factors in the order of their size, and its weights.

    Parameters
    ----------
    rounds : WeightingRounds
        After its last round.
    converged : bool
    details : dict
        What else is worth keeping.

    Returns
    -------
    FactorEstimate
    """
    weights = rounds.weights
    return FactorEstimate(
        rounds.factors,
        feature_weights=weights.weights,
        converged=converged,
        n_iter=rounds.n_iter,
        details={"probability_factors": weights.gamma, "probability_primary": weights.b, **details},
    )
