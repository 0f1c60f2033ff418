"""Ordinary and moderated tests through the public API against limma 3.54.1.

Largest relative error of the first 120 features over bladderbatch, sim1 and sim2 (stored numbers have 10 digits in
coef, t, p and B and 12 in the other columns: their own rounding is 5e-10 and 5e-12):

=====================  ==========================  =====================================
quantity               plain, trend, robust        trend and robust together
=====================  ==========================  =====================================
coef, t, p             4.9e-10                     4.9e-10
s0^2, d0, df, s2.post  4.7e-12                     3.2e-10 (limma's root finder: see test_variance)
F, p of F              2.6e-11                     2.0e-9 (same)
B (absolute)           5.0e-9 (B of 10 to 99)      5.0e-9
contrasts: t, p        4.8e-10
topTable (t and F)     1.2e-11
=====================  ==========================  =====================================
"""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose

import latentadj as la
from latentadj.results import test_jointly as joint_tests
from tests.parity.studies import NAMES, reference, study

pytestmark = pytest.mark.filterwarnings("ignore::latentadj.LatentAdjWarning")

VARIANTS = {
    "plain": la.ModeratedT(),
    "trend": la.ModeratedT(trend=True),
    "robust": la.ModeratedT(robust=True),
    "trend_robust": la.ModeratedT(trend=True, robust=True),
}
STORED_10 = 1e-9  # twice the rounding error of ten digits; p also moves with d0
STORED_12 = 2e-11  # four times the rounding error of twelve digits
ROOT = 5e-9  # limma's robust fit solves for d0 to 1e-8 only; its p of F feels it most
STORED_B = 1e-8  # absolute: ten digits of a number of up to 99
ROWS = ("sigma", "Amean", "s2.post", "F", "F.p", "df.total", "df.prior", "s2.prior")


def moderated(name: str, variant: str) -> la.AdjustmentResult:
    s = study(name)
    return s.adjust("none", s.all_tested, inference=VARIANTS[variant])


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("name", NAMES)
class TestModeration:
    def test_coefficients_t_and_p(self, name: str, variant: str) -> None:
        ref, tests = reference("limma", name), moderated(name, variant).tests
        for part, ours in (("coef", tests.estimate), ("t", tests.statistic), ("p", tests.p_value)):
            stored = ref[f"limma_{variant}_{part}"][:, 1:]
            assert_allclose(ours[: len(stored)], stored, rtol=STORED_10, err_msg=part)

    def test_prior_and_posterior_variances(self, name: str, variant: str) -> None:
        rows = dict(zip(ROWS, reference("limma", name)[f"limma_{variant}_rows"].T, strict=True))
        result = moderated(name, variant)
        prior, m = result.tests.prior, result.n_features
        ours = {
            "sigma": np.sqrt(result.fit.sigma2),
            "Amean": result.fit.mean,
            "s2.post": prior.s2_post,
            "df.total": prior.df_total,
            "df.prior": prior.df_prior,
            "s2.prior": prior.s2_prior,
        }
        tolerance = ROOT if variant == "trend_robust" else STORED_12
        for key, values in ours.items():
            shown = np.broadcast_to(values, m)[: len(rows[key])]
            assert_allclose(shown, rows[key], rtol=tolerance, err_msg=key)

    def test_f_over_all_coefficients(self, name: str, variant: str) -> None:
        rows = dict(zip(ROWS, reference("limma", name)[f"limma_{variant}_rows"].T, strict=True))
        result = moderated(name, variant)
        joint = joint_tests(result.fit, result.tests.prior, {"all": np.eye(len(result.design.names))})
        m = len(rows["F"])
        tolerance = ROOT if variant == "trend_robust" else 5e-11
        assert_allclose(joint.statistic[:m, 0], rows["F"], rtol=tolerance)
        assert_allclose(joint.p_value[:m, 0], rows["F.p"], rtol=tolerance)

    def test_log_odds(self, name: str, variant: str) -> None:
        stored = reference("limma", name)[f"limma_{variant}_lods"][:, 1:]
        result = moderated(name, variant)
        for i, term in enumerate(result.tests.names):
            ours = result.tidy(term, style="limma")["B"].to_numpy()[: len(stored)]
            assert_allclose(ours, stored[:, i], rtol=0, atol=STORED_B)


