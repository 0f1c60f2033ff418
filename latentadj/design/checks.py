"""Checks of a design before it is fitted: degrees of freedom, confounding, labels read as numbers."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from latentadj.design.covariates import looks_categorical
from latentadj.design.crosstables import cross_table, cross_table_text
from latentadj.design.estimability import (
    Alias,
    aliased_primary,
    explained_share,
)
from latentadj.design.wording import quote_list
from latentadj.exceptions import (
    ConfoundedDesignError,
    CovariateTypeWarning,
    DegreesOfFreedomError,
    LatentAdjWarning,
    LowResidualDfWarning,
    NearConfoundingWarning,
)

if TYPE_CHECKING:
    from latentadj.design.design import Design

MAX_R2 = 0.6
MAX_VIF = 5.0
MIN_RESIDUAL_DF = 5


def df_budget(design: Design) -> str:
    """Write out where the degrees of freedom go.

    Parameters
    ----------
    design : Design

    Returns
    -------
    str
        Samples, rank and what is left.

    Examples
    --------
    >>> from latentadj.design import Design
    >>> df_budget(Design.from_arrays([0, 1, 0, 1]))
    '4 samples - rank 2 (1 nuisance, 1 primary, 0 factor columns) = 2'
    """
    counts = [f"{design.roles.count(role)} {role}" for role in ("nuisance", "primary", "factor")]
    left = design.n_samples - design.rank
    return f"{design.n_samples} samples - rank {design.rank} ({', '.join(counts)} columns) = {left}"


def check_degrees_of_freedom(design: Design) -> list[LatentAdjWarning]:
    """Stop below one residual degree of freedom, warn below 5 or below a fifth of the samples.

    Parameters
    ----------
    design : Design

    Returns
    -------
    list of LowResidualDfWarning

    Raises
    ------
    DegreesOfFreedomError
        Nothing is left to estimate the variance from.

    Examples
    --------
    >>> from latentadj.design import Design
    >>> len(check_degrees_of_freedom(Design.from_arrays([0, 1, 0, 1])))
    1
    """
    left = design.n_samples - design.rank
    if left < 1:
        single = [c.name for c in design.covariates if c.counts and max(c.counts) == 1 and len(c.counts) > 1]
        one_each = f" Every level of {quote_list(single)} holds one sample, so nothing is replicated." if single else ""
        raise DegreesOfFreedomError(
            f"No residual degrees of freedom are left: {df_budget(design)}.{one_each} Ways out: (1) fewer "
            "factors (n_factors=); (2) fewer adjustment variables, or merged levels; (3) more samples."
        )
    if left < MIN_RESIDUAL_DF or left < design.n_samples / 5:
        return [
            LowResidualDfWarning(
                f"Few residual degrees of freedom: {df_budget(design)}. Standard errors are themselves "
                "uncertain; use fewer factors or adjustment variables if possible."
            )
        ]
    return []


def check_confounding(design: Design) -> None:
    """Stop when a tested column is an exact linear combination of other columns.

    Parameters
    ----------
    design : Design

    Raises
    ------
    ConfoundedDesignError
        With the linear relation, the cross tables of the covariates involved, and three ways out.

    Examples
    --------
    >>> from latentadj.design import Design
    >>> check_confounding(Design.from_arrays([0, 1, 0], [[1.0], [3.0], [1.0]]))
    Traceback (most recent call last):
    ...
    latentadj.exceptions.ConfoundedDesignError: The tested column `x` cannot be told apart ...
    """
    tested = design.columns_with("primary")
    others = [*design.columns_with("nuisance"), *design.columns_with("factor")]
    lost = aliased_primary(design.matrix[:, others], design.matrix[:, tested])
    if not lost:
        return
    names = {design.names[position] for position in tested}
    aliases = [alias for alias in design.aliases if alias.column in names]
    columns = [alias.column for alias in aliases] or [design.names[tested[position]] for position in lost]
    relations = "; ".join(str(alias) for alias in aliases[:3])
    tables = _cross_tables(design, aliases)
    raise ConfoundedDesignError(
        f"The tested column {quote_list(columns)} cannot be told apart from the other columns of the design"
        f"{': ' + relations if relations else ''}.{tables}\nWays out: (1) drop the adjustment variable, or "
        "the tested one, that is named in the relation; (2) merge levels, or drop the samples, so that "
        "every level of one variable meets several levels of the other; (3) test a contrast within the "
        "levels that overlap, or bring in reference samples measured in all batches."
    )


def check_near_confounding(design: Design) -> list[LatentAdjWarning]:
    """Warn about tested columns that the rest of the design almost determines.

    Parameters
    ----------
    design : Design

    Returns
    -------
    list of NearConfoundingWarning
        R2 above 0.6 on nuisance and factor columns, or a variance inflation factor above 5 on all other
        columns.

    Notes
    -----
    The variance of a coefficient is inflated by 1 / (1 - R2) (Marquardt 1970, Technometrics 12, 591-612).
    Columns that read the same variable (other levels, interactions, powers) count as given: R2 is what the
    other variables explain beyond them, so that overlap which only comes from the coding does not warn.

    Examples
    --------
    >>> from latentadj.design import Design
    >>> len(check_near_confounding(Design.from_arrays([0, 1, 2, 3], [0, 1, 2, 4])))
    1
    """
    found: list[LatentAdjWarning] = []
    for column in design.columns_with("primary"):
        share, inflation = _collinearity(design, column)
        if share > MAX_R2 or inflation > MAX_VIF:
            found.append(
                NearConfoundingWarning(
                    f"The tested column `{design.names[column]}` is nearly confounded: R2 = {share:.2f} on "
                    f"the adjustment columns, variance inflation {inflation:.1f} through all other "
                    f"variables, so its standard error is {np.sqrt(inflation):.1f} times that of a balanced "
                    "design. Look at design.cross_table(); the result rests on the few samples where the "
                    "variables differ."
                )
            )
    return found


def _collinearity(design: Design, column: int) -> tuple[float, float]:
    """Return R2 of a tested column on the adjustment columns, and its variance inflation by all variables."""
    others = [other for other in range(len(design.names)) if other != column]
    apart = [other for other in others if _apart(design, column, other)]
    given = design.matrix[:, [other for other in others if other not in apart]]
    adjusted = [other for other in apart if design.roles[other] != "primary"]
    share = explained_share(design.matrix[:, column], design.matrix[:, adjusted], given)
    overall = explained_share(design.matrix[:, column], design.matrix[:, apart], given)
    return share, 1.0 / max(1.0 - overall, 1e-12)


def check_covariate_types(design: Design) -> list[LatentAdjWarning]:
    """Warn about whole-number covariates whose name says batch, site, plate, chip, lane, center or run.

    Parameters
    ----------
    design : Design

    Returns
    -------
    list of CovariateTypeWarning

    Examples
    --------
    >>> import pandas as pd
    >>> from latentadj.design import Design
    >>> table = pd.DataFrame({"x": [0.1, 0.5, 0.2], "batch": [1, 2, 3]})
    >>> len(check_covariate_types(Design.from_formula("~ x | batch", table)))
    1
    """
    frame = design.covariate_frame
    if frame is None or design.formula is None:
        return []
    numeric = [info.name for info in design.covariates if info.kind == "numeric"]
    return [
        CovariateTypeWarning(
            f"`{name}` is numeric with {frame[name].nunique()} distinct whole numbers, but its name looks "
            f"like a label: it enters as one linear trend. Write C({name}) in the formula, or turn the "
            "column into text, if the numbers are names."
        )
        for name in numeric
        if looks_categorical(name, frame[name])
    ]


def _apart(design: Design, column: int, other: int) -> bool:
    """Tell whether two columns belong to different terms that read no common variable."""
    if design.terms[column] == design.terms[other]:
        return False
    return not set(design.variables[column]) & set(design.variables[other])


def _cross_tables(design: Design, aliases: list[Alias]) -> str:
    """Show up to two tables of a tested against an adjustment covariate that take part in the relations."""
    frame = design.covariate_frame
    if frame is None:
        return ""
    involved = {
        name for alias in aliases for column in (alias.column, *alias.relation) for name in design.reads(column)
    }
    labels = [c for c in design.covariates if c.kind == "categorical" and c.name in involved]
    pairs = [(a.name, b.name) for a in labels if a.role == "primary" for b in labels if b.role == "nuisance"]
    texts = [cross_table_text(cross_table(frame, a, b)) for a, b in pairs[:2]]
    return "".join(f"\nSamples per cell:\n{text}" for text in texts)
