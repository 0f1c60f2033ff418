"""Error rates over simulated studies with known truth: `python -m benchmarks.validity`."""

from __future__ import annotations

import argparse
import csv
import sys
import time
import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from zlib import crc32

import numpy as np
from joblib import Parallel, delayed

import latentadj as la
from benchmarks.contestants import COUNT_METHODS, GROUPS, MOST_FACTORS, ORACLES, SLOW, Analysis, automatic_number
from benchmarks.rule_answers import RULES, rule_numbers
from latentadj.simulation import FAMILIES, OPEN_FAMILIES, Scenario, SimulatedStudy, error_rates, simulate

PAGE = Path(__file__).resolve().parents[1] / "docs" / "validity.md"
RATES = PAGE.with_name("validity.csv")
BEGIN, END = "<!-- tables: begin -->", "<!-- tables: end -->"
SEED = 0
#: Slow methods see one study in so many.
SLOWNESS = 3

METHODS: dict[str, Analysis] = {
    **ORACLES,
    **{name: run for group in GROUPS.values() for name, run in group.items()},
    **COUNT_METHODS,
}

#: Studies in which nothing is true.
NULL_FAMILIES: dict[str, Scenario] = {
    f"nothing true, R2 {r2:g}": Scenario(f"nothing true, R2 {r2:g}", confounding=r2, effect_share=0.0)
    for r2 in (0.0, 0.5)
}


@dataclass(frozen=True)
class Cell:
    """Error rates of a method in a family, averaged over its studies; NaN where it failed in all of them."""

    type_one_error: float
    fdp: float
    power: float
    n_factors: float
    seconds: float
    n_studies: int
    n_failed: int


def draw(scenario: Scenario, repeat: int, seed: int = SEED) -> SimulatedStudy:
    """Draw one study of a family; families do not share their luck."""
    return simulate(scenario, np.random.default_rng([seed, repeat, crc32(scenario.name.encode())]))


def evaluate(scenario: Scenario, methods: Sequence[str], repeat: int, seed: int = SEED) -> dict[str, tuple | None]:
    """Error rates of the methods in one study; None where a method refuses it or is not asked."""
    study = draw(scenario, repeat, seed)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        k = automatic_number(study)
    return {name: _rates(lambda name=name: METHODS[name](study, k), study) for name in methods}


def evaluate_rules(scenario: Scenario, repeat: int, seed: int = SEED) -> dict[str, tuple | None]:
    """Error rates of CATE with the number of each rule, in one study."""
    study = draw(scenario, repeat, seed)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        numbers = rule_numbers(study)
    made = {k: _rates(lambda k=k: la.adjust(study.X, study.design, method="cate", n_factors=k), study)
            for k in set(numbers.values()) if k is not None}  # fmt: skip
    return {rule: None if k is None else made[k] for rule, k in numbers.items()}


def _rates(analysis: Callable[[], la.AdjustmentResult], study: SimulatedStudy) -> tuple[float, ...] | None:
    start = time.process_time()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            found = error_rates(analysis(), study.truth)
        except la.LatentAdjError:
            return None
    return found.type_one_error, found.fdp, found.power, float(found.n_factors), time.process_time() - start


def average(rates: Iterable[tuple | None]) -> Cell:
    """Mean over studies."""
    rates = list(rates)
    usable = [r for r in rates if r is not None]
    means = np.mean(usable, axis=0) if usable else np.full(5, np.nan)
    return Cell(*(float(value) for value in means), n_studies=len(rates), n_failed=len(rates) - len(usable))


def run_family(
    scenario: Scenario, methods: Sequence[str], n_repeats: int, *, n_jobs: int = 1, seed: int = SEED
) -> dict[str, Cell]:
    """Average error rates of every method over `n_repeats` studies of one family."""
    asked = [[m for m in methods if m not in SLOW or i % SLOWNESS == 0] for i in range(n_repeats)]
    studies = Parallel(n_jobs=n_jobs)(delayed(evaluate)(scenario, asked[i], i, seed) for i in range(n_repeats))
    return {name: average(study[name] for study in studies if name in study) for name in methods}


def run_rules(scenario: Scenario, n_repeats: int, *, n_jobs: int = 1, seed: int = SEED) -> dict[str, Cell]:
    """Average error rates of CATE under every rule for the number of factors."""
    studies = Parallel(n_jobs=n_jobs)(delayed(evaluate_rules)(scenario, i, seed) for i in range(n_repeats))
    return {rule: average(study[rule] for study in studies) for rule in RULES}


def discoveries(cell: Cell) -> str:
    """``FDP/power``."""
    return "fails" if np.isnan(cell.fdp) else f"{_short(cell.fdp)}/{_short(cell.power)}"


def level(cell: Cell) -> str:
    """Type-I error."""
    return "fails" if np.isnan(cell.type_one_error) else f"{cell.type_one_error:.3f}".removeprefix("0")


def number(cell: Cell) -> str:
    """Average number of factors."""
    return "-" if np.isnan(cell.n_factors) else f"{cell.n_factors:.1f}"


