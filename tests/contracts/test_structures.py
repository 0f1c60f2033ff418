"""Every method beside missing values, correlated samples, weights and models of counts: an answer, or a clear refusal.

Methods that adjust effects without fitting features again cannot take part in what changes the fit of a feature; they
say so. All others give an answer that differs from the plain one no more than the change of the data does.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import latentadj as la
from latentadj.exceptions import InputError, MethodError
from latentadj.testing import made_up_study
from tests.contracts.made_up import all_methods
from tests.contracts.test_ways_in import FORMULA, options_of

pytestmark = pytest.mark.filterwarnings("ignore::latentadj.LatentAdjWarning")

#: Methods whose effects are not those of a refit.
SUBTRACT = {"ruv_inv", "ruv_rinv", "ruv_star"}


def run(method: type, X: pd.DataFrame, samples: pd.DataFrame, **structure: object) -> la.AdjustmentResult:
    options = {**options_of(method), **structure}
    return la.adjust(X, FORMULA, samples, method=method.method_info.name, allow_invalid=True, **options)


def gaps(X: pd.DataFrame, share: float = 0.05) -> pd.DataFrame:
    return X.mask(np.random.default_rng(1).uniform(size=X.shape) < share)


@all_methods
def test_missing_values(method: type) -> None:
    info = method.method_info
    study = made_up_study("counts" if info.name == "gcate" else info.input_scale)
    if info.name == "gcate":
        with pytest.raises(MethodError, match="missing='allow' needs factors"):
            run(method, gaps(study.frame.astype(float)), study.sample_data, missing="allow")
        return
    if info.name in SUBTRACT:
        with pytest.raises(MethodError, match="without fitting features again"):
            run(method, gaps(study.frame), study.sample_data, missing="allow")
        return
    if info.name == "ruvr":
        with pytest.raises(InputError, match="needs counts"):
            run(method, gaps(study.frame), study.sample_data, missing="allow")
        return
    found = run(method, gaps(study.frame), study.sample_data, missing="allow")
    plain = run(method, study.frame, study.sample_data)
    assert np.isfinite(found.tests.p_value).all()
    assert found.tidy()["n_obs"].between(20, 30).all()
    assert np.corrcoef(found.tests.estimate[:, 0], plain.tests.estimate[:, 0])[0, 1] > 0.9


@all_methods
@pytest.mark.parametrize("model", ["voom", "negative_binomial"])
def test_models_of_counts(method: type, model: str) -> None:
    study, name = made_up_study("counts"), method.method_info.name
    if name in SUBTRACT:
        with pytest.raises(MethodError, match="without fitting features again"):
            run(method, study.frame, study.sample_data, model=model)
        return
    if name == "gcate" and model == "voom":
        with pytest.raises(MethodError, match="GCATE fits generalised linear models"):
            run(method, study.frame, study.sample_data, model=model)
        return
    found = run(method, study.frame, study.sample_data, model=model)
    assert np.isfinite(found.tests.p_value).mean() > 0.99
    assert found.manifest["model"].startswith("VoomModel" if model == "voom" else "GLMModel")


@all_methods
def test_blocks(method: type) -> None:
    name, scale = method.method_info.name, method.method_info.input_scale
    study = made_up_study(scale)
    blocks = np.repeat(np.arange(15), 2)
    if name == "gcate":
        with pytest.raises(MethodError, match="least squares"):
            run(method, made_up_study("counts").frame, study.sample_data, blocks=blocks)
        return
    found = run(method, study.frame, study.sample_data, blocks=blocks)
    assert np.isfinite(found.tests.p_value).all()
    assert -0.5 < found.block_correlation < 0.5


@all_methods
def test_no_factors_beside_structure_is_the_plain_structured_fit(method: type) -> None:
    """With a number of 0, the method does not matter."""
    if "n_factors" not in method().get_params() or method.method_info.input_scale == "counts":
        pytest.skip("the method's own number, or its own scale")
    study = made_up_study("continuous")
    X = gaps(study.frame)
    if method.method_info.name == "gcate":
        pytest.skip("fits its own model")
    found = run(method, X, study.sample_data, missing="allow", n_factors=0)
    plain = la.adjust(X, FORMULA, study.sample_data, method="none", missing="allow")
    np.testing.assert_array_equal(found.tests.p_value, plain.tests.p_value)
