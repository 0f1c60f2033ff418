"""Studies whose results the tests of diagnostics, plots and reports share; fitted once."""

from __future__ import annotations

import functools
import warnings

import numpy as np
import pandas as pd

import latentadj as la


def quiet(*args, **kwargs) -> la.AdjustmentResult:
    """`adjust` without its warnings, which stay in the result."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return la.adjust(*args, **kwargs)


@functools.cache
def bladder(n_factors: int | str = "auto") -> la.AdjustmentResult:
    """The bundled study, tissue in the formula, batch only in the sample table."""
    data = la.load_bladder()
    return quiet(data.X, "~ cancer", data.sample_data, method="cate", n_factors=n_factors, controls=list(data.controls))


def sample_table(n: int, rng: np.random.Generator) -> pd.DataFrame:
    """Group, a batch of four, age, a date, and columns that cannot be used."""
    return pd.DataFrame(
        {
            "group": np.where(np.arange(n) % 2, "case", "control"),
            "batch": 1 + np.arange(n) * 4 // n,
            "age": rng.normal(50, 10, n),
            "run": pd.Timestamp("2024-03-01") + pd.to_timedelta(rng.permutation(n), unit="D"),
            "id": [f"patient{i}" for i in range(n)],
            "lab": "north",
        },
        index=[f"s{i}" for i in range(n)],
    )


@functools.cache
def hidden_batch(
    n: int = 40, m: int = 600, n_factors: int | str = "auto", seed: int = 0, **options: object
) -> la.AdjustmentResult:
    """A batch balanced against the group moves every feature and is in the sample table only."""
    rng = np.random.default_rng(seed)
    table = sample_table(n, rng)
    shift = rng.normal(size=(5, m))[table["batch"]]
    effect = np.outer(table["group"] == "case", (np.arange(m) < m // 10) * 1.5)
    X = pd.DataFrame(8 + shift + effect + rng.normal(size=(n, m)), index=table.index)
    X.columns = [f"g{i}" for i in range(m)]
    return quiet(X, "~ group", table, n_factors=n_factors, **options)


@functools.cache
def large() -> la.AdjustmentResult:
    """A thousand samples, 25 factors, 45 covariates, awkward names."""
    rng = np.random.default_rng(1)
    n, m, k = 1000, 800, 25
    x, scores = rng.normal(size=n), rng.normal(size=(n, k))
    scores[:, 0] += 0.5 * x
    table = pd.DataFrame({"x": x}, index=[f"s{i}" for i in range(n)])
    cuts = np.quantile(scores[:, 0], np.linspace(0, 1, 31)[1:-1])
    table["plate $number$ of the very first run_{x}"] = [f"plate{i}" for i in np.digitize(scores[:, 0], cuts)]
    for i in range(43):
        table[f"covariate number {i}"] = rng.normal(size=n) + (scores[:, i] if i < 5 else 0)
    X = scores @ rng.normal(size=(k, m)) + np.outer(x, rng.random(m) < 0.1) * 0.2 + rng.normal(size=(n, m))
    return quiet(X, "~ x", table)


@functools.cache
def small() -> la.AdjustmentResult:
    """Ten samples, one factor."""
    rng = np.random.default_rng(2)
    table = sample_table(10, rng)
    X = rng.normal(size=(10, 300)) + np.outer(np.arange(10) % 3 == 0, rng.normal(size=300)) * 2
    return quiet(X, "~ group", table, n_factors=1)
