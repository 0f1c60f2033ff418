"""GCATE: factors of counts and 0/1 outcomes."""

from __future__ import annotations

import warnings
from functools import cache

import numpy as np
import pytest
from sklearn.base import clone

import latentadj as la
from latentadj.core.alignment import canonical_correlations
from latentadj.core.matrix import ArrayMatrix
from latentadj.core.multiple import adjust_pvalues
from latentadj.core.regression import design_basis
from latentadj.exceptions import MethodError
from latentadj.factors.gcate import GCATE
from latentadj.factors.glm_link import JointEffects, estimate_link
from latentadj.models import GLMModel, LinearModel
from tests.reference_data import simcounts

pytestmark = pytest.mark.filterwarnings("ignore::latentadj.LatentAdjWarning")


def draw(rng, family, *, n=40, m=800, confounding=0.5, share=0.0, level=3.0):
    """Two factors that explain `confounding` of the group; effects of 0.5 to 1.5 in a share of the features."""
    x = np.repeat([0.0, 1.0], n // 2)
    z = rng.normal(size=(n, 2)) * np.sqrt(1 - confounding) + np.sqrt(confounding / 2) * (2 * x - 1)[:, None]
    beta = np.zeros(m)
    k = int(share * m)
    beta[:k] = rng.choice([-1, 1], k) * rng.uniform(0.5, 1.5, k)
    binary = family == "binomial"
    spread, start = (0.8, rng.normal(0, 0.7, m)) if binary else (0.4, rng.normal(level, 1.2, m))
    eta = start + np.outer(x - 0.5, beta) + z @ rng.normal(0, spread, size=(2, m))
    if binary:
        y = rng.random((n, m)) < 1 / (1 + np.exp(-eta))
    elif family == "poisson":
        y = rng.poisson(np.exp(eta))
    else:
        phi = 0.5 / rng.gamma(5, size=m)
        y = rng.negative_binomial(1 / phi, 1 / (1 + phi * np.exp(eta)))
    y = y.astype(float)
    kept = (y > 0).sum(axis=0) >= 5
    return y[:, kept], x, z, beta[kept]


@cache
def usual(family):
    y, x, z, beta = draw(np.random.default_rng(0), family, m=400, share=0.1)
    model = GLMModel(size_factors=None)
    return la.adjust(y, la.Design.from_arrays(x), method=GCATE(2, model=model)), y, x, z, beta


families = pytest.mark.parametrize("family", ["negative_binomial", "poisson", "binomial"])


@families
def test_factors_are_found_and_confounding_is_removed(family):
    result, _, _, z, beta = usual(family)
    floor = 0.85 if family == "binomial" else 0.97
    assert canonical_correlations(result.factors.to_numpy(), z).min() > floor
    null = beta == 0
    naive = np.mean(result.unadjusted_tests.p_value[null, 0] < 0.05)
    assert naive > 0.2
    assert np.mean(result.tests.p_value[null, 0] < 0.05) < 0.09


@families
def test_refit_is_the_generalised_linear_model(family):
    """Effects, errors and loadings are those of the model with the factors in the design, plus the link's error."""
    result, y, x, _, _ = usual(family)
    design = np.column_stack([np.ones(len(x)), x, result.factors])
    fit = GLMModel(size_factors=None).fit(ArrayMatrix(y), design_basis(design))
    np.testing.assert_allclose(result.tests.estimate[:, 0], fit.coef[:, 1], rtol=1e-6, atol=1e-8)
    np.testing.assert_allclose(result.loadings.to_numpy(), fit.coef[:, 2:], rtol=1e-6, atol=1e-8)
    own = np.sqrt(fit.contrast_variance(np.eye(4)[:, [1]], result.tests.prior.s2_post)[:, 0])
    assert np.all(result.tests.std_error[:, 0] > own)
    assert np.median(result.tests.std_error[:, 0] / own) < 1.05


def test_simulated_counts_with_known_truth():
    """992 features, 100 effects; batch known, one hidden factor that explains a fifth of the group. Least-squares CATE
    on log counts per million is held against the same truth."""
    s = simcounts()
    true = s.feature_data["beta"].to_numpy() != 0
    table = s.sample_data.reset_index(drop=True)
    found = {}
    for name, method in {"gcate": GCATE(), "none": la.NoFactors(model=GLMModel())}.items():
        p = la.adjust(s.X, "~ group", table, method=method).tests.p_value[:, 0]
        hits = adjust_pvalues(p) <= 0.1
        found[name] = (np.mean(hits & ~true) / np.mean(hits), np.mean(hits[true]), np.mean(p[~true] < 0.05))
    assert found["gcate"][0] < 0.15
    assert found["gcate"][1] > 0.95
    assert 0.035 < found["gcate"][2] < 0.065
    assert found["none"][0] > 0.4


def test_gaussian_data_are_cates():
    rng = np.random.default_rng(1)
    x = np.repeat([0.0, 1.0], 15)
    y = np.outer(rng.normal(size=30) + x, rng.normal(size=200)) + rng.normal(size=(30, 200))
    design = la.Design.from_arrays(x)
    one, other = (la.adjust(y, design, method=m(2)) for m in (GCATE, la.CATE))
    np.testing.assert_array_equal(one.tests.p_value, other.tests.p_value)


def test_number_of_factors():
    y, x, _, _ = draw(np.random.default_rng(2), "poisson", m=500)
    model = GLMModel(size_factors=None)
    for rule in ("auto", "jic"):
        fitted = GCATE(rule, model=model).fit(y, x)
        assert fitted.n_factors_ == 2
        assert fitted.num_factors_.chosen_by == ("jic" if rule == "jic" else "parallel_analysis")
    table = fitted.num_factors_.table()
    assert (table["statistic"] < table["threshold"])[:2].all()
    assert not (table["statistic"] < table["threshold"])[2:].any()
    none = np.random.default_rng(3).poisson(20.0, size=(40, 500)).astype(float)
    assert GCATE("jic", model=model).fit(none, x).n_factors_ == 0
    assert GCATE(0, model=model).fit(none, x).transform(none).shape == (40, 0)


@families
def test_transform_is_frozen_and_close_to_the_factors(family):
    result, y, x, z, _ = usual(family)
    fitted = GCATE(2, model=GLMModel(size_factors=None)).fit(y, x)
    np.testing.assert_allclose(fitted.factors_, result.factors, atol=1e-12)
    scores = fitted.transform(y)
    assert canonical_correlations(scores, z).min() > (0.85 if family == "binomial" else 0.97)
    if family != "binomial":
        assert np.abs(scores - fitted.factors_).max() < 0.5 * np.abs(fitted.factors_).max()
    for i in (0, 20):
        np.testing.assert_allclose(fitted.transform(y[[i]]), scores[[i]], rtol=0, atol=1e-10)


def test_transform_does_not_depend_on_depth():
    """Twice the counts of a sample are twice its size and about the same scores."""
    y, x, z, _ = draw(np.random.default_rng(4), "poisson", m=500)
    fitted = GCATE(2, family="poisson").fit(y, x)
    a, b = fitted.transform(y), fitted.transform(3 * y)
    assert np.abs(a - b).max() < 0.02 * np.abs(a).max()
    assert canonical_correlations(a, z).min() > 0.95


def test_order_of_samples_and_features():
    result, y, x, _, _ = usual("negative_binomial")
    rng = np.random.default_rng(5)
    rows, columns = rng.permutation(len(x)), rng.permutation(y.shape[1])
    design = la.Design.from_arrays(x[rows])
    found = la.adjust(y[rows][:, columns], design, method=GCATE(2, model=GLMModel(size_factors=None)))
    np.testing.assert_allclose(found.tests.p_value, result.tests.p_value[columns], rtol=1e-5, atol=1e-12)
    np.testing.assert_allclose(found.factors.to_numpy(), result.factors.to_numpy()[rows], atol=1e-6)


def test_block_width_and_threads():
    result, y, x, _, _ = usual("negative_binomial")
    with la.pass_options(width=37, n_threads=2):
        found = la.adjust(y, la.Design.from_arrays(x), method=GCATE(2, model=GLMModel(size_factors=None)))
    np.testing.assert_allclose(found.tests.p_value, result.tests.p_value, rtol=1e-7)


def test_constant_and_empty_features_stay():
    _, y, x, _, _ = usual("negative_binomial")
    wide = np.column_stack([np.zeros(len(x)), y, np.full(len(x), 3.0)])
    result = la.adjust(wide, la.Design.from_arrays(x), method=GCATE(2))
    status = result.tidy()["status"]
    assert status.iloc[0] == status.iloc[-1] == "constant"
    assert (status.iloc[1:-1] == "ok").all()
    assert np.isfinite(result.tests.p_value[1:-1]).all()


def test_several_primary_columns_and_none():
    _, y, x, _, _ = usual("negative_binomial")
    rng = np.random.default_rng(6)
    two = la.adjust(y, la.Design.from_arrays(np.column_stack([x, rng.normal(size=len(x))])), method=GCATE(2))
    assert two.tests.p_value.shape == (y.shape[1], 2)
    assert np.isfinite(two.tests.p_value).all()
    joint = two.tidy(joint=True)
    assert np.isfinite(joint["p_value"]).all()
    free = GCATE(2).fit(y)
    assert free.factors_.shape == (len(x), 2)


def test_link_undoes_attenuation():
    """Loadings with errors whose size varies over features: least squares is pulled towards zero, the link is not."""
    rng = np.random.default_rng(7)
    m, omega = 20_000, 0.5
    error = rng.uniform(0.05, 0.6, size=m)
    truth = rng.normal(size=(m, 1))
    shared = 0.3 * error
    covariance = np.stack([np.stack([error, shared], 1), np.stack([shared, error], 1)], 1)
    noise = np.einsum("mij,mj->mi", np.linalg.cholesky(covariance), rng.normal(size=(m, 2)))
    joint = JointEffects(omega * truth + noise[:, :1], truth + noise[:, 1:], covariance, np.ones(m, dtype=bool))
    link = estimate_link(joint, np.eye(1))
    assert link.omega[0, 0] == pytest.approx(omega, abs=4 * np.sqrt(link.covariance[0, 0, 0, 0]))
    plain = float((joint.effects * joint.loadings).sum() / (joint.loadings**2).sum())
    assert abs(plain - omega) > 3 * abs(link.omega[0, 0] - omega)


def test_model_and_family_are_checked():
    y, x = np.random.default_rng(8).poisson(5, size=(10, 30)).astype(float), np.repeat([0, 1], 5)
    with pytest.raises(MethodError, match="GLMModel"):
        GCATE(1, model=LinearModel()).fit(y, x)
    with pytest.raises(MethodError, match="binomial"):
        GCATE(1, family="beta").fit(y, x)
    copy = clone(GCATE(3, family="poisson", model=GLMModel("poisson")))
    assert (copy.n_factors, copy.family, copy.model.family) == (3, "poisson", "poisson")


def null_levels(family, confounding, n, n_studies, share=0.0):
    """Type-I error, false discovery proportion and power of GCATE and of the model that knows the factors."""
    cells = {"oracle": [], "gcate": []}
    for seed in range(n_studies):
        y, x, z, beta = draw(np.random.default_rng(seed), family, n=n, confounding=confounding, share=share)
        model = GLMModel(size_factors=None)
        runs = {
            "oracle": (la.Design.from_arrays(x, z), la.NoFactors(model=model)),
            "gcate": (la.Design.from_arrays(x), GCATE(model=model)),
        }
        for name, (design, method) in runs.items():
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                p = la.adjust(y, design, method=method).tests.p_value[:, 0]
            hits, true = adjust_pvalues(p) <= 0.1, beta != 0
            false = np.sum(hits & ~true) / max(hits.sum(), 1)
            cells[name].append([np.mean(p[~true] < 0.05), false, np.mean(hits[true]) if true.any() else np.nan])
    return {name: np.mean(values, axis=0) for name, values in cells.items()}


@pytest.mark.slow
@pytest.mark.parametrize("confounding", [0.0, 0.5])
@families
def test_type_one_error(family, confounding, capsys):
    """Ten studies of 800 features without any effect; the standard error is about 0.0025."""
    found = null_levels(family, confounding, 60 if family == "binomial" else 40, 10)
    with capsys.disabled():
        print(f"\n{family}, R2 {confounding}: " + ", ".join(f"{k} {v[0]:.4f}" for k, v in found.items()))
    assert 0.04 <= found["gcate"][0] <= 0.06


@pytest.mark.slow
def test_false_discoveries_and_power(capsys):
    found = null_levels("negative_binomial", 0.5, 40, 10, share=0.1)
    with capsys.disabled():
        print("\n" + ", ".join(f"{k} {np.round(v, 4)}" for k, v in found.items()))
    assert found["gcate"][1] <= 0.13
    assert found["gcate"][2] >= 0.95 * found["oracle"][2]
