"""How large the loadings of control features are beside what the factors leave of their effects."""

from __future__ import annotations

import numpy as np
from scipy.linalg import qr, solve_triangular

from latentadj.core.matrix import Array

#: 90th percentile of the Tracy-Widom law of order 1, to the digits of the reference implementation.
WIDTH = 0.45014


def size_ratios(effects: Array, loadings: Array) -> Array:
    """Median ratio of each factor's loading to the scaled remaining effect, over negative controls.

    Parameters
    ----------
    effects : ndarray of shape (n_controls,)
        Effects of the primary column, scaled to unit length, on the controls.
    loadings : ndarray of shape (n_controls, n_tried)
        Loadings of the controls on orthonormal factors, strongest first; ``n_tried < n_controls``.

    Returns
    -------
    ndarray of shape (n_tried,)
        Entry i - 1 is the median over controls c of ``|a_ci / r_c|``, where ``r_c`` is what remains of the effect
        of c after a regression of all other controls' effects on their first i loadings, with slope ``w``,
        divided by ``sqrt(1 + |w|^2)``.

    Notes
    -----
    If factor i is noise, loading and remainder have the same distribution and the ratio is near one. The
    regressions without control c follow from the one with it (leverages of a QR factorisation, which nests
    over i): the cost is ``n_controls n_tried^2`` and not ``n_controls`` regressions for every i.

    References
    ----------
    Gagnon-Bartsch, Jacob and Speed (2013), UC Berkeley Statistics technical report 820, on choosing K for RUV-4.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> a = rng.normal(size=(400, 2)) * [9.0, 1.0]
    >>> size_ratios(rng.normal(size=400), a).round(0)
    array([10.,  1.])
    """
    n_controls, n_tried = loadings.shape
    q, r = (np.asarray(part, dtype=np.float64) for part in qr(loadings, mode="economic"))
    inverse = np.asarray(solve_triangular(r, np.eye(n_tried)), dtype=np.float64)
    remainder, leverage = effects.copy(), np.zeros(n_controls)
    slope, influence = np.zeros(n_tried), np.zeros((n_controls, n_tried))
    ratios = np.empty(n_tried)
    for i in range(n_tried):
        along = float(q[:, i] @ effects)
        remainder -= along * q[:, i]
        leverage += q[:, i] ** 2
        slope += along * inverse[:, i]
        influence += np.outer(q[:, i], inverse[:, i])
        left_out = remainder / np.maximum(1.0 - leverage, np.finfo(float).tiny)
        slopes = slope @ slope - 2.0 * left_out * (influence @ slope)
        slopes += left_out**2 * np.einsum("ck,ck->c", influence, influence)
        with np.errstate(divide="ignore"):
            ratios[i] = np.median(np.abs(loadings[:, i]) * np.sqrt(1.0 + slopes) / np.abs(left_out))
    return ratios


def noise_ratio(n_samples: int, n_features: int) -> float:
    """Largest size of a loading on a noise factor, in noise standard deviations.

    Parameters
    ----------
    n_samples, n_features : int

    Returns
    -------
    float
        Root of the 90th percentile of the largest eigenvalue of a Wishart matrix over the number of features.

    References
    ----------
    Johnstone (2001), Annals of Statistics 29, 295-327, for centre and unit, with n - 1/2 in place of n and
    n - 1; Gagnon-Bartsch, Jacob and Speed (2013) for the use.

    Examples
    --------
    >>> round(noise_ratio(60, 1000), 4)
    1.2475
    """
    a, b = np.sqrt(n_samples - 0.5), np.sqrt(n_features - 0.5)
    unit = (a + b) * (1.0 / a + 1.0 / b) ** (1.0 / 3.0)
    return float(np.sqrt(((a + b) ** 2 + WIDTH * unit) / n_features))
