"""Missing values, blocks, weights, covariances and models of counts from the shell: as `adjust` has them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import latentadj as la
from latentadj.cli import main
from latentadj.testing import made_up_study

pytestmark = pytest.mark.filterwarnings("ignore::latentadj.LatentAdjWarning")


@pytest.fixture
def samples(tmp_path: Path) -> pd.DataFrame:
    table = made_up_study().sample_data.assign(person=[f"p{i // 2}" for i in range(30)])
    table.to_csv(tmp_path / "samples.csv")
    return table


def fit(tmp_path: Path, X: pd.DataFrame, *more: str) -> pd.DataFrame:
    X.to_csv(tmp_path / "X.csv")
    command = ["fit", str(tmp_path / "X.csv"), "--samples", str(tmp_path / "samples.csv"), "--formula", "~ x | age"]
    command += ["--method", "cate", "--n-factors", "2", "--out", str(tmp_path / "out"), "--no-report", *more]
    assert main(command) == 0
    return pd.read_csv(tmp_path / "out" / "results.csv")


def same(table: pd.DataFrame, result: la.AdjustmentResult) -> None:
    """Text holds 17 digits, so that only the order of sums may differ."""
    np.testing.assert_allclose(table["p_value"], result.tests.p_value[:, 0], rtol=1e-6, atol=1e-12)


def test_missing_values(tmp_path, samples):
    X = made_up_study().frame
    X = X.mask(np.random.default_rng(0).uniform(size=X.shape) < 0.05)
    result = la.adjust(X, "~ x | age", samples, method="cate", n_factors=2, missing="allow")
    table = fit(tmp_path, X, "--missing", "allow")
    same(table, result)
    assert table["n_obs"].min() < 30


def test_missing_values_are_an_error_unless_allowed(tmp_path, samples, capsys):
    X = made_up_study().frame.copy()
    X.iloc[3, 5] = np.nan
    X.to_csv(tmp_path / "X.csv")
    command = ["fit", str(tmp_path / "X.csv"), "--samples", str(tmp_path / "samples.csv"), "--formula", "~ x"]
    assert main([*command, "--out", str(tmp_path / "out")]) == 2
    message = capsys.readouterr().err
    assert "1 missing value(s)" in message
    assert "--missing allow" in message
    assert not (tmp_path / "out").exists()


def test_blocks_by_column(tmp_path, samples):
    X = made_up_study().frame
    result = la.adjust(X, "~ x | age", samples, method="cate", n_factors=2, blocks="person")
    same(fit(tmp_path, X, "--blocks", "person"), result)


@pytest.mark.parametrize("model", ["voom", "negative_binomial"])
def test_models_of_counts(tmp_path, samples, model):
    X = made_up_study("counts").frame
    result = la.adjust(X, "~ x | age", samples, method="cate", n_factors=2, model=model)
    same(fit(tmp_path, X, "--model", model), result)


def test_weights_and_covariance_from_files(tmp_path, samples):
    X = made_up_study().frame
    rng = np.random.default_rng(0)
    weights = pd.DataFrame(rng.uniform(0.5, 2.0, size=X.shape), index=X.index, columns=X.columns)
    person = samples["person"].to_numpy()
    covariance = pd.DataFrame(0.3 * (person[:, None] == person) + 0.7 * np.eye(30), index=X.index, columns=X.index)
    weights.iloc[::-1].to_csv(tmp_path / "w.csv")
    covariance.to_csv(tmp_path / "v.csv")
    given = {"observation_weights": weights, "sample_covariance": covariance}
    result = la.adjust(X, "~ x | age", samples, method="cate", n_factors=2, **given)
    found = fit(
        tmp_path, X, "--observation-weights", str(tmp_path / "w.csv"), "--sample-covariance", str(tmp_path / "v.csv")
    )
    same(found, result)
