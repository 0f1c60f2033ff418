"""Early-stopping alternation: weighted components and noise variances, a few rounds and no more."""

from __future__ import annotations

import numpy as np
from scipy.linalg import eigh

from latentadj.core.factor_analysis import FactorModel, NoiseKernel, precision_roots
from latentadj.core.kernels import GramKernel
from latentadj.core.matrix import Array, FeatureMatrix
from latentadj.core.passes import run_pass
from latentadj.core.spectrum import spectrum_of_gram

#: Rounds that Owen and Wang found best over many settings.
N_ROUNDS = 3


def early_stopped_components(
    Y: FeatureMatrix,
    complement: Array,
    basis: Array,
    start: Array,
    rss: Array,
    k: int,
    *,
    divisor: float,
    n_rounds: int = N_ROUNDS,
) -> FactorModel:
    """Components of features weighted by their inverse noise variances, after a fixed number of rounds.

    Parameters
    ----------
    Y : FeatureMatrix of shape (n_samples, n_features)
    complement : ndarray of shape (n_samples, nu)
        Orthonormal basis of what the design leaves.
    basis : ndarray of shape (n_samples, rank)
        Orthonormal basis of the design.
    start : ndarray of shape (n_features,)
        First noise variances, up to a factor; features with 0 get no weight.
    rss : ndarray of shape (n_features,)
        Residual sums of squares.
    k : int
    divisor : float
        Divisor of the noise sums of squares.
    n_rounds : int, default=3

    Returns
    -------
    FactorModel
        Orthonormal directions, in the order and orientation of the singular vectors of the unweighted signal
        ``loadings @ directions.T``.

    Notes
    -----
    Owen and Wang (2016), Statistical Science 31:119, algorithm 4.1: with noise variances of their own, the
    likelihood of components of fixed scores has no maximum, and iterating on lets a factor rest on few features;
    three rounds did best. One pass per round and one to begin with.

    Examples
    --------
    >>> from latentadj.core.matrix import ArrayMatrix
    >>> rng = np.random.default_rng(0)
    >>> z, psi = rng.normal(size=60), rng.uniform(0.2, 5, size=300)
    >>> Y = np.outer(z, rng.normal(size=300)) + rng.normal(size=(60, 300)) * np.sqrt(psi)
    >>> rss = (Y**2).sum(axis=0)
    >>> model = early_stopped_components(ArrayMatrix(Y), np.eye(60), np.empty((60, 0)), rss, rss, 1, divisor=59)
    >>> bool(abs(np.corrcoef(model.directions[:, 0], z)[0, 1]) > 0.98)
    True
    """
    n_samples, usable, floor = Y.shape[0], rss > 0, np.zeros_like(rss)
    gram = run_pass(Y, GramKernel(n_samples, basis=basis, weights=precision_roots(start, usable)))[0]
    for n_left in reversed(range(n_rounds)):
        directions = spectrum_of_gram(gram, complement, Y.shape[1]).vectors[:, :k]
        if _spans_constant(basis):
            directions = directions - directions.mean(axis=0)
        kernel = NoiseKernel(directions, rss, floor, divisor, basis=basis, with_gram=n_left > 0)
        loadings, psi, gram = run_pass(Y, kernel)[0]
    rotation = eigh(loadings.T @ loadings)[1][:, ::-1]
    return FactorModel(directions @ rotation, loadings @ rotation, psi, True, n_rounds)


def _spans_constant(basis: Array) -> bool:
    n_samples = basis.shape[0]
    return bool(np.linalg.norm(1.0 - basis @ basis.sum(axis=0)) < 1e-8 * np.sqrt(n_samples))
