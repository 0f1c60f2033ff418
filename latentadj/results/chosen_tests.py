"""Tested columns, formula terms and contrasts by name, as one set of tests of a result."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from latentadj.core.regression import RegressionFit, design_basis
from latentadj.exceptions import MethodError
from latentadj.results.statistics import TestStatistics, test_contrasts
from latentadj.results.table import check_choice

Array = NDArray[np.float64]
WHICH = ("adjusted", "unadjusted", "uncalibrated")


@dataclass(frozen=True)
class ChosenTests:
    """Some tests with and without factors.

    Attributes
    ----------
    fit : RegressionFit
        The fit behind `tests`.
    tests : TestStatistics
        T tests.
    unadjusted : TestStatistics
        The same T tests without factors.
    """

    fit: RegressionFit
    tests: TestStatistics
    unadjusted: TestStatistics

    @property
    def correlation(self) -> Array:
        """Correlation of the estimates, ``(T, T)``, or ``(n_features, T, T)`` where every feature has its own."""
        contrasts = self.tests.contrasts
        independent = contrasts[:, list(design_basis(contrasts).kept)]
        combined = np.linalg.lstsq(independent, contrasts)[0]
        common = combined.T @ self.fit.unscaled_covariance(independent) @ combined
        if self.fit.link is not None:
            s2 = self.tests.prior.s2_post
            common = s2[:, None, None] * common + self.fit.link.contrast_covariance(contrasts)
        scale = np.sqrt(np.diagonal(common, axis1=-2, axis2=-1))
        with np.errstate(invalid="ignore", divide="ignore"):
            out: Array = common / (scale[..., :, None] * scale[..., None, :])
        return out


def chosen_tests(result: Any, terms: str | Sequence[str] | None, which: str) -> ChosenTests:
    """Find or make the tests of some columns, terms or contrasts.

    Parameters
    ----------
    result : AdjustmentResult
    terms : str, sequence of str, or None
        Tested columns, formula terms (all of their columns), or contrasts such as ``"a - b"``; None for all tested
        columns.
    which : {"adjusted", "unadjusted", "uncalibrated"}

    Returns
    -------
    ChosenTests
        Tested columns as they were calibrated, if they were.

    Raises
    ------
    MethodError
        For an unknown `which`, and for contrasts of a calibrated result: their null distribution is not known.
    FormulaError, NotEstimableError
        For contrasts that the design does not have or cannot estimate.
    """
    check_choice("which", which, WHICH)
    fit = result.unadjusted_fit if which == "unadjusted" else result.fit
    tests = {"adjusted": result.tests, "unadjusted": result.unadjusted_tests}.get(which, result.uncalibrated_tests)
    wanted = [terms] if isinstance(terms, str) else terms
    columns = list(result.tests.names) if wanted is None else _expanded(result, wanted)
    tested = list(tests.names)
    if all(name in tested for name in columns):
        keep = [tested.index(name) for name in columns]
        return ChosenTests(fit, tests.select(keep), result.unadjusted_tests.select(keep))
    _refuse_calibrated(tests, [name for name in columns if name not in tested])
    without = contrast_tests(result, columns, unadjusted=True)
    made = without if which == "unadjusted" else contrast_tests(result, columns)
    return ChosenTests(fit, made, without)


def contrast_tests(result: Any, texts: Sequence[str], *, unadjusted: bool = False) -> TestStatistics:
    """Test contrasts by name with or without the factors, not calibrated.

    Parameters
    ----------
    result : AdjustmentResult
    texts : sequence of str, length T
    unadjusted : bool, default=False

    Returns
    -------
    TestStatistics
    """
    design = result.design if unadjusted else result.full_design
    fit = result.unadjusted_fit if unadjusted else result.fit
    prior = (result.unadjusted_tests if unadjusted else result.uncalibrated_tests).prior
    weights = [design.contrast_vector(text) for text in texts]
    contrasts = np.column_stack(weights) if weights else np.empty((len(design.names), 0))
    return test_contrasts(fit, prior, contrasts, tuple(texts))


def _expanded(result: Any, wanted: Sequence[str]) -> list[str]:
    """Formula terms with several tested columns by their columns, each name once."""
    by_term: dict[str, list[str]] = {}
    for name, term in zip(result.design.names, result.design.terms, strict=True):
        if name in result.tests.names:
            by_term.setdefault(term, []).append(name)
    names = [
        column for name in wanted for column in ([name] if name in result.tests.names else by_term.get(name, [name]))
    ]
    return list(dict.fromkeys(names))


def _refuse_calibrated(tests: TestStatistics, made: Sequence[str]) -> None:
    if tests.calibration is not None:
        raise MethodError(
            f"The tested columns were calibrated ({tests.calibration}), each with a null distribution of its own; that "
            f"of {', '.join(map(repr, made[:3]))} is not known. Ways out: (1) which='uncalibrated'; (2) code the "
            "design so that the contrast is a tested column."
        )
