"""Stage 2, the number of factors: what a rule is and what rules share."""

from __future__ import annotations

from abc import ABC, abstractmethod

import numpy as np
from sklearn.base import BaseEstimator

from latentadj.core.matrix import Array
from latentadj.core.spectrum import ResidualSpectrum
from latentadj.exceptions import MethodError
from latentadj.problem import AdjustmentProblem
from latentadj.results.factors import RuleAnswer


class NumFactorsRule(BaseEstimator, ABC):  # type: ignore[misc]
    """A rule that says how many latent factors the residuals hold.

    Rules are plain settings: the constructor stores, `select` computes and leaves nothing behind.

    Attributes
    ----------
    scale : {"unit", None}
        Whether features are scaled to unit residual variance first.
    """

    scale: str | None = "unit"

    @property
    @abstractmethod
    def name(self) -> str:
        """Name of the rule in tables."""

    @abstractmethod
    def select(self, problem: AdjustmentProblem, limit: int, rng: np.random.Generator) -> RuleAnswer:
        """Apply the rule.

        Parameters
        ----------
        problem : AdjustmentProblem
        limit : int
            Largest answer that is allowed; a larger one is cut down to it.
        rng : numpy.random.Generator

        Returns
        -------
        RuleAnswer
        """


def check_scale(scale: str | None) -> None:
    """Check the option ``scale``.

    Raises
    ------
    MethodError
        If it is neither "unit" nor None.
    """
    if scale not in ("unit", None):
        raise MethodError(
            f'scale={scale!r} is unknown. Use scale="unit" (features scaled to unit residual variance) or '
            "scale=None (as they are)."
        )


def scale_words(scale: str | None) -> str:
    """Say in words on what features a rule works."""
    return "features scaled to unit residual variance" if scale == "unit" else "features as they are"


def feature_weights(problem: AdjustmentProblem, scale: str | None) -> Array | None:
    """Return each feature's factor ``(n_features,)`` for a scale, or None when features stay as they are."""
    return problem.unit_weights if scale == "unit" else None


def count_features(problem: AdjustmentProblem, scale: str | None) -> int:
    """Return the number of features that take part: with ``scale="unit"``, those that vary."""
    weights = feature_weights(problem, scale)
    return problem.n_features if weights is None else int(np.count_nonzero(weights))


def scaled_spectrum(problem: AdjustmentProblem, scale: str | None) -> ResidualSpectrum:
    """Return the problem's residual spectrum for a scale; made once per problem."""
    check_scale(scale)
    return problem.unit_spectrum if scale == "unit" else problem.spectrum


def leading_count(passed: np.ndarray) -> int:
    """Return how many of the leading entries are true.

    Parameters
    ----------
    passed : ndarray of bool, shape (n_tried,)

    Returns
    -------
    int

    Examples
    --------
    >>> leading_count(np.array([True, True, False, True]))
    2
    """
    return int(np.logical_and.accumulate(passed).sum())
