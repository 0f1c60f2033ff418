"""The contract of the Python front: what goes in, what comes out."""

import warnings

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone

import latentadj as la
from latentadj.exceptions import InputError, InvalidForTestingError, MethodError, OrthogonalFactorsWarning

TIDY = [
    *("feature", "term", "estimate", "std_error", "conf_low", "conf_high", "statistic", "df", "p_value", "p_adjusted"),
    *("mean", "n_obs", "status", "estimate_unadjusted", "p_value_unadjusted"),
]
pytestmark = pytest.mark.filterwarnings("ignore::latentadj.LatentAdjWarning")


@pytest.fixture(scope="module")
def study():
    rng = np.random.default_rng(7)
    table = pd.DataFrame(
        {"site": np.repeat(["a", "b", "c"], 12), "age": rng.normal(50, 9, 36)}, index=[f"s{i}" for i in range(36)]
    )
    hidden = rng.normal(size=36) + (table["site"] == "b")
    X = np.outer(hidden, rng.normal(size=300)) + rng.normal(size=(36, 300)) + 8
    names = [f"<g{i}>" for i in range(300)]
    return pd.DataFrame(X, index=table.index, columns=names), table


@pytest.fixture(scope="module")
def result(study):
    return la.adjust(*_arguments(study), n_factors=1)


def _arguments(study):
    return study[0], "~ site | age", study[1]


def test_tidy_columns_and_rows(result):
    table = result.tidy()
    assert list(table.columns) == TIDY
    assert len(table) == 2 * 300
    assert list(table["term"].unique()) == ["site[T.b]", "site[T.c]"]
    assert (table["conf_low"] < table["estimate"]).all()
    assert (table["status"] == "ok").all()
    assert (table["n_obs"] == 36).all()


def test_tidy_selects_terms_and_styles(result):
    one = result.tidy("site[T.c]")
    assert len(one) == 300
    pd.testing.assert_frame_equal(result.tidy("site"), result.tidy())
    limma = result.tidy("site[T.c]", style="limma")
    assert list(limma.columns) == ["logFC", "AveExpr", "t", "P.Value", "adj.P.Val", "B"]
    np.testing.assert_array_equal(limma["t"], one["statistic"])
    with pytest.raises(InputError, match="'sites' was not tested"):
        result.tidy("sites")
    with pytest.raises(MethodError, match="which="):
        result.tidy(which="raw")


def test_joint_rows_are_one_per_term_and_equal_a_brute_force_f(study):
    res = la.adjust(*_arguments(study), method="none", inference="ordinary")
    joint = res.tidy(joint=True)
    assert list(joint.columns) == [*TIDY, "df1"]
    assert (joint["term"] == "site").all()
    X, full = study[0].to_numpy(), res.design.matrix

    def rss(D):
        return ((X - D @ np.linalg.lstsq(D, X)[0]) ** 2).sum(axis=0)

    f = (rss(res.design.nuisance) - rss(full)) / 2 / (rss(full) / (36 - 4))
    np.testing.assert_allclose(joint["statistic"], f, rtol=1e-9)


def test_single_column_joint_f_is_the_square_of_t(study):
    res = la.adjust(study[0], "~ age | site", study[1], n_factors=1)
    np.testing.assert_allclose(res.tidy(joint=True)["statistic"], res.tidy()["statistic"] ** 2, rtol=1e-9)
    np.testing.assert_allclose(res.tidy(joint=True)["p_value"], res.tidy()["p_value"], rtol=1e-8)


def test_contrasts_by_level_by_coefficient_and_by_relevelling(study, result):
    direct = result.contrast("site[c] - site[b]")
    again = result.contrast("site[T.c] - site[T.b]")
    np.testing.assert_allclose(direct["estimate"], again["estimate"])
    X, _, table = _arguments(study)
    relevelled = table.assign(site=pd.Categorical(table["site"], ["b", "a", "c"]))
    plain = la.adjust(X, "~ site | age", table, method="none").contrast("site[c] - site[b]")
    other = la.adjust(X, "~ site | age", relevelled, method="none").tidy("site[T.c]")
    np.testing.assert_allclose(plain["estimate"], other["estimate"], rtol=1e-9)
    np.testing.assert_allclose(plain["p_value"], other["p_value"], rtol=1e-9)


def test_factors_loadings_and_design(study, result):
    assert result.factors.shape == (36, 1)
    assert list(result.factors.index) == list(study[0].index)
    assert result.loadings.shape == (300, 1)
    assert result.loadings.to_numpy()[np.abs(result.loadings.to_numpy()).argmax()] > 0
    assert result.design.roles == ("nuisance", "nuisance", "primary", "primary")
    assert result.full_design.roles[-1] == "factor"
    assert set(result.confounding.table().columns) >= {"p_value", "r2", "variance_inflation"}
    assert result.num_factors.table()["rule"].nunique() >= 3
    assert result.n_factors == 1


def test_top_is_sorted_and_ties_are_broken_by_size():
    rng = np.random.default_rng(0)
    y = np.repeat([0.0, 1.0], 20)
    X = rng.normal(size=(40, 200)) * 1e-3
    X[:, :3] += np.outer(y, [1e12, 3e12, 2e12])
    top = la.adjust(X, y, method="none").top(3)
    assert (top["p_value"] < 1e-200).all()
    assert set(top["feature"]) == {0, 1, 2}


def test_rows_are_aligned_by_id_not_by_position(study, result):
    X, formula, table = _arguments(study)
    shuffled = la.adjust(X, formula, table.sample(frac=1, random_state=3), n_factors=1)
    pd.testing.assert_frame_equal(shuffled.tidy(), result.tidy())


