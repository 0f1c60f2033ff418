"""Formula recipes on disk: everything but formulaic's own state, which is made again."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, NoReturn

import numpy as np
import pandas as pd

from latentadj.design import CovariateInfo
from latentadj.design.codings import KnownColumns, LevelCoding
from latentadj.design.formula import parse_formula
from latentadj.design.recipe import FormulaRecipe, build_recipe
from latentadj.exceptions import LatentAdjError

__all__ = ["StoredRecipe"]


@dataclass(frozen=True)
class StoredRecipe:
    """What is kept of a `FormulaRecipe`; formulaic's own state is made again from the covariates.

    Attributes
    ----------
    formula : str
    columns, covariates, levels, codings
        As in `FormulaRecipe`.
    frame : pandas.DataFrame
        The typed covariates, a row per sample.

    Examples
    --------
    >>> recipe, frame = build_recipe("~ sex", pd.DataFrame({"sex": ["m", "f"]}))
    >>> stored = StoredRecipe("~ sex", recipe.columns, recipe.covariates, recipe.levels, recipe.codings, frame)
    >>> stored.recipe().apply(frame)[0]
    array([[1., 1.],
           [1., 0.]])
    """

    formula: str
    columns: KnownColumns
    covariates: tuple[CovariateInfo, ...]
    levels: dict[str, tuple[object, ...]]
    codings: dict[str, LevelCoding]
    frame: pd.DataFrame

    def recipe(self) -> FormulaRecipe:
        """Return the recipe.

        Returns
        -------
        FormulaRecipe
            It replays when the covariates still give the columns it was built with. Otherwise, when a design
            had been cut to other samples, its names, levels and codings are kept and `apply` raises
            `FormulaError`.

        Raises
        ------
        FormulaError
            The formula cannot be read.
        """
        kept: dict[str, Any] = {name: getattr(self, name) for name in ("columns", "covariates", "levels", "codings")}
        try:
            rebuilt, _ = build_recipe(self.formula, self.frame)
        except LatentAdjError:
            rebuilt = None
        if rebuilt is not None and self._is_same(rebuilt.columns):
            return replace(rebuilt, **kept)
        parsed = parse_formula(self.formula, [info.name for info in self.covariates])
        return FormulaRecipe(parsed, _LostEncoding(), **kept)

    def _is_same(self, columns: KnownColumns) -> bool:
        same = columns.names == self.columns.names and columns.matrix.shape == self.columns.matrix.shape
        return same and np.allclose(columns.matrix, self.columns.matrix, rtol=1e-9, atol=1e-12)


class _LostEncoding:
    """Stands in for formulaic's state when the saved samples are not those the formula was read on."""

    def get_model_matrix(self, *_: Any, **__: Any) -> NoReturn:
        raise ValueError("the saved design had been cut to other samples, so its encoding was not kept.")
