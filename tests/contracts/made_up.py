"""The made-up study on which every method of the catalogue is held to its promises, and how answers are compared."""

from __future__ import annotations

import inspect
from dataclasses import dataclass
from functools import cache

import numpy as np
import pandas as pd
import pytest

import latentadj as la
from latentadj.factors import METHODS

N, M, K = 30, 400, 2
ROUNDING = 1e-11
SINGLE = 1e-5
FORMULA = "~ x | age"

all_methods = pytest.mark.parametrize("method", METHODS, ids=lambda cls: cls.method_info.name)


@dataclass(frozen=True)
class MadeUpStudy:
    X: np.ndarray
    table: pd.DataFrame
    controls: np.ndarray

    @property
    def frame(self) -> pd.DataFrame:
        return pd.DataFrame(self.X, index=self.table.index, columns=[f"g{i}" for i in range(self.X.shape[1])])


@cache
def study() -> MadeUpStudy:
    """Two hidden factors, one associated with x; 50 controls; 40 true effects."""
    rng = np.random.default_rng(42)
    x = np.repeat([0.0, 1.0], N // 2)
    age = rng.normal(50, 10, size=N)
    factors = rng.normal(size=(N, K))
    factors[:, 0] += 0.8 * x
    effects = np.zeros(M)
    effects[-40:] = rng.normal(size=40) * 2
    spread = np.exp(0.3 * rng.normal(size=M))
    X = (
        8.0
        + np.outer(x, effects)
        + np.outer(age - 50, 0.03 * rng.normal(size=M))
        + factors @ rng.normal(size=(K, M))
        + spread * rng.normal(size=(N, M))
    )
    X.flags.writeable = False
    table = pd.DataFrame({"x": x, "age": age}, index=[f"s{i}" for i in range(N)])
    return MadeUpStudy(X, table, np.arange(M) < 50)


def build(method: type, n_factors: int = K) -> la.LatentFactorEstimator:
    """The method with the options that it has among number of factors and controls."""
    given = {"n_factors": n_factors, "controls": study().controls}
    known = inspect.signature(method.__init__).parameters
    return method(**{key: value for key, value in given.items() if key in known})


def run(method: type, X=None, table=None, *, n_factors: int = K, formula: str = FORMULA) -> la.AdjustmentResult:
    s = study()
    return la.adjust(
        s.frame if X is None else X,
        formula,
        s.table if table is None else table,
        method=build(method, n_factors),
        allow_invalid=True,
    )


def numbers(result: la.AdjustmentResult) -> dict[str, np.ndarray]:
    table = result.tidy()
    columns = ("estimate", "std_error", "statistic", "p_value", "mean", "conf_low")
    return {
        "factors": result.factors.to_numpy(),
        "loadings": result.loadings.to_numpy(),
        "sigma2": result.fit.sigma2,
        **{name: table[name].to_numpy() for name in columns},
    }


def assert_same(found: la.AdjustmentResult, expected: la.AdjustmentResult, tolerance: float) -> None:
    others = numbers(expected)
    for name, values in numbers(found).items():
        assert_close(values, others[name], tolerance, name)


def assert_close(found: np.ndarray, expected: np.ndarray, tolerance: float, name: str = "") -> None:
    assert found.shape == expected.shape, name
    np.testing.assert_array_equal(np.isnan(found), np.isnan(expected), err_msg=name)
    scale = np.nanmax(np.abs(expected), initial=0.0)
    np.testing.assert_allclose(found, expected, rtol=0, atol=tolerance * scale, err_msg=name)


@cache
def usual(method: type) -> la.AdjustmentResult:
    return run(method)
