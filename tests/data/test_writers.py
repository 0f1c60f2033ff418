"""Writers: complete or not at all, other files untouched, reasons given."""

from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from latentadj.data import atomic_directory, read_matrix, write_json_atomic, write_table_atomic
from latentadj.data import writers as module
from latentadj.exceptions import InputError, OutputError


def write_into(target, names, error=None, **options):
    """Write the named files through an atomic directory, then raise ``error`` inside its body."""
    with atomic_directory(target, **options) as staging:
        for name in names:
            (staging / name).write_text("new")
        if error is not None:
            raise error


def listing(folder):
    return sorted(str(p.relative_to(folder)) for p in folder.rglob("*") if not p.is_dir())


@pytest.fixture
def frame():
    rng = np.random.default_rng(0)
    return pd.DataFrame(rng.normal(size=(5, 3)), index=list("abcde"), columns=["x", "y", "z"])


@pytest.mark.parametrize("name", ["t.csv", "t.tsv", "t.csv.gz", "t.parquet"])
def test_table_round_trip_is_exact(tmp_path, frame, name):
    if name.endswith("parquet"):
        pytest.importorskip("pyarrow")
    write_table_atomic(frame, tmp_path / name)
    assert np.array_equal(read_matrix(tmp_path / name).values, frame.to_numpy())
    assert listing(tmp_path) == [name]


def test_gzipped_table_is_reproducible(tmp_path, frame):
    write_table_atomic(frame, tmp_path / "t.csv.gz")
    first = (tmp_path / "t.csv.gz").read_bytes()
    os.utime(tmp_path / "t.csv.gz", (0, 0))
    write_table_atomic(frame, tmp_path / "t.csv.gz")
    assert first[4:8] == b"\0\0\0\0"  # no time stamp in the header
    assert len(first) == len((tmp_path / "t.csv.gz").read_bytes())


def test_failed_table_leaves_the_old_file(tmp_path, frame, monkeypatch):
    path = tmp_path / "t.csv"
    path.write_text("old")

    def full(self, target, **kwargs):
        Path(target).write_text("half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(pd.DataFrame, "to_csv", full)
    with pytest.raises(OutputError, match=r"t\.csv cannot be written \(No space left on device\)"):
        write_table_atomic(frame, path)
    assert path.read_text() == "old"
    assert listing(tmp_path) == ["t.csv"]


def test_table_errors(tmp_path, frame):
    with pytest.raises(OutputError, match="cannot be written"):
        write_table_atomic(frame, tmp_path / "absent" / "t.csv")
    with pytest.raises(InputError, match=r"written as \.csv, \.tsv"):
        write_table_atomic(frame, tmp_path / "t.xlsx")


def test_json_of_numpy_and_not_finite(tmp_path):
    content = {
        "int": np.int64(3),
        "float": np.float32(0.5),
        "nan": np.nan,
        "inf": [np.inf, 1.0],
        "array": np.arange(2),
        "flag": np.bool_(True),
        "path": tmp_path,
        "set": {"b", "a"},
        "nested": {1: (None, pd.NA)},
    }
    write_json_atomic(content, tmp_path / "m.json")
    assert json.loads((tmp_path / "m.json").read_text()) == {
        "int": 3,
        "float": 0.5,
        "nan": None,
        "inf": [None, 1.0],
        "array": [0, 1],
        "flag": True,
        "path": str(tmp_path),
        "set": ["a", "b"],
        "nested": {"1": [None, None]},
    }
    with pytest.raises(InputError, match="type object"):
        write_json_atomic({"x": object()}, tmp_path / "m.json")
    assert json.loads((tmp_path / "m.json").read_text())["int"] == 3


def test_new_directory_is_made_with_parents(tmp_path):
    target = tmp_path / "a" / "b"
    with atomic_directory(target) as staging:
        (staging / "r.csv").write_text("1")
        (staging / "sub").mkdir()
        (staging / "sub" / "x.txt").write_text("2")
        assert not target.exists()
    assert listing(tmp_path) == ["a/b/r.csv", "a/b/sub/x.txt"]
    umask = os.umask(0)
    os.umask(umask)
    assert target.stat().st_mode & 0o777 == 0o777 & ~umask


def test_existing_directory_needs_overwrite(tmp_path):
    (tmp_path / "r.csv").write_text("old")
    with pytest.raises(OutputError, match=r"already holds r\.csv.*--overwrite"), atomic_directory(tmp_path):
        pytest.fail("the body must not run")
    assert (tmp_path / "r.csv").read_text() == "old"


def test_only_owned_names_count(tmp_path):
    (tmp_path / "notes.txt").write_text("mine")
    with atomic_directory(tmp_path, owned=["r.csv"]) as staging:
        (staging / "r.csv").write_text("new")
    assert listing(tmp_path) == ["notes.txt", "r.csv"]
    with (
        pytest.raises(OutputError, match=r"already holds r\.csv"),
        atomic_directory(tmp_path, owned=["r.csv"]),
    ):
        pytest.fail("the body must not run")


def test_overwrite_replaces_only_what_was_written(tmp_path):
    (tmp_path / "r.csv").write_text("old")
    (tmp_path / "notes.txt").write_text("mine")
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "keep.txt").write_text("mine too")
    with atomic_directory(tmp_path, overwrite=True) as staging:
        (staging / "r.csv").write_text("new")
        (staging / "sub").mkdir()
        (staging / "sub" / "made.txt").write_text("new")
    assert listing(tmp_path) == ["notes.txt", "r.csv", "sub/keep.txt", "sub/made.txt"]
    assert (tmp_path / "r.csv").read_text() == "new"
    assert (tmp_path / "notes.txt").read_text() == "mine"


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt])
def test_failing_body_changes_nothing(tmp_path, error):
    (tmp_path / "r.csv").write_text("old")
    with pytest.raises(error):
        write_into(tmp_path, ["r.csv"], error(), overwrite=True)
    assert listing(tmp_path) == ["r.csv"]
    assert (tmp_path / "r.csv").read_text() == "old"
    assert [p.name for p in tmp_path.iterdir()] == ["r.csv"]


