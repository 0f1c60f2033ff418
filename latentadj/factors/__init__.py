"""Stage 3: latent-factor methods, a file each."""

from latentadj.factors.backwash import BACKWASH
from latentadj.factors.base import FittedFactors, LatentFactorEstimator, frozen_scores, random_generator
from latentadj.factors.bcconf import BCconf
from latentadj.factors.cate import CATE
from latentadj.factors.cate_nc import NegativeControlCATE
from latentadj.factors.corrconf import CorrConf
from latentadj.factors.dsva import DSVA
from latentadj.factors.gcate import GCATE
from latentadj.factors.hcp import HCP
from latentadj.factors.info import MethodInfo
from latentadj.factors.isva import ISVA
from latentadj.factors.leapp import LEAPP
from latentadj.factors.mouthwash import MOUTHWASH
from latentadj.factors.no_factors import NoFactors
from latentadj.factors.peer import PEER
from latentadj.factors.pseudo_replicates import PseudoReplicates, pseudo_replicates
from latentadj.factors.residual_pca import ResidualPCA
from latentadj.factors.ruv2 import RUV2
from latentadj.factors.ruv4 import RUV4
from latentadj.factors.ruv_inverse import RUVInverse
from latentadj.factors.ruv_ridge_inverse import RUVRidgeInverse
from latentadj.factors.ruv_star import RUVStar
from latentadj.factors.ruv_three import RUV3
from latentadj.factors.ruvg import RUVg
from latentadj.factors.ruvr import RUVr
from latentadj.factors.ruvs import RUVs
from latentadj.factors.smart_sva import SmartSVA
from latentadj.factors.supervised_sva import SupervisedSVA
from latentadj.factors.sva import SVA
from latentadj.factors.svaseq import SVASeq
from latentadj.factors.two_step_sva import TwoStepSVA

#: Every method class, in the order of the catalogue.
METHODS: tuple[type[LatentFactorEstimator], ...] = (
    NoFactors,
    SVA,
    TwoStepSVA,
    SupervisedSVA,
    SmartSVA,
    SVASeq,
    ISVA,
    DSVA,
    CATE,
    NegativeControlCATE,
    LEAPP,
    BCconf,
    CorrConf,
    MOUTHWASH,
    BACKWASH,
    RUV2,
    RUV4,
    RUVInverse,
    RUVRidgeInverse,
    RUVStar,
    RUV3,
    RUVg,
    RUVs,
    RUVr,
    GCATE,
    ResidualPCA,
    PEER,
    HCP,
)

__all__ = [
    "BACKWASH",
    "CATE",
    "DSVA",
    "GCATE",
    "HCP",
    "ISVA",
    "LEAPP",
    "METHODS",
    "MOUTHWASH",
    "PEER",
    "RUV2",
    "RUV3",
    "RUV4",
    "SVA",
    "BCconf",
    "CorrConf",
    "FittedFactors",
    "LatentFactorEstimator",
    "MethodInfo",
    "NegativeControlCATE",
    "NoFactors",
    "PseudoReplicates",
    "RUVInverse",
    "RUVRidgeInverse",
    "RUVStar",
    "RUVg",
    "RUVr",
    "RUVs",
    "ResidualPCA",
    "SVASeq",
    "SmartSVA",
    "SupervisedSVA",
    "TwoStepSVA",
    "frozen_scores",
    "pseudo_replicates",
    "random_generator",
]
