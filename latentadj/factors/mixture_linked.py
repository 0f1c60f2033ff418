"""The shell of the methods that link factors by a mixture of the effects."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np

from latentadj.core.factor_analysis import FactorModel, principal_components, weighted_components
from latentadj.core.mixture_prior import FAMILIES
from latentadj.exceptions import MethodError, NotConvergedWarning
from latentadj.factors.base import LatentFactorEstimator
from latentadj.factors.linked import residual_squares
from latentadj.factors.mixture_link import MixtureOptions, mixture_linked_factors
from latentadj.num_factors import NumFactorsRule
from latentadj.problem import AdjustmentProblem
from latentadj.results.factors import FactorEstimate


class MixtureLinkedEstimator(LatentFactorEstimator):
    """Base class of MOUTHWASH and BACKWASH.

    Parameters
    ----------
    n_factors : {"auto"} or int or NumFactorsRule, default="auto"
    mixture : {"normal", "uniform", "halfuniform"}, default="normal"
    null_weight : float, default=10.0
    scale_variance : bool, default=True
    compat : {None, "vicar"}, default=None
    model : PrimaryModel or None, default=None
    random_state : default=0
    """

    #: Likelihood of the naive effects; MOUTHWASH lets the user choose.
    likelihood = "normal"
    _link_prior = False

    def __init__(
        self,
        n_factors: int | str | NumFactorsRule = "auto",
        *,
        mixture: str = "normal",
        null_weight: float = 10.0,
        scale_variance: bool = True,
        compat: str | None = None,
        model: Any = None,
        random_state: Any = 0,
    ) -> None:
        super().__init__(n_factors, model=model, random_state=random_state)
        self.mixture = mixture
        self.null_weight = null_weight
        self.scale_variance = scale_variance
        self.compat = compat

    def _estimate_factors(self, problem: AdjustmentProblem, n_factors: int, rng: np.random.Generator) -> FactorEstimate:
        options = self._options()
        return mixture_linked_factors(problem, self._factor_model(problem, n_factors), options)

    def _options(self) -> MixtureOptions:
        """Checked options."""
        given = {
            "mixture": (self.mixture, FAMILIES),
            "likelihood": (self.likelihood, ("normal", "t")),
            "compat": (self.compat, (None, "vicar")),
        }
        title = type(self).__name__
        for name, (value, allowed) in given.items():
            if value not in allowed:
                raise MethodError(f"{name}={value!r} is unknown; {title} knows {', '.join(map(repr, allowed))}.")
        if not isinstance(self.null_weight, (int, float)) or not self.null_weight >= 1:
            raise MethodError(
                f"null_weight={self.null_weight!r}; the Dirichlet parameter of the null must be a number of at least 1."
            )
        if self.likelihood == "t" and self.mixture == "normal":
            raise MethodError(
                "likelihood='t' has no closed form with normal components. Use mixture='uniform' or 'halfuniform', or "
                "likelihood='normal'."
            )
        return MixtureOptions(
            self.mixture,
            self.likelihood,
            float(self.null_weight),
            bool(self.scale_variance),
            self._link_prior,
            self.compat == "vicar",
        )

    def _factor_model(self, problem: AdjustmentProblem, k: int) -> FactorModel:
        """Components weighted by the inverse noise variances; plain ones for the R package's numbers."""
        reference = self.compat == "vicar"
        spectrum = problem.spectrum if reference else problem.unit_spectrum
        rss = residual_squares(problem)
        model = principal_components(problem.matrix, spectrum, rss, k, divisor=max(problem.df_resid - k, 1))
        if reference:
            return model
        model = weighted_components(problem.matrix, problem.basis.complement(), problem.basis_to_remove, model, rss)
        if not model.converged:
            warnings.warn(
                f"The factor analysis had not settled after {model.n_iter} rounds: a factor may rest on a few "
                "features. Compare with fewer factors.",
                NotConvergedWarning,
                stacklevel=2,
            )
        return model
