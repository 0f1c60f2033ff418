"""What kernels share that write the fits of some features into arrays of all features."""

from __future__ import annotations

from typing import Self

import numpy as np

from latentadj.core.feature_fits import FeatureFits
from latentadj.core.pass_kernel import KernelState, PassKernel
from latentadj.core.stacked_bases import Rows


class FitsKernel(PassKernel):
    """A kernel for a pass over some features whose rows in the arrays that it writes lie apart.

    Attributes
    ----------
    fits : FeatureFits
        Written to.
    features : ndarray of int, shape (n_features_of_the_pass,)
        Their rows in `fits`.
    """

    fits: FeatureFits
    features: Rows

    def carved(self, columns: slice) -> Self:
        """Return a kernel of its own for the features of a slice, with a copy of their rows."""
        twin = super().carved(columns)
        twin.fits = self.fits.part(self.features[columns])
        twin.features = np.arange(len(twin.fits.rss))
        return twin

    def state(self, columns: slice) -> KernelState:
        """Return the rows of a slice of features."""
        rows = self.features[columns]
        return {name: array[rows] for name, array in vars(self.fits).items()}

    def restore(self, state: KernelState, columns: slice) -> None:
        """Write the rows that another kernel has gathered for a slice of features."""
        rows = self.features[columns]
        for name, array in vars(self.fits).items():
            array[rows] = state[name]
