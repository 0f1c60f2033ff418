"""Design: construction against R, roles, subsets, replay, and the text it shows."""

from __future__ import annotations

import pickle
import warnings

import numpy as np
import pandas as pd
import pytest

from latentadj.design import Design, design_from_target
from latentadj.exceptions import (
    AlignmentError,
    ConfoundedDesignError,
    CovariateTypeWarning,
    DesignError,
    FormulaError,
)

# Design entries are sums and products of exactly representable numbers, or one library call (log1p)
# whose last bit may differ between platforms.
EXACT = dict(rtol=1e-14, atol=0)


@pytest.mark.parametrize(
    ("formula", "name", "order"),
    [
        ("~ cancer | batch", "batch_cancer", None),
        ("~ dose * cancer", "dose_by_cancer", None),
        ("~ cancer + dose | 0", "cell_means", None),
        ("~ dose + I(dose ** 2) + np.log1p(dose)", "functions", None),
        ("~ C(cancer, contr.sum)", "sum_coding", None),
    ],
)
def test_matrix_equals_r(bladder, reference, formula, name, order) -> None:
    design = Design.from_formula(formula, bladder)
    expected = reference[name]
    assert design.matrix.shape == expected.shape
    np.testing.assert_allclose(design.matrix, expected, **EXACT)


def test_names_roles_terms(bladder) -> None:
    design = Design.from_formula("~ cancer | batch + dose", bladder)
    assert design.names == (
        "Intercept",
        *(f"batch[T.{level}]" for level in "2345"),
        "dose",
        "cancer[T.Cancer]",
        "cancer[T.Normal]",
    )
    assert design.roles == ("nuisance",) * 6 + ("primary",) * 2
    assert design.terms == ("Intercept",) + ("batch",) * 4 + ("dose",) + ("cancer",) * 2
    assert design.primary_names == ("cancer[T.Cancer]", "cancer[T.Normal]")
    assert design.primary.shape == (57, 2)
    assert design.nuisance.shape == (57, 6)
    assert design.rank == 8
    assert design.n_samples == 57
    assert design.sample_ids == tuple(bladder.index)
    assert design.has_intercept_span


def test_matrix_is_read_only_and_input_untouched(bladder) -> None:
    before = bladder.copy()
    design = Design.from_formula("~ cancer | batch", bladder)
    pd.testing.assert_frame_equal(bladder, before)
    with pytest.raises(ValueError, match="read-only"):
        design.matrix[0, 0] = 2.0
    values = np.arange(4.0)
    Design.from_arrays(values)
    values[0] = 9.0  # the caller's array stays writable


@pytest.mark.parametrize("formula", ["~ 1 | dose", "~ | dose", "~ 0 | dose"])
def test_nothing_to_test(bladder, formula) -> None:
    design = Design.from_formula(formula, bladder)
    assert design.primary.shape == (57, 0)
    assert design.names == ("Intercept", "dose")
    assert design.check() == ()


def test_empty_formula_is_the_intercept(bladder) -> None:
    assert Design.from_formula("", bladder).names == ("Intercept",)
    with pytest.raises(DesignError, match="no column at all"):
        Design.from_formula("~ 0 | 0", bladder)


def test_interaction_with_margins_adjusted_for(bladder) -> None:
    bladder["sex"] = np.where(np.arange(57) % 2, "m", "f")
    design = Design.from_formula("~ sex:site | sex + site", bladder)
    assert design.primary_names == ("sex[T.m]:site[T.B]", "sex[T.m]:site[T.C]")
    assert design.rank == 6


def test_intercept_span_without_intercept_column(bladder) -> None:
    cells = Design.from_formula("~ dose | 0 + site", bladder)
    assert "Intercept" not in cells.names
    assert cells.has_intercept_span
    assert not Design.from_formula("~ dose | 0 + batch_number", bladder).has_intercept_span


