"""The result of an adjusted regression."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from latentadj.core.matrix import FeatureMatrix
from latentadj.core.regression import RegressionFit
from latentadj.design import Design
from latentadj.exceptions import InputError
from latentadj.results.card import html_card
from latentadj.results.confounding import ConfoundingTest
from latentadj.results.factors import FactorEstimate, NumFactorsResult
from latentadj.results.statistics import TestStatistics, test_jointly
from latentadj.results.table import STYLES, check_choice, joint_table, limma_table, tidy_table
from latentadj.results.views import ResultViews

Array = NDArray[np.float64]
WHICH = ("adjusted", "unadjusted", "uncalibrated")


@dataclass(frozen=True, repr=False, eq=False)
class AdjustmentResult(ResultViews):
    """Adjusted tests of all features, with everything needed to read them.

    Attributes
    ----------
    method, method_title, assumption : str
        Short name, full name, and what separates hidden factors from true effects.
    reason : str
        Why this method was used.
    valid_for_testing : bool
    design : Design
        The study's design without factors.
    full_design : Design
        The design with the factors in it.
    feature_ids : ndarray of shape (n_features,)
        Names, or positions (integers) where the data have no names.
    sample_ids : tuple of str, length n_samples
    sample_data : pandas.DataFrame or None
        Aligned sample table, a row per sample.
    controls : ndarray of bool, shape (n_features,), or None
    num_factors : NumFactorsResult
    estimate : FactorEstimate
    fit, unadjusted_fit : RegressionFit
        Every feature's regression with and without factors.
    tests, unadjusted_tests : TestStatistics
        Tests of the primary columns; `tests` is calibrated when that was asked for.
    uncalibrated_tests : TestStatistics
        The same before calibration.
    confounding : ConfoundingTest
    warnings : tuple of str
        Every warning issued on the way, ``"Class: message"``.
    manifest : mapping
        Versions, options, seed, shape and hash of the data.
    matrix : FeatureMatrix or None
        The data, as long as it is at hand; not saved.
    identification : str
        Kind of the assumption: "none needed", "controls", "replicates", "sparsity", "orthogonality" or "nothing".
    """

    method: str
    method_title: str
    assumption: str
    reason: str
    valid_for_testing: bool
    design: Design
    full_design: Design
    feature_ids: NDArray[Any]
    sample_ids: tuple[str, ...]
    sample_data: pd.DataFrame | None
    controls: NDArray[np.bool_] | None
    num_factors: NumFactorsResult
    estimate: FactorEstimate
    fit: RegressionFit
    unadjusted_fit: RegressionFit
    tests: TestStatistics
    uncalibrated_tests: TestStatistics
    unadjusted_tests: TestStatistics
    confounding: ConfoundingTest
    warnings: tuple[str, ...] = ()
    manifest: Mapping[str, Any] = field(default_factory=dict)
    matrix: FeatureMatrix | None = None
    identification: str = "sparsity"

    @property
    def n_factors(self) -> int:
        """Number of factors in the design."""
        return self.estimate.n_factors

    @property
    def n_samples(self) -> int:
        """Number of samples."""
        return len(self.sample_ids)

    @property
    def n_features(self) -> int:
        """Number of features."""
        return len(self.feature_ids)

    @property
    def factors(self) -> pd.DataFrame:
        """Factor scores, samples x factors."""
        names = list(self.full_design.names[len(self.design.names) :])
        return pd.DataFrame(self.estimate.scores, index=pd.Index(self.sample_ids), columns=names)

    @property
    def loadings(self) -> pd.DataFrame:
        """Coefficients of the factors, features x factors."""
        values = self.fit.coef[:, len(self.design.names) :]
        return pd.DataFrame(values, index=pd.Index(self.feature_ids), columns=self.factors.columns)

    @property
    def sample_weights(self) -> pd.Series[float] | None:
        """Weight of every sample in the refit, one over its relative noise variance; None where all count the same."""
        whitening = self.estimate.whitening
        if whitening is None or whitening.transform.ndim != 1:
            return None
        return pd.Series(whitening.transform**2, index=pd.Index(self.sample_ids), name="sample_weight")

    @property
    def block_correlation(self) -> float | None:
        """Correlation of the noise of samples within a block; None where no blocks were given."""
        found = self.manifest.get("block_correlation")
        return None if found is None else float(found)

    def tidy(
        self,
        term: str | None = None,
        which: str = "adjusted",
        p_adjust: str = "bh",
        style: str = "latentadj",
        *,
        joint: bool = False,
    ) -> pd.DataFrame:
        """One row per feature and tested column.

        Parameters
        ----------
        term : str, optional
            A tested column, or a formula term for all of its columns; all by default.
        which : {"adjusted", "unadjusted", "uncalibrated"}, default="adjusted"
            With factors, without them, or with factors but before calibration.
        p_adjust : {"bh", "by", "holm", "bonferroni", "qvalue", "none"}, default="bh"
            Adjustment for multiple testing, for every column on its own.
        style : {"latentadj", "limma"}, default="latentadj"
            Column names; "limma" gives ``logFC, AveExpr, t, P.Value, adj.P.Val, B``.
        joint : bool, default=False
            One F test per formula term instead of one t test per column.

        Returns
        -------
        pandas.DataFrame
            Features that cannot be tested stay, with NaN and a status.

        Raises
        ------
        InputError
            For a term that was not tested.
        MethodError
            For an unknown `which`, `p_adjust` or `style`.
        """
        check_choice("which", which, WHICH)
        check_choice("style", style, STYLES)
        fit = self.unadjusted_fit if which == "unadjusted" else self.fit
        if joint:
            return self._joint(term, which, p_adjust)
        keep = self._positions(term)
        tests = _columns(
            {"adjusted": self.tests, "unadjusted": self.unadjusted_tests}.get(which, self.uncalibrated_tests),
            keep,
        )
        unadjusted = _columns(self.unadjusted_tests, keep)
        table = tidy_table(self.feature_ids, fit, tests, unadjusted, self.n_samples, p_adjust)
        return limma_table(table, tests, fit) if style == "limma" else table

    def top(self, n: int = 10, term: str | None = None, p_adjust: str = "bh") -> pd.DataFrame:
        """Return the `n` features with the smallest p-values; of several terms, the smallest joint p-value.

        Parameters
        ----------
        n : int, default=10
        term : str, optional
        p_adjust : str, default="bh"

        Returns
        -------
        pandas.DataFrame
            As `tidy`, sorted; ties in p (underflow) are broken by the size of the statistic.
        """
        joint = len(self._positions(term)) > 1
        pieces = [self._joint(term, "adjusted", p_adjust)] if joint else self.tidy_blocks(term, p_adjust=p_adjust)
        leading = [_smallest(piece, n) for piece in pieces]
        return _smallest(pd.concat(leading), n).reset_index(drop=True)

    def __repr__(self) -> str:
        tested = ", ".join(self.tests.names)
        return (
            f"<AdjustmentResult: {self.n_features} features, {self.n_samples} samples, {self.method_title}, "
            f"{self.n_factors} factors, tested: {tested}>"
        )

    def _repr_html_(self) -> str:
        return html_card(self)

    def _joint(self, term: str | None, which: str, p_adjust: str) -> pd.DataFrame:
        wanted = {self.design.terms[i] for i in self._design_positions(term)}
        tests = self._joint_tests(wanted, unadjusted=which == "unadjusted")
        base = self._joint_tests(wanted, unadjusted=True)
        fit = self.unadjusted_fit if which == "unadjusted" else self.fit
        return joint_table(self.feature_ids, fit, tests, base, self.n_samples, p_adjust)

    def _joint_tests(self, wanted: set[str], *, unadjusted: bool) -> Any:
        fit, prior, d = self.fit, self.uncalibrated_tests.prior, len(self.full_design.names)
        if unadjusted:
            fit, prior, d = self.unadjusted_fit, self.unadjusted_tests.prior, len(self.design.names)
        groups: dict[str, list[int]] = {}
        for i in self._design_positions(None):
            if self.design.terms[i] in wanted:
                groups.setdefault(self.design.terms[i], []).append(i)
        return test_jointly(fit, prior, {name: np.eye(d)[:, index] for name, index in groups.items()})

    def _design_positions(self, term: str | None) -> list[int]:
        """Design columns of the tested terms that `term` names."""
        primary = [i for i, role in enumerate(self.design.roles) if role == "primary"]
        chosen = [i for i in primary if term in (None, self.design.names[i], self.design.terms[i])]
        if not chosen and term is not None:
            raise InputError(
                f"term={term!r} was not tested; tested columns are {', '.join(self.tests.names) or 'none'}. "
                "For other combinations use contrast()."
            )
        return chosen

    def _positions(self, term: str | None) -> list[int]:
        """Positions among the tested columns that `term` names."""
        chosen = {self.design.names[i] for i in self._design_positions(term)}
        return [i for i, name in enumerate(self.tests.names) if name in chosen]


def _columns(tests: TestStatistics, keep: list[int]) -> TestStatistics:
    """Some of the tests; the same object when all are kept."""
    return tests if keep == list(range(len(tests.names))) else tests.select(keep)


def _smallest(table: pd.DataFrame, n: int) -> pd.DataFrame:
    """The `n` rows with the smallest p-values, sorted; ties by the size of the statistic."""
    order = np.lexsort([-table["statistic"].abs().to_numpy(), table["p_value"].to_numpy()])
    return table.iloc[order[:n]]
