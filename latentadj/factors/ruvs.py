"""Removal of unwanted variation from counts by replicate samples."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike

from latentadj.core.counts import LogCounts
from latentadj.core.matrix import Array
from latentadj.factors.info import MethodInfo
from latentadj.factors.log_counts import OnLogCounts
from latentadj.factors.replicated import ReplicateFactorEstimator, ReplicateSets, codes_of, single_codes
from latentadj.num_factors import NumFactorsRule
from latentadj.problem import AdjustmentProblem


class RUVs(OnLogCounts, ReplicateFactorEstimator):
    """RUVs: RUV-III on log counts, with all genes as controls unless controls are given.

    Parameters
    ----------
    n_factors : {"auto"} or int or NumFactorsRule, default="auto"
        "auto" is parallel analysis on the differences between replicates.
    controls : array-like or None, default=None
        Genes over which samples are scored: names, integer positions or a boolean mask; all genes by default.
    replicates : str or array-like of shape (n_samples,)
        Samples with the same label are replicates; missing labels stand alone.
    scale : {"log_cpm", "log1p"}, default="log_cpm"
        log2 counts per million, or natural logarithms of the counts as in the R package.
    constant : float or None, default=None
        Added to every count: 0.5 for "log_cpm" and 1 for "log1p" unless given.
    compat : {None, "RUVSeq"}, default=None
        "RUVSeq" neither scales nor centres the genes and corrects nothing; with ``scale="log1p"`` it gives the R
        package's numbers.
    model : PrimaryModel or None, default=None
    random_state : default=0

    Notes
    -----
    Risso, Ngai, Speed and Dudoit (2014). The singular vectors that the paper takes from the differences between
    replicates are those of RUV-III.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> z, subject = rng.normal(size=20), np.repeat(np.arange(10), 2)
    >>> counts = rng.poisson(np.exp(4 + np.outer(z, 0.2 * rng.normal(size=300))))
    >>> ruv = RUVs(n_factors=1, replicates=subject).fit(counts, np.repeat([0, 1], 10))
    >>> bool(abs(np.corrcoef(ruv.factors_[:, 0], z)[0, 1]) > 0.98)
    True
    """

    method_info: ClassVar[MethodInfo] = MethodInfo(
        name="ruvs",
        title="RUVs",
        reference="Risso, Ngai, Speed and Dudoit (2014), Nature Biotechnology 32:896",
        identified_by="replicates share their biology, and effects do not follow the factors' loadings",
        summary="Differences between replicates give the loadings, controls or all genes the scores.",
        identification="replicates",
        needs=("replicates",),
        input_scale="counts",
        not_promised={
            "nuisance_effects": "Effects of nuisance columns that differ within replicates are part of the differences."
        },
        cautions=(
            "Sees only unwanted variation that differs within replicates: replicates must span the batches.",
            "Without controls, true effects that follow the factors' loadings are absorbed.",
        ),
    )
    sample_parameters: ClassVar[tuple[str, ...]] = ("replicates",)

    def __init__(
        self,
        n_factors: int | str | NumFactorsRule = "auto",
        *,
        controls: ArrayLike | None = None,
        replicates: Any = None,
        scale: str = "log_cpm",
        constant: float | None = None,
        compat: str | None = None,
        model: Any = None,
        random_state: Any = 0,
    ) -> None:
        super().__init__(n_factors, model=model, random_state=random_state)
        self.controls = controls
        self.replicates = replicates
        self.scale = scale
        self.constant = constant
        self.compat = compat

    def _literal_loadings(self, logs: LogCounts) -> Array:
        found = self.estimate_.loadings
        return np.zeros((logs.shape[1], 0)) if found is None else found

    def _sets(self, problem: AdjustmentProblem) -> ReplicateSets:
        return ReplicateSets(single_codes(codes_of(np.asarray(problem.annotations["replicates"]))))
