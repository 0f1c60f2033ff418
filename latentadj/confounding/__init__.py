"""Stage 3b: confounding models, a file each."""

from latentadj.confounding.attenuation import corrected_for_attenuation, loading_reliability
from latentadj.confounding.attenuation_corrected import AttenuationCorrectedRegression, WeakFactorWarning
from latentadj.confounding.base import ConfoundingModel
from latentadj.confounding.least_trimmed import LeastTrimmedSquares
from latentadj.confounding.negative_control import NegativeControlRegression
from latentadj.confounding.robust_regression import RobustRegression
from latentadj.confounding.sparse_effects import SparseEffects

__all__ = [
    "AttenuationCorrectedRegression",
    "ConfoundingModel",
    "LeastTrimmedSquares",
    "NegativeControlRegression",
    "RobustRegression",
    "SparseEffects",
    "WeakFactorWarning",
    "corrected_for_attenuation",
    "loading_reliability",
]
