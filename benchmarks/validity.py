"""Error rates over simulated studies with known truth: `python -m benchmarks.validity`."""

from __future__ import annotations

import argparse
import sys
import warnings
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from zlib import crc32

import numpy as np
from joblib import Parallel, delayed

import latentadj as la
from latentadj.simulation import FAMILIES, OPEN_FAMILIES, Scenario, SimulatedStudy, error_rates, simulate

PAGE = Path(__file__).resolve().parents[1] / "docs" / "validity.md"
BEGIN, END = "<!-- tables: begin -->", "<!-- tables: end -->"
SEED = 0


def _true_number(study: SimulatedStudy) -> int:
    return study.truth.factors.shape[1]


def _with_controls(method: str, *, known_number: bool = True, **options: object) -> Callable:
    def run(study: SimulatedStudy) -> la.AdjustmentResult:
        number = _true_number(study) if known_number else "auto"
        return la.adjust(
            study.X, study.design, method=method, controls=study.truth.controls, n_factors=number, **options
        )

    return run


def _plain(method: str, **options: object) -> Callable:
    def run(study: SimulatedStudy) -> la.AdjustmentResult:
        return la.adjust(study.X, study.design, method=method, **options)

    return run


def _oracle(study: SimulatedStudy) -> la.AdjustmentResult:
    return la.adjust(study.X, study.oracle_design, method="none")


METHODS: dict[str, Callable[[SimulatedStudy], la.AdjustmentResult]] = {
    "oracle": _oracle,
    "none": _plain("none"),
    "residual PCA": _plain("residual_pca", allow_invalid=True),
    "sva, 5 rounds": _plain("sva", compat="sva", max_iter=5),
    "sva": _plain("sva"),
    "sva, two-step": _plain("sva_two_step"),
    "sva, supervised, true k": _with_controls("supervised_sva"),
    "cate, as in R": _plain("cate", compat="cate", n_factors="eigenvalue_difference"),
    "cate": _plain("cate"),
    "cate, controls, true k": _with_controls("cate_nc"),
    "ruv2, true k": _with_controls("ruv2"),
    "ruv4 as in R, true k": _with_controls("ruv4", compat="ruv"),
    "ruv4, true k": _with_controls("ruv4"),
    "ruv4": _with_controls("ruv4", known_number=False),
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
    n_failed: int


def evaluate(scenario: Scenario, methods: Sequence[str], repeat: int, seed: int = SEED) -> dict[str, tuple | None]:
    """Error rates of the methods in one study; None where a method refuses it. Families do not share their luck."""
    study = simulate(scenario, np.random.default_rng([seed, repeat, crc32(scenario.name.encode())]))
    return {name: _rates(METHODS[name], study) for name in methods}


def _rates(method: Callable, study: SimulatedStudy) -> tuple[float, float, float, float] | None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            found = error_rates(method(study), study.truth)
        except la.LatentAdjError:
            return None
    return found.type_one_error, found.fdp, found.power, float(found.n_factors)


def average(rates: Iterable[tuple | None]) -> Cell:
    """Mean over studies."""
    rates = list(rates)
    usable = [r for r in rates if r is not None]
    means = np.mean(usable, axis=0) if usable else np.full(4, np.nan)
    return Cell(*(float(value) for value in means), n_failed=len(rates) - len(usable))


def run_family(
    scenario: Scenario, methods: Sequence[str], n_repeats: int, *, n_jobs: int = 1, seed: int = SEED
) -> dict[str, Cell]:
    """Average error rates of every method over `n_repeats` studies of one family."""
    studies = Parallel(n_jobs=n_jobs)(delayed(evaluate)(scenario, methods, i, seed) for i in range(n_repeats))
    return {name: average(study[name] for study in studies) for name in methods}


def discoveries(cell: Cell) -> str:
    """``FDP/power``."""
    return "fails" if np.isnan(cell.fdp) else f"{_short(cell.fdp)}/{_short(cell.power)}"


def level(cell: Cell) -> str:
    """Type-I error."""
    return "fails" if np.isnan(cell.type_one_error) else f"{cell.type_one_error:.3f}".removeprefix("0")


def number(cell: Cell) -> str:
    """Average number of factors."""
    return "-" if np.isnan(cell.n_factors) else f"{cell.n_factors:.1f}"


def _short(value: float) -> str:
    return "-" if np.isnan(value) else f"{value:.2f}".removeprefix("0")


def table(rows: dict[str, dict[str, Cell]], methods: Sequence[str], show: Callable[[Cell], str]) -> str:
    """A Markdown table, one row per family."""
    lines = ["| family | " + " | ".join(methods) + " |", "|---" * (len(methods) + 1) + "|"]
    lines += [f"| {family} | " + " | ".join(show(cells[m]) for m in methods) + " |" for family, cells in rows.items()]
    return "\n".join(lines)


def report(families: dict[str, Scenario], n_repeats: int, n_null: int, n_jobs: int, seed: int = SEED) -> str:
    """All tables as Markdown; a line per finished family goes to standard error."""
    methods = list(METHODS)
    nulls = _run_all(NULL_FAMILIES, methods, n_null, n_jobs, seed)
    rows = _run_all(families, methods, n_repeats, n_jobs, seed)
    chosen = ["sva", "cate, as in R", "cate", "ruv4"]
    parts = [
        f"## False discovery proportion at BH 10 % / power, {n_repeats} studies each",
        table(rows, methods, discoveries),
        f"## Type-I error at 0.05 of the features without effect, {n_repeats} studies each",
        table(rows, methods, level),
        f"## Type-I error at 0.05 when nothing is true, {n_null} studies each",
        table(nulls, methods, level),
        "## Average number of factors where it is estimated",
        table(rows, chosen, number),
    ]
    return "\n\n".join(parts)


def _run_all(
    families: dict[str, Scenario], methods: Sequence[str], n_repeats: int, n_jobs: int, seed: int
) -> dict[str, dict[str, Cell]]:
    rows = {}
    for name, scenario in families.items():
        rows[name] = run_family(scenario, methods, n_repeats, n_jobs=n_jobs, seed=seed)
        print(name, *(f"{m}: {discoveries(c)} {level(c)}" for m, c in rows[name].items()), sep=" | ", file=sys.stderr)
    return rows


def write_tables(text: str, page: Path = PAGE) -> None:
    """Replace what stands between the page's two markers."""
    before, rest = page.read_text(encoding="utf-8").split(BEGIN)
    after = rest.split(END)[1]
    page.write_text(f"{before}{BEGIN}\n\n{text}\n\n{END}{after}", encoding="utf-8")


def main() -> int:
    """Parse the options, simulate, print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.validity", description=__doc__)
    parser.add_argument("--repeats", type=int, default=30, help="studies per family")
    parser.add_argument("--null-repeats", type=int, default=30, help="studies in which nothing is true")
    parser.add_argument("--features", type=int, help="another number of features than the families'")
    parser.add_argument("--families", help="names, separated by commas; all by default")
    parser.add_argument("--jobs", type=int, default=1, help="processes")
    parser.add_argument("--seed", type=int, default=SEED)
    parser.add_argument("--write", action="store_true", help=f"write the tables to docs/{PAGE.name}")
    options = parser.parse_args()
    families = {**FAMILIES, **OPEN_FAMILIES}
    if options.families:
        families = {name: families[name] for name in options.families.split(",")}
    if options.features:
        families = {name: replace(s, n_features=options.features) for name, s in families.items()}
    text = report(families, options.repeats, options.null_repeats, options.jobs, options.seed)
    print(text)
    if options.write:
        write_tables(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
