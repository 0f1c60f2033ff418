"""Exponential families of generalised linear models, each with its usual link.

For every family the negative log-likelihood is convex in the linear predictor, so that Newton's method with step
halving finds the one optimum there is.
"""

from __future__ import annotations

from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, logit, xlogy

from latentadj.core.matrix import Array

#: Dispersions are kept above this: a Poisson variable to all digits that matter.
MIN_DISPERSION = 1e-10
#: Linear predictors are cut here on their way into exponentials; nothing that is measured comes near.
MAX_PREDICTOR = 300.0


class GLMFamily(Protocol):
    """What fitting needs of a family; arrays are ``(n_samples, width)``, dispersions ``(width,)``.

    Attributes
    ----------
    name : str
    requirement : str
        What the data must be, in words.
    known_scale : bool
        Whether the data cannot tell a dispersion of their own (single 0/1 outcomes).
    """

    name: str
    requirement: str
    known_scale: bool

    def accepts(self, y: Array) -> bool:
        """Whether all values are possible outcomes."""
        ...

    def start(self, y: Array) -> Array:
        """Linear predictor close to each single value."""
        ...

    def mean(self, eta: Array) -> Array:
        """Inverse link."""
        ...

    def score(self, y: Array, mu: Array, dispersion: Array) -> Array:
        """Derivative of the log-likelihood with respect to the linear predictor."""
        ...

    def curvature(self, y: Array, mu: Array, dispersion: Array) -> Array:
        """Minus the second derivative of the log-likelihood; never negative."""
        ...

    def weight(self, mu: Array, dispersion: Array) -> Array:
        """Expectation of the curvature."""
        ...

    def variance(self, mu: Array, dispersion: Array) -> Array:
        """Variance of an outcome."""
        ...

    def variance_slope(self, mu: Array, dispersion: Array) -> Array:
        """Derivative of the variance with respect to the mean."""
        ...

    def bias_shift(self, mu: Array, dispersion: Array) -> Array:
        """What one unit of leverage adds to an outcome in the bias-reducing score."""
        ...

    def loss(self, y: Array, eta: Array, mu: Array, dispersion: Array) -> Array:
        """Twice minus the log-likelihood, up to what does not depend on the mean; cheaper than the deviance."""
        ...

    def unit_deviance(self, y: Array, mu: Array, dispersion: Array) -> Array:
        """Twice the log-likelihood that each value loses against a perfect fit."""
        ...


class _LogLink:
    """What families with the logarithmic link share."""

    known_scale = False
    requirement = "whole numbers from 0 up (not normalised, not logged)"

    def accepts(self, y: Array) -> bool:
        """Whether all values are whole numbers from 0 up, or missing."""
        return bool(np.all((y >= 0) & (y == np.floor(y)) | np.isnan(y)))

    def start(self, y: Array) -> Array:
        """Logarithm of the value plus a sixth: finite at 0."""
        out: Array = np.log(y + 1.0 / 6.0)
        return out

    def mean(self, eta: Array) -> Array:
        """Exponential."""
        out: Array = np.exp(np.minimum(eta, MAX_PREDICTOR))
        return out


def _finite_range(loss: Array, eta: Array) -> Array:
    """Losses, infinite where the linear predictor was cut: no step may lead there."""
    return np.where(eta > MAX_PREDICTOR, np.inf, loss)


