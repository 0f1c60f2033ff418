"""CPU time against the number of features and of samples, and what it says about studies of the size of a biobank.

`python -m benchmarks.scaling [--repeats 3] [--quick]`. One thread. Exit status 1 where time is not linear in features
above 100,000.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

import latentadj as la
from benchmarks.measure import Work, cpu_ms
from benchmarks.surrogate import estimate
from latentadj.core.kernels import GramKernel, RegressionKernel
from latentadj.core.matrix import ArrayMatrix, default_width
from latentadj.core.pass_kernel import PassKernel
from latentadj.core.passes import one_blas_thread
from latentadj.core.regression import design_basis, fit_regression
from latentadj.core.tails import t_two_sided_p
from latentadj.core.variance import squeeze_variances

FEATURES, SAMPLES = (10_000, 30_000, 100_000, 300_000, 1_000_000), (50, 100, 200, 500, 1000, 2000)
FIXED_SAMPLES, FIXED_FEATURES = 100, 20_000
QUICK_FEATURES, QUICK_SAMPLES = (10_000, 30_000, 100_000), (50, 100, 200)
#: Features above which time has to grow with their number, and the slopes that count as that.
LINEAR_FROM, SLOPES = 100_000, (0.9, 1.1)
N_FACTORS, N_ROUNDS, N_PERMUTATIONS = 5, 5, 20
#: The largest study that has been asked for.
BIOBANK_FEATURES, BIOBANK_SAMPLES = 850_000, 10_000
#: Samples that the costs of its blocks are measured with; of a Gram matrix they are proportional to the samples.
BLOCK_SAMPLES = 2000
#: Regressions of the largest scan that has been asked for.
BIOBANK_REGRESSIONS = 1_000_000_000


@dataclass(frozen=True)
class Scaling:
    """CPU milliseconds of one task.

    Attributes
    ----------
    task : str
    sizes : tuple of int, length S
        Features or samples.
    times : ndarray of shape (S,)
    """

    task: str
    sizes: tuple[int, ...]
    times: np.ndarray

    def slope(self, start: int = 0) -> float:
        """Slope of log time on log size, by least squares over sizes from `start` on."""
        used = np.array(self.sizes) >= start
        if used.sum() < 2:
            return float("nan")
        return float(np.polyfit(np.log(np.array(self.sizes)[used]), np.log(self.times[used]), 1)[0])


def made_up(n_features: int, n_samples: int) -> tuple[np.ndarray, la.Design]:
    """Five hidden factors that go with two groups; features contiguous."""
    rng = np.random.default_rng(0)
    y = (np.arange(n_samples) % 2).astype(float)
    scores = rng.standard_normal((n_samples, N_FACTORS)) + 0.5 * y[:, None]
    values = rng.standard_normal((n_features, n_samples))
    values += rng.standard_normal((n_features, N_FACTORS)) @ scores.T
    values += 8.0
    return values.T, la.Design.from_arrays(y)


def moderated(X: np.ndarray, design: la.Design) -> np.ndarray:
    """Regression, moderation and p-values."""
    fit = fit_regression(ArrayMatrix(X), design.matrix)
    prior = squeeze_variances(fit.sigma2, fit.df_resid)
    return t_two_sided_p(fit.coef[:, -1] / np.sqrt(prior.s2_post * fit.cov_unscaled[-1, -1]), prior.df_total)


def parallel(X: np.ndarray, design: la.Design) -> object:
    """Number of factors by permutations."""
    problem = la.CATE().make_problem(ArrayMatrix(X), design, None)
    rule = la.ParallelAnalysis(n_permutations=N_PERMUTATIONS)
    return rule.select(problem, 2 * N_FACTORS, np.random.default_rng(0))


def tasks(X: np.ndarray, design: la.Design) -> dict[str, Work]:
    """What is timed on one study."""
    sva = la.SVA(n_factors=N_FACTORS, max_iter=N_ROUNDS, compat="sva")
    return {
        "regression + moderated p": partial(moderated, X, design),
        "CATE, 5 factors": partial(estimate, la.CATE(n_factors=N_FACTORS), X, design, N_FACTORS),
        "SVA, 5 rounds": partial(estimate, sva, X, design, N_FACTORS),
        "parallel analysis": partial(parallel, X, design),
    }


def measured(sizes: tuple[int, ...], shape: Callable[[int], tuple[int, int]], repeats: int) -> list[Scaling]:
    """Time every task at every size; the shortest of some calls, as other work only adds to it."""
    times: dict[str, list[float]] = {}
    for size in sizes:
        for task, work in tasks(*made_up(*shape(size))).items():
            times.setdefault(task, []).append(cost_of(work, repeats))
    return [Scaling(task, sizes, np.array(found)) for task, found in times.items()]


def table(scalings: list[Scaling], what: str, start: int) -> Iterator[str]:
    """Markdown lines; the last column is the slope, over sizes from `start` on."""
    sizes = scalings[0].sizes
    yield f"| CPU ms by {what} | " + " | ".join(f"{size:,}" for size in sizes) + " | slope |"
    yield "|" + "---|" * (len(sizes) + 2)
    for one in scalings:
        cells = " | ".join(f"{time:,.1f}" for time in one.times)
        yield f"| {one.task} | {cells} | {one.slope(start):.2f} |"


def block_costs(n_samples: int, repeats: int) -> tuple[float, float, float]:
    """Nanoseconds per value of a float32 block: regression on six columns, Gram in double and in single precision.

    Only the blocks are timed, not what a pass makes once.
    """
    n_features = default_width(n_samples)
    rng = np.random.default_rng(0)
    stored = ArrayMatrix(rng.standard_normal((n_features, n_samples), dtype=np.float32).T)
    basis = design_basis(np.column_stack([np.ones(n_samples), rng.standard_normal((n_samples, 5))]))
    regression = RegressionKernel(basis.q, n_features, centred=True)
    works = [partial(whole_block, regression, stored.read)]
    works += [partial(whole_block, GramKernel(n_samples, single=False), stored.read)]
    works += [partial(whole_block, GramKernel(n_samples, single=True), stored.read_single)]
    costs = [cost_of(work, repeats) for work in works]
    first, second, third = (1e6 * cost / (n_features * n_samples) for cost in costs)
    return first, second, third


def whole_block(kernel: PassKernel, read: Callable[[slice], Any]) -> None:
    """Read one block and feed it to a kernel."""
    columns = slice(0, None)
    kernel.update(read(columns), columns)  # type: ignore[attr-defined]


def cost_of(work: Work, repeats: int) -> float:
    """Shortest CPU time in milliseconds, buffers made before."""
    work()
    return min(cpu_ms(work) for _ in range(max(repeats, 2)))


def biobank(repeats: int) -> Iterator[str]:
    """Hours that a study of 850,000 x 10,000 and a scan of a billion regressions would take, from costs of blocks."""
    values = BIOBANK_FEATURES * BIOBANK_SAMPLES
    more = BIOBANK_SAMPLES / BLOCK_SAMPLES
    regression, *products = block_costs(BLOCK_SAMPLES, repeats)
    double, single = (more * cost for cost in products)
    size = f"{BIOBANK_FEATURES:,} x {BIOBANK_SAMPLES:,} float32 ({4 * values / 1e9:.0f} GB)"
    for name, cost in (("regression", regression), ("Gram", double), ("Gram, single precision", single)):
        hours = 1e-9 * cost * values / 3600
        yield f"- {size}, {name} pass: {cost:.1f} ns per value, {hours:.2f} h of CPU."
    scan = 1e-9 * regression * BIOBANK_REGRESSIONS * BIOBANK_SAMPLES / 3600
    yield f"- {BIOBANK_REGRESSIONS:,} regressions of {BIOBANK_SAMPLES:,} samples: {scan:.0f} h of CPU."
    gram = 8 * BIOBANK_SAMPLES**2 / 1e9
    yield f"- The Gram matrix takes {gram:.1f} GB: one for the sum, and an unfinished sum and a product per thread."


def main(emit: Callable[[str], object] = print) -> int:
    """Parse the options, measure, print; exit status 1 where time is not linear in features."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.scaling", description=__doc__.splitlines()[0])
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--quick", action="store_true", help="small sizes only")
    options = parser.parse_args()
    features, samples = (QUICK_FEATURES, QUICK_SAMPLES) if options.quick else (FEATURES, SAMPLES)
    with one_blas_thread(), la.pass_options(n_threads=1):
        by_features = measured(features, lambda m: (m, FIXED_SAMPLES), options.repeats)
        for text in table(by_features, f"features ({FIXED_SAMPLES} samples)", LINEAR_FROM):
            emit(text)
        for text in table(
            measured(samples, lambda n: (FIXED_FEATURES, n), options.repeats),
            f"samples ({FIXED_FEATURES:,} features)",
            0,
        ):
            emit(text)
        for text in biobank(options.repeats):
            emit(text)
    return 0 if all(linear(one) for one in by_features) else 1


def linear(scaling: Scaling) -> bool:
    """Tell whether time grows with the number of features; also where too few sizes were measured to tell."""
    slope = scaling.slope(LINEAR_FROM)
    return bool(np.isnan(slope) or SLOPES[0] <= slope <= SLOPES[1])


if __name__ == "__main__":
    sys.exit(main())
