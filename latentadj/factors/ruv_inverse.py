"""Removal of unwanted variation with all factors: RUV-inverse."""

from __future__ import annotations

import warnings
from typing import Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from latentadj.core.control_ratio import noise_ratio, size_ratios
from latentadj.core.control_spectrum import (
    AllFactorLink,
    ControlSpectrum,
    control_spectrum,
    corrected_ridge_link,
    ridge_link,
    spectral_variance,
)
from latentadj.core.matrix import Array
from latentadj.exceptions import ControlsError, DegreesOfFreedomError, FactorLimitWarning, MethodError
from latentadj.factors.controlled import ControlledFactorEstimator
from latentadj.factors.info import MethodInfo
from latentadj.num_factors import NumFactorsRule
from latentadj.problem import AdjustmentProblem
from latentadj.results.factors import FactorEstimate, LinkEstimate, NumFactorsResult, Subtraction

#: Residual degrees of freedom below which the variance estimate has no use.
MIN_DF = 4
#: The fourth smallest eigenvalue may be this many times the smallest; above, variances rest on three directions.
MAX_RATIO = 10.0


class RUVInverse(ControlledFactorEstimator):
    """RUV-inverse: as many factors as there are residual degrees of freedom, tied down by the negative controls.

    Parameters
    ----------
    n_factors : {"auto"} or 0, default="auto"
        All residual directions, or none. Other numbers are taken as "auto", with a warning.
    controls : array-like
        Negative controls: names, integer positions or a boolean mask. At least as many as residual degrees of
        freedom, unless `ridge` is positive; several times as many are advised.
    ridge : float, default=0.0
        Added to the diagonal of the controls' Gram matrix, in units of squared loadings.
    compat : {None, "ruv"}, default=None
        "ruv" gives the numbers of the R package: unscaled features, the link as it comes out, and standard
        errors without the error of the link.
    model : PrimaryModel or None, default=None
    random_state : default=0

    Raises
    ------
    ControlsError
        Fewer controls than residual directions without a ridge; or a spectrum so steep that variances would rest
        on three directions.
    DegreesOfFreedomError
        Fewer than four residual degrees of freedom.

    Notes
    -----
    Gagnon-Bartsch, Jacob and Speed (2013), section 3.4. Equivalent to generalised least squares with the controls'
    covariance of the samples. No residual is left; variances come from the directions along which the controls
    vary least (`latentadj.core.control_spectrum.spectral_variance`). By default features are scaled to unit residual
    variance, the link is not pulled towards zero along directions that clearly hold signal, and its error is
    carried along those. The loadings are as large as the data.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> y = np.repeat([0, 1], 10)
    >>> z = rng.normal(size=20) + y
    >>> X = np.outer(z, rng.normal(size=300)) + 0.1 * rng.normal(size=(20, 300))
    >>> RUVInverse(controls=np.arange(100)).fit(X, y).n_factors_
    18
    """

    method_info: ClassVar[MethodInfo] = MethodInfo(
        name="ruv_inv",
        title="RUV-inverse",
        reference="Gagnon-Bartsch, Jacob and Speed (2013), UC Berkeley technical report 820",
        identified_by="negative controls have no true effect and feel the same factors as the rest",
        summary="All residual directions, linked through the controls; variances from the controls' spectrum.",
        identification="controls",
        needs=("controls",),
        cautions=(
            "Needs more controls than residual degrees of freedom; without several times as many, power is low.",
            "Keeps a loading per feature and residual direction: as much memory as the data.",
        ),
        not_promised={"number_as_asked": "All residual directions are used, whatever number is asked for."},
        rounding=1e-10,
    )

    def __init__(
        self,
        n_factors: int | str | NumFactorsRule = "auto",
        *,
        controls: ArrayLike | None = None,
        ridge: float | str = 0.0,
        compat: str | None = None,
        model: Any = None,
        random_state: Any = 0,
    ) -> None:
        super().__init__(n_factors, controls=controls, model=model, random_state=random_state)
        self.ridge = ridge
        self.compat = compat

    def _choose_number(self, problem: AdjustmentProblem, rng: np.random.Generator) -> NumFactorsResult:
        nu = problem.df_resid
        if isinstance(self.n_factors, int) and self.n_factors == 0:
            return NumFactorsResult(0, "user", nu)
        if self.n_factors != "auto" and self.n_factors != nu:
            warnings.warn(
                f"{self.method_info.title} uses all {nu} residual directions; n_factors={self.n_factors!r} is not "
                "used. For a number of your own take RUV4.",
                FactorLimitWarning,
                stacklevel=4,
            )
        return NumFactorsResult(nu, "all residual directions", nu)

    def _estimate_factors(self, problem: AdjustmentProblem, n_factors: int, rng: np.random.Generator) -> FactorEstimate:
        self._check_options()
        used = self._usable(problem)
        weights = problem.unit_weights if self.compat is None else np.ones(problem.n_features)
        spectrum_of_data = problem.unit_spectrum if self.compat is None else problem.spectrum
        directions = spectrum_of_data.vectors
        loadings = problem.project(directions)
        loadings[problem.constant] = 0.0
        weighted = loadings[used] * weights[used, None]
        effects = problem.naive_effects[used] * weights[used, None]
        spectrum = control_spectrum(weighted)
        noise = control_noise(weighted, effects, problem, all_columns=self.compat is None)
        ridge = noise if self.ridge == "auto" else float(self.ridge)
        require_flat_end(spectrum, ridge)
        if self.compat is None:
            link = corrected_ridge_link(spectrum, effects, ridge, noise)
        else:
            link = ridge_link(spectrum, effects, ridge)
        return _estimate(problem, directions, loadings, spectrum, ridge, link)

    def _check_options(self) -> None:
        if self.compat not in (None, "ruv"):
            raise MethodError(f"compat={self.compat!r} is unknown; {type(self).__name__} knows None and 'ruv'.")
        ridge = self.ridge
        number = isinstance(ridge, int | float) and not isinstance(ridge, bool) and np.isfinite(ridge) and ridge >= 0
        if not number and ridge != "auto":
            raise MethodError(f"ridge={self.ridge!r} cannot be used; give 'auto' or a number from 0 up.")

    def _usable(self, problem: AdjustmentProblem) -> NDArray[np.intp]:
        """Positions of the controls that vary, after the checks of their number."""
        nu = problem.df_resid
        if nu < MIN_DF:
            raise DegreesOfFreedomError(
                f"{self.method_info.title} needs at least {MIN_DF} residual degrees of freedom; {problem.n_samples} "
                f"samples and a design of rank {problem.basis.rank} leave {nu}. Use RUV4, or more samples."
            )
        controls = np.zeros(problem.n_features, dtype=bool) if problem.controls is None else problem.controls
        used = np.flatnonzero(controls & (problem.unit_weights > 0))
        least = 4 if self.ridge != 0 else nu
        if len(used) < least:
            raise ControlsError(
                f"{self.method_info.title} needs at least {least} negative controls that vary for {nu} residual "
                f"degrees of freedom; {len(used)} were given. Give more controls, or use RUVRidgeInverse or RUV4."
            )
        return used


