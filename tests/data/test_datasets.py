"""The bundled study and the reference extracts."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from latentadj.data import align_samples, as_labelled_matrix, load_bladder, resolve_controls
from tests.reference_data import bladder_reference, sim1, sim2, simcounts

R_CORNER = [
    [10.11516988800105, 5.34516842638564, 6.34802438441266],
    [8.62804433484408, 5.06359834357599, 6.66362481872856],
    [8.77923505803617, 5.11311629563776, 6.46589192735248],
]


def test_bladder_counts():
    """Counts as given by table() on the phenotype of the R package."""
    data = load_bladder()
    table = pd.crosstab(data.sample_data["batch"], data.sample_data["cancer"])
    assert data.X.shape == (57, 22283)
    assert table.columns.tolist() == ["Biopsy", "Cancer", "Normal"]
    assert table.to_numpy().tolist() == [[0, 11, 0], [0, 14, 4], [0, 0, 4], [5, 0, 0], [4, 15, 0]]
    assert data.sample_data["outcome"].value_counts().to_dict() == {
        "sTCC-CIS": 16,
        "mTCC": 12,
        "sTCC+CIS": 12,
        "Biopsy": 9,
        "Normal": 8,
    }
    assert len(data.controls) == 68
    assert list(data.X.index) == list(data.sample_data.index)


def test_bladder_values():
    """First values of exprs(bladderEset) printed by R with 15 digits; rounding to six decimals costs <= "
    "5e-7."""
    data = load_bladder()
    assert np.abs(data.X.iloc[:3, :3].to_numpy() - np.array(R_CORNER)).max() <= 5e-7
    assert data.X.columns[0] == "1007_s_at"
    assert data.X.index[0] == "GSM71019.CEL"
    assert data.X.to_numpy().max() < 16  # the six decimals survive float32 only below 16


def test_bladder_has_six_decimals_exactly():
    values = load_bladder().X.to_numpy()
    assert np.array_equal(np.rint(values * 1e6) / 1e6, values)


def test_bladder_through_the_gate():
    data = load_bladder()
    matrix = as_labelled_matrix(data.X)
    shuffled = data.sample_data.sample(frac=1, random_state=0)
    aligned, report = align_samples(matrix.sample_ids, shuffled, 57, feature_ids=matrix.feature_ids)
    pd.testing.assert_frame_equal(aligned, data.sample_data)
    assert report.matched == 57
    assert resolve_controls(data.controls, matrix.feature_ids, 22283).sum() == 68


@pytest.mark.parametrize(
    ("load", "shape", "n_controls"),
    [
        (sim1, (60, 1000), 50),
        (sim2, (12, 200), 20),
        (simcounts, (40, 992), 50),
        (bladder_reference, (57, 22283), 68),
    ],
)
def test_reference_sets(load, shape, n_controls):
    data = load()
    assert data.X.shape == shape
    assert data.frame.shape == shape
    assert data.controls.sum() == n_controls
    assert not data.X.flags.writeable
    assert np.isfinite(data.X).all()


@pytest.mark.parametrize("load", [sim1, sim2])
def test_simulated_effects_are_in_the_data(load):
    """Least squares on x, age and the true factors finds the stored effects.

    The standard error of an effect is about 2 sigma / sqrt(n); the root mean squared standardised error over
    all features must be about 1. Subject and batch shifts are not in this design, hence the bounds 0.7 and
    1.5.
    """
    data = load()
    covariates = data.sample_data.drop(columns=["block", "batch"])
    design = np.column_stack([np.ones(len(covariates)), covariates.to_numpy(float)])
    coef = np.linalg.lstsq(design, data.X, rcond=None)[0][1]
    scale = np.sqrt(np.linalg.inv(design.T @ design)[1, 1]) * data.feature_data["sigma"]
    error = (coef - data.feature_data["beta"]) / scale
    assert 0.7 < np.sqrt(np.mean(error**2)) < 1.5


def test_bladder_is_the_same_study_in_both_forms():
    data, reference = load_bladder(), bladder_reference()
    assert np.array_equal(data.X.to_numpy(), reference.X)
    assert data.sample_data["batch"].astype(int).tolist() == reference.sample_data["batch"].tolist()
