"""The path over k equals separate analyses, and its summaries equal what they are by definition."""

from __future__ import annotations

import numpy as np
import pytest

import latentadj as la
from latentadj.core.multiple import adjust_pvalues
from latentadj.exceptions import InputError
from latentadj.simulation import Scenario, simulate

pytestmark = pytest.mark.filterwarnings("ignore::latentadj.LatentAdjWarning")
SCENARIO = Scenario(n_samples=40, n_features=600, n_factors=2)


@pytest.fixture(scope="module")
def study():
    return simulate(SCENARIO, np.random.default_rng(5))


@pytest.fixture(scope="module")
def ruv(study):
    return la.adjust(study.X, study.design, method="ruv4", n_factors=2, controls=study.truth.controls)


def test_every_number_equals_its_own_analysis(study, ruv) -> None:
    """RUV-4 is exactly components plus link: 1e-9, the error of subtracting sums of squares."""
    path = ruv.k_path(5)
    for k in range(6):
        single = la.adjust(study.X, study.design, method="ruv4", n_factors=k, controls=study.truth.controls)
        np.testing.assert_allclose(path.estimate[k], single.tests.estimate, rtol=1e-8, atol=1e-10)
        np.testing.assert_allclose(path.std_error[k], single.tests.std_error, rtol=1e-8)
        np.testing.assert_allclose(path.p_value[k], single.tests.p_value, rtol=1e-6, atol=1e-12)
        if k:
            assert path.r2[k] == pytest.approx(single.confounding.r2, rel=1e-8)


def test_under_sample_weights(study) -> None:
    weights = np.random.default_rng(0).uniform(0.3, 2, size=40)
    options = {"method": "ruv4", "n_factors": 2, "controls": study.truth.controls, "sample_weights": weights}
    result = la.adjust(study.X, study.design, **options)
    np.testing.assert_allclose(result.k_path(2).estimate[2], result.tests.estimate, rtol=1e-7, atol=1e-9)


def test_cate_ends_close_by(study) -> None:
    result = la.adjust(study.X, study.design, method="cate", n_factors=2)
    path = result.k_path()
    assert np.corrcoef(path.estimate[2][:, 0], result.tests.estimate[:, 0])[0, 1] > 0.9995
    assert path.used == 2


def test_table_is_what_it_says(study, ruv) -> None:
    path = ruv.k_path(4)
    table = path.table(level=0.1).set_index("n_factors")
    hits = [adjust_pvalues(path.p_value[k, :, 0], "bh") < 0.1 for k in range(5)]
    assert table["discoveries"].tolist() == [int(h.sum()) for h in hits]
    assert table.loc[2, "jaccard_used"] == 1.0
    assert table.loc[3, "jaccard_previous"] == (hits[3] & hits[2]).sum() / (hits[3] | hits[2]).sum()
    assert np.isnan(table.loc[0, "jaccard_previous"])
    assert table.loc[0, "mean_std_error"] == 1.0
    assert table.loc[0, "inflation"] > 2 > 1.3 > table.loc[2, "inflation"]
    assert table.loc[0, "control_uniformity"] < 1e-3 < table.loc[2, "control_uniformity"]


def test_joint_variables_have_a_row_each() -> None:
    rng = np.random.default_rng(0)
    groups = np.eye(3)[np.arange(30) % 3][:, 1:]
    result = la.adjust(rng.normal(size=(30, 200)), groups, method="cate", n_factors=1)
    assert len(result.k_path(3).table()) == 4 * 2


def test_limits(study, ruv, tmp_path) -> None:
    assert ruv.k_path(1000).estimate.shape[0] == 13 + 1
    with pytest.raises(InputError, match="longest"):
        ruv.k_path(-1)
    with pytest.raises(InputError, match="needs the data"):
        la.load_result(ruv.save(tmp_path / "saved")).k_path()