def control_noise(loadings: Array, effects: Array, problem: AdjustmentProblem, *, all_columns: bool) -> float:
    """Sum of the controls' noise variances, from a RUV-4 fit whose number of factors the controls choose.

    Parameters
    ----------
    loadings : ndarray of shape (n_controls, nu)
        On all residual components, strongest first.
    effects : ndarray of shape (n_controls, n_primary)
    problem : AdjustmentProblem
    all_columns : bool
        Take the largest number over the primary columns, instead of the first column's.

    Returns
    -------
    float
    """
    nu = loadings.shape[1]
    k, tried = 0, min(nu - 1, len(loadings) - 2)
    threshold = noise_ratio(problem.n_samples, problem.n_features)
    size = np.sqrt(np.diag(problem.primary_unscaled))
    for i in range(effects.shape[1] if all_columns else min(effects.shape[1], 1)):
        ratios = size_ratios(effects[:, i] / size[i], loadings[:, :tried])
        k = max(k, int(np.sum(ratios > threshold)))
    return float(np.sum(loadings[:, k:] ** 2) / (nu - k))


def require_flat_end(spectrum: ControlSpectrum, ridge: float) -> None:
    """Refuse a spectrum whose lowest end falls so steeply that variances would rest on three directions.

    Raises
    ------
    ControlsError
    """
    values = spectrum.eigenvalues + ridge
    if values[-1] <= 0 or values[-MIN_DF] > MAX_RATIO * values[-1]:
        raise ControlsError(
            "The negative controls vary so little along a few residual directions that all variances would rest on "
            "those. Give more controls, or use RUVRidgeInverse or RUV4."
        )


def _estimate(
    problem: AdjustmentProblem,
    directions: Array,
    loadings: Array,
    spectrum: ControlSpectrum,
    ridge: float,
    link: AllFactorLink,
) -> FactorEstimate:
    sigma2, df = spectral_variance(loadings, spectrum, ridge)
    omega = link.omega
    if not problem.primary_columns:
        unscaled = np.empty((0, 0))
        return FactorEstimate(directions, loadings, subtraction=Subtraction(omega, sigma2, unscaled, df))
    cov_unscaled = problem.primary_unscaled + omega @ omega.T
    covariance = np.einsum("il,kj->iklj", cov_unscaled, link.spread)
    extra = covariance if link.n_signal else None
    return FactorEstimate(
        scores=directions + problem.primary_residual @ omega,
        loadings=loadings,
        link=LinkEstimate(omega, covariance),
        subtraction=Subtraction(omega, sigma2, cov_unscaled, df, extra),
        details={"ridge": np.array(ridge), "n_signal": np.array(link.n_signal)},
    )
