"""Adjusted data at every front: which outputs remember, who refuses them, and what permission gives."""

from __future__ import annotations

import anndata
import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose
from sklearn.base import clone
from sklearn.pipeline import make_pipeline

import latentadj as la
from latentadj.batch import (
    BatchEffectRemover,
    ComBat,
    ComBatSeq,
    ReplicateRemover,
    SupervisedNormalizer,
    remove_batch_effect,
)
from latentadj.cli import main
from latentadj.data import adjustment_record, mark_adjusted, read_matrix
from latentadj.estimators import FrozenSVA
from latentadj.exceptions import AdjustedDataError, DesignError
from tests.estimators.test_clean_then_test import IDS, OBS, null_study

pytestmark = pytest.mark.filterwarnings("ignore::latentadj.LatentAdjWarning")

X = null_study(7, 200)
KNOWN = X.assign(batch=OBS["batch"], group=OBS["group"])
COUNTS = pd.DataFrame(np.random.default_rng(0).poisson(np.exp(3 + 0.3 * X)), index=IDS, columns=X.columns)
REPLICATES = np.repeat(np.arange(20), 2)


def plain(data: pd.DataFrame, formula: str = "~ group", **options) -> la.AdjustmentResult:
    return la.adjust(data, formula, OBS, method="none", **options)


def frames_of(transformer, data: pd.DataFrame, **given) -> pd.DataFrame:
    transformer.set_output(transform="pandas").fit(data, **given)
    beside = {
        key: value for key, value in given.items() if key == "batch" and not isinstance(transformer, ReplicateRemover)
    }
    return transformer.transform(data, **beside)


OUTPUTS = {
    "remove_batch_effect": lambda: remove_batch_effect(X, OBS["batch"]),
    "ComBat": lambda: frames_of(ComBat("batch", covariates=["group"]), KNOWN),
    "ComBat, labels beside X": lambda: frames_of(ComBat(), X, batch=OBS["batch"]),
    "BatchEffectRemover": lambda: frames_of(BatchEffectRemover("batch"), KNOWN.drop(columns="group")),
    "ComBatSeq": lambda: frames_of(ComBatSeq("batch"), COUNTS.assign(batch=OBS["batch"])),
    "ReplicateRemover": lambda: frames_of(ReplicateRemover(2, controls=np.arange(100)), X, replicates=REPLICATES),
    "SupervisedNormalizer": lambda: frames_of(
        SupervisedNormalizer("group", covariates=["batch"], remove_covariates=True), KNOWN
    ),
    "LatentAdjuster": lambda: (
        la.LatentAdjuster(la.SVA(2)).set_output(transform="pandas").fit(X, OBS["group"]).transform(X)
    ),
    "FrozenSVA": lambda: FrozenSVA(la.SVA(2)).set_output(transform="pandas").fit(X, OBS["group"]).transform(X),
}


@pytest.mark.parametrize("name", OUTPUTS)
def test_outputs_remember_and_are_refused(name: str) -> None:
    adjusted = OUTPUTS[name]()
    record = adjustment_record(adjusted)
    assert record.df_spent >= 2
    assert record.columns_for(IDS).shape == (40, len(record.names))
    with pytest.raises(AdjustedDataError, match=name.split(",")[0]):
        plain(adjusted)


#: Those that divide by batch spreads too, map quantiles, or remove smooth effects that differ between features.
NO_COLUMNS_ALONE = ("ComBat", "ComBat, labels beside X", "ComBatSeq", "SupervisedNormalizer")


@pytest.mark.parametrize("name", [name for name in OUTPUTS if name not in NO_COLUMNS_ALONE])
def test_permission_gives_the_raw_data_with_the_columns_in_the_design(name: str) -> None:
    """For all that subtract multiples of columns, the others only come near."""
    adjusted = OUTPUTS[name]()
    removed = adjustment_record(adjusted).columns_for(IDS)
    expected = la.adjust(X, la.Design.from_arrays(OBS["group"].to_numpy(), removed), method="none")
    ours = plain(adjusted, allow_adjusted=True)
    assert_allclose(ours.tests.p_value, expected.tests.p_value, rtol=1e-8)
    assert any("joined the design" in text for text in ours.warnings)


def test_hidden_factors_beside_removed_batches() -> None:
    """Factors are estimated beside the removed columns: as with the batch in the formula."""
    adjusted = remove_batch_effect(X, OBS["batch"])
    ours = la.adjust(adjusted, "~ group", OBS, method="cate", n_factors=2, allow_adjusted=True)
    expected = la.adjust(X, "~ group | batch", OBS, method="cate", n_factors=2)
    assert_allclose(ours.tests.p_value, expected.tests.p_value, rtol=1e-6)


