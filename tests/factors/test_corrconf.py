"""CorrConf against CorrConf 2.2 (identity covariance) and against simulated families."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose

import latentadj as la
from latentadj.core.alignment import canonical_correlations
from latentadj.design import Design
from latentadj.factors.bcconf import BCconf
from latentadj.factors.corrconf import CorrConf
from tests.parity.studies import NAMES, study
from tests.reference_data import load_reference

pytestmark = pytest.mark.filterwarnings("ignore::latentadj.LatentAdjWarning")


@pytest.mark.parametrize("name", NAMES)
def test_parity_with_the_identity(name: str) -> None:
    s = study(name)
    table = s.data.sample_data
    design = (
        Design.from_arrays(np.column_stack([table["cancer"] == "Cancer", table["cancer"] == "Normal"]).astype(float))
        if name == "bladderbatch"
        else Design.from_arrays(table["x"].to_numpy(), table["age"].to_numpy())
    )
    stored = load_reference("bcconf", "parity")[f"{name}__CorrConf_C"]
    result = la.adjust(s.data.X[:, :1000], design, method=CorrConf(s.n_factors, compat="corrconf"))
    assert canonical_correlations(result.factors.to_numpy(), stored).min() > 1 - 1e-9


def families(seed: int, *, n: int = 60, m: int = 600, share: float = 0.6) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Families of four that share the primary variable and most of the noise; two hidden factors."""
    rng = np.random.default_rng(seed)
    family = np.repeat(np.arange(n // 4), 4)
    x = np.repeat(rng.permutation(n // 4) % 2, 4).astype(float)
    Z = rng.normal(size=(n, 2)) + 0.7 * x[:, None]
    noise = np.sqrt(share) * rng.normal(size=(n // 4, m))[family] + np.sqrt(1 - share) * rng.normal(size=(n, m))
    spread = 1 / np.sqrt(rng.gamma(5, 1 / 5, size=m))
    return Z @ rng.normal(size=(2, m)) + spread * noise, x, family


def level(covariances: bool, seeds: range) -> float:
    found = []
    for seed in seeds:
        X, x, family = families(seed)
        result = la.adjust(X, x, method=CorrConf(2, covariances=[family] if covariances else None))
        found.append(np.mean(result.tests.p_value < 0.05))
    return float(np.mean(found))


def test_level_in_families() -> None:
    assert 0.035 < level(True, range(6)) < 0.065
    assert level(False, range(3)) > 0.12


def test_kinship_matrix() -> None:
    """A smooth covariance that is no block matrix: its share is found and the level is nominal."""
    shares, levels = [], []
    for seed in range(5):
        rng = np.random.default_rng(seed)
        position = np.sort(rng.uniform(0, 10, size=50))
        kinship = np.exp(-np.abs(position[:, None] - position))
        x = np.sin(position) + 0.3 * rng.normal(size=50)
        Z = rng.normal(size=(50, 1)) + x[:, None]
        root = np.linalg.cholesky(0.7 * kinship + 0.3 * np.eye(50))
        X = Z @ rng.normal(size=(1, 800)) + root @ rng.normal(size=(50, 800))
        result = la.adjust(X, x, method=CorrConf(1, covariances=[kinship]))
        shares.append(result.estimate.details["covariance_shares"])
        levels.append(np.mean(result.tests.p_value < 0.05))
    assert_allclose(np.mean(shares, axis=0), [0.7, 0.3], atol=0.04)
    assert 0.03 < np.mean(levels) < 0.07


def test_number_of_factors_is_that_of_whitened_samples() -> None:
    X, x, family = families(1)
    assert la.adjust(X, x, method=CorrConf(covariances=[family])).n_factors == 2
    assert la.adjust(X, x, method=CorrConf()).n_factors > 2


def test_identity_is_bcconf() -> None:
    X, x, _ = families(2, share=0.0)
    found = la.adjust(X, x, method=CorrConf(2))
    expected = la.adjust(X, x, method=BCconf(2))
    np.testing.assert_array_equal(found.tests.p_value, expected.tests.p_value)


def test_refit_is_generalised_least_squares() -> None:
    X, x, family = families(3)
    result = la.adjust(X, x, method=CorrConf(2, covariances=[family]))
    V = result.estimate.details["sample_covariance"]
    design = np.column_stack([np.ones(60), x, result.factors])
    inverse = np.linalg.inv(V)
    coef = np.linalg.solve(design.T @ inverse @ design, design.T @ inverse @ X)
    assert_allclose(result.tests.estimate[:, 0], coef[1], rtol=1e-9, atol=1e-10)
    assert np.trace(V) == pytest.approx(60)


def test_order_of_samples() -> None:
    X, x, family = families(4)
    order = np.random.default_rng(0).permutation(60)
    found = la.adjust(X[order], x[order], method=CorrConf(2, covariances=[family[order]]))
    expected = la.adjust(X, x, method=CorrConf(2, covariances=[family]))
    assert_allclose(found.tests.statistic, expected.tests.statistic, rtol=1e-8, atol=1e-9)


def test_ways_to_give_the_covariance() -> None:
    """A column of the table, labels, a matrix and a data frame in another order are the same."""
    X, x, family = families(5, m=100)
    ids = [f"s{i}" for i in range(60)]
    frame = pd.DataFrame(X, index=ids, columns=[f"g{i}" for i in range(X.shape[1])])
    table = pd.DataFrame({"x": x, "family": [f"f{i}" for i in family]}, index=ids)
    block = (family[:, None] == family).astype(float)
    shuffled = pd.DataFrame(block, index=ids, columns=ids).sample(frac=1, random_state=0)
    given = (["family"], "family", [table["family"]], [block], block, [shuffled.sample(frac=1, axis=1, random_state=1)])
    results = [la.adjust(frame, "~ x", table, method=CorrConf(2, covariances=value)) for value in given]
    for result in results[1:]:
        np.testing.assert_array_equal(result.tests.p_value, results[0].tests.p_value)


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ([np.eye(5)], "shape"),
        ([-np.eye(60)], "negative eigenvalues"),
        ([np.triu(np.ones((60, 60)))], "symmetric"),
        ([np.full((60, 60), np.nan)], "finite"),
        ("family", "sample table"),
    ],
)
def test_covariances_are_checked(value, message: str) -> None:
    X, x, _ = families(6)
    with pytest.raises(la.exceptions.InputError, match=message):
        CorrConf(1, covariances=value).fit(X, x)
