"""SVA of counts against svaseq of sva 3.46.0.

Largest errors on the simulated counts: factors 1.3e-12, posterior probabilities 5e-9 (stored with 8 digits). On the
zebrafish study (6 samples, not bundled) 2.4e-6 and 6e-9: its p-values lie at the clip, where 1 - F(x) has few digits.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose

import latentadj as la
from latentadj.core.alignment import canonical_correlations
from latentadj.factors.svaseq import SVASeq
from tests.factors.stored import stored
from tests.parity.studies import same_signs
from tests.reference_data import simcounts

pytestmark = pytest.mark.filterwarnings("ignore::latentadj.LatentAdjWarning")

VARIANTS = {
    "": {},
    "_const05": {"constant": 0.5},
    "_twostep": {"method": "two_step"},
    "_supervised": {"method": "supervised", "controls": simcounts().controls},
}


def adjusted(method: SVASeq, X=None) -> la.AdjustmentResult:
    data = simcounts()
    table = pd.DataFrame({"group": data.sample_data["group"].astype(str)}, index=data.sample_data.index)
    return la.adjust(data.frame if X is None else X, "~ group", table, method=method)


@pytest.mark.parametrize("key", VARIANTS)
def test_answers_of_the_package(key: str) -> None:
    sv, weights = stored("simcounts")[f"sv_svaseq{key}"], stored("simcounts")[f"pprob_svaseq{key}"]
    result = adjusted(SVASeq(2, scale="log1p", max_iter=5, compat="sva", **VARIANTS[key]))
    assert_allclose(same_signs(result.factors.to_numpy(), sv), sv, rtol=0, atol=1e-11)
    details = result.estimate.details
    if "probability_factors" in details:
        ours = np.column_stack([details["probability_factors"], details["probability_primary"]])
        assert_allclose(ours[: len(weights)], weights, rtol=0, atol=1e-8)


@pytest.mark.parametrize(("method", "plain"), [("irw", la.SVA(2)), ("two_step", la.TwoStepSVA(2))])
def test_it_is_the_method_on_log_counts(method: str, plain: la.LatentFactorEstimator) -> None:
    counts = simcounts().frame
    logs = np.log2((counts + 0.5).div(counts.sum(axis=1) + 1.0, axis=0) * 1e6)
    found, expected = adjusted(SVASeq(2, method=method)), adjusted(plain, logs)
    assert_allclose(found.factors, expected.factors, rtol=0, atol=1e-9)
    assert_allclose(found.tests.p_value, expected.tests.p_value, rtol=1e-7)


def test_depth_is_left_in_plain_logarithms_only() -> None:
    """Samples sequenced three times as deep: counts per million hardly change, plain logarithms turn."""
    counts = simcounts().frame
    deep = counts.mul(np.where(np.arange(len(counts)) % 2 == 0, 3, 1), axis=0)
    for scale, low, high in (("log_cpm", 0.9, 1.0 + 1e-9), ("log1p", 0.0, 0.7)):
        a, b = (adjusted(SVASeq(1, scale=scale), X).factors.to_numpy() for X in (counts, deep))
        assert low < canonical_correlations(a, b).min() < high


def test_new_samples_are_scored_on_their_own_depth() -> None:
    data = simcounts()
    fitted = SVASeq(1).fit(data.X, data.sample_data["group"].astype(str))
    assert_allclose(fitted.transform(data.X[[3]]), fitted.transform(data.X)[[3]], rtol=1e-10)


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"method": "three_step"}, la.exceptions.MethodError, "three_step"),
        ({"scale": "sqrt"}, la.exceptions.MethodError, "log_cpm"),
        ({"constant": 0.0}, la.exceptions.MethodError, "above 0"),
        ({"method": "supervised"}, la.exceptions.ControlsError, "controls"),
    ],
)
def test_options_are_checked(options: dict, error: type, message: str) -> None:
    with pytest.raises(error, match=message):
        adjusted(SVASeq(1, **options))


def test_negative_values_are_refused() -> None:
    with pytest.raises(la.exceptions.InputError, match="Negative"):
        adjusted(SVASeq(1), simcounts().frame - 5)
