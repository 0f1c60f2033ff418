"""Rules by name, and which of them cost only what every analysis computes anyway."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from latentadj.exceptions import InputError, MethodError
from latentadj.num_factors.bai_ng import BaiNg
from latentadj.num_factors.base import NumFactorsRule
from latentadj.num_factors.bi_cross_validation import BiCrossValidation
from latentadj.num_factors.control_ratio import ControlRatio
from latentadj.num_factors.deterministic_parallel import DeterministicParallelAnalysis
from latentadj.num_factors.eigenvalue_difference import EigenvalueDifference
from latentadj.num_factors.eigenvalue_ratio import EigenvalueRatio
from latentadj.num_factors.elbow import Elbow
from latentadj.num_factors.feature_folds import FeatureFoldCrossValidation
from latentadj.num_factors.gavish_donoho import GavishDonoho
from latentadj.num_factors.leek import Leek
from latentadj.num_factors.parallel import ParallelAnalysis
from latentadj.num_factors.random_matrix import RandomMatrixDimension
from latentadj.num_factors.stability import Stability

_RULES: dict[str, Callable[[], NumFactorsRule]] = {
    "parallel_analysis": ParallelAnalysis,
    "be": lambda: ParallelAnalysis(scale=None),
    "parallel_analysis_wishart": lambda: ParallelAnalysis(method="wishart"),
    "leek": Leek,
    "eigenvalue_difference": EigenvalueDifference,
    "gavish_donoho": GavishDonoho,
    "dpa": DeterministicParallelAnalysis,
    "ddpa": lambda: DeterministicParallelAnalysis(deflate="ddpa"),
    "ddpa_plus": lambda: DeterministicParallelAnalysis(deflate="ddpa+"),
    "eigenvalue_ratio": EigenvalueRatio,
    "growth_ratio": lambda: EigenvalueRatio(kind="gr"),
    "bai_ng": BaiNg,
    "elbow": Elbow,
    "bi_cross_validation": BiCrossValidation,
    "feature_folds": FeatureFoldCrossValidation,
    "control_ratio": ControlRatio,
    "random_matrix": RandomMatrixDimension,
    "stability": Stability,
}

_ALIASES = {
    "wishart": "parallel_analysis_wishart",
    "ed": "eigenvalue_difference",
    "gd": "gavish_donoho",
    "ddpa+": "ddpa_plus",
    "er": "eigenvalue_ratio",
    "gr": "growth_ratio",
    "bcv": "bi_cross_validation",
    "cbcv": "feature_folds",
    "cbcv+": "feature_folds",
    "getk": "control_ratio",
    "rmt": "random_matrix",
}

#: Rules that need the unit spectrum, the features' sums of squares and the controls, and no resampling.
_CHEAP: tuple[Callable[[], NumFactorsRule], ...] = (
    lambda: EigenvalueDifference(scale="unit"),
    GavishDonoho,
    lambda: ParallelAnalysis(method="wishart"),
    DeterministicParallelAnalysis,
    lambda: DeterministicParallelAnalysis(deflate="ddpa+"),
    EigenvalueRatio,
    lambda: EigenvalueRatio(kind="gr"),
    BaiNg,
    Elbow,
    lambda: ControlRatio(scale="unit"),
)

#: Rules that read the data again.
_COSTLY: tuple[Callable[[], NumFactorsRule], ...] = (
    ParallelAnalysis,
    lambda: DeterministicParallelAnalysis(deflate="ddpa"),
    lambda: Leek(scale="unit"),
    lambda: RandomMatrixDimension(scale="unit"),
    FeatureFoldCrossValidation,
    Stability,
    BiCrossValidation,
)


def rule_from_name(name: str) -> NumFactorsRule:
    """Return a rule with its default settings by name.

    Parameters
    ----------
    name : str
        "parallel_analysis", "parallel_analysis_wishart" (or "wishart"), "leek", "eigenvalue_difference" (or
        "ed"), "gavish_donoho" (or "gd"), "dpa", "ddpa", "ddpa_plus" (or "ddpa+"), "eigenvalue_ratio" (or "er"),
        "growth_ratio" (or "gr"), "bai_ng", "elbow", "bi_cross_validation" (or "bcv"), "feature_folds" (or "cbcv"),
        "control_ratio" (or "getk"), "random_matrix" (or "rmt"), "stability", and "be": parallel analysis on
        features as they are, as in sva.

    Returns
    -------
    NumFactorsRule

    Raises
    ------
    MethodError
        If the name is unknown.

    Examples
    --------
    >>> rule_from_name("wishart").name
    'parallel_analysis_wishart'
    """
    key = name.strip().lower().replace("-", "_")
    key = _ALIASES.get(key, key)
    if key not in _RULES:
        raise MethodError(
            f'n_factors={name!r} names no rule. Use "auto", a whole number, or one of: '
            f"{', '.join([*_RULES, *_ALIASES])}."
        )
    return _RULES[key]()


def rules_of(rules: str | NumFactorsRule | Iterable[str | NumFactorsRule]) -> list[NumFactorsRule]:
    """Return the rules meant by a selection.

    Parameters
    ----------
    rules : {"cheap", "all"}, NumFactorsRule, str, or several of the latter two
        "cheap" are those that need the unit spectrum, the features' sums of squares and the controls, "all" adds
        those that read the data again.

    Returns
    -------
    list of NumFactorsRule

    Raises
    ------
    InputError
        If something else is given.
    MethodError
        If a name is unknown.

    Examples
    --------
    >>> [rule.name for rule in rules_of(["dpa", "bcv"])]
    ['dpa', 'bi_cross_validation']
    """
    if isinstance(rules, str) and rules in ("cheap", "all"):
        return [make() for make in (_CHEAP + _COSTLY if rules == "all" else _CHEAP)]
    if isinstance(rules, str | NumFactorsRule):
        rules = [rules]
    try:
        listed = list(rules)
    except TypeError:
        listed = [rules]  # type: ignore[list-item]
    wrong = [rule for rule in listed if not isinstance(rule, str | NumFactorsRule)]
    if wrong:
        raise InputError(
            f'{wrong[0]!r} is no rule. Give "cheap", "all", or a list of names and rules such as ["dpa", Leek()].'
        )
    return [rule_from_name(rule) if isinstance(rule, str) else rule for rule in listed]
