"""Records of adjustments: what keeps them, how they combine, what they refuse."""

from __future__ import annotations

import json
import pickle

import anndata
import numpy as np
import pandas as pd
import pytest
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.preprocessing import StandardScaler

from latentadj.batch import remove_batch_effect
from latentadj.data.marking import mark_adjusted
from latentadj.data.packing import pack_columns, unpack_columns
from latentadj.data.provenance import KEY, AdjustmentRecord, adjustment_record, attach_record
from latentadj.data.recording import RecordsAdjustment
from latentadj.exceptions import AlignmentError, InputError

IDS = [f"s{i}" for i in range(8)]
BATCH = pd.Series(list("aabbccaa"), index=IDS, name="batch")


def frame(seed: int = 0) -> pd.DataFrame:
    return pd.DataFrame(np.random.default_rng(seed).normal(size=(8, 5)), index=IDS).add_prefix("g")


def adjusted() -> pd.DataFrame:
    return remove_batch_effect(frame(), BATCH)


def same(one: AdjustmentRecord | None, other: AdjustmentRecord | None) -> bool:
    return one is not None and other is not None and one.as_mapping() == other.as_mapping()


class TestWhatKeepsIt:
    @pytest.mark.parametrize(
        "change",
        [
            lambda X: X.copy(),
            lambda X: X.loc[IDS[::-1]],
            lambda X: X.loc[IDS[2:6], ["g1", "g0"]],
            lambda X: X.iloc[1:, :2],
            lambda X: X.T,
            lambda X: X.T.loc["g0":"g2", IDS[:3]],
            lambda X: X.drop(columns="g0"),
            lambda X: X.rename(columns={"g0": "x"}),
            lambda X: X.astype(np.float32),
            lambda X: X - 1.0,
            lambda X: X[X["g0"] > 0],
            lambda X: X.sample(frac=1, random_state=0),
            lambda X: X.assign(batch=BATCH),
            lambda X: pickle.loads(pickle.dumps(X)),
            lambda X: pd.concat([X.iloc[:3], X.iloc[3:]]),
        ],
    )
    def test_frames(self, change) -> None:
        assert same(adjustment_record(change(adjusted())), adjustment_record(adjusted()))

    def test_values_are_those_of_the_right_samples(self) -> None:
        record = adjustment_record(adjusted().loc[["s4", "s0"]])
        np.testing.assert_array_equal(record.columns_for(["s4", "s0"]), [[-1.0, -1.0], [1.0, 0.0]])
        assert record.names == ("batch[S.a]", "batch[S.b]")
        assert (record.df_spent, record.rank, record.df_beyond_columns) == (2.0, 2, 0.0)

    def test_parquet(self, tmp_path) -> None:
        adjusted().to_parquet(tmp_path / "x.parquet")
        back = pd.read_parquet(tmp_path / "x.parquet")
        assert same(adjustment_record(back), adjustment_record(adjusted()))

    def test_anndata_and_its_files(self, tmp_path) -> None:
        data = anndata.AnnData(frame())
        assert mark_adjusted(data, "ComBat in R", columns=BATCH, protected=["group"]) is data
        expected = adjustment_record(data)
        assert expected.protected == ("group",)
        data.write_h5ad(tmp_path / "x.h5ad")
        for other in (data[["s3", "s1"]], data.copy(), anndata.read_h5ad(tmp_path / "x.h5ad")):
            assert same(adjustment_record(other), expected)

    def test_anndata_files_with_empty_lists(self, tmp_path) -> None:
        data = mark_adjusted(anndata.AnnData(frame()), "quantile normalisation", df=1)
        data.write_h5ad(tmp_path / "x.h5ad")
        assert same(adjustment_record(anndata.read_h5ad(tmp_path / "x.h5ad")), adjustment_record(data))

    def test_it_is_plain_json_and_exact(self) -> None:
        columns = np.random.default_rng(1).normal(size=(8, 2)) * 1e-7
        record = AdjustmentRecord(("x",), 2, tuple(IDS), columns, ("a", "b"))
        back = AdjustmentRecord.from_mapping(json.loads(json.dumps(record.as_mapping())))
        np.testing.assert_array_equal(back.columns, columns)
        assert same(back, record)

    def test_packing_keeps_every_bit(self) -> None:
        values = np.array([[np.nan, 5e-324], [np.inf, -0.0], [1 / 3, 1e308]])
        np.testing.assert_array_equal(unpack_columns(pack_columns(values), (3, 2)), values)
        assert unpack_columns(pack_columns(np.zeros((0, 0))), (0, 0)).shape == (0, 0)


