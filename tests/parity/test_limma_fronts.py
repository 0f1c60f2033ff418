"""treat, decideTests, F of contrasts, arrayWeights and duplicateCorrelation, public API, against limma 3.54.1.

Stored with 17 digits. Largest relative errors over sim1, sim2 and bladderbatch: t of treat 4e-13, p 6e-12 (p moves with
the prior's degrees of freedom); with sva's factors 2e-11; F 8e-13; weights of groups 2e-14; classifications are exact.
"""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

import latentadj as la
from latentadj.results.contrasts import contrast_table
from latentadj.samples import array_weights, duplicate_correlation
from tests.core.limma_pieces import block, pieces
from tests.parity.studies import NAMES, study
from tests.reference_data import load_reference

pytestmark = pytest.mark.filterwarnings("ignore::latentadj.LatentAdjWarning")

T, P, FACTORS = 1e-11, 1e-10, 1e-9
COLUMNS = {"bladderbatch": ("cancer[T.Cancer]", "cancer[T.Normal]")}


@cache
def stored(name: str) -> dict[str, np.ndarray]:
    return {
        k.split("__")[1]: v for k, v in load_reference("limma_fronts", "fronts").items() if k.startswith(f"{name}__")
    }


@cache
def result(name: str) -> la.AdjustmentResult:
    s = study(name)
    return s.adjust("none", s.all_tested)


def texts(name: str) -> list[str]:
    """Second and third coefficient of the reference, and their difference."""
    first, second = COLUMNS.get(name, ("x", "age"))
    return [first, second, f"{first} - {second}"]


def by_test(table, column: str, n_tests: int, n_rows: int) -> np.ndarray:
    return table[column].to_numpy().reshape(n_tests, -1).T[:n_rows]


@pytest.mark.parametrize("name", NAMES)
def test_treat_of_contrasts(name: str) -> None:
    t, p = np.hsplit(stored(name)["treat"], 2)
    table = result(name).treat(lfc=0.2, term=texts(name))
    assert_allclose(by_test(table, "statistic", 3, len(t)), t, rtol=T)
    assert_allclose(by_test(table, "p_value", 3, len(t)), p, rtol=P)


@pytest.mark.parametrize("name", NAMES)
def test_treat_with_factors_in_the_design(name: str) -> None:
    s = study(name)
    found = s.adjust(la.SVA(s.n_factors, max_iter=5, compat="sva"), s.formula)
    t, p = np.hsplit(stored(name)["treat_sv"], 2)
    tested = list(COLUMNS.get(name, ("x",)))
    table = found.treat(lfc=0.2, term=tested)
    n = len(tested)
    assert_allclose(by_test(table, "statistic", n, len(t)), t[:, :n], rtol=FACTORS, atol=1e-9)
    assert_allclose(by_test(table, "p_value", n, len(t)), p[:, :n], rtol=FACTORS)


@pytest.mark.parametrize("name", NAMES)
def test_joint_f_of_a_list_with_a_dependent_contrast(name: str) -> None:
    f, p = stored(name)["joint"].T
    table = contrast_table(result(name), texts(name), joint=True)
    assert (table["df1"] == 2).all()
    assert_allclose(table["statistic"][: len(f)], f, rtol=T)
    assert_allclose(table["p_value"][: len(p)], p, rtol=P)


@pytest.mark.parametrize("method", ["separate", "global", "hierarchical", "nestedF"])
@pytest.mark.parametrize("name", NAMES)
def test_decide_is_decide_tests(name: str, method: str) -> None:
    """Without a cut-off against the table of `tests/core/test_decide`, with one against limma's afterthought."""
    pieces_of, res = pieces(name), result(name)
    columns = [i for i, key in enumerate(pieces_of["decide_columns"]) if key.startswith(f"{method}.bh.")]
    for lfc, rows, counts in (
        (0.0, pieces_of["decide_rows"][:, columns], pieces_of["decide_counts"][:, columns]),
        (0.2, stored(name)[f"lfc_{method}"][:-2], stored(name)[f"lfc_{method}"][-2:]),
    ):
        calls = res.decide(method, lfc=lfc, terms=texts(name), compat="limma")
        assert_array_equal(calls.to_numpy()[: len(rows)], rows)
        assert_array_equal([(calls == -1).sum(), (calls == 1).sum()], counts)
        assert [calls.attrs["summary"][text]["down"] for text in texts(name)] == counts[0].tolist()


@pytest.mark.parametrize("method", ["separate", "global"])
@pytest.mark.parametrize("name", NAMES)
def test_decide_with_a_smallest_effect_is_decide_tests_of_treat(name: str, method: str) -> None:
    theirs = stored(name)[f"treat_{method}"]
    calls = result(name).decide(method, lfc=0.2, terms=texts(name))
    assert_array_equal(calls.to_numpy()[: len(theirs) - 2], theirs[:-2])
    assert_array_equal([(calls == -1).sum(), (calls == 1).sum()], theirs[-2:])


@pytest.mark.parametrize("name", NAMES)
def test_array_weights_of_groups_and_with_observation_weights(name: str) -> None:
    s = study(name)
    X, design, samples = s.data.frame.iloc[:, :1000], s.all_tested, s.data.sample_data
    groups = array_weights(X, design, samples, variance_design="~ C(batch)", compat="limma")
    assert_allclose(groups, stored(name)["array_weights"][:, 0], rtol=1e-9)
    assert list(groups.index) == list(samples.index)
    i, j = np.arange(1, X.shape[1] + 1), np.arange(1, len(X) + 1)[:, None]
    own = ((7 * i + 13 * j) % 5 + 1) / 3
    single = array_weights(X, design, samples, method="genebygene", observation_weights=own)
    assert_allclose(single, stored(name)["array_weights"][:, 1], rtol=1e-9)


@pytest.mark.parametrize("name", NAMES)
def test_array_weights_of_samples(name: str) -> None:
    s = study(name)
    X, samples = s.data.frame.iloc[:, :1000], s.data.sample_data
    for method in ("reml", "genebygene"):
        found = array_weights(X, s.all_tested, samples, method=method, compat="limma")
        assert_allclose(found, pieces(name)[f"arrayWeights_{method}"].ravel(), rtol=1e-9)


@pytest.mark.parametrize("name", ["sim1", "sim2"])
def test_duplicate_correlation(name: str) -> None:
    s = study(name)
    found = duplicate_correlation(s.data.frame.iloc[:, :1000], s.all_tested, "block", s.data.sample_data)
    z = pieces(name)["dupcor_atanh"].ravel()
    assert_allclose(np.arctanh(found.correlation[: len(z)]), z, rtol=0, atol=1e-10)
    assert_allclose(found.consensus, pieces(name)["dupcor_consensus"], rtol=1e-10)
    assert_array_equal(found.blocks, block(name))
