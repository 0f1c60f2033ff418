"""Bootstrap tests and intervals of an adjusted regression."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from latentadj.core.matrix import Array
from latentadj.core.passes import one_blas_thread
from latentadj.core.regression import design_basis
from latentadj.core.resampling_draws import Draws, GatherDraws, MultiplierDraws, multipliers, resamples
from latentadj.core.resampling_pvalues import Exceedances
from latentadj.core.sandwich import SandwichScores, sandwich_scores
from latentadj.estimators import AdjustedRegression
from latentadj.exceptions import InputError, MethodError
from latentadj.factors import random_generator
from latentadj.resampling.analysed_draws import AnalysedDraws, Progress
from latentadj.resampling.analysis import Analysis
from latentadj.resampling.bootstrap_result import BootstrapResult
from latentadj.resampling.held import chunks, observed_statistics, statistics
from latentadj.resampling.permutation import analysis_scores, check_draws
from latentadj.resampling.subject import Subject, sample_labels, subject_of

SCHEMES = ("wild", "residual")
Labels = NDArray[np.intp]


def bootstrap(
    X: Any,
    formula: Any = None,
    sample_data: pd.DataFrame | None = None,
    *,
    n_bootstrap: int = 999,
    scheme: str = "wild",
    clusters: Any = None,
    level: float = 0.95,
    rerun: bool = False,
    reestimate_number: bool = False,
    estimator: AdjustedRegression | None = None,
    random_state: Any = 0,
    progress: Progress | None = None,
    **options: Any,
) -> BootstrapResult:
    """Test every feature, and make confidence intervals, by the bootstrap.

    Parameters
    ----------
    X : array-like, DataFrame, AnnData or AdjustmentResult
        The data, as for `adjust`; or a result, whose factors are then held.
    formula, sample_data
        As for `adjust`.
    n_bootstrap : int, default=999
    scheme : {"wild", "residual"}, default="wild"
        "wild" multiplies the residuals of samples, or clusters, by random numbers and divides by sandwich errors:
        for unequal variances and correlated samples. "residual" draws residuals with replacement, for noise that is
        alike in all samples but not normal.
    clusters : str or array-like of shape (n_samples,), optional
        Clusters of samples, labels or a column of the sample table; for "wild" only.
    level : float, default=0.95
        Of the intervals.
    rerun : bool, default=False
        Run the whole analysis on every draw: factors, link, refit and test. Otherwise the factors of the analysis are
        taken as known and held, which takes seconds. With T tested columns, ``(T + 1) n_bootstrap`` analyses.
    reestimate_number : bool, default=False
        With `rerun`, choose the number of factors anew in every draw too.
    estimator : AdjustedRegression, optional
        How to analyse, in place of the options of `adjust`.
    random_state : int or Generator, default=0
        Of the draws; `adjust` keeps its own default.
    progress : callable, optional
        Called with the number of finished analyses and of all, with `rerun`.
    **options
        Of `adjust`.

    Returns
    -------
    BootstrapResult

    Raises
    ------
    MethodError
        An unknown scheme, clusters for "residual", or an analysis that is not least squares with one design.
    InputError
        Labels or a level that cannot be used, or a result with ``rerun=True``.

    Notes
    -----
    p-values come from draws in which the null hypothesis holds, intervals (symmetric percentile-t) from draws about
    the estimate. The draws are shared by all features, so that their correlations enter the pooled and the family-wise
    p-values. Multipliers are -1 or 1, or Webb's six points where there are at most twelve clusters. Davison and
    Hinkley (1997), chapter 6; Liu (1988); Cameron, Gelbach and Miller (2008); Webb (2023), Canadian Journal of
    Economics 56:839. Errors are CR2 or HC2, or those of the result's `RobustLinearModel`.

    With `rerun` the errors are those of the analysis, and new data are made around its model with the estimated
    factors in it. For intervals that model is the whole one; for p-values the tested column is taken out and the rest,
    factors included, is fitted again: the null hypothesis holds, hidden factors keep their association with the tested
    variable, and other tested columns keep their effects. p-values compare normal scores of the analysis' p-values.

    No bootstrap repairs an analysis that leaves the confounding in: its draws are as confounded as the data, and its
    intervals are about its own estimates. With hidden factors (R2 0.5 with the primary variable; 40 samples, 500
    features, 200 draws) and `rerun`, the plain regression had a type-I error of 0.60 and intervals of 95 % covered in
    0.40, the same as without the bootstrap; CATE 0.047 and 0.94; SVA 0.035 and 0.94 (in two of ten studies its factors
    jumped from draw to draw, and hardly any p-value was small). Where the analysis is right its own tests do as well;
    draws help where the noise is not what it assumes: with a small group three times as noisy, CATE had 0.16 by
    moderated tests and 0.056 by "wild" draws.

    Examples
    --------
    >>> import latentadj as la
    >>> from latentadj.simulation import Scenario, simulate
    >>> study = simulate(Scenario(n_samples=30, n_features=100, n_factors=1), 0)
    >>> found = bootstrap(study.X, study.design, method="cate", n_factors=1, n_bootstrap=199)
    >>> list(found.tidy().columns[2:6])
    ['estimate', 'std_error', 'conf_low', 'conf_high']
    """
    check_draws(scheme, n_bootstrap, SCHEMES)
    if not 0.0 < level < 1.0:
        raise InputError(f"level={level!r}; the coverage of the intervals must lie between 0 and 1.")
    analysis = Analysis.of(X, formula, sample_data, estimator, options)
    result, subject = analysis.result, subject_of(analysis.result)
    labels = sample_labels(clusters, "clusters", result)
    if labels is not None and scheme == "residual":
        raise MethodError("Residuals are drawn one by one with scheme='residual'; use scheme='wild' with clusters.")
    rng = random_generator(random_state)
    if rerun:
        number = None if reestimate_number else result.num_factors.n_factors
        draws = AnalysedDraws(analysis, subject, scheme, n_bootstrap, labels, number, rng, progress)
        return _of_analyses(draws, level)
    plan = _Plan(subject, scheme, n_bootstrap, labels, rng)
    parts = [plan.test(i, result.fit.estimate(subject.contrasts[i])[:, 0], level) for i in range(len(subject.names))]
    estimate, std_error, statistic, half, *p_values = (np.column_stack(part) for part in zip(*parts, strict=True))
    return BootstrapResult(
        names=subject.names,
        feature_ids=result.feature_ids,
        estimate=estimate,
        std_error=std_error,
        statistic=statistic,
        conf_low=estimate - half,
        conf_high=estimate + half,
        p_value=p_values[0],
        p_pooled=p_values[1],
        p_max=p_values[2],
        n_bootstrap=n_bootstrap,
        scheme=scheme,
        level=level,
        result=result,
    )


def _of_analyses(draws: AnalysedDraws, level: float) -> BootstrapResult:
    """Run all analyses and put together what they say."""
    result, tests = draws.analysis.result, draws.analysis.result.tests
    half, counts = draws.half_widths(level), draws.exceedances()
    return BootstrapResult(
        names=draws.subject.names,
        feature_ids=result.feature_ids,
        estimate=tests.estimate,
        std_error=tests.std_error,
        statistic=analysis_scores(result, joint=False)[1],
        conf_low=tests.estimate - half,
        conf_high=tests.estimate + half,
        p_value=np.column_stack([count.p_value() for count in counts]),
        p_pooled=np.column_stack([count.p_pooled() for count in counts]),
        p_max=np.column_stack([count.p_max() for count in counts]),
        n_bootstrap=draws.n_draws,
        scheme=draws.scheme,
        level=level,
        result=result,
        rerun=True,
        n_factors=draws.number_used(),
    )


class _Plan:
    """The draws and the errors of one bootstrap."""

    def __init__(
        self, subject: Subject, scheme: str, n_draws: int, clusters: Labels | None, rng: np.random.Generator
    ) -> None:
        self.subject, self.scheme, self.n_draws, self.rng = subject, scheme, n_draws, rng
        self.groups = np.arange(len(subject.design)) if clusters is None else clusters
        self.sandwich = _errors(subject, clusters) if scheme == "wild" else None
        self.seed = rng.integers(0, 2**63, size=4)

    @one_blas_thread()
    def test(self, test: int, estimate: Array, level: float) -> tuple[Array, ...]:
        """Estimate, error, statistic, half the interval's width and three kinds of p-values, ``(n_features,)`` each."""
        rng = np.random.default_rng(self.seed)
        observed = observed_statistics(self.subject, test, self.sandwich)
        counts = Exceedances(observed)
        for part in chunks(self.n_draws, len(observed)):
            counts.add(statistics(self.subject, test, self._draws(part, rng), self.sandwich))
        about = self._draws(self.n_draws, rng)
        quantile = statistics(self.subject, test, about, self.sandwich, null_imposed=False, level=level)[0]
        with np.errstate(invalid="ignore", divide="ignore"):
            error = estimate / observed
        half = np.where(np.isnan(observed), np.nan, quantile * error)
        return estimate, error, observed, half, counts.p_value(), counts.p_pooled(), counts.p_max()

    def _draws(self, n_draws: int, rng: np.random.Generator) -> Draws:
        if self.scheme == "residual":
            return GatherDraws(resamples(n_draws, len(self.groups), rng), replacement=True)
        return MultiplierDraws(multipliers(n_draws, self.groups, rng))


def _errors(subject: Subject, clusters: Labels | None) -> SandwichScores:
    """Sandwich errors of the result, or the usual ones of a kind for the clusters."""
    if subject.sandwich is not None and clusters is None:
        return subject.sandwich
    return sandwich_scores(design_basis(subject.design), "hc2" if clusters is None else "cr2", clusters)
