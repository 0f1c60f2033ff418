"""Every number-of-factors rule on simulated studies with a known number: `python -m benchmarks.number_rules`."""

from __future__ import annotations

import argparse
import sys
import time
import warnings
from collections.abc import Sequence
from dataclasses import dataclass, replace
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

from latentadj.core.matrix import ArrayMatrix
from latentadj.core.passes import one_blas_thread
from latentadj.exceptions import FactorLimitWarning
from latentadj.num_factors import compare_rules
from latentadj.problem import AdjustmentProblem
from latentadj.simulation import FAMILIES, OPEN_FAMILIES, Scenario, simulate

SEED = 0
#: Column heads: names of the rules as short as they can be told apart.
SHORT = {
    "parallel_analysis": "PA",
    "parallel_analysis_wishart": "PA-W",
    "eigenvalue_difference": "ED",
    "gavish_donoho": "GD",
    "ddpa_plus": "ddpa+",
    "eigenvalue_ratio": "ER",
    "growth_ratio": "GR",
    "bai_ng_ic2": "BN",
    "control_ratio": "getK",
    "random_matrix": "RMT",
    "feature_folds": "CBCV+",
    "bi_cross_validation": "BCV",
    "stability": "stab",
}


@dataclass(frozen=True)
class Outcome:
    """Answers of every rule in the studies of one family; NaN where a rule could not be applied.

    Attributes
    ----------
    truth : int
    answers : dict of str to ndarray of shape (n_repeats,)
    seconds : float
        For a study, all rules together.
    """

    truth: int
    answers: dict[str, NDArray[np.float64]]
    seconds: float


def run_family(scenario: Scenario, rules: str | Sequence[str], n_repeats: int, seed: int = SEED) -> Outcome:
    """Ask the rules in `n_repeats` studies of a family."""
    found: dict[str, list[float]] = {}
    begin = time.perf_counter()
    for repeat in range(n_repeats):
        study = simulate(scenario, np.random.default_rng([seed, repeat, crc32(scenario.name.encode())]))
        problem = AdjustmentProblem(ArrayMatrix(study.X), study.design, study.truth.controls)
        with warnings.catch_warnings(), one_blas_thread():
            warnings.simplefilter("ignore", FactorLimitWarning)
            summary = compare_rules(problem, rules, np.random.default_rng([seed, repeat])).summary()
        for rule, number in zip(summary["rule"], summary["n_factors"], strict=True):
            found.setdefault(rule, []).append(float("nan") if number is None or number != number else float(number))
    seconds = (time.perf_counter() - begin) / n_repeats
    return Outcome(scenario.n_factors, {rule: np.array(values) for rule, values in found.items()}, seconds)


def cell(outcome: Outcome, rule: str) -> str:
    """Average answer, and the average absolute error in brackets."""
    answers = outcome.answers.get(rule, np.full(1, np.nan))
    answers = answers[np.isfinite(answers)]
    if answers.size == 0:
        return "-"
    return f"{answers.mean():.1f} ({np.abs(answers - outcome.truth).mean():.1f})"


def table(outcomes: dict[str, Outcome]) -> str:
    """A Markdown table, a row per family, with the mean absolute error over families in the last one."""
    rules = list(dict.fromkeys(rule for outcome in outcomes.values() for rule in outcome.answers))
    lines = ["| family | k | " + " | ".join(SHORT.get(rule, rule) for rule in rules) + " |"]
    lines.append("|---" * (len(rules) + 2) + "|")
    for name, outcome in outcomes.items():
        lines.append(f"| {name} | {outcome.truth} | " + " | ".join(cell(outcome, rule) for rule in rules) + " |")
    errors = [_mean_error(outcomes, rule) for rule in rules]
    lines.append("| mean abs. error | | " + " | ".join(f"{error:.2f}" for error in errors) + " |")
    return "\n".join(lines)


def _mean_error(outcomes: dict[str, Outcome], rule: str) -> float:
    found = [np.abs(o.answers[rule] - o.truth) for o in outcomes.values() if rule in o.answers]
    values = np.concatenate(found)
    return float(np.mean(values[np.isfinite(values)])) if np.isfinite(values).any() else float("nan")


def main() -> int:
    """Parse the options, simulate, print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.number_rules", description=__doc__)
    parser.add_argument("--repeats", type=int, default=10, help="studies per family")
    parser.add_argument("--quick", action="store_true", help="2 studies per family, rules that read no data again")
    parser.add_argument("--rules", help='names separated by commas, "cheap" or "all" (the default)')
    parser.add_argument("--families", help="names, separated by commas; all by default")
    parser.add_argument("--features", type=int, help="another number of features than the families'")
    parser.add_argument("--seed", type=int, default=SEED)
    options = parser.parse_args()
    families = {**FAMILIES, **OPEN_FAMILIES}
    if options.families:
        families = {name: families[name] for name in options.families.split(",")}
    if options.features:
        families = {name: replace(s, n_features=options.features) for name, s in families.items()}
    named = options.rules or ("cheap" if options.quick else "all")
    rules = named if named in ("cheap", "all") else named.split(",")
    outcomes = {}
    for name, scenario in families.items():
        outcomes[name] = run_family(scenario, rules, 2 if options.quick else options.repeats, options.seed)
        print(f"{name}: {outcomes[name].seconds:.1f} s a study", file=sys.stderr)
    print(table(outcomes))
    return 0


if __name__ == "__main__":
    sys.exit(main())
