"""The bootstrap of a whole analysis: factors, link, refit and tests are made anew in every draw."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from latentadj.core.matrix import Array
from latentadj.core.resampling_pvalues import Exceedances
from latentadj.core.resampling_quantile import UpperQuantile
from latentadj.resampling.analysis import Analysis
from latentadj.resampling.permutation import analysis_scores
from latentadj.resampling.replicates import replicates
from latentadj.resampling.subject import Subject
from latentadj.results import AdjustmentResult

Labels = NDArray[np.intp]
Progress = Callable[[int, int], None]


@dataclass
class AnalysedDraws:
    """Analyses of data sets that are drawn about a result.

    Parameters
    ----------
    analysis : Analysis
    subject : Subject
        Of its result.
    scheme : {"wild", "residual"}
    n_draws : int
        About the estimate, and under the null hypothesis of each test.
    clusters : ndarray of int, shape (n_samples,), or None
    n_factors : int or None
        None to choose their number anew in every draw.
    rng : numpy.random.Generator
        The estimate and all tests see the same multipliers, or places.
    progress : callable or None
        Called with the number of finished analyses and of all.
    """

    analysis: Analysis
    subject: Subject
    scheme: str
    n_draws: int
    clusters: Labels | None
    n_factors: int | None
    rng: np.random.Generator
    progress: Progress | None = None
    used: list[int] = field(default_factory=list, init=False)

    def __post_init__(self) -> None:
        self.seed = self.rng.integers(0, 2**63, size=4)

    def half_widths(self, level: float) -> Array:
        """Half the widths of symmetric percentile-t intervals, ``(n_features, T)``, from draws about the estimate.

        Notes
        -----
        Quantiles of ``|b* - b| / se*``, times ``se``: of a draw's estimate about the one its data were made from.
        """
        tests = self.analysis.result.tests
        largest = [UpperQuantile(self.n_draws, level, len(column)) for column in tests.estimate.T]
        about = self.subject.geometry(0).full
        for again in self._analyses(about):
            with np.errstate(invalid="ignore", divide="ignore"):
                size = np.abs(again.tests.estimate - tests.estimate) / again.tests.std_error
            for quantile, column in zip(largest, size.T, strict=True):
                quantile.add(column)
        found: Array = np.column_stack([quantile.value() for quantile in largest]) * tests.std_error
        return np.where(np.isfinite(tests.std_error), found, np.nan)

    def exceedances(self) -> list[Exceedances]:
        """Compare each test with its values in draws in which its null hypothesis holds."""
        observed = analysis_scores(self.analysis.result, joint=False)[1]
        counts = [Exceedances(column) for column in observed.T]
        for test, count in enumerate(counts):
            for again in self._analyses(self.subject.geometry(test).reduced):
                count.add(analysis_scores(again, joint=False)[1].T[[test]])
        return counts

    def number_used(self) -> NDArray[np.intp]:
        """Factors that the draws so far were analysed with, a row of ``n_draws`` for each set of draws."""
        return np.array(self.used, dtype=np.intp).reshape(-1, self.n_draws)

    def _analyses(self, kept: Array) -> Iterator[AdjustmentResult]:
        """Run the analysis on draws about what a model with the basis `kept` fits."""
        result, rng = self.analysis.result, np.random.default_rng(self.seed)
        about = replicates(result, self.subject, kept, self.scheme, self.clusters)
        for _ in range(self.n_draws):
            again = self.analysis.again(about.draw(rng), result.design, self.n_factors)
            self.used.append(again.n_factors)
            if self.progress is not None:
                self.progress(len(self.used), self.n_draws * (len(self.subject.names) + 1))
            yield again
