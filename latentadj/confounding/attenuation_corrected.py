"""Link by least squares over all features, corrected for the errors of the loadings."""

from __future__ import annotations

import warnings

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import eigvalsh, solve
from scipy.stats import t as student

from latentadj.confounding.attenuation import MIN_RELIABILITY, loading_reliability
from latentadj.core.multiple import adjust_pvalues
from latentadj.core.robust import least_squares
from latentadj.exceptions import WeakFactorWarning
from latentadj.results.factors import LinkEstimate

Array = NDArray[np.float64]

#: Rounds of the iterative variant, and the adjusted p-value at which a feature leaves.
N_ROUNDS, LEAVES = 5, 0.1


class AttenuationCorrectedRegression:
    """Least squares of all features' effects on their loadings, less what the loadings' errors add to their spread.

    Identified when true effects do not follow the loadings.

    Parameters
    ----------
    weighted : bool, default=True
        Weigh every feature by its inverse noise variance; equally otherwise.
    iterative : bool, default=False
        Five times leave out the features whose adjusted effects are significant (Benjamini and Hochberg, 10 %) and
        estimate the link from the others.
    df : float, default=inf
        Degrees of freedom of the noise variances, for those tests.

    Notes
    -----
    McKennan and Nicolae (2019), Biometrika 106:823, section 3: ``omega = (A' S^-1 A - m I)^-1 A' S^-1 b`` for
    loadings whose errors have variances S, or ``(A' A - sum_j s_j I)^-1 A' b``. `estimate` returns the regression
    before the correction with its heteroscedasticity-consistent covariance, because true effects are part of the
    residuals; `reliability` is the correction.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> A = rng.normal(size=(5000, 1))
    >>> measured = A + 0.5 * rng.normal(size=(5000, 1))
    >>> link = AttenuationCorrectedRegression()
    >>> naive = link.estimate(2 * A, measured, np.full(5000, 0.25), np.eye(1), None)
    >>> (naive.omega / link.reliability(measured, np.full(5000, 0.25), None)).round(1)
    array([[2.]])
    """

    needs_controls = False

    def __init__(self, *, weighted: bool = True, iterative: bool = False, df: float = np.inf) -> None:
        self.weighted = weighted
        self.iterative = iterative
        self.df = df

    def estimate(
        self,
        effects: Array,
        loadings: Array,
        sigma2: Array,
        unscaled: Array,
        controls: NDArray[np.bool_] | None = None,
    ) -> LinkEstimate:
        """Estimate the link before the correction; see `ConfoundingModel.estimate`."""
        used = self._used(effects, loadings, sigma2, unscaled)
        predictors, responses = self._scaled(loadings, sigma2, used), self._scaled(effects, sigma2, used)
        omega = least_squares(responses, predictors).T
        scores = (responses - predictors @ omega.T)[:, :, None] * predictors[:, None, :]
        bread = solve(predictors.T @ predictors, np.eye(predictors.shape[1]), assume_a="sym")
        correction = len(predictors) / max(len(predictors) - predictors.shape[1], 1)
        spread = np.einsum("ab,mib,mlc,cd->iald", bread, scores, scores, bread, optimize=True)
        return LinkEstimate(omega, correction * spread)

    def reliability(self, loadings: Array, sigma2: Array, controls: NDArray[np.bool_] | None = None) -> Array:
        """Reliability of the loadings; see `ConfoundingModel.reliability`.

        Warns
        -----
        WeakFactorWarning
            The corrected second moment is not positive definite, or nearly so.
        """
        used = sigma2 > 0
        weights = 1.0 / sigma2[used] if self.weighted else np.ones(int(used.sum()))
        warn_of_weak_factors(loadings[used], sigma2[used], weights)
        return loading_reliability(loadings[used], sigma2[used], weights)

    def _scaled(self, values: Array, sigma2: Array, used: NDArray[np.bool_]) -> Array:
        return values[used] / np.sqrt(sigma2[used])[:, None] if self.weighted else values[used]

    def _used(self, effects: Array, loadings: Array, sigma2: Array, unscaled: Array) -> NDArray[np.bool_]:
        """Features the link is estimated from, the same for all primary columns."""
        usable = sigma2 > 0
        if not self.iterative or loadings.shape[1] == 0:
            return usable
        reliability = self.reliability(loadings, sigma2)
        used = usable
        for _ in range(N_ROUNDS):
            naive = least_squares(self._scaled(effects, sigma2, used), self._scaled(loadings, sigma2, used))
            omega = solve(reliability, naive, assume_a="sym").T
            variance = np.diag(unscaled) + np.sum(omega**2, axis=1)
            scaled = (effects - loadings @ omega.T)[usable] / np.sqrt(sigma2[usable, None] * variance)
            significant = np.zeros(len(usable), dtype=bool)
            p_values = 2.0 * student.sf(np.abs(scaled), self.df)
            adjusted = np.column_stack([adjust_pvalues(column) for column in p_values.T])
            significant[usable] = np.any(adjusted <= LEAVES, axis=1)
            if (usable & ~significant).sum() <= 10 * loadings.shape[1]:
                break
            used = usable & ~significant
        return used


def warn_of_weak_factors(loadings: Array, sigma2: Array, weights: Array) -> None:
    """Warn when loadings are hardly larger than their errors in some direction.

    Parameters
    ----------
    loadings : ndarray of shape (m, k)
        Least-squares loadings on orthonormal scores.
    sigma2, weights : ndarray of shape (m,)
    """
    if loadings.shape[1] == 0:
        return
    values = eigvalsh((loadings * weights[:, None]).T @ loadings)
    weakest = float(1.0 - (weights @ sigma2) / max(values[0], np.finfo(float).tiny))
    if weakest >= 2 * MIN_RELIABILITY:
        return
    state = "no more than" if weakest <= 0 else "hardly more than"
    warnings.warn(
        f"A factor's loadings vary {state} their own errors do (reliability {weakest:.2f}): what is left of the "
        "loadings' spread after the correction is not safely positive, and the correction is limited to a factor of "
        f"{1 / MIN_RELIABILITY:.0f}. Use fewer factors, or a link that needs no correction (negative controls).",
        WeakFactorWarning,
        stacklevel=2,
    )
