"""Where the spectrum of pure noise ends, from the sizes of the features: the limit of parallel analysis."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.optimize import brentq
from scipy.special import gammaincinv

from latentadj.core.matrix import Array

#: Mean, variance and skewness of the Tracy-Widom law of order 1.
_MEAN, _VARIANCE, _SKEWNESS = -1.2065335745820, 1.6077810345810, 0.29346452408


@dataclass(frozen=True, slots=True)
class NoiseEdge:
    """End of the spectrum of noise.

    Attributes
    ----------
    edge : float
        Limit of the largest eigenvalue of the sample Gram matrix.
    scale : float
        Unit in which the largest eigenvalue varies about it.
    """

    edge: float
    scale: float

    def bound(self, alpha: float | None) -> float:
        """Return what the largest eigenvalue exceeds with probability `alpha`; the edge itself for None."""
        return self.edge if alpha is None else self.edge + self.scale * tracy_widom_quantile(1.0 - alpha)


def tracy_widom_quantile(probability: float) -> float:
    """Quantile of the Tracy-Widom law of order 1, by a shifted gamma law with the same three moments.

    Parameters
    ----------
    probability : float
        Between 0 and 1; the approximation is good to 0.01 from 0.01 to 0.999.

    Returns
    -------
    float

    References
    ----------
    Chiani (2014), Journal of Multivariate Analysis 129, 69-81: the approximation.

    Examples
    --------
    >>> round(tracy_widom_quantile(0.95), 2)
    0.98
    """
    shape = 4.0 / _SKEWNESS**2
    unit = np.sqrt(_VARIANCE / shape)
    return float(_MEAN + unit * (gammaincinv(shape, probability) - shape))


def noise_edge(squares: Array, dimension: int) -> NoiseEdge:
    """Edge of the eigenvalues of ``sum_j y_j y_j'`` when every ``y_j`` has a given length and any direction.

    Parameters
    ----------
    squares : ndarray of shape (n_features,)
        Squared lengths of the features inside the space.
    dimension : int
        Dimension nu of the space (residual degrees of freedom).

    Returns
    -------
    NoiseEdge
        Zeros when nothing varies or there is no space.

    Notes
    -----
    For ``y_j`` normal with variance ``t_j`` the Gram matrix over nu has its upper edge at the minimum over
    ``0 < c < 1 / max t`` of ``1 / c + (1 / nu) sum_j t_j / (1 - c t_j)`` (Silverstein's equation, the form
    that deterministic parallel analysis uses). At the minimum ``c``,
    ``(1 / nu) sum_j (t_j c / (1 - t_j c))^2 = 1``, and the largest eigenvalue varies about the edge like a
    Tracy-Widom variable in units of ``nu^(-2/3) / c (1 + (1 / nu) sum_j (t_j c / (1 - t_j c))^3)^(1/3)``.

    Given their lengths the features are directions on a sphere instead: products vary less, by the factor
    ``nu / (nu + 2)``. That is the same as ``(nu + 2) / nu`` as many features with squares smaller by the inverse.
    Without it the edge is too high for small nu.

    References
    ----------
    Dobriban and Owen (2019), JRSS B 81, 163-183, section 3; El Karoui (2007), Annals of Probability 35, 663-714,
    theorem 1, for the unit.

    Examples
    --------
    >>> found = noise_edge(np.full(1000, 200.0), 200)
    >>> print(round(found.edge / (np.sqrt(1000) + np.sqrt(200)) ** 2, 3))
    0.997
    """
    squares = squares[squares > 0]
    if dimension < 1 or squares.size == 0:
        return NoiseEdge(0.0, 0.0)
    more = (dimension + 2) / dimension
    variance = squares / (dimension * more)
    c = _critical_point(variance, more / dimension)
    ratio = variance * c / (1.0 - variance * c)
    weight = more / dimension
    edge = (1.0 + weight * ratio.sum()) / c
    scale = dimension ** (-2.0 / 3.0) / c * (1.0 + weight * np.sum(ratio**3)) ** (1.0 / 3.0)
    return NoiseEdge(float(dimension * edge), float(dimension * scale))


def _critical_point(variance: Array, weight: float) -> float:
    """Solve ``weight * sum (t c / (1 - t c))^2 = 1`` on ``(0, 1 / max t)``."""
    relative = variance / variance.max()

    def excess(u: float) -> float:
        return float(weight * np.sum((relative * u / (1.0 - relative * u)) ** 2) - 1.0)

    root = np.sqrt(weight)
    largest = 1.0 / (1.0 + root)  # where the largest feature alone fulfils the equation
    smallest = 1.0 / (1.0 + root * np.sqrt(variance.size))  # where all features are as large as the largest
    if excess(smallest) >= 0.0:
        return float(smallest / variance.max())
    return float(brentq(excess, smallest, largest, xtol=1e-15, rtol=1e-13) / variance.max())
