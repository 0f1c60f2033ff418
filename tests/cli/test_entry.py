"""Status, messages and interruptions of the command line."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import warnings
from pathlib import Path

import pytest

import latentadj as la
from latentadj.cli import main
from latentadj.cli.terminal import Terminal


def run(*arguments: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """Run the command line in a process of its own."""
    command = [sys.executable, "-m", "latentadj", *arguments]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=120, check=False)


def names(folder: Path) -> list[str]:
    return sorted(p.name for p in folder.iterdir())


def test_version_and_help(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--version"]) == 0
    assert capsys.readouterr().out == f"latentadj {la.__version__}\n"
    assert main(["fit", "--help"]) == 0
    text = capsys.readouterr().out
    for flag in ("--samples", "--formula", "--method", "--n-factors", "--controls", "--orientation", "--layer"):
        assert flag in text


@pytest.mark.parametrize(("arguments", "word"), [([], "COMMAND"), (["export"], "'export'"), (["fit"], "MATRIX")])
def test_usage_errors(arguments: list[str], word: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(arguments) == 2
    err = capsys.readouterr().err
    assert err.startswith("latentadj: error: ")
    assert word in err
    assert err.count("\n") == 1


def test_bad_input_in_a_process(tmp_path: Path) -> None:
    (tmp_path / "matrix.csv").write_text("")
    (tmp_path / "samples.csv").write_text("id,group\na,x\nb,y\n")
    done = run("fit", "matrix.csv", "--samples", "samples.csv", "--formula", "~ group", folder=tmp_path)
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr == "latentadj: error: matrix.csv is empty (0 bytes). Write the file again.\n"
    assert names(tmp_path) == ["matrix.csv", "samples.csv"]


def test_fit_in_a_process(files: Path) -> None:
    done = run(
        "fit",
        "matrix.csv",
        "--samples=samples.csv",
        "--formula=~ group",
        "--n-factors=1",
        "--no-report",
        folder=files,
    )
    assert done.returncode == 0, done.stderr
    assert names(files / "latentadj-out") == ["factors.csv", "manifest.json", "results.csv"]
    assert "\x1b" not in done.stdout + done.stderr  # no colours and no spinner in a pipe


@pytest.mark.skipif(os.name != "posix", reason="closing the reading end of a pipe")
def test_reader_that_leaves_is_no_error(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "latentadj", "methods"]
    reading, writing = os.pipe()
    os.close(reading)
    done = subprocess.run(command, stdout=writing, stderr=subprocess.PIPE, text=True, timeout=120, check=False)
    os.close(writing)
    assert done.returncode == 141
    assert done.stderr == ""


def test_interruption_leaves_the_folder_as_it_was(
    arguments: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(arguments) == 0
    before = {p.name: p.read_bytes() for p in (tmp_path / "out").iterdir()}

    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("latentadj.cli.outputs.write_json_atomic", interrupted)
    capsys.readouterr()
    assert main([*arguments, "--overwrite"]) == 130
    assert capsys.readouterr().err == "latentadj: error: interrupted.\n"
    assert {p.name: p.read_bytes() for p in (tmp_path / "out").iterdir()} == before


@pytest.mark.skipif(os.name != "posix", reason="signals")
def test_termination_removes_what_was_staged(
    arguments: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    handler = signal.getsignal(signal.SIGTERM)
    monkeypatch.setattr("latentadj.cli.outputs.write_json_atomic", lambda *_: os.kill(os.getpid(), signal.SIGTERM))
    assert main(arguments) == 143
    assert not (tmp_path / "out").exists()
    assert names(tmp_path) == ["input"]
    assert signal.getsignal(signal.SIGTERM) is handler


def test_full_disk_is_a_message(
    arguments: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device", "results.csv")

    monkeypatch.setattr("latentadj.cli.outputs.write_table_atomic", full)
    assert main(arguments) == 2
    assert capsys.readouterr().err == "latentadj: error: results.csv: No space left on device.\n"


def test_a_defect_is_not_hidden(arguments: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object, **__: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr("latentadj.cli.fit.adjust", broken)
    with pytest.raises(ZeroDivisionError):
        main(arguments)
    assert names(tmp_path) == ["input"]


def test_warnings_are_shown_once_and_deprecations_never(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def noisy(args: object, terminal: Terminal) -> None:
        for _ in range(3):
            warnings.warn("look at this", la.LatentAdjWarning, stacklevel=1)
            warnings.warn("old name", DeprecationWarning, stacklevel=1)

    monkeypatch.setattr("latentadj.cli.parser.run_methods", noisy)
    assert main(["methods"]) == 0
    assert capsys.readouterr().err == "warning: look at this\n"
