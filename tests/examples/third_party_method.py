"""ReFACTor (Rahmani et al. 2016) as a method of another package: all that such a package has to hold."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from latentadj import LatentFactorEstimator, MethodInfo, NumFactorsRule
from latentadj.core.matrix import FeatureSubset
from latentadj.core.spectrum import residual_spectrum
from latentadj.exceptions import MethodError
from latentadj.problem import AdjustmentProblem
from latentadj.results.factors import FactorEstimate

Array = NDArray[np.float64]


class Refactor(LatentFactorEstimator):
    """Reference-free adjustment for cell-type composition: components of the best-explained features.

    Parameters
    ----------
    n_factors : {"auto"} or int or NumFactorsRule, default="auto"
        Number of components, the number of cell types in the paper.
    sites : int, default=500
        Features that the components are taken from.
    min_sd : float, default=0.0
        Features whose standard deviation is below this are passed over; the paper uses 0.02 for methylation
        beta values.
    model : PrimaryModel or None, default=None
    random_state : default=0

    Notes
    -----
    Features are standardised after the nuisance columns are removed. The distance of a feature to its
    approximation by the first k components, both scaled to length 1, is ``sqrt(2 - 2 r)`` with ``r**2`` the share
    of the feature that the components explain; so the features that are closest are those with the largest share,
    which one pass over the data gives. The second set of components is taken from these alone.

    References
    ----------
    Rahmani et al. (2016), Nature Methods 13:443, Online Methods.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> mixture = rng.normal(size=20)
    >>> X = rng.normal(size=(20, 300))
    >>> X[:, :60] += 3 * mixture[:, None]
    >>> found = Refactor(1, sites=50).fit(X, np.repeat([0, 1], 10)).factors_[:, 0]
    >>> bool(abs(np.corrcoef(found, mixture)[0, 1]) > 0.95)
    True
    """

    method_info: ClassVar[MethodInfo] = MethodInfo(
        name="refactor",
        title="ReFACTor",
        reference="Rahmani et al. (2016), Nature Methods 13:443",
        identified_by="the features that the leading components explain best do not depend on the primary variables",
        summary="Components of the features that the components of all features explain best.",
        identification="sparsity",
        cautions=(
            "The primary variables are not protected: where they lead the data, the components follow them.",
            "Made for methylation, where cell composition is the largest source of variation.",
        ),
    )

    def __init__(
        self,
        n_factors: int | str | NumFactorsRule = "auto",
        *,
        sites: int = 500,
        min_sd: float = 0.0,
        model: Any = None,
        random_state: Any = 0,
    ) -> None:
        super().__init__(n_factors, model=model, random_state=random_state)
        self.sites = sites
        self.min_sd = min_sd

    def _estimate_factors(self, problem: AdjustmentProblem, n_factors: int, rng: np.random.Generator) -> FactorEstimate:
        if self.sites <= n_factors or self.min_sd < 0:
            raise MethodError(
                f"ReFACTor needs more sites than factors and min_sd >= 0; got sites={self.sites} for {n_factors} "
                f"factors and min_sd={self.min_sd}."
            )
        weights = standardising_weights(problem, self.min_sd)
        first = residual_spectrum(problem.matrix, problem.nuisance_basis, weights=weights)
        explained = explained_share(problem, weights, first.vectors[:, :n_factors])
        chosen = np.sort(np.argsort(-explained, kind="stable")[: self.sites])
        subset = FeatureSubset(problem.matrix, chosen)
        second = residual_spectrum(subset, problem.nuisance_basis, weights=weights[chosen])
        used = np.zeros(problem.n_features)
        used[chosen] = 1.0
        return FactorEstimate(
            second.vectors[:, :n_factors], feature_weights=used, details={"explained_share": explained}
        )


def standardising_weights(problem: AdjustmentProblem, min_sd: float) -> Array:
    """One over each feature's length outside the nuisance columns, 0 for what is passed over; ``(n_features,)``."""
    of_primary = problem.sums.effects[:, problem.n_nuisance :]
    outside = problem.sums.rss + np.einsum("ij,ij->i", of_primary, of_primary)
    df = max(problem.n_samples - problem.n_nuisance, 1)
    usable = ~problem.constant & (outside > 1e-24 * problem.sums.tss) & (outside >= df * min_sd**2)
    return np.divide(1.0, np.sqrt(outside), out=np.zeros_like(outside), where=usable & (outside > 0))


def explained_share(problem: AdjustmentProblem, weights: Array, components: Array) -> Array:
    """Share of each standardised feature that orthonormal components explain; ``(n_features,)``."""
    coordinates = problem.project(components) * weights[:, None]
    return np.asarray(np.einsum("ij,ij->i", coordinates, coordinates))