class TestWhereItComesFrom:
    def test_the_input_is_not_marked(self) -> None:
        X = frame()
        remove_batch_effect(X, BATCH)
        marked = mark_adjusted(X, "x", df=1)
        assert adjustment_record(X) is None
        assert KEY not in X.attrs
        assert adjustment_record(marked) is not None
        assert np.shares_memory(marked.to_numpy(), X.to_numpy())

    def test_other_attributes_stay(self) -> None:
        X = frame()
        X.attrs["unit"] = "log2"
        assert mark_adjusted(X, "x", df=1).attrs["unit"] == "log2"

    def test_kept_columns_and_degrees_of_freedom(self) -> None:
        design = pd.DataFrame({"Intercept": 1.0, "group": [0.0, 0, 1, 1, 1, 1, 0, 0]}, index=IDS)
        record = adjustment_record(remove_batch_effect(frame(), BATCH, covariates=np.arange(8.0), design=design))
        assert record.protected == ("group",)
        assert record.names == ("batch[S.a]", "batch[S.b]", "covariates")
        assert record.df_spent == 2.0  # the group takes one of the batches' two
        assert record.rank == 3

    @pytest.mark.parametrize("batch", [None, pd.Series("a", index=IDS)])
    def test_nothing_removed_is_not_recorded(self, batch) -> None:
        assert adjustment_record(remove_batch_effect(frame(), batch)) is None
        again = adjustment_record(remove_batch_effect(adjusted(), batch))
        assert same(again, adjustment_record(adjusted()))

    def test_marks_by_labels_numbers_and_position(self) -> None:
        shuffled = pd.DataFrame({"batch": BATCH, "age": np.arange(8.0)}).sample(frac=1, random_state=1)
        by_id = adjustment_record(mark_adjusted(frame(), "x", columns=shuffled))
        assert by_id.names == ("batch[T.b]", "batch[T.c]", "age")
        assert by_id.df_spent == 3.0
        np.testing.assert_array_equal(by_id.columns[:, 0], BATCH == "b")
        np.testing.assert_array_equal(by_id.columns[:, 2], np.arange(8))
        turned = mark_adjusted(frame().T, "x", columns=shuffled, orientation="features")
        assert same(adjustment_record(turned), by_id)
        plain = adjustment_record(mark_adjusted(frame(), "x", columns=BATCH.to_numpy(), df=3))
        assert (plain.names, plain.df_spent, plain.df_beyond_columns) == (("removed1[T.b]", "removed1[T.c]"), 3.0, 1.0)


class TestCombination:
    def test_degrees_of_freedom_are_counted_once(self) -> None:
        twice = adjustment_record(remove_batch_effect(adjusted(), BATCH))
        assert twice.methods == ("remove_batch_effect", "remove_batch_effect")
        assert (twice.columns.shape[1], twice.df_spent) == (4, 2.0)
        more = adjustment_record(mark_adjusted(remove_batch_effect(adjusted(), covariates=np.arange(8.0)), "x", df=1.5))
        assert (more.rank, more.df_spent, more.df_beyond_columns) == (3, 4.5, 1.5)
        assert more.title == "remove_batch_effect, then remove_batch_effect, then x"

    def test_rows_go_by_sample(self) -> None:
        later = remove_batch_effect(adjusted().iloc[[5, 0, 1, 3]], covariates=np.arange(4.0))
        record = adjustment_record(later)
        np.testing.assert_array_equal(record.columns_for(["s3", "s5"]), [[0.0, 1.0, 3.0], [-1.0, -1.0, 0.0]])
        with pytest.raises(AlignmentError, match=r"1 of the 2 samples have no row.*'s7'"):
            record.columns_for(["s0", "s7"])

    def test_transformers_pass_records_on(self) -> None:
        transformer = Halving().set_output(transform="pandas")
        assert transformer.fit_transform(frame()).attrs[KEY]["methods"] == ["halving"]
        out = transformer.transform(adjusted())
        assert adjustment_record(out).methods == ("remove_batch_effect", "halving")
        assert adjustment_record(SubHalving().set_output(transform="pandas").transform(frame())).methods == ("halving",)
        assert isinstance(Halving().transform(frame().to_numpy()), np.ndarray)

    def test_steps_that_make_new_frames_lose_it(self) -> None:
        """A limit that the documentation states: other libraries' transformers make their frames from arrays."""
        assert adjustment_record(StandardScaler().set_output(transform="pandas").fit_transform(adjusted())) is None


