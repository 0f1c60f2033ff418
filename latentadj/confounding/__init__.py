"""Stage 3b: confounding models, a file each."""

from latentadj.confounding.attenuation import corrected_for_attenuation, loading_reliability
from latentadj.confounding.base import ConfoundingModel
from latentadj.confounding.negative_control import NegativeControlRegression
from latentadj.confounding.robust_regression import RobustRegression

__all__ = [
    "ConfoundingModel",
    "NegativeControlRegression",
    "RobustRegression",
    "corrected_for_attenuation",
    "loading_reliability",
]
