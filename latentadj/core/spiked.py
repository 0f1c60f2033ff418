"""Strength and accuracy of a component, read from the eigenvalues behind it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from latentadj.core.matrix import Array


@dataclass(frozen=True, slots=True)
class Spike:
    """A component of a signal-plus-noise matrix.

    Attributes
    ----------
    strength : float
        Estimated squared singular value of the signal.
    accuracy : float
        Product of the squared cosines between the estimated and the true singular vectors, left and right.
    """

    strength: float
    accuracy: float

    def improves(self, eigenvalue: float) -> bool:
        """Tell whether removing the estimated component takes away more than it adds (Frobenius norm)."""
        return eigenvalue < 4.0 * self.strength * self.accuracy


def spike_behind(eigenvalue: float, rest: Array, n_features: int) -> Spike:
    """Estimate the signal under one sample eigenvalue from the eigenvalues that follow it.

    Parameters
    ----------
    eigenvalue : float
        Above all of `rest`.
    rest : ndarray of shape (n_rest,)
        The smaller eigenvalues of the sample Gram matrix, zeros of the structure included.
    n_features : int
        Features left beside the component.

    Returns
    -------
    Spike
        All zero when the eigenvalue does not stand apart.

    Notes
    -----
    With ``v(z)`` the mean of ``1 / (z - l)`` over the sample side and ``u(z)`` that over the feature side (the
    same eigenvalues with as many zeros as there are more features), ``D = z u v``; the strength is ``1 / D`` and
    the squared cosines are ``-u / (D' strength)`` and ``-v / (D' strength)``. The estimated component
    ``s a b'`` with ``s^2`` the sample eigenvalue lowers the squared error of the remainder exactly when
    ``s^2 < 4 strength cos^2 cos^2``.

    References
    ----------
    Benaych-Georges and Nadakuditi (2012), Journal of Multivariate Analysis 111, 120-135, theorems 2.8 and 2.9;
    Dobriban and Owen (2019), JRSS B 81, 163-183, section 4.3.

    Examples
    --------
    >>> spike = spike_behind(500.0, np.linspace(120.0, 80.0, 30), 100)
    >>> round(spike.strength), spike.improves(500.0)
    (372, True)
    """
    if rest.size == 0 or n_features < 1 or eigenvalue <= rest[0] * (1 + 1e-12):
        return Spike(0.0, 0.0)
    resolvent = 1.0 / (eigenvalue - rest)
    more = n_features - rest.size
    v, v_slope = resolvent.mean(), -np.mean(resolvent**2)
    u = (resolvent.sum() + more / eigenvalue) / n_features
    u_slope = -(np.sum(resolvent**2) + more / eigenvalue**2) / n_features
    transform = eigenvalue * u * v
    slope = u * v + eigenvalue * (u_slope * v + u * v_slope)
    return Spike(float(1.0 / transform), float(u * v * transform**2 / slope**2))
