"""Axes for pictures of the data before and after adjustment, and legends beside the data."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from latentadj.exceptions import InputError
from latentadj.plots.style import require_matplotlib

TITLES = {"before": "Before", "after": "After"}


def panel_axes(
    ax: Any, panels: Sequence[str], size: tuple[float, float], *, stacked: bool = False
) -> tuple[list[Any], list[str]]:
    """Match axes with panels: one shows the last panel, as many as there are panels show all.

    Parameters
    ----------
    ax : matplotlib Axes, sequence of Axes, or None
        None for a new figure.
    panels : sequence of str
        "before", and "after" where there is one.
    size : tuple of float
        Width and height of a new figure in inches, per panel.
    stacked : bool, default=False
        Put panels of a new figure above each other, not side by side.

    Returns
    -------
    axes : list of matplotlib Axes
    shown : list of str
        The panel of each.

    Raises
    ------
    InputError
        For another number of axes.

    Examples
    --------
    >>> axes, shown = panel_axes(None, ["before", "after"], (3, 2))
    >>> shown, len(axes)
    (['before', 'after'], 2)
    >>> require_matplotlib().close(axes[0].figure)
    """
    if ax is None:
        ax = _new_panels(len(panels), size, stacked)
    axes = list(np.ravel(np.asarray(ax, dtype=object)))
    if len(axes) not in (1, len(panels)):
        allowed = "one" if len(panels) == 1 else "one (after adjustment) or two (before, after)"
        raise InputError(f"ax holds {len(axes)} axes; give {allowed}.")
    return axes, list(panels[-len(axes) :])


def one_or_tuple(axes: Sequence[Any]) -> Any:
    """Return a single axes as it is, several as a tuple."""
    return axes[0] if len(axes) == 1 else tuple(axes)


def outside_legend(ax: Any, title: str | None = None, **options: Any) -> Any:
    """Put the legend to the right of the data; return it, or None without entries.

    Parameters
    ----------
    ax : matplotlib Axes
    title : str, optional
    **options
        Of `matplotlib.axes.Axes.legend`.
    """
    if "handles" not in options and not ax.get_legend_handles_labels()[0]:
        return None
    place = {"loc": "upper left", "bbox_to_anchor": (1.01, 1.0), "borderaxespad": 0.0}
    return ax.legend(
        title=title or None, **{"frameon": False, "fontsize": 8.5, "title_fontsize": 9, **place, **options}
    )


def _new_panels(n_panels: int, size: tuple[float, float], stacked: bool) -> Any:
    width, height = size
    rows, columns = (n_panels, 1) if stacked else (1, n_panels)
    pyplot = require_matplotlib()
    return pyplot.subplots(rows, columns, figsize=(width * columns, height * rows), layout="constrained")[1]
