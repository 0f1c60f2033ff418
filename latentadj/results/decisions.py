"""Every test of a result as down, not significant or up."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from latentadj.core.decide import DECISION_METHODS, decide_tests, joint_p_values
from latentadj.core.regression import design_basis
from latentadj.exceptions import InputError, MethodError
from latentadj.results.chosen_tests import ChosenTests, chosen_tests
from latentadj.results.minimum_effect import beyond
from latentadj.results.statistics import test_jointly
from latentadj.results.table import check_choice

#: limma's spelling of the nested F.
_SPELLINGS = {"nestedF": "nested_f"}


@dataclass(frozen=True)
class DecisionRule:
    """How tests are classified; see `AdjustmentResult.decide`.

    Attributes
    ----------
    method : {"separate", "global", "hierarchical", "nested_f"}
    p_value : float
    lfc : float
    p_adjust : str
    compat : {None, "limma"}
    """

    method: str = "separate"
    p_value: float = 0.05
    lfc: float = 0.0
    p_adjust: str = "bh"
    compat: str | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "method", _SPELLINGS.get(self.method, self.method))
        check_choice("method", self.method, DECISION_METHODS)
        if self.compat not in (None, "limma"):
            raise MethodError(f"compat={self.compat!r} is unknown; choose None or 'limma'.")
        if not (np.isfinite(self.lfc) and self.lfc >= 0):
            raise InputError(f"lfc={self.lfc!r}; it must be a number of at least 0.")
        if self.lfc and self.method == "nested_f" and self.compat is None:
            raise MethodError(
                "method='nested_f' tests against zero and has no form for a smallest effect. Ways out: (1) "
                "method='hierarchical', 'separate' or 'global'; (2) lfc=0; (3) compat='limma', which only hides "
                "calls with small estimates and controls no error rate for them."
            )


def decision_table(result: Any, rule: DecisionRule, terms: Any, which: str) -> pd.DataFrame:
    """Classify the tests of a result.

    Parameters
    ----------
    result : AdjustmentResult
    rule : DecisionRule
    terms : str, sequence of str, or None
    which : {"adjusted", "unadjusted", "uncalibrated"}

    Returns
    -------
    pandas.DataFrame
        int8, a row per feature and a column per test, with ``attrs``.
    """
    chosen = chosen_tests(result, terms, which)
    calls = decisions(chosen, rule)
    table = pd.DataFrame(calls, index=pd.Index(result.feature_ids), columns=list(chosen.tests.names))
    table.attrs = {
        "method": rule.method,
        "p_value": rule.p_value,
        "p_adjust": rule.p_adjust,
        "lfc": rule.lfc,
        "tests": chosen.tests.calibration or "uncalibrated",
        "summary": {name: _counts(column) for name, column in zip(chosen.tests.names, calls.T, strict=True)},
    }
    return table


def decisions(chosen: ChosenTests, rule: DecisionRule) -> NDArray[np.int8]:
    """Classify tests, ``(n_features, T)``.

    Notes
    -----
    The F of "hierarchical" and "nested_f" is the joint test of the contrasts. With calibrated tests it is made of the
    calibrated statistics and the correlation of their estimates, so that both stages use the same null distribution.

    Raises
    ------
    MethodError
        For the nested F with cluster-robust errors, whose F has other degrees of freedom at every step.
    """
    tests = chosen.tests
    tested = beyond(tests, rule.lfc) if rule.lfc and rule.compat is None else tests
    staged, nested = rule.method in ("hierarchical", "nested_f"), rule.method == "nested_f"
    if nested and chosen.fit.degrees is not None:
        raise MethodError(
            "method='nested_f' needs the same degrees of freedom for all contrasts, which cluster-robust errors do not "
            "have. Use method='hierarchical', which takes the robust F test of each feature."
        )
    calls = decide_tests(
        tested.statistic,
        tested.p_value,
        method=rule.method,
        adjust=rule.p_adjust,
        alpha=rule.p_value,
        joint_p_value=_joint(chosen) if staged else None,
        correlation=chosen.correlation if nested else None,
        df=tests.df if nested else np.inf,
    )
    if rule.lfc and rule.compat == "limma":
        calls = np.where(np.abs(tests.estimate) > rule.lfc, calls, np.int8(0))
    return calls


def _joint(chosen: ChosenTests) -> NDArray[np.float64]:
    """P-values of the F test of all contrasts; those that follow from the others add nothing."""
    tests = chosen.tests
    if tests.calibration is None:
        independent = tests.contrasts[:, list(design_basis(tests.contrasts).kept)]
        return test_jointly(chosen.fit, tests.prior, {"all": independent}).p_value[:, 0]
    df = np.asarray(tests.df).min(axis=1) if np.ndim(tests.df) == 2 else tests.df
    return joint_p_values(tests.statistic, chosen.correlation, df)


def _counts(calls: NDArray[np.int8]) -> dict[str, int]:
    return {word: int((calls == sign).sum()) for word, sign in (("down", -1), ("not_significant", 0), ("up", 1))}
