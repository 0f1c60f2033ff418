"""Adjusters inside cross-validation: nothing of the test samples, and no label, reaches what is learnt."""

from __future__ import annotations

import warnings
from typing import Any, ClassVar

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, GroupKFold, StratifiedKFold, cross_val_predict, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler

from latentadj.batch import BatchEffectRemover, ComBat, ComBatSeq
from latentadj.batch.checks import TargetLeakageWarning, warn_of_leaking_target
from latentadj.exceptions import DesignError
from tests.reference_data import load_reference, sim1

pytestmark = pytest.mark.filterwarnings("ignore::latentadj.exceptions.LatentAdjWarning")

TRANSFORMERS = {
    "ComBat": ComBat("batch", covariates=["age"]),
    "ComBat, non-parametric": ComBat("batch", covariates=["age"], parametric=False),
    "ComBat, mean only": ComBat("batch", mean_only=True),
    "ComBat, reference": ComBat("batch", covariates=["age"], reference="b"),
    "ComBat, as in R": ComBat("batch", covariates=["age"], compat="combat-r"),
    "BatchEffectRemover": BatchEffectRemover("batch", covariates=["age"]),
    "ComBatSeq": ComBatSeq("batch", covariates=["age"]),
}


def study(seed: int = 0, counts: bool = False, n: int = 60, m: int = 40) -> tuple[pd.DataFrame, np.ndarray]:
    """Three batches with shifts and spreads; the outcome moves the first five features; unbalanced over batches."""
    rng = np.random.default_rng(seed)
    codes = np.arange(n) % 3
    y = (rng.uniform(size=n) < np.array([0.3, 0.5, 0.7])[codes]).astype(int)
    X = 1.2 * rng.normal(size=(3, m))[codes] + rng.normal(size=(n, m)) * np.array([0.5, 1.0, 1.5])[codes][:, None]
    X[:, :5] += 1.5 * y[:, None]
    if counts:
        X = rng.poisson(np.exp(4 + 0.3 * X)).astype(float)
    frame = pd.DataFrame(X, index=[f"s{i}" for i in range(n)]).add_prefix("g")
    return frame.assign(batch=np.array(["a", "b", "c"])[codes], age=rng.normal(40, 9, size=n)), y


def data_for(transformer: Any, seed: int = 0) -> tuple[pd.DataFrame, np.ndarray]:
    return study(seed, counts=isinstance(transformer, ComBatSeq))


def pipeline(transformer: Any) -> Any:
    columns = [] if transformer.covariates else [FunctionTransformer(lambda X: X.drop(columns="age"))]
    logs = [FunctionTransformer(np.log1p)] if isinstance(transformer, ComBatSeq) else []
    return make_pipeline(*columns, clone(transformer), *logs, StandardScaler(), LogisticRegression(C=0.1))


@pytest.fixture(params=TRANSFORMERS, name="transformer")
def _transformer(request: pytest.FixtureRequest) -> Any:
    return TRANSFORMERS[request.param]


class Spy(ComBat):
    """Writes down whose rows and labels it is shown."""

    fits: ClassVar[list[tuple[list[str], list[Any]]]] = []
    transforms: ClassVar[list[list[str]]] = []

    def fit(self, X: Any, y: Any = None, *, batch: Any = None, covariates: Any = None) -> Spy:
        self.fits.append((list(X.index), [] if y is None else list(y)))
        return super().fit(X, y, batch=batch, covariates=covariates)

    def transform(self, X: Any, *, batch: Any = None, covariates: Any = None) -> Any:
        self.transforms.append(list(X.index))
        return super().transform(X, batch=batch, covariates=covariates)


@pytest.mark.parametrize("scoring", ["roc_auc", "accuracy", "neg_log_loss"])
def test_named_scorers(transformer: Any, scoring: str) -> None:
    X, y = data_for(transformer)
    scores = cross_val_score(pipeline(transformer), X, y, cv=4, scoring=scoring, error_score="raise")
    assert np.isfinite(scores).all()
    assert scoring != "roc_auc" or scores.mean() > 0.75


