"""Independent surrogate variable analysis."""

from __future__ import annotations

from functools import partial
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from latentadj.core.associated_features import correlations, fisher_pvalues, strongest_features
from latentadj.core.matrix import Array, FeatureMatrix, FeatureSubset
from latentadj.exceptions import MethodError
from latentadj.factors.base import LatentFactorEstimator
from latentadj.factors.confounder_screen import independent_columns, screened
from latentadj.factors.independent_components import METHODS as ICA_METHODS
from latentadj.factors.independent_components import mixing_columns
from latentadj.factors.info import MethodInfo
from latentadj.factors.random_matrix_number import random_matrix_number
from latentadj.num_factors import NumFactorsRule
from latentadj.problem import AdjustmentProblem
from latentadj.results.factors import FactorEstimate, NumFactorsResult


class ISVA(LatentFactorEstimator):
    """Independent surrogate variable analysis: independent instead of principal components.

    Parameters
    ----------
    n_factors : {"auto"} or int or NumFactorsRule, default="auto"
    ica : {"jade", "fastica"}, default="jade"
        Joint diagonalisation of fourth-order cumulants, which is deterministic, or scikit-learn's FastICA with a
        start from `random_state`.
    confounders : None, str, list of str, Series, DataFrame or array, default=None
        Technical variables of the samples, not in the design. With them, only components are kept that follow one of
        them (p below 0.01), and follow it more closely than the primary variables.
    level : float, default=0.05
        Features with a q-value below it are taken to follow a component.
    min_features : int, default=500
        Least number of features that a component is estimated from; all of them when there are fewer.
    compat : {None, "isva"}, default=None
        "isva" gives the numbers of the R package. Features then count by their variance, so that a few noisy ones
        lead; their means stay in when components are taken from the data, so that with unequal means the leading
        component is the constant; and ``n_factors="auto"`` is the random-matrix dimension of the residuals. By
        default features have unit residual variance and mean 0.
    model : PrimaryModel or None, default=None
    random_state : default=0

    Notes
    -----
    Teschendorff, Zhuang and Widschwendter (2011). Features are the observations: independent components of the
    residuals give k directions of the samples; for each, the features correlated with it (Fisher's z) are taken
    from the *data*, not the residuals, decomposed again, and the component most correlated with the direction is
    the factor. That is what lets factors be associated with the primary variables. Components are separated by
    the fourth moments of the loadings, so that normal loadings separate at random, and strong factors less well on
    features of unit variance than on the raw ones; the span matters for the tests, not the basis. Scaling by the
    *noise* variance separates better but let effects into the factors: type-I errors of 0.1 and more with extreme
    confounding, where unit residual variances gave 0.056. Columns that repeat others are dropped.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> y, z = np.repeat([0, 1], 15), rng.normal(size=30)
    >>> X = np.outer(z, rng.normal(size=600)) + 0.5 * rng.normal(size=(30, 600))
    >>> isva = ISVA(n_factors=1).fit(X, y)
    >>> bool(abs(np.corrcoef(isva.factors_[:, 0], z)[0, 1]) > 0.99)
    True
    """

    sample_parameters: ClassVar[tuple[str, ...]] = ("confounders",)
    method_info: ClassVar[MethodInfo] = MethodInfo(
        name="isva",
        title="Independent SVA",
        reference="Teschendorff, Zhuang and Widschwendter (2011), Bioinformatics 27:1496",
        identified_by="each factor drives a set of features that the primary variables leave alone",
        summary="Independent components of the features that follow each independent component of the residuals.",
        cautions=(
            "Factors take up some of the effects where these are many or strong: type-I error 0.07 with 30 % effects, "
            "0.11 with 10 % effects of three times the noise.",
            "Components are told apart by the fourth moments of the loadings; single factors mean little when those "
            "are close to normal.",
            "Joint diagonalisation takes about a minute with twenty factors, and grows with the fifth power of their "
            "number.",
        ),
        not_promised={
            "nuisance_effects": "Components of the centred data hold the nuisance columns' effects, by definition.",
        },
    )

    def __init__(
        self,
        n_factors: int | str | NumFactorsRule = "auto",
        *,
        ica: str = "jade",
        confounders: Any = None,
        level: float = 0.05,
        min_features: int = 500,
        compat: str | None = None,
        model: Any = None,
        random_state: Any = 0,
    ) -> None:
        super().__init__(n_factors, model=model, random_state=random_state)
        self.ica = ica
        self.confounders = confounders
        self.level = level
        self.min_features = min_features
        self.compat = compat

    def _choose_number(self, problem: AdjustmentProblem, rng: np.random.Generator) -> NumFactorsResult:
        if self.compat == "isva" and self.n_factors == "auto":
            return random_matrix_number(problem)
        return super()._choose_number(problem, rng)

    def _estimate_factors(self, problem: AdjustmentProblem, n_factors: int, rng: np.random.Generator) -> FactorEstimate:
        self._check_options()
        decompose = partial(mixing_columns, k=n_factors, method=self.ica, rng=rng)
        weights = None if self.compat else problem.unit_weights
        varying = np.flatnonzero(~problem.constant)
        directions, converged = decompose(*_part(problem.matrix, weights, varying, problem.basis.q))
        chosen = self._followers(problem, directions)
        removed = np.empty((problem.n_samples, 0)) if self.compat else _constant_direction(problem.n_samples)
        columns, settled = _closest(
            chosen, directions, lambda features: decompose(*_part(problem.matrix, weights, features, removed))
        )
        if self.compat is None:
            columns = columns / np.linalg.norm(columns, axis=0)
        columns = independent_columns(problem.nuisance_basis.q, columns)
        confounders = problem.annotations.get("confounders")
        if confounders is not None:
            columns = screened(columns, problem.design.primary, confounders)
        sizes = np.array([len(features) for features in chosen])
        return FactorEstimate(columns, converged=converged and settled, details={"n_followers": sizes})

    def _followers(self, problem: AdjustmentProblem, directions: Array) -> list[NDArray[np.intp]]:
        """Features that each direction is estimated again from, as positions in the data."""
        positions = np.flatnonzero(~problem.constant)
        tss = problem.sums.tss
        if not problem.basis.spans_constant:
            tss = tss - problem.n_samples * problem.sums.mean**2
        found = correlations(problem.matrix, directions, np.maximum(tss, 0.0))[positions]
        p = fisher_pvalues(found, problem.n_samples)
        return [positions[strongest_features(column, level=self.level, at_least=self.min_features)] for column in p.T]

    def _check_options(self) -> None:
        if self.compat not in (None, "isva"):
            raise MethodError(f"compat={self.compat!r} is unknown; ISVA knows None and 'isva'.")
        if self.ica not in ICA_METHODS:
            raise MethodError(f"ica={self.ica!r} is unknown; ISVA knows {', '.join(map(repr, ICA_METHODS))}.")
        if not (0 < self.level < 1 and self.min_features >= 2):
            raise MethodError(
                f"ISVA needs a level between 0 and 1 and min_features >= 2; got level={self.level!r}, "
                f"min_features={self.min_features!r}."
            )


def _part(
    Y: FeatureMatrix, weights: Array | None, features: NDArray[np.intp], removed: Array
) -> tuple[FeatureMatrix, Array, Array | None]:
    return FeatureSubset(Y, features), removed, None if weights is None else weights[features]


def _closest(chosen: list[NDArray[np.intp]], directions: Array, decompose: Any) -> tuple[Array, bool]:
    """For every direction, the component of its features' data that is most correlated with it."""
    columns, settled = [], True
    known: dict[bytes, tuple[Array, bool]] = {}
    for features, direction in zip(chosen, directions.T, strict=True):
        key = features.tobytes()
        if key not in known:
            known[key] = decompose(features)
        mixing, converged = known[key]
        settled = settled and converged
        centred = mixing - mixing.mean(axis=0)
        lengths = np.maximum(np.linalg.norm(centred, axis=0), np.finfo(float).tiny)
        columns.append(mixing[:, int(np.argmax(np.abs(direction @ centred) / lengths))])
    return np.column_stack(columns), settled


def _constant_direction(n_samples: int) -> Array:
    return np.full((n_samples, 1), 1.0 / np.sqrt(n_samples))
