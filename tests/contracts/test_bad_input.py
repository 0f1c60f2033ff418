"""Bad input: a clear error that names the culprit, from Python and from the command line.

Every case is run twice. From Python the class of the error and the words of its message are checked. From the
command line: status 2, the same words on stderr in one message, no traceback, nothing on stdout, and earlier output
in the folder (which the run was allowed to replace) as it was, to the byte and the time stamp.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import latentadj as la
from latentadj import exceptions as errors
from latentadj.cli import main

N_SAMPLES, N_FEATURES = 16, 40


@dataclass
class Study:
    """A small study and how it is to be analysed; cases spoil one of its parts."""

    X: pd.DataFrame
    samples: pd.DataFrame
    formula: str = "~ group | age"
    orientation: str = "samples"
    options: dict[str, Any] = field(default_factory=lambda: {"n_factors": 1})
    controls: list[str] | None = None

    def run(self) -> la.AdjustmentResult:
        """Analyse in Python."""
        return la.adjust(
            self.X,
            self.formula,
            self.samples,
            orientation=self.orientation,
            controls=self.controls,
            **self.options,
        )

    def write(self, folder: Path) -> list[str]:
        """Write the files and return the arguments of ``latentadj fit``."""
        folder.mkdir(exist_ok=True)
        self.X.to_csv(folder / "matrix.csv")
        self.samples.to_csv(folder / "samples.csv")
        arguments = [str(folder / "matrix.csv"), "--samples", str(folder / "samples.csv"), "--formula", self.formula]
        arguments += ["--orientation", self.orientation]
        if self.controls is not None:
            (folder / "controls.txt").write_text("\n".join(self.controls) + "\n")
            arguments += ["--controls", str(folder / "controls.txt")]
        for key, value in self.options.items():
            flag = f"--{key.replace('_', '-')}"
            if key in ("n_factors", "method", "inference", "calibration"):
                arguments += [flag, str(value)]
            else:
                arguments += ["--set", f"{key}={value}"]
        return arguments


def make_study() -> Study:
    rng = np.random.default_rng(0)
    ids = [f"s{i + 1}" for i in range(N_SAMPLES)]
    group = np.repeat(["ctrl", "case"], N_SAMPLES // 2)
    hidden = rng.normal(size=N_SAMPLES)
    values = np.outer(hidden, rng.normal(size=N_FEATURES)) + rng.normal(size=(N_SAMPLES, N_FEATURES))
    X = pd.DataFrame(values, index=ids, columns=[f"g{j + 1}" for j in range(N_FEATURES)])
    table = {
        "group": group,
        "age": rng.uniform(30, 60, N_SAMPLES).round(1),
        "plate": [f"p{i // 4}" for i in range(N_SAMPLES)],
        "copy": np.where(group == "case", "yes", "no"),
        "same": "all",
        "single": ids,
    }
    samples = pd.DataFrame(table, index=pd.Index(ids, name="id"))
    return Study(X, samples)


@dataclass(frozen=True)
class Case:
    """One kind of bad input: how the study is spoilt, the error, and words its message must hold."""

    name: str
    spoil: Callable[[Study], Any]
    error: type[errors.LatentAdjError]
    words: tuple[str, ...]
    cli_error: type[errors.LatentAdjError] | None = None
    cli_words: tuple[str, ...] | None = None


def rename_samples(study: Study) -> None:
    study.samples = study.samples.rename(index={"s3": "S-3", "s7": "other"})


def foreign_samples(study: Study) -> None:
    study.samples = study.samples.rename(index=lambda name: f"patient_{name}")


def repeat_sample(study: Study) -> None:
    study.X = pd.concat([study.X, study.X.loc[["s5"]]])


def repeat_row(study: Study) -> None:
    study.samples = pd.concat([study.samples, study.samples.loc[["s5"]]])


def repeat_feature(study: Study) -> None:
    study.X = study.X.rename(columns={"g4": "g9"})


def transpose(study: Study) -> None:
    study.X = study.X.T


def wrong_orientation(study: Study) -> None:
    study.orientation = "features"


def transpose_samples(study: Study) -> None:
    study.samples = study.samples.T


def put(value: Any) -> Callable[[Study], None]:
    def spoil(study: Study) -> None:
        study.X = study.X.astype(object)
        study.X.loc["s2", "g3"] = value
        if not isinstance(value, str):
            study.X = study.X.astype(float)

    return spoil


def enlarge(study: Study) -> None:
    study.X["g7"] *= 1e200


def formula(text: str) -> Callable[[Study], None]:
    def spoil(study: Study) -> None:
        study.formula = text

    return spoil


def options(**given: Any) -> Callable[[Study], None]:
    def spoil(study: Study) -> None:
        study.options = given

    return spoil


def controls(*names: str, **given: Any) -> Callable[[Study], None]:
    def spoil(study: Study) -> None:
        study.controls = list(names)
        study.options = given or study.options

    return spoil


def missing_covariate(study: Study) -> None:
    study.samples.loc["s4", "age"] = np.nan


def keep_samples(count: int) -> Callable[[Study], None]:
    def spoil(study: Study) -> None:
        keep = [*study.X.index[: count // 2], *study.X.index[-(count - count // 2) :]]
        study.X = study.X.loc[keep]

    return spoil


CASES = [
    Case("IDs that do not match", rename_samples, errors.AlignmentError, ("2 of the 16", "'s3'", "'S-3'")),
    Case("no ID matches", foreign_samples, errors.AlignmentError, ("16 of the 16", "'s1'", "'patient_s1'")),
    Case("sample twice in the matrix", repeat_sample, errors.AlignmentError, ("'s5'", "more than once", "matrix")),
    Case("sample twice in the table", repeat_row, errors.AlignmentError, ("'s5'", "more than once")),
    Case("feature twice", repeat_feature, errors.AlignmentError, ("'g9'", "feature", "more than once")),
    Case("transposed matrix", transpose, errors.AlignmentError, ("transposed", "--orientation features")),
    Case("wrong orientation", wrong_orientation, errors.AlignmentError, ("transposed", "--orientation samples")),
    Case("transposed sample table", transpose_samples, errors.AlignmentError, ("sample table looks transposed",)),
    Case("missing value", put(np.nan), errors.InputError, ("1 missing", "'s2'", "'g3'")),
    Case("infinite value", put(np.inf), errors.InputError, ("1 infinite", "'s2'", "'g3'")),
    Case(
        "text in the matrix",
        put("n.d."),
        errors.InputError,
        ("'s2'", "'g3'", "'n.d.'"),
        cli_error=errors.FileFormatError,
        cli_words=("matrix.csv", "line 3", "'s2'", "'g3'", "'n.d.'"),
    ),
    Case("decimal comma", put("1,5"), errors.InputError, ("'s2'", "'g3'", "'1,5'")),
    Case("values that overflow", enlarge, errors.InputError, ("1 feature", "'g7'", "overflow")),
    Case("aliased primary", formula("~ group | copy"), errors.ConfoundedDesignError, ("group[T.ctrl]", "copy")),
    Case("constant primary", formula("~ same"), errors.DesignError, ("`same`", "single level")),
    Case(
        "no residual degrees of freedom",
        formula("~ group | single"),
        errors.DegreesOfFreedomError,
        ("16 samples", "`single`"),
    ),
    Case("two samples", keep_samples(2), errors.DegreesOfFreedomError, ("2 samples",)),
    Case("single sample", keep_samples(1), errors.InputError, ("1 sample(s)", "minimum of 2")),
    Case("too many factors", options(n_factors=13), errors.DegreesOfFreedomError, ("n_factors=13", "At most 12")),
    Case("negative factors", options(n_factors=-1), errors.InputError, ("-1",)),
    Case("fractional factors", options(n_factors=1.5), errors.InputError, ("1.5",)),
    Case("unknown rule", options(n_factors="elbows"), errors.MethodError, ("'elbows'", "parallel_analysis")),
    Case("unknown column", formula("~ grup | age"), errors.FormulaError, ("grup", "group")),
    Case("formula that is code", formula("~ {__import__('os').getcwd()}"), errors.FormulaError, ("formula",)),
    Case("formula with a hidden call", formula("~ group.__class__"), errors.FormulaError, ("group.__class__",)),
    Case("formula that cannot be parsed", formula("~ group +* age"), errors.FormulaError, ("group +* age",)),
    Case("missing covariate", missing_covariate, errors.DesignError, ("age", "s4")),
    Case(
        "controls not found",
        controls("g1", "g2", "GAPDH", "G-3", method="ruv4", n_factors=1),
        errors.ControlsError,
        ("2 of 4", "'GAPDH'", "'G-3'"),
    ),
    Case(
        "fewer controls than factors",
        controls("g1", "g2", method="ruv4", n_factors=3),
        errors.ControlsError,
        ("3 factors", "2 were given"),
    ),
    Case("no controls", options(method="ruv4"), errors.ControlsError, ("RUV-4", "negative controls")),
    Case("unknown method", options(method="combat"), errors.MethodError, ("'combat'", "cate")),
    Case("unknown option", options(method="sva", rounds=3), errors.MethodError, ("rounds", "max_iter")),
    Case("unknown value of an option", options(method="sva", compat="r"), errors.MethodError, ("compat='r'", "sva")),
    Case("unknown inference", options(inference="wald"), errors.MethodError, ("'wald'", "moderated")),
    Case("unknown calibration", options(calibration="bacom"), errors.MethodError, ("'bacom'", "mad")),
    Case("invalid for testing", options(method="residual_pca"), errors.InvalidForTestingError, ("does not remove",)),
]


def snapshot(folder: Path) -> dict[str, tuple[bytes, int]]:
    return {path.name: (path.read_bytes(), path.stat().st_mtime_ns) for path in folder.iterdir()}


@pytest.fixture
def out(tmp_path: Path) -> Path:
    """A folder with earlier output and a file of the user's own."""
    folder = tmp_path / "out"
    folder.mkdir()
    for name in ("results.csv", "factors.csv", "manifest.json", "report.html", "notes.txt"):
        (folder / name).write_text(f"earlier {name}")
    return folder


