"""Least squares for all features at once: design basis, fits, contrasts.

The design is factored once by Householder QR; every feature then costs its coordinates in the orthonormal
basis and one small triangular solve.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Protocol, Self

import numpy as np
from scipy.linalg import qr, solve_triangular

from latentadj.core.kernels import RegressionKernel, RegressionSums
from latentadj.core.matrix import Array, FeatureMatrix
from latentadj.core.passes import run_pass

#: A column whose part outside the earlier ones is below this share of its length is taken as dependent.
RANK_TOLERANCE = 1e-7


@dataclass(frozen=True, slots=True)
class DesignBasis:
    """QR factorisation of a design, left to right, dependent columns set aside.

    Attributes
    ----------
    q : ndarray of shape (n_samples, rank)
        Orthonormal basis; column i is column ``kept[i]`` of the design made orthogonal to the earlier ones.
    r : ndarray of shape (rank, rank)
        Upper triangular with ``design[:, kept] = q @ r``.
    kept, aliased : tuple of int
        Positions of the independent and of the dependent columns.
    n_columns : int
        Columns of the design, dependent ones included.
    """

    q: Array
    r: Array
    kept: tuple[int, ...]
    aliased: tuple[int, ...]
    n_columns: int

    @property
    def rank(self) -> int:
        """Number of independent columns."""
        return len(self.kept)

    @property
    def n_samples(self) -> int:
        """Number of rows of the design."""
        return int(self.q.shape[0])

    @property
    def design(self) -> Array:
        """The design itself, ``(n_samples, n_columns)``, with dependent columns as zeros."""
        out = np.zeros((self.n_samples, self.n_columns))
        out[:, list(self.kept)] = self.q @ self.r
        return out

    @property
    def spans_constant(self) -> bool:
        """Whether the constant vector lies in the span of the design."""
        outside = 1.0 - self.q @ self.q.sum(axis=0)
        return bool(np.linalg.norm(outside) < 1e-8 * np.sqrt(self.n_samples))

    @property
    def r_inverse(self) -> Array:
        """Inverse of ``r``, shape (rank, rank)."""
        return np.asarray(solve_triangular(self.r, np.eye(self.rank)) if self.rank else np.empty((0, 0)))

    def complement(self) -> Array:
        """Orthonormal basis ``(n_samples, n_samples - rank)`` of what the design leaves."""
        if self.rank == 0:
            return np.eye(self.n_samples)
        full = np.asarray(qr(self.q, mode="full")[0], dtype=np.float64)
        return full[:, self.rank :]

    def project_out(self, columns: Array) -> Array:
        """Return ``columns`` of shape (n_samples, k) minus their part in the design's span."""
        return columns - self.q @ (self.q.T @ columns)


def design_basis(design: Array) -> DesignBasis:
    """Factor a design left to right and set dependent columns aside.

    Parameters
    ----------
    design : ndarray of shape (n_samples, d)

    Returns
    -------
    DesignBasis

    Notes
    -----
    Householder QR without column pivoting keeps the order of the columns, so that of two dependent columns it
    is the later one that is set aside; a column is dependent when less than 1e-7 of its length is outside the
    span of the earlier ones.

    Examples
    --------
    >>> X = np.column_stack([np.ones(4), [0, 0, 1, 1], [1, 1, 0, 0]]).astype(float)
    >>> design_basis(X).aliased
    (2,)
    """
    kept = list(range(design.shape[1]))
    while kept:
        q, r = (np.asarray(part, dtype=np.float64) for part in qr(design[:, kept], mode="economic"))
        lengths = np.linalg.norm(design[:, kept], axis=0)
        outside = np.zeros(len(kept))
        diagonal = np.abs(np.diag(r))
        outside[: len(diagonal)] = diagonal
        dependent = np.flatnonzero(outside <= RANK_TOLERANCE * lengths)
        if dependent.size == 0:
            signs = np.where(np.diag(r) < 0, -1.0, 1.0)
            q, r = q * signs, r * signs[:, None]
            aliased = tuple(i for i in range(design.shape[1]) if i not in kept)
            return DesignBasis(q, r, tuple(kept), aliased, design.shape[1])
        del kept[int(dependent[0])]
    empty = np.empty((design.shape[0], 0))
    return DesignBasis(empty, np.empty((0, 0)), (), tuple(range(design.shape[1])), design.shape[1])


