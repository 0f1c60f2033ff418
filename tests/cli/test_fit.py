"""``latentadj fit``: the files hold what Python returns, and options reach the analysis."""

from __future__ import annotations

import hashlib
import json
import os
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import latentadj as la
from latentadj.cli import main
from latentadj.data import Dataset
from latentadj.exceptions import MissingExtraError

FORMULA = "~ group | age"


def read_results(folder: Path) -> pd.DataFrame:
    return pd.read_csv(folder / "results.csv", float_precision="round_trip", keep_default_na=False, na_values=[""])


def manifest(folder: Path) -> dict:
    return json.loads((folder / "manifest.json").read_text())


def same_table(found: pd.DataFrame, expected: pd.DataFrame, *, exact: bool = False) -> None:
    """Hold a table against another.

    A matrix read from a file lies in memory the other way round than the frame, so that sums are formed in another
    order: differences of 1e-15 in them, up to some 1e-12 in p-values far out in a tail, hence 1e-9. From the same
    file equality is exact: text holds as many digits as a double needs.
    """
    tolerance = {"check_exact": True} if exact else {"rtol": 1e-9, "atol": 1e-12}
    pd.testing.assert_frame_equal(found, expected, check_dtype=False, **tolerance)


def test_files_hold_what_python_returns(
    study: Dataset, arguments: list[str], files: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(arguments) == 0
    expected = la.adjust(la.read_matrix(files / "matrix.csv"), FORMULA, la.read_samples(files / "samples.csv"))
    out = tmp_path / "out"
    assert sorted(p.name for p in out.iterdir()) == ["factors.csv", "manifest.json", "results.csv"]
    same_table(read_results(out), expected.tidy(), exact=True)
    same_table(read_results(out), la.adjust(study.X, FORMULA, study.sample_data).tidy())
    factors = pd.read_csv(out / "factors.csv", index_col="sample", float_precision="round_trip")
    same_table(factors, expected.factors.rename_axis("sample"), exact=True)
    printed = capsys.readouterr()
    assert "24 samples x 120 features" in printed.out
    assert f"Written to {out}: results.csv, factors.csv, manifest.json\n" in printed.out
    assert printed.err == ""  # no progress in a pipe


def test_manifest_says_how_it_was_made(arguments: list[str], files: Path, tmp_path: Path) -> None:
    extra = ["--method", "sva", "--set", "max_iter=4", "--set", "compat=sva", "--n-factors", "1", "--seed", "11"]
    assert main([*arguments, *extra]) == 0
    found = manifest(tmp_path / "out")
    assert found["method"] == "sva"
    assert found["n_factors"] == 1
    assert found["n_factors_chosen_by"] == "user"
    assert found["tested"] == ["group[T.ctrl]"]
    assert found["files"] == ["results.csv", "factors.csv", "manifest.json"]
    assert found["command"]["seed"] == 11
    assert found["command"]["set"] == {"max_iter": 4, "compat": "sva"}
    source = files / "matrix.csv"
    assert found["command"]["inputs"]["matrix"] == {
        "path": str(source),
        "bytes": source.stat().st_size,
        "sha256": hashlib.sha256(source.read_bytes()).hexdigest(),
    }
    assert found["versions"]["latentadj"] == la.__version__


def test_method_options_reach_the_method(study: Dataset, arguments: list[str], tmp_path: Path) -> None:
    extra = ["--method", "sva", "--n-factors", "1", "--set", "compat=sva", "--inference", "ordinary"]
    one = la.adjust(
        study.X, FORMULA, study.sample_data, method="sva", n_factors=1, compat="sva", max_iter=1, inference="ordinary"
    )
    five = la.adjust(
        study.X, FORMULA, study.sample_data, method="sva", n_factors=1, compat="sva", max_iter=5, inference="ordinary"
    )
    assert not np.allclose(one.factors, five.factors, rtol=0, atol=1e-6)  # the option does change the answer
    assert main([*arguments, *extra, "--set", "max_iter=1"]) == 0
    same_table(read_results(tmp_path / "out"), one.tidy())
    assert main([*arguments, *extra, "--set", "max_iter=5", "--overwrite"]) == 0
    same_table(read_results(tmp_path / "out"), five.tidy())


def test_enough_controls_choose_ruv4(study: Dataset, arguments: list[str], files: Path, tmp_path: Path) -> None:
    controls = list(study.X.columns[:35])
    (files / "controls.txt").write_text("\n".join(controls))
    assert main([*arguments, "--controls", str(files / "controls.txt"), "--calibration", "mad"]) == 0
    assert manifest(tmp_path / "out")["method"] == "ruv4"
    expected = la.adjust(study.X, FORMULA, study.sample_data, controls=controls, calibration="mad")
    same_table(read_results(tmp_path / "out"), expected.tidy())


def test_rule_by_name(study: Dataset, arguments: list[str], tmp_path: Path) -> None:
    assert main([*arguments, "--n-factors", "leek"]) == 0
    assert manifest(tmp_path / "out")["n_factors_chosen_by"] == "leek"


def test_features_in_rows_gzipped_tsv(study: Dataset, arguments: list[str], files: Path, tmp_path: Path) -> None:
    study.X.T.to_csv(files / "matrix.tsv.gz", sep="\t")
    arguments[1] = str(files / "matrix.tsv.gz")
    assert main([*arguments, "--orientation", "features"]) == 0
    same_table(read_results(tmp_path / "out"), la.adjust(study.X, FORMULA, study.sample_data).tidy())


def test_threads_do_not_change_the_numbers(arguments: list[str], tmp_path: Path) -> None:
    assert main(arguments) == 0
    one = (tmp_path / "out" / "results.csv").read_bytes()
    arguments[arguments.index("--threads") + 1] = "2"
    assert main([*arguments, "--overwrite"]) == 0
    assert (tmp_path / "out" / "results.csv").read_bytes() == one


def test_array_without_ids_is_matched_by_position_and_says_so(
    study: Dataset, arguments: list[str], files: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    np.save(files / "matrix.npy", study.X.to_numpy())
    arguments[1] = str(files / "matrix.npy")
    assert main(arguments) == 0
    warning = "The matrix has no sample IDs: the rows of the sample table were matched by position."
    assert capsys.readouterr().err == f"warning: {warning}\n"
    assert manifest(tmp_path / "out")["warnings"] == [f"InputNoteWarning: {warning}"]
    expected = la.adjust(study.X, FORMULA, study.sample_data).tidy().drop(columns="feature")
    same_table(read_results(tmp_path / "out").drop(columns="feature"), expected)


def test_parquet(study: Dataset, arguments: list[str], files: Path, tmp_path: Path) -> None:
    pytest.importorskip("pyarrow")
    study.X.to_parquet(files / "matrix.parquet")
    arguments[1] = str(files / "matrix.parquet")
    assert main([*arguments, "--format", "parquet"]) == 0
    found = pd.read_parquet(tmp_path / "out" / "results.parquet")
    same_table(found, la.adjust(study.X, FORMULA, study.sample_data).tidy())
    assert not (tmp_path / "out" / "results.csv").exists()


def test_h5ad_brings_its_own_sample_table(
    study: Dataset, arguments: list[str], files: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    anndata = pytest.importorskip("anndata")
    data = anndata.AnnData(X=np.zeros(study.X.shape), obs=study.sample_data)
    data.var_names = study.X.columns
    data.layers["log"] = study.X.to_numpy()
    data.write_h5ad(files / "study.h5ad")
    arguments[1:4] = [str(files / "study.h5ad")]
    assert main([*arguments, "--layer", "log"]) == 0
    same_table(read_results(tmp_path / "out"), la.adjust(study.X, FORMULA, study.sample_data).tidy())
    capsys.readouterr()
    assert main([*arguments, "--layer", "counts", "--overwrite"]) == 2
    assert "layer='counts'" in capsys.readouterr().err


def test_matrix_without_sample_table(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    del arguments[2:4]
    assert main(arguments) == 2
    assert "holds no sample table. Give one with --samples FILE." in capsys.readouterr().err


def test_warnings_are_lines_without_places(
    study: Dataset, arguments: list[str], files: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*arguments, "--method", "residual_pca", "--allow-invalid", "--n-factors", "1"]) == 0
    err = capsys.readouterr().err
    assert err.startswith("warning: Factors of the residuals are orthogonal to the design")
    assert ".py:" not in err
    assert "OrthogonalFactorsWarning" in manifest(tmp_path / "out")["warnings"][0]


def test_existing_output_is_refused_before_anything_is_read(
    arguments: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert main(arguments) == 0
    capsys.readouterr()
    before = {p.name: (p.read_bytes(), p.stat().st_mtime_ns) for p in (tmp_path / "out").iterdir()}

    def reads(*_: object, **__: object) -> None:
        raise AssertionError("the input was read although the output cannot be written")

    for name in ("read_samples", "read_matrix", "adjust"):
        monkeypatch.setattr(f"latentadj.cli.fit.{name}", reads)
    assert main(arguments) == 2
    err = capsys.readouterr().err
    assert "already holds results.csv, factors.csv, manifest.json" in err
    assert "--overwrite" in err
    assert {p.name: (p.read_bytes(), p.stat().st_mtime_ns) for p in (tmp_path / "out").iterdir()} == before


def unwritable_places(tmp_path: Path) -> list[Path]:
    (tmp_path / "file").write_text("mine")
    places = [tmp_path / "file", tmp_path / "file" / "out"]
    if sys.platform == "linux":
        places.append(Path("/proc/out"))
    if os.name == "posix" and os.geteuid() != 0:  # the superuser may write anywhere
        (tmp_path / "locked").mkdir(mode=0o500)
        places.append(tmp_path / "locked" / "out")
    return places


def test_places_that_cannot_be_written_to(
    arguments: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("latentadj.cli.fit.read_matrix", None)  # calling it would be an error that is not caught
    for place in unwritable_places(tmp_path):
        assert main([*arguments, "--out", str(place)]) == 2
        err = capsys.readouterr().err
        assert err.startswith("latentadj: error: ")
        assert str(place) in err
    assert (tmp_path / "file").read_text() == "mine"


def test_a_refused_run_leaves_no_empty_folders(arguments: list[str], tmp_path: Path) -> None:
    nested = tmp_path / "a" / "b" / "out"
    assert main([*arguments, "--out", str(nested), "--formula", "~ no_such_column"]) == 2
    assert not (tmp_path / "a").exists()
    assert main([*arguments, "--out", str(nested)]) == 0
    assert (nested / "results.csv").exists()


def test_an_input_is_never_replaced(
    study: Dataset, arguments: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "out"
    folder.mkdir()
    study.X.to_csv(folder / "results.csv")
    before = (folder / "results.csv").read_bytes()
    arguments[1] = str(folder / "results.csv")
    assert main([*arguments, "--overwrite"]) == 2
    assert "is an input and would be replaced" in capsys.readouterr().err
    assert (folder / "results.csv").read_bytes() == before


def test_own_files_in_the_folder_are_kept(arguments: list[str], tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "notes.txt").write_text("mine")
    assert main(arguments) == 0
    assert (tmp_path / "out" / "notes.txt").read_text() == "mine"


def test_what_is_left_of_an_earlier_run_is_named(
    arguments: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "report.html").write_text("old")
    assert main([*arguments, "--overwrite"]) == 0
    assert f"note: {tmp_path / 'out'} still holds report.html of an earlier run.\n" in capsys.readouterr().err


def test_report_is_written(arguments: list[str], tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    arguments.remove("--no-report")
    assert main(arguments) == 0
    assert "<html" in (tmp_path / "out" / "report.html").read_text(encoding="utf-8").lower()
    assert "report.html" in manifest(tmp_path / "out")["files"]


def test_without_matplotlib_everything_else_is_written(
    arguments: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def missing(*_: object, **__: object) -> Path:
        raise MissingExtraError('The report needs matplotlib. Run: pip install "latentadj[plot]"')

    monkeypatch.setattr("latentadj.results.AdjustmentResult.report", missing)
    arguments.remove("--no-report")
    assert main(arguments) == 0
    err = capsys.readouterr().err
    assert "warning: report.html was not written." in err
    assert "latentadj[plot]" in err
    assert sorted(p.name for p in (tmp_path / "out").iterdir()) == ["factors.csv", "manifest.json", "results.csv"]


@pytest.mark.parametrize(
    ("extra", "words"),
    [
        (["--seed", "-1"], ("--seed", "'-1'")),
        (["--threads", "0"], ("--threads", "'0'")),
        (["--format", "xlsx"], ("--format", "'xlsx'", "parquet")),
        (["--orientation", "rows"], ("--orientation", "'rows'")),
        (["--set", "max_iter"], ("--set", "'max_iter'", "key=value")),
        (["--set", "controls=x"], ("controls", "--controls")),
        (["--set", "random_state=3"], ("random_state", "--seed")),
        (["--method", "sva", "--set", "max_iter=many"], ("max_iter='many'", "int")),
        (["--method", "sva", "--set", "max_iter=2", "--set", "max_iter=3"], ("max_iter", "twice")),
        (["--set", "max_iter=2"], ("max_iter", "cate")),
        (["--method", "ruv4"], ("RUV-4", "--controls")),
        (["--method", "residual_pca"], ("residual_pca", "--allow-invalid")),
        (["--controls", "nothing.txt"], ("nothing.txt",)),
        (["--layer", "log"], ("layer='log'", "matrix.csv")),
        (["--no-such-flag"], ("--no-such-flag", "latentadj --help")),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_bad_arguments(
    extra: list[str],
    words: tuple[str, ...],
    arguments: list[str],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main([*arguments, *extra]) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err.count("latentadj: error: ") == 1
    for word in words:
        assert word in printed.err
    assert not (tmp_path / "out").exists()
