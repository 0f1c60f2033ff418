"""The user's matrix with a variable that has no effect, in place of the primary one."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from latentadj.core.regression import design_basis
from latentadj.design import Design
from latentadj.exceptions import InputError
from latentadj.simulation.matching import matched_order, shared_variation
from latentadj.simulation.real_data import RealData
from latentadj.simulation.study import SimulatedStudy, Truth

Array = NDArray[np.float64]
Labels = NDArray[np.intp]

#: Strata are used when samples share their nuisance values with this many others on average.
STRATUM_SIZE = 4


@dataclass(frozen=True, eq=False)
class PermutedPrimary:
    """Null studies from real data: pseudo-primary variables of the same geometry as the primary one.

    Parameters
    ----------
    data : RealData
    name : str, default="permuted primary"
    factors : ndarray of shape (n_samples, k), optional
        Estimated hidden factors of the data (`estimated_factors`), with which the pseudo-primary variable shares
        variation; none by default.
    confounding : float, default=0.0
        R2 of the pseudo-primary variable on `factors`, beyond the other columns of the design.
    keep_primary : bool, default=True
        Adjust for the primary variable itself. Its true effects would else be hidden variation.

    Raises
    ------
    InputError
        Nothing was tested in the design, or a confounding outside [0, 1).

    Notes
    -----
    Where samples share their nuisance values (at least four per combination on average), the rows of the primary
    columns are permuted within these strata, so that group sizes, values and the association with the nuisance
    columns stay as they are. Else the residuals of the primary columns given the nuisance columns are permuted and
    added to what the nuisance columns explain (after Freedman and Lane 1983), so that the association stays and the
    values do not. With ``confounding > 0`` the permutation is chosen by `matched_order`, after Gerard (2020), BMC
    Bioinformatics 21:206. No feature depends on such a variable, given factors and design; all effects are zero.

    Examples
    --------
    >>> data = RealData.read(np.random.default_rng(0).normal(size=(12, 30)), np.repeat([0.0, 1.0], 6))
    >>> study = PermutedPrimary(data).draw(np.random.default_rng(1))
    >>> study.design.names, sorted(study.design.primary[:, 0].tolist()) == sorted(data.design.primary[:, 0].tolist())
    (('Intercept', 'x', 'pseudo[x]'), True)
    """

    data: RealData
    name: str = "permuted primary"
    factors: Array = field(default_factory=lambda: np.empty((0, 0)))
    confounding: float = 0.0
    keep_primary: bool = True

    def __post_init__(self) -> None:
        if not self.data.design.primary_names:
            raise InputError("The design tests nothing, so there is no variable to permute. Name one before the bar.")
        if not 0 <= self.confounding < 1:
            raise InputError(f"confounding={self.confounding!r} is no R2; give a number from 0 up, and below 1.")

    def settings(self) -> dict[str, Any]:
        """Return what decides the studies."""
        digest = self.factors.round(6).tolist() if self.confounding else []
        return {
            "data": self.data.digest(),
            "confounding": self.confounding,
            "keep_primary": self.keep_primary,
            "factors": digest,
        }

    def draw(self, rng: np.random.Generator) -> SimulatedStudy:
        """Return one study."""
        data, design = self.data, self._design(rng)
        m = data.n_features
        truth = Truth(
            effects=np.zeros(m),
            factors=np.empty((len(data.values), 0)),
            loadings=np.empty((m, 0)),
            controls=data.no_controls(),
            factors_known=False,
        )
        return SimulatedStudy(data.values, design, truth, self, data.pairs(), data.counts)

    def _design(self, rng: np.random.Generator) -> Design:
        design = self.data.design
        primary, nuisance = design.primary, design.nuisance
        beside = np.hstack([nuisance, primary]) if self.keep_primary else nuisance
        given, known = design_basis(beside).q, design_basis(nuisance).q
        strata = strata_of(nuisance, primary)
        explained = np.zeros_like(primary) if strata is not None else known @ (known.T @ primary)
        factors = self.factors if self.factors.size else np.empty((len(primary), 0))
        order = matched_order(primary - explained, factors, given, self.confounding, rng, strata)
        pseudo = explained + (primary - explained)[order]
        return with_pseudo_primary(design, pseudo, keep_primary=self.keep_primary)


def observed_confounding(data: RealData, scores: Array) -> float:
    """R2 of the primary columns on hidden factors beyond the nuisance columns.

    Parameters
    ----------
    data : RealData
    scores : ndarray of shape (n_samples, k)
        Factors with their share along the primary columns (`AdjustmentResult.factors`).

    Returns
    -------
    float
        Less what as many random directions would share; between 0 and 0.95.
    """
    known = design_basis(data.design.nuisance).q
    found = shared_variation(data.design.primary, scores, known)
    room = max(len(known) - known.shape[1], 1)
    chance = min(scores.shape[1] / room, 0.99)
    return float(np.clip((found - chance) / (1.0 - chance), 0.0, 0.95))


def strata_of(nuisance: Array, primary: Array) -> Labels | None:
    """Label samples of equal nuisance values; None where they are too few to permute within.

    Parameters
    ----------
    nuisance : ndarray of shape (n_samples, q)
    primary : ndarray of shape (n_samples, p)

    Returns
    -------
    ndarray of int, shape (n_samples,), or None

    Examples
    --------
    >>> strata_of(np.ones((4, 1)), np.array([[0.0], [0.0], [1.0], [1.0]])).tolist()
    [0, 0, 0, 0]
    >>> strata_of(np.arange(4.0)[:, None], np.array([[0.0], [0.0], [1.0], [1.0]])) is None
    True
    """
    if not nuisance.shape[1]:
        return np.zeros(len(nuisance), dtype=np.intp)
    labels = np.unique(nuisance, axis=0, return_inverse=True)[1].reshape(-1)
    n_strata = int(labels.max()) + 1
    varies = any(len(np.unique(primary[labels == label], axis=0)) > 1 for label in range(n_strata))
    return labels if varies and len(labels) >= STRATUM_SIZE * n_strata else None


def with_pseudo_primary(design: Design, pseudo: Array, *, keep_primary: bool) -> Design:
    """Return a design that tests other columns; the old ones are adjusted for, or left out.

    Parameters
    ----------
    design : Design
    pseudo : ndarray of shape (n_samples, p)
        One column per tested column.
    keep_primary : bool

    Returns
    -------
    Design
    """
    tested = set(design.columns_with("primary"))
    kept = [i for i in range(len(design.names)) if keep_primary or i not in tested]
    names = tuple(f"pseudo[{name}]" for name in design.primary_names)
    return replace(
        design,
        matrix=np.hstack([design.matrix[:, kept], pseudo]),
        names=(*(design.names[i] for i in kept), *names),
        roles=(*("nuisance" if i in tested else design.roles[i] for i in kept), *("primary" for _ in names)),
        terms=(*(design.terms[i] for i in kept), *(f"pseudo[{design.terms[i]}]" for i in sorted(tested))),
        variables=(*(design.variables[i] for i in kept), *(() for _ in names)),
        spec=None,
        formula=None,
    )