class Poisson(_LogLink):
    """Poisson counts with the logarithmic link.

    Examples
    --------
    >>> Poisson().unit_deviance(np.array([[0.0, 2.0]]), np.array([[1.0, 2.0]]), np.zeros(2))
    array([[2., 0.]])
    """

    name = "poisson"

    def score(self, y: Array, mu: Array, dispersion: Array) -> Array:
        """See `GLMFamily.score`."""
        return y - mu

    def curvature(self, y: Array, mu: Array, dispersion: Array) -> Array:
        """See `GLMFamily.curvature`."""
        return mu

    def weight(self, mu: Array, dispersion: Array) -> Array:
        """See `GLMFamily.weight`."""
        return mu

    def variance(self, mu: Array, dispersion: Array) -> Array:
        """See `GLMFamily.variance`."""
        return mu

    def variance_slope(self, mu: Array, dispersion: Array) -> Array:
        """See `GLMFamily.variance_slope`."""
        return np.ones_like(mu)

    def bias_shift(self, mu: Array, dispersion: Array) -> Array:
        """See `GLMFamily.bias_shift`."""
        return np.full_like(mu, 0.5)

    def loss(self, y: Array, eta: Array, mu: Array, dispersion: Array) -> Array:
        """See `GLMFamily.loss`."""
        return _finite_range(2.0 * (mu - y * eta), eta)

    def unit_deviance(self, y: Array, mu: Array, dispersion: Array) -> Array:
        """See `GLMFamily.unit_deviance`."""
        with np.errstate(divide="ignore"):
            out: Array = 2.0 * (xlogy(y, y) - xlogy(y, mu) - (y - mu))
        return out


class NegativeBinomial(_LogLink):
    """Negative binomial counts, variance ``mu + dispersion * mu^2``, with the logarithmic link.

    Examples
    --------
    >>> NegativeBinomial().variance(np.array([[2.0]]), np.array([0.5]))
    array([[4.]])
    """

    name = "negative_binomial"

    def score(self, y: Array, mu: Array, dispersion: Array) -> Array:
        """See `GLMFamily.score`."""
        out: Array = (y - mu) / (1.0 + dispersion * mu)
        return out

    def curvature(self, y: Array, mu: Array, dispersion: Array) -> Array:
        """See `GLMFamily.curvature`."""
        out: Array = mu * (1.0 + dispersion * y) / (1.0 + dispersion * mu) ** 2
        return out

    def weight(self, mu: Array, dispersion: Array) -> Array:
        """See `GLMFamily.weight`."""
        out: Array = mu / (1.0 + dispersion * mu)
        return out

    def variance(self, mu: Array, dispersion: Array) -> Array:
        """See `GLMFamily.variance`."""
        out: Array = mu * (1.0 + dispersion * mu)
        return out

    def variance_slope(self, mu: Array, dispersion: Array) -> Array:
        """See `GLMFamily.variance_slope`."""
        out: Array = 1.0 + 2.0 * dispersion * mu
        return out

    def bias_shift(self, mu: Array, dispersion: Array) -> Array:
        """See `GLMFamily.bias_shift`."""
        out: Array = 0.5 * (1.0 + dispersion * mu)
        return out

    def loss(self, y: Array, eta: Array, mu: Array, dispersion: Array) -> Array:
        """See `GLMFamily.loss`."""
        phi = np.maximum(dispersion, MIN_DISPERSION)
        return _finite_range(2.0 * ((y + 1.0 / phi) * np.log1p(phi * mu) - y * eta), eta)

    def unit_deviance(self, y: Array, mu: Array, dispersion: Array) -> Array:
        """See `GLMFamily.unit_deviance`."""
        phi = np.maximum(dispersion, MIN_DISPERSION)
        with np.errstate(divide="ignore"):
            shared = np.log1p(phi * (y - mu) / (1.0 + phi * mu))
            out: Array = 2.0 * (xlogy(y, y) - xlogy(y, mu) - (y + 1.0 / phi) * shared)
        return out


