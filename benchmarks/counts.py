"""Error rates of count methods over simulated studies with known truth: `python -m benchmarks.counts`."""

from __future__ import annotations

import argparse
import csv
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from shutil import which
from zlib import crc32

import numpy as np

import latentadj as la
from latentadj.core.multiple import adjust_pvalues
from latentadj.counts import log_cpm
from latentadj.design import Design
from latentadj.exceptions import LatentAdjError

PAGE = Path(__file__).resolve().parents[1] / "docs" / "counts_validity.md"
RATES = PAGE.with_suffix(".csv")
BEGIN, END = "<!-- tables: begin -->", "<!-- tables: end -->"
#: Discoveries are made at this false discovery rate.
FDR = 0.05
#: Slow methods see one study in so many.
SLOWNESS = 4
N_CONTROLS = 100


@dataclass(frozen=True)
class CountFamily:
    """Recipe of simulated counts.

    Attributes
    ----------
    name : str
    n_samples, n_factors : int
    confounding : float
        Population R2 of the group on the factors.
    level : float
        Median mean count.
    depth_sd, depth_shift : float
        Standard deviation of log library sizes, and by how much more the second group was sequenced (log).
    effect_sd : float
        Of log2 fold changes between the groups, of a tenth of the features.
    """

    name: str
    n_samples: int
    n_factors: int
    confounding: float = 0.0
    level: float = 40.0
    depth_sd: float = 0.25
    depth_shift: float = 0.0
    effect_sd: float = 1.0


def families(n_samples: int) -> list[CountFamily]:
    """Return the families of one size: two factors and larger effects for 12 samples, three factors for 40."""
    k, effect = (2, 2.0) if n_samples < 20 else (3, 1.0)

    def family(name: str, **changes: float) -> CountFamily:
        return CountFamily(f"{name}, n {n_samples}", n_samples, k, effect_sd=effect, **changes)

    return [
        family("no confounding"),
        family("R2 0.5", confounding=0.5),
        family("low counts, R2 0.5", confounding=0.5, level=3.0),
        family("unequal depth, R2 0.5", confounding=0.5, level=15.0, depth_sd=0.5, depth_shift=1.0),
    ]


@dataclass(frozen=True)
class CountStudy:
    """One simulated study.

    Attributes
    ----------
    counts : ndarray of shape (n_samples, n_features)
    group : ndarray of shape (n_samples,)
    factors : ndarray of shape (n_samples, n_factors)
    null : ndarray of bool, shape (n_features,)
        Features without effect.
    controls : ndarray of bool, shape (n_features,)
    """

    counts: np.ndarray
    group: np.ndarray
    factors: np.ndarray
    null: np.ndarray
    controls: np.ndarray

    @property
    def design(self) -> Design:
        """An intercept and the group."""
        return Design.from_arrays(self.group, primary_names=["group"])

    @property
    def oracle_design(self) -> Design:
        """The design of an analyst who knows the factors."""
        return Design.from_arrays(self.group, self.factors, primary_names=["group"])


