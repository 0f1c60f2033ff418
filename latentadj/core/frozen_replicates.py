"""Unwanted factors of new samples, from what replicates in a training set have shown."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import lstsq

from latentadj.core.kernels import ScoreKernel
from latentadj.core.matrix import Array, FeatureMatrix, FeatureSubset
from latentadj.core.passes import run_pass
from latentadj.core.replicates import ReplicateFactors


@dataclass(frozen=True, slots=True)
class ControlRule:
    """How the factors of any sample are read from its own controls.

    Attributes
    ----------
    index : ndarray of int, shape (n_controls,)
    coefficients : ndarray of shape (n_controls, k)
    mean : ndarray of shape (n_controls,)
        Subtracted first.
    """

    index: NDArray[np.intp]
    coefficients: Array
    mean: Array

    def scores(self, Y: FeatureMatrix) -> Array:
        """Factor scores ``(n_samples, k)``, each sample's from its own values."""
        kernel = ScoreKernel(Y.shape[0], self.coefficients, offset=self.mean)
        (out,) = run_pass(FeatureSubset(Y, self.index), kernel)
        return np.asarray(out)


def control_rule(
    found: ReplicateFactors, controls: NDArray[np.bool_], weights: Array | None = None, mean: Array | None = None
) -> ControlRule:
    """Regression of any sample's controls on their loadings.

    Parameters
    ----------
    found : ReplicateFactors
    controls : ndarray of bool, shape (n_features,)
    weights : ndarray of shape (n_features,), optional
        Square roots of the features' weights.
    mean : ndarray of shape (n_features,), optional
        Subtracted first; without it scores are measured from zero, as in the published algorithm.

    Returns
    -------
    ControlRule
        For the training samples and the same weights and means it gives ``found.scores``.

    Notes
    -----
    Loadings hold noise, so that these scores are attenuated. That is what a subtraction wants: ``score * loading`` with
    a noisy loading predicts a feature best with the slope that noisy loadings have among the controls. Factors
    that join a design are another matter, see `latentadj.core.replicates.corrected_scores`.

    Examples
    --------
    >>> a = np.array([[1.0], [2.0], [9.0]])
    >>> found = ReplicateFactors(np.zeros((3, 1)), a, np.ones((3, 1)) / np.sqrt(3))
    >>> control_rule(found, np.array([True, True, False])).coefficients.ravel()
    array([0.2, 0.4])
    """
    index = np.flatnonzero(controls)
    loadings = found.loadings[index]
    weighted = loadings if weights is None else loadings * weights[index, None] ** 2
    coefficients = lstsq(loadings.T @ weighted, weighted.T)[0].T
    return ControlRule(index, coefficients, np.zeros(len(index)) if mean is None else mean[index])
