"""Generalised linear models of all features with one design, in one pass."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from latentadj.core.glm_families import GLMFamily
from latentadj.core.glm_newton import GLMBlock, GLMBlockFit, bias_reduced_fit, fit_block, has_run_to_infinity
from latentadj.core.glm_outcomes import OutcomeKernel
from latentadj.core.matrix import Array, FeatureMatrix
from latentadj.core.pass_kernel import PassKernel
from latentadj.core.passes import run_pass
from latentadj.core.quasi_likelihood import quasi_scale

__all__ = ["GLMFit", "GLMKernel", "GLMSetting", "OutcomeKernel", "fit_glm", "quasi_dispersion"]

#: What became of a feature's fit.
FITTED, BIAS_REDUCED, SEPARATED, NOT_CONVERGED = 0, 1, 2, 3
#: Values nearer than this to the edge of what is possible have no Pearson residual.
TINY_VARIANCE = 1e-12


@dataclass(frozen=True, slots=True)
class GLMSetting:
    """What is the same for every design that a data set is fitted by.

    Attributes
    ----------
    family : GLMFamily
    offset : ndarray of shape (n_samples,)
        Added to every linear predictor: logarithms of size factors.
    dispersion : ndarray of shape (n_features,)
        Negative binomial dispersions; not used by the other families.
    trials : FeatureMatrix of shape (n_samples, n_features) or None
        Trials behind each number of successes, 0 or NaN for none; for the binomial family. None for one each.
    """

    family: GLMFamily
    offset: Array
    dispersion: Array
    trials: FeatureMatrix | None = None

    def outcomes(self, block: Array, columns: slice) -> tuple[Array, Array | None]:
        """Outcomes of a block of data and their weights, both ``(n_samples, width)``.

        Values that are missing have weight 0. Successes become shares of their trials, weighted by these. Weights that
        are all one are None.
        """
        if self.trials is None:
            seen = np.isfinite(block)
            return (block, None) if seen.all() else (np.where(seen, block, 0.0), seen.astype(np.float64))
        trials = self.trials.read(columns)
        seen = np.isfinite(block) & (trials > 0)
        share = np.divide(block, trials, out=np.zeros(block.shape), where=seen)
        return share, np.where(seen, trials, 0.0)

    def block(self, values: Array, columns: slice, design: Array, ridge: Array | None = None) -> GLMBlock:
        """Return what fitting needs of a block of data ``(n_samples, width)`` and a design ``(n_samples, d)``."""
        y, weights = self.outcomes(values, columns)
        penalty = np.zeros(design.shape[1]) if ridge is None else ridge
        return GLMBlock(y, design, self.offset, self.family, self.dispersion[columns], penalty, weights)


@dataclass(frozen=True, slots=True)
class GLMFit:
    """Fits of all features.

    Attributes
    ----------
    coef : ndarray of shape (n_features, d)
    unscaled : ndarray of shape (n_features, d, d)
        Inverse of the expected information.
    deviance, pearson : ndarray of shape (n_features,)
        Residual deviance and Pearson's statistic.
    mean_slope : ndarray of shape (n_features,)
        Mean of ``V'(mu) (y - mu) / V(mu)`` over samples; see `quasi_dispersion`.
    status : ndarray of int, shape (n_features,)
        0 fitted, 1 bias-reduced because the maximum-likelihood estimate is infinite, 2 infinite or not identified and
        left out (NaN), 3 not converged.
    least_deviance : ndarray of shape (n_features,)
        Deviance at the maximum of the likelihood, or what it tends to where the estimate is infinite.
    scale, scale_df : ndarray of shape (n_features,)
        Quasi-dispersion and its degrees of freedom, see `quasi_scale`; NaN unless asked for.
    n_obs : ndarray of int, shape (n_features,)
        Samples that are not missing.
    """

    coef: Array
    unscaled: Array
    deviance: Array
    pearson: Array
    mean_slope: Array
    status: NDArray[np.int8]
    least_deviance: Array
    scale: Array
    scale_df: Array
    n_obs: NDArray[np.intp]


class GLMKernel(PassKernel):
    """Fits the features of every block by one set of columns.

    Parameters
    ----------
    setting : GLMSetting
    columns : ndarray of shape (n_samples, d)
        Orthonormal columns: convergence and separation are then judged the same way in all units.
    n_features : int
    start : ndarray of shape (n_features, d), optional
        Coefficients to start from.
    separated : {"reduce", "nan"}, default="reduce"
        Whether features whose maximum-likelihood estimate is infinite get the bias-reduced estimate or none.
    with_scale : bool, default=False
        Whether quasi-dispersions are wanted.
    """

    reads = {"start": 0, "setting.dispersion": 0, "setting.trials": 1}
    rows = {
        "fit.coef": 0,
        "fit.unscaled": 0,
        "fit.deviance": 0,
        "fit.pearson": 0,
        "fit.mean_slope": 0,
        "fit.status": 0,
        "fit.least_deviance": 0,
        "fit.scale": 0,
        "fit.scale_df": 0,
        "fit.n_obs": 0,
    }

    def __init__(
        self,
        setting: GLMSetting,
        columns: Array,
        n_features: int,
        *,
        start: Array | None = None,
        separated: str = "reduce",
        with_scale: bool = False,
    ) -> None:
        d = columns.shape[1]
        self.with_scale = with_scale
        self.setting = setting
        self.columns = columns
        self.start = start
        self.separated = separated
        self.fit = GLMFit(
            coef=np.empty((n_features, d)),
            unscaled=np.empty((n_features, d, d)),
            deviance=np.empty(n_features),
            pearson=np.empty(n_features),
            mean_slope=np.empty(n_features),
            status=np.empty(n_features, dtype=np.int8),
            least_deviance=np.empty(n_features),
            scale=np.full(n_features, np.nan),
            scale_df=np.full(n_features, np.nan),
            n_obs=np.full(n_features, len(columns)),
        )

    def update(self, block: Array, columns: slice) -> None:
        """Fit the features of one block."""
        part = self.setting.block(block, columns, self.columns)
        fitted = fit_block(part, None if self.start is None else self.start[columns])
        mu = part.mean(fitted.coef)
        self.fit.least_deviance[columns] = part.deviance(mu)
        if self.with_scale:
            self.fit.scale[columns], self.fit.scale_df[columns] = quasi_scale(part, mu)
        coef, status = reduce_infinite(part, fitted, self.separated)
        self._store(part, columns, coef, status)

    def _store(self, part: GLMBlock, columns: slice, coef: Array, status: NDArray[np.int8]) -> None:
        mu, fit = part.mean(coef), self.fit
        variance = np.maximum(part.family.variance(mu, part.dispersion), TINY_VARIANCE)
        residual = part.y - mu
        fit.coef[columns], fit.status[columns] = coef, status
        fit.unscaled[columns] = inverse_information(part, mu)
        fit.deviance[columns] = part.deviance(mu)
        fit.pearson[columns] = part.weighed(residual**2 / variance).sum(axis=0)
        slope = part.family.variance_slope(mu, part.dispersion) * residual / variance
        if part.weights is not None:
            fit.n_obs[columns] = (part.weights > 0).sum(axis=0)
            slope *= part.weights > 0
        fit.mean_slope[columns] = slope.sum(axis=0) / np.maximum(fit.n_obs[columns], 1)
        lost = np.flatnonzero(status == SEPARATED) + columns.start
        fit.coef[lost], fit.unscaled[lost] = np.nan, np.nan

    def result(self) -> GLMFit:
        """Return the fits of all features."""
        return self.fit


def reduce_infinite(block: GLMBlock, fitted: GLMBlockFit, separated: str) -> tuple[Array, NDArray[np.int8]]:
    """Fit features whose estimate is infinite again with bias reduction, or mark them.

    Parameters
    ----------
    block : GLMBlock
    fitted : GLMBlockFit
        By maximum likelihood.
    separated : {"reduce", "nan"}

    Returns
    -------
    coef : ndarray of shape (width, d)
    status : ndarray of int, shape (width,)
    """
    coef = fitted.coef.copy()
    status = np.where(fitted.converged, FITTED, NOT_CONVERGED).astype(np.int8)
    infinite = np.flatnonzero(has_run_to_infinity(block, coef))
    unknown = infinite[lacks_rank(block.part(infinite))]
    infinite = np.setdiff1d(infinite, unknown)
    if infinite.size and separated == "reduce":
        reduced = bias_reduced_fit(block.part(infinite))
        coef[infinite] = reduced.coef
        status[infinite] = np.where(reduced.converged, BIAS_REDUCED, NOT_CONVERGED)
    elif infinite.size:
        status[infinite] = SEPARATED
    status[unknown] = SEPARATED
    return coef, status


def lacks_rank(block: GLMBlock) -> NDArray[np.bool_]:
    """Tell for which features the samples that are not missing cannot tell the columns apart, ``(width,)``."""
    if block.weights is None or block.columns.shape[1] == 0:
        return np.zeros(block.y.shape[1], dtype=bool)
    seen = replace(block, ridge=np.zeros(block.columns.shape[1])).information((block.weights > 0).astype(np.float64))
    return np.asarray(np.linalg.eigvalsh(seen)[:, 0] < 1e-10)


def inverse_information(block: GLMBlock, mu: Array) -> Array:
    """Inverse of the expected information ``(width, d, d)``; NaN where there is none."""
    information = block.expected_information(mu)
    d = information.shape[-1]
    if d == 0:
        return information
    usable = np.linalg.eigvalsh(information)[:, 0] > 1e-14 * np.einsum("bii->b", information)
    out = np.full_like(information, np.nan)
    out[usable] = np.linalg.inv(information[usable])
    return out


def fit_glm(
    Y: FeatureMatrix,
    columns: Array,
    setting: GLMSetting,
    *,
    start: Array | None = None,
    separated: str = "reduce",
    with_scale: bool = False,
) -> GLMFit:
    """Fit a generalised linear model to every feature, in one pass over the data.

    Parameters
    ----------
    Y : FeatureMatrix of shape (n_samples, n_features)
    columns : ndarray of shape (n_samples, d)
        Orthonormal.
    setting : GLMSetting
    start : ndarray of shape (n_features, d), optional
    separated : {"reduce", "nan"}, default="reduce"
    with_scale : bool, default=False
        Whether to find quasi-dispersions as well.

    Returns
    -------
    GLMFit

    Notes
    -----
    McCullagh and Nelder (1989), section 2.5.

    Examples
    --------
    >>> from latentadj.core.glm_families import GLM_FAMILIES
    >>> from latentadj.core.matrix import ArrayMatrix
    >>> Y = ArrayMatrix(np.array([[1.0], [2.0], [6.0]]))
    >>> setting = GLMSetting(GLM_FAMILIES["poisson"], np.zeros(3), np.zeros(1))
    >>> fit = fit_glm(Y, np.full((3, 1), 3**-0.5), setting)
    >>> np.exp(fit.coef * 3**-0.5).round(10)
    array([[3.]])
    """
    kernel = GLMKernel(setting, columns, Y.shape[1], start=start, separated=separated, with_scale=with_scale)
    fit: GLMFit = run_pass(Y, kernel)[0]
    return fit


def quasi_dispersion(fit: GLMFit, df_resid: float) -> Array:
    """Ratio of each feature's variance to that of its family, ``(n_features,)``.

    Parameters
    ----------
    fit : GLMFit
    df_resid : float

    Returns
    -------
    ndarray of shape (n_features,)
        Pearson's statistic over its degrees of freedom, divided by ``1 + mean_slope``; NaN without degrees of
        freedom.

    Notes
    -----
    Fletcher (2012), Biometrika 99:230. The division takes out the part of Pearson's statistic that small means
    make noisy; what is left has smaller variance and the same mean. The deviance would not do: for small counts
    its mean is not its degrees of freedom.
    """
    if df_resid <= 0:
        return np.full_like(fit.pearson, np.nan)
    out: Array = fit.pearson / df_resid / np.maximum(1.0 + fit.mean_slope, 0.1)
    return out
