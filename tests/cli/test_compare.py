"""``latentadj compare``: from nothing, from files, resumed, refused."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from latentadj.cli import main
from latentadj.simulation import Scenario, simulate

TINY = "name=tiny,n_samples=16,n_features=80,n_factors=1"


def compare_arguments(out: Path, *more: str) -> list[str]:
    return [
        "compare", "--methods", "none,cate", "--simulate", TINY, "--repeats", "2", "--metrics", "errors,factors",
        "--out", str(out), "--no-report", *more,
    ]  # fmt: skip


@pytest.fixture
def counts(tmp_path: Path) -> Path:
    """Counts with a hidden factor, in genes x samples."""
    made = simulate(Scenario(n_samples=20, n_features=150, n_factors=1, scale="log_counts"), 0)
    frame = pd.DataFrame(
        made.counts.astype(int).T, index=[f"g{j}" for j in range(150)], columns=[f"s{i}" for i in range(20)]
    )
    frame.to_csv(tmp_path / "counts.csv")
    return tmp_path / "counts.csv"


def test_writes_tables_and_says_what_was_found(tmp_path, capsys):
    assert main(compare_arguments(tmp_path / "out")) == 0
    shown = capsys.readouterr()
    assert "tiny\tcate\t2\t" in shown.out
    assert shown.err == ""
    out = tmp_path / "out"
    assert sorted(p.name for p in out.iterdir()) == [
        "cells",
        "cells.csv",
        "comparison.json",
        "summary.csv",
        "summary.md",
    ]
    cells = pd.read_csv(out / "cells.csv")
    assert len(cells) == 4
    summary = pd.read_csv(out / "summary.csv").set_index("method")
    assert summary.loc["cate", "type1_05"] == pytest.approx(cells[cells["method"] == "cate"]["type1_05"].mean())
    about = json.loads((out / "comparison.json").read_text())
    assert about["scenarios"]["tiny"]["n_samples"] == 16
    assert (out / "summary.md").read_text().startswith("| scenario | none | cate |\n|---|---|---|\n| tiny | ")


def test_report_and_figures(tmp_path):
    pytest.importorskip("matplotlib")
    arguments = [a for a in compare_arguments(tmp_path / "out", "--figures") if a != "--no-report"]
    assert main(arguments) == 0
    names = {p.name for p in (tmp_path / "out").iterdir()}
    assert {"report.html", "power_fdp.png", "type1_05.png", "fdp.png", "cpu_seconds.png"} <= names
    page = (tmp_path / "out" / "report.html").read_text()
    assert 'href="summary.csv"' in page
    assert "Traceback" not in page


def test_resume_adds_a_method_and_leaves_the_rest(tmp_path, capsys):
    out = tmp_path / "out"
    assert main(compare_arguments(out)) == 0
    before = pd.read_csv(out / "cells.csv")
    assert main(compare_arguments(out)) == 2
    assert "--overwrite" in capsys.readouterr().err
    assert main(compare_arguments(out, "--resume", "--methods", "none,residual_pca,cate")) == 0
    after = pd.read_csv(out / "cells.csv")
    assert len(after) == 6
    kept = after[after["method"] != "residual_pca"].reset_index(drop=True)
    pd.testing.assert_frame_equal(kept, before, check_exact=True)


def test_unfinished_cells_without_tables_need_resume(tmp_path, capsys):
    out = tmp_path / "out"
    assert main(compare_arguments(out)) == 0
    for path in out.glob("*.*"):
        if path.is_file():
            path.unlink()
    assert main(compare_arguments(out)) == 2
    assert "--resume" in capsys.readouterr().err
    assert main(compare_arguments(out, "--overwrite")) == 0
    assert len(list((out / "cells").iterdir())) == 4


@pytest.mark.parametrize(
    ("more", "words"),
    [
        (["--methods", "no_such"], "no_such"),
        (["--rules", "no_such"], "no_such"),
        (["--scenarios", "no such"], "no such"),
        (["--simulate", "n_samples=many"], "n_samples"),
        (["--simulate", "beauty=3"], "beauty"),
        (["--simulate", "confounding=2"], "confounding"),
        (["--metrics", "beauty"], "beauty"),
        (["--methods", "cate,,sva"], "empty name"),
        (["--repeats", "0"], "0"),
        (["--null"], "MATRIX"),
        (["no_such_matrix.csv"], "no_such_matrix.csv"),
    ],
)
def test_bad_input_is_one_message(tmp_path, capsys, more, words):
    assert main(compare_arguments(tmp_path / "out", *more)) == 2
    error = capsys.readouterr().err
    assert words in error
    assert error.count("\n") == 1
    assert not list((tmp_path / "out").glob("*")) if (tmp_path / "out").exists() else True


def test_failing_methods_are_listed(tmp_path, capsys):
    arguments = ["ruv4,none" if a == "none,cate" else a for a in compare_arguments(tmp_path / "out", "--rules", "15")]
    assert main(arguments) == 0
    assert "Analyses that failed" in capsys.readouterr().out


def test_own_matrix(tmp_path, files, capsys):
    arguments = [
        "compare", str(files / "matrix.csv"), "--samples", str(files / "samples.csv"), "--formula", "~ group | day",
        "--controls", str(files / "controls.txt"), "--methods", "none,cate,ruv4", "--repeats", "2", "--metrics",
        "errors,controls", "--replicates", "day", "--no-report", "--out", str(tmp_path / "out"),
    ]  # fmt: skip
    assert main(arguments) == 0
    cells = pd.read_csv(tmp_path / "out" / "cells.csv")
    assert {"your data, independent null", "your data, controls", "your data, replicates"} <= set(cells["scenario"])
    assert (cells["status"] == "ok").all(), cells["message"].tolist()
    controls = cells[cells["scenario"] == "your data, controls"]
    assert controls["type1_05"].isna().all()
    assert controls["controls_below_05"].notna().all()


def test_counts_are_thinned_without_any_table(tmp_path, counts):
    arguments = [
        "compare", str(counts), "--orientation", "features", "--methods", "none,cate,ruvg", "--repeats", "2",
        "--metrics", "errors", "--no-report", "--out", str(tmp_path / "out"),
    ]  # fmt: skip
    assert main(arguments) == 0
    cells = pd.read_csv(tmp_path / "out" / "cells.csv")
    assert set(cells["scenario"]) == {"your data, thinned"}
    assert (cells["status"] == "ok").all(), cells["message"].tolist()
    assert cells["power"].notna().all()


def test_a_matrix_nothing_can_be_made_of(tmp_path, files, capsys):
    assert main(["compare", str(files / "matrix.csv"), "--out", str(tmp_path / "out")]) == 2
    assert "--formula" in capsys.readouterr().err


def test_null_gives_a_verdict(tmp_path, files, capsys):
    arguments = [
        "compare", str(files / "matrix.csv"), "--samples", str(files / "samples.csv"), "--formula", "~ group", "--null",
        "--methods", "cate", "--repeats", "3", "--out", str(tmp_path / "out"),
    ]  # fmt: skip
    assert main(arguments) == 0
    assert "The p-values can" in capsys.readouterr().out
    assert {"null_check.csv", "null_summary.csv", "report.html"} == {p.name for p in (tmp_path / "out").iterdir()}
    assert np.isfinite(pd.read_csv(tmp_path / "out" / "null_check.csv")["type1_05"]).all()
    assert main([*arguments, "--methods", "cate,sva"]) == 2


def test_runs_from_nothing():
    """Without any argument: at least eight methods, six scenarios, twenty repeats."""
    from latentadj.cli.parser import build_parser
    from latentadj.compare import DEFAULT_METHODS, DEFAULT_SCENARIOS

    args = build_parser().parse_args(["compare"])
    assert (args.repeats, args.matrix, args.methods) == (20, None, None)
    assert len(DEFAULT_METHODS) >= 8
    assert len(DEFAULT_SCENARIOS) >= 6
