"""Files that cannot be read: named in one message, status 2, earlier output as it was."""

from __future__ import annotations

import gzip
from collections.abc import Callable
from pathlib import Path

import pytest

import latentadj as la
from latentadj.cli import main
from latentadj.data import Dataset
from latentadj.exceptions import FileFormatError, LatentAdjError


def refused(arguments: list[str], out: Path, capsys: pytest.CaptureFixture[str]) -> str:
    """Run on top of earlier output and return the message."""
    out.mkdir()
    for name in ("results.csv", "report.html", "notes.txt"):
        (out / name).write_text(f"earlier {name}")
    before = {p.name: (p.read_bytes(), p.stat().st_mtime_ns) for p in out.iterdir()}
    assert main([*arguments, "--overwrite"]) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    assert "Traceback" not in printed.err
    assert printed.err.startswith("latentadj: error: ")
    assert {p.name: (p.read_bytes(), p.stat().st_mtime_ns) for p in out.iterdir()} == before
    return printed.err


def spoil_file(name: str, content: bytes) -> Callable[[Path], None]:
    return lambda folder: (folder / name).write_bytes(content) and None


def zip_and_cut(name: str) -> Callable[[Path], None]:
    def spoil(folder: Path) -> None:
        path = folder / name
        packed = gzip.compress(path.read_bytes())
        path.write_bytes(packed[: len(packed) // 2])

    return spoil


def edit(name: str, change: Callable[[list[str]], list[str]]) -> Callable[[Path], None]:
    def spoil(folder: Path) -> None:
        lines = (folder / name).read_text().splitlines()
        (folder / name).write_text("\n".join(change(lines)) + "\n")

    return spoil


FILES = [
    ("no matrix", lambda folder: (folder / "matrix.csv").unlink(), "matrix.csv", ("no file",)),
    ("empty matrix", spoil_file("matrix.csv", b""), "matrix.csv", ("empty",)),
    ("blank matrix", spoil_file("matrix.csv", b"\n\n\n"), "matrix.csv", ("blank",)),
    ("heading only", edit("matrix.csv", lambda lines: lines[:1]), "matrix.csv", ("no rows",)),
    ("truncated gzip", zip_and_cut("matrix.csv"), "matrix.csv", ("truncated", "gzip")),
    ("binary", spoil_file("matrix.csv", bytes(range(128, 256)) * 9), "matrix.csv", ("UTF-8",)),
    (
        "short row",
        edit("matrix.csv", lambda lines: [*lines[:4], lines[4].rpartition(",")[0], *lines[5:]]),
        "matrix.csv",
        ("line 5", "120 fields", "121"),
    ),
    ("empty sample table", spoil_file("samples.csv", b""), "samples.csv", ("empty",)),
    ("truncated sample table", zip_and_cut("samples.csv"), "samples.csv", ("truncated",)),
    (
        "column twice in the sample table",
        edit("samples.csv", lambda lines: [lines[0].replace("day", "age"), *lines[1:]]),
        "samples.csv",
        ("'age'", "more than once"),
    ),
]


@pytest.mark.parametrize(("spoil", "name", "words"), [f[1:] for f in FILES], ids=[f[0] for f in FILES])
def test_files(
    spoil: Callable[[Path], None],
    name: str,
    words: tuple[str, ...],
    arguments: list[str],
    files: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    spoil(files)
    reader = la.read_matrix if name == "matrix.csv" else la.read_samples
    with pytest.raises(FileFormatError) as caught:
        reader(files / name)
    message = refused(arguments, tmp_path / "out", capsys)
    for word in (name, *words):
        assert word in message
        assert word in str(caught.value)


@pytest.mark.parametrize(
    ("content", "word"), [(b"", "empty"), (b"\n\n", "no IDs"), (b"nothing\nelse\n", "0 of 2")], ids=str
)
def test_controls(
    content: bytes,
    word: str,
    study: Dataset,
    arguments: list[str],
    files: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    path = files / "housekeeping.txt"
    path.write_bytes(content)
    with pytest.raises(LatentAdjError, match=word):
        la.read_controls(path, list(study.X.columns))
    assert word in refused([*arguments, "--controls", str(path)], tmp_path / "out", capsys)
