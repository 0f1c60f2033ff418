"""Everything as a function of the number of factors, from one decomposition."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import ndtri
from scipy.stats import kstest

from latentadj.confounding import ConfoundingModel, NegativeControlRegression, RobustRegression
from latentadj.core.factor_analysis import FactorModel
from latentadj.core.matrix import Array
from latentadj.core.multiple import adjust_pvalues
from latentadj.core.robust import MAD_SCALE
from latentadj.core.spectrum import ResidualSpectrum
from latentadj.estimators.pipeline import primary_tests
from latentadj.exceptions import InputError
from latentadj.factors.rotation import linked_factors
from latentadj.inference import ModeratedT
from latentadj.num_factors.select import factor_limit
from latentadj.problem import AdjustmentProblem
from latentadj.refit import refit
from latentadj.results import AdjustmentResult, TestStatistics
from latentadj.results.factors import FactorEstimate, Subtraction

PATH_COLUMNS = (
    "n_factors", "term", "discoveries", "jaccard_previous", "jaccard_used", "median_z", "mad_z", "inflation",
    "control_uniformity", "mean_std_error", "effect_change", "r2",
)  # fmt: skip
#: Median of a chi-square variable with one degree of freedom.
MEDIAN_CHI2 = 0.45493642311957283
#: Numbers of factors that are tried unless the caller says otherwise.
DEFAULT_LONGEST = 20


@dataclass(frozen=True, eq=False)
class FactorPath:
    """Adjusted tests for 0, 1, ..., K factors.

    Attributes
    ----------
    terms : tuple of str, length T
    used : int
        Number of factors of the result the path was made for.
    estimate, std_error, p_value : ndarray of shape (K + 1, n_features, T)
    r2 : ndarray of shape (K + 1, T)
        Share of each tested column that the factors explain, given the other adjustment columns.
    controls : ndarray of bool, shape (n_features,), or None
    feature_ids : ndarray of shape (n_features,)
    """

    terms: tuple[str, ...]
    used: int
    estimate: Array
    std_error: Array
    p_value: Array
    r2: Array
    controls: NDArray[np.bool_] | None
    feature_ids: NDArray[np.object_]

    def table(self, level: float = 0.1) -> pd.DataFrame:
        """Summarise each number of factors.

        Parameters
        ----------
        level : float, default=0.1
            False discovery rate (Benjamini and Hochberg) of the hit lists.

        Returns
        -------
        pandas.DataFrame
            A row per number of factors and tested column: ``discoveries``; ``jaccard_previous`` and
            ``jaccard_used``, overlap of the hit list with the one before and with the one of the number in use;
            ``median_z``, ``mad_z`` and ``inflation`` (genomic inflation factor) of the statistics on the normal
            scale; ``control_uniformity``, p-value of a Kolmogorov-Smirnov test of the controls;
            ``mean_std_error`` over features relative to no factors; ``effect_change``, root mean square change of the
            estimates from the number before in units of their standard errors; ``r2`` of the column on the factors.
        """
        rows = [row for t, term in enumerate(self.terms) for row in self._rows(t, term, level)]
        return pd.DataFrame(rows, columns=list(PATH_COLUMNS)).sort_values(["term", "n_factors"], ignore_index=True)

    def _rows(self, t: int, term: str, level: float) -> Iterator[tuple[object, ...]]:
        p_value = self.p_value[:, :, t]
        hits = np.stack([adjust_pvalues(p, "bh") < level for p in p_value])
        spread = np.nanmean(self.std_error[:, :, t], axis=1)
        used = min(self.used, len(hits) - 1)
        for k, p in enumerate(p_value):
            z = _normal_scale(self.estimate[k, :, t], p)
            yield (
                k,
                term,
                int(hits[k].sum()),
                _jaccard(hits[k], hits[k - 1]) if k else np.nan,
                _jaccard(hits[k], hits[used]),
                float(np.nanmedian(z)),
                float(np.nanmedian(np.abs(z - np.nanmedian(z))) * MAD_SCALE),
                float(np.nanmedian(z**2) / MEDIAN_CHI2),
                self._uniformity(p),
                float(spread[k] / spread[0]),
                self._change(k, t) if k else np.nan,
                float(self.r2[k, t]),
            )

    def _uniformity(self, p: Array) -> float:
        if self.controls is None:
            return np.nan
        values = p[self.controls & np.isfinite(p)]
        return float(kstest(values, "uniform").pvalue) if values.size else np.nan

    def _change(self, k: int, t: int) -> float:
        moved = self.estimate[k, :, t] - self.estimate[k - 1, :, t]
        return float(np.sqrt(np.nanmean((moved / self.std_error[k, :, t]) ** 2)))


def factor_path(result: AdjustmentResult, longest: int | None = None) -> FactorPath:
    """Adjust for 0, 1, ..., K factors.

    Parameters
    ----------
    result : AdjustmentResult
        With its data at hand.
    longest : int, optional
        K; by default the larger of twice the number in use and 20, as far as degrees of freedom allow.

    Returns
    -------
    FactorPath

    Raises
    ------
    InputError
        For a result read from disk, which does not hold the data, one without tested columns, or a negative K.

    Notes
    -----
    Residual components nest, so that one decomposition and one pass over the data give every number of factors
    (method notes, identities 1 and 4). Components are those of the residuals scaled to unit variance, under the
    result's sample weights; the link is that of RUV-4 when the result's method rests on negative controls and that of
    CATE otherwise. At the number in use the path equals ``method="ruv4"`` to round-off; methods that go on iterating
    from these components (CATE's weights, SVA's rounds) end up close by.

    Examples
    --------
    >>> import latentadj as la
    >>> rng = np.random.default_rng(0)
    >>> z, y = rng.normal(size=40), np.repeat([0, 1], 20)
    >>> X = np.outer(z + y, rng.normal(size=500)) + rng.normal(size=(40, 500))
    >>> path = factor_path(la.adjust(X, y, method="cate"), longest=4)
    >>> path.table()["discoveries"].tolist()[1:]
    [0, 0, 0, 0]
    """
    problem = _problem(result)
    if not problem.primary_columns:
        raise InputError("Nothing was tested, so there is no path of tests over the number of factors.")
    longest = _longest(result, problem, longest)
    link = _link(result)
    spectrum = problem.unit_spectrum
    loadings = problem.project(spectrum.vectors[:, :longest])
    steps = [_step(problem, spectrum, loadings[:, :k], link) for k in range(longest + 1)]
    tests = [found for found, _ in steps]
    return FactorPath(
        terms=problem.design.primary_names,
        used=result.n_factors,
        estimate=np.stack([found.estimate for found in tests]),
        std_error=np.stack([found.std_error for found in tests]),
        p_value=np.stack([found.p_value for found in tests]),
        r2=np.stack([r2 for _, r2 in steps]),
        controls=result.controls,
        feature_ids=result.feature_ids,
    )


def _problem(result: AdjustmentResult) -> AdjustmentProblem:
    if result.matrix is None:
        raise InputError("The path over the number of factors needs the data, which a saved result does not hold.")
    problem = AdjustmentProblem(result.matrix, result.design, result.controls)
    whitening = result.estimate.whitening
    return problem if whitening is None else problem.whitened(whitening)


def _longest(result: AdjustmentResult, problem: AdjustmentProblem, longest: int | None) -> int:
    allowed = max(factor_limit(problem), min(result.n_factors, problem.df_resid - 1))
    if longest is None:
        return min(max(DEFAULT_LONGEST, 2 * result.n_factors), allowed)
    if longest < 0:
        raise InputError(f"longest={longest}; give a whole number from 0 up.")
    return min(longest, allowed)


def _link(result: AdjustmentResult) -> ConfoundingModel:
    return NegativeControlRegression(weighted=True) if result.identification == "controls" else RobustRegression()


def _step(
    problem: AdjustmentProblem, spectrum: ResidualSpectrum, loadings: Array, link: ConfoundingModel
) -> tuple[TestStatistics, Array]:
    """Tests with the leading components as factors, without reading the data."""
    k = loadings.shape[1]
    if k == 0:
        return primary_tests(problem.fit, problem, ModeratedT()), np.zeros(len(problem.primary_columns))
    df = problem.df_resid - k
    rss = np.where(problem.constant, 0.0, problem.sums.rss)
    psi = np.maximum(rss - np.einsum("mk,mk->m", loadings, loadings), 0.0) / df
    estimate = linked_factors(problem, FactorModel(spectrum.vectors[:, :k], loadings, psi, True, 1), link)
    fit = refit(problem, _subtracting(problem, estimate, loadings, psi, float(df)))
    return primary_tests(fit, problem, ModeratedT()), _r2(problem, estimate)


def _subtracting(
    problem: AdjustmentProblem, estimate: FactorEstimate, loadings: Array, psi: Array, df: float
) -> FactorEstimate:
    link = estimate.link
    if link is None:
        return estimate
    omega = link.omega
    ready = Subtraction(omega, psi, problem.primary_unscaled + omega @ omega.T, df, link.covariance)
    return FactorEstimate(estimate.scores, loadings=loadings, subtraction=ready)


def _r2(problem: AdjustmentProblem, estimate: FactorEstimate) -> Array:
    x = problem.primary_residual
    z = problem.nuisance_basis.project_out(estimate.scores)
    left = x - z @ np.linalg.lstsq(z, x)[0]
    out: Array = 1.0 - np.einsum("ij,ij->j", left, left) / np.einsum("ij,ij->j", x, x)
    return out


def _normal_scale(estimate: Array, p: Array) -> Array:
    out: Array = -np.sign(estimate) * ndtri(np.maximum(p, 1e-300) / 2.0)
    return out


def _jaccard(first: NDArray[np.bool_], second: NDArray[np.bool_]) -> float:
    either = int((first | second).sum())
    return float((first & second).sum() / either) if either else 1.0
