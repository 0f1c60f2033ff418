"""Every method of the contract runs by name, through its class and from the shell, with the same answer."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import latentadj as la
from latentadj.cli import main
from latentadj.factors import METHODS
from latentadj.testing import made_up_study
from tests.contracts.made_up import all_methods

pytestmark = pytest.mark.filterwarnings("ignore::latentadj.LatentAdjWarning")

#: Names that the project has promised.
PROMISED = {
    *("none", "sva", "sva_two_step", "supervised_sva", "smart_sva", "isva", "dsva", "residual_pca", "ruv2", "ruv4"),
    *("ruv_inv", "ruv_rinv", "ruv3", "ruvg", "ruvs", "ruvr", "cate", "cate_nc", "leapp", "bcconf", "corrconf"),
    *("mouthwash", "backwash", "peer", "hcp", "gcate"),
}
FORMULA = "~ x | age"


def test_every_promised_name_is_there() -> None:
    assert set(la.methods().index) >= PROMISED


def options_of(method: type) -> dict[str, object]:
    """What the method needs, as a user would say it."""
    needs = method.method_info.needs
    given: dict[str, object] = {"n_factors": 2} if "n_factors" in method().get_params() else {}
    if "replicates" in needs:
        given["replicates"] = "replicates"
    if "controls" in needs:
        given["controls"] = [f"g{i}" for i in range(50)]
    return given


@pytest.fixture(scope="module")
def files(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("studies")
    for scale in ("continuous", "counts"):
        study = made_up_study(scale)
        study.frame.to_csv(folder / f"{scale}.csv")
    made_up_study().sample_data.to_csv(folder / "samples.csv")
    (folder / "controls.txt").write_text("\n".join(f"g{i}" for i in range(50)))
    return folder


@all_methods
def test_by_name_by_class_and_from_the_shell(method: type, files: Path, tmp_path: Path) -> None:
    info = method.method_info
    scale = "counts" if info.name == "gcate" else info.input_scale
    study = made_up_study(scale)
    frame, options = study.frame, options_of(method)
    by_name = la.adjust(frame, FORMULA, study.sample_data, method=info.name, allow_invalid=True, **options)
    assert by_name.method == info.name
    assert by_name.valid_for_testing == info.valid_for_testing
    assert np.isfinite(by_name.tests.p_value).all()

    front = la.AdjustedRegression(method(**options), formula=FORMULA, allow_invalid=True)
    by_class = front.fit(frame, sample_data=study.sample_data).result_
    np.testing.assert_array_equal(by_class.tests.p_value, by_name.tests.p_value)

    command = ["fit", str(files / f"{scale}.csv"), "--samples", str(files / "samples.csv"), "--formula", FORMULA]
    command += ["--method", info.name, "--out", str(tmp_path / "out"), "--no-report", "--allow-invalid"]
    command += ["--threads", "1"]
    if "n_factors" in options:
        command += ["--n-factors", "2"]
    if "replicates" in options:
        command += ["--set", "replicates=replicates"]
    if "controls" in options:
        command += ["--controls", str(files / "controls.txt")]
    assert main(command) == 0
    table = pd.read_csv(tmp_path / "out" / "results.csv")
    # text in the files holds 17 digits of the data, so that only the order of sums may differ
    np.testing.assert_allclose(table["p_value"], by_name.tests.p_value[:, 0], rtol=1e-6, atol=1e-12)


@all_methods
def test_card_says_reference_needs_and_validity(method: type, capsys) -> None:
    assert main(["methods", method.method_info.name]) == 0
    text = " ".join(capsys.readouterr().out.split())
    for word in (method.method_info.reference, method.method_info.identified_by):
        assert " ".join(word.split()) in text


@pytest.mark.slow
@pytest.mark.parametrize(
    "method", [cls for cls in METHODS if cls.method_info.input_scale == "continuous"], ids=lambda c: c.method_info.name
)
def test_on_the_bladder_study(method: type) -> None:
    """5000 features; the affymetrix controls, and the date batches as replicates where a method wants them."""
    if method.method_info.name == "gcate":
        pytest.skip("its data are counts or 0/1 outcomes; Gaussian data are CATE's")
    data = la.load_bladder()
    keep = [*data.X.columns[:4932], *data.controls]
    options: dict[str, object] = {"controls": list(data.controls)} if "controls" in method.method_info.needs else {}
    if "replicates" in method.method_info.needs:
        options["replicates"] = "cancer"
    result = la.adjust(data.X[keep], "~ cancer", data.sample_data, method=method.method_info.name,
                       allow_invalid=True, **options)  # fmt: skip
    assert np.isfinite(result.tests.p_value).mean() > 0.99
    assert result.tidy(joint=True).shape[0] == len(keep)
