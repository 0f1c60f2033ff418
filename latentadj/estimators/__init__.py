"""scikit-learn fronts: tests (`AdjustedRegression`) and adjusted data (`LatentAdjuster`)."""

from latentadj.estimators.adjuster import LatentAdjuster
from latentadj.estimators.frozen_sva import FrozenSVA
from latentadj.estimators.number import estimate_num_factors
from latentadj.estimators.regression import AdjustedRegression

__all__ = ["AdjustedRegression", "FrozenSVA", "LatentAdjuster", "estimate_num_factors"]
