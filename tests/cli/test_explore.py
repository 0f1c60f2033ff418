"""``latentadj explore``: the files hold what Python returns, and bad input is one message."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import latentadj as la
from latentadj.cli import main
from latentadj.data import Dataset
from latentadj.diagnostics import explore


@pytest.fixture
def explored(files: Path, tmp_path: Path) -> list[str]:
    inputs = [str(files / "matrix.csv"), "--samples", str(files / "samples.csv")]
    return ["explore", *inputs, "--out", str(tmp_path / "out"), "--threads", "1"]


def test_files_hold_what_python_returns(
    explored: list[str], files: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*explored, "--no-report"]) == 0
    expected = explore(la.read_matrix(files / "matrix.csv"), la.read_samples(files / "samples.csv"))
    out = tmp_path / "out"
    for name, frame in expected.tables.items():
        found = pd.read_csv(
            out / f"{name}.tsv", sep="\t", float_precision="round_trip", keep_default_na=False, na_values=[""]
        )
        numbers = [column for column in frame if frame[column].dtype == np.float64]
        np.testing.assert_allclose(found[numbers], frame[numbers], rtol=1e-12)
        assert list(found.columns) == list(frame.columns)
    content = json.loads((out / "explore.json").read_text())
    assert content["suggestion"]["formula"] == expected.suggestion.formula
    assert sorted(content["files"]) == sorted(path.name for path in out.iterdir())
    assert content["command"]["inputs"]["matrix"]["bytes"] == (files / "matrix.csv").stat().st_size
    printed = capsys.readouterr()
    assert "24 samples x 120 features" in printed.out
    assert f"Next: {expected.command(str(files / 'matrix.csv'), str(files / 'samples.csv'))}" in printed.out
    assert printed.err == ""


def test_the_page_is_written_and_needs_nothing_from_outside(explored: list[str], tmp_path: Path) -> None:
    assert main([*explored, "--formula", "~ group | age"]) == 0
    page = (tmp_path / "out" / "explore.html").read_text(encoding="utf-8")
    assert page.startswith("<!DOCTYPE html>")
    assert "http://" not in page
    assert 'href="associations.tsv"' in page
    assert "Design" in page
    assert not (tmp_path / "out" / "explore_files").exists()


def test_the_suggested_command_runs(explored: list[str], files: Path, tmp_path: Path) -> None:
    assert main([*explored, "--no-report"]) == 0
    formula = json.loads((tmp_path / "out" / "explore.json").read_text())["suggestion"]["formula"]
    matrix = [str(files / "matrix.csv"), "--samples", str(files / "samples.csv")]
    assert main(["fit", *matrix, "--formula", formula, "--out", str(tmp_path / "fit"), "--no-report"]) == 0


def test_earlier_output_is_kept_unless_told_otherwise(
    explored: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*explored, "--no-report"]) == 0
    before = (tmp_path / "out" / "explore.json").read_bytes()
    assert main([*explored, "--no-report"]) == 2
    assert "already holds" in capsys.readouterr().err
    assert (tmp_path / "out" / "explore.json").read_bytes() == before
    assert main([*explored, "--no-report", "--overwrite"]) == 0


@pytest.mark.parametrize(
    ("extra", "message"),
    [
        (["--formula", "~ colour"], "colour"),
        (["--order", "group"], "holds text"),
        (["--threads", "0"], "not a whole number from 1 up"),
        (["--no-such-flag"], "unrecognized arguments"),
    ],
)
def test_bad_input_is_one_message(
    explored: list[str], extra: list[str], message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*explored, *extra]) == 2
    error = capsys.readouterr().err
    assert message in error
    assert "Traceback" not in error
    assert not (tmp_path / "out").exists()


def test_inputs_are_not_replaced(study: Dataset, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    study.X.to_csv(tmp_path / "components.tsv", sep="\t")
    study.sample_data.to_csv(tmp_path / "samples.csv")
    inputs = [str(tmp_path / "components.tsv"), "--samples", str(tmp_path / "samples.csv")]
    assert main(["explore", *inputs, "--out", str(tmp_path), "--overwrite"]) == 2
    assert "is an input and would be replaced" in capsys.readouterr().err
