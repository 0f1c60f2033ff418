"""Labels of samples as a few levels with a colour each."""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from latentadj.diagnostics.covariates import read_covariate
from latentadj.plots.style import GREY, NUMBER_MAP, PALETTE, plain, require_matplotlib

#: Levels that get a colour of their own; the rarest share one when there are more.
MOST_LEVELS = 8
_MISSING = "missing"


@dataclass(frozen=True, eq=False)
class Levels:
    """Labels of the samples.

    Attributes
    ----------
    title : str
    labels : ndarray of str objects, shape (n_samples,)
        Rare levels pooled, missing ones named.
    names : tuple of str
        Levels in their order: numbers in them count as numbers; pooled and missing ones last.
    colours : dict of str to str
    """

    title: str
    labels: NDArray[np.object_]
    names: tuple[str, ...]
    colours: dict[str, str]

    @property
    def codes(self) -> NDArray[np.intp]:
        """Position of each sample's level, shape (n_samples,)."""
        position = {name: i for i, name in enumerate(self.names)}
        return np.array([position[label] for label in self.labels], dtype=np.intp)


def levels_of(values: pd.Series, most: int | None = MOST_LEVELS) -> Levels:
    """Read values as labels.

    Parameters
    ----------
    values : Series of length n_samples
        Named.
    most : int or None, default=8
        Levels that stay apart; all with None.

    Returns
    -------
    Levels

    Examples
    --------
    >>> levels_of(pd.Series(["b10", "b2", None], name="batch")).names
    ('b2', 'b10', 'missing')
    """
    text = values.astype(object).where(values.notna().to_numpy(), _MISSING).map(_as_text)
    counts = text.value_counts()
    if most is not None and len(counts) > most:
        kept = set(counts.index[: most - 1])
        text = text.where(text.isin(kept).to_numpy(), f"other ({len(counts) - len(kept)} levels)")
    labels = text.to_numpy(dtype=object)
    names = tuple(sorted(set(labels.tolist()), key=lambda name: (_is_leftover(name), _natural(name))))
    colours = {name: GREY if _is_leftover(name) else PALETTE[i % len(PALETTE)] for i, name in enumerate(names)}
    return Levels(str(values.name), labels, names, colours)


def is_numeric(values: pd.Series) -> bool:
    """Tell whether values are numbers or dates rather than labels.

    Examples
    --------
    >>> is_numeric(pd.Series([1.5, 2.5, 4.0])), is_numeric(pd.Series(list("aab")))
    (True, False)
    """
    return read_covariate(values.reset_index(drop=True), str(values.name)).kind == "numeric"


def number_colours(values: pd.Series) -> NDArray[np.float64]:
    """Colours ``(n_samples, 4)`` of numbers or dates from low to high; missing ones are grey.

    Examples
    --------
    >>> number_colours(pd.Series([1.0, 2.0])).shape
    (2, 4)
    """
    matplotlib = require_matplotlib("matplotlib")
    if pd.api.types.is_datetime64_any_dtype(values.dtype):
        values = (values - values.min()) / pd.Timedelta(days=1)
    numbers = values.to_numpy(dtype=np.float64, na_value=np.nan)
    low, high = np.nanmin(numbers), np.nanmax(numbers)
    scaled = (numbers - low) / (high - low if high > low else 1.0)
    colours = np.asarray(matplotlib.colormaps[NUMBER_MAP](np.nan_to_num(scaled)))
    colours[np.isnan(numbers)] = require_matplotlib("matplotlib.colors").to_rgba(GREY)
    return colours


def level_handles(levels: Levels) -> list[object]:
    """Legend entries of the levels."""
    patches = require_matplotlib("matplotlib.patches")
    return [patches.Patch(facecolor=levels.colours[name], label=plain(name)) for name in levels.names]


def _as_text(value: object) -> str:
    """Whole numbers without a decimal point, everything else as it prints."""
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)


def _is_leftover(name: str) -> bool:
    return name == _MISSING or name.startswith("other (")


def _natural(name: str) -> list[tuple[bool, float, str]]:
    parts = re.split(r"(\d+)", name)
    return [(not part.isdecimal(), float(part) if part.isdecimal() else 0.0, part) for part in parts if part]