def refused(arguments: list[str], out: Path, capsys: pytest.CaptureFixture[str]) -> str:
    """Run ``latentadj fit``, check everything that is the same for all bad input, and return the message."""
    before, beside = snapshot(out), sorted(out.parent.iterdir())
    status = main(["fit", *arguments, "--out", str(out), "--overwrite", "--threads", "1"])
    printed = capsys.readouterr()
    assert status == 2
    assert printed.out == ""
    assert "Traceback" not in printed.err
    assert printed.err.count("latentadj: error: ") == 1
    assert snapshot(out) == before
    assert sorted(out.parent.iterdir()) == beside
    return printed.err.partition("latentadj: error: ")[2]


@pytest.mark.filterwarnings("ignore:.*were left out")
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_python_names_the_culprit(case: Case) -> None:
    study = make_study()
    case.spoil(study)
    with pytest.raises(case.error) as caught:
        study.run()
    for word in case.words:
        assert word.lower().removeprefix("--") in str(caught.value).lower()
    assert isinstance(caught.value, ValueError)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_command_line_names_the_culprit(
    case: Case, tmp_path: Path, out: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    study = make_study()
    case.spoil(study)
    message = refused(study.write(tmp_path / "input"), out, capsys)
    for word in case.cli_words or case.words:
        assert word.lower() in message.lower()


def test_the_study_itself_is_accepted(tmp_path: Path, out: Path) -> None:
    """The cases above fail for the reason they name, not because the study is unusable."""
    arguments = make_study().write(tmp_path / "input")
    assert main(["fit", *arguments, "--out", str(out), "--overwrite", "--no-report", "--threads", "1"]) == 0
    assert make_study().run().n_factors == 1


def test_constant_features_stay_and_are_flagged(tmp_path: Path, out: Path, capsys: pytest.CaptureFixture[str]) -> None:
    study = make_study()
    study.X["g2"] = 5.0
    with pytest.warns(errors.ConstantFeaturesWarning, match="g2"):
        expected = study.run().tidy()
    arguments = study.write(tmp_path / "input")
    assert main(["fit", *arguments, "--out", str(out), "--overwrite", "--no-report", "--threads", "1"]) == 0
    assert "warning: 1 of 40 features do not vary (g2)" in capsys.readouterr().err
    table = pd.read_csv(out / "results.csv", float_precision="round_trip").set_index("feature")
    assert table.loc["g2", "status"] == "constant"
    assert np.isnan(table.loc["g2", "p_value"])
    others = table.drop(index="g2")
    assert (others["status"] == "ok").all()
    assert np.isfinite(others["p_value"]).all()
    # text in the file is written so that the same double is read
    np.testing.assert_array_equal(table["p_value"], expected.set_index("feature")["p_value"])


@pytest.mark.parametrize("text", ["~ 1", "~ 0 | age", ""])
def test_formula_that_tests_nothing(text: str, tmp_path: Path, out: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The command line writes a table of tests, so that it needs one; Python also fits factors alone."""
    study = make_study()
    study.formula = text
    assert f"{text!r} tests nothing" in refused(study.write(tmp_path / "input"), out, capsys)
