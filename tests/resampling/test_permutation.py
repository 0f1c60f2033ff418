"""Permutation tests: what is compared with what, and the level of every scheme with and without confounding."""

from __future__ import annotations

import warnings

import numpy as np
import pandas as pd
import pytest

import latentadj as la
from latentadj.core.passes import pass_options
from latentadj.estimators import AdjustedRegression
from latentadj.exceptions import FactorIsPrimaryWarning, InputError, MethodError
from latentadj.factors import CATE
from latentadj.models.robust import RobustLinearModel
from latentadj.resampling import permutation_test
from latentadj.simulation import Scenario, simulate

SCHEMES = ("freedman_lane", "sign_flip", "rotation", "labels")
NULL = Scenario(n_samples=24, n_features=200, n_factors=1, effect_share=0.0)


@pytest.fixture(scope="module")
def study() -> tuple[np.ndarray, pd.DataFrame]:
    """Three groups, a covariate, and a feature that does not vary."""
    X = simulate(Scenario(n_samples=24, n_features=120, n_factors=1), 1).X.copy()
    X[:, 7] = 3.0
    return X, pd.DataFrame({"group": np.repeat(["a", "b", "c"], 8), "age": 20.0 + 7 * np.arange(24) % 41})


@pytest.fixture(scope="module")
def plain(study) -> la.AdjustmentResult:
    return la.adjust(study[0], "~ group | age", study[1], method="none")


@pytest.mark.parametrize("scheme", SCHEMES)
def test_without_factors_the_statistics_are_those_of_the_result(plain, scheme: str) -> None:
    found = permutation_test(plain, n_permutations=199, scheme=scheme)
    varies = np.arange(120) != 7
    np.testing.assert_allclose(found.statistic[varies], plain.tests.statistic[varies], rtol=1e-9)
    for p_value in (found.p_value, found.p_pooled, found.p_max):
        assert np.isnan(p_value[7]).all()
        assert ((p_value[varies] > 0) & (p_value[varies] <= 1)).all()
    assert found.p_value[varies].min() >= 1 / 200
    assert (found.p_max[varies] >= found.p_value[varies] - 1e-12).all()
    # normal noise: the same p-values up to the error of 199 draws, 0.035 at most for a feature's own
    assert np.abs(found.p_value - plain.tests.p_value)[varies].mean() < 0.04
    assert np.abs(found.p_pooled - plain.tests.p_value)[varies].mean() < 0.02


def test_joint_tests_of_a_term(plain) -> None:
    found = permutation_test(plain, n_permutations=199, joint=True)
    table = plain.tidy(joint=True)
    assert found.names == ("group",)
    varies = np.arange(120) != 7
    np.testing.assert_allclose(found.statistic[varies, 0] ** 2, table["statistic"][varies], rtol=1e-9)
    assert np.abs(found.p_pooled[varies, 0] - table["p_value"][varies]).mean() < 0.02


def test_with_factors_held(study) -> None:
    """The statistic is that of the refit without the error of the link."""
    result = la.adjust(study[0], "~ group | age", study[1], method="cate", n_factors=1)
    found = permutation_test(result, n_permutations=19)
    known = la.core.regression.fit_regression(result.matrix, result.full_design.matrix)
    prior = result.tests.prior
    error = np.sqrt(prior.s2_post[:, None] * np.diag(known.cov_unscaled))[:, 2:4]
    varies = np.arange(120) != 7
    np.testing.assert_allclose(found.statistic[varies], (result.fit.coef[:, 2:4] / error)[varies], rtol=1e-8)


def test_sample_weights_are_kept(study) -> None:
    weights = np.linspace(0.5, 2.0, 24)
    result = la.adjust(study[0], "~ group | age", study[1], method="none", sample_weights=weights)
    found = permutation_test(result, n_permutations=19)
    varies = np.arange(120) != 7
    np.testing.assert_allclose(found.statistic[varies], result.tests.statistic[varies], rtol=1e-8)


def test_robust_errors_are_kept(study) -> None:
    labels = np.arange(24) // 2
    result = la.adjust(study[0], "~ group | age", study[1], method="none", model=RobustLinearModel(clusters=labels))
    found = permutation_test(result, n_permutations=39, scheme="sign_flip", within=labels)
    varies = np.arange(120) != 7
    np.testing.assert_allclose(found.statistic[varies], result.tests.statistic[varies], rtol=1e-8)
    with pytest.raises(MethodError, match="sign_flip"):
        permutation_test(result, n_permutations=9, scheme="rotation")
    with pytest.raises(MethodError, match="one by one"):
        permutation_test(result, n_permutations=9, joint=True)