def test_tested_term_without_a_column(bladder) -> None:
    bladder["one"] = "same"
    with pytest.raises(ConfoundedDesignError, match="`one` adds no column"):
        Design.from_formula("~ one", bladder)
    with pytest.raises(ConfoundedDesignError, match="`site` adds no column"):
        Design.from_formula("~ site | site:batch", bladder)


@pytest.mark.parametrize(
    ("values", "names"),
    [
        ([True, False, True, False], ("Intercept", "v[T.True]")),
        (pd.array([1, 2, 3, 4], dtype="Int64"), ("Intercept", "v")),
        (pd.array([1.5, 2, 3, 4], dtype="Float64"), ("Intercept", "v")),
        (pd.array([True, False, True, True], dtype="boolean"), ("Intercept", "v[T.True]")),
        (pd.array(["u", "v", "v", "u"], dtype="string"), ("Intercept", "v[T.v]")),
        (pd.Categorical(["u", "v", "v", "u"], categories=["v", "u", "w"]), ("Intercept", "v[T.u]")),
        (np.array([1, 2.5, 3, 4], dtype=object), ("Intercept", "v")),
        (np.array(["1", 1, 2, 2], dtype=object), ("Intercept", "v[T.2]")),
        (np.array([1, 2, 3, 4], dtype=np.uint8), ("Intercept", "v")),
        (np.array([1, 2, 3, 5], dtype=np.float32), ("Intercept", "v")),
    ],
)
def test_types(values, names) -> None:
    design = Design.from_formula("~ v", pd.DataFrame({"v": values}))
    assert design.names == names
    assert design.matrix.dtype == np.float64


def test_reference_level_follows_the_categorical() -> None:
    table = pd.DataFrame({"g": pd.Categorical(["a", "b", "a"], categories=["b", "a"])})
    design = Design.from_formula("~ g", table)
    assert design.names == ("Intercept", "g[T.a]")
    assert design.summary().loc[0, "reference"] == "b"


@pytest.mark.parametrize("values", [pd.to_datetime(["2020-01-01", "2020-02-01"]), [1 + 2j, 3 + 0j]])
def test_types_without_a_place(values) -> None:
    with pytest.raises(DesignError, match="`v`"):
        Design.from_formula("~ v", pd.DataFrame({"v": values}))


def test_missing_values_are_listed(bladder) -> None:
    bladder["age"] = 50.0
    bladder.iloc[:7, bladder.columns.get_loc("age")] = np.nan
    bladder.iloc[3, bladder.columns.get_loc("site")] = None
    with pytest.raises(DesignError) as caught:
        Design.from_formula("~ cancer | age + site", bladder)
    message = str(caught.value)
    assert "7 of 57 samples" in message
    assert "`age` in 7, `site` in 1" in message
    assert all(name in message for name in bladder.index[:5])
    assert bladder.index[5] not in message
    assert "and 2 more" in message
    assert "(3)" in message
    assert "(4)" not in message


def test_unused_columns_may_have_gaps(bladder) -> None:
    bladder["unused"] = np.nan
    assert Design.from_formula("~ cancer", bladder).n_samples == 57


def test_infinite_and_undefined_values(bladder) -> None:
    bladder["bad"] = np.r_[np.inf, np.ones(56)]
    with pytest.raises(DesignError, match=f"infinite in 1 samples: {bladder.index[0]}"):
        Design.from_formula("~ bad", bladder)
    warnings.simplefilter("error")
    with pytest.raises(DesignError, match="not finite"):
        Design.from_formula("~ np.log(dose)", bladder)


def test_arithmetic_on_text_is_a_formula_error(bladder) -> None:
    with pytest.raises(FormulaError, match="cannot be evaluated"):
        Design.from_formula("~ np.log(cancer)", bladder)


def test_column_names_that_are_not_text() -> None:
    table = pd.DataFrame({3: [1.0, 2.0, 4.0], ("a", 1): ["u", "v", "u"]})
    design = Design.from_columns(["3"], ["('a', 1)"], table)
    assert design.names == ("Intercept", "('a', 1)[T.v]", "3")
    with pytest.raises(DesignError, match="several columns named `3`"):
        Design.from_columns(["3"], [], pd.DataFrame([[1.0, 2.0]], columns=[3, "3"]))


