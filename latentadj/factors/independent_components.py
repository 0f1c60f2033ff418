"""Independent components of features as observations, by either algorithm."""

from __future__ import annotations

import warnings

import numpy as np
from sklearn.decomposition import FastICA
from sklearn.exceptions import ConvergenceWarning

from latentadj.core.jade import jade_rotation, whitened_features
from latentadj.core.matrix import Array, FeatureMatrix
from latentadj.exceptions import NotConvergedWarning

METHODS = ("jade", "fastica")


def mixing_columns(
    Y: FeatureMatrix, removed: Array, weights: Array | None, *, k: int, method: str, rng: np.random.Generator
) -> tuple[Array, bool]:
    """Directions of the samples whose coefficients over the features are independent.

    Parameters
    ----------
    Y : FeatureMatrix of shape (n_samples, n_features)
    removed : ndarray of shape (n_samples, r)
        Orthonormal directions that leave every feature first.
    weights : ndarray of shape (n_features,) or None
        Factor of each feature.
    k : int
    method : {"jade", "fastica"}
    rng : numpy.random.Generator
        For FastICA's start.

    Returns
    -------
    columns : ndarray of shape (n_samples, k)
        In decreasing order of length; the sources have unit variance.
    converged : bool
    """
    white = whitened_features(Y, removed, k, weights)
    rotation, converged = jade_rotation(white.values) if method == "jade" else _fastica_rotation(white.values, rng)
    columns = white.mixing @ rotation
    order = np.argsort(-np.linalg.norm(columns, axis=0), kind="stable")
    if not converged:
        warnings.warn(
            f"The independent components ({method}) had not settled: loadings may be close to normal, which fourth "
            "moments cannot separate. Use fewer factors, or compare with SVA.",
            NotConvergedWarning,
            stacklevel=2,
        )
    return columns[:, order], converged


def _fastica_rotation(values: Array, rng: np.random.Generator) -> tuple[Array, bool]:
    if len(values) < 2:
        return np.eye(len(values)), True
    ica = FastICA(whiten=False, max_iter=1000, tol=1e-8, random_state=int(rng.integers(2**31 - 1)))
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", ConvergenceWarning)
        ica.fit(values.T)
    return ica.components_.T, not any(issubclass(w.category, ConvergenceWarning) for w in caught)