def test_the_same_seed_gives_the_same_answer(plain) -> None:
    first = permutation_test(plain, n_permutations=50, random_state=3)
    with pass_options(width=17, n_threads=1):
        again = permutation_test(plain, n_permutations=50, random_state=3)
    other = permutation_test(plain, n_permutations=50, random_state=4)
    np.testing.assert_array_equal(first.p_value, again.p_value)
    assert np.nanmax(np.abs(first.p_value - other.p_value)) > 0


def test_the_order_of_features_does_not_matter(study, plain) -> None:
    order = np.random.default_rng(0).permutation(120)
    moved = la.adjust(study[0][:, order], "~ group | age", study[1], method="none")
    first, again = (permutation_test(r, n_permutations=50) for r in (plain, moved))
    np.testing.assert_allclose(again.p_max, first.p_max[order], rtol=1e-12)


def test_draws_in_parts_are_draws_at_once(plain, monkeypatch) -> None:
    """Rotations and permutations come from one stream, whatever fits into memory."""
    import latentadj.resampling.held as held

    whole = permutation_test(plain, n_permutations=40, scheme="sign_flip")
    monkeypatch.setattr(held, "STATISTICS_BYTES", 8 * 120 * 7)
    parts = permutation_test(plain, n_permutations=40, scheme="sign_flip")
    assert held.chunks(40, 120) == [7, 7, 7, 7, 7, 5]
    np.testing.assert_array_equal(parts.p_value, whole.p_value)


def test_tidy(plain) -> None:
    found = permutation_test(plain, n_permutations=99)
    table = found.tidy()
    assert list(table.columns) == ["feature", "term", "statistic", "p_value", "p_pooled", "p_max", "p_adjusted"]
    assert len(table) == 240
    one = found.tidy("group[T.b]", kind="pooled", p_adjust="bonferroni")
    np.testing.assert_allclose(one["p_adjusted"], np.minimum(one["p_pooled"] * 119, 1.0))
    top = found.tidy("group[T.b]", kind="max")
    np.testing.assert_array_equal(top["p_adjusted"], top["p_max"])
    assert "99 refits" in repr(found)
    with pytest.raises(InputError, match="not tested"):
        found.tidy("age")
    with pytest.raises(MethodError, match="pooled"):
        found.tidy(kind="all")


@pytest.mark.parametrize("scheme", SCHEMES)
def test_whole_analyses(scheme: str) -> None:
    study, seen = simulate(NULL, 0), []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FactorIsPrimaryWarning)
        found = permutation_test(
            study.X,
            study.design,
            method="cate",
            n_permutations=12,
            scheme=scheme,
            rerun=True,
            progress=lambda done, of: seen.append((done, of)),
        )
    assert seen == [(i + 1, 12) for i in range(12)]
    assert (found.n_factors == found.result.n_factors).all()
    assert found.result.n_factors == 1
    p_value = found.result.tests.p_value
    assert np.corrcoef(found.p_pooled[:, 0], p_value[:, 0])[0, 1] > 0.98
    assert "12 whole analyses" in repr(found)


def test_whole_analyses_of_an_estimator(study) -> None:
    """Names, groups and weights go along; the number of factors is chosen anew where that is asked for."""
    X, table = study
    table = table.set_axis([f"s{i}" for i in range(24)])
    frame = pd.DataFrame(X[:, 10:], index=table.index, columns=[f"g{j}" for j in range(110)])
    front = AdjustedRegression(CATE(), formula="~ group | age", sample_weights="quality")
    found = permutation_test(
        frame.sample(frac=1, random_state=0), None, table, estimator=front, rerun=True, n_permutations=4, joint=True,
        reestimate_number=True,
    )  # fmt: skip
    assert found.names == ("group",)
    assert found.n_factors.shape == (4,)
    assert list(found.feature_ids) == list(frame.columns)
    assert ((found.p_value * 5) % 1 < 1e-9).all()


