"""Saved results: every number back bit for bit, every part usable, and clear words for damaged files."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Mapping
from dataclasses import fields, is_dataclass, replace
from datetime import date
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import latentadj as la
from latentadj.data import writers
from latentadj.exceptions import FileFormatError, FormulaError, InputError, OutputError
from latentadj.results import AdjustmentResult, load_result, save_result
from latentadj.results.encoding import CLASSES, ResultReader, ResultWriter

N, P = 30, 120


def sample_table() -> pd.DataFrame:
    """A table with every column type that studies have."""
    rng = np.random.default_rng(5)
    ids = [f"s{i}" for i in range(N)]
    age = rng.normal(50, 9, N)
    dose = pd.Categorical(np.tile(["low", "mid", "high"], N // 3), categories=["low", "mid", "high"], ordered=True)
    return pd.DataFrame(
        {
            "group": np.repeat(["ctl", "Größe 2", "x|y"], N // 3),
            "dose": dose,
            "age": age,
            "cell type": pd.Categorical(np.tile(["b", "a"], N // 2), categories=["b", "a", "unused"]),
            "batch": np.tile([1, 2, 3, 4, 5], N // 5),
            "smoker": np.tile([True, False, False], N // 3),
            "bin": pd.cut(age, 3),
            "single": age.astype(np.float32),
            "gap": np.where(np.arange(N) % 4 == 0, np.nan, age),
            "mixed": ["text", None, np.nan, 3, 2.5, date(2020, 2, 29)] * (N // 6),
            "nullable": pd.array([1, None, 3] * (N // 3), dtype="Int64"),
            "text": pd.array(["a", None, "ü"] * (N // 3), dtype="string"),
            "day": pd.date_range("2020-03-20", periods=N, freq="D"),
            "moment": pd.date_range("2020-03-20", periods=N, freq="D", tz="Europe/Berlin"),
            "span": pd.to_timedelta(np.arange(N), unit="h"),
        },
        index=pd.Index(ids, name="sample"),
    )


def measured() -> pd.DataFrame:
    rng = np.random.default_rng(6)
    hidden = rng.normal(size=(N, 2))
    X = 8 + rng.normal(size=(N, P)) + hidden @ rng.normal(size=(2, P))
    X[:, 3] = 5.0  # constant: NaN statistics
    return pd.DataFrame(X, index=sample_table().index, columns=[f"gene {j}\0é" for j in range(P)])


CASES: dict[str, dict[str, Any]] = {
    "cate": {"formula": "~ group | age", "method": "cate", "n_factors": 2},
    "no_factors": {"formula": "~ group | age", "method": "none"},
    "sva": {"formula": "~ dose | `cell type` + age", "method": "sva", "n_factors": 2},
    "two_step": {"formula": "~ smoker | age", "method": "sva_two_step", "n_factors": 1},
    "controls": {"formula": "~ age", "method": "ruv4", "n_factors": 2, "controls": np.arange(20, 60)},
    "automatic_number": {"formula": "~ group", "method": "cate"},
    "robust_trend": {"formula": "~ group", "method": "cate", "n_factors": 1, "inference": "moderated_robust"},
    "trend": {"formula": "~ age", "method": "cate", "n_factors": 1, "inference": "moderated_trend"},
    "ordinary": {"formula": "~ age", "method": "cate", "n_factors": 1, "inference": "ordinary"},
    "calibrated": {"formula": "~ age", "method": "cate", "n_factors": 1, "calibration": "mad"},
    "splines": {"formula": "~ group | bs(age, df=4) + C(batch)", "method": "none"},
    "interaction": {"formula": "~ smoker:np.log(age) + smoker | scale(age)", "method": "none"},
    "columns": {"formula": ["bin"], "method": "none"},
    "nothing_tested": {"formula": "~ 1 | age", "method": "none"},
}


@cache
def result(name: str) -> AdjustmentResult:
    options = dict(CASES[name])
    return la.adjust(measured(), options.pop("formula"), sample_table(), **options)


@cache
def array_result() -> AdjustmentResult:
    """From plain arrays: no sample table, no IDs, no recipe."""
    rng = np.random.default_rng(1)
    return la.adjust(rng.normal(size=(N, P)), la.Design.from_arrays(rng.normal(size=N)), method="none")


def all_results() -> list[Any]:
    return [pytest.param(lambda name=name: result(name), id=name) for name in CASES] + [
        pytest.param(array_result, id="arrays")
    ]


def assert_identical(found: Any, expected: Any, path: str = "result") -> None:
    """Same types, same bits, through all parts; formulaic's own state is looked at by `replay` instead."""
    kinds = [kind for kind in type(expected).__mro__ if kind.__name__ in CLASSES] or [type(expected)]
    assert type(found) is kinds[0], path
    if isinstance(expected, pd.DataFrame):
        pd.testing.assert_frame_equal(found, expected, check_exact=True, check_freq=False, check_column_type=True)
    elif isinstance(expected, np.ndarray):
        assert (found.dtype, found.shape) == (expected.dtype, expected.shape), path
        if expected.dtype == object:
            assert found.tolist() == expected.tolist(), path
        else:
            assert found.tobytes() == expected.tobytes(), path
    elif is_dataclass(expected):
        for item in fields(kinds[0]):
            left_out = item.name in {"model_spec", "parsed"} or (path, item.name) == ("result", "matrix")
            if not left_out:
                assert_identical(getattr(found, item.name), getattr(expected, item.name), f"{path}.{item.name}")
    elif isinstance(expected, Mapping):
        assert list(found) == list(expected), path
        for key in expected:
            assert_identical(found[key], expected[key], f"{path}.{key}")
    elif isinstance(expected, tuple | list):
        assert len(found) == len(expected), path
        for i, (one, other) in enumerate(zip(found, expected)):
            assert_identical(one, other, f"{path}[{i}]")
    else:
        assert repr(found) == repr(expected), path


