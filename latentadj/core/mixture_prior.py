"""Unimodal mixtures around zero as priors of effects, and what a noisy estimate of the effect looks like under them."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from latentadj.core.interval_moments import density_slopes, log_density, log_interval_mass
from latentadj.core.matrix import Array

#: Step between the scales of a grid.
GRID_STEP = float(np.sqrt(2.0))
#: Mixture families: normals, symmetric uniforms, and uniforms that start or end at zero.
FAMILIES = ("normal", "uniform", "halfuniform")


@dataclass(frozen=True, slots=True)
class MixturePrior:
    """A mixture of a point mass at zero and normal or uniform components.

    Attributes
    ----------
    family : {"normal", "uniform", "halfuniform"}
    lower, upper : ndarray of shape (M,)
        Bounds of the uniform components; minus and plus the standard deviation of normal ones. The point mass has
        both at 0 and comes first.
    weights : ndarray of shape (M,)
        Proportions, sum 1.
    """

    family: str
    lower: Array
    upper: Array
    weights: Array

    @property
    def size(self) -> int:
        """Number of components."""
        return int(self.weights.size)

    @property
    def is_point(self) -> Array:
        """Which component is the point mass, ``(M,)`` of bool."""
        return np.asarray(self.lower == self.upper)

    @property
    def null_weight(self) -> float:
        """Proportion of the point mass: the estimated share of features without effect."""
        return float(self.weights[self.is_point].sum())

    @property
    def variance(self) -> float:
        """Variance of the effects under the prior."""
        mean, second = 0.5 * (self.lower + self.upper), (self.lower**2 + self.lower * self.upper + self.upper**2) / 3.0
        if self.family == "normal":
            return float(self.weights @ self.upper**2)
        return float(self.weights @ second - (self.weights @ mean) ** 2)

    def with_weights(self, weights: Array) -> MixturePrior:
        """Return the same components in other proportions."""
        return replace(self, weights=weights)

    def support(self, least: float = 0.0) -> MixturePrior:
        """Return the components with more weight than `least`, proportions rescaled to sum 1."""
        kept = self.weights > least
        weights = self.weights[kept] / self.weights[kept].sum()
        return MixturePrior(self.family, self.lower[kept], self.upper[kept], weights)


def scale_grid(estimate: Array, std_error: Array, *, step: float = GRID_STEP) -> Array:
    """Scales that a mixture needs so that a finer or wider grid would fit no better.

    Parameters
    ----------
    estimate, std_error : ndarray of shape (m,)
        Finite; standard errors positive.
    step : float
        Ratio of neighbouring scales, above 1.

    Returns
    -------
    ndarray of shape (M - 1,)
        Increasing; from a tenth of the smallest standard error to twice the largest effect beyond its error.

    Notes
    -----
    The grid of Stephens (2017), Biostatistics 18:275. With no estimate larger than its error the largest scale is 8
    times the smallest.

    Examples
    --------
    >>> scale_grid(np.array([0.0, 5.0]), np.array([1.0, 3.0]), step=4.0).round(3)
    array([0.031, 0.125, 0.5  , 2.   , 8.   ])
    """
    smallest = float(np.min(std_error)) / 10.0
    excess = float(np.max(estimate**2 - std_error**2))
    largest = 2.0 * np.sqrt(excess) if excess > 0 else 8.0 * smallest
    n_steps = max(int(np.ceil(np.log(largest / smallest) / np.log(step))), 0)
    return np.asarray(largest * step ** np.arange(-n_steps, 1.0))


def doubling_variance_grid(estimate: Array, std_error: Array) -> Array:
    """Grid of variances of the R package vicar: doubling from a hundredth of the smallest error variance.

    Parameters
    ----------
    estimate, std_error : ndarray of shape (m,)
        Finite; standard errors positive.

    Returns
    -------
    ndarray of shape (s,)
        The last one is the first beyond 16 times the largest squared effect in excess of its error variance.

    Examples
    --------
    >>> doubling_variance_grid(np.array([1.5]), np.array([1.0])).round(2)[[0, 1, -1]]
    array([1.000e-02, 2.000e-02, 2.048e+01])
    """
    smallest = float(np.min(std_error**2)) / 100.0
    largest = 16.0 * float(np.max(estimate**2 - std_error**2))
    n_doublings = int(np.floor(np.log2(largest / smallest))) + 1 if largest >= smallest else 0
    return np.asarray(smallest * 2.0 ** np.arange(n_doublings + 1.0))


def mixture_components(family: str, scales: Array) -> MixturePrior:
    """Point mass at zero and the components of a family with given scales, in equal proportions.

    Parameters
    ----------
    family : {"normal", "uniform", "halfuniform"}
    scales : ndarray of shape (s,)
        Standard deviations of normals; half-widths of symmetric uniforms; widths of half-uniforms, of which there is
        a negative and a positive one for each.

    Returns
    -------
    MixturePrior
        1 + s components, or 1 + 2 s for half-uniforms.

    Examples
    --------
    >>> mixture_components("halfuniform", np.array([1.0, 2.0])).lower
    array([ 0., -1., -2.,  0.,  0.])
    """
    zero = np.zeros(1)
    if family == "halfuniform":
        none = np.zeros_like(scales)
        lower, upper = np.concatenate([zero, -scales, none]), np.concatenate([zero, none, scales])
    else:
        lower, upper = np.concatenate([zero, -scales]), np.concatenate([zero, scales])
    return MixturePrior(family, lower, upper, np.full(lower.size, 1.0 / lower.size))


def log_component_densities(prior: MixturePrior, x: Array, scale: Array, df: Array) -> Array:
    """Log marginal density of each estimate under each component.

    Parameters
    ----------
    prior : MixturePrior
        Its weights are not used.
    x : ndarray of shape (m,)
        Estimates.
    scale : ndarray of shape (m,)
        Standard errors, positive.
    df : ndarray, 0-d or of shape (m,)
        Degrees of freedom of the errors; must be infinite for normal components.

    Returns
    -------
    ndarray of shape (m, M)

    Examples
    --------
    >>> prior = mixture_components("normal", np.array([1.0]))
    >>> log_component_densities(prior, np.array([0.0]), np.array([1.0]), np.array(np.inf)).round(3)
    array([[-0.919, -1.266]])
    """
    if prior.family == "normal":
        spread = np.sqrt(prior.upper**2 + scale[:, None] ** 2)
        return log_density(x[:, None] / spread, np.array(np.inf)) - np.log(spread)
    out = np.empty((x.size, prior.size))
    for k, (lower, upper) in enumerate(zip(prior.lower, prior.upper)):
        if lower == upper:
            out[:, k] = log_density(x / scale, df) - np.log(scale)
        else:
            mass = log_interval_mass((x - upper) / scale, (x - lower) / scale, df)
            out[:, k] = mass - np.log(upper - lower)
    return out


def scaled_likelihood(log_densities: Array) -> tuple[Array, Array]:
    """Densities with each row divided by its largest, and the logs of those.

    Parameters
    ----------
    log_densities : ndarray of shape (m, M)

    Returns
    -------
    likelihood : ndarray of shape (m, M)
    log_scale : ndarray of shape (m,)
    """
    log_scale = log_densities.max(axis=1)
    return np.exp(log_densities - log_scale[:, None]), log_scale


def component_slopes(
    prior: MixturePrior, x: Array, scale: Array, df: Array, log_densities: Array
) -> tuple[Array, Array, Array]:
    """Derivatives of the marginal densities of all components, relative to the densities.

    Parameters
    ----------
    prior, x, scale, df
        As in `log_component_densities`.
    log_densities : ndarray of shape (m, M)
        What that function returned.

    Returns
    -------
    first, second : ndarray of shape (m, M)
        ``f'/f`` and ``f''/f`` with respect to x.
    by_scale : ndarray of shape (m, M)
        Derivative of log f with respect to ``log(scale)``.

    Examples
    --------
    >>> prior = mixture_components("normal", np.array([1.0]))
    >>> x, scale, df = np.array([1.0]), np.array([1.0]), np.array(np.inf)
    >>> first, second, by_scale = component_slopes(prior, x, scale, df, log_component_densities(prior, x, scale, df))
    >>> first, by_scale
    (array([[-1. , -0.5]]), array([[ 0.  , -0.25]]))
    """
    if prior.family == "normal":
        variance = prior.upper**2 + scale[:, None] ** 2
        ratio = x[:, None] / variance
        second = ratio**2 - 1.0 / variance
        return -ratio, second, second * scale[:, None] ** 2
    columns = [_uniform_slopes(*bounds, x, scale, df, log_densities[:, k]) for k, bounds in enumerate(_bounds(prior))]
    first, second, by_scale = (np.column_stack(part) for part in zip(*columns))
    return first, second, by_scale


def _bounds(prior: MixturePrior) -> list[tuple[float, float]]:
    return [(float(a), float(b)) for a, b in zip(prior.lower, prior.upper)]


def _uniform_slopes(
    lower: float, upper: float, x: Array, scale: Array, df: Array, log_f: Array
) -> tuple[Array, Array, Array]:
    if lower == upper:
        first, second = density_slopes(x / scale, df)
        return first / scale, second / scale**2, -1.0 - first * x / scale
    at_upper, at_lower = (x - upper) / scale, (x - lower) / scale
    # densities at the two ends, relative to the component's own; f = mass / width
    end, begin = (np.exp(log_density(t, df) - log_f) / ((upper - lower) * scale) for t in (at_upper, at_lower))
    first = begin - end
    second = (begin * density_slopes(at_lower, df)[0] - end * density_slopes(at_upper, df)[0]) / scale
    return first, second, -(at_lower * begin - at_upper * end) * scale