def test_grid_search_over_settings_of_the_adjuster() -> None:
    X, y = study()
    grid = {"combat__mean_only": [False, True], "combat__covariates": [["age"]], "combat__parametric": [True, False]}
    search = GridSearchCV(pipeline(ComBat("batch", covariates=["age"])), grid, scoring="roc_auc", error_score="raise")
    search.fit(X, y)
    assert len(search.cv_results_["params"]) == 4
    assert search.best_score_ > 0.75
    assert search.predict(X.iloc[[3]]).shape == (1,)


def test_a_spy_sees_training_rows_and_labels_only() -> None:
    X, y = study()
    Spy.fits.clear(), Spy.transforms.clear()
    folds = list(StratifiedKFold(4).split(X, y))
    cross_val_score(
        make_pipeline(Spy("batch", covariates=["age"]), LogisticRegression()), X, y, cv=folds, scoring="roc_auc"
    )
    assert len(Spy.fits) == 4
    for (train, test), (seen, labels) in zip(folds, Spy.fits, strict=True):
        assert seen == list(X.index[train])
        assert not set(seen) & set(X.index[test])
        assert labels == list(y[train])
    held_out = [rows for rows in Spy.transforms if len(rows) < len(X) // 2]
    assert held_out == [list(X.index[test]) for _, test in folds]


def test_labels_do_not_reach_the_adjuster(transformer: Any) -> None:
    X, y = data_for(transformer)
    X = X if transformer.covariates else X.drop(columns="age")
    rng = np.random.default_rng(1)
    expected = clone(transformer).fit(X).transform(X)
    for target in (y, 1 - y, rng.permutation(y), rng.normal(size=len(y)), np.where(y, "ill", "well")):
        np.testing.assert_array_equal(clone(transformer).fit(X, target).transform(X), expected)


def test_predictions_do_not_depend_on_test_labels_or_on_other_test_samples(transformer: Any) -> None:
    X, y = data_for(transformer)
    folds = list(StratifiedKFold(3).split(X, y))
    model, options = pipeline(transformer), {"cv": folds, "method": "predict_proba"}
    expected = cross_val_predict(model, X, y, **options)
    rng = np.random.default_rng(2)
    for train, test in folds:
        shuffled = y.copy()
        shuffled[test] = rng.permutation(1 - y[test])
        fitted = clone(model).fit(X.iloc[train], shuffled[train])
        np.testing.assert_array_equal(fitted.predict_proba(X.iloc[test]), expected[test])
        others = X.iloc[test].copy()
        features = [name for name in X.columns if name.startswith("g")]
        others.iloc[1:, : len(features)] = (
            others.iloc[1:, : len(features)].to_numpy()[rng.permutation(len(test) - 1)] * 2
        )
        np.testing.assert_allclose(fitted.predict_proba(others)[0], expected[test][0], rtol=1e-10)
        np.testing.assert_allclose(fitted.predict_proba(X.iloc[test[:1]])[0], expected[test][0], rtol=1e-10)


def test_one_new_sample_is_its_row(transformer: Any) -> None:
    X, _ = data_for(transformer)
    new, _ = data_for(transformer, seed=1)
    if not transformer.covariates:
        X, new = X.drop(columns="age"), new.drop(columns="age")
    fitted = clone(transformer).fit(X)
    together = fitted.transform(new)
    one_by_one = np.vstack([fitted.transform(new.iloc[[i]]) for i in range(len(new))])
    np.testing.assert_allclose(one_by_one, together, rtol=0, atol=1e-12)
    order = np.random.default_rng(3).permutation(len(new))
    np.testing.assert_allclose(fitted.transform(new.iloc[order]), together[order], rtol=0, atol=1e-12)


def test_the_training_result_in_a_pipeline_is_the_reference() -> None:
    """sva's own numbers, through columns of X, a pipeline and `transform`; ten digits are stored."""
    data, stored = sim1(), load_reference("batch", "parity")
    columns = stored["sim1__design_mod"][:, 1:]
    frame = data.frame.assign(batch=data.sample_data["batch"].to_numpy(), c1=columns[:, 0], c2=columns[:, 1])
    steps = make_pipeline(ComBat("batch", covariates=["c1", "c2"], compat="combat-r"))
    expected = stored["sim1__combat_par"].T
    np.testing.assert_allclose(steps.fit(frame).transform(frame)[:, : expected.shape[1]], expected, rtol=0, atol=1e-8)


def test_a_fold_without_a_batch_in_training_says_what_to_do(transformer: Any) -> None:
    X, y = data_for(transformer)
    with pytest.raises(DesignError) as caught:
        cross_val_score(
            pipeline(transformer), X, y, cv=GroupKFold(3), groups=X["batch"], scoring="roc_auc", error_score="raise"
        )
    message = str(caught.value)
    assert "not in the training set, which has" in message
    assert "Ways out: (1)" in message
    assert any(repr(batch) in message for batch in "abc")


class TestLeakage:
    NAMES: ClassVar[list[str]] = ["age", "outcome"]

    @pytest.mark.parametrize(
        "make",
        [
            lambda y: y,
            lambda y: np.where(y, "ill", "well"),
            lambda y: pd.Series(y, index=[f"s{i}" for i in range(len(y))]) == 0,
            lambda y: pd.DataFrame({"target": y * 2.0 + 1}),
            lambda y: pd.Categorical(np.where(y, "ill", "well")),
        ],
    )
    def test_a_covariate_that_is_the_target(self, make: Any) -> None:
        _, y = study()
        columns = np.column_stack([np.random.default_rng(0).normal(size=60), y])
        with pytest.warns(TargetLeakageWarning, match=r"'outcome' \(\|r\| = 1.000\).*Ways out") as caught:
            warn_of_leaking_target(make(y), columns, self.NAMES)
        assert "'age'" not in str(caught[0].message)

    def test_one_class_of_three_and_a_noisy_copy(self) -> None:
        rng = np.random.default_rng(4)
        kind = rng.choice(["a", "b", "c"], size=60)
        columns = np.column_stack([rng.normal(size=60), kind == "b"]).astype(float)
        with pytest.warns(TargetLeakageWarning, match="outcome"):
            warn_of_leaking_target(kind, columns, self.NAMES)
        value = rng.normal(size=60)
        with pytest.warns(TargetLeakageWarning, match="age"):
            warn_of_leaking_target(value, np.column_stack([value + 0.05 * rng.normal(size=60)]), ["age"])

    def test_silent_otherwise(self) -> None:
        rng = np.random.default_rng(5)
        _, y = study()
        columns = np.column_stack([rng.normal(size=60) + 2 * y, rng.permutation(y), np.ones(60)])
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            for target in (y, None, y[:-1], np.where(y, np.nan, 1.0), [None] * 60, np.ones(60), rng.normal(size=60)):
                warn_of_leaking_target(target, columns, ["age", "shuffled", "one"])
            warn_of_leaking_target(y, np.zeros((60, 0)), [])

    def test_fit_warns_in_a_pipeline(self) -> None:
        """Only where new samples have to be told the covariate, and only when y is given."""
        X, y = study()
        told = X.assign(outcome=y)
        steps = make_pipeline(ComBat("batch", covariates=["age", "outcome"]), LogisticRegression())
        with pytest.warns(TargetLeakageWarning, match="outcome"):
            steps.fit(told, y)
        with warnings.catch_warnings():
            warnings.simplefilter("error", TargetLeakageWarning)
            ComBat("batch", covariates=["age", "outcome"]).fit(told)
            BatchEffectRemover("batch", covariates=["age", "outcome"]).fit(told, y)
            make_pipeline(ComBat("batch", covariates=["age"]), LogisticRegression()).fit(X, y)

    def test_what_the_warning_is_about(self) -> None:
        """Noise and batches only: the score is by chance without the target, and far above with it.

        What the covariate explains is kept in full while the noise of the other batch is brought to the reference's.
        """
        scores = {}
        for covariates in ([], ["outcome"]):
            found = []
            for seed in range(4):
                rng = np.random.default_rng(seed)
                codes, y = np.arange(80) % 2, rng.permutation(np.arange(80) % 4 < 2).astype(int)
                noise = rng.normal(size=(80, 300)) * np.where(codes, 3.0, 0.4)[:, None]
                X = pd.DataFrame(noise).add_prefix("g").assign(batch=codes.astype(str))
                X = X.assign(outcome=y) if covariates else X
                model = make_pipeline(
                    ComBat("batch", covariates=covariates or None, reference="0"), LogisticRegression()
                )
                found.append(cross_val_score(model, X, y, cv=4, scoring="roc_auc").mean())
            scores[bool(covariates)] = np.mean(found)
        assert abs(scores[False] - 0.5) < 0.12
        assert scores[True] > 0.7
