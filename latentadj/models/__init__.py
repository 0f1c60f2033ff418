"""Stage 1: primary models, a file each."""

from latentadj.models.base import PrimaryModel
from latentadj.models.glm import GLMModel
from latentadj.models.linear import LinearModel

__all__ = ["GLMModel", "LinearModel", "PrimaryModel"]
