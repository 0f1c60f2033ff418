"""scikit-learn's own checks of the transformers, and the tools people combine them with."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.utils.estimator_checks import parametrize_with_checks

from latentadj.batch import BatchEffectRemover, ComBat

pytestmark = pytest.mark.filterwarnings("ignore::latentadj.exceptions.LatentAdjWarning")


@parametrize_with_checks([ComBat(), BatchEffectRemover()])
def test_scikit_learn_checks(estimator, check) -> None:
    check(estimator)


def study() -> tuple[pd.DataFrame, np.ndarray]:
    rng = np.random.default_rng(0)
    y, codes = np.tile([0, 1], 30), np.repeat([0, 1, 2], 20)
    X = rng.normal(size=(60, 40)) + 4 * rng.normal(size=(3, 40))[codes]
    X[:, :5] += y[:, None]
    frame = pd.DataFrame(X, index=[f"s{i}" for i in range(60)]).add_prefix("g")
    return frame.assign(batch=pd.Categorical.from_codes(codes, ["a", "b", "c"]), age=rng.normal(size=60)), y


@pytest.mark.parametrize(
    ("transformer", "name"), [(ComBat("batch"), "combat"), (BatchEffectRemover("batch"), "remover")]
)
def test_grid_search_with_batches_among_the_columns(transformer, name: str) -> None:
    X, y = study()
    pipeline = make_pipeline(transformer, LogisticRegression())
    grid = {f"{pipeline.steps[0][0]}__covariates": [["age"], ["age", "age2"]]}
    X["age2"] = X["age"] ** 2
    X = X[[*X.columns.drop(["age", "age2"]), "age", "age2"]]
    search = GridSearchCV(pipeline, grid, scoring="roc_auc", error_score="raise").fit(X, y)
    assert search.cv_results_["mean_test_score"].min() > 0.7


@pytest.mark.parametrize(
    "transformer", [ComBat("batch", covariates=["age"]), BatchEffectRemover("batch", covariates=["age"])]
)
def test_output_keeps_names_and_index(transformer) -> None:
    X, _ = study()
    table = transformer.set_output(transform="pandas").fit_transform(X)
    assert list(table.columns) == [f"g{i}" for i in range(40)]
    assert list(table.index) == list(X.index)
    assert list(transformer.get_feature_names_out()) == list(table.columns)
    assert transformer.n_features_in_ == 42
