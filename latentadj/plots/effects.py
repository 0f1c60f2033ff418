"""Effects with factors against effects without, and residual standard deviations against levels."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from latentadj.diagnostics import effect_comparison, mean_variance_table
from latentadj.diagnostics.significance import single_column
from latentadj.plots.clouds import draw_cloud, padded_extent
from latentadj.plots.panels import outside_legend
from latentadj.plots.style import BLUE, GREY, ORANGE, new_axes, plain, require_matplotlib, tidy_frame
from latentadj.results import AdjustmentResult

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def effects(result: AdjustmentResult, term: str | None = None, controls: Any = None, ax: Axes | None = None) -> Axes:
    """Draw what adjustment did: every feature's effect with factors against the one without.

    Parameters
    ----------
    result : AdjustmentResult
    term : str, optional
        A tested column; the first by default.
    controls : names, mask or positions, optional
        Features to highlight; by default the negative controls of the analysis.
    ax : matplotlib Axes, optional
        A new figure by default.

    Returns
    -------
    matplotlib Axes
        The table behind it is ``diagnostics.effect_comparison(result, term, controls)``. Controls that were null
        before and after lie at 0; what moved towards the horizontal line was confounding.

    Raises
    ------
    InputError
        For a term that was not tested, or that has several columns.
    ControlsError
        For controls that are not among the features.
    MissingExtraError
        Without Matplotlib.

    Examples
    --------
    >>> import latentadj as la
    >>> X = np.random.default_rng(0).normal(size=(12, 300))
    >>> res = la.adjust(X, la.Design.from_arrays(np.repeat([0, 1], 6)), method="cate", n_factors=1)
    >>> effects(res, controls=np.arange(20)).get_xlabel()
    'effect without factors'
    """
    table = effect_comparison(result, term, controls)
    x, y = table["estimate_unadjusted"].to_numpy(), table["estimate"].to_numpy()
    marked = table["control"].to_numpy()
    low, high = padded_extent(np.r_[x, y], np.r_[x, y])[:2]
    ax = new_axes(5.6, 4.2) if ax is None else ax
    ax.set(xlim=(low, high), ylim=(low, high))
    ax.plot([low, high], [low, high], color=GREY, lw=1, ls="--", label="no change")
    ax.axhline(0.0, color="black", lw=0.8, zorder=0)
    ax.axvline(0.0, color="black", lw=0.8, zorder=0)
    draw_cloud(ax, x[~marked], y[~marked], BLUE, f"features: {(~marked).sum():,}", extent=(low, high, low, high))
    draw_cloud(ax, x[marked], y[marked], ORANGE, f"controls: {marked.sum():,}", extent=(low, high, low, high))
    ax.set(xlim=(low, high), ylim=(low, high), aspect="equal")
    ax.set(
        xlabel="effect without factors", ylabel=f"effect with {result.n_factors} factor{'s' * (result.n_factors != 1)}"
    )
    ax.set_title(plain(single_column(result, term), 40), fontsize=10, loc="left")
    tidy_frame(ax)
    outside_legend(ax, markerscale=1.5)
    return ax


def mean_variance(result: AdjustmentResult, ax: Axes | None = None, *, which: str = "adjusted") -> Axes:
    """Draw residual standard deviations against mean levels, with the prior they are moderated towards.

    Parameters
    ----------
    result : AdjustmentResult
    ax : matplotlib Axes, optional
        A new figure by default.
    which : {"adjusted", "unadjusted"}, default="adjusted"
        Of the regression with or without factors.

    Returns
    -------
    matplotlib Axes
        The table behind it is ``diagnostics.mean_variance_table(result, which)``. Features that a robust prior sets
        apart are marked.

    Raises
    ------
    MissingExtraError
        Without Matplotlib.

    Notes
    -----
    Known as the SA plot. Where points follow a curve and the line is flat, use a prior with a trend
    (``inference="moderated_trend"``).

    Examples
    --------
    >>> import latentadj as la
    >>> X = np.random.default_rng(0).normal(size=(12, 300))
    >>> ax = mean_variance(la.adjust(X, la.Design.from_arrays(np.repeat([0, 1], 6)), n_factors=1))
    >>> ax.get_yscale()
    'log'
    """
    table = mean_variance_table(result, which)
    x, y = table["mean"].to_numpy(), table["sigma"].to_numpy()
    outlier = table["outlier"].to_numpy()
    ax = new_axes(6.2, 4.0) if ax is None else ax
    ax.set_yscale("log")
    room = padded_extent(x, np.log10(y))
    draw_cloud(ax, x[~outlier], y[~outlier], BLUE, f"features: {np.isfinite(y[~outlier]).sum():,}", extent=room)
    draw_cloud(ax, x[outlier], y[outlier], ORANGE, f"outlying: {outlier.sum():,}", extent=room)
    _plain_numbers(ax)
    _draw_prior(ax, x, table["sigma_prior"].to_numpy())
    ax.set(xlim=room[:2], ylim=(10 ** room[2], 10 ** room[3]))
    ax.set(xlabel="mean level", ylabel="residual standard deviation")
    k = result.n_factors if which == "adjusted" else 0
    ax.set_title(f"Regression with {k} factors" if k != 1 else "Regression with 1 factor", fontsize=10, loc="left")
    tidy_frame(ax)
    outside_legend(ax, markerscale=1.5)
    return ax


def _plain_numbers(ax: Axes) -> None:
    """Ticks of a logarithmic axis as plain numbers."""
    ticker = require_matplotlib("matplotlib.ticker")
    ax.yaxis.set_major_locator(ticker.LogLocator(subs=(1.0, 2.0, 5.0)))
    ax.yaxis.set_major_formatter(ticker.FuncFormatter(lambda value, _: f"{value:g}"))
    ax.yaxis.set_minor_formatter(ticker.NullFormatter())


def _draw_prior(ax: Axes, mean: Any, prior: Any) -> None:
    known = np.flatnonzero(np.isfinite(prior) & np.isfinite(mean))
    if not known.size:
        return
    order = known[np.argsort(mean[known], kind="stable")]
    if order.size > 500:
        order = order[np.unique(np.linspace(0, order.size - 1, 500).round().astype(np.intp))]
    ax.plot(mean[order], prior[order], color="black", lw=1.8, label="prior")