def assert_frames_identical(found: pd.DataFrame, expected: pd.DataFrame) -> None:
    pd.testing.assert_frame_equal(found, expected, check_exact=True)


@pytest.mark.parametrize("make", all_results())
def test_round_trip_is_exact(make: Any, tmp_path: Path) -> None:
    saved = make()
    assert save_result(saved, tmp_path / "new" / "study") == tmp_path / "new" / "study"
    loaded = load_result(tmp_path / "new" / "study")
    assert_identical(loaded, saved)
    assert loaded.matrix is None
    assert saved.matrix is not None


@pytest.mark.parametrize("make", all_results())
def test_loaded_results_answer_as_before(make: Any, tmp_path: Path) -> None:
    saved = make()
    loaded = load_result(saved.save(tmp_path))
    for which in ("adjusted", "unadjusted", "uncalibrated"):
        assert_frames_identical(loaded.tidy(which=which), saved.tidy(which=which))
    assert_frames_identical(loaded.tidy(style="limma"), saved.tidy(style="limma"))
    if saved.tests.names:
        assert_frames_identical(loaded.tidy(joint=True), saved.tidy(joint=True))
        assert_frames_identical(loaded.top(7), saved.top(7))
    assert_frames_identical(loaded.factors, saved.factors)
    assert_frames_identical(loaded.loadings, saved.loadings)
    assert_frames_identical(loaded.num_factors.table(), saved.num_factors.table())
    assert_frames_identical(loaded.confounding.table(), saved.confounding.table())
    assert_frames_identical(loaded.design.summary(), saved.design.summary())
    assert (loaded.warnings, loaded.manifest) == (saved.warnings, saved.manifest)
    assert str(loaded.full_design) == str(saved.full_design)


@pytest.mark.parametrize(
    ("name", "contrast"),
    [
        ("cate", "group[x|y] - group[ctl]"),
        ("sva", "dose[high] - dose[low]"),
        ("splines", "group[ctl] - 0.5 * group[x|y] - 0.5 * group[Größe 2]"),
        ("interaction", "0.5 * smoker[T.True]"),
    ],
)
def test_contrasts_are_identical(name: str, contrast: str, tmp_path: Path) -> None:
    saved = result(name)
    loaded = load_result(saved.save(tmp_path))
    assert_frames_identical(loaded.contrast(contrast), saved.contrast(contrast))
    assert np.isfinite(saved.contrast(contrast)["p_value"]).sum() == P - 1


@pytest.mark.parametrize("name", ["cate", "sva", "two_step", "splines", "interaction", "columns", "nothing_tested"])
def test_designs_replay_for_new_samples(name: str, tmp_path: Path) -> None:
    """Knots, centres and levels are those of the study, not of the new samples."""
    saved = result(name)
    design = load_result(saved.save(tmp_path)).design
    few = sample_table().iloc[[4, 17, 25]]
    np.testing.assert_array_equal(design.replay(few).matrix, saved.design.replay(few).matrix)
    np.testing.assert_array_equal(design.replay(few).matrix, saved.design.matrix[[4, 17, 25]])


