"""Stage 3b, the confounding model: how the factors load on the primary variables."""

from __future__ import annotations

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from latentadj.results.factors import LinkEstimate

Array = NDArray[np.float64]


class ConfoundingModel(Protocol):
    """Estimates ``omega`` in ``naive effects = effects + loadings @ omega.T``.

    Attributes
    ----------
    needs_controls : bool
        Whether negative controls must be given.
    """

    needs_controls: bool

    def estimate(
        self,
        effects: Array,
        loadings: Array,
        sigma2: Array,
        unscaled: Array,
        controls: NDArray[np.bool_] | None,
    ) -> LinkEstimate:
        """Estimate the link.

        Parameters
        ----------
        effects : ndarray of shape (n_features, n_primary)
            Effects without factors.
        loadings : ndarray of shape (n_features, n_factors)
        sigma2 : ndarray of shape (n_features,)
            Noise variances; features with variance 0 are left out.
        unscaled : ndarray of shape (n_primary, n_primary)
            Covariance of the effects for unit noise variance.
        controls : ndarray of bool, shape (n_features,), or None

        Returns
        -------
        LinkEstimate
        """
        ...

    def reliability(self, loadings: Array, sigma2: Array, controls: NDArray[np.bool_] | None) -> Array:
        """Return the share of the loadings' spread that is not their own error.

        Parameters
        ----------
        loadings, sigma2, controls
            As in `estimate`; the loadings are least-squares ones on orthonormal scores.

        Returns
        -------
        ndarray of shape (n_factors, n_factors)
            ``I - N S^-1``, see `latentadj.confounding.attenuation`.
        """
        ...