def draw(family: CountFamily, n_features: int, repeat: int) -> CountStudy:
    """Draw one study; dispersions fall with the level and vary between features as 10 over chi-square of 10."""
    rng = np.random.default_rng([repeat, crc32(family.name.encode())])
    n, m, k = family.n_samples, n_features, family.n_factors
    group = np.repeat([0.0, 1.0], n // 2)
    x = 2.0 * group - 1.0
    shared = np.sqrt(family.confounding / (k - (k - 1) * family.confounding))
    factors = shared * np.outer(x, rng.choice([-1.0, 1.0], k)) + np.sqrt(1 - shared**2) * rng.normal(size=(n, k))
    effects = np.zeros(m)
    effects[: m // 10] = family.effect_sd * rng.normal(size=m // 10)
    log2_mean = np.log2(family.level) + 1.5 * rng.normal(size=m) + np.outer(group - 0.5, effects)
    log2_mean += factors @ (0.5 * rng.normal(size=(k, m)))
    depth = np.exp(family.depth_sd * rng.normal(size=n) + family.depth_shift * (group - 0.5))
    mean = depth[:, None] * np.exp2(log2_mean)
    dispersion = (0.08 + 0.8 / (np.median(mean, axis=0) + 8.0)) * 10.0 / rng.chisquare(10.0, size=m)
    counts = rng.poisson(rng.gamma(1.0 / dispersion, dispersion * mean)).astype(float)
    kept = counts.sum(axis=0) >= n
    null = effects == 0
    chosen = rng.choice(np.flatnonzero(null & kept), N_CONTROLS, replace=False)
    return CountStudy(counts[:, kept], group, factors, null[kept], np.isin(np.arange(m), chosen)[kept])


Analysis = Callable[[CountStudy], np.ndarray]


def adjusted(method: str, model: str, *, oracle: bool = False, controls: bool = False) -> Analysis:
    """Analyse counts by a factor method and a primary model; returns p-values."""

    def run(study: CountStudy) -> np.ndarray:
        given = {"controls": study.controls} if controls else {}
        design = study.oracle_design if oracle else study.design
        return la.adjust(study.counts, design, method=method, model=model, **given).tests.p_value[:, 0]

    return run


def log_cpm_defaults(study: CountStudy) -> np.ndarray:
    """All defaults, on log counts per million."""
    logs = log_cpm(study.counts, "tmm", prior_count=0.5).to_numpy()
    return la.adjust(logs, study.design).tests.p_value[:, 0]


def generalised_factors(study: CountStudy) -> np.ndarray:
    """GCATE with its own model."""
    return la.adjust(study.counts, study.design, method="gcate").tests.p_value[:, 0]


R_SCRIPT = """
suppressMessages({ library(sva); library(edgeR) })
a <- commandArgs(TRUE); C <- as.matrix(read.csv(a[1], header = FALSE)); x <- scan(a[2], quiet = TRUE)
dimnames(C) <- NULL; mod <- model.matrix(~x); mod0 <- mod[, 1, drop = FALSE]
k <- num.sv(log(C + 1), mod, "be", seed = 1)
D <- if (k > 0) { invisible(capture.output(s <- svaseq(C, mod, mod0, n.sv = k))); cbind(mod, s$sv) } else mod
y <- estimateDisp(calcNormFactors(DGEList(C)), D)
write(glmQLFTest(glmQLFit(y, D), coef = 2)$table$PValue, a[3], ncolumns = 1)
"""


def as_in_r(study: CountStudy) -> np.ndarray:
    """Surrogate variables by svaseq, then edgeR's quasi-likelihood test, both by R."""
    with tempfile.TemporaryDirectory() as folder:
        counts, group, out = (str(Path(folder) / name) for name in ("counts.csv", "group.txt", "p.txt"))
        np.savetxt(counts, study.counts.T, fmt="%d", delimiter=",")
        np.savetxt(group, study.group)
        subprocess.run(["Rscript", "-e", R_SCRIPT, counts, group, out], check=True, capture_output=True)
        return np.loadtxt(out)


METHODS: dict[str, Analysis] = {
    "oracle, voom": adjusted("none", "voom", oracle=True),
    "oracle, NB": adjusted("none", "negative_binomial", oracle=True),
    "none, voom": adjusted("none", "voom"),
    "none, NB": adjusted("none", "negative_binomial"),
    "voom + SVA": adjusted("sva", "voom"),
    "voom + CATE": adjusted("cate", "voom"),
    "NB + SVA": adjusted("sva", "negative_binomial"),
    "NB + CATE": adjusted("cate", "negative_binomial"),
    "NB + RUVg": adjusted("ruvg", "negative_binomial", controls=True),
    "NB + CATE, controls": adjusted("cate_nc", "negative_binomial", controls=True),
    "GCATE": generalised_factors,
    "auto, log-CPM": log_cpm_defaults,
    "svaseq + edgeR (R)": as_in_r,
}
SLOW = ("GCATE", "svaseq + edgeR (R)")


@dataclass(frozen=True)
class Rates:
    """Error rates of a method in a family, averaged over its studies.

    Attributes
    ----------
    type_one_error, tail : float
        Shares of the features without effect with p below 0.05 and below 0.005.
    fdp, power : float
        At a false discovery rate of 5 % by Benjamini and Hochberg.
    seconds : float
    n_studies, n_failed : int
    """

    type_one_error: float
    tail: float
    fdp: float
    power: float
    seconds: float
    n_studies: int
    n_failed: int


def rates_of(study: CountStudy, analysis: Analysis) -> tuple[float, ...] | None:
    """Error rates in one study; None where the method refuses it."""
    start = time.process_time()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            p_value = analysis(study)
        except LatentAdjError:
            return None
    p_value = np.where(np.isnan(p_value), 1.0, p_value)
    found, null = adjust_pvalues(p_value) <= FDR, study.null
    false = np.sum(found & null) / max(np.sum(found), 1)
    levels = [np.mean(p_value[null] < alpha) for alpha in (0.05, 0.005)]
    return (*levels, false, np.mean(found[~null]), time.process_time() - start)


def run_family(family: CountFamily, methods: Sequence[str], n_repeats: int, n_features: int) -> dict[str, Rates]:
    """Average error rates of every method over the studies of one family."""
    seen: dict[str, list] = {name: [] for name in methods}
    for i in range(n_repeats):
        study = draw(family, n_features, i)
        for name in methods:
            if name not in SLOW or i % SLOWNESS == 0:
                seen[name].append(rates_of(study, METHODS[name]))
    return {name: average(rows) for name, rows in seen.items()}


def average(rows: Sequence[tuple | None]) -> Rates:
    """Mean over studies."""
    usable = [row for row in rows if row is not None]
    means = np.mean(usable, axis=0) if usable else np.full(5, np.nan)
    return Rates(*map(float, means), n_studies=len(rows), n_failed=len(rows) - len(usable))


def cell(rates: Rates) -> str:
    """``FDP/power (type-I error, tail)``."""
    if np.isnan(rates.fdp):
        return "fails"
    short = [f"{value:.2f}".removeprefix("0") for value in (rates.fdp, rates.power)]
    levels = f"{rates.type_one_error:.3f}".removeprefix("0"), f"{rates.tail:.4f}".removeprefix("0")
    return f"{short[0]}/{short[1]} ({levels[0]}, {levels[1]})"


def table(rows: Mapping[str, Mapping[str, Rates]]) -> str:
    """A Markdown table, one row per method and one column per family."""
    names = list(dict.fromkeys(name for cells in rows.values() for name in cells))
    lines = ["| method | " + " | ".join(rows) + " |", "|---" * (len(rows) + 1) + "|"]
    lines += [f"| {name} | " + " | ".join(cell(cells[name]) for cells in rows.values()) + " |" for name in names]
    return "\n".join(lines)


def write(text: str, rows: Mapping[str, Mapping[str, Rates]]) -> None:
    """Replace what stands between the page's two markers, and write the numbers beside the page."""
    before, rest = PAGE.read_text(encoding="utf-8").split(BEGIN)
    PAGE.write_text(f"{before}{BEGIN}\n\n{text}\n\n{END}{rest.split(END)[1]}", encoding="utf-8")
    with RATES.open("w", newline="", encoding="utf-8") as handle:
        writer = csv.writer(handle, lineterminator="\n")
        writer.writerow(["family", "method", *Rates.__dataclass_fields__])
        for family, cells in rows.items():
            for name, rates in cells.items():
                values = [getattr(rates, field) for field in Rates.__dataclass_fields__]
                writer.writerow([family, name, *(f"{v:.5g}" for v in values)])


def main() -> int:
    """Parse the options, simulate, print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.counts", description=__doc__)
    parser.add_argument("--repeats", default="20", help="studies per family; a number for each of the sizes, or one")
    parser.add_argument("--features", type=int, default=1500)
    parser.add_argument("--samples", default="12,40", help="sizes of the studies, separated by commas")
    parser.add_argument("--methods", help="names, separated by semicolons; all by default")
    parser.add_argument("--write", action="store_true", help=f"write docs/{PAGE.name} and docs/{RATES.name}")
    options = parser.parse_args()
    methods = options.methods.split(";") if options.methods else list(METHODS)
    if which("Rscript") is None:
        methods = [name for name in methods if not name.endswith("(R)")]
    tables, rows = [], {}
    sizes = [int(size) for size in options.samples.split(",")]
    repeats = [int(number) for number in options.repeats.split(",")]
    for size, n_repeats in zip(sizes, repeats * len(sizes) if len(repeats) == 1 else repeats, strict=False):
        here = {}
        for family in families(size):
            here[family.name] = run_family(family, methods, n_repeats, options.features)
            shown = (f"{name}: {cell(rates)}" for name, rates in here[family.name].items())
            print(family.name, *shown, sep=" | ", file=sys.stderr, flush=True)
        tables.append(f"## {size} samples, {n_repeats} studies per family\n\n{table(here)}")
        rows |= here
    text = "\n\n".join(tables)
    print(text)
    if options.write:
        write(text, rows)
    return 0


if __name__ == "__main__":
    sys.exit(main())
