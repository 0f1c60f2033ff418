"""Stage 1: primary models, a file each."""

from latentadj.models.base import PrimaryModel, ScaledModel, WeighableModel, WeighingModel
from latentadj.models.glm import GLMModel
from latentadj.models.linear import LinearModel
from latentadj.models.names import resolve_model
from latentadj.models.robust import RobustLinearModel
from latentadj.models.robust_weighted import RobustWeightedModel
from latentadj.models.voom import VoomModel
from latentadj.models.weighted import WeightedLinearModel

__all__ = [
    "GLMModel",
    "LinearModel",
    "PrimaryModel",
    "RobustLinearModel",
    "RobustWeightedModel",
    "ScaledModel",
    "VoomModel",
    "WeighableModel",
    "WeighingModel",
    "WeightedLinearModel",
    "resolve_model",
]
