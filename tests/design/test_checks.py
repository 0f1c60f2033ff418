"""Confounding, aliases, degrees of freedom and labels read as numbers."""

from __future__ import annotations

import warnings

import numpy as np
import pandas as pd
import pytest

from latentadj.design import Design
from latentadj.design.estimability import explained_share, find_aliases, is_estimable, numerical_rank
from latentadj.exceptions import (
    ConfoundedDesignError,
    CovariateTypeWarning,
    DegreesOfFreedomError,
    LowResidualDfWarning,
    NearConfoundingWarning,
)


def confounded_table() -> pd.DataFrame:
    """Batch 3 holds all controls and nothing else."""
    return pd.DataFrame(
        {
            "group": ["case"] * 8 + ["ctrl"] * 4,
            "batch": ["1"] * 4 + ["2"] * 4 + ["3"] * 4,
            "age": np.linspace(30, 60, 12) ** 1.1,
        },
        index=[f"s{i}" for i in range(12)],
    )


def test_confounded_message_has_relation_table_and_ways_out() -> None:
    design = Design.from_formula("~ group | batch + age", confounded_table())
    with pytest.raises(ConfoundedDesignError) as caught:
        design.check()
    message = str(caught.value)
    assert "group[T.ctrl] = batch[T.3]" in message
    rows = [line.split() for line in message.splitlines()]
    assert ["case", "4", "4", "EMPTY"] in rows
    assert ["ctrl", "EMPTY", "EMPTY", "4"] in rows
    assert "(3)" in message
    assert "(4)" not in message


def test_relation_over_several_columns() -> None:
    table = confounded_table()
    table["total"] = table["age"] * 2 - (table["batch"] == "2") * 0.5 + 3
    with pytest.raises(ConfoundedDesignError, match=r"total = 3 Intercept - 0.5 batch\[T.2\] \+ 2 age"):
        Design.from_formula("~ total | batch + age", table).check()


def test_constant_tested_column() -> None:
    with pytest.raises(ConfoundedDesignError, match="x = 7 Intercept"):
        Design.from_arrays(np.full(10, 7.0)).check()


def test_tested_columns_that_depend_on_each_other() -> None:
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=(2, 20))
    with pytest.raises(ConfoundedDesignError, match="x3 = x1 - 2 x2"):
        Design.from_arrays(np.column_stack([a, b, a - 2 * b])).check()


def test_factor_that_equals_the_tested_variable() -> None:
    x = np.random.default_rng(1).normal(size=20)
    with pytest.raises(ConfoundedDesignError, match=r"x = 0\.5 factor1"):
        Design.from_arrays(x).augment(2 * x).check()


@pytest.mark.parametrize("scale", [1e-9, 1.0, 1e9])
@pytest.mark.parametrize("shift", [0.0, 1e6])
def test_decision_does_not_depend_on_units(scale, shift) -> None:
    """Columns are compared after centring and scaling, so units and origins must not matter."""
    rng = np.random.default_rng(2)
    batch, x = rng.normal(size=(2, 30))
    design = Design.from_arrays(x * scale + shift * scale, batch)
    assert design.rank == 3
    assert not any(isinstance(w, NearConfoundingWarning) for w in design.check())
    with pytest.raises(ConfoundedDesignError):
        Design.from_arrays((batch - x) * scale + shift * scale, np.column_stack([batch, x])).check()


def test_exact_test_not_a_p_value() -> None:
    """One swapped sample makes the group estimable: a warning, not an error."""
    table = confounded_table()
    table.loc["s0", "group"] = "ctrl"
    design = Design.from_formula("~ group | batch", table)
    with pytest.warns(NearConfoundingWarning, match=r"R2 = 0\.[67]\d"):
        design.check()


def test_aliased_nuisance_is_recorded_and_tolerated(bladder, reference) -> None:
    """The relation of each aliased column equals the table that R's alias() prints."""
    design = Design.from_formula("~ dose | batch + site", bladder)
    assert design.rank == 6
    found = {alias.column: alias.relation for alias in design.aliases}
    for row, name in enumerate(reference["alias__rows"]):
        expected = {
            column.replace("(Intercept)", "Intercept").replace("batch", "batch[T.")
            + ("]" if "batch" in column else ""): v
            for column, v in zip(reference["alias__cols"], reference["alias"][row], strict=True)
            if abs(v) > 1e-12
        }
        assert found[f"site[T.{name[-1]}]"] == pytest.approx(expected, abs=1e-10)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert design.check() == ()
    assert design.estimable(np.eye(len(design.names))[design.names.index("dose")])


def test_bladder_study_is_near_confounded(bladder, reference) -> None:
    """R2 of each indicator equals R's; the warning names what batch adds to the variance."""
    design = Design.from_formula("~ cancer | batch", bladder)
    assert design.rank == 7
    for name, expected in zip(reference["r_squared__rows"], reference["r_squared"][:, 0], strict=True):
        column = design.matrix[:, design.names.index(f"cancer[T.{name}]")]
        assert explained_share(column, design.nuisance) == pytest.approx(expected, abs=1e-12)
    alone = Design.from_formula("~ cancer", bladder).matrix
    ratio = np.linalg.inv(design.matrix.T @ design.matrix)[6, 6] / np.linalg.inv(alone.T @ alone)[2, 2]
    with pytest.warns(NearConfoundingWarning) as caught:
        issued = design.check()
    assert len(issued) == len(caught) == 1
    assert "`cancer[T.Normal]`" in str(issued[0])
    assert f"R2 = {1 - 1 / ratio:.2f}" in str(issued[0])
    assert f"variance inflation {ratio:.1f} " in str(issued[0])