def test_frame_designs_replay(tmp_path: Path) -> None:
    frame = sample_table()[["age", "batch"]].astype(float)
    saved = la.adjust(measured(), frame, sample_table(), method="none")
    design = load_result(saved.save(tmp_path)).design
    np.testing.assert_array_equal(design.replay(frame.iloc[:2]).matrix, saved.design.matrix[:2])


def test_a_design_cut_to_other_samples_keeps_contrasts_and_says_what_is_lost(tmp_path: Path) -> None:
    keep = np.r_[0:9, 12:28]
    design = la.Design.from_formula("~ group | scale(age)", sample_table()).subset(keep)
    saved = la.adjust(measured().iloc[keep], design, sample_table().iloc[keep], method="none")
    loaded = load_result(saved.save(tmp_path / "a"))
    assert_identical(loaded, saved)
    text = "group[x|y] - group[ctl]"
    assert_frames_identical(loaded.contrast(text), saved.contrast(text))
    with pytest.raises(FormulaError, match="cut to other samples"):
        loaded.design.replay(sample_table())
    assert_identical(load_result(loaded.save(tmp_path / "b")), saved)


def test_special_numbers_and_odd_values_survive(tmp_path: Path) -> None:
    base = result("cate")
    special = np.array([np.nan, -np.nan, np.inf, -np.inf, -0.0, 5e-324, np.nextafter(1, 2), 1e308])
    details = {
        "special": special,
        "payload": np.array([0x7FF8000000000123], dtype=np.uint64).view(np.float64),
        "number": -np.inf,
        "nan": float("nan"),
        "third": 1 / 3,
        "zero": -0.0,
        "single": np.float32(0.1),
        "flag": np.bool_(True),
        "whole": np.int64(2**62),
        "large": 2**80,
        "column_major": np.asfortranarray(np.arange(6.0).reshape(2, 3)),
        "strided": np.arange(12.0).reshape(3, 4)[::2, ::3],
        "point": np.array(2.5),
        "empty": np.empty((0, 3)),
        "labels": np.array(["a", "été"]),
        "objects": np.array([["a\0", None], [("t", 1), {"k": [1.5]}]], dtype=object),
        "by/..//path": np.ones(2),
        "by...path": np.zeros(2),
        "file": np.ones(1),
        "nested": {"a": (1, [2, {"b"}, frozenset({3})]), (1, "k"): None},
        "moments": (pd.Timestamp("2020-01-01 10:00:00.000000001"), pd.Timedelta("1h"), pd.NaT, pd.NA),
    }
    odd = replace(
        base,
        estimate=replace(base.estimate, details=details),
        warnings=('NearConfoundingWarning: "quoted"\n\ud800 lone', ""),
        manifest={"seed": np.int64(3), "where": tmp_path, "limits": (0.1, np.inf)},
    )
    loaded = load_result(save_result(odd, tmp_path / "odd"))
    assert_identical(loaded, odd)
    assert loaded.estimate.details["column_major"].flags.f_contiguous
    assert loaded.estimate.details["moments"][2] is pd.NaT


def test_shared_parts_are_written_once_and_stay_shared(tmp_path: Path) -> None:
    loaded = load_result(result("no_factors").save(tmp_path))
    assert loaded.tests is loaded.uncalibrated_tests
    assert loaded.fit is loaded.unadjusted_fit
    with np.load(tmp_path / "arrays.npz") as archive:
        assert "tests.p_value" in archive.files
        assert not any(name.startswith(("uncalibrated_tests", "unadjusted_fit")) for name in archive.files)