@dataclass(frozen=True, slots=True)
class LinkUncertainty:
    """Error of the estimated confounding, shared by all features.

    Attributes
    ----------
    loadings : ndarray of shape (n_features, n_factors)
    covariance : ndarray of shape (n_primary, n_factors, n_primary, n_factors)
        Covariance of the link coefficients; entry ``[i, :, l, :]`` belongs to primary columns i and l.
    columns : tuple of int
        Design columns of the primary variables, in the order of `covariance`.
    """

    loadings: Array
    covariance: Array
    columns: tuple[int, ...]

    def contrast_covariance(self, contrasts: Array) -> Array:
        """Return its part ``(n_features, c, c)`` in the covariance of contrasts ``(d, c)``."""
        weights = contrasts[list(self.columns)]
        middle = np.einsum("ia,ikjl,jb->kalb", weights, self.covariance, weights)
        left = np.einsum("mk,kalb->malb", self.loadings, middle)
        out: Array = np.einsum("malb,ml->mab", left, self.loadings)
        return out


class CovarianceDegrees(Protocol):
    """Degrees of freedom of covariances that are not a residual variance times a known matrix."""

    def contrast_df(self, contrasts: Array) -> Array:
        """Degrees of freedom of the variances of contrasts ``(d, c)``; NaN where these are unknown.

        ``(c,)``, or ``(n_features, c)`` where every feature has its own.
        """
        ...

    def joint_df(self, contrasts: Array) -> float | Array:
        """Degrees of freedom of the covariance matrix of contrasts ``(d, c)``, as those of a Wishart matrix.

        A number, or ``(n_features,)``.
        """
        ...

    def flipped(self, flips: Array) -> Self:
        """Return the same for design columns multiplied by ``flips`` (d,), each 1 or -1."""
        ...


@dataclass(frozen=True, slots=True)
class RegressionFit:
    """Least-squares fits of one design to all features.

    Attributes
    ----------
    coef : ndarray of shape (n_features, d)
        NaN in columns that cannot be estimated.
    sigma2 : ndarray of shape (n_features,)
        Residual variances; NaN without residual degrees of freedom.
    df_resid : float or ndarray of shape (n_features,)
        Residual degrees of freedom; infinite where the variance is taken as known.
    cov_unscaled : ndarray of shape (d, d) or (n_features, d, d)
        Covariance of the coefficients is ``sigma2`` times this, one matrix for all features or one each; NaN rows
        for what cannot be estimated.
    mean : ndarray of shape (n_features,)
        Mean of each feature over samples.
    constant : ndarray of bool, shape (n_features,)
        Features that do not vary beyond round-off.
    link : LinkUncertainty or None
        Further variance of the primary coefficients, from the estimated confounding.
    n_obs : ndarray of int, shape (n_features,), or None
        Observations that each feature was fitted to; None where that is every sample.
    degrees : CovarianceDegrees or None
        Degrees of freedom of contrasts whose covariance was estimated itself (sandwich errors), the same for all
        features or each feature's own; None where they are those of the residual variances.
    """

    coef: Array
    sigma2: Array
    df_resid: float | Array
    cov_unscaled: Array
    mean: Array
    constant: np.ndarray
    link: LinkUncertainty | None = None
    n_obs: np.ndarray | None = None
    degrees: CovarianceDegrees | None = None

    def with_link(self, link: LinkUncertainty | None) -> RegressionFit:
        """Return the same fit with another link uncertainty."""
        return replace(self, link=link)

    def with_flipped_factors(self, signs: Array) -> RegressionFit:
        """Return the same fit with the signs of the last columns, the factors, changed by ``signs`` (k,)."""
        flips = np.ones(self.coef.shape[1])
        flips[len(flips) - len(signs) :] = signs
        link = self.link and replace(
            self.link,
            loadings=self.link.loadings * signs,
            covariance=self.link.covariance * signs[None, :, None, None] * signs,
        )
        cov_unscaled = self.cov_unscaled * np.outer(flips, flips)
        degrees = self.degrees and self.degrees.flipped(flips)
        return replace(self, coef=self.coef * flips, cov_unscaled=cov_unscaled, link=link, degrees=degrees)

    def estimate(self, contrasts: Array) -> Array:
        """Contrast estimates ``(n_features, c)`` for contrasts ``(d, c)``; unused columns may be NaN."""
        used = np.any(contrasts != 0, axis=1)
        out: Array = self.coef[:, used] @ contrasts[used]
        return out

    def unscaled_covariance(self, contrasts: Array) -> Array:
        """Covariance of contrasts for unit residual variance, without the link's part.

        ``(c, c)``, or ``(n_features, c, c)`` where every feature has its own.
        """
        used = np.flatnonzero(np.any(contrasts != 0, axis=1))
        chosen = contrasts[used]
        middle = self.cov_unscaled[..., used[:, None], used]
        out: Array = chosen.T @ middle @ chosen
        return out

    def contrast_variance(self, contrasts: Array, variance: Array) -> Array:
        """Variances ``(n_features, c)`` of contrasts, given residual variances ``(n_features,)``."""
        unscaled = np.diagonal(self.unscaled_covariance(contrasts), axis1=-2, axis2=-1)
        out: Array = variance[:, None] * unscaled
        if self.link is not None:
            for i in range(contrasts.shape[1]):
                out[:, i] += self.link.contrast_covariance(contrasts[:, [i]])[:, 0, 0]
        return out