def test_columns_equal_formula(bladder) -> None:
    by_formula = Design.from_formula("~ cancer | batch + dose", bladder)
    by_columns = Design.from_columns(["cancer"], ["batch", "dose"], bladder)
    assert by_formula.names == by_columns.names
    np.testing.assert_array_equal(by_formula.matrix, by_columns.matrix)
    with pytest.raises(DesignError, match=r"no column `cancr`.*Did you mean `cancer`"):
        Design.from_columns(["cancr"], [], bladder)


def test_duplicate_output_names_are_refused() -> None:
    table = pd.DataFrame({"g": ["a", "b", "b"], "g[T.b]": [1.0, 2.0, 3.0]})
    with pytest.raises(DesignError, match="same name"):
        Design.from_formula("~ g | `g[T.b]`", table)


class TestArrays:
    def test_one_dimension(self) -> None:
        design = Design.from_arrays([0, 1, 1, 0], np.arange(8.0).reshape(4, 2) ** 2)
        assert design.names == ("Intercept", "w1", "w2", "x")
        assert design.roles == ("nuisance",) * 3 + ("primary",)
        assert design.spec is None

    def test_intercept_is_not_doubled(self) -> None:
        ones = np.ones((4, 1))
        assert Design.from_arrays([0, 1, 1, 0], ones).names == ("w", "x")
        cells = np.array([[1, 0], [1, 0], [0, 1], [0, 1.0]])
        assert Design.from_arrays([0, 1, 1, 0], cells).rank == 3
        assert Design.from_arrays([0, 1, 1, 0], cells).names == ("w1", "w2", "x")
        assert Design.from_arrays([0, 1, 1, 0], intercept=False).names == ("x",)

    def test_ready_frame_with_ones(self) -> None:
        frame = pd.DataFrame({"(Intercept)": 1.0, "groupB": [0.0, 1, 1], "age": [3.0, 4, 6]}, index=list("abc"))
        design = Design.from_arrays(frame)
        assert design.names == ("(Intercept)", "groupB", "age")
        assert design.roles == ("nuisance", "primary", "primary")
        assert design.sample_ids == ("a", "b", "c")
        np.testing.assert_array_equal(design.replay(frame.iloc[1:]).matrix, design.matrix[1:])

    def test_frame_replay_keeps_the_added_intercept(self) -> None:
        frame = pd.DataFrame({"x": [0.0, 1, 1]})
        np.testing.assert_array_equal(Design.from_arrays(frame).replay(frame).matrix[:, 0], 1.0)

    @pytest.mark.parametrize("bad", [["a", "b"], [[[1.0]]], [1.0, np.nan], [1.0, np.inf]])
    def test_refused(self, bad) -> None:
        with pytest.raises(DesignError):
            Design.from_arrays(bad)

    def test_lengths_and_names(self) -> None:
        with pytest.raises(DesignError, match="3 rows and the adjustment columns 2"):
            Design.from_arrays([1, 2, 3], [1, 2])
        with pytest.raises(DesignError, match="2 names were given for 1"):
            Design.from_arrays([1, 2, 3], primary_names=["a", "b"])
        with pytest.raises(DesignError, match="named `x`"):
            Design.from_arrays([1, 2, 3], [1, 2, 4], nuisance_names=["x"])
        with pytest.raises(DesignError, match="2 sample IDs were given for 3"):
            Design.from_arrays([1, 2, 3], sample_ids=["a", "b"])


