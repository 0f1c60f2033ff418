"""Every way of analysing a simulated study that the validity page compares, by groups."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

import latentadj as la
from latentadj.core.matrix import ArrayMatrix
from latentadj.num_factors import choose_number
from latentadj.problem import AdjustmentProblem
from latentadj.simulation import SimulatedStudy

Analysis = Callable[[SimulatedStudy, int], la.AdjustmentResult]


def automatic_number(study: SimulatedStudy) -> int:
    """Return the number of factors that ``n_factors="auto"`` finds; one search then serves every method."""
    problem = AdjustmentProblem(ArrayMatrix(study.X), study.design)
    return choose_number(problem, "auto", np.random.default_rng(0)).n_factors


def true_number(study: SimulatedStudy) -> int:
    """Return the number of factors the study was made with."""
    return int(study.truth.factors.shape[1])


def named(method: str, *, counts: bool = False, true_k: bool = False, **options: object) -> Analysis:
    """Analyse by a method's name, with what it needs of controls and replicates."""

    def run(study: SimulatedStudy, k: int) -> la.AdjustmentResult:
        given = dict(options)
        given.setdefault("n_factors", true_number(study) if true_k else k)
        needs = set(str(la.methods().loc[method, "needs"]).split(", "))
        if "controls" in needs:
            given.setdefault("controls", study.truth.controls)
        if "replicates" in needs:
            given.setdefault("replicates", study.replicates)
        data = study.counts if counts else study.X
        return la.adjust(data, study.design, method=method, allow_invalid=True, **given)

    return run


def oracle(study: SimulatedStudy, k: int) -> la.AdjustmentResult:
    """Moderated regression that is given the true factors."""
    return la.adjust(study.X, study.oracle_design, method="none")


def weighing_oracle(study: SimulatedStudy, k: int) -> la.AdjustmentResult:
    """The oracle with estimated sample weights and a mean-variance trend, as ``method="auto"`` has them."""
    return la.adjust(
        study.X, study.oracle_design, method="none", sample_weights="quality", inference="moderated_trend_auto"
    )


def automatic(study: SimulatedStudy, k: int) -> la.AdjustmentResult:
    """All defaults."""
    return la.adjust(study.X, study.design)


def automatic_with_controls(study: SimulatedStudy, k: int) -> la.AdjustmentResult:
    """All defaults, and negative controls."""
    return la.adjust(study.X, study.design, controls=study.truth.controls)


ORACLES: Mapping[str, Analysis] = {"oracle": oracle, "oracle+w": weighing_oracle}

#: Groups of methods; every group makes a table, beside the oracles.
GROUPS: Mapping[str, Mapping[str, Analysis]] = {
    "Defaults, and what they replace": {
        "auto": automatic,
        "auto, controls": automatic_with_controls,
        "none": named("none"),
        "residual PCA": named("residual_pca"),
        "sva, 5 rounds": named("sva", compat="sva", max_iter=5),
        "cate, as in R": named("cate", compat="cate", n_factors="eigenvalue_difference"),
        "ruv4, as in R, true k": named("ruv4", compat="ruv", true_k=True),
    },
    "Without controls: surrogate variables": {
        "sva": named("sva"),
        "sva_two_step": named("sva_two_step"),
        "smart_sva": named("smart_sva"),
        "isva": named("isva"),
        "dsva": named("dsva"),
        "peer": named("peer"),
        "hcp": named("hcp"),
    },
    "Without controls: factor analysis and a link": {
        "cate": named("cate"),
        "cate, LTS": named("cate", confounding="least_trimmed"),
        "leapp": named("leapp"),
        "bcconf": named("bcconf"),
        "corrconf": named("corrconf"),
        "mouthwash": named("mouthwash"),
        "backwash": named("backwash"),
    },
    "With 100 true controls": {
        "supervised_sva": named("supervised_sva"),
        "ruv2": named("ruv2"),
        "ruv4": named("ruv4"),
        "ruv_star": named("ruv_star"),
        "ruv_inv": named("ruv_inv", n_factors="auto"),
        "ruv_rinv": named("ruv_rinv", n_factors="auto"),
        "ruv3": named("ruv3"),
        "cate_nc": named("cate_nc"),
    },
}

#: For families of counts, from the counts themselves.
COUNT_METHODS: Mapping[str, Analysis] = {
    "svaseq": named("svaseq", counts=True),
    "ruvg": named("ruvg", counts=True),
    "ruvs": named("ruvs", counts=True),
    "ruvr": named("ruvr", counts=True),
    "gcate": named("gcate", counts=True),
}

#: Methods that take seconds per study and are run on fewer of them.
SLOW = frozenset({"gcate"})

#: Largest number of factors with which a method is run: joint diagonalisation takes minutes beyond.
MOST_FACTORS: Mapping[str, int] = {"isva": 10}
