"""``latentadj demo``: the hidden batch is found, and the demonstration can be run again."""

from __future__ import annotations

import io
import json
import re
from pathlib import Path

import pandas as pd
import pytest

import latentadj as la
from latentadj.cli import main


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """Folder in which the demonstration ran, and what it printed."""
    pytest.importorskip("matplotlib")
    folder = tmp_path_factory.mktemp("demo")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        out = io.StringIO()
        patch.setattr("sys.stdout", out)
        assert main(["demo"]) == 0
    return folder, out.getvalue()


@pytest.mark.filterwarnings("ignore::latentadj.LatentAdjWarning")
def test_files(demo: tuple[Path, str]) -> None:
    out = demo[0] / "latentadj-demo"
    assert sorted(p.name for p in out.iterdir()) == ["factors.csv", "manifest.json", "report.html", "results.csv"]
    assert [p.name for p in demo[0].iterdir()] == ["latentadj-demo"]
    data = la.load_bladder()
    expected = la.adjust(data.X, "~ cancer", data.sample_data).tidy()
    found = pd.read_csv(out / "results.csv", float_precision="round_trip")
    pd.testing.assert_frame_equal(found, expected, check_exact=True, check_dtype=False)
    manifest = json.loads((out / "manifest.json").read_text())
    assert manifest["command"]["hidden"] == "batch"
    assert manifest["formula"] == "~ cancer"


def test_batch_is_found_without_being_told(demo: tuple[Path, str]) -> None:
    """The factors carry far more of the batch than random directions would: at least twice, with p < 1e-6."""
    text = demo[1]
    found = re.search(r"carry (\d+)% of what the levels of batch differ by \(p = (\S+)\); random .* carry (\d+)%", text)
    assert found is not None
    assert int(found[1]) > 2 * int(found[3])
    assert float(found[2]) < 1e-6


def test_what_is_shown(demo: tuple[Path, str]) -> None:
    text = demo[1]
    for heading in (
        "57 samples x 22283 features",
        "Number of factors, by rule",
        "Are the factors associated with what is tested?",
        "Discoveries at a false discovery rate of 5%",
        "Top features",
        "Is the batch, never given, found in the factors?",
        "Written to latentadj-demo: results.csv, factors.csv, manifest.json, report.html",
    ):
        assert heading in text


def test_it_can_be_run_again_and_keeps_other_files(
    demo: tuple[Path, str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(demo[0])
    monkeypatch.setattr(
        "latentadj.results.AdjustmentResult.report", lambda self, path, linked=None: Path(path).write_text("new")
    )
    notes = demo[0] / "latentadj-demo" / "notes.txt"
    notes.write_text("mine")
    before = (demo[0] / "latentadj-demo" / "results.csv").read_bytes()
    assert main(["demo"]) == 0
    assert (demo[0] / "latentadj-demo" / "report.html").read_text() == "new"
    assert (demo[0] / "latentadj-demo" / "results.csv").read_bytes() == before
    assert notes.read_text() == "mine"
    capsys.readouterr()
    assert main(["demo", "--out", "latentadj-demo"]) == 2  # a folder that was named is the user's
    assert "--overwrite" in capsys.readouterr().err
