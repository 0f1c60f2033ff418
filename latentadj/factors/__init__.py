"""Stage 3: latent-factor methods, a file each."""

from latentadj.factors.backwash import BACKWASH
from latentadj.factors.base import FittedFactors, LatentFactorEstimator, frozen_scores, random_generator
from latentadj.factors.cate import CATE
from latentadj.factors.cate_nc import NegativeControlCATE
from latentadj.factors.gcate import GCATE
from latentadj.factors.info import MethodInfo
from latentadj.factors.mouthwash import MOUTHWASH
from latentadj.factors.no_factors import NoFactors
from latentadj.factors.residual_pca import ResidualPCA
from latentadj.factors.ruv2 import RUV2
from latentadj.factors.ruv4 import RUV4
from latentadj.factors.supervised_sva import SupervisedSVA
from latentadj.factors.sva import SVA
from latentadj.factors.two_step_sva import TwoStepSVA

#: Every method class, in the order of the catalogue.
METHODS: tuple[type[LatentFactorEstimator], ...] = (
    NoFactors,
    SVA,
    TwoStepSVA,
    SupervisedSVA,
    ResidualPCA,
    RUV2,
    RUV4,
    CATE,
    NegativeControlCATE,
    MOUTHWASH,
    BACKWASH,
    GCATE,
)

__all__ = [
    "BACKWASH",
    "CATE",
    "GCATE",
    "METHODS",
    "MOUTHWASH",
    "RUV2",
    "RUV4",
    "SVA",
    "FittedFactors",
    "LatentFactorEstimator",
    "MethodInfo",
    "NegativeControlCATE",
    "NoFactors",
    "ResidualPCA",
    "SupervisedSVA",
    "TwoStepSVA",
    "frozen_scores",
    "random_generator",
]