class TestResolve:
    def test_all_forms_agree(self, bladder) -> None:
        bladder["x"] = np.arange(57.0)
        formula = Design.resolve("~ x | dose", bladder)
        for given in ((["x"], ["dose"]), ("x", ["dose"]), formula):
            np.testing.assert_array_equal(Design.resolve(given, bladder).matrix, formula.matrix)
        arrays = Design.resolve((bladder["x"].to_numpy(), bladder["dose"].to_numpy()), bladder)
        np.testing.assert_array_equal(arrays.matrix, formula.matrix)
        assert arrays.sample_ids == formula.sample_ids
        for given in (
            "x",
            "~ x",
            ["x"],
            bladder[["x"]],
            bladder["x"],
            bladder["x"].to_numpy(),
            list(range(57)),
        ):
            np.testing.assert_array_equal(Design.resolve(given, bladder).matrix, formula.matrix[:, [0, 2]])

    def test_frames_are_aligned_by_id(self, bladder) -> None:
        bladder["x"] = np.arange(57.0)
        shuffled = bladder[["x"]].sample(frac=1.0, random_state=0)
        np.testing.assert_array_equal(Design.resolve(shuffled, bladder).primary[:, 0], np.arange(57.0))
        np.testing.assert_array_equal(Design.resolve(shuffled["x"], bladder).primary[:, 0], np.arange(57.0))
        with pytest.raises(AlignmentError, match="lacks 1 of 57"):
            Design.resolve(shuffled.iloc[1:], bladder.loc[list(shuffled.index)])
        with pytest.raises(AlignmentError, match="3 rows and there are 57"):
            Design.resolve(pd.DataFrame({"x": [1.0, 2, 3]}), bladder)

    def test_nothing(self, bladder) -> None:
        assert Design.resolve(None, bladder).matrix.shape == (57, 1)
        assert Design.resolve(None, n_samples=4).matrix.shape == (4, 1)
        assert Design.resolve("~ 1", n_samples=4).matrix.shape == (4, 1)

    def test_refused(self, bladder) -> None:
        with pytest.raises(FormulaError, match="sample table"):
            Design.resolve("~ cancer")
        with pytest.raises(FormulaError, match="sample table"):
            Design.resolve(["cancer"])
        with pytest.raises(DesignError, match="3 rows and there are 57"):
            Design.resolve([1, 2, 3], bladder)
        with pytest.raises(DesignError, match="no column"):
            Design.resolve(["tumour"], bladder)


class TestAugmentAndSubset:
    def test_augment(self, bladder) -> None:
        design = Design.from_formula("~ cancer | dose", bladder)
        factors = np.random.default_rng(0).normal(size=(57, 3))
        more = design.augment(factors)
        assert more.names[-3:] == ("factor1", "factor2", "factor3")
        assert more.roles[-3:] == ("factor",) * 3
        assert more.primary_names == design.primary_names
        np.testing.assert_array_equal(more.nuisance, design.nuisance)
        np.testing.assert_array_equal(more.matrix[:, -3:], factors)
        assert more.augment(factors[:, 0] ** 2).names[-1] == "factor4"
        assert design.augment(factors[:, :0]).names == design.names
        assert more.replay(bladder).names == design.names

    def test_augment_refused(self) -> None:
        design = Design.from_arrays([0, 1, 1])
        with pytest.raises(DesignError, match="2 rows and the design 3"):
            design.augment(np.ones((2, 1)))
        with pytest.raises(DesignError, match="`x` are taken"):
            design.augment(np.ones((3, 1)), names=["x"])
        with pytest.raises(DesignError, match="missing or infinite"):
            design.augment([1.0, np.nan, 2.0])

    @pytest.mark.parametrize("rows", [slice(0, 20), np.arange(57) < 20, np.arange(20), list(range(20))])
    def test_subset(self, bladder, rows) -> None:
        design = Design.from_formula("~ cancer | dose", bladder)
        part = design.subset(rows)
        np.testing.assert_array_equal(part.matrix, design.matrix[:20])
        assert part.names == design.names
        assert part.sample_ids == design.sample_ids[:20]
        counts = bladder["cancer"].iloc[:20].value_counts()
        assert part.covariates[0].counts == tuple(counts.get(level, 0) for level in part.covariates[0].levels)


