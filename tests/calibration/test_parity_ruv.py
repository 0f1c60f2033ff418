"""Variance adjustments against `variance_adjust` and `ruv_summary` of ruv 0.9.7.1, and the F tests beside them.

Largest relative errors over bladderbatch, sim1 and sim2, RUV-2 and RUV-4, first 100 features (stored with 12 digits,
whose own rounding is 5e-12; far tails carry the effects' errors magnified):

===============================  ========
quantity                         measured
===============================  ========
p, all combinations              3.9e-10
p.BH                             7.3e-10
F p-values, plain and BH         7.7e-10
variances of effects             1.1e-10
sigma2.ebayes, sigma2.pooled     1.1e-10
df.ebayes, df.pooled             2.5e-11
===============================  ========
"""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest
from numpy.testing import assert_allclose

import latentadj as la
from latentadj.calibration import EffectVariance, resolve_calibration
from latentadj.core.multiple import adjust_pvalues
from latentadj.inference import resolve_inference
from latentadj.results import TestStatistics, test_contrasts, test_jointly
from tests.parity.studies import NAMES, study
from tests.reference_data import load_reference

pytestmark = pytest.mark.filterwarnings("ignore::latentadj.LatentAdjWarning")
TOLERANCE = {"rtol": 2e-9, "atol": 0}
INFERENCE = {"standard": "ordinary", "ebayes": "moderated", "pooled": "pooled"}
CALIBRATION = {"standard": None, "rsvar": "rsvar", "evar": EffectVariance(compat="ruv")}
#: ruv's names of the p-values; the ordering by variance is the same for ordinary and moderated ones.
P_VALUES = {
    "p.ebayes": ("ebayes", "standard"),
    "p.pooled": ("pooled", "standard"),
    "p.rsvar": ("standard", "rsvar"),
    "p.rsvar.ebayes": ("ebayes", "rsvar"),
    "p.rsvar.pooled": ("pooled", "rsvar"),
    "p.evar": ("standard", "evar"),
    "p.evar.pooled": ("pooled", "evar"),
}


@cache
def stored() -> dict[str, np.ndarray]:
    return load_reference("ruv_variance", "reference")


@cache
def result_of(name: str, key: str) -> la.AdjustmentResult:
    s = study(name)
    given = {"controls": s.data.controls}
    method = la.RUV2(s.n_factors, **given) if key == "RUV2" else la.RUV4(s.n_factors, compat="ruv", **given)
    return s.adjust(method, inference="ordinary")


@cache
def statistics_of(name: str, key: str, variance: str, p_type: str) -> TestStatistics:
    result = result_of(name, key)
    prior = resolve_inference(INFERENCE[variance]).variances(result.fit)
    tests = test_contrasts(result.fit, prior, result.tests.contrasts, result.tests.names)
    calibration = resolve_calibration(CALIBRATION[p_type])
    return tests if calibration is None else calibration.calibrate(tests, study(name).data.controls)


def compare(ours: np.ndarray, theirs: np.ndarray) -> None:
    assert_allclose(ours[: len(theirs)], theirs, **TOLERANCE)


@pytest.mark.parametrize("part", [*P_VALUES, *(f"{part}.BH" for part in P_VALUES)])
@pytest.mark.parametrize("key", ["RUV2", "RUV4"])
@pytest.mark.parametrize("name", NAMES)
def test_p_values(name: str, key: str, part: str) -> None:
    p = statistics_of(name, key, *P_VALUES[part.removesuffix(".BH")]).p_value
    if part.endswith(".BH"):
        p = np.column_stack([adjust_pvalues(column) for column in p.T])
    compare(p, stored()[f"{name}__ruv_{key}_va_{part}"])


@pytest.mark.parametrize("variance", ["ebayes", "pooled"])
@pytest.mark.parametrize("key", ["RUV2", "RUV4"])
@pytest.mark.parametrize("name", NAMES)
def test_variances_and_degrees_of_freedom(name: str, key: str, variance: str) -> None:
    """The moments of ruv's own digamma series are limma's."""
    prior = statistics_of(name, key, variance, "standard").prior
    compare(prior.s2_post, stored()[f"{name}__ruv_{key}_va_sigma2.{variance}"][:, 0])
    df = stored()[f"{name}__ruv_{key}_va_df.{variance}"][:, 0]
    compare(np.broadcast_to(prior.df_total, df.shape), df)


@pytest.mark.parametrize("variance", INFERENCE)
@pytest.mark.parametrize("key", ["RUV2", "RUV4"])
@pytest.mark.parametrize("name", NAMES)
def test_f_tests(name: str, key: str, variance: str) -> None:
    tests, fit = statistics_of(name, key, variance, "standard"), result_of(name, key).fit
    p = test_jointly(fit, tests.prior, {"all": tests.contrasts}).p_value[:, 0]
    part = "Fpvals" if variance == "standard" else f"Fpvals.{variance}"
    compare(adjust_pvalues(p), stored()[f"{name}__ruv_{key}_va_{part}.BH"][:, 0])
    if variance != "standard":
        compare(p, stored()[f"{name}__ruv_{key}_va_{part}"][:, 0])


@pytest.mark.parametrize("p_type", CALIBRATION)
@pytest.mark.parametrize("variance", INFERENCE)
@pytest.mark.parametrize("name", NAMES)
def test_summary(name: str, variance: str, p_type: str) -> None:
    """P-values and variances of the effects, so that standard errors are the reference's too."""
    key = f"{name}__ruv_summary_{variance}_{p_type}"
    names, table = list(stored()[f"{key}__cols"]), stored()[key]
    tests = statistics_of(name, "RUV4", variance, p_type)
    p = np.column_stack([adjust_pvalues(column) for column in tests.p_value.T])
    for start, ours in (("p_", tests.p_value), ("p.BH_", p), ("b_", tests.estimate), ("var.b_", tests.std_error**2)):
        columns = [i for i, column in enumerate(names) if column.startswith(start)]
        tolerance = {"rtol": 5e-11, "atol": 5e-13} if start == "b_" else TOLERANCE
        assert_allclose(ours[: len(table)], table[:, columns], **tolerance, err_msg=start)
    compare(tests.prior.s2_post, table[:, names.index("sigma2")])


def test_the_front_gives_the_same() -> None:
    s = study("sim1")
    method = la.RUV4(s.n_factors, compat="ruv", controls=s.data.controls)
    result = s.adjust(method, inference="pooled", calibration="rsvar")
    compare(result.tests.p_value, stored()["sim1__ruv_RUV4_va_p.rsvar.pooled"])
    table = result.tidy()
    half = table["conf_high"] - table["estimate"]
    inside = np.abs(table["statistic"]) * table["std_error"] < half
    assert ((table["p_value"] > 0.05) == inside).all(), "intervals and p-values have to agree"
