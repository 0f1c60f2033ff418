"""Quantiles from the largest values alone, against NumPy's of all values."""

from __future__ import annotations

import numpy as np
import pytest

from latentadj.core.resampling_quantile import UpperQuantile


@pytest.mark.parametrize("n_rows", [1, 2, 19, 20, 101, 200])
@pytest.mark.parametrize("level", [0.01, 0.5, 0.9, 0.95, 0.999])
def test_numpy(n_rows: int, level: float) -> None:
    rows = np.random.default_rng(n_rows).normal(size=(n_rows, 7)).round(1)
    found = UpperQuantile(n_rows, level, 7)
    for row in rows:
        found.add(row)
    np.testing.assert_array_equal(found.value(), np.quantile(rows, level, axis=0, method="higher"))
    assert len(found._held) <= 2 * max(np.ceil((1 - level) * n_rows) + 1, 1)


def test_what_has_no_value_is_large() -> None:
    found = UpperQuantile(3, 0.5, 2)
    for row in ([1.0, np.nan], [3.0, 5.0], [2.0, np.nan]):
        found.add(np.array(row))
    np.testing.assert_array_equal(found.value(), [2.0, np.inf])


def test_not_before_all_rows_have_come_in() -> None:
    found = UpperQuantile(3, 0.5, 1)
    found.add(np.zeros(1))
    with pytest.raises(ValueError, match="1 of 3"):
        found.value()