class TestReplay:
    FORMULA = "~ cancer + cancer:dose | C(batch_number) + center(dose) + poly(dose, 2) + bs(dose, df=4)"

    def test_same_rows_give_the_same_matrix(self, bladder) -> None:
        design = Design.from_formula(self.FORMULA, bladder)
        np.testing.assert_allclose(design.replay(bladder).matrix, design.matrix, rtol=1e-13, atol=1e-14)

    def test_encoding_is_frozen(self, bladder) -> None:
        """Single rows cannot show the levels, centres and knots; they must come from training."""
        design = Design.from_formula(self.FORMULA, bladder)
        single = np.vstack([design.replay(bladder.iloc[[row]]).matrix for row in range(0, 57, 8)])
        np.testing.assert_allclose(single, design.matrix[::8], rtol=1e-13, atol=1e-14)

    def test_survives_pickling(self, bladder) -> None:
        design = pickle.loads(pickle.dumps(Design.from_formula(self.FORMULA, bladder)))
        np.testing.assert_allclose(design.replay(bladder.iloc[:3]).matrix, design.matrix[:3], rtol=1e-13, atol=1e-14)
        assert not design.matrix.flags.writeable

    @pytest.mark.parametrize("formula", ["~ cancer | batch", "~ C(cancer)", "~ dose:cancer"])
    def test_unseen_level(self, bladder, formula) -> None:
        design = Design.from_formula(formula, bladder)
        other = bladder.iloc[:4].copy()
        other.iloc[2, other.columns.get_loc("cancer")] = "Metastasis"
        with pytest.raises(DesignError, match=r"`Metastasis`.*Training levels: `Biopsy`, `Cancer`, `Normal`"):
            design.replay(other)

    def test_unseen_number_inside_c(self, bladder) -> None:
        design = Design.from_formula("~ cancer | C(batch_number)", bladder)
        with pytest.raises(DesignError, match=r"`9`.*Training levels: `1`, `2`"):
            design.replay(bladder.iloc[:2].assign(batch_number=9))
        floats = bladder.iloc[:5].assign(batch_number=lambda t: t["batch_number"].astype(float))
        np.testing.assert_array_equal(design.replay(floats).matrix, design.matrix[:5])

    def test_numbers_for_text_levels(self, bladder) -> None:
        design = Design.from_formula("~ cancer | batch", bladder)
        other = bladder.iloc[:5].assign(batch=lambda t: t["batch"].astype(int))
        np.testing.assert_array_equal(design.replay(other).matrix, design.matrix[:5])

    def test_out_of_range(self, bladder) -> None:
        design = Design.from_formula("~ dose", bladder)
        with pytest.warns(CovariateTypeWarning, match=r"`dose` lies outside the training range \[0, 6\] in 1 of 2"):
            replayed = design.replay(pd.DataFrame({"dose": [3, 9]}))
        np.testing.assert_array_equal(replayed.primary[:, 0], [3.0, 9.0])

    def test_missing_column_and_values(self, bladder) -> None:
        design = Design.from_formula("~ cancer | dose", bladder)
        with pytest.raises(DesignError, match="no column `dose`"):
            design.replay(bladder.drop(columns="dose"))
        with pytest.raises(DesignError, match="Missing covariate values"):
            design.replay(bladder.iloc[:2].assign(dose=[np.nan, 1.0]))
        with pytest.raises(DesignError, match="numeric in the training samples"):
            design.replay(bladder.iloc[:2].assign(dose=["low", "high"]))

    def test_arrays_cannot_be_replayed(self, bladder) -> None:
        with pytest.raises(DesignError, match="plain arrays"):
            Design.from_arrays(np.arange(57)).replay(bladder)


