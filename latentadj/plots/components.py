"""Principal components of the samples, before and after adjustment."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from latentadj.diagnostics.association import aligned_table
from latentadj.diagnostics.components import components_of
from latentadj.diagnostics.covariates import read_covariate
from latentadj.diagnostics.explored import ExploredStudy, explored_study
from latentadj.exceptions import InputError
from latentadj.plots.panels import one_or_tuple, panel_axes
from latentadj.plots.style import GREY, MARKERS, NUMBER_MAP, PALETTE, plain, tidy_frame
from latentadj.results import AdjustmentResult
from latentadj.results.components import Components

if TYPE_CHECKING:
    from matplotlib.axes import Axes

#: Levels that get a colour and a marker of their own; the rest share one.
MOST_LEVELS = 16


@dataclass(frozen=True)
class _Colouring:
    """How samples are coloured: by label, by number, or not at all."""

    title: str
    labels: NDArray[np.object_] | None = None
    numbers: NDArray[np.float64] | None = None


def pca(data: Any, color: Any = None, ax: Any = None, sample_data: pd.DataFrame | None = None) -> Any:
    """Draw the samples on their first two principal components, before and after the factors are subtracted.

    Parameters
    ----------
    data : AdjustmentResult, or matrix of samples x features
        A result with the data at hand (one read from disk does not hold them); of a matrix there is no "after".
    color : str or array-like of shape (n_samples,), optional
        Column of the sample table, or values. By default the first tested variable of a result.
    ax : matplotlib Axes or pair of Axes, optional
        One for the picture after adjustment alone, two for both. A new figure with all panels by default.
    sample_data : pandas.DataFrame, optional
        Sample table; by default the one that came with `data`.

    Returns
    -------
    matplotlib Axes or tuple of two Axes
        As many as were drawn. The table behind it is ``diagnostics.component_table(data)``.

    Raises
    ------
    InputError
        Without the data, or for an unknown colour.
    MissingExtraError
        Without Matplotlib.

    Notes
    -----
    For display only: do not test adjusted data. The factors are those of the testing model, so a factor that
    shares variation with the tested variable takes part of the difference between its groups with it.

    Examples
    --------
    >>> import latentadj as la
    >>> X = np.random.default_rng(0).normal(size=(12, 300))
    >>> res = la.adjust(X, la.Design.from_arrays(np.repeat([0, 1], 6)), n_factors=1)
    >>> before, after = pca(res, color=["a"] * 6 + ["b"] * 6)
    >>> before.get_title(loc="left"), after.get_title(loc="left")
    ('Before', 'After')
    """
    both = isinstance(data, AdjustmentResult)
    axes, panels = panel_axes(ax, ("before", "after") if both else ("before",), (4.7, 3.9))
    if both:
        found = {which: data.principal_components(which) for which in panels}
    else:
        data = explored_study(data, sample_data, what="Principal components")
        found = {"before": components_of(data)}
    if both and isinstance(color, str) and sample_data is not None:
        color = explored_study(data, sample_data).values_of(color, "color")
    draw_components(data, found, color, axes)
    return one_or_tuple(axes)


def draw_components(
    data: AdjustmentResult | ExploredStudy, found: Mapping[str, Components], color: Any, axes: Sequence[Any]
) -> None:
    """Draw components that are known already, one panel for each.

    Parameters
    ----------
    data : AdjustmentResult or ExploredStudy
    found : mapping of str to Components
        By "before" or "after".
    color : str, array-like or None
        As in `pca`.
    axes : sequence of matplotlib Axes
        As many as components.

    Raises
    ------
    InputError
        For an unknown colour.
    """
    values, title = _colour_values(data, color) if isinstance(data, AdjustmentResult) else _study_values(data, color)
    colouring = _Colouring("") if values is None else _colouring(values, title)
    for panel, (which, components) in zip(axes, found.items(), strict=True):
        title = {"before": "Before", "after": "After"}[which] if isinstance(data, AdjustmentResult) else "Samples"
        _draw_panel(panel, components, title, colouring)
    _add_key(axes, colouring)


def _study_values(study: ExploredStudy, color: Any) -> tuple[pd.Series | None, str]:
    if color is None:
        return None, ""
    values = study.values_of(color, "color")
    return values, str(values.name)


def _colouring(values: pd.Series, title: str) -> _Colouring:
    covariate = read_covariate(values.reset_index(drop=True), title)
    if covariate.kind == "numeric":
        numbers = np.full(len(values), np.nan)
        present = values[covariate.present]
        if pd.api.types.is_datetime64_any_dtype(present.dtype):
            present = (present - present.min()) / pd.Timedelta(days=1)
            title = f"{title} (days)"
        numbers[covariate.present] = present.astype(np.float64)
        return _Colouring(title, numbers=numbers)
    return _Colouring(title, labels=_few_labels(values))


def _colour_values(result: AdjustmentResult, color: Any) -> tuple[pd.Series | None, str]:
    if color is None:
        tested = [i for i, role in enumerate(result.design.roles) if role == "primary"]
        if not tested:
            return None, ""
        names = result.design.variables[tested[0]]
        if result.sample_data is not None and names and names[0] in result.sample_data.columns:
            return result.sample_data[names[0]], names[0]
        return pd.Series(result.design.matrix[:, tested[0]]), result.design.names[tested[0]]
    if isinstance(color, str):
        table = aligned_table(result, None)
        if color not in table.columns:
            raise InputError(f"The sample table has no column {color!r}; it has {', '.join(map(str, table.columns))}.")
        return table[color], color
    values = pd.Series(color)
    if len(values) != result.n_samples:
        raise InputError(f"color has {len(values)} values for {result.n_samples} samples; give one per sample.")
    return values, str(values.name or "")


def _few_labels(values: pd.Series) -> NDArray[np.object_]:
    """Labels as text, missing ones named, the rarest pooled when there are too many."""
    text = values.astype(object).where(values.notna().to_numpy(), "missing").astype(str)
    counts = text.value_counts()
    if len(counts) > MOST_LEVELS:
        kept = set(counts.index[: MOST_LEVELS - 1])
        text = text.where(text.isin(kept).to_numpy(), f"other ({len(counts) - len(kept)} levels)")
    labels: NDArray[np.object_] = text.to_numpy(dtype=object)
    return labels


def _draw_panel(ax: Axes, found: Components, title: str, colouring: _Colouring) -> None:
    scores = found.scores
    if scores.shape[1] < 2:
        scores = np.column_stack([scores, np.zeros((len(scores), 2 - scores.shape[1]))])
    _draw_points(ax, scores, colouring, size=_point_size(len(scores)))
    shares = [*found.shares, 0.0, 0.0]
    ax.set(xlabel=f"component 1 ({100 * shares[0]:.2g} %)", ylabel=f"component 2 ({100 * shares[1]:.2g} %)")
    ax.set_title(title, fontsize=10, loc="left")
    ax.margins(0.07)
    ax.locator_params(nbins=6)
    tidy_frame(ax)


def _point_size(n_samples: int) -> float:
    """Area of a point in square points: smaller when there are many."""
    return float(np.clip(2400 / n_samples, 9, 34))


def _draw_points(ax: Axes, scores: NDArray[np.float64], colouring: _Colouring, size: float) -> None:
    edge: dict[str, Any] = {"edgecolors": "white", "linewidths": 0.3}
    if colouring.numbers is not None:
        missing = np.isnan(colouring.numbers)
        ax.scatter(scores[missing, 0], scores[missing, 1], s=size, color=GREY, marker="x", linewidths=0.8)
        kept = ~missing
        ax.scatter(scores[kept, 0], scores[kept, 1], s=size, c=colouring.numbers[kept], cmap=NUMBER_MAP, **edge)
        return
    if colouring.labels is None:
        ax.scatter(scores[:, 0], scores[:, 1], s=size, color=PALETTE[0], **edge)
        return
    for i, label in enumerate(_levels(colouring.labels)):
        chosen = colouring.labels == label
        marker = MARKERS[(i + i // len(PALETTE)) % len(MARKERS)]
        colour = GREY if _is_leftover(label) else PALETTE[i % len(PALETTE)]
        ax.scatter(
            scores[chosen, 0], scores[chosen, 1], s=size, color=colour, marker=marker, label=plain(label), **edge
        )


def _levels(labels: NDArray[np.object_]) -> Sequence[str]:
    """Levels with numbers in them in the order of the numbers; pooled and missing ones last."""
    return sorted(set(labels.tolist()), key=lambda label: (_is_leftover(label), _natural(label)))


def _is_leftover(label: str) -> bool:
    return label == "missing" or label.startswith("other (")


def _natural(label: str) -> list[tuple[bool, float, str]]:
    parts = re.split(r"(\d+)", label)
    return [(not part.isdecimal(), float(part) if part.isdecimal() else 0.0, part) for part in parts if part]


def _add_key(axes: Sequence[Any], colouring: _Colouring) -> None:
    """Legend or colour bar, outside the last panel."""
    last = axes[-1]
    if colouring.numbers is not None:
        bar = last.figure.colorbar(last.collections[-1], ax=list(axes), fraction=0.05, pad=0.02)
        bar.set_label(plain(colouring.title), fontsize=9)
        bar.ax.tick_params(labelsize=8)
    elif colouring.labels is not None:
        drawn = sum(len(points.get_offsets()) for points in last.collections)
        last.legend(
            markerscale=float(np.sqrt(34 / _point_size(max(drawn, 1)))),
            title=plain(colouring.title) or None,
            loc="upper left",
            bbox_to_anchor=(1.01, 1.0),
            frameon=False,
            fontsize=8.5,
            title_fontsize=9,
            borderaxespad=0.0,
        )
