"""What a check with pseudo-primary variables returns."""

from __future__ import annotations

import html
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from latentadj.compare.comparison import margin
from latentadj.results import AdjustmentResult

INDEPENDENT, CONFOUNDED = "independent", "confounded"
LEVELS = {"type1_05": 0.05, "type1_01": 0.01, "type1_001": 0.001}
#: Mean type-I error that is called too high or too low, relative to its level, when that is beyond doubt.
TOO_HIGH, TOO_LOW = 1.3, 0.7
#: A single study with this type-I error at level 0.05 misleads; more than this share of such studies is too many.
MISLEADING, OFTEN = 0.1, 0.05
#: Standard errors, with independent features, that a misleading study is beyond at least.
FEW_FEATURES = 3.0


@dataclass(frozen=True, repr=False, eq=False)
class NullCheck:
    """Type-I errors of an analysis on the user's own matrix, with variables that have no effect.

    Attributes
    ----------
    frame : pandas.DataFrame
        A row per kind of pseudo-primary variable and repeat: ``kind, repeat, status, message, type1_05, type1_01,
        type1_001, n_discoveries, median_z, mad_z, inflation, shape, histogram``.
    result : AdjustmentResult
        The analysis of the data as they are.
    confounding : float
        R2 on the estimated factors that was asked of the confounded kind; 0 when it was left out.
    """

    frame: pd.DataFrame
    result: AdjustmentResult
    confounding: float

    def summary(self) -> pd.DataFrame:
        """Average over repeats.

        Returns
        -------
        pandas.DataFrame
            A row per kind: ``kind, n_ok, n_failed``, mean type-I error at three levels, ``lowest`` and ``highest`` at
            level 0.05, ``share_misled`` (studies with more than 10 % of the features below 0.05; the limit is higher
            for less than 200 features), mean ``inflation`` and ``mad_z``, the commonest ``shape`` of the histogram, and
            ``status``: "ok", "inflated", "conservative", "unstable" or "failed".
        """
        return pd.DataFrame([self._row(str(kind), cells) for kind, cells in self.frame.groupby("kind", sort=False)])

    @property
    def trusted(self) -> bool:
        """Whether p-values were what they should be, or larger, for all kinds of variables."""
        return bool(self.summary()["status"].isin(["ok", "conservative"]).all())

    @property
    def verdict(self) -> str:
        """One line: whether the p-values of this analysis can be trusted on these data."""
        table = self.summary().set_index("kind")
        states = table["status"]
        for state, words in _WORDS.items():
            kinds = [str(kind) for kind in states.index[states == state]]
            if kinds:
                return words.format(kinds=" and ".join(kinds), errors=_errors(table.loc[kinds]))
        return f"The p-values can be trusted here: {_errors(table)} at level 0.05."

    def _row(self, kind: str, cells: pd.DataFrame) -> dict[str, Any]:
        usable = cells[cells["status"] == "ok"]
        errors = usable["type1_05"].astype(float)
        common = usable["shape"].dropna().mode()
        return {
            "kind": kind,
            "n_ok": len(usable),
            "n_failed": len(cells) - len(usable),
            **{name: float(usable[name].astype(float).mean()) for name in LEVELS},
            "lowest": float(errors.min()),
            "highest": float(errors.max()),
            "share_misled": float((errors > self._misleading).mean()) if len(errors) else np.nan,
            "inflation": float(usable["inflation"].astype(float).mean()),
            "mad_z": float(usable["mad_z"].astype(float).mean()),
            "shape": str(common.iloc[0]) if len(common) else "",
            "status": self._status(usable),
        }

    def _status(self, usable: pd.DataFrame) -> str:
        if not len(usable):
            return "failed"
        low = []
        for name, level in LEVELS.items():
            mean, doubt = float(usable[name].mean()), margin(usable[name])
            if mean - doubt > TOO_HIGH * level * _granularity(level, self.result.n_features):
                return "inflated"
            low.append(mean + doubt < TOO_LOW * level)
        if float((usable["type1_05"] > self._misleading).mean()) > OFTEN:
            return "unstable"
        return "conservative" if low[0] else "ok"

    @property
    def _misleading(self) -> float:
        chance = FEW_FEATURES * (0.05 * 0.95 / max(self.result.n_features, 1)) ** 0.5
        return max(MISLEADING, 0.05 + chance)

    def histogram(self) -> pd.DataFrame:
        """Null p-values of all repeats in 20 bins: ``kind, low, high, count, expected``."""
        parts = []
        for kind, cells in self.frame[self.frame["status"] == "ok"].groupby("kind", sort=False):
            counts = np.sum([np.array(text.split(), dtype=np.int64) for text in cells["histogram"]], axis=0)
            edges = np.linspace(0.0, 1.0, len(counts) + 1)
            parts.append(
                pd.DataFrame(
                    {"kind": kind, "low": edges[:-1], "high": edges[1:], "count": counts, "expected": counts.mean()}
                )
            )
        return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=["kind", "low", "high", "count"])

    def __repr__(self) -> str:
        return f"<NullCheck: {self.result.method_title}. {self.verdict}>"

    def _repr_html_(self) -> str:
        table = self.summary().to_html(index=False, escape=True, border=0, float_format=lambda value: f"{value:.3g}")
        return f"<div><p>{html.escape(self.verdict)}</p>{table}</div>"


_WORDS = {
    "inflated": "The p-values cannot be trusted here: too many are small for {kinds} variables without effect "
    "({errors} at level 0.05).",
    "unstable": "The p-values cannot be trusted here: for single {kinds} variables without "
    "effect more than 10 % of them are below 0.05, even where the average is no proof ({errors}).",
    "failed": "No answer: the analysis failed for all {kinds} variables.",
    "conservative": "The p-values can be trusted but are too large for {kinds} variables without effect "
    "({errors} at level 0.05), which costs power.",
}


def _errors(table: pd.DataFrame) -> str:
    parts = [f"{row.type1_05:.3f} ({kind})" for kind, row in zip(table.index, table.itertuples(), strict=True)]
    return "type-I error " + ", ".join(parts)


def _granularity(level: float, n_features: int) -> float:
    """Ease the limit where a level is a matter of a few features per study."""
    return 1.0 + 2.0 / max(level * n_features, 1e-12) ** 0.5 if level * n_features < 10 else 1.0
