"""Quality weights of samples from tables: orientation, IDs, missing values, observation weights, simulated truth."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy import optimize

import latentadj as la
from latentadj.core.array_weights import array_weights as pooled
from latentadj.core.matrix import ArrayMatrix
from latentadj.core.passes import pass_options
from latentadj.exceptions import AlignmentError, InputError, MethodError, NotConvergedWarning
from latentadj.samples import array_weights

pytestmark = pytest.mark.filterwarnings("ignore::latentadj.exceptions.InputNoteWarning")


def study(seed: int = 0, m: int = 800) -> tuple[pd.DataFrame, pd.DataFrame, np.ndarray]:
    """Twenty samples, four of them with three times the standard deviation; features of unequal variance."""
    rng = np.random.default_rng(seed)
    spread = np.where(np.arange(20) % 5 == 0, 3.0, 1.0)
    table = pd.DataFrame({"x": np.tile(["u", "v"], 10), "age": rng.normal(size=20)}, index=[f"s{i}" for i in range(20)])
    table["noisy"] = np.where(spread > 1, "yes", "no")
    X = rng.normal(size=(20, m)) * spread[:, None] * rng.uniform(0.5, 2, size=m) + rng.normal(size=m) * 5
    return pd.DataFrame(X, index=table.index).add_prefix("g"), table, spread


@pytest.mark.parametrize("method", ["reml", "genebygene"])
def test_finds_the_noisy_samples(method: str) -> None:
    X, table, spread = study(m=3000)
    weights = array_weights(X, "~ x | age", table, method=method)
    assert np.log(weights).sum() == pytest.approx(0.0, abs=1e-9)
    ratio = weights[spread == 1].mean() / weights[spread > 1].mean()
    assert 7.5 < ratio < 10.5
    assert list(weights.index) == list(table.index)


def test_groups_share_a_weight() -> None:
    X, table, _ = study()
    weights = array_weights(X, "~ x", table, variance_design="~ noisy")
    assert weights.groupby(table["noisy"]).agg(np.ptp).max() < 1e-12
    assert 7.5 < weights.max() / weights.min() < 10.5


def test_ways_to_say_the_same() -> None:
    """Rows of the sample table in another order, features in rows, arrays, AnnData-like layers of IDs."""
    X, table, _ = study()
    expected = array_weights(X, "~ x", table)
    pd.testing.assert_series_equal(array_weights(X, "~ x", table.iloc[::-1]), expected)
    pd.testing.assert_series_equal(array_weights(X.T, "~ x", table, orientation="features"), expected)
    plain = array_weights(X.to_numpy(), (table["x"] == "v").to_numpy(dtype=float))
    np.testing.assert_allclose(plain, expected, rtol=1e-9)
    own = np.full(X.shape, 2.5)
    weighed = array_weights(X.T, "~ x", table, orientation="features", observation_weights=own.T)
    np.testing.assert_allclose(weighed, expected, rtol=1e-7)
    shuffled = X.iloc[::-1, np.random.default_rng(0).permutation(X.shape[1])]
    np.testing.assert_allclose(array_weights(shuffled, "~ x", table)[expected.index], expected, rtol=1e-7)


def test_missing_values_maximise_the_restricted_likelihood() -> None:
    """A general optimiser on the dense likelihood of the values that are there, with the prior of equal samples.

    Without a prior the likelihood of few samples has no bound: two weights may grow until the design fits them exactly.
    """
    rng = np.random.default_rng(1)
    n, m = 9, 30
    design = np.column_stack([np.ones(n), rng.normal(size=n)])
    Y = rng.normal(size=(n, m)) * np.exp(rng.normal(size=n) / 2)[:, None] * rng.uniform(0.1, 9, size=m)
    own = rng.uniform(0.5, 3, size=Y.shape)
    Y[rng.uniform(size=Y.shape) < 0.15] = np.nan
    directions = np.linalg.svd(np.eye(n) - 1 / n)[0][:, : n - 1]

    def deviance(gamma: np.ndarray) -> float:
        total = 10.0 * np.sum(np.exp(-directions @ gamma))
        for y, w in zip(Y.T, (np.exp(-directions @ gamma)[:, None] * own).T):
            seen = np.isfinite(y)
            q, r = np.linalg.qr(design[seen] * np.sqrt(w[seen])[:, None])
            z = y[seen] * np.sqrt(w[seen])
            df = seen.sum() - 2
            total += df * np.log(np.sum((z - q @ (q.T @ z)) ** 2))
            total += 2 * np.log(np.abs(np.diag(r))).sum() - np.log(w[seen]).sum()
        return total

    start = np.zeros(n - 1)
    best = optimize.minimize(deviance, start, method="BFGS", options={"gtol": 1e-4})
    found = array_weights(Y, design[:, 1], observation_weights=own)
    np.testing.assert_allclose(found, np.exp(-directions @ best.x), rtol=2e-3)
    assert deviance(-directions.T @ np.log(found.to_numpy())) <= best.fun + 1e-5


def test_missing_values_equal_weights_of_zero_and_use_every_feature() -> None:
    X, table, _spread = study(m=600)
    rng = np.random.default_rng(2)
    gaps = X.mask(rng.uniform(size=X.shape) < 0.2)
    found = array_weights(gaps, "~ x", table)
    zero = array_weights(X.fillna(0), "~ x", table, observation_weights=gaps.notna().to_numpy(dtype=float))
    np.testing.assert_allclose(zero, found, rtol=1e-9)
    error = np.abs(np.log(found) - np.log(array_weights(X, "~ x", table))).max()
    literal = array_weights(gaps, "~ x", table, compat="limma")
    assert error < 0.25 < np.abs(np.log(literal) - np.log(array_weights(X, "~ x", table))).max()


def test_complete_and_incomplete_features_add_up() -> None:
    """A block holds both kinds; width, threads and the way that leads to the sums do not matter."""
    X, table, _ = study(m=300)
    values, design = X.to_numpy().copy(), np.column_stack([np.ones(20), table["x"] == "v"]).astype(float)
    values[3, ::7] = np.nan
    values[:, 5] = 2.0
    found = pooled(ArrayMatrix(values), design).weights
    with pass_options(width=13, n_threads=2):
        again = pooled(ArrayMatrix(values), design).weights
    np.testing.assert_allclose(again, found, rtol=1e-10)
    ones = pooled(ArrayMatrix(values), design, observation_weights=ArrayMatrix(np.ones_like(values))).weights
    np.testing.assert_allclose(ones, found, rtol=1e-9)


def test_features_without_enough_values_say_nothing() -> None:
    X, table, _ = study(m=200)
    expected = array_weights(X, "~ x", table)
    more = X.assign(**{"few": np.r_[np.ones(3), np.full(17, np.nan)], "none": np.nan, "same": 4.0})
    np.testing.assert_allclose(array_weights(more, "~ x", table), expected, rtol=1e-9)


@pytest.mark.filterwarnings("ignore::latentadj.LatentAdjWarning")
def test_adjust_takes_them() -> None:
    """Null level of a group that is noisier: the weights bring 0.05 where the plain fit is off; 4000 features."""
    rng = np.random.default_rng(3)
    x = np.r_[np.zeros(20), np.ones(6)]
    X = rng.normal(size=(26, 4000)) * np.where(x > 0, 3.0, 1.0)[:, None]
    weights = array_weights(X, x, variance_design=x)
    rates = []
    for given in (None, weights):
        res = la.adjust(X, la.Design.from_arrays(x), method="none", sample_weights=given, inference="ordinary")
        rates.append(float((res.tests.p_value < 0.05).mean()))
    assert rates[0] > 0.12
    assert abs(rates[1] - 0.05) < 0.03  # few samples in a group: weighted t is approximate


def test_refusals() -> None:
    X, table, _ = study(m=50)
    with pytest.raises(MethodError, match="reml, genebygene"):
        array_weights(X, "~ x", table, method="auto")
    with pytest.raises(MethodError, match="limma"):
        array_weights(X, "~ x", table, compat="r")
    with pytest.raises(InputError, match="every value of X"):
        array_weights(X, "~ x", table, observation_weights=-np.ones(X.shape))
    with pytest.raises(InputError, match="tell any samples apart"):
        array_weights(X, "~ x", table, variance_design="~ 1")
    with pytest.raises(InputError, match="infinite"):
        array_weights(X.mask(X > 5, np.inf), "~ x", table)
    with pytest.raises(AlignmentError):
        array_weights(X, "~ x", table.iloc[1:])
    with pytest.warns(NotConvergedWarning, match="max_iter=2"):
        array_weights(X, "~ x", table, max_iter=2)
