"""The guard against "clean, then test": data from which something was taken out before they reach a test."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from latentadj.core.clean_then_test import naive_error_rate
from latentadj.data.provenance import AdjustmentRecord
from latentadj.design import Design
from latentadj.design.estimability import find_aliases
from latentadj.exceptions import AdjustedDataError, AlignmentError

Array = NDArray[np.float64]


@dataclass(frozen=True)
class GuardedDesign:
    """A design that makes up for what was taken out of the data.

    Attributes
    ----------
    design : Design
        With the removed columns among the nuisance ones.
    df_spent : float
        Degrees of freedom that are spent and not in the design; `latentadj.core.clean_then_test.charged` takes them
        from a fit.
    notes : tuple of str
        What was done, to be said to the user.
    """

    design: Design
    df_spent: float = 0.0
    notes: tuple[str, ...] = ()


def guarded_design(
    design: Design, record: AdjustmentRecord | None, sample_ids: Sequence[str], allow: bool
) -> GuardedDesign:
    """Refuse tests on adjusted data, or put what was taken out of them into the design.

    Parameters
    ----------
    design : Design
        What the test is to be made with.
    record : AdjustmentRecord or None
        What was taken out of the data, if anything.
    sample_ids : sequence of str, length n_samples
    allow : bool
        Whether the user knows and wants to test all the same.

    Returns
    -------
    GuardedDesign
        The design as it is without a record, or when nothing is tested.

    Raises
    ------
    AdjustedDataError
        There is a record, and `allow` is False.
    AlignmentError
        The record does not know some of the samples.

    Notes
    -----
    Where ``Y - C G`` was made of Y with any coefficients G, regression of it on the design and C gives the effects,
    residuals and degrees of freedom of Y itself on the design and C. So it does not matter how G was estimated, or
    from which samples.

    Examples
    --------
    >>> design = Design.from_arrays([0, 1, 0, 1, 0, 1])
    >>> batch = np.array([[1.0], [1.0], [1.0], [-1.0], [-1.0], [-1.0]])
    >>> record = AdjustmentRecord(("ComBat",), 1, tuple("abcdef"), batch, ("batch[S.1]",))
    >>> guarded_design(design, record, "abcdef", allow=True).design.names
    ('Intercept', 'removed.batch[S.1]', 'x')
    """
    if record is None or "primary" not in design.roles:
        return GuardedDesign(design)
    if not allow:
        raise AdjustedDataError(_refusal(design, record, sample_ids))
    columns = record.columns_for(sample_ids)
    extended, added = _with_nuisance(design, columns, [f"removed.{name}" for name in record.names])
    return GuardedDesign(extended, record.df_beyond_columns, (_note(record, added),))


def _with_nuisance(design: Design, columns: Array, names: list[str]) -> tuple[Design, int]:
    """Add columns behind the nuisance part, but for those that it spans already; say how many were added."""
    base = design.columns_with("nuisance")  # they stand first
    labels = [*(design.names[i] for i in base), *_distinct(names, design.names)]
    matrix = np.hstack([design.matrix[:, base], columns])
    dependent = {alias.column for alias in find_aliases(matrix, labels, range(len(labels)))}
    new = [i for i, name in enumerate(labels) if i >= len(base) and name not in dependent]
    if not new:
        return design, 0
    added, place = [labels[i] for i in new], len(base)
    extended = replace(
        design,
        matrix=np.hstack([design.matrix[:, :place], matrix[:, new], design.matrix[:, place:]]),
        names=(*design.names[:place], *added, *design.names[place:]),
        roles=(*design.roles[:place], *["nuisance"] * len(new), *design.roles[place:]),
        terms=(*design.terms[:place], *added, *design.terms[place:]),
        variables=(*design.variables[:place], *[()] * len(new), *design.variables[place:]),
    )
    return extended, len(new)


def _distinct(names: list[str], taken: Sequence[str]) -> list[str]:
    """Make names differ from each other and from those taken."""
    used, out = set(taken), []
    for name in names:
        choice, count = name, 1
        while choice in used:
            count += 1
            choice = f"{name}.{count}"
        used.add(choice)
        out.append(choice)
    return out


def _note(record: AdjustmentRecord, added: int) -> str:
    what = f"The data were adjusted before ({record.title})."
    total, told = len(record.names), ""
    if total and added == total:
        told = f" The {total} columns that were taken out of them joined the design."
    elif total:
        told = f" {added} of the {total} columns that were taken out of them joined the design, which spans the others."
    if not record.df_beyond_columns:
        return what + told
    return (
        f"{what}{told} {record.df_beyond_columns:g} residual degrees of freedom were charged for what is not known as "
        "columns; if that is correlated with what is tested, standard errors are still too small."
    )


def _refusal(design: Design, record: AdjustmentRecord, sample_ids: Sequence[str]) -> str:
    columns = f"{len(record.names)} columns ({_few(record.names)}), " if record.names else ""
    kept = f", with {_few(record.protected)} kept" if record.protected else ""
    known = "puts the removed columns back into the design" if record.names else "charges the degrees of freedom"
    return (
        f"These data were adjusted before: {record.title} took out {columns}{record.df_spent:g} degrees of "
        f"freedom{kept}. A test on them does not know that.{_consequence(design, record, sample_ids)} Ways out: (1) "
        "test the data as they were before, with what was removed in the formula: '~ tested | batch', or with method= "
        f"for hidden factors; (2) pass allow_adjusted=True, which {known}."
    )


def _few(names: Sequence[str], limit: int = 4) -> str:
    more = f" and {len(names) - limit} more" if len(names) > limit else ""
    return ", ".join(names[:limit]) + more


def _consequence(design: Design, record: AdjustmentRecord, sample_ids: Sequence[str]) -> str:
    """Say in numbers what the test would get wrong, where the removed columns are known."""
    try:
        removed = record.columns_for(sample_ids)
    except AlignmentError:
        return ""
    if not removed.shape[1]:
        return ""
    tested = design.columns_with("primary")
    rates = {design.names[i]: naive_error_rate(design.matrix, i, removed) for i in tested}
    confounded = [name for name, rate in rates.items() if np.isnan(rate)]
    if confounded:
        return f" What was removed cannot be told apart from `{confounded[0]}`, so that no test of it has a meaning."
    worst = max(rates, key=lambda name: rates[name])
    return (
        f" If `{worst}` was kept, {rates[worst]:.0%} of features without any effect would have p < 0.05; if it was "
        "not, part of its effect is gone."
    )