@pytest.mark.parametrize("orientation", ["samples", "features"])
def test_orientation_and_arrays(study, orientation):
    X, formula, table = _arguments(study)
    given = X if orientation == "samples" else X.T
    res = la.adjust(given, formula, table, n_factors=1, orientation=orientation)
    np.testing.assert_allclose(res.tidy()["p_value"], la.adjust(X, formula, table, n_factors=1).tidy()["p_value"])


def test_designs_of_every_kind_give_the_same_numbers(study):
    X, _, table = _arguments(study)
    dummies = np.column_stack([table["site"] == "b", table["site"] == "c"]).astype(float)
    expected = la.adjust(X, "~ site", table, method="none").tidy()["p_value"]
    for given in (["site"], dummies, la.Design.from_arrays(dummies), pd.DataFrame(dummies, index=table.index)):
        np.testing.assert_allclose(la.adjust(X, given, table, method="none").tidy()["p_value"], expected)


def test_auto_says_why(study):
    X, formula, table = _arguments(study)
    few = la.adjust(X, formula, table, controls=list(X.columns[:5]))
    many = la.adjust(X, formula, table, controls=np.arange(300) < 40)
    assert (few.method, many.method) == ("cate", "ruv4")
    assert "only 5 negative controls" in few.reason
    assert "40 negative controls were given" in many.reason
    assert "no negative controls" in la.adjust(X, formula, table).reason


def test_residual_components_are_refused_for_tests_unless_insisted(study):
    with pytest.raises(InvalidForTestingError, match="allow_invalid=True"):
        la.adjust(*_arguments(study), method="residual_pca")
    with pytest.warns(OrthogonalFactorsWarning):
        res = la.adjust(*_arguments(study), method="residual_pca", n_factors=1, allow_invalid=True)
    np.testing.assert_allclose(res.tidy()["estimate"], res.tidy()["estimate_unadjusted"], rtol=1e-9)


def test_calibration_is_off_unless_asked_for_and_raw_values_stay(study):
    X, formula, table = _arguments(study)
    plain = la.adjust(X, formula, table, n_factors=1)
    calibrated = la.adjust(X, formula, table, n_factors=1, calibration="mad")
    assert plain.tests.calibration is None
    assert abs(np.median(calibrated.tidy()["statistic"][:300])) < 1e-12
    np.testing.assert_array_equal(calibrated.tidy(which="uncalibrated")["statistic"], plain.tidy()["statistic"])
    np.testing.assert_array_equal(calibrated.tidy()["estimate"], plain.tidy()["estimate"])
    assert la.adjust(X, formula, table, method=la.CATE(1, compat="cate")).tests.calibration == "mad"
    assert la.adjust(X, formula, table, method=la.CATE(1, compat="cate"), calibration="none").tests.calibration is None


def test_unknown_names_and_options_are_named(study):
    with pytest.raises(MethodError, match=r"method='svaa' is unknown; choose 'auto' or one of none, sva"):
        la.adjust(*_arguments(study), method="svaa")
    with pytest.raises(MethodError, match=r"maxiter: not an option of method 'sva'. Its options are n_factors"):
        la.adjust(*_arguments(study), method="sva", maxiter=5)
    with pytest.raises(MethodError, match="give n_factors to its constructor"):
        la.adjust(*_arguments(study), method=la.SVA(), n_factors=2)
    with pytest.raises(MethodError, match="compat='r' is unknown"):
        la.adjust(*_arguments(study), method=la.SVA(1, compat="r"))
    with pytest.raises(InputError, match="random_state='x'"):
        la.adjust(*_arguments(study), random_state="x")


def test_results_are_reproducible_and_leave_their_input_alone(study):
    X, formula, table = _arguments(study)
    before = X.copy(), table.copy()
    estimator = la.SVA(n_factors=1)
    first = la.adjust(X, formula, table, method=estimator)
    second = la.adjust(X, formula, table, method=clone(estimator))
    pd.testing.assert_frame_equal(first.tidy(), second.tidy())
    pd.testing.assert_frame_equal(X, before[0])
    pd.testing.assert_frame_equal(table, before[1])
    assert not hasattr(estimator, "factors_")


def test_warnings_are_issued_once_and_kept(study):
    X, formula, table = _arguments(study)
    X = X.assign(flat=3.0)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        res = la.adjust(X, formula, table, n_factors=1)
    kept = [text for text in res.warnings if text.startswith("ConstantFeaturesWarning")]
    assert len(kept) == 1
    assert sum(w.category.__name__ == "ConstantFeaturesWarning" for w in caught) == 1
    row = res.tidy("site[T.b]").iloc[-1]
    assert (row["feature"], row["status"]) == ("flat", "constant")
    assert np.isnan(row["p_value"])


def test_notebook_card_escapes_and_names_the_essentials(result):
    card = result._repr_html_()
    assert "<g" not in card
    assert "&lt;g" in card
    assert "Confounding" in card
    assert "300 features" in repr(result)


def test_manifest_tells_data_apart_and_records_the_run(study, result):
    X, formula, table = _arguments(study)
    other = la.adjust(X + 1e-3, formula, table, n_factors=1)
    assert other.manifest["data_fingerprint"] != result.manifest["data_fingerprint"]
    assert result.manifest["parameters"]["random_state"] == "0"
    assert set(result.manifest["versions"]) >= {"latentadj", "numpy", "scipy"}


def test_principal_components_before_and_after(study, result):
    before, after = result.principal_components("before"), result.principal_components("after")
    centred = study[0].to_numpy() - study[0].to_numpy().mean(axis=0)
    u, s, _ = np.linalg.svd(centred, full_matrices=False)
    np.testing.assert_allclose(np.abs(before.scores), np.abs(u[:, :2] * s[:2]), rtol=1e-6, atol=1e-8)
    assert after.shares[0] < before.shares[0]
