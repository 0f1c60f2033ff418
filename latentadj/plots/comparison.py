"""Pictures of a method comparison, and of a check with variables that have no effect."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from latentadj.compare import Comparison, NullCheck
from latentadj.compare.comparison import contest_labels
from latentadj.exceptions import InputError
from latentadj.plots.panels import outside_legend
from latentadj.plots.style import BLUE, GREY, MARKERS, ORANGE, PALETTE, new_axes, plain, require_matplotlib, tidy_frame

if TYPE_CHECKING:
    from matplotlib.axes import Axes

#: What is drawn for a metric: words, the value that is wanted, and how the axis runs.
_METRICS: dict[str, tuple[str, float | None, str]] = {
    "type1_05": ("type-I error at level 0.05", 0.05, "log"),
    "type1_01": ("type-I error at level 0.01", 0.01, "log"),
    "type1_001": ("type-I error at level 0.001", 0.001, "log"),
    "fdp": ("false discovery proportion", None, "linear"),
    "power": ("power", None, "linear"),
    "recovery": ("recovered share of the factor space", 1.0, "linear"),
    "coverage": ("coverage of 95 % intervals", 0.95, "linear"),
    "inflation": ("genomic inflation", 1.0, "log"),
    "cpu_seconds": ("CPU seconds", None, "log"),
    "peak_mb": ("peak memory (MB)", None, "log"),
    "rmse": ("root mean square error of effects", None, "log"),
}


def comparison_metric(comparison: Comparison, metric: str = "type1_05", ax: Any = None) -> Axes:
    """Draw the mean of one metric, a line of points per method and a colour per scenario.

    Parameters
    ----------
    comparison : Comparison
    metric : str, default="type1_05"
        A column of `Comparison.summary`; the nominal level or the wanted value is drawn where there is one.
    ax : matplotlib Axes, optional
        A new figure by default.

    Returns
    -------
    matplotlib Axes
        The table behind it is ``comparison.table(metric)``. Bars are two standard errors, where the summary has them.

    Raises
    ------
    InputError
        A metric that was not measured, or of which every value is missing.
    MissingExtraError
        Without Matplotlib.

    Examples
    --------
    >>> from latentadj.compare import compare
    >>> from latentadj.simulation import Scenario
    >>> small = Scenario("small", n_samples=20, n_features=200, n_factors=1)
    >>> found = compare(["none", "cate"], [small], "errors", n_repeats=2)
    >>> comparison_metric(found, "fdp").get_xlabel()
    'false discovery proportion'
    """
    table = comparison.table(metric)
    if not table.notna().any().any():
        raise InputError(f"{metric} is known for no scenario of this comparison.")
    label, wanted, scale = _METRICS.get(metric, (metric.replace("_", " "), None, "linear"))
    wanted = comparison.fdr if metric == "fdp" else wanted
    errors = comparison.table(f"se_{metric}") if f"se_{metric}" in comparison.summary() else None
    methods, scenarios = list(table.columns), list(table.index)
    ax = new_axes(7.5, 1.2 + 0.34 * len(methods)) if ax is None else ax
    offsets = np.linspace(-0.3, 0.3, len(scenarios)) if len(scenarios) > 1 else np.zeros(1)
    floor = _floor(table, scale)
    for i, scenario in enumerate(scenarios):
        values = table.loc[scenario].to_numpy(dtype=np.float64)
        bars = None if errors is None else _within_shares(values, 2 * errors.loc[scenario].to_numpy(dtype=np.float64))
        _points(ax, np.maximum(values, floor), np.arange(len(methods)) + offsets[i], i, plain(scenario), bars)
    if wanted is not None:
        ax.axvline(wanted, color=GREY, lw=1.2, ls="--", zorder=0, label=f"wanted: {wanted:g}")
    ax.set(xlabel=label, yticks=range(len(methods)), yticklabels=[plain(name) for name in methods], xscale=scale)
    ax.set_ylim(len(methods) - 0.45, -0.55)
    if scale == "log":
        _plain_ticks(ax)
    for row in range(1, len(methods)):
        ax.axhline(row - 0.5, color="#E4E4E4", lw=0.8, zorder=0)
    tidy_frame(ax)
    outside_legend(ax, "scenario")
    return ax


def power_fdp(comparison: Comparison, ax: Any = None) -> Axes:
    """Draw power against false discovery proportion, a colour per method and a marker per scenario.

    Parameters
    ----------
    comparison : Comparison
    ax : matplotlib Axes, optional

    Returns
    -------
    matplotlib Axes
        Up and to the left is better; beyond the dashed line more discoveries are false than were asked for. The tables
        behind it are ``comparison.table("power")`` and ``comparison.table("fdp")``.

    Raises
    ------
    InputError
        Neither is known, as in null studies.
    MissingExtraError
        Without Matplotlib.

    Examples
    --------
    >>> from latentadj.compare import compare
    >>> from latentadj.simulation import Scenario
    >>> small = Scenario("small", n_samples=20, n_features=200, n_factors=1)
    >>> power_fdp(compare(["none", "cate"], [small], "errors", n_repeats=2)).get_ylabel()
    'power'
    """
    summary = comparison.summary()
    if "power" not in summary or not summary[["power", "fdp"]].notna().all(axis=1).any():
        raise InputError("Power and false discoveries are not known for any scenario of this comparison.")
    summary = summary.assign(label=contest_labels(summary)).dropna(subset=["power", "fdp"])
    ax = new_axes(7.5, 4.6) if ax is None else ax
    methods, scenarios = list(dict.fromkeys(summary["label"])), list(dict.fromkeys(summary["scenario"]))
    for row in summary.itertuples():
        i, j = methods.index(row.label), scenarios.index(row.scenario)
        ax.plot(row.fdp, row.power, MARKERS[j % len(MARKERS)], ms=7, mew=0.8, **_look(i))
    ax.axvline(comparison.fdr, color=GREY, lw=1.2, ls="--", zorder=0)
    ax.set(xlabel=f"false discovery proportion (asked for: at most {comparison.fdr:g})", ylabel="power")
    ax.set(xlim=(-0.02, 1.02), ylim=(-0.02, 1.02))
    for i, name in enumerate(methods):
        ax.plot([], [], "s", ms=7, mew=0.8, label=plain(name), **_look(i))
    for j, name in enumerate(scenarios):
        ax.plot([], [], MARKERS[j % len(MARKERS)], ms=6, mfc="none", mec="#333333", label=plain(name))
    tidy_frame(ax)
    outside_legend(ax, "method, scenario")
    return ax


def null_histogram(check: NullCheck, axes: Any = None) -> Any:
    """Draw the p-values of variables without effect, a panel per kind.

    Parameters
    ----------
    check : NullCheck
    axes : sequence of matplotlib Axes, optional
        One per kind.

    Returns
    -------
    ndarray of matplotlib Axes
        The table behind it is ``check.histogram()``. The line is what uniform p-values give.

    Raises
    ------
    InputError
        The analysis failed for all variables, or a wrong number of axes.
    MissingExtraError
        Without Matplotlib.

    Examples
    --------
    >>> from latentadj.compare import null_check
    >>> X = np.random.default_rng(0).normal(size=(16, 200))
    >>> axes = null_histogram(null_check(X, np.repeat([0, 1], 8), method="none", n_repeats=2))
    >>> axes[0].get_xlabel()
    'p-value'
    """
    table = check.histogram()
    kinds = list(dict.fromkeys(table["kind"]))
    if not kinds:
        raise InputError("The analysis failed for all variables without effect; see check.frame['message'].")
    axes = np.atleast_1d(new_axes(4.2 * len(kinds), 3.1, columns=len(kinds)) if axes is None else axes)
    if len(axes) != len(kinds):
        raise InputError(f"{len(axes)} axes were given for {len(kinds)} kinds of variables.")
    for ax, kind, colour in zip(axes, kinds, (BLUE, ORANGE), strict=False):
        part = table[table["kind"] == kind]
        ax.bar(part["low"], part["count"], part["high"] - part["low"], align="edge", color=colour, ec="white", lw=0.5)
        ax.axhline(part["expected"].iloc[0], color="#333333", lw=1.2)
        ax.set(xlabel="p-value", ylabel="features x repeats", xlim=(0, 1))
        ax.set_title(f"{kind} variables without effect", fontsize=10, loc="left")
        tidy_frame(ax)
    return axes


def _points(ax: Axes, x: Any, y: Any, i: int, label: str, bars: Any) -> None:
    style: dict[str, Any] = {"ms": 5.5, "mew": 0.6, "ls": "", "label": label, **_look(i)}
    ax.errorbar(x, y, xerr=bars, marker=MARKERS[i % len(MARKERS)], elinewidth=0.9, **style)


def _within_shares(values: NDArray[np.float64], bars: NDArray[np.float64]) -> NDArray[np.float64]:
    """Lower and upper bars that stay between 0 and 1, ``(2, n)``; metrics with standard errors are shares."""
    return np.array([np.minimum(bars, values), np.minimum(bars, 1.0 - values)])


def _plain_ticks(ax: Axes) -> None:
    """Numbers as they are on a logarithmic axis, at 1, 2 and 5 of every decade."""
    ticker = require_matplotlib("matplotlib.ticker")
    ax.xaxis.set_major_locator(ticker.LogLocator(subs=(1.0, 2.0, 5.0)))
    ax.xaxis.set_major_formatter(ticker.FormatStrFormatter("%g"))
    ax.xaxis.set_minor_formatter(ticker.NullFormatter())


def _look(i: int) -> dict[str, Any]:
    """Colour of one of many; markers of the second round of colours are hollow."""
    colour, solid = PALETTE[i % len(PALETTE)], i < len(PALETTE)
    return {"color": colour, "mfc": colour if solid else "white", "mec": "white" if solid else colour}


def _floor(table: pd.DataFrame, scale: str) -> float:
    """Where zeros go on a logarithmic axis: half of the smallest positive value."""
    values = table.to_numpy(dtype=np.float64)
    positive = values[np.isfinite(values) & (values > 0)]
    return float(positive.min()) / 2 if scale == "log" and positive.size else -np.inf
