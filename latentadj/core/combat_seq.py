"""ComBat-seq: counts of known batches, mapped between negative binomial distributions."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.stats import nbinom

from latentadj.core.dispersion import ProfileKernel, peak
from latentadj.core.glm_families import NegativeBinomial
from latentadj.core.glm_newton import GLMBlock, fit_block
from latentadj.core.matrix import Array, ArrayMatrix
from latentadj.core.pass_kernel import PassKernel
from latentadj.core.passes import run_pass

#: Added to every count (in proportion to library size), so that groups without counts have finite means.
PRIOR_COUNT = 1e-4
#: A feature's dispersion is at most this many times above or below that of its batch.
DISPERSION_RANGE = 64.0
#: Features with fewer counts in a batch take the batch's dispersion.
MIN_TOTAL = 5
#: Counts this far out in the upper tail stay as they are.
EXTREME_TAIL = 1e-4


@dataclass(frozen=True, slots=True)
class ComBatSeqFit:
    """Negative binomial models of all features before and after adjustment.

    Attributes
    ----------
    log_mean : ndarray of shape (n_batches, n_features)
        Logarithms of the batches' shares of the library.
    coef : ndarray of shape (q, n_features)
        Effects of the covariates on the logarithm.
    shift : ndarray of shape (n_batches, n_features)
        Logarithms of the batch effects that are taken out.
    dispersion : ndarray of shape (n_batches, n_features)
    adjusted : ndarray of bool, shape (n_features,)
        Features with counts in every batch; the others have zeros elsewhere.
    """

    log_mean: Array
    coef: Array
    shift: Array
    dispersion: Array
    adjusted: NDArray[np.bool_]


class SampleDispersionBlock(GLMBlock):
    """A block whose dispersions ``(n_samples, width)`` differ between samples."""

    def part(self, index: NDArray[np.intp]) -> GLMBlock:
        """Return the block of some of the features."""
        return replace(self, y=self.y[:, index], dispersion=self.dispersion[:, index])


class BatchedCountKernel(PassKernel):
    """Fits log-linear negative binomial models with one dispersion per feature and batch.

    Parameters
    ----------
    columns : ndarray of shape (n_samples, d)
        Of full rank.
    library : ndarray of shape (n_samples,)
    codes : ndarray of int, shape (n_samples,)
    dispersion : ndarray of shape (n_batches, n_features)
    """

    reads = {"dispersion": 1}
    rows = {"coef": 1}

    def __init__(self, columns: Array, library: Array, codes: NDArray[np.intp], dispersion: Array) -> None:
        self.basis, self.triangle = np.linalg.qr(columns)
        self.prior = PRIOR_COUNT * library / library.mean()
        self.offset = np.log(library + 2.0 * self.prior)
        self.codes = codes
        self.dispersion = dispersion
        self.coef = np.empty((columns.shape[1], dispersion.shape[1]))

    def update(self, block: Array, columns: slice) -> None:
        """Fit the features of one block."""
        no_ridge = np.zeros(self.basis.shape[1])
        spread = self.dispersion[:, columns][self.codes]
        y = block + self.prior[:, None]
        part = SampleDispersionBlock(y, self.basis, self.offset, NegativeBinomial(), spread, no_ridge)
        self.coef[:, columns] = np.linalg.solve(self.triangle, fit_block(part).coef.T)

    def result(self) -> Array:
        """Return the coefficients ``(d, n_features)``."""
        return self.coef


def counted_everywhere(counts: Array, codes: NDArray[np.intp]) -> NDArray[np.bool_]:
    """Tell which features ``(n_features,)`` have counts in every batch.

    Examples
    --------
    >>> counted_everywhere(np.array([[0.0, 3.0], [1.0, 2.0], [0.0, 5.0]]), np.array([0, 0, 1]))
    array([False,  True])
    """
    out: NDArray[np.bool_] = np.all([(counts[codes == b] > 0).any(axis=0) for b in np.unique(codes)], axis=0)
    return out


def batch_dispersions(counts: Array, covariates: Array) -> Array:
    """Estimate the negative binomial dispersion of every feature in one batch.

    Parameters
    ----------
    counts : ndarray of shape (n_batch, n_features)
    covariates : ndarray of shape (n_batch, q)

    Returns
    -------
    ndarray of shape (n_features,)
        The same for all features when the batch has too few samples for its covariates.

    Notes
    -----
    Peaks of the adjusted profile likelihoods (McCarthy, Chen and Smyth 2012), for each feature alone, within a
    factor of 64 of the peak of their sum.
    """
    design = np.column_stack([np.ones(len(counts)), covariates])
    rich = len(counts) > design.shape[1] and np.linalg.matrix_rank(design) == design.shape[1]
    basis = np.linalg.qr(design if rich else design[:, :1])[0]
    kernel = ProfileKernel(basis, np.log(counts.sum(axis=1)), counts.shape[1])
    profile = run_pass(ArrayMatrix(counts), kernel)[0][0]
    common = peak(profile.sum(axis=0, keepdims=True))[0]
    single = peak(profile) if rich else np.full(counts.shape[1], common)
    single = np.where(counts.sum(axis=0) < MIN_TOTAL, common, single)
    limit = np.log(DISPERSION_RANGE)
    out: Array = np.exp(np.clip(single, common - limit, common + limit))
    return out


def fit_combat_seq(counts: Array, codes: NDArray[np.intp], covariates: Array) -> ComBatSeqFit:
    """Estimate batch effects on counts.

    Parameters
    ----------
    counts : ndarray of shape (n_samples, n_features)
        Every sample counts something, and some features are counted in every batch.
    codes : ndarray of int, shape (n_samples,)
        Every batch has two samples or more.
    covariates : ndarray of shape (n_samples, q)
        Effects to keep; together with the batches of full column rank.

    Returns
    -------
    ComBatSeqFit

    Notes
    -----
    Zhang, Parmigiani and Johnson (2020), NAR Genomics and Bioinformatics 2:lqaa078.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> codes = np.repeat([0, 1], 10)
    >>> counts = rng.poisson(np.where(codes[:, None] == 0, [50.0, 200.0], [100.0, 150.0])).astype(float)
    >>> fit = fit_combat_seq(counts, codes, np.zeros((20, 0)))
    >>> fit.shift.round(1)
    array([[-0.3,  0.1],
           [ 0.3, -0.1]])
    """
    n_batches, n_features = int(codes.max()) + 1, counts.shape[1]
    adjusted = counted_everywhere(counts, codes)
    kept = counts[:, adjusted]
    dispersion = np.ones((n_batches, n_features))
    dispersion[:, adjusted] = [batch_dispersions(kept[codes == b], covariates[codes == b]) for b in range(n_batches)]
    columns = np.hstack([codes[:, None] == np.arange(n_batches), covariates]).astype(np.float64)
    kernel = BatchedCountKernel(columns, kept.sum(axis=1), codes, dispersion[:, adjusted])
    coef = np.zeros((columns.shape[1], n_features))
    coef[:, adjusted] = run_pass(ArrayMatrix(kept), kernel)[0]
    log_mean = coef[:n_batches]
    average = np.bincount(codes) / len(codes) @ log_mean
    return ComBatSeqFit(log_mean, coef[n_batches:], log_mean - average, dispersion, adjusted)


def apply_combat_seq(fit: ComBatSeqFit, counts: Array, codes: NDArray[np.intp], covariates: Array) -> Array:
    """Map the counts of samples to those that their quantiles have without the batch, each sample on its own.

    Parameters
    ----------
    fit : ComBatSeqFit
    counts : ndarray of shape (n_new, n_features)
    codes : ndarray of int, shape (n_new,)
    covariates : ndarray of shape (n_new, q)

    Returns
    -------
    ndarray of shape (n_new, n_features)
        Whole numbers. Counts of 0 and 1, counts far out in the upper tail and features that are not adjusted stay.
    """
    out = counts.copy()
    columns = np.flatnonzero(fit.adjusted)
    old = counts[:, columns]
    library = old.sum(axis=1, keepdims=True)
    mean = library * np.exp(fit.log_mean[:, columns][codes] + covariates @ fit.coef[:, columns])
    target = mean * np.exp(-fit.shift[:, columns][codes])
    spread = np.broadcast_to(fit.dispersion[:, columns].mean(axis=0), old.shape)
    out[:, columns] = match_quantiles(old, mean, fit.dispersion[:, columns][codes], target, spread)
    return out


def match_quantiles(counts: Array, mean: Array, dispersion: Array, new_mean: Array, new_dispersion: Array) -> Array:
    """Give counts the values at their quantiles in other negative binomial distributions.

    Parameters
    ----------
    counts, mean, dispersion, new_mean, new_dispersion : ndarray of shape (n, m)

    Returns
    -------
    ndarray of shape (n, m)
        ``1 + Q(F(count - 1))``; counts of 0 and 1, and those whose ``F`` is within 1e-4 of one, as they are.

    Examples
    --------
    >>> one = np.ones((1, 3))
    >>> match_quantiles(np.array([[0.0, 1.0, 20.0]]), 20 * one, 0.1 * one, 40 * one, 0.1 * one)
    array([[ 0.,  1., 40.]])
    """
    out = counts.copy()
    large = np.nonzero(counts > 1)
    size, new_size = 1.0 / dispersion[large], 1.0 / new_dispersion[large]
    below = nbinom.cdf(counts[large] - 1, size, size / (size + mean[large]))
    with np.errstate(invalid="ignore"):
        mapped = 1.0 + nbinom.ppf(below, new_size, new_size / (new_size + new_mean[large]))
    usable = (np.abs(below - 1.0) >= EXTREME_TAIL) & np.isfinite(mapped)
    out[large] = np.where(usable, mapped, counts[large])
    return out