def test_combat_is_charged_for_its_spreads() -> None:
    kept, free = (
        frames_of(ComBat("batch", covariates=c), KNOWN if c else KNOWN.drop(columns="group")) for c in (["group"], None)
    )
    assert adjustment_record(kept).df_spent == pytest.approx(6.5)
    assert adjustment_record(free).df_spent == 3.0
    assert plain(kept, allow_adjusted=True).fit.df_resid == pytest.approx(31.5)
    assert plain(free, allow_adjusted=True).fit.df_resid == 35.0
    shifts = frames_of(ComBat("batch", covariates=["group"], mean_only=True), KNOWN)
    assert adjustment_record(shifts).df_spent == 3.0


def test_new_samples_have_columns_of_their_own() -> None:
    combat = ComBat("batch").set_output(transform="pandas").fit(KNOWN.drop(columns="group"))
    new = KNOWN.drop(columns="group").iloc[[35, 3]].set_axis(["n1", "n2"], axis=0)
    record = adjustment_record(combat.transform(new))
    assert_allclose(record.columns_for(["n2", "n1"]), [[1.0, 0.0, 0.0], [-1.0, -1.0, -1.0]])


def test_pipelines_remember_every_step() -> None:
    steps = make_pipeline(ComBat("batch"), la.LatentAdjuster(la.ResidualPCA(1))).set_output(transform="pandas")
    out = steps.fit_transform(KNOWN.drop(columns="group"))
    record = adjustment_record(out)
    assert record.methods[0] == "ComBat"
    assert len(record.methods) == 2
    assert (record.rank, record.df_spent) == (4, 4.0)


def test_other_orientation_anndata_and_files(tmp_path) -> None:
    adjusted = OUTPUTS["ComBat"]()
    expected = plain(adjusted, allow_adjusted=True).tests.p_value
    turned = adjusted.T
    with pytest.raises(AdjustedDataError):
        plain(turned, orientation="features")
    assert_allclose(plain(turned, orientation="features", allow_adjusted=True).tests.p_value, expected, rtol=1e-10)
    data = mark_adjusted(anndata.AnnData(adjusted, obs=OBS), "ComBat", columns=OBS["batch"], df=6.5)
    data.write_h5ad(tmp_path / "x.h5ad")
    adjusted.to_parquet(tmp_path / "x.parquet")
    turned.to_parquet(tmp_path / "turned.parquet")
    for name, how in {"x.h5ad": "samples", "x.parquet": "samples", "turned.parquet": "features"}.items():
        matrix = read_matrix(tmp_path / name, orientation=how)
        with pytest.raises(AdjustedDataError):
            plain(matrix)
        assert_allclose(plain(matrix, allow_adjusted=True).tests.p_value, expected, rtol=1e-10)


def test_command_line(tmp_path, capsys) -> None:
    OUTPUTS["remove_batch_effect"]().to_parquet(tmp_path / "x.parquet")
    OBS.to_csv(tmp_path / "obs.csv")
    command = ["fit", str(tmp_path / "x.parquet"), "--samples", str(tmp_path / "obs.csv"), "--formula", "~ group"]
    command += ["--method", "none", "--out", str(tmp_path / "out")]
    assert main(command) == 2
    assert "were adjusted before: remove_batch_effect" in " ".join(capsys.readouterr().err.split())
    assert not (tmp_path / "out").exists()
    assert main([*command, "--allow-adjusted"]) == 0
    assert (tmp_path / "out" / "results.csv").exists()


def test_charge_without_columns() -> None:
    marked = mark_adjusted(X, "quantile normalisation", df=4)
    ours, raw = plain(marked, allow_adjusted=True), plain(X)
    assert_allclose(ours.tests.estimate, raw.tests.estimate, rtol=1e-12)
    assert (ours.fit.df_resid, ours.unadjusted_fit.df_resid) == (34.0, 34.0)
    assert_allclose(ours.fit.sigma2, raw.fit.sigma2 * 38 / 34, rtol=1e-12)


def test_parameter_of_the_estimator() -> None:
    front = la.AdjustedRegression(la.CATE(1), formula="~ group", allow_adjusted=True)
    assert clone(front).get_params()["allow_adjusted"]
    result = front.fit(remove_batch_effect(X, OBS["batch"]), sample_data=OBS).result_
    assert [name for name in result.design.names if name.startswith("removed")] == [
        f"removed.batch[S.{c}]" for c in "abc"
    ]


def test_results_are_saved_and_their_design_is_not_for_other_samples(tmp_path) -> None:
    result = plain(remove_batch_effect(X, OBS["batch"]), allow_adjusted=True)
    result.save(tmp_path / "out")
    back = la.load_result(tmp_path / "out")
    pd.testing.assert_frame_equal(back.tidy(), result.tidy(), check_exact=True)
    for design in (result.design, back.design):
        with pytest.raises(DesignError, match=r"3 column\(s\) that are known for its own samples only"):
            design.replay(OBS)


def test_arrays_cannot_remember() -> None:
    """A limit that the documentation states."""
    values = ComBat().fit_transform(X.to_numpy(), batch=OBS["batch"].to_numpy())
    assert isinstance(values, np.ndarray)
    assert plain(values) is not None
