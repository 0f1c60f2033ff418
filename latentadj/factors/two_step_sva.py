"""Surrogate variable analysis in two steps."""

from __future__ import annotations

import warnings
from typing import Any, ClassVar

import numpy as np
from scipy.linalg import eigh

from latentadj.core.kernels import GramKernel
from latentadj.core.matrix import Array, FeatureSubset
from latentadj.core.multiple import local_fdr
from latentadj.core.passes import run_pass
from latentadj.core.tails import f_upper_p
from latentadj.exceptions import FactorLimitWarning, MethodError
from latentadj.factors.base import LatentFactorEstimator
from latentadj.factors.info import MethodInfo
from latentadj.num_factors import NumFactorsRule
from latentadj.problem import AdjustmentProblem
from latentadj.results.factors import FactorEstimate


class TwoStepSVA(LatentFactorEstimator):
    """Two-step surrogate variable analysis.

    Parameters
    ----------
    n_factors : {"auto"} or int or NumFactorsRule, default="auto"
        Largest number; components that too few features follow are dropped.
    lfdr_cutoff : float, default=0.1
        Features with a lower local false discovery rate are taken to follow a component.
    compat : {None, "sva"}, default=None
        "sva" keeps the R package's index slip: after a component is dropped, the remaining feature sets are
        compared with the wrong components. It also uses the density grid of R before 4.4.
    model : PrimaryModel or None, default=None
    random_state : default=0

    Notes
    -----
    Leek and Storey (2007). For each residual component: an F test of every feature on it, the features with
    a small local false discovery rate, and of *their* components (of the data, not of the residuals) the one
    most correlated with the residual component. A component followed by fewer features than there are samples
    is dropped. Factors are of length 1 and need not be orthogonal to each other.
    In simulations its type-I error was 0.1 to 0.4 with small samples, dense effects or strong confounding, where
    `SVA` and `CATE` keep theirs; offered for comparison with earlier work.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> z = rng.normal(size=20)
    >>> X = np.outer(z, rng.normal(size=300)) + 0.5 * rng.normal(size=(20, 300))
    >>> sva = TwoStepSVA(n_factors=1).fit(X, np.repeat([0, 1], 10))
    >>> bool(abs(np.corrcoef(sva.factors_[:, 0], z)[0, 1]) > 0.99)
    True
    """

    method_info: ClassVar[MethodInfo] = MethodInfo(
        name="sva_two_step",
        title="Surrogate variable analysis (two-step)",
        reference="Leek and Storey (2007), PLoS Genetics 3:e161",
        identified_by="each factor drives a set of features that the primary variables leave alone",
        summary="Components of the features that follow each residual component.",
        not_promised={
            "nuisance_effects": "Components are those of the centred data, effects of the nuisance columns included.",
        },
    )

    def __init__(
        self,
        n_factors: int | str | NumFactorsRule = "auto",
        *,
        lfdr_cutoff: float = 0.1,
        compat: str | None = None,
        model: Any = None,
        random_state: Any = 0,
    ) -> None:
        super().__init__(n_factors, model=model, random_state=random_state)
        self.lfdr_cutoff = lfdr_cutoff
        self.compat = compat

    def _estimate_factors(self, problem: AdjustmentProblem, n_factors: int, rng: np.random.Generator) -> FactorEstimate:
        if self.compat not in (None, "sva"):
            raise MethodError(f"compat={self.compat!r} is unknown; TwoStepSVA knows None and 'sva'.")
        components = problem.spectrum.vectors[:, :n_factors]
        members = self._members(problem, components)
        kept = np.flatnonzero(members.sum(axis=0) >= problem.n_samples)
        if len(kept) < n_factors:
            warnings.warn(
                f"{n_factors - len(kept)} of {n_factors} components are followed by fewer features than there "
                f"are samples ({problem.n_samples}) and were dropped.",
                FactorLimitWarning,
                stacklevel=2,
            )
        matched = components[:, : len(kept)] if self.compat == "sva" else components[:, kept]
        factors = [
            _closest_component(problem, members[:, i], component) for i, component in zip(kept, matched.T, strict=True)
        ]
        scores = np.column_stack(factors) if factors else np.empty((problem.n_samples, 0))
        return FactorEstimate(scores, details={"members": members[:, kept]})

    def _members(self, problem: AdjustmentProblem, components: Array) -> np.ndarray:
        """Features that follow each component, ``(n_features, n_components)``, by the F test on it alone."""
        n = problem.n_samples
        centred = components - components.mean(axis=0)
        lengths = np.einsum("ij,ij->j", centred, centred)
        explained = problem.project(centred) ** 2 / lengths
        tss = _total_about_mean(problem)[:, None]
        left = np.maximum(tss - explained, np.finfo(float).tiny)
        p = f_upper_p(explained / left * (n - 2), 1.0, float(n - 2))
        p = np.where(problem.constant[:, None], np.nan, p)
        old = self.compat == "sva"
        rates = [local_fdr(column, flavor="edge", old_coords=old) for column in p.T]
        return np.column_stack(rates) < self.lfdr_cutoff


def _total_about_mean(problem: AdjustmentProblem) -> Array:
    if problem.basis.spans_constant:
        return problem.sums.tss
    return problem.sums.tss - problem.n_samples * problem.sums.mean**2


def _closest_component(problem: AdjustmentProblem, members: np.ndarray, component: Array) -> Array:
    """Component of some features' centred data that is most correlated with a residual component."""
    n = problem.n_samples
    subset = FeatureSubset(problem.matrix, np.flatnonzero(members))
    constant = np.full((n, 1), 1.0 / np.sqrt(n))
    (gram,) = run_pass(subset, GramKernel(n, basis=constant))
    vectors = eigh(gram)[1][:, :0:-1]
    centred = vectors - vectors.mean(axis=0)
    lengths = np.linalg.norm(centred, axis=0)
    correlation = np.abs((component - component.mean()) @ centred) / np.maximum(lengths, np.finfo(float).tiny)
    out: Array = vectors[:, int(np.argmax(correlation))]
    return out
