"""What the leading components of the samples follow: before adjustment, after it, and in the residuals."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from latentadj.diagnostics.association import score_association
from latentadj.diagnostics.explored import ExploredStudy, explored_study
from latentadj.diagnostics.residual_structure import residual_components
from latentadj.exceptions import InputError
from latentadj.results import AdjustmentResult
from latentadj.results.components import sample_components

Array = NDArray[np.float64]

WHEN = ("before", "after", "residuals")
N_COMPONENTS = 8


def component_association(
    data: Any, sample_data: pd.DataFrame | None = None, *, when: str = "before", n_components: int = N_COMPONENTS
) -> pd.DataFrame:
    """Associate the leading components of the samples with every covariate of the sample table.

    Parameters
    ----------
    data : AdjustmentResult, or matrix of samples x features
    sample_data : pandas.DataFrame, optional
        Sample table; by default the one that came with `data`.
    when : {"before", "after", "residuals"}, default="before"
        Principal components of the data as they are; of a result also after the factors' part is subtracted, or of
        what the design and its factors leave (see `residual_components`).
    n_components : int, default=8

    Returns
    -------
    pandas.DataFrame
        ``component, share, covariate, kind, statistic, p_value, p_adjusted, n_obs, note``, a row per pair. `share` is
        the component's part of the variation; `statistic` the squared correlation of numbers and eta squared of
        labels. `p_adjusted` is Benjamini-Hochberg over the table. Covariates that cannot be used have NaN and a note.

    Raises
    ------
    InputError
        Without a sample table, for a result read from disk, or a `when` that the data do not have.

    Notes
    -----
    F tests that take components as given data: exact for covariates that have no part in the data, and descriptive
    for those that were tested. In residuals, the design with its factors is removed from covariates first.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> batch = np.repeat(["a", "b"], 10)
    >>> X = np.outer(batch == "b", rng.normal(size=200)) * 5 + rng.normal(size=(20, 200))
    >>> table = component_association(X, pd.DataFrame({"batch": batch}))
    >>> table.loc[0, "component"], bool(table.loc[0, "statistic"] > 0.95), bool(table.loc[0, "share"] > 0.8)
    ('component 1', True, True)
    """
    if when not in WHEN:
        raise InputError(f"when={when!r} is unknown; choose 'before', 'after' or 'residuals'.")
    study = explored_study(data, sample_data, what="Association of components")
    if study.sample_data is None:
        raise InputError("There is no sample table to compare with. Pass sample_data=, a row per sample.")
    scores, shares, given = _scores(data, study, when, n_components)
    table = score_association(scores, study.sample_data, given, "component")
    table.insert(1, "share", table["component"].map(dict(zip(scores.columns, shares, strict=True))))
    return table


def _scores(data: Any, study: ExploredStudy, when: str, n_components: int) -> tuple[pd.DataFrame, Array, Array | None]:
    if when == "residuals":
        if not isinstance(data, AdjustmentResult):
            raise InputError("when='residuals' needs a result, which has a design; a matrix has none.")
        found = residual_components(data, n_components)
        return found.scores, found.shares, found.given
    return (*leading_components(study, when, n_components), None)


def leading_components(
    study: ExploredStudy, when: str = "before", n_components: int = N_COMPONENTS
) -> tuple[pd.DataFrame, Array]:
    """Leading principal components of a study's samples that hold any variation.

    Parameters
    ----------
    study : ExploredStudy
    when : {"before", "after"}, default="before"
    n_components : int, default=8

    Returns
    -------
    scores : pandas.DataFrame of shape (n_samples, k)
        Columns "component 1", "component 2", ...
    shares : ndarray of shape (k,)

    Raises
    ------
    InputError
        For "after" without factors.

    Examples
    --------
    >>> scores, shares = leading_components(explored_study(np.outer(np.arange(6.0), np.ones(5))))
    >>> list(scores.columns), shares.round(12).tolist()
    (['component 1'], [1.0])
    """
    panels = study.complete_panels()
    if when not in panels:
        raise InputError(f"when={when!r}: there is {' and '.join(map(repr, panels))} to choose from.")
    found = sample_components(panels[when], np.empty((study.n_samples, 0)), None, n_components)
    kept = found.shares > 1e-12
    names = [f"component {i + 1}" for i in np.flatnonzero(kept)]
    return pd.DataFrame(found.scores[:, kept], list(study.sample_ids), names), found.shares[kept]
