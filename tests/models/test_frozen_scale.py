"""Scores of new count samples: each sample alone, on a scale settled in training."""

from __future__ import annotations

import numpy as np
import pytest

import latentadj as la
from latentadj.models import GLMModel, VoomModel
from latentadj.testing import made_up_study

pytestmark = pytest.mark.filterwarnings("ignore::latentadj.LatentAdjWarning")


@pytest.mark.parametrize("model", ["voom", "negative_binomial", VoomModel("rle"), GLMModel("auto", size_factors="tmm")])
@pytest.mark.parametrize("method", [la.CATE, la.SVA])
def test_one_sample_alone_scores_as_in_a_batch(model, method):
    study = made_up_study("counts")
    X = study.frame.to_numpy()
    fitted = method(n_factors=2, model=model).fit(X[:24], study.sample_data["x"].to_numpy()[:24])
    together = fitted.transform(X[24:])
    alone = np.vstack([fitted.transform(row[None]) for row in X[24:]])
    np.testing.assert_allclose(alone, together, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("model", ["voom", "negative_binomial"])
def test_frozen_scores_follow_the_factors(model):
    """On training samples they are the factors up to what the design explains and noise."""
    study = made_up_study("counts")
    fitted = la.CATE(n_factors=2, model=model).fit(study.frame, study.sample_data["x"])
    scores = fitted.transform(study.frame)
    a, b = (np.linalg.qr(f - f.mean(axis=0))[0] for f in (scores, fitted.factors_))
    assert np.linalg.svd(a.T @ b)[1].min() > 0.95


def test_transform_of_a_depth_that_was_not_seen_in_training():
    """Ten times the depth: the same scores up to the noise of counting."""
    study = made_up_study("counts")
    fitted = la.CATE(n_factors=2, model="voom").fit(study.frame, study.sample_data["x"])
    shallow, deep = fitted.transform(study.frame), fitted.transform(study.frame * 10)
    assert np.corrcoef(shallow[:, 0], deep[:, 0])[0, 1] > 0.95
