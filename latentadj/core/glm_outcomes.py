"""What counts and successes are like, before they are fitted."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from latentadj.core.glm_families import possible_families
from latentadj.core.matrix import Array, FeatureMatrix, FeatureView
from latentadj.core.pass_kernel import PassKernel


class OutcomeKernel(PassKernel):
    """Looks what kind of outcomes the data can be, and adds up every sample's values.

    Parameters
    ----------
    n_samples : int
    trials : FeatureMatrix of shape (n_samples, n_features), optional
        Trials behind each number of successes.
    """

    reads = {"trials": 1}
    sums = ("contradicted", "total")

    def __init__(self, n_samples: int, trials: FeatureMatrix | None = None) -> None:
        self.trials = trials
        self.contradicted = np.zeros(2, dtype=np.intp)
        self.total = np.zeros(n_samples)

    def update(self, block: Array, columns: slice) -> None:
        """Take in one block; values that are missing say nothing."""
        found, seen = possible_families(block), np.isfinite(block)
        if self.trials is not None:
            trials = np.nan_to_num(self.trials.read(columns), nan=0.0)
            found[0] = found[1] and bool(np.all(np.where(seen, block, 0.0) <= trials))
        self.contradicted += ~found
        self.total += np.where(seen, block, 0.0).sum(axis=1)

    def result(self) -> tuple[NDArray[np.bool_], Array]:
        """Return whether the data can be (0/1 outcomes or successes, counts), and the samples' totals."""
        return self.contradicted == 0, self.total


class LevelKernel(PassKernel):
    """Mean of every feature's counts after size factors, or share of successes, and which features do not vary.

    Parameters
    ----------
    offset : ndarray of shape (n_samples,)
        Logarithms of size factors.
    n_features : int
    trials : FeatureMatrix of shape (n_samples, n_features), optional
    """

    reads = {"trials": 1}
    rows = {"level": 0, "constant": 0}

    def __init__(self, offset: Array, n_features: int, trials: FeatureMatrix | None = None) -> None:
        self.offset = offset
        self.trials = trials
        self.level = np.empty(n_features)
        self.constant = np.empty(n_features, dtype=bool)

    def update(self, block: Array, columns: slice) -> None:
        """Look at the features of one block; values that are missing take no part."""
        values = block if self.trials is None else _shares(block, self.trials.read(columns))
        seen = np.isfinite(values)
        count = np.maximum(seen.sum(axis=0), 1)
        adjusted = np.where(seen, values, 0.0) * np.exp(-self.offset)[:, None]
        self.level[columns] = adjusted.sum(axis=0) / count
        highest = np.where(seen, values, -np.inf).max(axis=0)
        self.constant[columns] = highest <= np.where(seen, values, np.inf).min(axis=0)

    def result(self) -> tuple[Array, NDArray[np.bool_]]:
        """Return the levels and whether features do not vary, both ``(n_features,)``."""
        return self.level, self.constant


def _shares(successes: Array, trials: Array) -> Array:
    out: Array = np.divide(successes, trials, out=np.full(successes.shape, np.nan), where=trials > 0)
    return out


@dataclass(frozen=True)
class SmoothedLogits(FeatureView):
    """Logits of shares of successes with half a success and half a failure added, made block by block.

    Parameters
    ----------
    base, trials : FeatureMatrix of shape (n_samples, n_features)
        A sample without trials of a feature gets the logit of all samples' trials together.

    Examples
    --------
    >>> from latentadj.core.matrix import ArrayMatrix
    >>> successes, trials = ArrayMatrix(np.array([[0.0], [5.0], [0.0]])), ArrayMatrix(np.array([[1.0], [10.0], [0.0]]))
    >>> SmoothedLogits(successes, trials).read(slice(0, 1)).round(3).T
    array([[-1.099,  0.   , -0.167]])
    """

    base: FeatureMatrix
    trials: FeatureMatrix
    reads = {"base": 1, "trials": 1}

    def read(self, columns: slice) -> Array:
        """Return the logits of a block; NaN where successes are missing."""
        successes = self.base.read(columns)
        trials = np.nan_to_num(self.trials.read(columns), nan=0.0)
        seen = trials > 0
        won = np.where(seen, successes, 0.0)
        together = np.log(np.nansum(won, axis=0) + 0.5) - np.log(np.nansum(trials - won, axis=0) + 0.5)
        return np.where(seen, np.log(won + 0.5) - np.log(trials - won + 0.5), together)
