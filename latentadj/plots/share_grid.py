"""Grids of shares between 0 and 1, with the ones that count marked."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from latentadj.plots.style import SHARE_MAP

#: Cells carry numbers up to this many columns.
NUMBERS_UP_TO = 14


def draw_share_grid(
    ax: Any, shares: NDArray[np.float64], marked: NDArray[np.bool_], label: str = "share explained (R², η²)"
) -> None:
    """Fill axes with shares as colours, numbers where they fit, and a colour bar.

    Parameters
    ----------
    ax : matplotlib Axes
    shares : ndarray of shape (r, c)
        Between 0 and 1; NaN stays empty.
    marked : ndarray of bool, shape (r, c)
        An asterisk behind the number, or a dot in large grids.
    label : str
        Of the colour bar.
    """
    image = ax.imshow(shares, cmap=SHARE_MAP, vmin=0.0, vmax=1.0, aspect="auto")
    numbers = shares.shape[1] <= NUMBERS_UP_TO
    for (i, j), value in np.ndenumerate(shares):
        if np.isnan(value):
            continue
        text = f"{value:.2f}{'*' * bool(marked[i, j])}" if numbers else "•" * bool(marked[i, j])
        ax.text(j, i, text, ha="center", va="center", fontsize=8, color=_ink(image.cmap(image.norm(value))))
    bar = ax.figure.colorbar(image, ax=ax, fraction=0.05, pad=0.02)
    bar.set_label(label, fontsize=8.5)
    bar.ax.tick_params(labelsize=8)
    ax.tick_params(length=0)
    for side in ax.spines.values():
        side.set_visible(False)


def _ink(colour: tuple[float, float, float, float]) -> str:
    """Black or white, whichever reads better on a colour (relative luminance)."""
    red, green, blue = colour[:3]
    return "white" if 0.299 * red + 0.587 * green + 0.114 * blue < 0.5 else "black"
