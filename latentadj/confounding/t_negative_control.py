"""Link from negative controls with Student errors and a variance inflation: RUV*."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from latentadj.confounding.attenuation import loading_reliability
from latentadj.confounding.negative_control import NegativeControlRegression
from latentadj.core.t_regression import StudentRegression, student_bread, student_regression
from latentadj.results.factors import LinkEstimate

Array = NDArray[np.float64]


class StudentControlRegression:
    """Regress the controls' naive effects on their loadings by generalised least squares with Student errors.

    Parameters
    ----------
    df : float, default=inf
        Degrees of freedom of the errors: those of the noise variances. Infinite gives normal errors.

    Notes
    -----
    Gerard and Stephens (2021), Statistica Sinica 31:1145: variances that weigh the controls are estimates, so that
    scaled residuals follow t; and a common inflation of all variances is estimated with the link.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> A = rng.normal(size=(50, 1))
    >>> B = 2 * A + 0.01 * rng.normal(size=(50, 1))
    >>> B[0] += 9.0
    >>> model = StudentControlRegression(df=5.0)
    >>> model.estimate(B, A, np.full(50, 1e-4), np.eye(1), np.ones(50, dtype=bool)).omega.round(2)
    array([[2.]])
    """

    needs_controls = True

    def __init__(self, *, df: float = float("inf")) -> None:
        self.df = df

    def fit_controls(
        self, effects: Array, loadings: Array, sigma2: Array, spread: Array, controls: NDArray[np.bool_] | None
    ) -> StudentRegression:
        """Fit the link and the variance inflation together.

        Parameters
        ----------
        effects : ndarray of shape (n_features, n_primary)
        loadings : ndarray of shape (n_features, n_factors)
        sigma2 : ndarray of shape (n_features,)
        spread : ndarray of shape (n_primary, n_primary)
            Covariance of a control's residuals for unit noise variance and no inflation.
        controls : ndarray of bool, shape (n_features,), or None

        Returns
        -------
        StudentRegression
        """
        used = NegativeControlRegression._usable(controls, sigma2, loadings.shape[1])
        return student_regression(effects[used], loadings[used], sigma2[used], self.df, spread=spread)

    def estimate(
        self,
        effects: Array,
        loadings: Array,
        sigma2: Array,
        unscaled: Array,
        controls: NDArray[np.bool_] | None,
    ) -> LinkEstimate:
        """Estimate the link from the controls; see `ConfoundingModel.estimate`."""
        used = NegativeControlRegression._usable(controls, sigma2, loadings.shape[1])
        found = self.fit_controls(effects, loadings, sigma2, unscaled, controls)
        omega = found.coef.T
        bread = student_bread(loadings[used], sigma2[used], self.df)
        covariance = np.einsum("il,kj->iklj", unscaled + omega @ omega.T, bread)
        return LinkEstimate(omega, covariance, found.converged)

    def reliability(self, loadings: Array, sigma2: Array, controls: NDArray[np.bool_] | None) -> Array:
        """Reliability of the controls' loadings; see `ConfoundingModel.reliability`."""
        used = NegativeControlRegression._usable(controls, sigma2, loadings.shape[1])
        return loading_reliability(loadings[used], sigma2[used], 1.0 / sigma2[used])
