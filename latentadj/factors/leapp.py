"""Latent effect adjustment after primary projection."""

from __future__ import annotations

import warnings
from typing import Any, ClassVar

import numpy as np

from latentadj.confounding import ConfoundingModel, SparseEffects
from latentadj.core.factor_analysis import FactorModel, weighted_components
from latentadj.exceptions import MethodError, NotConvergedWarning
from latentadj.factors.info import MethodInfo
from latentadj.factors.leapp_reference import reference_estimate
from latentadj.factors.linked import LinkedFactorEstimator, residual_squares
from latentadj.num_factors import NumFactorsRule
from latentadj.problem import AdjustmentProblem
from latentadj.results.factors import FactorEstimate

PENALTIES = ("hard", "soft", "ridge")


class LEAPP(LinkedFactorEstimator):
    """Residual factors, linked to the primary variables together with sparse true effects.

    Parameters
    ----------
    n_factors : {"auto"} or int or NumFactorsRule, default="auto"
    penalty : {"hard", "soft", "ridge"}, default="hard"
        How true effects are kept sparse while the link is estimated. "ridge" is the reference's variant without
        sparsity: least squares.
    compat : {None, "leapp"}, default=None
        "leapp" gives the numbers of the R package: at most ten rounds of its factor analysis, thresholds in units of
        the noise, and normal p-values of residuals over their median absolute deviation. One primary column.
    model : PrimaryModel or None, default=None
    random_state : default=0

    Notes
    -----
    Sun, Zhang and Owen (2012). The data are rotated so that one coordinate holds the primary variable and the
    others only factors and noise; these give loadings and noise variances by alternating weighted components, and
    the first coordinate is regressed on the loadings with an effect of its own for some features. By default the
    features are then refitted with ``Z = U + X omega'``, omega corrected for the noise in the loadings and its error
    carried into every feature's variance; the sparse effects are kept in ``estimate_.link.sparse_effects``.
    With several primary columns each is regressed by itself, the others being part of what was adjusted for.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> y = np.repeat([0, 1], 15)
    >>> z = rng.normal(size=30) + y
    >>> X = np.outer(z, rng.normal(size=400)) + 0.2 * rng.normal(size=(30, 400))
    >>> leapp = LEAPP(n_factors=1).fit(X, y)
    >>> bool(abs(np.corrcoef(leapp.factors_[:, 0], z)[0, 1]) > 0.99)
    True
    """

    method_info: ClassVar[MethodInfo] = MethodInfo(
        name="leapp",
        title="LEAPP",
        reference="Sun, Zhang and Owen (2012), Annals of Applied Statistics 6:1664",
        identified_by="few features have a true effect",
        summary="Weighted residual components, linked to the primary variables jointly with sparse effects.",
        cautions=(
            "Dense effects that are too small to be told apart one by one pull the link when they follow the loadings.",
            "penalty='ridge' is least squares over all features: effects that follow the loadings bias it (type-I "
            "error 0.065, false discoveries 0.15 in simulations).",
            "Which features count as affected while the link is estimated is a hard choice: small changes of the "
            "data can move it.",
        ),
    )

    def __init__(
        self,
        n_factors: int | str | NumFactorsRule = "auto",
        *,
        penalty: str = "hard",
        compat: str | None = None,
        model: Any = None,
        random_state: Any = 0,
    ) -> None:
        super().__init__(n_factors, model=model, random_state=random_state)
        self.penalty = penalty
        self.compat = compat

    def _estimate_factors(self, problem: AdjustmentProblem, n_factors: int, rng: np.random.Generator) -> FactorEstimate:
        for name, value, allowed in (("penalty", self.penalty, PENALTIES), ("compat", self.compat, (None, "leapp"))):
            if value not in allowed:
                raise MethodError(f"{name}={value!r} is unknown; LEAPP knows {', '.join(map(repr, allowed))}.")
        if self.compat is None or not problem.primary_columns:
            return super()._estimate_factors(problem, n_factors, rng)
        if len(problem.primary_columns) > 1:
            raise MethodError(
                f"compat='leapp' takes one primary column, and there are {len(problem.primary_columns)}. Make the "
                "others nuisance columns, one at a time, or leave compat out."
            )
        return reference_estimate(problem, n_factors, self.penalty)

    def _link(self, problem: AdjustmentProblem) -> ConfoundingModel:
        return SparseEffects(penalty=self.penalty)

    def _factor_model(self, problem: AdjustmentProblem, k: int) -> FactorModel:
        start, rss = super()._factor_model(problem, k), residual_squares(problem)
        model = weighted_components(problem.matrix, problem.basis.complement(), problem.basis_to_remove, start, rss)
        if not model.converged:
            warnings.warn(
                f"LEAPP's factor analysis had not settled after {model.n_iter} rounds: a factor may rest on a few "
                "features. Try fewer factors.",
                NotConvergedWarning,
                stacklevel=2,
            )
        return model
