"""Covariates as terms of a model whose variation is shared out among them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from latentadj.core.regression import DesignBasis, design_basis
from latentadj.diagnostics.covariates import Covariate, read_covariate
from latentadj.diagnostics.explored import ExploredStudy
from latentadj.exceptions import InputError

Array = NDArray[np.float64]

KINDS = ("unique", "sequential")


@dataclass(frozen=True, eq=False)
class ExplanatoryTerms:
    """Directions of the samples that belong to each term.

    Attributes
    ----------
    names : tuple of str, length T
    present : ndarray of bool, shape (n_samples,)
        Samples with a value of every covariate.
    basis : DesignBasis
        Of the constant and all terms, over these samples.
    directions : tuple of ndarray, each of shape (rank - 1, df)
        Orthonormal; the term's part of the model, in coordinates of the basis without its first column, the constant.
        With no columns for a term that the others determine.
    """

    names: tuple[str, ...]
    present: NDArray[np.bool_]
    basis: DesignBasis
    directions: tuple[Array, ...]

    @property
    def df(self) -> NDArray[np.intp]:
        """Degrees of freedom of each term's own part, shape (T,)."""
        return np.array([part.shape[1] for part in self.directions], dtype=np.intp)

    def shares(self, coordinates: Array, residual: Array, total: Array) -> Array:
        """Return the share of each term, what terms explain together only, and the rest.

        Parameters
        ----------
        coordinates : ndarray of shape (m, rank)
            Of m responses in the basis.
        residual, total : ndarray of shape (m,)
            Sums of squares about the model and about the mean.

        Returns
        -------
        ndarray of shape (m, T + 2)
            Rows add up to 1; NaN where the total is. The last column but one, what terms share, is negative where
            terms hide each other's part.
        """
        varying = coordinates[:, 1:]
        own = np.column_stack([np.sum((varying @ part) ** 2, axis=1) for part in self.directions])
        parts: Array = np.column_stack([own, total - residual - own.sum(axis=1), residual]) / total[:, None]
        return parts


def explanatory_terms(study: ExploredStudy, terms: Sequence[str] | None, kind: str) -> ExplanatoryTerms:
    """Read covariates as terms.

    Parameters
    ----------
    study : ExploredStudy
    terms : sequence of str or None
        Columns of the sample table; None for all that can be used.
    kind : {"unique", "sequential"}
        What a term explains beyond all others, or beyond those before it.

    Returns
    -------
    ExplanatoryTerms

    Raises
    ------
    InputError
        Without a sample table or a usable column, for a column that cannot be used, or when no degrees of freedom are
        left.

    Examples
    --------
    >>> from latentadj.diagnostics.explored import explored_study
    >>> table = pd.DataFrame({"batch": list("aabb"), "sex": list("fmfm")})
    >>> explanatory_terms(explored_study(np.ones((4, 3)), table), None, "unique").df
    array([1, 1])
    """
    if kind not in KINDS:
        raise InputError(f"kind={kind!r} is unknown; choose 'unique' or 'sequential'.")
    covariates = _covariates(study, terms)
    present = np.logical_and.reduce([covariate.present for covariate in covariates])
    blocks = [_among(covariate, present) for covariate in covariates]
    basis = design_basis(np.column_stack([np.ones(int(present.sum())), *blocks]))
    names = tuple(covariate.name for covariate in covariates)
    if basis.n_samples - basis.rank < 1:
        raise InputError(
            f"{', '.join(names)} take up all degrees of freedom of the {basis.n_samples} samples that have a value of "
            "each. Name fewer columns with terms=."
        )
    return ExplanatoryTerms(names, present, basis, _directions(basis, blocks, kind))


def _covariates(study: ExploredStudy, terms: Sequence[str] | None) -> list[Covariate]:
    table = study.sample_data
    if table is None:
        raise InputError("There is no sample table to share the variation out among. Pass sample_data=.")
    names: list[Any] = list(table.columns) if terms is None else [study.values_of(name, "terms").name for name in terms]
    found = [read_covariate(table[name], str(name)) for name in names]
    skipped = [f"{covariate.name}: {covariate.note}" for covariate in found if covariate.kind == "skipped"]
    usable = [covariate for covariate in found if covariate.kind != "skipped"]
    if not usable or (terms is not None and skipped):
        raise InputError(f"Columns of the sample table cannot be used ({'; '.join(skipped) or 'there are none'}).")
    return usable


def _among(covariate: Covariate, present: NDArray[np.bool_]) -> Array:
    """Columns of a covariate in some of the samples that it is known for."""
    full = np.zeros((len(present), covariate.columns.shape[1]))
    full[covariate.present] = covariate.columns
    return full[present]


def _directions(basis: DesignBasis, blocks: list[Array], kind: str) -> tuple[Array, ...]:
    """Part of each term beyond the constant and the others, or beyond the constant and those before it."""
    ones = np.ones((basis.n_samples, 1))
    found = []
    for i, block in enumerate(blocks):
        others = blocks[:i] if kind == "sequential" else blocks[:i] + blocks[i + 1 :]
        given = design_basis(np.column_stack([ones, *others]))
        both = design_basis(np.column_stack([given.q, block]))
        found.append(basis.q[:, 1:].T @ both.q[:, given.rank :])
    return tuple(found)


def chance_share(df: int, n_samples: int) -> float:
    """Share of the variation that columns unrelated to the data explain on average.

    Examples
    --------
    >>> chance_share(4, 41)
    0.1
    """
    return df / (n_samples - 1)


def shares_table(values: Array, names: Sequence[str], index: Any = None) -> pd.DataFrame:
    """Name the columns of shares: the terms, "shared" and "residuals"."""
    return pd.DataFrame(values, index=index, columns=[*names, "shared", "residuals"])
