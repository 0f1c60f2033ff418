"""Negative controls with Student errors and an estimated variance inflation: RUV*."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike

from latentadj.confounding import corrected_for_attenuation
from latentadj.confounding.t_negative_control import StudentControlRegression
from latentadj.core.factor_analysis import FactorModel, principal_components
from latentadj.core.matrix import Array
from latentadj.core.spectrum import ResidualSpectrum
from latentadj.core.variance import squeeze_variances
from latentadj.exceptions import ControlsError, MethodError
from latentadj.factors.base import LatentFactorEstimator
from latentadj.factors.info import MethodInfo
from latentadj.factors.limits import capped_by_controls
from latentadj.factors.linked import residual_squares
from latentadj.num_factors import NumFactorsRule
from latentadj.problem import AdjustmentProblem
from latentadj.results.factors import FactorEstimate, LinkEstimate, NumFactorsResult, Subtraction

LIKELIHOODS = ("t", "normal")


class RUVStar(LatentFactorEstimator):
    """RUV*: RUV-4 with control variances, Student errors and a variance inflation estimated from the controls.

    Parameters
    ----------
    n_factors : {"auto", "most"} or int or NumFactorsRule, default="auto"
        "most" is ``min(n_controls, n_samples) - rank of the design - 1``, the inverse form of the method.
    controls : array-like
        Negative controls: names, integer positions or a boolean mask.
    likelihood : {"t", "normal"}, default="t"
        Errors of the controls: Student's t with the degrees of freedom of their variances, or normal.
    shrink : bool, default=True
        Moderate the noise variances that weigh the controls.
    compat : {None, "vicar"}, default=None
        "vicar" gives the numbers of the R package: unscaled residuals, the link as it comes out, an inflation relative
        to the naive effects' variance and without degrees of freedom for the link, standard errors without the
        link's error, and normal tails with ``likelihood="normal"``.
    model : PrimaryModel or None, default=None
    random_state : default=0

    Notes
    -----
    Gerard and Stephens (2021), Statistica Sinica 31:1145. The inflation multiplies all noise variances: it stands for
    what the factors leave. By default a control's residual variance counts as ``(X'X)^-1 + omega omega'`` times its
    noise, which is what errors of effect and of loadings make it; the package holds it against ``(X'X)^-1`` alone and
    multiplies by both, so that its standard errors are too large where confounding is strong. The inflation is
    ``estimate_.details["inflation"]``.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> y = np.repeat([0, 1], 10)
    >>> z = rng.normal(size=20) + y
    >>> X = np.outer(z, rng.normal(size=200)) + 0.1 * rng.normal(size=(20, 200))
    >>> ruv = RUVStar(n_factors=1, controls=np.arange(60)).fit(X, y)
    >>> bool(abs(np.corrcoef(ruv.factors_[:, 0], z)[0, 1]) > 0.99)
    True
    """

    method_info: ClassVar[MethodInfo] = MethodInfo(
        name="ruv_star",
        title="RUV*",
        reference="Gerard and Stephens (2021), Statistica Sinica 31:1145",
        identified_by="negative controls have no true effect and feel the same factors as the rest",
        summary="RUV-4 with Student errors of the controls and a variance inflation estimated from them.",
        identification="controls",
        needs=("controls",),
        cautions=("The variance inflation takes all controls for null: effects among them make every test timid.",),
    )

    def __init__(
        self,
        n_factors: int | str | NumFactorsRule = "auto",
        *,
        controls: ArrayLike | None = None,
        likelihood: str = "t",
        shrink: bool = True,
        compat: str | None = None,
        model: Any = None,
        random_state: Any = 0,
    ) -> None:
        super().__init__(n_factors, model=model, random_state=random_state)
        self.controls = controls
        self.likelihood = likelihood
        self.shrink = shrink
        self.compat = compat

    def _choose_number(self, problem: AdjustmentProblem, rng: np.random.Generator) -> NumFactorsResult:
        if not (isinstance(self.n_factors, str) and self.n_factors == "most"):
            return super()._choose_number(problem, rng)
        n_controls = 0 if problem.controls is None else int((problem.controls & ~problem.constant).sum())
        most = min(n_controls, problem.n_samples) - problem.basis.rank - 1
        if most < 1:
            raise ControlsError(
                f'n_factors="most" leaves no factor with {n_controls} controls and {problem.n_samples} samples for a '
                f"design of rank {problem.basis.rank}. Give more controls or a number."
            )
        return NumFactorsResult(most, "most", most)

    def _estimate_factors(self, problem: AdjustmentProblem, n_factors: int, rng: np.random.Generator) -> FactorEstimate:
        self._check_options()
        k = capped_by_controls(problem, n_factors, self.n_factors)
        df = problem.df_resid - k
        divisor = max(df, 1)
        model = principal_components(
            problem.matrix, self._spectrum(problem), residual_squares(problem), k, divisor=divisor
        )
        if k == 0 or not problem.primary_columns:
            return FactorEstimate(model.directions, details={"psi": model.psi})
        noise, df_total = self._noise(problem, model, divisor)
        link = StudentControlRegression(df=df_total if self.likelihood == "t" else np.inf)
        if self.compat == "vicar":
            return self._literal(problem, model, link, noise, float(df))
        return _corrected(problem, model, link, noise, float(df))

    def _check_options(self) -> None:
        for name, allowed in (("likelihood", LIKELIHOODS), ("compat", (None, "vicar"))):
            if getattr(self, name) not in allowed:
                words = ", ".join(map(repr, allowed))
                raise MethodError(f"{name}={getattr(self, name)!r} is unknown; RUVStar knows {words}.")

    def _spectrum(self, problem: AdjustmentProblem) -> ResidualSpectrum:
        return problem.unit_spectrum if self.compat is None else problem.spectrum

    def _noise(self, problem: AdjustmentProblem, model: FactorModel, df: float) -> tuple[Array, float]:
        """Noise variances that weigh the controls, 0 for features that do not vary, and their degrees of freedom."""
        psi = np.where(problem.constant | ~(model.psi > 0), np.nan, model.psi)
        if not self.shrink:
            return np.nan_to_num(psi, nan=0.0), df
        prior = squeeze_variances(psi, df)
        return np.nan_to_num(prior.s2_post, nan=0.0), float(prior.df_prior + df)

    def _literal(
        self, problem: AdjustmentProblem, model: FactorModel, link: StudentControlRegression, noise: Array, df: float
    ) -> FactorEstimate:
        unscaled = problem.primary_unscaled
        found = link.fit_controls(problem.naive_effects, model.loadings, noise, unscaled, problem.controls)
        omega = found.coef.T
        normal = np.isinf(link.df)
        variance = (noise if normal else model.psi) * found.inflation
        subtraction = Subtraction(omega, variance, unscaled + omega @ omega.T, np.inf if normal else df)
        p, k = omega.shape
        return FactorEstimate(
            scores=model.directions + problem.primary_residual @ omega,
            loadings=model.loadings,
            link=LinkEstimate(omega, np.zeros((p, k, p, k)), found.converged),
            subtraction=subtraction,
            converged=found.converged,
            n_iter=max(found.n_iter, 1),
            details={"psi": model.psi, "inflation": np.array(found.inflation)},
        )


def _corrected(
    problem: AdjustmentProblem, model: FactorModel, link: StudentControlRegression, noise: Array, df: float
) -> FactorEstimate:
    """Link corrected for attenuation, with its error; inflation relative to all of a control's variance."""
    controls, effects, loadings = problem.controls, problem.naive_effects, model.loadings
    first = link.fit_controls(effects, loadings, noise, problem.primary_unscaled, controls)
    spread = problem.primary_unscaled + first.coef.T @ first.coef
    again = link.fit_controls(effects, loadings, noise, spread, controls)
    n, k = len(again.weights), loadings.shape[1]
    inflation = again.inflation * n / (n - k)
    found = link.estimate(effects, loadings, noise, problem.primary_unscaled, controls)
    found = corrected_for_attenuation(found, link.reliability(loadings, noise, controls))
    found = replace(found, covariance=found.covariance * inflation)
    unscaled = problem.primary_unscaled + found.omega @ found.omega.T
    return FactorEstimate(
        scores=model.directions + problem.primary_residual @ found.omega,
        loadings=loadings,
        link=found,
        subtraction=Subtraction(found.omega, model.psi * inflation, unscaled, df, found.covariance),
        converged=found.converged,
        n_iter=max(first.n_iter, 1),
        details={"psi": model.psi, "inflation": np.array(inflation)},
    )
