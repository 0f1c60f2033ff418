"""Confounder-aware regression of many features, with estimated latent factors.

Start with `adjust`: a matrix, a formula and a sample table give an `AdjustmentResult`.
"""

from importlib.metadata import version

from latentadj import diagnostics, plots
from latentadj._adjust import adjust
from latentadj.calibration import (
    BaconCalibration,
    ControlECDF,
    ControlVariance,
    EffectVariance,
    EmpiricalNull,
    MADCalibration,
)
from latentadj.catalogue import methods
from latentadj.core.passes import pass_options
from latentadj.data import datasets as datasets
from latentadj.data import load_bladder, read_controls, read_matrix, read_samples
from latentadj.design import Design
from latentadj.estimators import AdjustedRegression, LatentAdjuster, estimate_num_factors
from latentadj.exceptions import LatentAdjError, LatentAdjWarning
from latentadj.factors import (
    BACKWASH,
    CATE,
    GCATE,
    MOUTHWASH,
    RUV2,
    RUV3,
    RUV4,
    SVA,
    LatentFactorEstimator,
    MethodInfo,
    NegativeControlCATE,
    NoFactors,
    PseudoReplicates,
    ResidualPCA,
    RUVg,
    RUVInverse,
    RUVr,
    RUVRidgeInverse,
    RUVs,
    RUVStar,
    SupervisedSVA,
    TwoStepSVA,
    pseudo_replicates,
)
from latentadj.inference import ModeratedT, OrdinaryT, PooledVariance
from latentadj.models import GLMModel
from latentadj.num_factors import (
    BaiNg,
    BiCrossValidation,
    ControlRatio,
    DeterministicParallelAnalysis,
    EigenvalueDifference,
    EigenvalueRatio,
    Elbow,
    FeatureFoldCrossValidation,
    GavishDonoho,
    Leek,
    NumFactorsRule,
    ParallelAnalysis,
    RandomMatrixDimension,
    Stability,
)
from latentadj.results import AdjustmentResult, ShrunkenEffects, load_result, shrink
from latentadj.sample_weights import SampleQuality

__version__ = version("latentadj")

__all__ = [
    "BACKWASH",
    "CATE",
    "GCATE",
    "MOUTHWASH",
    "RUV2",
    "RUV3",
    "RUV4",
    "SVA",
    "AdjustedRegression",
    "AdjustmentResult",
    "BaconCalibration",
    "BaiNg",
    "BiCrossValidation",
    "ControlECDF",
    "ControlRatio",
    "ControlVariance",
    "Design",
    "DeterministicParallelAnalysis",
    "EffectVariance",
    "EigenvalueDifference",
    "EigenvalueRatio",
    "Elbow",
    "EmpiricalNull",
    "FeatureFoldCrossValidation",
    "GLMModel",
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
    "PooledVariance",
    "PseudoReplicates",
    "RUVInverse",
    "RUVRidgeInverse",
    "RUVStar",
    "RUVg",
    "RUVr",
    "RUVs",
    "RandomMatrixDimension",
    "ResidualPCA",
    "SampleQuality",
    "ShrunkenEffects",
    "Stability",
    "SupervisedSVA",
    "TwoStepSVA",
    "adjust",
    "datasets",
    "diagnostics",
    "estimate_num_factors",
    "load_bladder",
    "load_result",
    "methods",
    "pass_options",
    "plots",
    "pseudo_replicates",
    "read_controls",
    "read_matrix",
    "read_samples",
    "shrink",
]