def test_files_hold_no_pickle_and_plain_names(tmp_path: Path) -> None:
    saved = result("sva")
    saved.save(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["arrays.npz", "result.json"]
    with np.load(tmp_path / "arrays.npz", allow_pickle=False) as archive:
        assert not any(archive[name].dtype.hasobject for name in archive.files)
        np.testing.assert_array_equal(archive["tests.p_value"], saved.tests.p_value)
        np.testing.assert_array_equal(archive["estimate.scores"], saved.estimate.scores)
    record = json.loads((tmp_path / "result.json").read_text())
    assert (record["format"], record["version"]) == ("latentadj result", 1)


def test_saving_again_replaces_the_result_and_nothing_else(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    result("cate").save(tmp_path)
    result("no_factors").save(tmp_path)
    assert load_result(tmp_path).method == "none"
    assert (tmp_path / "notes.txt").read_text() == "mine"
    assert len(list(tmp_path.iterdir())) == 3


@pytest.mark.parametrize("broken", ["write", "move"])
def test_a_failed_save_leaves_the_old_result(broken: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    result("cate").save(tmp_path)
    if broken == "write":
        monkeypatch.setattr(np, "savez", _fail)
    else:
        real, moved = writers.os.replace, []

        def fail_at_second(source: Any, target: Any) -> None:
            moved.append(target)
            if Path(target) == tmp_path / "result.json" and len(moved) < 5:
                raise OSError(28, "No space left on device")
            real(source, target)

        monkeypatch.setattr(writers.os, "replace", fail_at_second)
    with pytest.raises(OutputError, match="No space left"):
        result("no_factors").save(tmp_path)
    monkeypatch.undo()
    assert_identical(load_result(tmp_path), result("cate"))
    assert len(list(tmp_path.iterdir())) == 2


def _fail(*_: Any, **__: Any) -> None:
    raise OSError(28, "No space left on device")


def test_a_value_without_a_form_leaves_the_old_result_and_is_named(tmp_path: Path) -> None:
    result("cate").save(tmp_path)
    base = result("no_factors")
    table = base.sample_data.assign(helper=[object()] * N)
    for odd in (
        replace(base, sample_data=table),
        replace(base, manifest={"helper": object()}),
        replace(base, estimate=replace(base.estimate, details={"helper": np.zeros(2, dtype="f8,i4")})),
    ):
        with pytest.raises(InputError, match=r"helper holds a .* without pickle"):
            odd.save(tmp_path)
    assert load_result(tmp_path).method == "cate"


@pytest.mark.parametrize("name", ["result.json", "arrays.npz"])
def test_files_of_others_are_not_replaced(name: str, tmp_path: Path) -> None:
    (tmp_path / name).write_text('{"theirs": 1}')
    with pytest.raises(OutputError, match="no saved result"):
        result("cate").save(tmp_path)
    assert (tmp_path / name).read_text() == '{"theirs": 1}'


def test_a_file_in_place_of_the_folder(tmp_path: Path) -> None:
    (tmp_path / "study").write_text("x")
    with pytest.raises(OutputError, match="is a file"):
        result("cate").save(tmp_path / "study")
    with pytest.raises(FileFormatError, match="is no folder"):
        load_result(tmp_path / "study")
    with pytest.raises(FileFormatError, match="nothing-here is no folder"):
        load_result(tmp_path / "nothing-here")


def damage(folder: Path, how: str) -> None:
    record, arrays = folder / "result.json", folder / "arrays.npz"
    content = json.loads(record.read_text())
    if how == "no arrays":
        arrays.unlink()
    elif how == "no record":
        record.unlink()
    elif how == "truncated arrays":
        arrays.write_bytes(arrays.read_bytes()[:-200])
    elif how == "one bit":
        data = bytearray(arrays.read_bytes())
        data[len(data) // 2] ^= 1
        arrays.write_bytes(bytes(data))
    elif how == "arrays of another save":
        result("cate").save(folder / "other")
        shutil.copy(folder / "other" / "arrays.npz", arrays)
    elif how == "truncated record":
        record.write_text(record.read_text()[:1000])
    elif how == "binary record":
        record.write_bytes(b"\xff\xfe\x00")
    elif how == "foreign record":
        record.write_text(json.dumps({"name": "package", "version": 1}))
    elif how == "list record":
        record.write_text("[1, 2]")
    elif how == "newer":
        record.write_text(json.dumps({**content, "version": 2}))
    elif how == "no version":
        record.write_text(json.dumps({**content, "version": None}))
    elif how == "unknown class":
        content["objects"][-1]["class"] = "Popen"
        record.write_text(json.dumps(content))
    elif how == "missing part":
        del content["objects"][-1]["fields"]["fit"]
        record.write_text(json.dumps(content))
    elif how == "no root":
        record.write_text(json.dumps({**content, "objects": content["objects"][:-1]}))
    elif how == "empty":
        record.write_text(json.dumps({**content, "objects": []}))
    elif how == "forward reference":
        content["objects"][0] = {"class": "FrameRecipe", "fields": {"names": {"part": 10**6}}}
        record.write_text(json.dumps(content))
    elif how == "deep":
        record.write_text("[" * 200_000)


@pytest.mark.parametrize(
    ("how", "words"),
    [
        ("no arrays", "arrays.npz missing"),
        ("no record", "result.json missing"),
        ("truncated arrays", "arrays.npz is truncated, damaged"),
        ("one bit", "arrays.npz is truncated, damaged"),
        ("arrays of another save", "belongs to another save"),
        ("truncated record", "result.json is no JSON, or is cut off"),
        ("binary record", "result.json is no JSON"),
        ("foreign record", "not written by latentadj"),
        ("list record", "not written by latentadj"),
        ("newer", "format version 2; .* newer latentadj"),
        ("no version", "format version None"),
        ("unknown class", "not a complete result .*Popen"),
        ("missing part", "not a complete result .*'fit'"),
        ("no root", "not a complete result"),
        ("empty", "not a complete result"),
        ("forward reference", "not a complete result"),
        ("deep", "result.json is no JSON, or is cut off"),
    ],
)
def test_damaged_files_are_named(how: str, words: str, tmp_path: Path) -> None:
    result("no_factors").save(tmp_path)
    damage(tmp_path, how)
    with pytest.raises(FileFormatError, match=words):
        load_result(tmp_path)


def test_arrays_that_need_pickle_are_refused(tmp_path: Path) -> None:
    """Even with a matching hash, as a forged file would have."""
    result("no_factors").save(tmp_path)
    np.savez(tmp_path / "arrays.npz", forged=np.array([Path("x")], dtype=object))
    record = json.loads((tmp_path / "result.json").read_text())
    record["arrays_sha256"] = hashlib.sha256((tmp_path / "arrays.npz").read_bytes()).hexdigest()
    (tmp_path / "result.json").write_text(json.dumps(record))
    with pytest.raises(FileFormatError, match="pickle"):
        load_result(tmp_path)


def test_a_formula_in_a_file_is_checked_like_any_other(tmp_path: Path) -> None:
    result("no_factors").save(tmp_path)
    record = json.loads((tmp_path / "result.json").read_text())
    (recipe,) = [entry for entry in record["objects"] if entry.get("class") == "FormulaRecipe"]
    recipe["fields"]["formula"] = "~ {__import__('os').getcwd()}"
    (tmp_path / "result.json").write_text(json.dumps(record))
    with pytest.raises(FileFormatError, match="FormulaError"):
        load_result(tmp_path)


def test_reading_makes_registered_classes_only() -> None:
    writer = ResultWriter()
    writer.reference(result("cate"), "")
    names = {entry["class"] for entry in writer.objects if "class" in entry}
    assert {"AdjustmentResult", "Design", "FormulaRecipe", "RegressionFit", "VariancePrior"} <= names
    with pytest.raises(KeyError):
        ResultReader({}).node({"eval": []})


def test_index_types_are_kept() -> None:
    frames = [
        pd.DataFrame({"a": [1.0, 2.0]}),
        pd.DataFrame({"a": [1.0, 2.0]}, index=pd.RangeIndex(4, 8, 2, name="k")),
        pd.DataFrame({1: [1], 0: [2]}, index=pd.date_range("2020-01-01", periods=1)),
        pd.DataFrame(index=pd.Index(["a", "b"])),
        pd.DataFrame([[1, "x"]], columns=pd.Index(["a", "a"], name="twice")),
        pd.DataFrame({"a": [True]}, index=pd.CategoricalIndex(["u"], categories=["v", "u"])),
    ]
    for frame in frames:
        writer = ResultWriter()
        position = writer.reference(frame, "frame")
        reader = ResultReader(writer.arrays)
        with pytest.raises(TypeError, match="DataFrame"):
            reader.result(json.loads(json.dumps(writer.objects)))
        found = reader.node({"part": position})
        pd.testing.assert_frame_equal(found, frame, check_exact=True, check_freq=False)
        assert type(found.index) is type(frame.index)
    with pytest.raises(InputError, match="MultiIndex"):
        ResultWriter().node(pd.DataFrame(index=pd.MultiIndex.from_tuples([("a", 1)])), "frame")
