"""Hidden covariates with prior."""

from __future__ import annotations

import warnings
from numbers import Integral, Real
from typing import Any, ClassVar

import numpy as np
from scipy.linalg import svd

from latentadj.core.hidden_covariates import HiddenCovariateProblem
from latentadj.core.kernels import GramKernel
from latentadj.core.matrix import Array
from latentadj.core.passes import run_pass
from latentadj.exceptions import FactorLimitWarning, MethodError, NotConvergedWarning
from latentadj.factors.base import LatentFactorEstimator
from latentadj.factors.confounder_screen import coded_columns
from latentadj.factors.info import MethodInfo
from latentadj.num_factors import NumFactorsRule
from latentadj.problem import AdjustmentProblem
from latentadj.results.factors import FactorEstimate

#: Directions of the scores below this share of the largest are taken as none.
NEGLIGIBLE = 1e-2


class HCP(LatentFactorEstimator):
    """Hidden covariates with prior: components of the data that are drawn towards known technical covariates.

    Parameters
    ----------
    n_factors : {"auto"} or int or NumFactorsRule, default="auto"
    covariates : None, str, list of str, Series, DataFrame or array, default=None
        Known technical variables of the samples; they may be many. Without them, the design's nuisance columns
        other than the intercept. Give technical variables only: what a biological one explains is removed.
    prior : float, default=1.0
        Weight of the prior that hidden covariates follow the known ones (lambda 1 of the paper).
    ridge_loadings : float, default=1.0
        Ridge penalty of the loadings (lambda 2).
    ridge_covariates : float, default=1.0
        Ridge penalty of the known covariates' weights (lambda 3).
    max_iter : int, default=1000
    tol : float, default=1e-10
        Relative fall of the objective in a round at which it counts as settled.
    model : PrimaryModel or None, default=None
    random_state : default=0

    Notes
    -----
    Mostafavi, Battle, Zhu et al. (2013). Features and known covariates are centred and scaled to unit sum of
    squares, as there; the start is not random but the optimum without known covariates. **Without any** the
    method is that optimum: principal components of the standardised data, less those whose singular value is below
    ``sqrt(prior ridge_loadings)``. Factors are returned as an orthonormal basis of the solution; adding a multiple
    of one to another changes no test. The primary variables are not in the model, so that the factors take up
    what is common to many features, their effects included: right when few features respond.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> z = rng.normal(size=30)
    >>> X = np.outer(z, rng.normal(size=300)) + 0.5 * rng.normal(size=(30, 300))
    >>> hcp = HCP(n_factors=1, covariates=z + rng.normal(size=30)).fit(X, np.repeat([0, 1], 15))
    >>> bool(abs(np.corrcoef(hcp.factors_[:, 0], z)[0, 1]) > 0.99)
    True
    """

    sample_parameters: ClassVar[tuple[str, ...]] = ("covariates",)
    method_info: ClassVar[MethodInfo] = MethodInfo(
        name="hcp",
        title="Hidden covariates with prior",
        reference="Mostafavi, Battle, Zhu et al. (2013), PLoS ONE 8:e68141",
        identified_by="few features respond to the primary variables, and factors drive many",
        summary="Components of the standardised data, drawn towards known technical covariates.",
        cautions=(
            "The primary variables are not in the model, so that factors take up their effects: type-I error 0.05 with "
            "5 % effects, 0.1 with 10 % effects of three times the noise, 0.45 with 30 % of them. For many primary "
            "variables that each move few features, such as genotypes, it is right.",
        ),
        valid_for_testing=False,
        not_promised={
            "nuisance_effects": "Components of the centred data hold the nuisance columns' effects, by definition.",
        },
    )

    def __init__(
        self,
        n_factors: int | str | NumFactorsRule = "auto",
        *,
        covariates: Any = None,
        prior: float = 1.0,
        ridge_loadings: float = 1.0,
        ridge_covariates: float = 1.0,
        max_iter: int = 1000,
        tol: float = 1e-10,
        model: Any = None,
        random_state: Any = 0,
    ) -> None:
        super().__init__(n_factors, model=model, random_state=random_state)
        self.covariates = covariates
        self.prior = prior
        self.ridge_loadings = ridge_loadings
        self.ridge_covariates = ridge_covariates
        self.max_iter = max_iter
        self.tol = tol

    def _estimate_factors(self, problem: AdjustmentProblem, n_factors: int, rng: np.random.Generator) -> FactorEstimate:
        self._check_options()
        known = _standardised(self._known(problem))
        hidden = HiddenCovariateProblem(
            _standardised_gram(problem), known, self.prior, self.ridge_loadings, self.ridge_covariates
        )
        found = hidden.solve(n_factors, tol=self.tol, max_iter=self.max_iter)
        if not found.converged:
            warnings.warn(
                f"HCP's objective still fell after {len(found.objective)} rounds (tol={self.tol:g}). Raise max_iter.",
                NotConvergedWarning,
                stacklevel=2,
            )
        details = {"objective": found.objective, "n_covariates": known.shape[1]}
        return FactorEstimate(
            _leading_directions(found.scores), converged=found.converged, n_iter=len(found.objective), details=details
        )

    def _known(self, problem: AdjustmentProblem) -> Array:
        given = problem.annotations.get("covariates")
        return problem.design.nuisance if given is None else coded_columns(given)

    def _check_options(self) -> None:
        for name in ("prior", "ridge_loadings", "ridge_covariates", "tol"):
            value = getattr(self, name)
            if not (isinstance(value, Real) and 0 < float(value) < np.inf):
                raise MethodError(f"{name}={value!r}; HCP needs a number above 0.")
        if not (isinstance(self.max_iter, Integral) and self.max_iter >= 1):
            raise MethodError(f"max_iter={self.max_iter!r}; HCP needs a whole number above 0.")


def _standardised(columns: Array) -> Array:
    """Centre columns and scale them to unit sum of squares; those that do not vary are dropped."""
    centred = columns - columns.mean(axis=0)
    lengths = np.linalg.norm(centred, axis=0)
    varies = lengths > 1e-10 * np.maximum(np.linalg.norm(columns, axis=0), np.finfo(float).tiny)
    out: Array = centred[:, varies] / lengths[varies]
    return out


def _standardised_gram(problem: AdjustmentProblem) -> Array:
    """Gram matrix ``(n_samples, n_samples)`` of the features, centred and of unit sum of squares; one pass."""
    n, tss = problem.n_samples, problem.sums.tss
    if not problem.basis.spans_constant:
        tss = np.maximum(tss - n * problem.sums.mean**2, 0.0)
    usable = ~problem.constant & (tss > 0)
    weights = np.divide(1.0, np.sqrt(tss), out=np.zeros_like(tss), where=usable)
    (gram,) = run_pass(problem.matrix, GramKernel(n, mean=problem.sums.mean, weights=weights))
    out: Array = gram
    return out


def _leading_directions(scores: Array) -> Array:
    """Orthonormal basis of the scores' span, largest first, without directions of negligible size."""
    left, singular, _ = svd(scores, full_matrices=False)
    kept = singular > NEGLIGIBLE * singular[0]
    if not kept.all():
        warnings.warn(
            f"{int((~kept).sum())} of {len(kept)} hidden covariates were shrunk to nothing and dropped.",
            FactorLimitWarning,
            stacklevel=3,
        )
    out: Array = left[:, kept]
    return out