class Binomial:
    """Shares of successes, or outcomes 0 and 1, with the logit link; a share of t trials has weight t.

    Examples
    --------
    >>> Binomial().mean(np.zeros((1, 1)))
    array([[0.5]])
    """

    name = "binomial"
    requirement = "0 or 1, or whole numbers up to the trials given as trials="
    known_scale = True

    def accepts(self, y: Array) -> bool:
        """Whether all values are 0, 1 or missing."""
        return bool(np.all((y == 0) | (y == 1) | np.isnan(y)))

    def start(self, y: Array) -> Array:
        """Logit of the value pulled half way to one half."""
        out: Array = logit(0.25 + 0.5 * y)
        return out

    def mean(self, eta: Array) -> Array:
        """Logistic function."""
        out: Array = expit(eta)
        return out

    def score(self, y: Array, mu: Array, dispersion: Array) -> Array:
        """See `GLMFamily.score`."""
        return y - mu

    def curvature(self, y: Array, mu: Array, dispersion: Array) -> Array:
        """See `GLMFamily.curvature`."""
        return mu * (1.0 - mu)

    def weight(self, mu: Array, dispersion: Array) -> Array:
        """See `GLMFamily.weight`."""
        return mu * (1.0 - mu)

    def variance(self, mu: Array, dispersion: Array) -> Array:
        """See `GLMFamily.variance`."""
        return mu * (1.0 - mu)

    def variance_slope(self, mu: Array, dispersion: Array) -> Array:
        """See `GLMFamily.variance_slope`."""
        return 1.0 - 2.0 * mu

    def bias_shift(self, mu: Array, dispersion: Array) -> Array:
        """See `GLMFamily.bias_shift`."""
        return 0.5 - mu

    def loss(self, y: Array, eta: Array, mu: Array, dispersion: Array) -> Array:
        """See `GLMFamily.loss`."""
        out: Array = 2.0 * (np.logaddexp(0.0, eta) - y * eta)
        return out

    def unit_deviance(self, y: Array, mu: Array, dispersion: Array) -> Array:
        """See `GLMFamily.unit_deviance`."""
        with np.errstate(divide="ignore"):
            lost = xlogy(y, y) + xlogy(1.0 - y, 1.0 - y) - xlogy(y, mu) - xlogy(1.0 - y, 1.0 - mu)
        return np.asarray(2.0 * lost)


class Gaussian:
    """Normal outcomes with unit variance and the identity link: least squares.

    Examples
    --------
    >>> Gaussian().unit_deviance(np.array([[3.0]]), np.array([[1.0]]), np.zeros(1))
    array([[4.]])
    """

    name = "gaussian"
    requirement = "finite numbers"
    known_scale = False

    def accepts(self, y: Array) -> bool:
        """Whether all values are finite."""
        return bool(np.all(np.isfinite(y)))

    def start(self, y: Array) -> Array:
        """The value itself."""
        return y

    def mean(self, eta: Array) -> Array:
        """Identity."""
        return eta

    def score(self, y: Array, mu: Array, dispersion: Array) -> Array:
        """See `GLMFamily.score`."""
        return y - mu

    def curvature(self, y: Array, mu: Array, dispersion: Array) -> Array:
        """See `GLMFamily.curvature`."""
        return np.ones_like(mu)

    def weight(self, mu: Array, dispersion: Array) -> Array:
        """See `GLMFamily.weight`."""
        return np.ones_like(mu)

    def variance(self, mu: Array, dispersion: Array) -> Array:
        """See `GLMFamily.variance`."""
        return np.ones_like(mu)

    def variance_slope(self, mu: Array, dispersion: Array) -> Array:
        """See `GLMFamily.variance_slope`."""
        return np.zeros_like(mu)

    def bias_shift(self, mu: Array, dispersion: Array) -> Array:
        """See `GLMFamily.bias_shift`."""
        return np.zeros_like(mu)

    def loss(self, y: Array, eta: Array, mu: Array, dispersion: Array) -> Array:
        """See `GLMFamily.loss`."""
        out: Array = (y - eta) ** 2
        return out

    def unit_deviance(self, y: Array, mu: Array, dispersion: Array) -> Array:
        """See `GLMFamily.unit_deviance`."""
        out: Array = (y - mu) ** 2
        return out


GLM_FAMILIES: dict[str, GLMFamily] = {
    family.name: family for family in (Poisson(), NegativeBinomial(), Binomial(), Gaussian())
}


def possible_families(y: Array) -> NDArray[np.bool_]:
    """Tell whether values could be 0/1 outcomes and whether they could be counts, shape (2,)."""
    return np.array([GLM_FAMILIES["binomial"].accepts(y), GLM_FAMILIES["poisson"].accepts(y)])
