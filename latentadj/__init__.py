"""Confounder-aware regression of many features, with estimated latent factors.

Start with `adjust`: a matrix, a formula and a sample table give an `AdjustmentResult`.
"""

from importlib.metadata import version

from latentadj import diagnostics, plots
from latentadj._adjust import adjust
from latentadj.calibration import MADCalibration
from latentadj.catalogue import methods
from latentadj.core.passes import pass_options
from latentadj.data import datasets as datasets
from latentadj.data import load_bladder, read_controls, read_matrix, read_samples
from latentadj.design import Design
from latentadj.estimators import AdjustedRegression, LatentAdjuster
from latentadj.exceptions import LatentAdjError, LatentAdjWarning
from latentadj.factors import (
    CATE,
    RUV2,
    RUV4,
    SVA,
    LatentFactorEstimator,
    MethodInfo,
    NegativeControlCATE,
    NoFactors,
    ResidualPCA,
    SupervisedSVA,
    TwoStepSVA,
)
from latentadj.inference import ModeratedT, OrdinaryT
from latentadj.num_factors import (
    EigenvalueDifference,
    GavishDonoho,
    Leek,
    NumFactorsRule,
    ParallelAnalysis,
)
from latentadj.results import AdjustmentResult, load_result

__version__ = version("latentadj")

__all__ = [
    "CATE",
    "RUV2",
    "RUV4",
    "SVA",
    "AdjustedRegression",
    "AdjustmentResult",
    "Design",
    "EigenvalueDifference",
    "GavishDonoho",
    "LatentAdjError",
    "LatentAdjWarning",
    "LatentAdjuster",
    "LatentFactorEstimator",
    "Leek",
    "MADCalibration",
    "MethodInfo",
    "ModeratedT",
    "NegativeControlCATE",
    "NoFactors",
    "NumFactorsRule",
    "OrdinaryT",
    "ParallelAnalysis",
    "ResidualPCA",
    "SupervisedSVA",
    "TwoStepSVA",
    "adjust",
    "datasets",
    "diagnostics",
    "load_bladder",
    "load_result",
    "methods",
    "pass_options",
    "plots",
    "read_controls",
    "read_matrix",
    "read_samples",
]
