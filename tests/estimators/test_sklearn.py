"""scikit-learn's own checks of every estimator, and the tools people combine them with."""

from __future__ import annotations

import pytest
from sklearn.utils.estimator_checks import parametrize_with_checks

import latentadj as la

pytestmark = pytest.mark.filterwarnings("ignore::latentadj.LatentAdjWarning")

TRANSFORMERS = [
    la.SVA(),
    la.TwoStepSVA(),
    la.SupervisedSVA(controls=[0]),
    la.RUV2(controls=[0]),
    la.RUV4(controls=[0]),
    la.CATE(),
    la.NegativeControlCATE(controls=[0]),
    la.ResidualPCA(),
    la.NoFactors(),
    la.LatentAdjuster(),
]


@parametrize_with_checks([*TRANSFORMERS, la.AdjustedRegression()])
def test_scikit_learn_checks(estimator, check) -> None:
    check(estimator)
