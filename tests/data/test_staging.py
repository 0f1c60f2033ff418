"""A process that is killed while it moves files: all old, or all new, after the next one has come by."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from latentadj.data.locks import try_lock
from latentadj.data.staging import MARK, atomic_directory, undo_unfinished
from latentadj.exceptions import OutputError

pytestmark = pytest.mark.skipif(os.name != "posix", reason="signals")


def write_and_die(target: Path, at: int, when: str) -> None:
    """Write three files and a folder; die at the given call of os.replace, before or after it."""
    real, calls = os.replace, []

    def replace(source: Path, place: Path) -> None:
        calls.append(place)
        if len(calls) == at and when == "before":
            os.kill(os.getpid(), signal.SIGKILL)
        real(source, place)
        if len(calls) == at and when == "after":
            os.kill(os.getpid(), signal.SIGKILL)

    os.replace = replace
    with atomic_directory(target, overwrite=True, seal="manifest.json") as folder:
        for name in ("a.csv", "b.csv", "manifest.json"):
            (folder / name).write_text("new")
        (folder / "t.zarr").mkdir()
        (folder / "t.zarr" / "c0").write_text("new")


def contents(folder: Path) -> dict[str, str]:
    files = [p for p in folder.rglob("*") if p.is_file() and MARK not in str(p)]
    return {str(p.relative_to(folder)): p.read_text() for p in files}


def earlier(folder: Path) -> dict[str, str]:
    (folder / "t.zarr").mkdir(parents=True)
    for name in ("b.csv", "manifest.json", "notes.txt", "t.zarr/c0", "t.zarr/c1"):
        (folder / name).write_text("old")
    return contents(folder)


def run(folder: Path, at: int, when: str) -> int:
    """Do so in a process of its own; its signal, or 0."""
    child = os.fork()
    if child == 0:
        try:
            write_and_die(folder, at, when)
        finally:
            os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


NEW = {"a.csv": "new", "b.csv": "new", "manifest.json": "new", "t.zarr/c0": "new", "notes.txt": "old"}


@pytest.mark.parametrize(("at", "when"), [(1, "before"), (1, "after"), (3, "after"), (6, "before"), (7, "after")])
def test_killed_while_files_are_moved(at: int, when: str, tmp_path: Path) -> None:
    """Moves: old manifest away, a, b away, b, t.zarr away, t.zarr, manifest."""
    folder = tmp_path / "out"
    before = earlier(folder)
    assert run(folder, at, when) == -signal.SIGKILL
    found = contents(folder)
    if "manifest.json" in found:  # what says that the files are there never stands beside a mixture
        assert found in (before, NEW)
    undo_unfinished(folder)
    assert contents(folder) == before
    assert undo_unfinished(folder) == []
    assert [p for p in folder.iterdir() if p.name.startswith(MARK)] == []


def test_not_killed(tmp_path: Path) -> None:
    folder = tmp_path / "out"
    earlier(folder)
    assert run(folder, 99, "before") == 0
    assert contents(folder) == NEW  # of an earlier .zarr folder nothing is left


def test_killed_before_the_folder_was_made(tmp_path: Path) -> None:
    folder = tmp_path / "out"
    assert run(folder, 1, "before") == -signal.SIGKILL
    assert not folder.exists()
    assert len(list(tmp_path.iterdir())) == 1  # the hidden folder
    with atomic_directory(folder) as staging:
        (staging / "a.csv").write_text("again")
    assert [p.name for p in tmp_path.iterdir()] == ["out"]
    assert contents(folder) == {"a.csv": "again"}


def test_putting_back_may_be_cut_short_and_repeated(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "out"
    before = earlier(folder)
    assert run(folder, 7, "before") == -signal.SIGKILL
    real, left = os.replace, [0]

    def replace(source: Path, place: Path) -> None:
        if left[0] == 0:
            raise KeyboardInterrupt
        left[0] -= 1
        real(source, place)

    monkeypatch.setattr(os, "replace", replace)
    for tries in range(1, 8):
        left[0] = tries % 2 + 1
        try:
            undo_unfinished(folder)
        except KeyboardInterrupt:
            continue
        break
    assert contents(folder) == before


def test_a_process_at_work_is_left_alone(tmp_path: Path) -> None:
    with atomic_directory(tmp_path / "out") as first:
        (first / "a.csv").write_text("first")
        with atomic_directory(tmp_path / "out") as second:
            (second / "b.csv").write_text("second")
        assert (first / "a.csv").exists()
    assert contents(tmp_path / "out") == {"a.csv": "first", "b.csv": "second"}


def test_other_folders_are_left_alone(tmp_path: Path) -> None:
    """Beside the folder lies what a killed process left of another one."""
    assert run(tmp_path / "other", 1, "before") == -signal.SIGKILL
    left = list(tmp_path.iterdir())
    assert undo_unfinished(tmp_path / "out") == []
    assert list(tmp_path.iterdir()) == left
    undo_unfinished(tmp_path / "other")
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_cannot_be_put_back_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "out"
    earlier(folder)
    calls = []

    def replace(source: Path, place: Path) -> None:
        calls.append(place)
        if len(calls) > 2:
            raise PermissionError(13, "Permission denied")
        real(source, place)

    def write() -> None:
        with atomic_directory(folder, overwrite=True) as staging:
            monkeypatch.setattr(os, "replace", replace)
            for name in ("b.csv", "c.csv"):
                (staging / name).write_text("new")

    real = os.replace
    with pytest.raises(OutputError, match="Permission denied"):
        write()
    monkeypatch.setattr(os, "replace", real)
    assert contents(folder)["b.csv"] == "new"
    undo_unfinished(folder)
    assert contents(folder)["b.csv"] == "old"


def test_locks(tmp_path: Path) -> None:
    held = try_lock(tmp_path / "lock")
    assert held is not None
    assert try_lock(tmp_path / "lock") is None
    held.close()
    again = try_lock(tmp_path / "lock")
    assert again is not None
    again.close()
    with pytest.raises(OSError, match="No such file"):
        try_lock(tmp_path / "absent" / "lock")
