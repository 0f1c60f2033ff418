"""Comparisons of methods over studies whose truth is known, and checks of one analysis on the user's own data."""

from latentadj.compare.comparison import Comparison
from latentadj.compare.contestant import Contestant, contestants_of
from latentadj.compare.findings import Findings
from latentadj.compare.front import DEFAULT_METHODS, DEFAULT_SCENARIOS, compare
from latentadj.compare.null_check_result import NullCheck
from latentadj.compare.pseudo_primary import null_check

__all__ = [
    "DEFAULT_METHODS",
    "DEFAULT_SCENARIOS",
    "Comparison",
    "Contestant",
    "Findings",
    "NullCheck",
    "compare",
    "contestants_of",
    "null_check",
]
