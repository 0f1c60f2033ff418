"""Surrogate variable analysis of counts."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike

from latentadj.exceptions import ControlsError, MethodError
from latentadj.factors.base import LatentFactorEstimator
from latentadj.factors.info import MethodInfo
from latentadj.factors.log_counts import OnLogCounts
from latentadj.factors.supervised_sva import SupervisedSVA
from latentadj.factors.sva import SVA
from latentadj.factors.two_step_sva import TwoStepSVA
from latentadj.num_factors import NumFactorsRule
from latentadj.problem import AdjustmentProblem
from latentadj.results.factors import FactorEstimate

VARIANTS = ("irw", "two_step", "supervised")


class SVASeq(OnLogCounts, LatentFactorEstimator):
    """Surrogate variable analysis of counts: `SVA`, `TwoStepSVA` or `SupervisedSVA` on a log scale.

    Parameters
    ----------
    n_factors : {"auto"} or int or NumFactorsRule, default="auto"
    method : {"irw", "two_step", "supervised"}, default="irw"
        Which of the three is run on the logarithms.
    scale : {"log_cpm", "log1p"}, default="log_cpm"
        log2 counts per million, or natural logarithms of the counts, as in the R package. The latter leaves the
        samples' depths in the data: they then take a factor of their own, or bias effects when they do not get it.
    constant : float or None, default=None
        Added to every count: 0.5 for "log_cpm" and 1 for "log1p" unless given.
    controls : array-like or None, default=None
        Negative controls, for ``method="supervised"``: names, integer positions or a boolean mask.
    max_iter : int, default=200
        Largest number of rounds of "irw".
    tol : float, default=1e-4
        See `SVA`.
    compat : {None, "sva"}, default=None
        As in `SVA` and `TwoStepSVA`. With ``scale="log1p"`` and ``max_iter=5`` it gives the numbers of the R
        package's svaseq.
    model : PrimaryModel or None, default=None
    random_state : default=0

    Notes
    -----
    Leek (2014). Effects, loadings and tests are those of the log scale that is chosen; `transform` of new samples
    uses their own depths. Least squares gives every sample of a feature the same weight, although the variance of
    log counts depends on the count: with low counts and unequal depths use the factors in a model with weights.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> y, z = np.repeat([0, 1], 10), rng.normal(size=20)
    >>> counts = rng.poisson(np.exp(4 + np.outer(z, 0.5 * rng.normal(size=300))))
    >>> sva = SVASeq(n_factors=1).fit(counts, y)
    >>> bool(abs(np.corrcoef(sva.factors_[:, 0], z)[0, 1]) > 0.99)
    True
    """

    method_info: ClassVar[MethodInfo] = MethodInfo(
        name="svaseq",
        title="Surrogate variable analysis of counts",
        reference="Leek (2014), Nucleic Acids Research 42:e161",
        identified_by="enough features depend on the factors and not on the primary variables",
        summary="Surrogate variable analysis of log counts per million.",
        input_scale="counts",
        cautions=(
            "Log counts do not have the same variance in all samples; with low counts or unequal depths use the "
            "factors in a model with weights.",
        ),
    )

    def __init__(
        self,
        n_factors: int | str | NumFactorsRule = "auto",
        *,
        method: str = "irw",
        scale: str = "log_cpm",
        constant: float | None = None,
        controls: ArrayLike | None = None,
        max_iter: int = 200,
        tol: float = 1e-4,
        compat: str | None = None,
        model: Any = None,
        random_state: Any = 0,
    ) -> None:
        super().__init__(n_factors, model=model, random_state=random_state)
        self.method = method
        self.scale = scale
        self.constant = constant
        self.controls = controls
        self.max_iter = max_iter
        self.tol = tol
        self.compat = compat

    @property
    def _literal(self) -> bool:
        return False

    def _estimate_factors(self, problem: AdjustmentProblem, n_factors: int, rng: np.random.Generator) -> FactorEstimate:
        return self._variant()._estimate_factors(problem, n_factors, rng)

    def _variant(self) -> LatentFactorEstimator:
        if self.method == "irw":
            return SVA(self.n_factors, max_iter=self.max_iter, tol=self.tol, compat=self.compat)
        if self.method == "two_step":
            return TwoStepSVA(self.n_factors, compat=self.compat)
        if self.method == "supervised":
            if self.controls is None:
                raise ControlsError(
                    'SVASeq(method="supervised") needs negative controls: features whose true effect is zero, such as '
                    "spike-ins. Give controls= as names, positions or a mask, or use method='irw'."
                )
            return SupervisedSVA(self.n_factors, controls=self.controls)
        raise MethodError(f"method={self.method!r} is unknown; SVASeq knows {', '.join(map(repr, VARIANTS))}.")