@pytest.mark.parametrize("name", NAMES)
def test_contrasts_by_name(name: str) -> None:
    ref, s = reference("limma", name), study(name)
    result = s.adjust("none", s.all_tested)
    for i, weights in enumerate(ref["contrast_matrix"].T):
        text = " + ".join(f"{w:g} * {column}" for w, column in zip(weights, result.design.names, strict=True) if w)
        table = result.contrast(text)
        for part, column in (("coef", "estimate"), ("t", "statistic"), ("p", "p_value")):
            stored = ref[f"limma_contrasts_{part}"][:, i]
            assert_allclose(table[column][: len(stored)], stored, rtol=STORED_10, err_msg=f"{text}: {part}")


@pytest.mark.parametrize("name", NAMES)
def test_limma_style_table_is_top_table(name: str) -> None:
    """Columns, values, confidence limits and order of topTable(coef = 2, confint = TRUE)."""
    stored, s = reference("limma", name)["topTable_coef2"], study(name)
    result = s.adjust("none", s.all_tested)
    term, rows = result.design.names[1], stored[:, 0].astype(int) - 1
    table = result.tidy(term, style="limma")
    assert list(table.columns) == ["logFC", "AveExpr", "t", "P.Value", "adj.P.Val", "B"]
    assert list(table.index) == list(s.data.feature_data.index)
    assert_allclose(table.to_numpy()[rows], stored[:, [1, 4, 5, 6, 7, 8]], rtol=5e-11)
    limits = result.tidy(term)[["conf_low", "conf_high"]].to_numpy()
    assert_allclose(limits[rows], stored[:, 2:4], rtol=STORED_12)
    top = result.top(len(rows), term)["feature"]
    assert list(top) == list(s.data.feature_data.index[rows])


@pytest.mark.parametrize("name", NAMES)
def test_joint_f_of_the_tested_coefficients(name: str) -> None:
    """topTable over all coefficients but the intercept; for one formula term that is tidy(joint=True)."""
    stored, s = reference("limma", name)["topTable_F"], study(name)
    rows, f, p = stored[:, 0].astype(int) - 1, stored[:, -3], stored[:, -2]
    result = s.adjust("none", s.all_tested)
    d = len(result.design.names)
    joint = joint_tests(result.fit, result.tests.prior, {"all": np.eye(d)[:, 1:]})
    assert_allclose(joint.statistic[rows, 0], f, rtol=STORED_12)
    assert_allclose(joint.p_value[rows, 0], p, rtol=5e-11)
    table = result.tidy(joint=True)
    if table["term"].nunique() == 1:
        assert_allclose(table[["statistic", "p_value"]].to_numpy()[rows], stored[:, -3:-1], rtol=5e-11)
        assert_allclose(table["p_adjusted"].to_numpy()[rows], stored[:, -1], rtol=5e-11)
        assert list(result.top(len(rows))["feature"]) == list(s.data.feature_data.index[rows])


@pytest.mark.parametrize("name", NAMES)
def test_joint_f_of_one_column_is_t_squared(name: str) -> None:
    s = study(name)
    result = s.adjust("none", s.all_tested)
    table = result.tidy(joint=True)
    single = table[table["df1"] == 1]
    terms = single["term"].unique()
    for term in terms:
        rows, t = single[single["term"] == term], result.tidy(term)
        assert_allclose(rows["statistic"], t["statistic"] ** 2, rtol=1e-14)
        assert_allclose(rows["p_value"], t["p_value"], rtol=1e-12)
    assert len(terms) == (0 if name == "bladderbatch" else 2)


@pytest.mark.parametrize("name", NAMES)
def test_moderated_t_with_surrogate_variables(name: str) -> None:
    """sva's factors from the same front join the design, then limma's moderated t."""
    ref, s = reference("limma", name), study(name)
    result = s.adjust(la.SVA(s.n_factors, max_iter=5, compat="sva"))
    columns = [1, 2] if name == "bladderbatch" else [1]
    m = len(ref["limma_with_sv_t"])
    assert_allclose(result.tests.estimate[:m], ref["limma_with_sv_coef"][:, columns], rtol=STORED_10)
    assert_allclose(result.tests.statistic[:m], ref["limma_with_sv_t"][:, columns], rtol=STORED_10)
    assert_allclose(result.tests.p_value[:m], ref["limma_with_sv_p"][:, columns], rtol=STORED_10)
    prior = result.tests.prior
    assert_allclose([prior.df_prior, prior.s2_prior], ref["limma_with_sv_rows"][0, 6:8], rtol=STORED_12)
