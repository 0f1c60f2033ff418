"""RUV* against vicar 0.1-11, and by itself.

Largest relative errors over bladderbatch (first 1000 probes, Cancer against the rest), sim1 and sim2, first 120
features, 12 digits stored: normal errors 3e-11; Student errors 4e-8, because the package stops its EM at a looser
tolerance (our fixed point is stationary, see `test_student_fit_is_stationary`). Factors agree after the nuisance
columns, which the package leaves in them, are taken out.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy.optimize import minimize

import latentadj as la
from latentadj.confounding.t_negative_control import StudentControlRegression
from latentadj.core.alignment import canonical_correlations
from latentadj.core.t_regression import student_regression
from latentadj.factors.ruv_star import RUVStar
from latentadj.simulation import FAMILIES, simulate
from tests.parity.studies import study
from tests.reference_data import load_reference

pytestmark = pytest.mark.filterwarnings("ignore::latentadj.LatentAdjWarning")

FORMS = {
    "vruv4": ({}, "moderated", 2e-7),
    "vruv4_normal": ({"likelihood": "normal", "shrink": False}, "ordinary", 2e-10),
    "vruvinv": ({"n_factors": "most"}, "moderated", 2e-7),
}


def data_of(name: str) -> tuple[np.ndarray, la.Design, np.ndarray, int]:
    s = study(name)
    if name != "bladderbatch":
        return s.data.X, la.Design.from_formula(s.formula, s.data.sample_data), s.data.controls, s.n_factors
    design = la.Design.from_arrays((s.data.sample_data["cancer"] == "Cancer").to_numpy(float))
    return s.data.X[:, :1000], design, np.arange(1, 1001) % 10 == 0, s.n_factors


@pytest.mark.parametrize("key", FORMS)
@pytest.mark.parametrize("name", ["sim1", "sim2", "bladderbatch"])
def test_parity(name: str, key: str) -> None:
    X, design, controls, k = data_of(name)
    options, inference, rtol = FORMS[key]
    method = RUVStar(**{"n_factors": k, "controls": controls, "compat": "vicar", **options})
    result = la.adjust(X, design, method=method, inference=inference)
    ref = load_reference("vicar", "ruv_star")
    tests, mark = result.tests, f"{name}__vicar_{key}_"
    for part, ours in (
        ("betahat", tests.estimate),
        ("sebetahat", tests.std_error),
        ("tstats", tests.statistic),
        ("pvalues", tests.p_value),
    ):
        assert_allclose(ours[:120, 0], ref[mark + part][:, 0], rtol=rtol, err_msg=part)
    assert_allclose(result.estimate.details["inflation"], ref[f"{name}__vicar.{key}.multiplier"][0], rtol=rtol)
    assert_allclose(tests.df, ref[f"{name}__vicar.{key}.degrees_freedom"][0], rtol=1e-8)
    nuisance = design.nuisance
    inside = [z - nuisance @ np.linalg.lstsq(nuisance, z)[0] for z in (result.factors.to_numpy(), ref[mark + "Zhat"])]
    assert_allclose(canonical_correlations(*inside), 1.0, rtol=0, atol=1e-12)


def negative_log_likelihood(theta: np.ndarray, y: np.ndarray, a: np.ndarray, s: np.ndarray, df: float) -> float:
    r2 = (y[:, 0] - a @ theta[:-1]) ** 2 / (np.exp(theta[-1]) * s)
    return float(0.5 * np.sum((df + 1) * np.log1p(r2 / df) + theta[-1]))


def test_student_fit_is_stationary() -> None:
    """The accelerated EM lands where a general optimiser does, and where the gradient vanishes."""
    rng = np.random.default_rng(0)
    a, s = rng.normal(size=(60, 3)), rng.gamma(4.0, size=60)
    y = a @ [[1.0], [-2.0], [0.5]] + np.sqrt(3 * s)[:, None] * rng.standard_t(3, size=(60, 1))
    fit = student_regression(y, a, s, 3.0)
    found = np.append(fit.coef[:, 0], np.log(fit.inflation))
    best = minimize(negative_log_likelihood, np.zeros(4), args=(y, a, s, 3.0), method="BFGS", options={"gtol": 1e-9})
    assert fit.converged
    assert fit.n_iter < 60
    assert negative_log_likelihood(found, y, a, s, 3.0) <= best.fun + 1e-10
    assert_allclose(found, best.x, atol=1e-5)
    step = 1e-5
    for i in range(4):
        ends = [negative_log_likelihood(found + sign * step * np.eye(4)[i], y, a, s, 3.0) for sign in (1, -1)]
        assert abs(ends[0] - ends[1]) / (2 * step) < 1e-5


def test_normal_errors_are_weighted_least_squares() -> None:
    rng = np.random.default_rng(1)
    a, s, y = rng.normal(size=(40, 2)), rng.gamma(2.0, size=40), rng.normal(size=(40, 2))
    fit = student_regression(y, a, s, np.inf)
    root = 1 / np.sqrt(s)[:, None]
    coef = np.linalg.lstsq(a * root, y * root)[0]
    assert_allclose(fit.coef, coef, rtol=1e-12)
    assert fit.inflation == pytest.approx(np.mean(((y - a @ coef) * root) ** 2), rel=1e-12)


def test_columns_in_other_coordinates() -> None:
    """Several primary columns: a linear map of them maps the link and leaves the inflation."""
    rng = np.random.default_rng(2)
    a, s, y = rng.normal(size=(50, 2)), rng.gamma(2.0, size=50), rng.standard_t(4, size=(50, 2))
    turn, spread = np.array([[2.0, 1.0], [0.0, 3.0]]), np.array([[1.0, 0.3], [0.3, 2.0]])
    fit = student_regression(y, a, s, 4.0, spread=spread)
    turned = student_regression(y @ turn.T, a, s, 4.0, spread=turn @ spread @ turn.T)
    assert_allclose(turned.coef, fit.coef @ turn.T, rtol=1e-8)
    assert turned.inflation == pytest.approx(fit.inflation, rel=1e-9)


def test_outlying_control_has_little_weight() -> None:
    rng = np.random.default_rng(3)
    A = rng.normal(size=(60, 1))
    B = 2 * A + 0.1 * rng.normal(size=(60, 1))
    B[np.argmax(A)] += 30.0
    options = (B, A, np.full(60, 0.01), np.eye(1), np.ones(60, dtype=bool))
    student, normal = StudentControlRegression(df=4.0).estimate(*options), StudentControlRegression().estimate(*options)
    assert abs(student.omega[0, 0] - 2) < 0.05
    assert abs(normal.omega[0, 0] - 2) > 0.3


def test_default_counts_the_link_once() -> None:
    """Without anything left over the inflation is one, also under strong confounding; the package's is far above."""
    found = {None: [], "vicar": []}
    for seed in range(5):
        s = simulate(replace(FAMILIES["strong confounding"], n_features=600), seed)
        for compat, values in found.items():
            result = la.adjust(s.X, s.design, method=RUVStar(3, controls=s.truth.controls, compat=compat))
            values.append(float(result.estimate.details["inflation"]))
    assert 0.8 < np.mean(found[None]) < 1.25
    assert np.mean(found["vicar"]) > 2.0


@pytest.mark.parametrize("options", [{"likelihood": "cauchy"}, {"compat": "ruv"}])
def test_unknown_options(options: dict) -> None:
    with pytest.raises(la.exceptions.MethodError, match=next(iter(options))):
        RUVStar(1, controls=np.arange(10), **options).fit(
            np.random.default_rng(0).normal(size=(12, 40)), np.arange(12.0)
        )


def test_most_factors_need_room() -> None:
    with pytest.raises(la.exceptions.ControlsError, match="leaves no factor"):
        RUVStar("most", controls=np.arange(3)).fit(np.random.default_rng(0).normal(size=(12, 40)), np.arange(12.0))


@pytest.mark.slow
@pytest.mark.parametrize("family", ["base", "strong confounding", "weak factors", "unequal variances", "no factors"])
def test_null_features(family: str) -> None:
    rates = []
    for seed in range(6):
        s = simulate(replace(FAMILIES[family], n_features=1000), 200 + seed)
        result = la.adjust(s.X, s.design, method=RUVStar(controls=s.truth.controls))
        rates.append(np.mean(result.tests.p_value[s.truth.is_null & ~s.truth.controls, 0] < 0.05))
    assert 0.03 < np.mean(rates) < 0.065
