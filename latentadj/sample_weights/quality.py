"""Sample weights estimated from the residuals."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from sklearn.base import BaseEstimator

from latentadj.core.matrix import Array
from latentadj.core.sample_quality import SampleVariances, sample_variances
from latentadj.core.whitening import Whitening
from latentadj.exceptions import UnequalSamplesWarning
from latentadj.problem import AdjustmentProblem
from latentadj.sample_weights.components import component_counter

#: Logarithm of a relative variance from which on samples are taken to differ.
MATTERS = 0.2
#: Rounds of scaling the features anew end when no log variance changes by more, or after this many.
SETTLED, MOST_ROUNDS = 0.02, 3
#: A sample whose noise variance is this many times the typical one is worth a word to the user.
NOTEWORTHY = 4.0


class SampleQuality(BaseEstimator):  # type: ignore[misc]
    """Weigh every sample by one over its noise variance, estimated from all features.

    Parameters
    ----------
    prior_features : float, default=10
        Weight of the prior that all samples are alike, in features.
    n_draws : int, default=20
        Draws of noise that the factors set aside are counted against.

    Notes
    -----
    A sample, or a group, that is noisier than the rest is taken for several factors by components of the residuals,
    and makes pooled standard errors wrong even when all factors are known. Quality weights as in Ritchie et al. (2006,
    BMC Bioinformatics 7:261), with two differences: they are estimated beside the hidden factors, whose part in a
    sample's residuals is no noise, and by a moment equation that is solved for all samples at once; see
    `latentadj.core.sample_quality`. The cost beyond the residual spectrum does not depend on the number of features.

    Features are scaled to unit residual variance, and a noisy sample has more than its share in that variance, so that
    its noise is underestimated (by 6 % in a group of 12 in 60 with four times the variance). Samples that differ are
    therefore weighed, features scaled by the weighed residuals, and what is left is estimated again.

    The weights are common to all features: a group in which only some features are noisier is not made right by them.

    Examples
    --------
    >>> import latentadj as la
    >>> rng = np.random.default_rng(0)
    >>> spread = np.repeat([1.0, 3.0], [16, 4])[:, None]
    >>> X = rng.normal(size=(20, 500)) * spread
    >>> design = la.Design.from_arrays(np.tile([0, 1], 10))
    >>> res = la.adjust(X, design, method="none", sample_weights="quality")
    >>> bool(res.sample_weights.iloc[:16].min() > 5 * res.sample_weights.iloc[16:].max())
    True
    """

    def __init__(self, *, prior_features: float = 10.0, n_draws: int = 20) -> None:
        self.prior_features = prior_features
        self.n_draws = n_draws

    def whitening(
        self, problem: AdjustmentProblem, rng: np.random.Generator, sample_ids: Sequence[str] | None = None
    ) -> Whitening:
        """Return the map; see `SampleWeights.whitening`.

        Warns
        -----
        UnequalSamplesWarning
            For samples with more than four times the typical noise variance.
        """
        found = self.variances(problem, rng)
        if np.abs(np.log(found.shrunken())).max() > MATTERS:
            found = self._with_features_rescaled(problem, found, rng)
        variance = found.shrunken()
        _say_unequal(variance, sample_ids)
        weights = 1.0 / variance
        return Whitening.from_weights(weights / weights.mean())

    def _with_features_rescaled(
        self, problem: AdjustmentProblem, found: SampleVariances, rng: np.random.Generator
    ) -> SampleVariances:
        for _ in range(MOST_ROUNDS):
            weighed = problem.whitened(Whitening.from_weights(1.0 / found.variance))
            again = self.variances(weighed, rng)
            found = replace(again, variance=found.variance * again.variance)
            if np.abs(np.log(again.variance)).max() < SETTLED:
                break
        return found

    def variances(self, problem: AdjustmentProblem, rng: np.random.Generator) -> SampleVariances:
        """Return the samples' relative noise variances.

        Parameters
        ----------
        problem : AdjustmentProblem
        rng : numpy.random.Generator

        Returns
        -------
        SampleVariances
            Before shrinkage; all 1 when too few degrees of freedom are left to tell samples apart.
        """
        used, df = int(np.count_nonzero(problem.unit_weights)), problem.df_resid
        if df < 3 or used < df:
            return SampleVariances(np.ones(problem.n_samples), np.inf, 0, True, 0)
        spectrum = problem.unit_spectrum
        gram = (spectrum.vectors * spectrum.eigenvalues) @ spectrum.vectors.T / used
        count = component_counter(problem, rng, self.n_draws)
        return sample_variances(gram, problem.design.matrix, used, count, prior_features=self.prior_features)


def _say_unequal(variance: Array, sample_ids: Sequence[str] | None) -> None:
    noisy = np.flatnonzero(variance > NOTEWORTHY * np.median(variance))
    if not noisy.size:
        return
    worst = noisy[np.argsort(-variance[noisy], kind="stable")][:5]
    largest = variance.max() / np.median(variance)
    names = [str(i) if sample_ids is None else sample_ids[i] for i in worst]
    warnings.warn(
        f"{noisy.size} of {variance.size} samples have more than {NOTEWORTHY:g} times the typical noise variance "
        f"({', '.join(names)}{', ...' if noisy.size > 5 else ''}; the largest {largest:.0f} "
        "times). They are weighed down accordingly (result.sample_weights); look at them before you rely on them.",
        UnequalSamplesWarning,
        stacklevel=3,
    )
