"""Link from negative controls: features whose true effects are zero."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import solve

from latentadj.confounding.attenuation import loading_reliability
from latentadj.core.robust import least_squares
from latentadj.exceptions import ControlsError
from latentadj.results.factors import LinkEstimate

Array = NDArray[np.float64]


class NegativeControlRegression:
    """Regress the controls' naive effects on their loadings.

    Parameters
    ----------
    weighted : bool, default=False
        Weight every control by the inverse of its noise variance (generalised least squares) instead of
        equally.

    Notes
    -----
    Equal weights: RUV-4 (Gagnon-Bartsch, Jacob and Speed 2013). Inverse variances: Wang, Zhao, Hastie and Owen
    (2017), section 3.1. The covariance is that of the regression with known noise variances, so that the error
    of the link, shared by all features, can enter every feature's standard error. A control's residual is made
    of the error of its naive effect and of ``omega`` times the error of its loadings, so that for noise variance
    1 the residuals of primary columns i and l have covariance ``unscaled[i, l] + omega_i' omega_l``.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> A = rng.normal(size=(50, 1))
    >>> B = 2 * A + 0.01 * rng.normal(size=(50, 1))
    >>> controls = np.arange(50) < 20
    >>> link = NegativeControlRegression().estimate(B, A, np.full(50, 1e-4), np.eye(1), controls)
    >>> link.omega.round(1)
    array([[2.]])
    """

    needs_controls = True

    def __init__(self, *, weighted: bool = False) -> None:
        self.weighted = weighted

    def estimate(
        self,
        effects: Array,
        loadings: Array,
        sigma2: Array,
        unscaled: Array,
        controls: NDArray[np.bool_] | None,
    ) -> LinkEstimate:
        """Estimate the link from the controls; see `ConfoundingModel.estimate`.

        Raises
        ------
        ControlsError
            Without controls, or with fewer usable controls than factors.
        """
        used = self._usable(controls, sigma2, loadings.shape[1])
        noise = sigma2[used]
        weights = 1.0 / np.sqrt(noise) if self.weighted else np.ones(noise.size)
        design = loadings[used] * weights[:, None]
        omega = least_squares(effects[used] * weights[:, None], design).T
        bread = solve(design.T @ design, np.eye(design.shape[1]), assume_a="sym")
        meat = (design * (weights**2 * noise)[:, None]).T @ design
        covariance = np.einsum("il,kj->iklj", unscaled + omega @ omega.T, bread @ meat @ bread)
        return LinkEstimate(omega, covariance)

    def reliability(self, loadings: Array, sigma2: Array, controls: NDArray[np.bool_] | None) -> Array:
        """Reliability of the controls' loadings; see `ConfoundingModel.reliability`."""
        used = self._usable(controls, sigma2, loadings.shape[1])
        weights = 1.0 / sigma2[used] if self.weighted else np.ones(int(used.sum()))
        return loading_reliability(loadings[used], sigma2[used], weights)

    @staticmethod
    def _usable(controls: NDArray[np.bool_] | None, sigma2: Array, k: int) -> NDArray[np.bool_]:
        if controls is None:
            raise ControlsError("This method needs negative controls; give them with controls=.")
        used = controls & (sigma2 > 0)
        if used.sum() <= k:
            raise ControlsError(
                f"{int(used.sum())} usable negative controls for {k} factors; more controls than factors are "
                "needed (at least 30 are advised). Give more controls, fewer factors, or a method without "
                "controls such as CATE."
            )
        return used