def everything(cell: Cell) -> str:
    """``FDP/power (type-I error)``."""
    return "fails" if np.isnan(cell.type_one_error) else f"{discoveries(cell)} ({level(cell)})"


def _short(value: float) -> str:
    return "-" if np.isnan(value) else f"{value:.2f}".removeprefix("0")


def table(rows: Mapping[str, Mapping[str, Cell]], methods: Sequence[str], show: Callable[[Cell], str]) -> str:
    """A Markdown table, one row per family."""
    lines = ["| family | " + " | ".join(methods) + " |", "|---" * (len(methods) + 1) + "|"]
    for family, cells in rows.items():
        shown = (show(cells[m]) if m in cells else "not run" for m in methods)
        lines.append(f"| {family} | " + " | ".join(shown) + " |")
    return "\n".join(lines)


def report(rows: Mapping[str, Mapping[str, Cell]], rules: Mapping[str, Mapping[str, Cell]]) -> str:
    """All tables as Markdown."""
    parts = [
        "Cells: false discovery proportion at BH 10 % / power (type-I error at 0.05 of the features without effect)."
    ]
    for title, group in GROUPS.items():
        shown = [*ORACLES, *group]
        parts += [f"## {title}", table(rows, shown, everything)]
    counted = {name: cells for name, cells in rows.items() if set(COUNT_METHODS) <= set(cells)}
    if counted:
        parts += ["## From counts", table(counted, [*ORACLES, "auto", *COUNT_METHODS], everything)]
    if rules:
        parts += ["## Rules for the number of factors: its average", table(rules, RULES, number)]
        parts += ["## Rules for the number of factors: CATE with that number", table(rules, RULES, everything)]
    return "\n\n".join(parts)


def run_all(
    families: Mapping[str, Scenario], n_repeats: int, n_rules: int, n_jobs: int, seed: int = SEED
) -> tuple[dict[str, dict[str, Cell]], dict[str, dict[str, Cell]]]:
    """All methods and all rules in all families; a line per finished family goes to standard error."""
    rows, rules = {}, {}
    for name, scenario in families.items():
        methods = [m for m in METHODS if _is_asked(m, scenario)]
        rows[name] = run_family(scenario, methods, n_repeats, n_jobs=n_jobs, seed=seed)
        if n_rules:
            rules[name] = run_rules(scenario, n_rules, n_jobs=n_jobs, seed=seed)
        print(name, *(f"{m}: {everything(c)}" for m, c in rows[name].items()), sep=" | ", file=sys.stderr, flush=True)
    return rows, rules


def _is_asked(method: str, scenario: Scenario) -> bool:
    """Count methods need counts; a method that would take minutes with many factors is left out there."""
    if method in COUNT_METHODS and scenario.scale != "log_counts":
        return False
    return scenario.n_factors <= MOST_FACTORS.get(method, scenario.n_factors)


def write_rates(rows: Mapping[str, Mapping[str, Cell]], kind: str, path: Path = RATES, *, append: bool = False) -> None:
    """Write the averages behind the tables, a line per family and method."""
    with path.open("a" if append else "w", newline="", encoding="utf-8") as handle:
        writer = csv.writer(handle, lineterminator="\n")
        if not append:
            writer.writerow(["kind", "family", "name", *Cell.__dataclass_fields__])
        for family, cells in rows.items():
            for name, cell in cells.items():
                values = [f"{v:.5g}" if isinstance(v, float) else v for v in asdict(cell).values()]
                writer.writerow([kind, family, name, *values])


def write_tables(text: str, page: Path = PAGE) -> None:
    """Replace what stands between the page's two markers."""
    before, rest = page.read_text(encoding="utf-8").split(BEGIN)
    after = rest.split(END)[1]
    page.write_text(f"{before}{BEGIN}\n\n{text}\n\n{END}{after}", encoding="utf-8")


def main() -> int:
    """Parse the options, simulate, print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.validity", description=__doc__)
    parser.add_argument("--repeats", type=int, default=30, help="studies per family")
    parser.add_argument("--rule-repeats", type=int, default=10, help="studies per family for the number rules")
    parser.add_argument("--features", type=int, help="another number of features than the families'")
    parser.add_argument("--families", help="names, separated by commas; all by default")
    parser.add_argument("--jobs", type=int, default=1, help="processes")
    parser.add_argument("--seed", type=int, default=SEED)
    parser.add_argument("--write", action="store_true", help=f"write docs/{PAGE.name} and docs/{RATES.name}")
    options = parser.parse_args()
    families = {**NULL_FAMILIES, **FAMILIES, **OPEN_FAMILIES}
    if options.families:
        families = {name: families[name] for name in options.families.split(",")}
    if options.features:
        families = {name: replace(s, n_features=options.features) for name, s in families.items()}
    rows, rules = run_all(families, options.repeats, options.rule_repeats, options.jobs, options.seed)
    text = report(rows, rules)
    print(text)
    if options.write:
        write_tables(text)
        write_rates(rows, "method")
        write_rates(rules, "rule", append=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
