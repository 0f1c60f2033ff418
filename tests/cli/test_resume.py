"""``latentadj fit --resume``: a killed run goes on, and its files are those of an uninterrupted one."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from latentadj.cli import main
from latentadj.cli.resuming import FOLDER
from latentadj.data import Dataset
from latentadj.data.staging import MARK
from latentadj.data.stores.raw import RawMatrix

pytestmark = pytest.mark.skipif(os.name != "posix", reason="signals and processes")


@pytest.fixture(autouse=True)
def keeps_everything(monkeypatch: pytest.MonkeyPatch) -> None:
    """The study is small; its passes would not be kept, and have one block only."""
    monkeypatch.setattr("latentadj.data.stores.base.default_width", lambda n_samples: 5)
    monkeypatch.setattr("latentadj.cli.resuming.LEAST_BYTES", 0)
    monkeypatch.setattr("latentadj.cli.resuming.LEAST_SECONDS", 0.0)


@pytest.fixture
def fit(study: Dataset, files: Path, tmp_path: Path) -> Callable[..., list[str]]:
    """Arguments of ``fit`` on the study in a .npy file with IDs beside it."""
    matrix = files / "matrix.npy"
    np.save(matrix, np.asfortranarray(study.X.to_numpy()))
    (files / "matrix.npy.samples.txt").write_text("\n".join(study.X.index))
    (files / "matrix.npy.features.txt").write_text("\n".join(study.X.columns))

    def arguments(out: str, *extra: str) -> list[str]:
        given = [str(matrix), "--samples", str(files / "samples.csv"), "--formula", "~ group | age", "--no-report"]
        return ["fit", *given, "--n-factors", "1", "--threads", "1", "--out", str(tmp_path / out), *extra]

    return arguments


def in_a_process(arguments: list[str], prepare: Callable[[], None]) -> int:
    """Run the command line in a process of its own that may be killed."""
    child = os.fork()
    if child == 0:
        status = 99
        try:
            prepare()
            status = main(arguments)
        finally:
            os._exit(status)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def kill_at_read(number: int) -> Callable[[], None]:
    """Kill the process when it reads its so-and-so-manieth block."""

    def prepare() -> None:
        real, calls = RawMatrix.read, []

        def read(self: RawMatrix, columns: slice) -> object:
            calls.append(columns)
            if len(calls) == number:
                os.kill(os.getpid(), signal.SIGKILL)
            return real(self, columns)

        RawMatrix.read = read  # type: ignore[method-assign, assignment]

    return prepare


def kill_at_move(number: int) -> Callable[[], None]:
    """Kill the process when it moves its so-and-so-manieth file of the results into place."""

    def prepare() -> None:
        real, calls = os.replace, []

        def replace(source: object, place: object) -> None:
            if f"{MARK}" in str(source) and "/new/" in str(source):
                calls.append(source)
                if len(calls) == number:
                    os.kill(os.getpid(), signal.SIGKILL)
            real(source, place)  # type: ignore[arg-type]

        os.replace = replace  # type: ignore[assignment]

    return prepare


def contents(folder: Path) -> dict[str, object]:
    """Files of a result; the manifest without the time and the name of the folder."""
    found: dict[str, object] = {}
    for path in sorted(p for p in folder.rglob("*") if p.is_file()):
        found[str(path.relative_to(folder))] = path.read_bytes()
    manifest = json.loads((folder / "manifest.json").read_text())
    del manifest["created"], manifest["command"]["out"]
    return found | {"manifest.json": manifest}


def blocks_of(fit: Callable[..., list[str]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> int:
    """Number of blocks that an uninterrupted run reads; its results are in ``whole``."""
    real, calls = RawMatrix.read, []

    def read(self: RawMatrix, columns: slice) -> object:
        calls.append(columns)
        return real(self, columns)

    with monkeypatch.context() as patch:
        patch.setattr(RawMatrix, "read", read)
        assert main(fit("whole", "--adjusted", "npy")) == 0
    return len(calls)


def test_killed_in_the_middle_of_a_pass(
    fit: Callable[..., list[str]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    n_blocks = blocks_of(fit, tmp_path, monkeypatch)
    expected, arguments = contents(tmp_path / "whole"), fit("out", "--adjusted", "npy", "--resume")
    for at in sorted({2, n_blocks // 3, n_blocks // 2}):
        assert in_a_process(arguments, kill_at_read(at)) == -signal.SIGKILL
        assert not (tmp_path / "out" / "manifest.json").exists()
        assert not (tmp_path / "out" / "results.csv").exists()
    assert list((tmp_path / "out" / FOLDER).rglob("*.npz"))
    capfd.readouterr()
    assert main(arguments) == 0
    assert "note: going on with the run that was stopped" in capfd.readouterr().err
    assert contents(tmp_path / "out") == expected
    assert not [p for p in tmp_path.rglob("*") if p.name == FOLDER or p.name.startswith(MARK)]


@pytest.mark.parametrize("number", [1, 2, 3])
def test_killed_while_results_are_moved(number: int, fit: Callable[..., list[str]], tmp_path: Path) -> None:
    assert main(fit("whole")) == 0
    assert in_a_process(fit("out", "--resume"), kill_at_move(number)) == -signal.SIGKILL
    assert not (tmp_path / "out" / "manifest.json").exists()
    assert main(fit("out", "--resume")) == 0
    assert contents(tmp_path / "out") == contents(tmp_path / "whole")
    assert sorted(p.name for p in (tmp_path / "out").iterdir()) == ["factors.csv", "manifest.json", "results.csv"]


def test_earlier_results_are_back_after_a_kill(fit: Callable[..., list[str]], tmp_path: Path) -> None:
    assert main(fit("out", "--method", "none")) == 0
    before = contents(tmp_path / "out")
    assert in_a_process(fit("out", "--overwrite"), kill_at_move(3)) == -signal.SIGKILL
    assert main(fit("out")) == 2  # refused: there are results; and they are whole
    assert contents(tmp_path / "out") == before


def test_without_resume_what_is_left_is_mentioned_and_removed_at_the_end(
    fit: Callable[..., list[str]], tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    assert in_a_process(fit("out", "--resume"), kill_at_read(30)) == -signal.SIGKILL
    capfd.readouterr()
    assert main(fit("out")) == 0
    assert "Rerun with --resume to go on with it" in capfd.readouterr().err
    assert sorted(p.name for p in (tmp_path / "out").iterdir()) == ["factors.csv", "manifest.json", "results.csv"]


def test_other_options_or_data_are_refused(
    fit: Callable[..., list[str]], files: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    assert in_a_process(fit("out", "--resume"), kill_at_read(30)) == -signal.SIGKILL
    kept = sorted((tmp_path / "out" / FOLDER).rglob("*"))
    capfd.readouterr()
    assert main(fit("out", "--resume", "--seed", "4")) == 2
    assert "options.seed was 0, and is 4 now" in capfd.readouterr().err
    os.utime(files / "samples.csv", ns=(1, 1))
    assert main(fit("out", "--resume")) == 2
    assert "samples.csv.modified was" in capfd.readouterr().err
    assert sorted((tmp_path / "out" / FOLDER).rglob("*")) == kept


def test_small_runs_leave_nothing_and_bad_input_neither(
    fit: Callable[..., list[str]], tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    assert in_a_process(fit("out"), kill_at_read(30)) == -signal.SIGKILL
    assert not (tmp_path / "out").exists()  # small: without --resume nothing is kept
    values = np.load(tmp_path / "input" / "matrix.npy")
    values[3, 100] = np.nan
    np.save(tmp_path / "input" / "matrix.npy", values)
    assert main(fit("out", "--resume")) == 2
    assert not (tmp_path / "out").exists()


def test_interruption_says_how_to_go_on(
    fit: Callable[..., list[str]],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("latentadj.cli.outputs.write_json_atomic", interrupted)
        assert main(fit("out", "--resume")) == 130
    assert "Rerun with --resume to go on." in capfd.readouterr().err
    assert main(fit("out", "--resume")) == 0
    assert not (tmp_path / "out" / FOLDER).exists()


def test_stores_are_read_by_blocks_and_give_the_same_table(
    study: Dataset, files: Path, fit: Callable[..., list[str]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    zarr, h5py = pytest.importorskip("zarr"), pytest.importorskip("h5py")
    turned = study.X.to_numpy().T.copy()
    for name in ("m.zarr", "m.h5"):
        (files / f"{name}.samples.txt").write_text("\n".join(study.X.index))
        (files / f"{name}.features.txt").write_text("\n".join(study.X.columns))
    zarr.create_array(files / "m.zarr", data=turned, chunks=(50, 24))
    with h5py.File(files / "m.h5", "w") as file:
        file["a/first"], file["second"] = turned, np.zeros((2, 3))
    monkeypatch.setattr("latentadj.cli.fit.read_matrix", None)  # reads the whole
    assert main(fit("npy")) == 0
    expected = pd.read_csv(tmp_path / "npy" / "results.csv")
    for name, extra in (("m.zarr", ()), ("m.h5", ("--dataset", "a/first"))):
        arguments = fit(f"out-{name}", "--orientation", "features", *extra)
        arguments[1] = str(files / name)
        assert main(arguments) == 0
        found = pd.read_csv(tmp_path / f"out-{name}" / "results.csv")
        pd.testing.assert_frame_equal(found, expected, rtol=1e-9, atol=1e-12)
        manifest = json.loads((tmp_path / f"out-{name}" / "manifest.json").read_text())
        assert manifest["command"]["inputs"]["matrix"]["bytes"] > 0


def test_adjusted_data_are_refused_for_testing(
    fit: Callable[..., list[str]], tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    assert main(fit("out", "--adjusted", "npy")) == 0
    manifest = json.loads((tmp_path / "out" / "manifest.json").read_text())
    assert manifest["files"] == ["results.csv", "factors.csv", "manifest.json", "adjusted.npy"]
    arguments = fit("again")
    arguments[1] = str(tmp_path / "out" / "adjusted.npy")
    capfd.readouterr()
    assert main(arguments) == 2
    assert "These data were adjusted before: factors of" in capfd.readouterr().err
    assert main([*arguments, "--allow-adjusted", "--method", "none"]) == 0


def test_results_as_zarr(fit: Callable[..., list[str]], tmp_path: Path) -> None:
    zarr = pytest.importorskip("zarr")
    assert main(fit("csv")) == 0
    assert main(fit("out", "--format", "zarr")) == 0
    group = zarr.open_group(tmp_path / "out" / "results.zarr", mode="r")
    expected = pd.read_csv(tmp_path / "csv" / "results.csv", float_precision="round_trip")
    assert group.attrs["columns"] == list(expected.columns)
    np.testing.assert_array_equal(group["p_value"][:], expected["p_value"])
    assert list(group["feature"][:]) == list(expected["feature"])
    assert main(fit("out", "--format", "zarr", "--overwrite")) == 0
    assert sorted(p.name for p in (tmp_path / "out").iterdir()) == ["factors.csv", "manifest.json", "results.zarr"]


def test_what_is_needed_is_said_for_large_data(
    fit: Callable[..., list[str]], monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("latentadj.cli.requirements.LARGE", 1000)
    monkeypatch.setattr("latentadj.cli.requirements.available_memory", lambda: 10)
    assert main(fit("out")) == 0
    err = capfd.readouterr().err
    assert "note: 24 samples x 120 features: about " in err
    assert "warning: The analysis is expected to need about" in err
