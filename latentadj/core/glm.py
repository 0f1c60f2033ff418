"""Generalised linear models of all features with one design, in one pass."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from latentadj.core.glm_families import GLMFamily, possible_families
from latentadj.core.glm_newton import GLMBlock, GLMBlockFit, bias_reduced_fit, fit_block, has_run_to_infinity
from latentadj.core.matrix import Array, FeatureMatrix
from latentadj.core.passes import run_pass

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
    """

    family: GLMFamily
    offset: Array
    dispersion: Array


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
        0 fitted, 1 bias-reduced because the maximum-likelihood estimate is infinite, 2 infinite and left out (NaN),
        3 not converged.
    """

    coef: Array
    unscaled: Array
    deviance: Array
    pearson: Array
    mean_slope: Array
    status: NDArray[np.int8]


class GLMKernel:
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
    """

    def __init__(
        self,
        setting: GLMSetting,
        columns: Array,
        n_features: int,
        *,
        start: Array | None = None,
        separated: str = "reduce",
    ) -> None:
        d = columns.shape[1]
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
        )

    def fork(self) -> Self:
        """Return a worker that writes its features' rows into the same arrays."""
        twin = object.__new__(type(self))
        twin.__dict__.update(self.__dict__)
        return twin

    def update(self, block: Array, columns: slice) -> None:
        """Fit the features of one block."""
        setting = self.setting
        no_ridge = np.zeros(self.columns.shape[1])
        part = GLMBlock(block, self.columns, setting.offset, setting.family, setting.dispersion[columns], no_ridge)
        start = None if self.start is None else self.start[columns]
        coef, status = fit_or_reduce(part, start, self.separated)
        self._store(part, columns, coef, status)

    def _store(self, part: GLMBlock, columns: slice, coef: Array, status: NDArray[np.int8]) -> None:
        mu, fit = part.mean(coef), self.fit
        variance = np.maximum(part.family.variance(mu, part.dispersion), TINY_VARIANCE)
        residual = part.y - mu
        fit.coef[columns], fit.status[columns] = coef, status
        fit.unscaled[columns] = inverse_information(part, mu)
        fit.deviance[columns] = part.deviance(mu)
        fit.pearson[columns] = (residual**2 / variance).sum(axis=0)
        slope = part.family.variance_slope(mu, part.dispersion)
        fit.mean_slope[columns] = (slope * residual / variance).mean(axis=0)
        lost = np.flatnonzero(status == SEPARATED) + columns.start
        fit.coef[lost], fit.unscaled[lost] = np.nan, np.nan

    def merge(self, other: Self) -> None:
        """Nothing to add: rows were written in place."""

    def result(self) -> GLMFit:
        """Return the fits of all features."""
        return self.fit


def fit_or_reduce(block: GLMBlock, start: Array | None, separated: str) -> tuple[Array, NDArray[np.int8]]:
    """Fit a block; features whose estimate is infinite are fitted again with bias reduction, or marked.

    Parameters
    ----------
    block : GLMBlock
    start : ndarray of shape (width, d) or None
    separated : {"reduce", "nan"}

    Returns
    -------
    coef : ndarray of shape (width, d)
    status : ndarray of int, shape (width,)
    """
    fitted: GLMBlockFit = fit_block(block, start)
    coef = fitted.coef
    status = np.where(fitted.converged, FITTED, NOT_CONVERGED).astype(np.int8)
    infinite = np.flatnonzero(has_run_to_infinity(block, coef))
    if infinite.size and separated == "reduce":
        reduced = bias_reduced_fit(block.part(infinite))
        coef[infinite] = reduced.coef
        status[infinite] = np.where(reduced.converged, BIAS_REDUCED, NOT_CONVERGED)
    elif infinite.size:
        status[infinite] = SEPARATED
    return coef, status


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
    kernel = GLMKernel(setting, columns, Y.shape[1], start=start, separated=separated)
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


class OutcomeKernel:
    """Looks what kind of outcomes the data can be, and adds up every sample's values.

    Parameters
    ----------
    n_samples : int
    """

    def __init__(self, n_samples: int) -> None:
        self.possible = np.ones(2, dtype=bool)
        self.total = np.zeros(n_samples)

    def fork(self) -> Self:
        """Return an empty accumulator."""
        return type(self)(len(self.total))

    def update(self, block: Array, columns: slice) -> None:
        """Take in one block."""
        self.possible = self.possible & possible_families(block)
        self.total = self.total + block.sum(axis=1)

    def merge(self, other: Self) -> None:
        """Add another run."""
        self.possible = self.possible & other.possible
        self.total = self.total + other.total

    def result(self) -> tuple[NDArray[np.bool_], Array]:
        """Return whether the data can be (0/1 outcomes, counts), and the samples' totals."""
        return self.possible, self.total
