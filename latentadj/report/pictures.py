"""Figures as inline images."""

from __future__ import annotations

import base64
import io
import warnings
from collections.abc import Callable
from typing import Any

from latentadj.exceptions import InputError
from latentadj.plots.style import require_matplotlib
from latentadj.report.block import Block
from latentadj.report.elements import paragraph
from latentadj.report.markup import escape

#: Of the image, and of the page: the image has more, so that it is sharp on fine screens and on paper.
_DPI, _PAGE_DPI = 160, 100


def picture(
    draw: Callable[[Any], object],
    size: tuple[float, float],
    alt: str,
    *,
    columns: int = 1,
    caption: str = "",
) -> Block:
    """Draw into a new figure and return it as an image inside the page.

    Parameters
    ----------
    draw : callable
        Gets the axes (an array of them when there are several columns).
    size : tuple of float
        Width and height in inches.
    alt : str
        What the picture shows, for readers who cannot see it.
    columns : int, default=1
    caption : str
        How to read it; shown below the picture.

    Returns
    -------
    Block
        A ``figure`` element with a PNG image as a data URI; when the result lacks what the picture needs, a
        sentence that says so.

    Raises
    ------
    MissingExtraError
        Without Matplotlib.

    Notes
    -----
    The figure is made without pyplot: nothing is shown or left open, no global setting is read or changed by it,
    and threads do not meet.

    Examples
    --------
    >>> block = picture(lambda ax: ax.plot([0, 1]), (2, 2), "a line")
    >>> block.html.startswith('<figure><img alt="a line" width="200" height="200" src="data:image/png;base64,')
    True
    """
    figure = require_matplotlib("matplotlib.figure").Figure(size, _DPI, facecolor="white", layout="constrained")
    try:
        draw(figure.subplots(1, columns))
    except InputError as error:
        return paragraph(f"No picture: {error}", "note")
    width, height = (round(_PAGE_DPI * float(inches)) for inches in figure.get_size_inches())
    legend = f"<figcaption>{escape(caption)}</figcaption>" if caption else ""
    source = f"data:image/png;base64,{_encoded(figure)}"
    return Block(f'<figure><img alt="{escape(alt)}" width="{width}" height="{height}" src="{source}">{legend}</figure>')


def _encoded(figure: Any) -> str:
    buffer = io.BytesIO()
    for text in figure.findobj(require_matplotlib("matplotlib.text").Text):
        # half of a pair of code units is not a character, and no font can draw it
        text.set_text(text.get_text().encode("utf-8", "replace").decode())
    canvas = require_matplotlib("matplotlib.backends.backend_agg").FigureCanvasAgg(figure)
    with warnings.catch_warnings():
        # a name may hold characters that the font lacks; they are shown as boxes, the tables show them in full
        warnings.filterwarnings("ignore", message="Glyph .* missing from")
        # savefig would draw everything twice, once for the layout; with a fixed aspect the layout needs two rounds
        if any(ax.get_aspect() != "auto" for ax in figure.axes):
            figure.get_layout_engine().execute(figure)
        canvas.print_png(buffer, metadata={"Software": None})
    return base64.b64encode(buffer.getvalue()).decode("ascii")