def design_pass(Y: FeatureMatrix, basis: DesignBasis) -> RegressionSums:
    """Read the data once and return every feature's coordinates in a design basis.

    Parameters
    ----------
    Y : FeatureMatrix of shape (n_samples, n_features)
    basis : DesignBasis

    Returns
    -------
    RegressionSums
    """
    sums: RegressionSums = run_pass(Y, RegressionKernel(basis.q, Y.shape[1], centred=basis.spans_constant))[0]
    return sums


def fit_from_sums(basis: DesignBasis, sums: RegressionSums) -> RegressionFit:
    """Turn coordinates in a design basis into coefficients and variances.

    Parameters
    ----------
    basis : DesignBasis
    sums : RegressionSums

    Returns
    -------
    RegressionFit

    Examples
    --------
    >>> from latentadj.core.matrix import ArrayMatrix
    >>> Y = ArrayMatrix(np.array([[1.0], [2.0], [4.0], [5.0]]))
    >>> basis = design_basis(np.column_stack([np.ones(4), [0.0, 0.0, 1.0, 1.0]]))
    >>> fit_from_sums(basis, design_pass(Y, basis)).coef
    array([[1.5, 3. ]])
    """
    d, kept = basis.n_columns, list(basis.kept)
    inverse = basis.r_inverse
    coef = np.empty((d, len(sums.effects))).T
    if d > len(kept):
        coef[:] = np.nan
        coef.T[kept] = inverse @ sums.effects.T
    else:
        np.matmul(inverse, sums.effects.T, out=coef.T)
    cov_unscaled = np.full((d, d), np.nan)
    cov_unscaled[np.ix_(kept, kept)] = inverse @ inverse.T
    df_resid = float(basis.n_samples - basis.rank)
    sigma2 = sums.rss / df_resid if df_resid > 0 else np.full_like(sums.rss, np.nan)
    return RegressionFit(coef, sigma2, df_resid, cov_unscaled, sums.mean, is_constant(sums, basis.n_samples))


def is_constant(sums: RegressionSums, n_samples: int) -> np.ndarray:
    """Tell which features vary by no more than the round-off of their mean, shape (n_features,)."""
    tolerance = np.abs(sums.mean)
    tolerance *= 8 * np.finfo(float).eps  # before squaring, which could overflow
    np.square(tolerance, out=tolerance)
    tolerance *= n_samples
    return np.asarray(sums.tss <= tolerance)


def fit_regression(Y: FeatureMatrix, design: Array) -> RegressionFit:
    """Fit one design to every feature by least squares, in one pass over the data.

    Parameters
    ----------
    Y : FeatureMatrix of shape (n_samples, n_features)
    design : ndarray of shape (n_samples, d)

    Returns
    -------
    RegressionFit

    Examples
    --------
    >>> from latentadj.core.matrix import ArrayMatrix
    >>> rng = np.random.default_rng(0)
    >>> X = np.column_stack([np.ones(20), rng.normal(size=20)])
    >>> fit = fit_regression(ArrayMatrix(rng.normal(size=(20, 3))), X)
    >>> fit.coef.shape, fit.df_resid
    ((3, 2), 18.0)
    """
    basis = design_basis(design)
    return fit_from_sums(basis, design_pass(Y, basis))
