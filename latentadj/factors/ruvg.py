"""Removal of unwanted variation from counts by negative-control genes."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike

from latentadj.core.matrix import FeatureSubset
from latentadj.core.regression import design_basis
from latentadj.core.spectrum import residual_spectrum
from latentadj.exceptions import MethodError
from latentadj.factors.controlled import ControlledFactorEstimator
from latentadj.factors.info import MethodInfo
from latentadj.factors.limits import capped_by_controls
from latentadj.factors.log_counts import OnLogCounts
from latentadj.num_factors import NumFactorsRule
from latentadj.problem import AdjustmentProblem
from latentadj.results.factors import FactorEstimate


class RUVg(OnLogCounts, ControlledFactorEstimator):
    """RUVg: principal components of the log counts of negative-control genes.

    Parameters
    ----------
    n_factors : {"auto"} or int or NumFactorsRule, default="auto"
    controls : array-like
        Negative controls: names, integer positions or a boolean mask.
    scale : {"log_cpm", "log1p"}, default="log_cpm"
        log2 counts per million, or natural logarithms of the counts as in the R package. The latter leaves the samples'
        depths in the data.
    constant : float or None, default=None
        Added to every count: 0.5 for "log_cpm" and 1 for "log1p" unless given.
    drop : int, default=0
        Leading components that are left out (one that carries biology, say).
    compat : {None, "RUVSeq"}, default=None
        "RUVSeq" takes out the controls' means only and not the nuisance columns; with ``scale="log1p"`` it gives the
        R package's numbers.
    model : PrimaryModel or None, default=None
    random_state : default=0

    Notes
    -----
    Risso, Ngai, Speed and Dudoit (2014). By default this is RUV-2 on log2 counts per million.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> z = rng.normal(size=20)
    >>> counts = rng.poisson(np.exp(4 + np.outer(z, 0.5 * rng.normal(size=300))))
    >>> ruv = RUVg(n_factors=1, controls=np.arange(100)).fit(counts, np.repeat([0, 1], 10))
    >>> bool(abs(np.corrcoef(ruv.factors_[:, 0], z)[0, 1]) > 0.99)
    True
    """

    method_info: ClassVar[MethodInfo] = MethodInfo(
        name="ruvg",
        title="RUVg",
        reference="Risso, Ngai, Speed and Dudoit (2014), Nature Biotechnology 32:896",
        identified_by="negative controls have no true effect and feel the same factors as the rest",
        summary="Components of the log counts of negative controls.",
        identification="controls",
        needs=("controls",),
        input_scale="counts",
        cautions=(
            "If controls respond to the primary variable, the factors absorb it.",
            "The error of the factors is not carried into the tests: give many controls when factors are weak.",
        ),
    )

    def __init__(
        self,
        n_factors: int | str | NumFactorsRule = "auto",
        *,
        controls: ArrayLike | None = None,
        scale: str = "log_cpm",
        constant: float | None = None,
        drop: int = 0,
        compat: str | None = None,
        model: Any = None,
        random_state: Any = 0,
    ) -> None:
        super().__init__(n_factors, controls=controls, model=model, random_state=random_state)
        self.scale = scale
        self.constant = constant
        self.drop = drop
        self.compat = compat

    def _estimate_factors(self, problem: AdjustmentProblem, n_factors: int, rng: np.random.Generator) -> FactorEstimate:
        if not isinstance(self.drop, int) or self.drop < 0:
            raise MethodError(f"drop={self.drop!r}; give a whole number from 0 up.")
        last = capped_by_controls(problem, n_factors + self.drop, self.n_factors)
        controls = FeatureSubset(problem.matrix, np.flatnonzero(np.asarray(problem.controls)))
        mean_only = design_basis(np.ones((problem.n_samples, 1)))
        spectrum = residual_spectrum(controls, mean_only if self._literal else problem.nuisance_basis)
        return FactorEstimate(spectrum.vectors[:, self.drop : last])
