"""Principal variance component analysis: what the leading components of the samples follow."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from latentadj.core.matrix import FeatureMatrix
from latentadj.core.regression import design_basis, design_pass, is_constant
from latentadj.core.spectrum import residual_spectrum
from latentadj.diagnostics.explanatory_terms import ExplanatoryTerms, chance_share, explanatory_terms
from latentadj.diagnostics.explored import explored_study, some_samples
from latentadj.exceptions import InputError

Array = NDArray[np.float64]

#: Share of the variance that the components taken explain at least, as in the first implementation.
THRESHOLD = 0.6


def pvca(
    data: Any,
    sample_data: pd.DataFrame | None = None,
    terms: Sequence[str] | None = None,
    *,
    kind: str = "unique",
    threshold: float = THRESHOLD,
    scale: bool = False,
) -> pd.DataFrame:
    """Share the variance of the leading principal components out among covariates.

    Parameters
    ----------
    data : AdjustmentResult, or matrix of samples x features
    sample_data : pandas.DataFrame, optional
        Sample table; by default the one that came with `data`.
    terms : sequence of str, optional
        Its columns; by default all that can be used. Samples without a value of one of them are left out.
    kind : {"unique", "sequential"}, default="unique"
        As in `variance_partition`.
    threshold : float, default=0.6
        As many components are taken as explain this share of the variance.
    scale : bool, default=False
        Give all features the same variance first.

    Returns
    -------
    pandas.DataFrame
        ``term, when, df, share, chance, n_components, n_obs``: a row per term, then "shared" and "residuals", before
        and, for a result with factors, after adjustment. Shares of one panel add up to 1.

    Raises
    ------
    InputError
        For a result read from disk, a column that cannot be used, too many terms, or a threshold outside (0, 1].

    Notes
    -----
    The average of each term's shares of the components' variances, weighted by these variances (Li, Bushel, Chu and
    Wolfinger 2009, chapter 12 of Batch Effects and Noise in Microarray Experiments, Wiley). There, shares are variance
    components of a mixed model with all terms and their interactions random; here they are eta squared of least
    squares with fixed main effects, which need no iteration and no distribution. Descriptive, not corrected for
    chance: see `variance_partition`.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> batch = np.repeat(["a", "b"], 10)
    >>> X = np.outer(batch == "b", rng.normal(size=200)) * 5 + rng.normal(size=(20, 200))
    >>> table = pvca(X, pd.DataFrame({"batch": batch}))
    >>> bool(table.set_index("term").loc["batch", "share"] > 0.9), int(table["n_components"][0])
    (True, 1)
    """
    if not 0.0 < threshold <= 1.0:
        raise InputError(f"threshold={threshold!r} is not a share. Give a number above 0 and up to 1.")
    study = explored_study(data, sample_data, what="PVCA")
    found = explanatory_terms(study, terms, kind)
    parts = []
    for when, panel in study.complete_panels().items():
        matrix = some_samples(panel, found.present)
        scores, weights = _leading_scores(matrix, threshold, scale)
        coordinates = scores.T @ found.basis.q
        shares = found.shares(coordinates, 1.0 - np.sum(coordinates**2, axis=1), np.ones(len(weights)))
        parts.append(_table(weights @ shares, found, when, len(weights), study.n_factors if when == "after" else 0))
    return pd.concat(parts, ignore_index=True)


def _leading_scores(matrix: FeatureMatrix, threshold: float, scale: bool) -> tuple[Array, Array]:
    """Directions of the components taken, and their weights, which add up to 1."""
    ones = design_basis(np.ones((matrix.shape[0], 1)))
    sums = design_pass(matrix, ones)
    varies = ~is_constant(sums, matrix.shape[0])
    if not varies.any():
        raise InputError("The samples do not differ, so there are no components to look at.")
    weights = np.divide(1.0, np.sqrt(sums.tss), out=np.zeros_like(sums.tss), where=varies) if scale else None
    spectrum = residual_spectrum(matrix, ones, weights=weights)
    reached = np.cumsum(spectrum.shares) >= threshold * (1.0 - 1e-12)
    taken = int(np.argmax(reached)) + 1 if reached.any() else len(reached)
    along = spectrum.eigenvalues[:taken]
    return spectrum.vectors[:, :taken], along / along.sum()


def _table(shares: Array, terms: ExplanatoryTerms, when: str, n_components: int, spent: int) -> pd.DataFrame:
    n = terms.basis.n_samples
    left = n - terms.basis.rank
    df = [*terms.df.tolist(), n - 1 - left - int(terms.df.sum()), left - spent]
    return pd.DataFrame(
        {
            "term": [*terms.names, "shared", "residuals"],
            "when": when,
            "df": df,
            "share": shares,
            "chance": [chance_share(d, n - spent) for d in df],
            "n_components": n_components,
            "n_obs": n,
        }
    )
