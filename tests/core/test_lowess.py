"""Lowess against R 4.2.2 and against a direct evaluation of its definition."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from latentadj.core.lowess import lowess
from latentadj.exceptions import InputError

STORE = Path(__file__).resolve().parents[1] / "reference" / "limma" / "variance.npz"


@pytest.mark.parametrize("name", ["smooth", "tied"])
def test_matches_r(name: str) -> None:
    with np.load(STORE) as archive:
        (x, y), expected = archive[f"lowess_{name}"].T, archive[f"lowess_{name}_r"]
    wide = 0.05 * float(np.ptp(x))
    ours = np.column_stack(
        [
            lowess(x, y),
            lowess(x, y, span=0.4, n_iter=3),
            lowess(x, y, span=0.3, n_iter=0, delta=0),
            lowess(x, y, span=0.2, n_iter=2, delta=wide),
        ]
    )
    # Same formulas, sums in another order: rounding only.
    np.testing.assert_allclose(ours, expected, rtol=0, atol=1e-12)


def brute_force(x: np.ndarray, y: np.ndarray, span: float, n_iter: int) -> np.ndarray:
    """Definition: a weighted line per point in its nearest neighbours, by the normal equations."""
    n_near = int(span * x.size + 1e-7)
    robustness, fitted = np.ones_like(x), np.empty_like(x)
    for _ in range(n_iter + 1):
        for i, x0 in enumerate(x):
            distance = np.abs(x - x0)
            h = np.sort(distance)[n_near - 1]
            w = np.where(distance < h, (1 - np.minimum(distance / h, 1) ** 3) ** 3, 0) * robustness
            fitted[i] = np.polynomial.Polynomial.fit(x, y, 1, w=np.sqrt(w))(x0)
        residual = np.abs(y - fitted)
        robustness = np.maximum(1 - (residual / (6 * np.median(residual))) ** 2, 0) ** 2
    return fitted


def test_matches_its_definition_without_interpolation() -> None:
    rng = np.random.default_rng(3)
    x = rng.uniform(size=80)
    y = np.cos(5 * x) + 0.3 * rng.standard_t(3, 80)
    # The published program sets weights within 0.1 % of their limits to 0 or 1, the definition does not.
    np.testing.assert_allclose(lowess(x, y, span=0.5, n_iter=2, delta=0), brute_force(x, y, 0.5, 2), atol=2e-5)


def test_reproduces_lines_and_resists_outliers() -> None:
    x = np.random.default_rng(4).normal(size=500)
    y = 3 - 2 * x
    np.testing.assert_allclose(lowess(x, y), y, atol=1e-12)
    y_spoiled = y.copy()
    y_spoiled[::50] += 100
    np.testing.assert_allclose(lowess(x, y_spoiled), y, atol=1e-9)


def test_few_points() -> None:
    np.testing.assert_array_equal(lowess([1.0], [4.0]), [4.0])
    np.testing.assert_allclose(lowess([2.0, 2.0, 2.0], [1.0, 2.0, 3.0], span=1.0, n_iter=0), [2.0, 2.0, 2.0])
    assert lowess([], []).size == 0


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"y": [1.0, 2.0]}, "shape"),
        ({"y": [1.0, np.nan, 2.0]}, "NaN"),
        ({"span": 0.0}, "span=0.0"),
        ({"n_iter": -1}, "n_iter=-1"),
        ({"delta": -0.1}, "delta=-0.1"),
    ],
)
def test_bad_input_is_named(options: dict, message: str) -> None:
    arguments = {"x": [1.0, 2.0, 3.0], "y": [1.0, 2.0, 3.0]} | options
    with pytest.raises(InputError, match=message):
        lowess(**arguments)
