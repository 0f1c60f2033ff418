"""Audit of adjustment before prediction: leakage is found, and honest pipelines pass."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.tree import DecisionTreeClassifier

import latentadj as la
from latentadj.diagnostics import audit_checks, audit_prediction, audit_summary
from latentadj.exceptions import AlignmentError, InputError


def study(n: int = 90, m: int = 30, seed: int = 0):
    rng = np.random.default_rng(seed)
    y, batch = np.tile([0, 1], n // 2), rng.integers(0, 3, n)
    X = np.outer(batch == 0, rng.normal(size=m)) * 3 + np.outer(y, rng.normal(size=m)) + rng.normal(size=(n, m))
    frame = pd.DataFrame(X, index=[f"s{i}" for i in range(n)], columns=[f"g{i}" for i in range(m)])
    return frame, y, pd.Series(list(np.array(list("abc"))[batch]), index=frame.index, name="batch")


class RemoveTarget(TransformerMixin, BaseEstimator):
    """Regresses the confound out of binary features, as confound regression does: residuals carry the confound."""

    def __init__(self, confound="score"):
        self.confound = confound

    def fit(self, X, y=None):
        c = np.column_stack([np.ones(len(X)), X[self.confound]])
        self.coef_ = np.linalg.lstsq(c, X.drop(columns=self.confound).to_numpy(dtype=float), rcond=None)[0]
        return self

    def transform(self, X):
        c = np.column_stack([np.ones(len(X)), X[self.confound]])
        return X.drop(columns=self.confound).to_numpy(dtype=float) - c @ self.coef_

    def get_feature_names_out(self, input_features=None):
        return np.array([f"g{i}" for i in range(self.coef_.shape[1])], dtype=object)


def test_an_honest_pipeline_passes():
    X, y, batch = study()
    adjuster = la.LatentAdjuster(la.SVA(n_factors=1), covariates=["batch"], remove_covariates=True)
    audit = audit_prediction(adjuster, LogisticRegression(), X.assign(batch=batch), y, ["batch"])
    checks = {check.name: check.verdict for check in audit_checks(audit)}
    assert checks == {"shuffled features": "chance", "confounds alone": "chance", "confound: batch": "removed"}
    table = audit_summary(audit).set_index(["predicts", "scenario"])["mean"]
    assert table["y", "adjusted"] > 0.8
    assert table["batch", "raw"] > table["batch", "adjusted"]


def test_leakage_by_confound_regression_is_found():
    # Hamdan et al. (2023): binary features, a confound that tells y, linear removal, a tree
    rng = np.random.default_rng(0)
    n = 200
    y = np.tile([0, 1], n // 2)
    X = pd.DataFrame(rng.integers(0, 2, (n, 5)), columns=[f"g{i}" for i in range(5)])
    X["score"] = y + 0.2 * rng.normal(size=n)
    audit = audit_prediction(RemoveTarget(), DecisionTreeClassifier(random_state=0), X, y, ["score"])
    checks = {check.name: check for check in audit_checks(audit)}
    assert checks["shuffled features"].verdict == "leak"
    assert checks["shuffled features"].statistics["mean"] > 0.7
    assert checks["confounds alone"].verdict == "predictive"


def test_confounds_as_a_table_in_another_order_and_the_same_seed():
    X, y, batch = study(60, 10)
    adjuster = la.LatentAdjuster(la.SVA(n_factors=1))
    first, second = (
        audit_prediction(adjuster, LogisticRegression(), X, y, table, n_shuffles=1, cv=3)
        for table in (batch.to_frame(), batch.to_frame().iloc[::-1])
    )
    pd.testing.assert_frame_equal(first, second)
    with pytest.raises(AlignmentError, match="no row for 1 samples"):
        audit_prediction(adjuster, LogisticRegression(), X, y, batch.to_frame().iloc[1:])


def test_numbers_are_predicted_and_confounds_too():
    X, _, _ = study(60, 10)
    rng = np.random.default_rng(1)
    age = pd.DataFrame({"age": X["g0"] + 0.1 * rng.normal(size=60)})
    audit = audit_prediction(la.LatentAdjuster(la.SVA(n_factors=0)), Ridge(), X, X["g1"] * 2, age, n_shuffles=2)
    table = audit_summary(audit).set_index(["predicts", "scenario"])
    assert table.loc[("age", "raw"), "mean"] > 0.8
    assert table.loc[("g1", "raw"), "scoring"] == "r2"
    assert {check.name: check.verdict for check in audit_checks(audit)}["confound: age"] == "left"


def test_what_cannot_be_audited():
    X, y, batch = study(60, 10)
    adjuster = la.LatentAdjuster(la.SVA(n_factors=1))
    with pytest.raises(InputError, match="what is predicted"):
        audit_prediction(adjuster, LogisticRegression(), X, y, pd.DataFrame({"same": y}))
    with pytest.raises(InputError, match="what is predicted"):
        audit_prediction(adjuster, Ridge(), X, X["g1"], pd.DataFrame({"double": 2 * X["g1"]}))
    with pytest.raises(InputError, match="no column 'plate'"):
        audit_prediction(adjuster, LogisticRegression(), X, y, ["plate"])
    with pytest.raises(InputError, match="a DataFrame is needed"):
        audit_prediction(adjuster, LogisticRegression(), X.to_numpy(), y, batch.to_frame())
