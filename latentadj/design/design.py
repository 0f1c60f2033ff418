"""The design of a study: matrix, names, roles, and the recipe that builds it again for other samples."""

from __future__ import annotations

import html
import warnings
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from latentadj.design import checks, estimability
from latentadj.design.columns import describe_again
from latentadj.design.construction import DesignConstructors
from latentadj.design.contrasts import contrast_weights
from latentadj.design.covariates import covariate_table, require_columns, sample_ids_of
from latentadj.design.crosstables import cross_table
from latentadj.design.recipe import FormulaRecipe
from latentadj.design.wording import quote_list
from latentadj.exceptions import DesignError, LatentAdjWarning, NotEstimableError


@dataclass(frozen=True, eq=False, repr=False)
class Design(DesignConstructors):
    """Design matrix with a name, a role and a term for every column.

    Attributes
    ----------
    matrix : (n, d) float64, read-only
        Nuisance columns first (intercept leading), then primary ones, then estimated factors.
    names, roles, terms : tuple of str
        For each column its name, ``"nuisance"``, ``"primary"`` or ``"factor"``, and its formula term.
    variables : tuple of tuple of str
        For each column the columns of the sample table it reads.
    sample_ids : tuple of str or None
        IDs of the rows, when the sample table had any.
    formula : str or None
        The formula, when there was one.
    covariates : tuple of CovariateInfo
        How each column of the sample table was read.
    spec : FormulaRecipe, FrameRecipe or None
        Recipe of the known columns; None for plain arrays.
    covariate_frame : DataFrame or None
        The covariates that were read, typed, one row per sample. Not to be written to.

    Notes
    -----
    The two-part formula follows the tested / adjusted split of Leek and Storey (2007, PLoS Genetics 3, e161)
    and Gagnon-Bartsch and Speed (2012, Biostatistics 13, 539-552): Y = B X + G W + A Z + E.

    Examples
    --------
    >>> table = pd.DataFrame({"disease": ["case", "ctrl", "case", "ctrl"], "age": [50, 61, 47, 58]})
    >>> print(Design.from_formula("~ disease | age", table))
    Design: 4 samples, 3 columns, rank 3, formula ~ disease | age
      tested: `disease[T.ctrl]`
      adjusted for: `Intercept`, `age`
    """

    def replay(self, sample_data: pd.DataFrame) -> Design:
        """Build the known columns for other samples, with the encoding frozen here; factors are left out.

        Parameters
        ----------
        sample_data : DataFrame
            One row per new sample, with the same covariates.

        Returns
        -------
        Design
            Nuisance and primary columns; append the factors of the new samples with :meth:`augment`.

        Raises
        ------
        DesignError
            A column is missing or has gaps, a level was not in the training samples, or the design came from
            plain arrays.

        Warns
        -----
        CovariateTypeWarning
            A numeric covariate lies outside its training range.

        Examples
        --------
        >>> table = pd.DataFrame({"sex": ["f", "m", "f"], "age": [30.0, 40.0, 50.0]})
        >>> Design.from_formula("~ sex | age", table).replay(table.iloc[[0]]).matrix
        array([[ 1., 30.,  0.]])
        """
        if self.spec is None:
            raise DesignError(
                "This design was given as plain arrays, so it cannot be built for other samples. Use a "
                "formula, a list of column names or a numeric DataFrame."
            )
        matrix, frame = self.spec.apply(sample_data)
        known = [column for column, role in enumerate(self.roles) if role != "factor"]
        if matrix.shape[1] != len(known):
            raise DesignError(
                f"This design has {len(known) - matrix.shape[1]} column(s) that are known for its own samples only: "
                "what was taken out of adjusted data. It cannot be built for other samples; use the data as they were "
                "before the adjustment."
            )
        return replace(
            self,
            matrix=matrix,
            names=tuple(self.names[column] for column in known),
            roles=tuple(self.roles[column] for column in known),
            terms=tuple(self.terms[column] for column in known),
            variables=tuple(self.variables[column] for column in known),
            sample_ids=sample_ids_of(sample_data),
            covariates=describe_again(self.covariates, frame),
            covariate_frame=frame,
        )

    def check(self) -> tuple[LatentAdjWarning, ...]:
        """Check that the tested columns can be estimated, and issue the warnings that apply.

        Returns
        -------
        tuple of LatentAdjWarning
            The warnings that were issued, to be kept with a result. Aliased nuisance columns are no fault:
            they are listed in ``aliases`` and the tested columns stay estimable.

        Raises
        ------
        DegreesOfFreedomError
            Less than one residual degree of freedom.
        ConfoundedDesignError
            A tested column is a linear combination of other columns.

        Examples
        --------
        >>> Design.from_arrays([0, 1] * 6).check()
        ()
        """
        issued = checks.check_degrees_of_freedom(self)
        checks.check_confounding(self)
        issued += checks.check_near_confounding(self) + checks.check_covariate_types(self)
        for warning in issued:
            warnings.warn(warning, stacklevel=2)
        return tuple(issued)

    def summary(self) -> pd.DataFrame:
        """Return the parsed table: how each covariate was read.

        Returns
        -------
        DataFrame
            Columns ``name, role, kind, levels, reference, missing, minimum, maximum``.

        Examples
        --------
        >>> Design.from_formula("~ sex", pd.DataFrame({"sex": ["f", "m", "f"]})).summary().loc[0, "levels"]
        'f: 2, m: 1'
        """
        return covariate_table(self.covariates)

    def cross_table(self, rows: str, columns: str) -> pd.DataFrame:
        """Count the samples in each pair of levels of two covariates.

        Parameters
        ----------
        rows, columns : str
            Covariates of this design.

        Returns
        -------
        DataFrame of int

        Raises
        ------
        DesignError
            A name is unknown, or a numeric covariate has more than 12 distinct values.

        Examples
        --------
        >>> table = pd.DataFrame({"sex": ["f", "m", "f"], "batch": ["1", "1", "2"]})
        >>> Design.from_formula("~ sex | batch", table).cross_table("sex", "batch").loc["m", "2"]
        np.int64(0)
        """
        frame = self.covariate_frame if self.covariate_frame is not None else pd.DataFrame()
        require_columns([rows, columns], frame)
        return cross_table(frame, rows, columns)

    def contrast_vector(self, text: str) -> NDArray[np.float64]:
        """Turn a contrast by name into weights over the design columns.

        Parameters
        ----------
        text : str
            Such as ``"cancer[Biopsy] - cancer[Cancer]"`` (levels; the reference level may be named too) or
            ``"0.5 * cancer[T.Cancer] + age"`` (coefficients).

        Returns
        -------
        (d,) float64

        Raises
        ------
        FormulaError
            The text cannot be read, a name is unknown, or the weights of levels do not sum to zero.
        NotEstimableError
            The design does not determine the contrast.

        Examples
        --------
        >>> design = Design.from_formula("~ g", pd.DataFrame({"g": ["a", "b", "c", "a"]}))
        >>> design.contrast_vector("g[b] - g[c]"), design.contrast_vector("g[c] - g[a]")
        (array([ 0.,  1., -1.]), array([0., 0., 1.]))
        """
        recipe = self.spec if isinstance(self.spec, FormulaRecipe) else None
        labels = list(recipe.levels) if recipe is not None else []
        codings = recipe.codings if recipe is not None else {}
        entangled = {name: self._terms_with(name) for name in labels if name not in codings}
        weights = contrast_weights(text, self.names, codings, entangled)
        if not self.estimable(weights):
            relations = "; ".join(str(alias) for alias in self.aliases[:3])
            raise NotEstimableError(
                f"The contrast '{text}' is not determined by the design: {relations}. Ways out: (1) drop "
                "one of the columns in the relation; (2) use a contrast that does not need it "
                "(design.estimable tells)."
            )
        return weights

    def estimable(self, vector: ArrayLike) -> bool:
        """Tell whether a contrast, as weights over the design columns, is determined by the design.

        Parameters
        ----------
        vector : (d,) array-like

        Returns
        -------
        bool

        Raises
        ------
        DesignError
            Wrong length.

        Examples
        --------
        >>> Design.from_arrays([0, 0, 1]).estimable([0.0, 1.0])
        True
        """
        weights = np.asarray(vector, dtype=np.float64)
        if weights.shape != (len(self.names),):
            raise DesignError(
                f"A contrast of this design has {len(self.names)} weights; the shape {weights.shape} was given."
            )
        return estimability.is_estimable(self.matrix, weights)

    def __str__(self) -> str:
        tail = f", formula {self.formula}" if self.formula is not None else ""
        lines = [f"Design: {self.n_samples} samples, {len(self.names)} columns, rank {self.rank}{tail}"]
        for title, role in (("tested", "primary"), ("adjusted for", "nuisance"), ("factors", "factor")):
            found = [self.names[column] for column in self.columns_with(role)]
            if found or role == "primary":
                lines.append(f"  {title}: {quote_list(found)}")
        return "\n".join(lines)

    def __repr__(self) -> str:
        return f"<{str(self).splitlines()[0]}>"

    def _repr_html_(self) -> str:
        table = self.summary().to_html(index=False, escape=True, na_rep="")
        return f"<pre>{html.escape(str(self))}</pre>{table}"

    def _terms_with(self, variable: str) -> list[str]:
        terms = (term for term, names in zip(self.terms, self.variables, strict=True) if variable in names)
        return list(dict.fromkeys(terms))
