"""Sources of variation: shares of each covariate, per feature or over the leading components."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from latentadj.diagnostics import pvca as pvca_table
from latentadj.diagnostics import variance_partition, variance_summary
from latentadj.diagnostics.explored import explored_study
from latentadj.plots.panels import outside_legend
from latentadj.plots.style import BLUE, ORANGE, new_axes, plain, tidy_frame

if TYPE_CHECKING:
    from matplotlib.axes import Axes

#: Terms that are drawn; what is left out explains least, and the axis says how many.
MOST_TERMS = 16
_COLOURS = {"before": ORANGE, "after": BLUE}
_LAST = ("shared", "residuals")
_BINS = 64


def variance_bars(
    data: Any,
    sample_data: pd.DataFrame | None = None,
    terms: Sequence[str] | None = None,
    ax: Axes | None = None,
    *,
    kind: str = "unique",
) -> Axes:
    """Draw each covariate's share of the variation of the average feature, before and after adjustment.

    Parameters
    ----------
    data : AdjustmentResult, or matrix of samples x features
    sample_data : pandas.DataFrame, optional
        Sample table; by default the one that came with `data`.
    terms : sequence of str, optional
        Its columns; by default all that can be used.
    ax : matplotlib Axes, optional
        A new figure by default.
    kind : {"unique", "sequential"}, default="unique"
        As in `latentadj.diagnostics.variance_partition`.

    Returns
    -------
    matplotlib Axes
        The table behind it is ``diagnostics.variance_summary(data, sample_data, terms)``. Black marks are what
        unrelated columns would explain. "shared" is what covariates explain together only.

    Raises
    ------
    InputError
        For a result read from disk, a column that cannot be used, or too many terms.
    MissingExtraError
        Without Matplotlib.

    Examples
    --------
    >>> X = np.random.default_rng(0).normal(size=(8, 50))
    >>> ax = variance_bars(X, pd.DataFrame({"plate": list("aabbccdd"), "sex": list("fmfmfmfm")}))
    >>> [label.get_text() for label in ax.get_yticklabels()][-2:]
    ['sex', 'residuals']
    """
    table = variance_summary(data, sample_data, terms, kind=kind)
    ax = _bars(ax, table, "mean")
    ax.set_title("Variation of the average feature", fontsize=10, loc="left")
    return ax


def pvca(
    data: Any,
    sample_data: pd.DataFrame | None = None,
    terms: Sequence[str] | None = None,
    ax: Axes | None = None,
    *,
    kind: str = "unique",
    threshold: float = 0.6,
    scale: bool = False,
) -> Axes:
    """Draw each covariate's share of the leading principal components, before and after adjustment.

    Parameters
    ----------
    data, sample_data, terms, ax, kind
        As in `variance_bars`.
    threshold : float, default=0.6
        As many components are taken as explain this share of the variance.
    scale : bool, default=False
        Give all features the same variance first.

    Returns
    -------
    matplotlib Axes
        The table behind it is ``diagnostics.pvca(data, sample_data, terms)``.

    Raises
    ------
    InputError
        As `variance_bars`.
    MissingExtraError
        Without Matplotlib.

    Notes
    -----
    After Li, Bushel, Chu and Wolfinger (2009), with least squares in place of a mixed model.

    Examples
    --------
    >>> X = np.random.default_rng(0).normal(size=(8, 50))
    >>> ax = pvca(X, pd.DataFrame({"plate": list("aabbccdd")}))
    >>> ax.get_xlabel()
    'share of variation'
    """
    table = pvca_table(data, sample_data, terms, kind=kind, threshold=threshold, scale=scale)
    ax = _bars(ax, table, "share")
    counts = [f"{n} {when}" for when, n in table.groupby("when", sort=False)["n_components"].first().items()]
    taken = counts[0].split()[0] if len(counts) == 1 else ", ".join(counts)
    ax.set_title(f"Variation of leading components ({taken})", fontsize=10, loc="left")
    return ax


def variance_violins(
    data: Any,
    sample_data: pd.DataFrame | None = None,
    terms: Sequence[str] | None = None,
    ax: Axes | None = None,
    *,
    kind: str = "unique",
) -> Axes:
    """Draw how each covariate's share is distributed over features, before and after adjustment.

    Parameters
    ----------
    data, sample_data, terms, ax, kind
        As in `variance_bars`.

    Returns
    -------
    matplotlib Axes
        The tables behind it are ``diagnostics.variance_partition(data, sample_data, terms, when=when)``; dots are
        medians. The left half of a violin is before, the right half after adjustment.

    Raises
    ------
    InputError
        As `variance_bars`.
    MissingExtraError
        Without Matplotlib.

    Examples
    --------
    >>> X = np.random.default_rng(0).normal(size=(8, 50))
    >>> ax = variance_violins(X, pd.DataFrame({"plate": list("aabbccdd")}))
    >>> ax.get_ylabel()
    'share of a feature’s variation'
    """
    panels = list(explored_study(data, sample_data, what="Variance partition").panels)
    tables = {w: variance_partition(data, sample_data, terms, kind=kind, when=w).dropna() for w in panels}
    names, hidden = _shown(tables["before"].mean())
    ax = new_axes(2.2 + 0.62 * len(names), 3.8) if ax is None else ax
    for when, table in tables.items():
        for position, name in enumerate(names):
            _violin(ax, position, table[name].to_numpy(), when, both=len(panels) > 1)
    ax.set_xticks(
        range(len(names)), [plain(name, 18) for name in names], rotation=40, ha="right", rotation_mode="anchor"
    )
    ax.set(ylabel="share of a feature’s variation", xlim=(-0.6, len(names) - 0.4))
    ax.axhline(0.0, color="black", lw=0.8)
    tidy_frame(ax)
    ax.set_title(f"Variation of features{hidden}", fontsize=10, loc="left")
    _key(ax, panels)
    return ax


def _bars(ax: Axes | None, table: pd.DataFrame, value: str) -> Axes:
    panels = list(dict.fromkeys(table["when"]))
    first = table[table["when"] == "before"].set_index("term")[value]
    names, hidden = _shown(first)
    ax = new_axes(6.2, 1.2 + 0.36 * len(names)) if ax is None else ax
    height = 0.8 / len(panels)
    for i, when in enumerate(panels):
        part = table[table["when"] == when].set_index("term").loc[names]
        place = np.arange(len(names)) + (i - (len(panels) - 1) / 2) * height
        both = len(panels) > 1
        colour, label = (_COLOURS[when], when) if both else (BLUE, None)
        ax.barh(place, part[value], height * 0.92, color=colour, label=label)
        marked = np.array([name not in _LAST for name in names])
        ax.vlines(part["chance"][marked], place[marked] - height / 2, place[marked] + height / 2, color="black", lw=1.4)
    ax.plot([], [], color="black", lw=1.4, label="by chance")
    ax.set_yticks(range(len(names)), [plain(name) for name in names])
    ax.invert_yaxis()
    ax.axvline(0.0, color="black", lw=0.8)
    ax.set_xlabel("share of variation" + hidden)
    tidy_frame(ax)
    outside_legend(ax)
    return ax


def _shown(shares: pd.Series) -> tuple[list[str], str]:
    """Terms by their share, what is shared and left over last; and words for those that find no room."""
    terms = shares.drop(list(_LAST)).sort_values(ascending=False, kind="stable")
    left_out = len(terms) - MOST_TERMS
    last = [name for name in _LAST if name == "residuals" or abs(shares["shared"]) > 1e-9]
    return [*terms.index[:MOST_TERMS], *last], f" ({left_out} more terms not shown)" if left_out > 0 else ""


def _violin(ax: Axes, position: int, shares: NDArray[np.float64], when: str, *, both: bool) -> None:
    if not shares.size:
        return
    height, width = _profile(shares)
    colour = _COLOURS[when] if both else BLUE
    left = position - 0.42 * width * (when == "before" or not both)
    right = position + 0.42 * width * (when == "after" or not both)
    ax.fill_betweenx(height, left, right, color=colour, alpha=0.7, lw=0)
    shift = 0.1 * (1 if when == "after" else -1) * both
    ax.plot(position + shift, np.median(shares), "o", ms=4, color="white", mec="black", mew=0.8)


def _profile(shares: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Smoothed density of shares within their range, at most 1."""
    low, high = min(float(shares.min()), 0.0), max(float(np.quantile(shares, 0.999)), 1e-3)
    counts, edges = np.histogram(np.clip(shares, low, high), _BINS, (low, high))
    kernel = np.exp(-0.5 * (np.arange(-6, 7) / 2.0) ** 2)
    padded = np.concatenate([counts[5::-1], counts, counts[:-7:-1]]).astype(np.float64)
    smooth = np.convolve(padded, kernel / kernel.sum(), mode="same")[6:-6]
    return 0.5 * (edges[1:] + edges[:-1]), smooth / smooth.max()


def _key(ax: Axes, panels: list[str]) -> None:
    if len(panels) > 1:
        for when in panels:
            ax.plot([], [], color=_COLOURS[when], lw=6, alpha=0.7, label=when)
    ax.plot([], [], "o", ms=4, color="white", mec="black", mew=0.8, label="median")
    outside_legend(ax)
