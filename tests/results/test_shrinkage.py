"""Shrunken effects as results: tables, several terms, tests with t errors."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy import stats

import latentadj as la
from latentadj.exceptions import InputError
from latentadj.results.shrinkage import COLUMNS, shrink, shrink_tests


@pytest.fixture(scope="module")
def result():
    rng = np.random.default_rng(4)
    x = np.repeat([0.0, 1.0], 6)
    age = rng.normal(size=12)
    X = rng.normal(size=(12, 500)) + np.outer(x, np.r_[np.full(60, 3.0), np.zeros(440)])
    X[:, 100] = 5.0
    with pytest.warns(la.LatentAdjWarning):
        return la.adjust(X, la.Design.from_arrays(np.column_stack([x, age]), primary_names=["x", "age"]), method="none")


def test_each_term_is_shrunken_alone(result):
    shrunk = shrink_tests(result.tests)
    assert shrunk.names == ("x", "age")
    assert shrunk.lfsr.shape == (500, 2)
    for i in range(2):
        alone = shrink(result.tests.estimate[:, i], result.tests.std_error[:, i], result.tests.df)
        for name in COLUMNS:
            assert_allclose(getattr(shrunk, name)[:, i], getattr(alone, name)[:, 0], rtol=1e-12, err_msg=name)
    assert shrunk.null_share[0] < 0.95 < shrunk.null_share[1]
    assert shrunk.converged
    assert np.isnan(shrunk.lfsr[100]).all()
    assert (shrunk.s_value[:60, 0] < 0.05).mean() > 0.8


def test_normal_mixture_of_t_tests_keeps_their_p_values(result):
    shrunk = shrink_tests(result.tests, mixture="normal")
    used = np.isfinite(result.tests.p_value)
    normal = 2 * stats.norm.sf(np.abs(shrunk.estimate / shrunk.std_error))
    assert_allclose(normal[used], result.tests.p_value[used], rtol=1e-9)
    uniform = shrink_tests(result.tests)
    assert np.corrcoef(shrunk.posterior_mean[used[:, 0], 0], uniform.posterior_mean[used[:, 0], 0])[0, 1] > 0.98


def test_table(result):
    shrunk = shrink_tests(result.tests)
    table = shrunk.table([f"g{i}" for i in range(500)])
    assert list(table.columns) == ["feature", "term", *COLUMNS]
    assert table.shape == (1000, 12)
    only = shrunk.table(term="age")
    assert_array_equal(only["lfsr"].to_numpy(), table.loc[table["term"] == "age", "lfsr"].to_numpy())
    assert list(only["feature"][:2]) == [0, 1]
    with pytest.raises(InputError, match="'sex' is unknown"):
        shrunk.table(term="sex")
    with pytest.raises(InputError, match="3 feature names for 500"):
        shrunk.table(["a", "b", "c"])


def test_lfsr_is_at_least_lfdr_and_its_parts_add_up(result):
    shrunk = shrink_tests(result.tests, mixture="halfuniform", alpha=1.0)
    used = np.isfinite(shrunk.lfsr)
    assert np.all(shrunk.lfsr[used] >= shrunk.lfdr[used] - 1e-12)
    total = shrunk.negative_probability + shrunk.positive_probability + shrunk.lfdr
    assert_allclose(total[used], 1.0, rtol=1e-12)
    assert_allclose(shrunk.lfsr, 1 - np.maximum(shrunk.negative_probability, shrunk.positive_probability), atol=1e-12)


def test_without_terms():
    tests = la.adjust(
        np.random.default_rng(0).normal(size=(12, 40)), la.Design.from_arrays(np.repeat([0, 1], 6)), method="none"
    ).tests
    none = tests.__class__(
        (), tests.contrasts[:, :0], *(a[:, :0] for a in (tests.estimate,) * 4), tests.df, tests.prior
    )
    assert shrink_tests(none).table().shape == (0, 12)
