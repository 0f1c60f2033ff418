"""Scatters of features: points while they are few, density in hexagons when they are many."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from latentadj.plots.style import plain, require_matplotlib

Array = NDArray[np.float64]

#: Points that are drawn one by one.
MOST_POINTS = 4000
_GRID = 90


def draw_cloud(
    ax: Any, x: Array, y: Array, colour: str, label: str | None = None, *, extent: tuple[float, ...] | None = None
) -> None:
    """Draw points of one colour, or their density when there are more than 4,000.

    Parameters
    ----------
    ax : matplotlib Axes
    x, y : ndarray of shape (m,)
        Points with a missing coordinate are left out.
    colour : str
    label : str, optional
        For the legend.
    extent : tuple of float, optional
        Range of the hexagons, ``(x0, x1, y0, y1)``, on the axes' scale, so that layers share a grid.
    """
    kept = np.isfinite(x) & np.isfinite(y)
    x, y = x[kept], y[kept]
    if not x.size:
        return
    if x.size <= MOST_POINTS:
        size = float(np.clip(6000 / x.size, 4, 22))
        ax.scatter(x, y, s=size, color=colour, lw=0, alpha=0.65, label=label, rasterized=x.size > 500)
        return
    options: dict[str, Any] = {"gridsize": _GRID, "mincnt": 1, "bins": "log", "linewidths": 0.1}
    if ax.get_yscale() == "log":
        options["yscale"] = "log"
    if extent is not None:
        options["extent"] = extent
    ax.hexbin(x, y, cmap=_shades(colour), rasterized=True, **options)
    if label:
        ax.scatter([], [], s=22, marker="h", color=colour, lw=0, label=label)


def padded_extent(x: Array, y: Array) -> tuple[float, float, float, float]:
    """Return the range of points with some room about it."""
    kept = np.isfinite(x) & np.isfinite(y)
    sides: list[float] = []
    for values in (x[kept], y[kept]):
        low, high = (float(values.min()), float(values.max())) if values.size else (0.0, 1.0)
        room = 0.04 * (high - low) or 0.5
        sides += [low - room, high + room]
    return sides[0], sides[1], sides[2], sides[3]


def name_points(ax: Any, x: Sequence[float], y: Sequence[float], names: Sequence[object], size: float = 7.5) -> None:
    """Write names beside points, the first ones first; one that finds no free place is left out.

    Parameters
    ----------
    ax : matplotlib Axes
        With its limits set.
    x, y : sequence of float
    names : sequence
    size : float, default=7.5
        Of the letters, in points.
    """
    box = ax.get_window_extent()
    unit = ax.figure.dpi / 72.0 * size
    taken: list[tuple[float, float, float, float]] = []
    for at_x, at_y, name in zip(x, y, names, strict=True):
        text = plain(name, 16)
        across, up = ax.transAxes.inverted().transform(ax.transData.transform((at_x, at_y)))
        width, height = 0.75 * unit * len(text) / box.width, 1.7 * unit / box.height
        place = _free_place(float(across), float(up), width, height, 0.9 * unit / box.width, taken)
        if place is not None:
            taken.append(place)
            _write(ax, place[0], (place[1] + place[3]) / 2, text, size)


def _write(ax: Any, across: float, up: float, text: str, size: float) -> None:
    """Write text in the axes' own units, with a white edge."""
    edge = require_matplotlib("matplotlib.patheffects").withStroke(linewidth=1.8, foreground="white", alpha=0.85)
    ax.text(across, up, text, transform=ax.transAxes, fontsize=size, va="center", zorder=5, path_effects=[edge])


def _free_place(
    x: float, y: float, width: float, height: float, gap: float, taken: list[tuple[float, float, float, float]]
) -> tuple[float, float, float, float] | None:
    """Return a box to the right or left of a point that is inside the axes and touches no other."""
    for shift in (0.0, 0.6, -0.6, 1.2):
        bottom = y - height / 2 + shift * height
        for left in (x + gap, x - gap - width):
            box = (left, bottom, left + width, bottom + height)
            inside = box[0] > 0.005 and box[2] < 0.995 and box[1] > 0.005 and box[3] < 0.995
            if inside and not any(_touch(box, other) for other in taken):
                return box
    return None


def _touch(a: tuple[float, float, float, float], b: tuple[float, float, float, float]) -> bool:
    return min(a[2], b[2]) > max(a[0], b[0]) and min(a[3], b[3]) > max(a[1], b[1])


def _shades(colour: str) -> Any:
    """Return a colour map from a pale shade of a colour to the colour."""
    colors = require_matplotlib("matplotlib.colors")
    full = np.array(colors.to_rgb(colour))
    return colors.LinearSegmentedColormap.from_list(f"shades of {colour}", [0.72 + 0.28 * full, full])