def test_a_whole_analysis_keeps_the_confounding_in_its_draws() -> None:
    """With Freedman and Lane's scheme the plain regression of a draw is as wrong as that of the data."""
    from latentadj.resampling.replicates import null_replicates

    study = simulate(Scenario(n_samples=60, n_features=400, n_factors=1, effect_share=0.0), 5)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FactorIsPrimaryWarning)
        result = la.adjust(study.X, study.design, method="cate", n_factors=1)
    draw = null_replicates(result, "freedman_lane", None).draw(np.random.default_rng(0))
    naive = la.adjust(draw, study.design, method="none")
    assert np.mean(naive.tests.p_value < 0.05) > 0.3
    same = np.corrcoef(naive.tests.estimate[:, 0], result.unadjusted_tests.estimate[:, 0])[0, 1]
    assert same > 0.9
    left = draw - result.matrix.values.mean(axis=0)
    assert np.var(left) == pytest.approx(np.var(study.X - study.X.mean(axis=0)), rel=0.05)


@pytest.mark.parametrize(
    ("options", "error", "words"),
    [
        ({"scheme": "shuffle"}, MethodError, "freedman_lane"),
        ({"n_permutations": 0}, InputError, "at least one"),
        ({"within": "plate"}, InputError, "no column"),
        ({"within": [1, 2]}, InputError, "24 samples"),
        ({"rerun": True}, InputError, "estimator="),
        ({"method": "cate"}, MethodError, "done already"),
    ],
)
def test_what_is_refused(plain, options: dict, error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words):
        permutation_test(plain, **{"n_permutations": 9, **options})


def test_a_stored_result_has_no_data(plain, tmp_path) -> None:
    plain.save(tmp_path / "study")
    with pytest.raises(InputError, match="does not hold its data"):
        permutation_test(la.load_result(tmp_path / "study"), n_permutations=9)


def test_counts_can_be_permuted_by_label_only() -> None:
    rng = np.random.default_rng(0)
    counts = rng.negative_binomial(5, 0.05, size=(16, 60))
    design = la.Design.from_arrays(np.repeat([0, 1], 8))
    options = {"method": "none", "model": la.GLMModel("negative_binomial")}
    with pytest.raises(MethodError, match="labels"):
        permutation_test(counts, design, n_permutations=3, **options)
    with pytest.raises(MethodError, match="labels"):
        permutation_test(counts, design, n_permutations=3, rerun=True, **options)
    found = permutation_test(counts, design, n_permutations=3, scheme="labels", rerun=True, **options)
    assert np.isin(np.round(found.p_value * 4), [1, 2, 3, 4]).all()


@pytest.mark.slow
@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("method", ["none", "cate"])
def test_level_under_confounding(scheme: str, method: str, capsys) -> None:
    """Two hidden factors, R2 0.5 with the primary variable, nothing true: no scheme repairs an analysis with them left
    in, all are right for one that removes them. 6 studies of 300 features, 29 whole analyses each, pooled p-values."""
    scenario = Scenario(n_samples=40, n_features=300, n_factors=2, effect_share=0.0)
    levels = []
    for seed in range(6):
        study = simulate(scenario, [seed, 1])
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", FactorIsPrimaryWarning)
            found = permutation_test(
                study.X, study.design, method=method, scheme=scheme, rerun=True, n_permutations=29, random_state=seed
            )
        levels.append(np.mean(found.p_pooled < 0.05))
    with capsys.disabled():
        print(f"\n{method}, {scheme}: {np.mean(levels):.3f}")
    if method == "none":
        assert np.mean(levels) > 0.3
    else:
        assert 0.035 <= np.mean(levels) <= 0.065


@pytest.mark.slow
@pytest.mark.parametrize("scheme", SCHEMES)
def test_family_wise_level_with_correlated_features(scheme: str, capsys) -> None:
    """Known design, noise correlated in blocks: 300 studies, standard error 0.013."""
    scenario = Scenario(
        n_samples=16, n_features=80, n_factors=0, confounding=0.0, effect_share=0.0, noise_correlation=0.7
    )
    hits = []
    for seed in range(300):
        study = simulate(scenario, [seed, 2])
        result = la.adjust(study.X, study.design, method="none")
        found = permutation_test(result, n_permutations=99, scheme=scheme, random_state=seed)
        hits.append(bool((found.p_max <= 0.05).any()))
    with capsys.disabled():
        print(f"\nfamily-wise, {scheme}: {np.mean(hits):.3f}")
    assert 0.02 <= np.mean(hits) <= 0.09
