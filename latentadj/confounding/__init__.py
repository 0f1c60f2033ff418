"""Stage 3b: confounding models, a file each."""

from latentadj.confounding.base import ConfoundingModel
from latentadj.confounding.negative_control import NegativeControlRegression
from latentadj.confounding.robust_regression import RobustRegression

__all__ = ["ConfoundingModel", "NegativeControlRegression", "RobustRegression"]