class TestText:
    def test_summary(self, bladder) -> None:
        table = Design.from_formula("~ cancer | C(batch_number) + dose", bladder).summary()
        assert list(table["name"]) == ["cancer", "batch_number", "dose"]
        assert list(table["role"]) == ["primary", "nuisance", "nuisance"]
        assert list(table["kind"]) == ["categorical", "categorical", "numeric"]
        assert table.loc[0, "levels"] == "Biopsy: 9, Cancer: 40, Normal: 8"
        assert table.loc[0, "reference"] == "Biopsy"
        assert table.loc[2, ["minimum", "maximum"]].tolist() == [0.0, 6.0]

    def test_html_is_escaped(self) -> None:
        table = pd.DataFrame({"<b>x": ["<script>alert(1)</script>", "b", "b"]})
        design = Design.from_columns(["<b>x"], [], table)
        text = design._repr_html_()
        assert "<script>" not in text
        assert "<b>x" not in text
        assert "&lt;script&gt;" in text

    def test_str(self, bladder) -> None:
        text = str(Design.from_formula("~ cancer | dose", bladder).augment(np.random.default_rng(1).normal(size=57)))
        assert "57 samples, 5 columns, rank 5" in text
        assert "factors: `factor1`" in text

    def test_cross_table(self, bladder) -> None:
        design = Design.from_formula("~ cancer | batch + dose", bladder)
        expected = pd.crosstab(bladder["cancer"], bladder["batch"])
        pd.testing.assert_frame_equal(design.cross_table("cancer", "batch"), expected, check_names=False)
        assert design.cross_table("dose", "cancer").to_numpy().sum() == 57
        with pytest.raises(DesignError, match="no column `tumour`"):
            design.cross_table("tumour", "batch")
        wide = Design.from_formula("~ x", pd.DataFrame({"x": np.arange(20.0)}))
        with pytest.raises(DesignError, match="20 distinct values"):
            wide.cross_table("x", "x")


class TestTarget:
    @pytest.mark.parametrize(
        ("y", "names"),
        [
            (["a", "b", "c", "a"], ("y[T.b]", "y[T.c]")),
            (np.array(["a", "b", "b", "a"]), ("y[T.b]",)),
            (pd.Series(["a", "b", "b", "a"], dtype="category"), ("y[T.b]",)),
            (pd.Categorical(["a", "b", "b", "a"]), ("y[T.b]",)),
            ([0, 1, 1, 0], ("y",)),
            ([True, False, True, False], ("y[T.True]",)),
            ([0, 1, 2, 1], ("y[T.1]", "y[T.2]")),
            ([0.5, 1.5, 2.5, 1.0], ("y",)),
            (np.array([[0.5], [1.5], [2.5], [1.0]]), ("y",)),
            (np.arange(8.0).reshape(4, 2) ** 2, ("y1", "y2")),
            (pd.DataFrame({"u": [1.0, 2, 3, 5], "v": [1.0, 0, 0, 1]}), ("u", "v")),
        ],
    )
    def test_names(self, y, names) -> None:
        design = design_from_target(y, n_samples=4)
        assert design.primary_names == names
        assert design.names[0] == "Intercept"
        assert design.rank == 1 + len(names)

    def test_many_whole_numbers_stay_numeric(self) -> None:
        assert design_from_target(np.arange(13)).primary_names == ("y",)
        assert len(design_from_target(np.arange(12).repeat(2)).primary_names) == 11

    def test_none_and_name(self) -> None:
        assert design_from_target(None, n_samples=5).matrix.shape == (5, 1)
        assert design_from_target(list("aab"), name="cell type").primary_names == ("cell type[T.b]",)

    def test_refused(self) -> None:
        with pytest.raises(DesignError, match="number of samples"):
            design_from_target(None)
        with pytest.raises(DesignError, match="3 values and X has 4"):
            design_from_target([1, 2, 3], n_samples=4)
        with pytest.raises(DesignError, match="single class"):
            design_from_target(["a", "a", "a"])
        with pytest.raises(DesignError, match="Missing"):
            design_from_target([1.0, np.nan, 2.0])
