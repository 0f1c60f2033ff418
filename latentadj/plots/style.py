"""Colours, markers and text shared by all pictures; the only door to Matplotlib."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from latentadj.exceptions import MissingExtraError

if TYPE_CHECKING:
    from matplotlib.axes import Axes

#: Eight colours that people with colour-vision deficiency tell apart (Okabe and Ito 2008), yellow last.
PALETTE = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000", "#F0E442")
MARKERS = ("o", "^", "s", "D", "v", "P", "X", "*")
BLUE, ORANGE, GREY = PALETTE[0], PALETTE[1], "#6E6E6E"
#: Sequential maps whose lightness is monotone, for shares and for numeric covariates.
SHARE_MAP, NUMBER_MAP = "Blues", "cividis"
LONGEST_LABEL = 24


def require_matplotlib(module: str = "matplotlib.pyplot") -> Any:
    """Import a module of Matplotlib.

    Parameters
    ----------
    module : str, default="matplotlib.pyplot"

    Returns
    -------
    module

    Raises
    ------
    MissingExtraError
        When Matplotlib is not installed.

    Examples
    --------
    >>> require_matplotlib("matplotlib.figure").__name__
    'matplotlib.figure'
    """
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise MissingExtraError(
            'Pictures need Matplotlib, which is not installed. Run: pip install "latentadj[plot]"'
        ) from error


def new_axes(width: float, height: float, columns: int = 1) -> Any:
    """Make a figure with axes side by side.

    Parameters
    ----------
    width, height : float
        Size of the figure in inches.
    columns : int, default=1

    Returns
    -------
    Axes or ndarray of Axes

    Examples
    --------
    >>> axes = new_axes(6, 3, columns=2)
    >>> len(axes)
    2
    >>> require_matplotlib().close(axes[0].figure)
    """
    pyplot = require_matplotlib()
    return pyplot.subplots(1, columns, figsize=(width, height), layout="constrained")[1]


def tidy_frame(ax: Axes) -> None:
    """Take away the frame's upper and right side and lighten the rest.

    Parameters
    ----------
    ax : Axes
    """
    for side in ("top", "right"):
        ax.spines[side].set_visible(False)
    for side in ("left", "bottom"):
        ax.spines[side].set_color(GREY)
    ax.tick_params(colors="#333333", labelsize=9)


def plain(text: object, longest: int = LONGEST_LABEL) -> str:
    r"""Shorten a label and keep Matplotlib from reading it as mathematics.

    Parameters
    ----------
    text : object
    longest : int, default=24
        Characters that are kept; a longer text is cut in the middle.

    Returns
    -------
    str

    Examples
    --------
    >>> plain("a$b$"), plain("cancer[T.Cancer]", longest=9)
    ('a\\$b\\$', 'canc…cer]')
    """
    whole = str(text).encode("utf-8", "replace").decode()  # half a surrogate pair cannot be drawn
    label = " ".join(whole.split())
    if len(label) > longest:
        head = longest // 2
        label = f"{label[:head]}…{label[len(label) - (longest - head - 1) :]}"
    return label.replace("$", r"\$")
