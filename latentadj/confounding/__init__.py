"""Stage 3b: confounding models, a file each."""

from latentadj.confounding.attenuation import corrected_for_attenuation, loading_reliability
from latentadj.confounding.attenuation_corrected import AttenuationCorrectedRegression
from latentadj.confounding.base import ConfoundingModel
from latentadj.confounding.centred_regression import CentredRegression
from latentadj.confounding.least_trimmed import LeastTrimmedSquares
from latentadj.confounding.negative_control import NegativeControlRegression
from latentadj.confounding.robust_regression import RobustRegression
from latentadj.confounding.sparse_effects import SparseEffects
from latentadj.confounding.t_negative_control import StudentControlRegression

__all__ = [
    "AttenuationCorrectedRegression",
    "CentredRegression",
    "ConfoundingModel",
    "LeastTrimmedSquares",
    "NegativeControlRegression",
    "RobustRegression",
    "SparseEffects",
    "StudentControlRegression",
    "corrected_for_attenuation",
    "loading_reliability",
]
