"""External truth: p-values of negative controls, ranks of positive ones."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from latentadj.diagnostics import (
    control_ranks,
    control_recovery,
    known_pvalue_counts,
    known_uniformity,
    term_pvalues,
)
from latentadj.plots.style import BLUE, GREY, ORANGE, new_axes, plain, tidy_frame
from latentadj.results import AdjustmentResult

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def control_histogram(
    result: AdjustmentResult, controls: Any = None, term: str | None = None, ax: Axes | None = None
) -> Axes:
    """Draw the p-values of negative (or positive) controls, with and without factors.

    Parameters
    ----------
    result : AdjustmentResult
    controls : names, mask or positions, optional
        By default the negative controls of the analysis.
    term : str, optional
        A tested column, or a formula term (several columns give the joint F test); the first term by default.
    ax : matplotlib Axes, optional
        A new figure by default.

    Returns
    -------
    matplotlib Axes
        The table behind it is ``diagnostics.known_pvalue_counts(result, controls, term)``; p-values of uniformity are
        those of ``diagnostics.known_uniformity``.

    Raises
    ------
    ControlsError
        Without controls, or when none is among the features.
    InputError
        For a term that was not tested.
    MissingExtraError
        Without Matplotlib.

    Notes
    -----
    Controls that were used to estimate the factors look better than they should after adjustment.

    Examples
    --------
    >>> import latentadj as la
    >>> X = np.random.default_rng(0).normal(size=(12, 300))
    >>> res = la.adjust(X, la.Design.from_arrays(np.repeat([0, 1], 6)), n_factors=1)
    >>> control_histogram(res, np.arange(50)).get_ylabel()
    'controls'
    """
    uniform = known_uniformity(result, controls, term).set_index("which")
    p, n = uniform["uniformity_p"].to_dict(), int(uniform["n_features"].max())
    table = known_pvalue_counts(result, controls, term, int(np.clip(n // 8, 5, 20)))
    edges = np.append(table["low"].to_numpy(), 1.0)
    k = result.n_factors
    ax = new_axes(5.6, 3.6) if ax is None else ax
    label = f"{_after(k)}, {_said(p['adjusted'])}"
    ax.stairs(table["adjusted"], edges, fill=True, color=BLUE, alpha=0.75, label=label)
    tallest = float(table["adjusted"].max())
    if k:
        label = f"without factors, {_said(p['unadjusted'])}"
        ax.stairs(table["unadjusted"], edges, color=ORANGE, lw=1.6, label=label)
        tallest = max(tallest, float(table["unadjusted"].max()))
    ax.axhline(table["expected"].iloc[0], color="black", ls="--", lw=1.2, label="expected of nulls")
    ax.set(xlim=(0, 1), ylim=(0, max(1.5 * tallest, 1.0)), xlabel="p-value", ylabel="controls")
    ax.set_title(f"{plain(term_pvalues(result, term)[0], 40)}: {n:,} controls", fontsize=10, loc="left")
    ax.legend(loc="upper right", frameon=False, fontsize=8.5)
    tidy_frame(ax)
    return ax


def control_curve(result: AdjustmentResult, positives: Any, term: str | None = None, ax: Axes | None = None) -> Axes:
    """Draw how many positive controls are among the leading features, with and without factors.

    Parameters
    ----------
    result : AdjustmentResult
    positives : names, mask or positions
        Features that are known to respond.
    term : str, optional
        As in `control_histogram`.
    ax : matplotlib Axes, optional
        A new figure by default.

    Returns
    -------
    matplotlib Axes
        The table behind it is ``diagnostics.control_ranks(result, positives, term)``; areas under the ROC curve are
        those of ``diagnostics.control_recovery``.

    Raises
    ------
    ControlsError
        When no positive control is among the features, or has a p-value.
    InputError
        For a term that was not tested.
    MissingExtraError
        Without Matplotlib.

    Notes
    -----
    As in Gagnon-Bartsch and Speed (2012), Biostatistics 13:539: an adjustment that takes signal away finds fewer.

    Examples
    --------
    >>> import latentadj as la
    >>> X = np.random.default_rng(0).normal(size=(12, 300))
    >>> res = la.adjust(X, la.Design.from_arrays(np.repeat([0, 1], 6)), n_factors=1)
    >>> control_curve(res, np.arange(20)).get_xscale()
    'log'
    """
    table = control_ranks(result, positives, term)
    area = control_recovery(result, positives, term).set_index("which")["auc"]
    tested = int(np.isfinite(term_pvalues(result, term)[1]).sum())
    ax = new_axes(5.6, 3.8) if ax is None else ax
    names = {"unadjusted": ("without factors", ORANGE), "adjusted": (_after(result.n_factors), BLUE)}
    for which, part in table.groupby("which", sort=False):
        words, colour = names[str(which)]
        rank = np.r_[1.0, part["rank"], tested]
        found = np.r_[0, part["found"], len(part)]
        ax.step(rank, found, where="post", color=colour, lw=1.8, label=f"{words}, AUC {area[which]:.2f}")
    n = int(table["found"].max())
    across = np.geomspace(1, tested, 200)
    ax.plot(across, across * n / tested, color=GREY, lw=1.2, ls="--", label="by chance")
    ax.set(xscale="log", xlim=(1, tested), ylim=(0, 1.45 * n))
    ax.set(xlabel="leading features", ylabel="positive controls among them")
    ax.set_yticks([tick for tick in ax.get_yticks() if 0 <= tick <= n])
    ax.set_title(plain(term_pvalues(result, term)[0], 48), fontsize=10, loc="left")
    ax.legend(loc="upper left", frameon=False, fontsize=8.5)
    tidy_frame(ax)
    return ax


def _after(k: int) -> str:
    return "no hidden factors" if k == 0 else f"with {k} factor{'s' * (k > 1)}"


def _said(p: float) -> str:
    return f"uniform: p = {p:.2g}" if p > 0 else "uniform: p < 1e-300"
