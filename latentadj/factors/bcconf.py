"""Factors with a link that is corrected for the errors of the loadings."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np

from latentadj.confounding import AttenuationCorrectedRegression, ConfoundingModel, RobustRegression
from latentadj.core.factor_analysis import FactorModel, weighted_components
from latentadj.exceptions import MethodError
from latentadj.factors.bcconf_reference import reference_estimate
from latentadj.factors.info import MethodInfo
from latentadj.factors.linked import LinkedFactorEstimator, residual_squares
from latentadj.factors.rotation import linked_factors
from latentadj.num_factors import NumFactorsRule
from latentadj.problem import AdjustmentProblem
from latentadj.results.factors import FactorEstimate

LINK_METHODS = ("ols", "theory", "huber", "iterative", "naive")


def checked_link_method(method: str, title: str, *, testing: bool) -> str:
    """Return a link's name; raises `MethodError` for one that is unknown or not for testing."""
    if method not in LINK_METHODS:
        raise MethodError(f"method={method!r} is unknown; {title} knows {', '.join(map(repr, LINK_METHODS))}.")
    if method == "naive" and testing:
        raise MethodError(
            f"method='naive' leaves the link attenuated, which leaves confounding behind; {title} knows it with a "
            "reference's compat option only. Use 'ols'."
        )
    return method


def link_of(method: str, df: float) -> ConfoundingModel:
    """Confounding model of a link's name.

    Parameters
    ----------
    method : {"ols", "theory", "huber", "iterative"}
    df : float
        Degrees of freedom of the noise variances.
    """
    if method == "huber":
        return RobustRegression()
    return AttenuationCorrectedRegression(weighted=method != "theory", iterative=method == "iterative", df=df)


class BCconf(LinkedFactorEstimator):
    """Residual components and an attenuation-corrected link.

    Parameters
    ----------
    n_factors : {"auto"} or int or NumFactorsRule, default="auto"
    method : {"ols", "theory", "huber", "iterative", "naive"}, default="ols"
        How the factors are linked to the primary variables: least squares weighted by inverse noise variances,
        unweighted least squares, Huber regression, or least squares without the features that turn out significant
        (five rounds); all corrected for the errors of the loadings. "naive", uncorrected, is only known with
        ``compat="bcconf"``.
    weighted : bool, default=True
        Components of features weighted by their inverse noise variances, until these settle; plain components
        otherwise.
    compat : {None, "bcconf"}, default=None
        "bcconf" gives the numbers of the R package: plain components, unmoderated noise variances as weights, a Huber
        regression of fixed scale and without correction, and standard errors without the error of the link. Its tests
        are those of ``inference="ordinary"``.
    model : PrimaryModel or None, default=None
    random_state : default=0

    Notes
    -----
    McKennan and Nicolae (2019). A regression of effects on estimated loadings is pulled towards zero by the loadings'
    errors, most where factors are weak; what those errors add to the loadings' second moment is known and is
    subtracted. By default the link's own error, for which true effects are noise, is carried into every feature's
    variance, and noise variances are moderated.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> y = np.repeat([0, 1], 15)
    >>> z = rng.normal(size=30) + y
    >>> X = np.outer(z, rng.normal(size=400)) + 0.2 * rng.normal(size=(30, 400))
    >>> bcconf = BCconf(n_factors=1).fit(X, y)
    >>> bool(abs(np.corrcoef(bcconf.factors_[:, 0], z)[0, 1]) > 0.99)
    True
    """

    method_info: ClassVar[MethodInfo] = MethodInfo(
        name="bcconf",
        title="BCconf",
        reference="McKennan and Nicolae (2019), Biometrika 106:823",
        identified_by="true effects do not follow the loadings",
        identification="orthogonality",
        summary="Residual components, linked to the primary variables by attenuation-corrected least squares.",
        cautions=(
            "Least squares over all features: few large effects on features with large loadings move the link; "
            "method='iterative' or 'huber' bound them.",
            "method='theory' gives all features equal weight and fails with very unequal variances (error 0.10).",
            "Where a factor is no larger than the errors of its loadings the correction is limited, with a warning.",
            "Effects that follow the loadings are taken for confounding: type-I error 0.07 when 10 % of the features "
            "have such effects.",
        ),
    )

    def __init__(
        self,
        n_factors: int | str | NumFactorsRule = "auto",
        *,
        method: str = "ols",
        weighted: bool = True,
        compat: str | None = None,
        model: Any = None,
        random_state: Any = 0,
    ) -> None:
        super().__init__(n_factors, model=model, random_state=random_state)
        self.method = method
        self.weighted = weighted
        self.compat = compat

    def _estimate_factors(self, problem: AdjustmentProblem, n_factors: int, rng: np.random.Generator) -> FactorEstimate:
        if self.compat not in (None, "bcconf"):
            raise MethodError(f"compat={self.compat!r} is unknown; BCconf knows None and 'bcconf'.")
        checked_link_method(self.method, "BCconf", testing=self.compat is None)
        if self.compat == "bcconf":
            return reference_estimate(problem, n_factors, self.method)
        model = self._factor_model(problem, n_factors)
        return linked_factors(problem, model, link_of(self.method, max(problem.df_resid - n_factors, 1)))

    def _link(self, problem: AdjustmentProblem) -> ConfoundingModel:
        return link_of(self.method, problem.df_resid)

    def _factor_model(self, problem: AdjustmentProblem, k: int) -> FactorModel:
        model = super()._factor_model(problem, k)
        if not self.weighted:
            return model
        rss = residual_squares(problem)
        return weighted_components(problem.matrix, problem.basis.complement(), problem.basis_to_remove, model, rss)
