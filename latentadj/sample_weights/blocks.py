"""Correlation of the noise of samples that share a block, estimated from all features."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator

from latentadj.core.matrix import Array
from latentadj.core.regression import design_basis
from latentadj.core.sample_correlation import BlockCorrelation, block_correlation, block_covariance
from latentadj.core.whitening import Whitening
from latentadj.data.annotations import resolve_annotation
from latentadj.exceptions import BlockCorrelationWarning, InputError
from latentadj.problem import AdjustmentProblem
from latentadj.sample_weights.components import component_counter

#: Rounds end when the correlation changes by less, or after this many.
SETTLED, MOST_ROUNDS = 0.005, 8


class BlockNoise(BaseEstimator):  # type: ignore[misc]
    """Samples of a block (a person, a litter, an array) have correlated noise, the same for all features.

    Parameters
    ----------
    blocks : array-like of shape (n_samples,) or Series indexed by sample ID
        Label of every sample's block.
    correlation : float or None, default=None
        Correlation within blocks; estimated by default.
    trim : float, default=0.15
        Share of the features left out at either end of the consensus.

    Attributes
    ----------
    correlation_ : float
        What was used in the last call of `whitening`.

    Notes
    -----
    Smyth, Michaud and Scott (2005), Bioinformatics 21:2067, with one difference: the correlation is estimated beside
    the hidden factors. A factor that follows the blocks (a processing date) would otherwise be taken for correlated
    noise, and correlated noise for factors. In turns, samples are brought to independent noise, the components of the
    residuals that stand out from noise are counted, and the correlation is estimated with these components in the
    design, until it settles.

    Examples
    --------
    >>> import latentadj as la
    >>> rng = np.random.default_rng(0)
    >>> person = np.repeat(np.arange(20), 2)
    >>> X = rng.normal(size=(20, 500))[person] + rng.normal(size=(40, 500))
    >>> res = la.adjust(X, la.Design.from_arrays(np.tile([0, 1], 20)), blocks=person)
    >>> res.n_factors, bool(abs(res.block_correlation - 0.5) < 0.05)
    (0, True)
    """

    def __init__(self, blocks: Any, *, correlation: float | None = None, trim: float = 0.15) -> None:
        self.blocks = blocks
        self.correlation = correlation
        self.trim = trim

    def whitening(
        self, problem: AdjustmentProblem, rng: np.random.Generator, sample_ids: Sequence[str] | None = None
    ) -> Whitening:
        """Return the map of the samples to independent noise; see `SampleWeights.whitening`.

        Raises
        ------
        InputError
            A wrong number of labels, or missing ones.
        DesignError
            With fewer than three residual degrees of freedom.

        Warns
        -----
        BlockCorrelationWarning
            When the blocks say nothing about a correlation: they are in the design, or hold one sample each.
        """
        labels = resolve_annotation("blocks", self.blocks, problem.n_samples, None, sample_ids)
        if labels is None or labels.ndim != 1:
            raise InputError("blocks must be one label per sample.")
        self.correlation_ = self._estimated(problem, labels, rng) if self.correlation is None else self.correlation
        return Whitening.from_covariance(block_covariance(labels, self.correlation_))

    def _estimated(self, problem: AdjustmentProblem, labels: Array, rng: np.random.Generator) -> float:
        first = block_correlation(problem.matrix, problem.basis, labels, trim=self.trim)
        if not first.estimable:
            _warn_not_estimable()
            return 0.0
        found = first.consensus
        for _ in range(MOST_ROUNDS):
            again = self._beside_factors(problem, labels, found, rng)
            if not again.estimable:
                break
            change, found = abs(again.consensus - found), again.consensus
            if change < SETTLED:
                break
        return found

    def _beside_factors(
        self, problem: AdjustmentProblem, labels: Array, correlation: float, rng: np.random.Generator
    ) -> BlockCorrelation:
        """Estimate the correlation with the components in the design that are left after one of `correlation`."""
        whitening = Whitening.from_covariance(block_covariance(labels, correlation))
        independent = problem.whitened(whitening)
        spectrum = independent.unit_spectrum
        k = component_counter(independent, rng)(spectrum.shares)
        components = whitening.undo(spectrum.vectors[:, :k])
        basis = design_basis(np.column_stack([problem.design.matrix, components]))
        return block_correlation(problem.matrix, basis, labels, trim=self.trim)


def _warn_not_estimable() -> None:
    warnings.warn(
        "The blocks say nothing about a correlation: they are in the design already, or hold one sample each. The "
        "correlation is taken as 0. Drop blocks=, or take the block out of the formula.",
        BlockCorrelationWarning,
        stacklevel=3,
    )
