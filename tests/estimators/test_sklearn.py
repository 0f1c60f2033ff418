"""scikit-learn's own checks of every estimator, and the tools people combine them with."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy import sparse
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline, make_union
from sklearn.utils.estimator_checks import parametrize_with_checks

import latentadj as la
from latentadj.factors import METHODS

pytestmark = pytest.mark.filterwarnings("ignore::latentadj.LatentAdjWarning")


def as_scikit_learn_tries_it(method: type) -> la.LatentFactorEstimator:
    """The method's defaults; where it needs controls, one, and no factors where one control cannot carry any."""
    options: dict[str, object] = {}
    if "controls" in method.method_info.needs:
        options["controls"] = [0]
    if "number_as_asked" in method.method_info.not_promised:
        options["n_factors"] = 0
    return method(**options)


#: All methods but those that need replicates, of which scikit-learn's checks give none.
TRANSFORMERS = [
    *(as_scikit_learn_tries_it(method) for method in METHODS if "replicates" not in method.method_info.needs),
    la.LatentAdjuster(),
]


@parametrize_with_checks([*TRANSFORMERS, la.AdjustedRegression()])
def test_scikit_learn_checks(estimator, check) -> None:
    check(estimator)


def study(
    n_samples: int = 60, *, seed: int = 0, known: float = 1.0, n_features: int = 80
) -> tuple[pd.DataFrame, np.ndarray, pd.DataFrame]:
    """Features that follow a class, a hidden factor and two covariates; the class; the covariates."""
    rng = np.random.default_rng(seed)
    y = np.tile([0, 1], n_samples // 2)
    covariates = pd.DataFrame({"age": rng.normal(50, 10, n_samples), "sex": np.tile(["f", "f", "m"], n_samples // 3)})
    hidden = rng.normal(size=n_samples)
    X = (
        np.outer(hidden, 3 * rng.normal(size=n_features))
        + np.outer(y, np.where(np.arange(n_features) < 16, 1.0, 0.0))
        + np.outer((covariates["age"] - 50) / 10, known * rng.normal(size=n_features))
        + rng.normal(size=(n_samples, n_features))
    )
    return pd.DataFrame(X, columns=[f"g{i}" for i in range(n_features)]), y, covariates


class TestPipelines:
    GRID = {"latentadjuster__factors__n_factors": [0, 1, 2]}

    def test_grid_search_over_the_number_of_factors(self) -> None:
        X, y, _ = study()
        pipeline = make_pipeline(la.LatentAdjuster(la.SVA()), LogisticRegression())
        search = GridSearchCV(pipeline, self.GRID, scoring="roc_auc", error_score="raise").fit(X, y)
        scores, best = search.cv_results_["mean_test_score"], search.best_params_
        assert scores.min() > 0.7
        assert len(set(scores)) > 1  # the parameter arrives
        chosen = best["latentadjuster__factors__n_factors"]
        assert search.best_estimator_["latentadjuster"].factors_.n_factors_ == chosen
        alone = cross_val_score(LogisticRegression(), X, y, scoring="roc_auc")
        assert scores[0] == pytest.approx(alone.mean(), abs=1e-12)  # no factors: the data as they are

    def test_grid_search_with_covariates_among_the_columns(self) -> None:
        X, y, covariates = study()
        adjuster = la.LatentAdjuster(la.SVA(), covariates=["age", "sex"], remove_covariates=True)
        adjuster.set_output(transform="pandas")
        search = GridSearchCV(
            make_pipeline(adjuster, LogisticRegression()), self.GRID, scoring="roc_auc", error_score="raise"
        )
        search.fit(X.join(covariates), y)
        assert np.isfinite(search.cv_results_["mean_test_score"]).all()
        adjusted = search.best_estimator_["latentadjuster"].transform(X.join(covariates))
        assert list(adjusted.columns) == list(X.columns)
        assert list(search.best_estimator_["logisticregression"].feature_names_in_) == list(X.columns)
        assert search.predict(X.join(covariates)).shape == (60,)

    def test_the_method_itself_can_be_searched(self) -> None:
        X, y, _ = study(120, known=0.0)
        grid = {"latentadjuster__factors": [la.SVA(1), la.ResidualPCA(1), la.CATE(1), la.NoFactors()]}
        pipeline = make_pipeline(la.LatentAdjuster(), KNeighborsClassifier(7))
        search = GridSearchCV(pipeline, grid, scoring="roc_auc", error_score="raise")
        scores = search.fit(X, y).cv_results_["mean_test_score"]
        assert np.isfinite(scores).all()
        assert scores[:3].min() > scores[3]

    @pytest.mark.parametrize("method", [la.SVA(1), la.CATE(1), la.ResidualPCA(1)], ids=lambda m: type(m).__name__)
    def test_cross_validation_beats_no_adjustment(self, method: la.LatentFactorEstimator) -> None:
        """Distances between samples are those of the hidden factor, until it is removed."""
        X, y, _ = study(120, known=0.0)
        adjusted = cross_val_score(make_pipeline(la.LatentAdjuster(method), KNeighborsClassifier(7)), X, y, cv=5)
        plain = cross_val_score(KNeighborsClassifier(7), X, y, cv=5)
        assert adjusted.shape == (5,)
        assert adjusted.mean() > plain.mean() + 0.1

    def test_scores_as_extra_features(self) -> None:
        X, y, _ = study()
        union = make_union(la.SVA(2), la.ResidualPCA(1)).set_output(transform="pandas")
        columns = union.fit(X, y).transform(X).columns
        assert list(columns) == ["sva__sva0", "sva__sva1", "residualpca__residualpca0"]


class TestLatentAdjuster:
    @pytest.fixture
    def adjuster(self) -> la.LatentAdjuster:
        X, y, covariates = study()
        method = la.LatentAdjuster(la.SVA(1), covariates=["age", "sex"])
        return method.fit(X.join(covariates), y)

    def test_one_sample_is_its_row_of_the_batch(self, adjuster: la.LatentAdjuster) -> None:
        X, _, covariates = study(seed=1)
        new = X.join(covariates)
        batch = adjuster.transform(new)
        assert batch.shape == X.shape
        for i in (0, 13, 59):
            np.testing.assert_allclose(adjuster.transform(new.iloc[[i]])[0], batch[i], rtol=0, atol=1e-12)

    def test_output_keeps_names_and_index(self, adjuster: la.LatentAdjuster) -> None:
        X, _, covariates = study(seed=1)
        new = X.join(covariates).set_axis([f"s{i}" for i in range(60)], axis=0)
        table = clone(adjuster).set_output(transform="pandas").fit(new, study()[1]).transform(new)
        assert list(table.columns) == list(X.columns)
        assert list(table.index) == list(new.index)
        assert list(adjuster.get_feature_names_out()) == list(X.columns)

    def test_what_is_subtracted_is_scores_times_loadings(self, adjuster: la.LatentAdjuster) -> None:
        """Effects of the class and of the covariates stay; with remove_covariates the latter go too."""
        X, y, covariates = study()
        new = X.join(covariates)
        removed = X.to_numpy() - adjuster.transform(new)
        assert np.linalg.matrix_rank(removed, tol=1e-8) == 1
        direction = np.linalg.svd(removed, full_matrices=False)[2][0]
        loadings = adjuster.factors_.loadings_[:, 0]
        assert abs(direction @ loadings) == pytest.approx(np.linalg.norm(loadings), rel=1e-9)
        both = la.LatentAdjuster(la.SVA(1), covariates=["age", "sex"], remove_covariates=True).fit(new, y)
        design = np.column_stack([np.ones(60), covariates["age"], covariates["sex"] == "m", y])
        kept = np.linalg.lstsq(design, adjuster.transform(new))[0]
        gone = np.linalg.lstsq(design, both.transform(new))[0]
        assert np.abs(gone[1:3]).max() < 0.2 * np.abs(kept[1:3]).max()
        np.testing.assert_allclose(gone[3], kept[3], atol=0.2)

    def test_no_factors_change_nothing(self) -> None:
        X, y, _ = study()
        np.testing.assert_array_equal(la.LatentAdjuster(la.NoFactors()).fit(X, y).transform(X), X)

    def test_parameters_reach_the_method_and_clones_are_apart(self, adjuster: la.LatentAdjuster) -> None:
        copy = clone(adjuster).set_params(factors__n_factors=2, covariates=None)
        assert (copy.factors.n_factors, adjuster.factors.n_factors) == (2, 1)
        assert not hasattr(copy, "factors_")
        X, y, _ = study()
        assert copy.fit(X, y).factors_.n_factors_ == 2
        assert copy.factors is not copy.factors_
        assert not hasattr(copy.factors, "factors_")

    def test_missing_values_are_refused(self, adjuster: la.LatentAdjuster) -> None:
        X, _, covariates = study(seed=1)
        X.iloc[3, 4] = np.nan
        with pytest.raises(la.exceptions.InputError, match="NaN"):
            adjuster.transform(X.join(covariates))

    @pytest.mark.parametrize(
        ("change", "message"),
        [
            (lambda new: new.drop(columns="age"), "age"),
            (lambda new: new.drop(columns="g3"), "feature names should match"),
            (lambda new: new.rename(columns={"g0": "other"}), "feature names should match"),
            (lambda new: new.to_numpy(), "DataFrame"),
        ],
    )
    def test_other_columns_are_refused(self, adjuster: la.LatentAdjuster, change, message: str) -> None:
        X, _, covariates = study(seed=1)
        with pytest.raises(la.exceptions.InputError, match=message):
            adjuster.transform(change(X.join(covariates)))


class TestAdjustedRegression:
    def test_nested_parameters(self) -> None:
        front = la.AdjustedRegression(la.SVA(), formula="~ x | age").set_params(factors__n_factors=2)
        assert front.get_params()["factors__n_factors"] == 2
        assert clone(front).factors.n_factors == 2

    def test_fit_returns_self_and_gives_what_adjust_gives(self) -> None:
        X, y, covariates = study()
        table = covariates.assign(y=y)
        front = la.AdjustedRegression(la.CATE(1), formula="~ y | age + sex")
        assert front.fit(X, sample_data=table) is front
        assert front.factors is not front.factors_
        expected = la.adjust(X, "~ y | age + sex", table, method="cate", n_factors=1)
        pd.testing.assert_frame_equal(front.result_.tidy(), expected.tidy(), check_exact=True)

    def test_y_is_the_primary_variable_without_a_formula(self) -> None:
        X, y, _ = study()
        result = la.AdjustedRegression(la.CATE(1)).fit(X, y).result_
        expected = la.adjust(X, "~ y", pd.DataFrame({"y": y}), method="cate", n_factors=1)
        np.testing.assert_allclose(result.tests.p_value, expected.tests.p_value, rtol=1e-12)

    def test_sparse_matrices_give_the_dense_answer(self) -> None:
        X, y, _ = study()
        values = np.where(np.abs(X) < 1, 0.0, X)
        dense = la.AdjustedRegression(la.CATE(1)).fit(values, y).result_
        thin = la.AdjustedRegression(la.CATE(1)).fit(sparse.csr_array(values), y).result_
        pd.testing.assert_frame_equal(thin.tidy(), dense.tidy(), check_exact=True)