def test_failing_body_makes_no_new_directory(tmp_path):
    with pytest.raises(RuntimeError):
        write_into(tmp_path / "out", ["r.csv"], RuntimeError())
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("fail_at", [1, 2, 3, 4])
def test_failing_move_is_undone(tmp_path, monkeypatch, fail_at):
    """Moves: a.csv (new), b.csv away, b.csv in, c.csv in; each of them fails once."""
    (tmp_path / "b.csv").write_text("old")
    real, calls = os.replace, []

    def replace(source, target):
        calls.append(source)
        if len(calls) == fail_at:
            raise PermissionError(13, "Permission denied")
        real(source, target)

    monkeypatch.setattr(module.os, "replace", replace)
    with pytest.raises(OutputError, match="Permission denied"):
        write_into(tmp_path, ["a.csv", "b.csv", "c.csv"], overwrite=True)
    assert listing(tmp_path) == ["b.csv"]
    assert (tmp_path / "b.csv").read_text() == "old"


def test_folder_in_the_way_is_an_error(tmp_path):
    (tmp_path / "r.csv").mkdir()
    (tmp_path / "r.csv" / "keep").write_text("mine")
    with pytest.raises(OutputError, match="cannot be written"):
        write_into(tmp_path, ["a.csv", "r.csv"], overwrite=True)
    assert listing(tmp_path) == ["r.csv/keep"]


def test_file_instead_of_folder(tmp_path):
    (tmp_path / "out").write_text("x")
    with pytest.raises(OutputError, match="is a file"), atomic_directory(tmp_path / "out"):
        pytest.fail("the body must not run")
    with pytest.raises(OutputError, match="cannot be written"), atomic_directory(tmp_path / "out" / "sub"):
        pytest.fail("the body must not run")


def test_not_writable_directory(tmp_path, monkeypatch):
    """Permission is refused by the system call itself, because the superuser may write anywhere."""

    def refuse(self, *args, **kwargs):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "mkdir", refuse)
    refused = pytest.raises(OutputError, match=r"cannot be written \(Permission denied\)")
    with refused, atomic_directory(tmp_path / "out"):
        pytest.fail("the body must not run")


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="the superuser may write anywhere")
def test_really_not_writable_directory(tmp_path):
    tmp_path.chmod(0o500)
    try:
        with pytest.raises(OutputError, match="Permission denied"), atomic_directory(tmp_path / "out"):
            pytest.fail("the body must not run")
    finally:
        tmp_path.chmod(0o700)
