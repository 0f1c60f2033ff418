"""Bi-cross-validation of a factor model: blocks of samples and features are held out together."""

from __future__ import annotations

import numpy as np
from scipy.linalg import eigh

from latentadj.core.matrix import Array

#: Alternations between factors and noise variances; stopping this early is what keeps the variances away from 0.
N_ALTERNATIONS = 3
#: Noise variances that differ by more than this factor mean that a feature is fitted exactly.
COLLAPSED = 1e6


def held_in_shape(n_samples: int, n_features: int) -> tuple[int, int]:
    """Size of the held-in block for which the error of bi-cross-validation is smallest where the true one is.

    Parameters
    ----------
    n_samples, n_features : int
        At least 2 each.

    Returns
    -------
    n_in, m_in : int
        Samples and features of the block, at least 1 and leaving at least 1 each.

    References
    ----------
    Owen and Wang (2016), Statistical Science 31, 119-139, section 5: the share of the entries is the square of
    ``sqrt(2) / (sqrt(g) + sqrt(g + 3))`` with ``g = ((c^{1/2} + c^{-1/2}) / 2)^2`` and c the aspect ratio; the
    block is as square as it can be.

    Examples
    --------
    >>> held_in_shape(60, 60)
    (28, 29)
    """
    aspect = n_features / n_samples
    g = ((np.sqrt(aspect) + 1.0 / np.sqrt(aspect)) / 2.0) ** 2
    root = np.sqrt(2.0) / (np.sqrt(g) + np.sqrt(g + 3.0))
    side = root * np.sqrt(n_samples * n_features)
    if n_samples <= n_features:
        n_in = int(np.clip(round(side), 1, n_samples - 1))
        return n_in, int(np.clip(round(side**2 / n_in), 1, n_features - 1))
    m_in = int(np.clip(round(side), 1, n_features - 1))
    return int(np.clip(round(side**2 / m_in), 1, n_samples - 1)), m_in


def prediction_errors(Y: Array, n_in: int, m_in: int, n_tried: int, rng: np.random.Generator) -> Array:
    """Mean squared error of predicting a random held-out block by factor models of rank 0, 1, ...

    Parameters
    ----------
    Y : ndarray of shape (n_samples, n_features)
        Residuals in coordinates of the design's complement.
    n_in, m_in : int
        Size of the held-in block.
    n_tried : int
        Largest rank, below `n_in` and `m_in`.
    rng : numpy.random.Generator

    Returns
    -------
    ndarray of shape (n_tried + 1,)
        Infinite from the rank on at which noise variances collapse.

    Notes
    -----
    With the block ``Y11`` held in, a model of rank r gives scores ``U`` and loadings ``L = U' Y11`` with noise
    variances ``psi`` (early stopping alternation: weighted singular vectors, then residual variances, three
    times from the features' mean squares). The samples outside have scores ``Y01 Psi^-1 L' (L Psi^-1 L')^-1``,
    the features outside loadings ``U' Y10``, and their product predicts ``Y00``. All ranks share the first
    decomposition, and Gram matrices of samples stand for the singular value decompositions.

    References
    ----------
    Owen and Wang (2016), Statistical Science 31, 119-139, sections 3 and 4.
    """
    rows, columns = rng.permutation(Y.shape[0]), rng.permutation(Y.shape[1])
    inside, outside = Y[rows[:n_in]], Y[rows[n_in:]]
    held_in, beside = inside[:, columns[:m_in]], inside[:, columns[m_in:]]
    below, target = outside[:, columns[:m_in]], outside[:, columns[m_in:]]
    varies = np.any(held_in != 0.0, axis=0)
    held_in, below = held_in[:, varies], below[:, varies]
    errors = np.full(n_tried + 1, np.inf)
    errors[0] = np.mean(target**2)
    start = np.mean(held_in**2, axis=0)
    if n_tried == 0 or start.size == 0:
        return errors
    first = _eigenvectors(held_in, start, n_tried)
    for rank in range(1, first.shape[1] + 1):
        model = early_stopping_alternation(held_in, first[:, :rank], start)
        if model is None:
            break
        scores, psi = model
        errors[rank] = np.mean((target - _outside_scores(held_in, below, scores, psi) @ (scores.T @ beside)) ** 2)
    return errors


def early_stopping_alternation(Y: Array, scores: Array, squares: Array) -> tuple[Array, Array] | None:
    """Alternate residual variances and weighted scores, starting from scores.

    Parameters
    ----------
    Y : ndarray of shape (n, m)
    scores : ndarray of shape (n, k)
        Orthonormal; the scores of the first alternation.
    squares : ndarray of shape (m,)
        Mean square of every feature.

    Returns
    -------
    scores : ndarray of shape (n, k)
    psi : ndarray of shape (m,)
        Noise variances with which the scores were found. None instead of the pair when variances collapse.
    """
    n, rank = scores.shape
    psi = squares
    for _ in range(N_ALTERNATIONS - 1):
        loadings = scores.T @ Y
        psi = squares - np.einsum("km,km->m", loadings, loadings) / n
        if np.min(psi) <= np.max(psi) / COLLAPSED:
            return None
        scores = _eigenvectors(Y, psi, rank)
    return scores, psi


def _eigenvectors(Y: Array, psi: Array, k: int) -> Array:
    """Leading left singular vectors ``(n, k)`` of features divided by their noise standard deviations."""
    scaled = Y / np.sqrt(psi)
    n = len(Y)
    k = min(k, n)
    vectors = np.asarray(eigh(scaled @ scaled.T, subset_by_index=(n - k, n - 1))[1], dtype=np.float64)
    out: Array = vectors[:, ::-1]
    return out


def _outside_scores(held_in: Array, below: Array, scores: Array, psi: Array) -> Array:
    """Scores of other samples by weighted least squares on the loadings."""
    loadings = scores.T @ held_in
    weighted = loadings / psi
    information = weighted @ loadings.T
    return np.asarray(np.linalg.lstsq(information, weighted @ below.T, rcond=None)[0].T, dtype=np.float64)