class Halving(RecordsAdjustment, TransformerMixin, BaseEstimator):
    """A transformer that halves."""

    def fit(self, X, y=None):
        return self

    def transform(self, X, *, times=1):
        return np.asarray(X) / 2**times

    def get_feature_names_out(self, input_features=None):
        return np.array([f"g{i}" for i in range(5)], dtype=object)

    def _removal_record(self, X, sample_ids, **given):
        assert sample_ids == tuple(IDS)
        return AdjustmentRecord(("halving",), 0)


class SubHalving(Halving):
    """Its transform calls the one above it; the record is made once."""

    def transform(self, X, *, times=1):
        return super().transform(X, times=times)


class TestRefusals:
    @pytest.mark.parametrize(
        ("make", "error", "message"),
        [
            (lambda: mark_adjusted(frame().to_numpy(), "x", df=1), InputError, "ndarray cannot be marked"),
            (lambda: attach_record([[1.0]], AdjustmentRecord(("x",), 1)), InputError, "list cannot carry"),
            (lambda: mark_adjusted(frame(), "x"), InputError, "columns=.*or at least df="),
            (lambda: mark_adjusted(frame(), "x", df=-1), InputError, "df=-1"),
            (lambda: mark_adjusted(frame(), "x", df=np.nan), InputError, "df=nan"),
            (lambda: mark_adjusted(frame(), "x", columns=BATCH.iloc[1:]), AlignmentError, "'s0'"),
            (lambda: mark_adjusted(frame(), "x", columns=np.arange(7)), AlignmentError, "7 rows"),
            (lambda: mark_adjusted(frame(), "x", columns=BATCH.where(BATCH != "a")), InputError, "missing"),
            (lambda: mark_adjusted(frame(), "x", columns=[np.inf] * 8), InputError, "infinite"),
            (lambda: AdjustmentRecord(("x",), 1, ("a",), np.ones((1, 2)), ("b",)), InputError, r"\(1, 2\)"),
        ],
    )
    def test_what_cannot_be_recorded(self, make, error, message: str) -> None:
        with pytest.raises(error, match=message):
            make()

    @pytest.mark.parametrize(
        "damage",
        [
            {"version": 99},
            {"columns": "damaged"},
            {"columns": pack_columns(np.ones((1, 1)))},
            {"names": "ab"},
            {"df_spent": None},
        ],
    )
    def test_damaged_records(self, damage: dict) -> None:
        X = adjusted()
        X.attrs[KEY] = {**X.attrs[KEY], **damage}
        with pytest.raises(InputError, match="cannot be read"):
            adjustment_record(X)

    def test_records_of_another_kind(self) -> None:
        X = frame()
        X.attrs[KEY] = {"something": "else"}
        with pytest.raises(InputError, match="cannot be read"):
            adjustment_record(X)

    def test_repeated_samples(self) -> None:
        record = adjustment_record(adjusted().iloc[[0, 0, 1]])
        assert record.columns_for(["s0"]).shape == (1, 2)
        twice = AdjustmentRecord(("x",), 1, ("a", "a", "b"), np.array([[0.0], [1.0], [2.0]]), ("c",))
        assert twice.columns_for(["b"]).item() == 2.0
        with pytest.raises(AlignmentError, match="'a'"):
            twice.columns_for(["a", "b"])