def test_inflation_is_that_of_the_standard_error() -> None:
    rng = np.random.default_rng(3)
    w = rng.normal(size=200)
    x = w + 0.4 * rng.normal(size=200)
    design = Design.from_arrays(x, w)
    full = np.linalg.inv(design.matrix.T @ design.matrix)[2, 2]
    alone = 1.0 / np.sum((x - x.mean()) ** 2)
    with pytest.warns(NearConfoundingWarning, match=f"variance inflation {full / alone:.1f} "):
        design.check()


def test_interactions_and_sibling_levels_do_not_warn() -> None:
    table = pd.DataFrame({"a": ["x", "y"] * 20, "b": ["u", "u", "v", "v"] * 10, "z": np.arange(40.0)})
    table["g"] = ["r"] * 2 + ["s"] * 19 + ["t"] * 19
    for formula in ("~ a * b", "~ a:b | a + b", "~ z + I(z ** 2)", "~ a | b"):
        assert Design.from_formula(formula, table).check() == ()
    siblings = Design.from_formula("~ g", table)
    assert siblings.check() == ()


class TestDegreesOfFreedom:
    def test_none_left(self) -> None:
        rng = np.random.default_rng(4)
        design = Design.from_arrays(rng.normal(size=6)).augment(rng.normal(size=(6, 4)))
        with pytest.raises(DegreesOfFreedomError) as caught:
            design.check()
        assert "6 samples - rank 6 (1 nuisance, 1 primary, 4 factor columns) = 0" in str(caught.value)

    def test_one_sample_per_level(self) -> None:
        with pytest.raises(DegreesOfFreedomError, match="`g` holds one sample"):
            Design.from_formula("~ g", pd.DataFrame({"g": list("abcd")})).check()

    @pytest.mark.parametrize(("n", "extra", "low"), [(7, 0, False), (6, 0, True), (40, 30, False), (40, 31, True)])
    def test_few_left(self, n, extra, low) -> None:
        """Warns below 5, or below a fifth of the samples: 40 - 2 - 30 = 8 is just enough."""
        rng = np.random.default_rng(5)
        design = Design.from_arrays(np.arange(n) % 2).augment(rng.normal(size=(n, extra)))
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            design.check()
        assert any(w.category is LowResidualDfWarning for w in caught) is low

    def test_aliased_columns_cost_nothing(self) -> None:
        x = np.arange(9.0)
        w = np.cos(x)
        assert Design.from_arrays(x, np.column_stack([w, 2 * w, w + 1])).check() == ()


class TestLabelsAsNumbers:
    @pytest.mark.parametrize(
        "name",
        ["batch", "Batch", "plate_id", "chipNo", "seqBatch", "SITE", "lane2", "run", "center", "batches"],
    )
    def test_warns(self, name) -> None:
        table = pd.DataFrame({name: np.arange(60) % 4, "x": np.arange(60) % 2})
        with pytest.warns(CovariateTypeWarning, match=rf"C\({name}\)"):
            Design.from_formula(f"~ x | {name}", table).check()

    @pytest.mark.parametrize("name", ["age", "trunk", "website", "crunch", "planes"])
    def test_other_names(self, name) -> None:
        table = pd.DataFrame({name: np.arange(60) % 4, "x": np.arange(60) // 30})
        assert Design.from_formula(f"~ x | {name}", table).check() == ()

    @pytest.mark.parametrize("formula", ["~ x | C(batch)", "~ x | date", "~ x | run_time"])
    def test_labels_and_measurements_pass(self, formula) -> None:
        table = pd.DataFrame({"batch": np.arange(60) % 4, "x": np.arange(60) // 30, "date": np.arange(60) % 13})
        table["run_time"] = table["date"] + 0.5
        assert Design.from_formula(formula, table).check() == ()


def test_warnings_are_returned_for_the_result() -> None:
    table = pd.DataFrame({"batch": [1, 2, 3, 1, 2, 3], "x": [0, 1, 0, 1, 0, 1.0]})
    with pytest.warns(CovariateTypeWarning), pytest.warns(LowResidualDfWarning):
        issued = Design.from_formula("~ x | batch", table).check()
    assert {type(warning) for warning in issued} == {CovariateTypeWarning, LowResidualDfWarning}


@pytest.mark.parametrize("seed", range(20))
def test_rank_and_estimability_against_brute_force(seed) -> None:
    """Random integer designs with planted dependencies: NumPy's SVD rank and row-space test are the truth."""
    rng = np.random.default_rng(seed)
    base = rng.integers(-2, 3, size=(15, 4)).astype(float)
    matrix = np.column_stack([np.ones(15), base, base @ rng.integers(-2, 3, size=(4, 2))])
    matrix = matrix[:, np.r_[0, 1 + rng.permutation(6)]]
    rank = np.linalg.matrix_rank(matrix)
    assert numerical_rank(matrix) == rank
    names = [f"c{i}" for i in range(7)]
    aliases = find_aliases(matrix, names, range(7))
    assert len(aliases) == 7 - rank
    for alias in aliases:
        rebuilt = sum(weight * matrix[:, names.index(name)] for name, weight in alias.relation.items())
        np.testing.assert_allclose(rebuilt, matrix[:, names.index(alias.column)], atol=1e-9)
    for weights in (*np.eye(7), rng.normal(size=7), rng.normal(size=15) @ matrix):
        stacked = np.linalg.matrix_rank(np.vstack([matrix, weights]))
        assert is_estimable(matrix, weights) == (stacked == rank)
