"""Correlation within blocks from tables: orientation, IDs, missing values, a draw of features, use in tests."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from latentadj.exceptions import AlignmentError, BlockCorrelationWarning, DesignError, InputError
from latentadj.samples import duplicate_correlation

pytestmark = pytest.mark.filterwarnings("ignore::latentadj.exceptions.InputNoteWarning")


def study(seed: int = 0, m: int = 600) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Forty samples of twenty subjects with half of the variance between subjects."""
    rng = np.random.default_rng(seed)
    subject = np.repeat(np.arange(20), 2)
    table = pd.DataFrame(
        {"subject": [f"p{i}" for i in subject], "time": np.tile(["before", "after"], 20), "age": rng.normal(size=40)},
        index=[f"s{i}" for i in range(40)],
    )
    X = rng.normal(size=(20, m))[subject] + rng.normal(size=(40, m)) + 7.0
    return pd.DataFrame(X, index=table.index).add_prefix("g"), table


def test_finds_the_correlation() -> None:
    X, table = study(m=2000)
    found = duplicate_correlation(X, "~ time | age", "subject", table)
    assert abs(found.consensus - 0.5) < 0.03
    assert found.estimable
    assert list(found.correlation.index) == list(X.columns)
    assert found.correlation.notna().all()
    expected = np.where(np.equal.outer(table["subject"].to_numpy(), table["subject"].to_numpy()), found.consensus, 0.0)
    np.fill_diagonal(expected, 1.0)
    np.testing.assert_allclose(found.covariance, expected)
    assert list(found.covariance.columns) == list(table.index)


def test_ways_to_say_the_same() -> None:
    X, table = study()
    expected = duplicate_correlation(X, "~ time", "subject", table).consensus
    same = [
        duplicate_correlation(X.T, "~ time", "subject", table, orientation="features"),
        duplicate_correlation(X, "~ time", table["subject"].iloc[::-1], table.iloc[::-1]),
        duplicate_correlation(X.to_numpy(), (table["time"] == "before").to_numpy(float), np.repeat(np.arange(20), 2)),
        duplicate_correlation(X.iloc[::-1] * 3 - 1, "~ time", "subject", table),
        duplicate_correlation(X, "~ time", pd.Categorical(table["subject"]), table),
    ]
    np.testing.assert_allclose([found.consensus for found in same], expected, rtol=1e-9)


def test_a_draw_of_features_is_seeded_and_near_the_whole() -> None:
    X, table = study(m=3000)
    whole = duplicate_correlation(X, "~ time", "subject", table)
    some = duplicate_correlation(X, "~ time", "subject", table, n_features=500)
    again = duplicate_correlation(X, "~ time", "subject", table, n_features=500, random_state=0)
    other = duplicate_correlation(X, "~ time", "subject", table, n_features=500, random_state=1)
    assert some.consensus == again.consensus != other.consensus
    assert abs(some.consensus - whole.consensus) < 0.03
    drawn = some.correlation.dropna()
    assert len(drawn) == 500
    np.testing.assert_allclose(drawn, whole.correlation[drawn.index], rtol=1e-9)
    everything = duplicate_correlation(X, "~ time", "subject", table, n_features=3000)
    assert everything.consensus == pytest.approx(whole.consensus, rel=1e-12)


def test_missing_values() -> None:
    X, table = study(m=300)
    gaps = X.mask(np.random.default_rng(1).uniform(size=X.shape) < 0.1)
    gaps["g0"], gaps["g1"] = np.nan, 3.0
    found = duplicate_correlation(gaps, "~ time", "subject", table)
    assert found.correlation[["g0", "g1"]].isna().all()
    assert found.correlation.iloc[2:].notna().all()
    assert abs(found.consensus - duplicate_correlation(X, "~ time", "subject", table).consensus) < 0.03


def test_says_when_there_is_nothing_to_see() -> None:
    X, table = study(m=50)
    with pytest.warns(BlockCorrelationWarning, match="taken as 0"):
        alone = duplicate_correlation(X, "~ time", np.arange(40), table)
    with pytest.warns(BlockCorrelationWarning, match="design holds the blocks"):
        inside = duplicate_correlation(X, "~ subject", "subject", table)
    assert alone.consensus == inside.consensus == 0.0
    assert not inside.estimable
    opposite = X * np.where(np.arange(40) % 2, 1.0, -1.0)[:, None]
    with pytest.warns(BlockCorrelationWarning, match="less alike"):
        assert duplicate_correlation(opposite, "~ time", "subject", table).consensus < -0.3


def test_refusals() -> None:
    X, table = study(m=50)
    with pytest.raises(InputError, match="no column 'patient'"):
        duplicate_correlation(X, "~ time", "patient", table)
    with pytest.raises(InputError, match="40 samples"):
        duplicate_correlation(X, "~ time", [1, 2, 3], table)
    with pytest.raises(DesignError, match="label of 1 sample"):
        duplicate_correlation(X, "~ time", table["subject"].where(table.index != "s3"), table)
    with pytest.raises(InputError, match="one label per sample"):
        duplicate_correlation(X, "~ time", table[["subject", "time"]], table)
    with pytest.raises(InputError, match="between 1 and 50"):
        duplicate_correlation(X, "~ time", "subject", table, n_features=51)
    with pytest.raises(InputError, match="trim"):
        duplicate_correlation(X, "~ time", "subject", table, trim=0.7)
    with pytest.raises(AlignmentError):
        duplicate_correlation(X, "~ time", "subject", table.iloc[1:])
