"""Designs: matrix, names and roles, built from a formula, column names or numbers."""

from latentadj.design.covariates import CovariateInfo
from latentadj.design.design import Design
from latentadj.design.estimability import Alias
from latentadj.design.target import design_from_target

__all__ = ["Alias", "CovariateInfo", "Design", "design_from_target"]
