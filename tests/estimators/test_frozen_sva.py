"""Frozen SVA against fsva of sva 3.46.0, and its three rules.

Largest errors over sim1, sim2 and bladderbatch: scores of new samples 2.1e-9 (sim2, with 6 training samples, whose
training factors are that far off; 2e-13 elsewhere), adjusted data 2.7e-8 on sim2 and half a unit of the tenth stored
digit elsewhere.
"""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose
from sklearn.base import clone
from sklearn.utils.estimator_checks import parametrize_with_checks

import latentadj as la
from latentadj.estimators.frozen_sva import FrozenSVA
from tests.factors.stored import stored
from tests.parity.studies import NAMES, same_signs, study

pytestmark = pytest.mark.filterwarnings("ignore::latentadj.LatentAdjWarning")


@parametrize_with_checks([FrozenSVA(), FrozenSVA(rule="sample")])
def test_scikit_learn_checks(estimator, check) -> None:
    check(estimator)


def fitted(name: str, rule: str) -> tuple[FrozenSVA, np.ndarray]:
    """A frozen SVA of the study's training samples, and the new ones."""
    data, train = study(name).data, stored(name)["fsva_train"][:, 0] == 1
    design = la.Design.from_formula(study(name).formula, data.sample_data[train])
    method = la.SVA(2, compat="sva", max_iter=5)
    return FrozenSVA(method, rule=rule).fit(data.X[train], design=design), data.X[~train]


@pytest.mark.parametrize("rule", ["exact", "fast"])
@pytest.mark.parametrize("name", NAMES)
def test_answers_of_the_package(name: str, rule: str) -> None:
    answers, (frozen, new) = stored(name), fitted(name, rule)
    sv = answers["fsva_trainsv"]
    atol = 1e-8 if name == "sim2" else 1e-12
    assert_allclose(same_signs(frozen.factors_.factors_, sv), sv, rtol=0, atol=atol)
    signs = np.sign(np.einsum("ij,ij->j", frozen.factors_.factors_, sv))
    scores = answers[f"fsva_{rule}_newsv"]
    assert_allclose(frozen.scores(new) * signs, scores, rtol=0, atol=atol)
    tolerance = {"rtol": 0, "atol": 1e-7 if name == "sim2" else 1e-8}
    assert_allclose(frozen.adjusted_training_[:, :100].T, answers[f"fsva_{rule}_db"], **tolerance)
    assert_allclose(frozen.transform(new)[:, :100].T, answers[f"fsva_{rule}_new"], **tolerance)


def test_exact_rule_is_a_decomposition_with_the_new_sample() -> None:
    """Each new sample appended to the training set: weighted, centred features, last entry of each component."""
    frozen, new = fitted("sim2", "exact")
    data, train = study("sim2").data, stored("sim2")["fsva_train"][:, 0] == 1
    weights, factors = frozen.factors_.estimate_.feature_weights, frozen.factors_.factors_
    for i, sample in enumerate(new):
        both = np.vstack([data.X[train], sample]) * weights
        vectors = np.linalg.svd(both - both.mean(axis=0), full_matrices=False)[0][:, :2]
        signs = np.sign([np.corrcoef(vectors[:-1, j], factors[:, j])[0, 1] for j in range(2)])
        assert_allclose(frozen.scores(new)[i], vectors[-1] * signs, rtol=0, atol=1e-11)


@pytest.mark.parametrize("rule", ["exact", "sample"])
def test_a_sample_does_not_depend_on_its_companions(rule: str) -> None:
    frozen, new = fitted("sim1", rule)
    batch = frozen.transform(new)
    for i in (0, 11):
        assert_allclose(frozen.transform(new[[i]])[0], batch[i], rtol=0, atol=1e-12)


def test_fast_rule_depends_on_companions_and_refuses_one_sample() -> None:
    frozen, new = fitted("sim1", "fast")
    assert np.abs(frozen.transform(new[:5])[0] - frozen.transform(new)[0]).max() > 1e-3
    with pytest.raises(la.exceptions.InputError, match="1 sample"):
        frozen.transform(new[:1])


def test_sample_rule_is_the_adjusters() -> None:
    data = study("sim1").data
    y = data.sample_data["x"].to_numpy()
    frozen = FrozenSVA(la.SVA(2), rule="sample").fit(data.X, y)
    adjuster = la.LatentAdjuster(la.SVA(2)).fit(data.X, y)
    assert_allclose(frozen.transform(data.X), adjuster.transform(data.X), rtol=0, atol=1e-12)


def test_adjusted_training_data_lose_the_factors() -> None:
    data = study("sim1").data
    frozen = FrozenSVA(la.SVA(2)).fit(data.X, data.sample_data["x"].to_numpy())
    design = np.column_stack([np.ones(60), data.sample_data["x"], frozen.factors_.factors_])
    coefficients = np.linalg.lstsq(design, frozen.adjusted_training_)[0]
    assert_allclose(coefficients[2:], 0.0, atol=1e-10)
    assert_allclose(coefficients[1], np.linalg.lstsq(design, data.X)[0][1], atol=1e-10)


def test_shift_of_the_features_moves_nothing_else() -> None:
    data = study("sim1").data
    y, shift = data.sample_data["x"].to_numpy(), np.random.default_rng(0).normal(size=1000) * 50
    for rule in ("exact", "fast", "sample"):
        plain = FrozenSVA(la.SVA(2), rule=rule).fit(data.X[:40], y[:40]).transform(data.X[40:])
        moved = FrozenSVA(la.SVA(2), rule=rule).fit(data.X[:40] + shift, y[:40]).transform(data.X[40:] + shift)
        assert_allclose(moved - shift, plain, rtol=0, atol=1e-9)


def test_methods_and_rules_are_checked() -> None:
    X, y = study("sim2").data.X, study("sim2").data.sample_data["x"].to_numpy()
    with pytest.raises(la.exceptions.MethodError, match="'exact', 'fast', 'sample'"):
        FrozenSVA(rule="slow").fit(X, y)
    with pytest.raises(la.exceptions.MethodError, match="weighs features"):
        FrozenSVA(la.CATE(1)).fit(X, y)
    assert FrozenSVA(la.CATE(1), rule="sample").fit(X, y).transform(X).shape == X.shape


def test_no_factors_change_nothing_and_clones_are_apart() -> None:
    X, y = study("sim2").data.X, study("sim2").data.sample_data["x"].to_numpy()
    frozen = FrozenSVA(la.SVA(0)).fit(X, y)
    np.testing.assert_array_equal(frozen.transform(X), X)
    copy = clone(frozen).set_params(factors__n_factors=1, rule="sample")
    assert (copy.factors.n_factors, frozen.factors.n_factors) == (1, 0)
