r"""The normal prior that BACKWASH puts on the confounding, with its posterior spread integrated out.

:math:`z = \phi M^{-1/2} v,\; v \sim N(0, I)` with :math:`M = A'A`. Under a variational posterior in which effects and v
are independent, v has covariance :math:`(I + \phi^2 M^{-1/2} A' S^{-1} A M^{-1/2} / \xi)^{-1}`, and with it the lower
bound of the evidence is the MOUTHWASH likelihood at the mean of z plus a term in z, :math:`\phi` and :math:`\xi` alone:

.. math:: -\frac{z'Mz}{2\phi^2} - \frac12 \log\left| I + \phi^2 M^{-1/2} A' S^{-1} A M^{-1/2} / \xi \right|
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.linalg import eigh
from scipy.optimize import brentq

from latentadj.core.matrix import Array


@dataclass(frozen=True)
class LinkPrior:
    """A normal prior of z whose scale is estimated.

    Attributes
    ----------
    metric : ndarray of shape (k, k)
        M; the prior covariance of z is its inverse times the squared scale.
    precisions : ndarray of shape (k,)
        Eigenvalues of ``A' S^-1 A`` relative to M.
    """

    metric: Array
    precisions: Array

    @classmethod
    def from_loadings(cls, loadings: Array, std_error: Array) -> LinkPrior:
        """Take the metric from loadings ``(m, k)``, the precisions also from the errors ``(m,)``."""
        metric = loadings.T @ loadings
        weighted = loadings / std_error[:, None]
        return cls(metric, np.asarray(eigh(weighted.T @ weighted, metric, eigvals_only=True)))

    def variance(self, z: Array, log_inflation: float) -> float:
        """Squared scale that maximises the bound; 0 for ``z = 0``.

        It solves ``z'Mz = t^2 sum_i d_i / (xi + t d_i)``, whose right side grows from 0 without limit.

        Examples
        --------
        >>> prior = LinkPrior(np.eye(1), np.array([1e9]))
        >>> round(prior.variance(np.array([3.0]), 0.0), 6)
        9.0
        """
        size = float(z @ self.metric @ z)
        if size == 0.0:
            return 0.0
        inflation, largest, total = np.exp(log_inflation), self.precisions.max(), self.precisions.sum()
        upper = (size * largest + np.sqrt((size * largest) ** 2 + 4.0 * total * size * inflation)) / (2.0 * total)

        def excess(log_t: float) -> float:
            t = np.exp(log_t)
            return float(np.log(np.sum(t * t * self.precisions / (inflation + t * self.precisions)) / size))

        lower = np.log(size / self.precisions.size)
        return float(np.exp(brentq(excess, lower - 1e-6, np.log(upper) + 1e-6, xtol=1e-14, rtol=1e-14)))

    def term(self, z: Array, log_inflation: float) -> tuple[float, Array]:
        """Value of the further term at its best scale, and its gradient in z and the log inflation, ``(k + 1,)``."""
        t = self.variance(z, log_inflation)
        if t == 0.0:
            return 0.0, np.zeros(z.size + 1)
        ratio = t * self.precisions * np.exp(-log_inflation)
        value = -0.5 * float(z @ self.metric @ z) / t - 0.5 * float(np.sum(np.log1p(ratio)))
        return value, np.append(-(self.metric @ z) / t, 0.5 * np.sum(ratio / (1.0 + ratio)))
