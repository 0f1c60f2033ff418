"""Variational Bayes factor analysis with known covariates (PEER)."""

from __future__ import annotations

import warnings
from numbers import Integral
from typing import Any, ClassVar

import numpy as np

from latentadj.core.matrix import Array
from latentadj.core.regression import DesignBasis
from latentadj.core.spectrum import residual_spectrum
from latentadj.core.variational_factors import (
    FactorData,
    GammaPrior,
    VariationalFit,
    VariationalModel,
    variational_factors,
)
from latentadj.exceptions import FactorLimitWarning, MethodError, NotConvergedWarning
from latentadj.factors.base import LatentFactorEstimator
from latentadj.factors.info import MethodInfo
from latentadj.num_factors import NumFactorsRule
from latentadj.problem import AdjustmentProblem
from latentadj.results.factors import FactorEstimate

KNOWN = ("nuisance", "design")
#: A factor whose posterior means have a smaller share of the prior's variance is taken as switched off.
SWITCHED_OFF = 0.01


class PEER(LatentFactorEstimator):
    """Bayesian factor analysis with automatic relevance determination, after PEER.

    Parameters
    ----------
    n_factors : {"auto"} or int or NumFactorsRule, default="auto"
        Largest number; factors that the data do not support are switched off and dropped.
    known : {"nuisance", "design"}, default="nuisance"
        Which design columns are known factors of the model. With "design" the primary columns are among them; the
        hidden factors are then orthogonal to them and cannot remove confounding.
    relevance_prior : tuple of float, default=(0.001, 0.1)
        Shape and rate of the gamma prior of the weights' precisions.
    noise_prior : tuple of float, default=(0.1, 10.0)
        Shape and rate of the gamma prior of the noise precisions, for features of unit variance. The default favours
        large noise: with n samples it adds about 20 / n to every noise variance, which is what switches
        superfluous factors off.
    max_iter : int, default=1000
        Largest number of sweeps.
    tol : float, default=1e-8
        Sweeps end when the bound of the log evidence rises by less, per value of the data.
    model : PrimaryModel or None, default=None
    random_state : default=0

    Notes
    -----
    The model of Stegle, Parts, Piipari et al. (2012). Two differences from the program: features are scaled to unit
    variance after the known columns, because the priors are absolute numbers; and the coefficients of the known
    columns have a flat prior, so that their part leaves exactly, where PEER shrinks them like the others. The
    start is the principal components, not random numbers.

    By default the primary variables are not in the model, and the factors take up what is common to many
    features, their effects included: right when few features respond. ``estimate_.details`` holds ``bound``,
    the evidence bound after every sweep, and ``relevance``, the precisions of the weights.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> z = rng.normal(size=30)
    >>> X = np.outer(z, rng.normal(size=300)) + 0.5 * rng.normal(size=(30, 300))
    >>> peer = PEER(n_factors=1).fit(X, np.repeat([0, 1], 15))
    >>> bool(abs(np.corrcoef(peer.factors_[:, 0], z)[0, 1]) > 0.99)
    True
    """

    method_info: ClassVar[MethodInfo] = MethodInfo(
        name="peer",
        title="PEER-like factor analysis",
        reference="Stegle, Parts, Piipari, Winn and Durbin (2012), Nature Protocols 7:500",
        identified_by="few features respond to the primary variables, and factors drive many",
        summary="Variational factor analysis of the data without the known columns, with automatic relevance.",
        cautions=(
            "The primary variables are not in the model, so that factors take up their effects: type-I error 0.05 with "
            "5 % effects, 0.1 with 10 % effects of three times the noise, 0.45 with 30 % of them. For many primary "
            "variables that each move few features, such as genotypes, it is right.",
        ),
        valid_for_testing=False,
    )

    def __init__(
        self,
        n_factors: int | str | NumFactorsRule = "auto",
        *,
        known: str = "nuisance",
        relevance_prior: tuple[float, float] = (0.001, 0.1),
        noise_prior: tuple[float, float] = (0.1, 10.0),
        max_iter: int = 1000,
        tol: float = 1e-8,
        model: Any = None,
        random_state: Any = 0,
    ) -> None:
        super().__init__(n_factors, model=model, random_state=random_state)
        self.known = known
        self.relevance_prior = relevance_prior
        self.noise_prior = noise_prior
        self.max_iter = max_iter
        self.tol = tol

    def _estimate_factors(self, problem: AdjustmentProblem, n_factors: int, rng: np.random.Generator) -> FactorEstimate:
        self._check_options()
        basis, squares = _known_part(problem, self.known == "design")
        complement = basis.complement()
        nu = complement.shape[1]
        usable = ~problem.constant & (squares > 1e-24 * problem.sums.tss)
        scale = np.divide(np.sqrt(nu), np.sqrt(squares), out=np.zeros_like(squares), where=usable)
        mean = problem.sums.mean if basis.spans_constant else np.zeros_like(scale)
        data = FactorData(problem.matrix, complement, mean, scale, squares * scale**2)
        spectrum = residual_spectrum(problem.matrix, basis, weights=scale)
        components = complement.T @ spectrum.vectors[:, :n_factors]
        explained = np.einsum("jk,jk->j", *(2 * [data.cross(components)]))
        noise = np.maximum(data.squares - explained, 0.0) / max(nu - n_factors, 1)
        model = VariationalModel(data, GammaPrior(*self.relevance_prior), GammaPrior(*self.noise_prior))
        fit = variational_factors(model, components * np.sqrt(nu), noise, tol=self.tol, max_iter=self.max_iter)
        return self._finished(fit, complement)

    def _finished(self, fit: VariationalFit, complement: Array) -> FactorEstimate:
        share = np.einsum("ik,ik->k", fit.scores, fit.scores) / len(fit.scores)
        kept = np.flatnonzero(share > SWITCHED_OFF)
        if len(kept) < len(share):
            warnings.warn(
                f"{len(share) - len(kept)} of {len(share)} factors were switched off: the data do not support them.",
                FactorLimitWarning,
                stacklevel=2,
            )
        if not fit.converged:
            warnings.warn(
                f"PEER's bound still rose after {len(fit.bound)} sweeps (tol={self.tol:g}). Raise max_iter.",
                NotConvergedWarning,
                stacklevel=2,
            )
        size = share[kept] * np.einsum("jk,jk->k", fit.weights[:, kept], fit.weights[:, kept])
        kept = kept[np.argsort(-size, kind="stable")]
        details = {"bound": fit.bound, "relevance": fit.relevance[kept]}
        return FactorEstimate(
            complement @ fit.scores[:, kept], converged=fit.converged, n_iter=len(fit.bound), details=details
        )

    def _check_options(self) -> None:
        if self.known not in KNOWN:
            raise MethodError(f"known={self.known!r} is unknown; PEER knows {', '.join(map(repr, KNOWN))}.")
        for name in ("relevance_prior", "noise_prior"):
            values = np.asarray(getattr(self, name), dtype=np.float64)
            if values.shape != (2,) or not (values > 0).all():
                raise MethodError(f"{name}={getattr(self, name)!r}; give shape and rate, two numbers above 0.")
        if not (isinstance(self.max_iter, Integral) and self.max_iter >= 1 and self.tol > 0):
            raise MethodError(
                f"PEER needs max_iter >= 1 and tol > 0; got max_iter={self.max_iter!r}, tol={self.tol!r}."
            )


def _known_part(problem: AdjustmentProblem, with_primary: bool) -> tuple[DesignBasis, Array]:
    """Basis of the known columns, and every feature's sum of squares without them."""
    if with_primary:
        return problem.basis, problem.sums.rss
    primary = problem.sums.effects[:, problem.n_nuisance :]
    return problem.nuisance_basis, problem.sums.rss + np.einsum("ij,ij->i", primary, primary)
