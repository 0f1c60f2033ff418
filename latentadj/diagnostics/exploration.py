"""Everything there is to see before any adjustment."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd

from latentadj.design import Design
from latentadj.diagnostics.check import CheckResult
from latentadj.diagnostics.explored import ExploredStudy
from latentadj.diagnostics.suggestion import Suggestion

#: Findings of a level come before those of the next.
_ORDER = {"warning": 0, "note": 1, "ok": 2}


@dataclass(frozen=True, eq=False, repr=False)
class Exploration:
    """What was seen in a matrix and its sample table before any adjustment; see `explore`.

    Attributes
    ----------
    study : ExploredStudy
        Data and aligned sample table, for pictures: every function of `latentadj.plots` that takes a matrix takes it.
    formula : str or None
        As given.
    design : Design or None
        Of the formula; None without one, or where it cannot be built.
    findings : tuple of CheckResult
        Verdicts in words, warnings first.
    notes : tuple of str
        How the input was read: matched by position, rows left out, scale.
    tables : mapping of str to pandas.DataFrame
        ``columns`` (the sample table described), ``levels`` (relative log expression), ``components`` (scores),
        ``associations`` (components and covariates), ``relations`` (pairs of covariates), ``variance`` and ``pvca``
        (sources of variation), ``drift`` (components along the run order), ``design`` (correlations of its columns).
        Those that the data do not allow are left out.
    suggestion : Suggestion
        A formula to begin with.

    Examples
    --------
    >>> from latentadj.diagnostics import explore
    >>> import numpy as np
    >>> table = pd.DataFrame({"group": list("ab") * 6, "plate": list("aabb") * 3})
    >>> found = explore(np.random.default_rng(0).normal(size=(12, 50)), table)
    >>> found.suggestion.formula, list(found.tables)[:3]
    ('~ group', ['columns', 'relations', 'levels'])
    """

    study: ExploredStudy
    formula: str | None
    design: Design | None
    findings: tuple[CheckResult, ...]
    notes: tuple[str, ...]
    tables: Mapping[str, pd.DataFrame]
    suggestion: Suggestion = field(default_factory=lambda: Suggestion(""))

    @property
    def shape(self) -> tuple[int, int]:
        """``(n_samples, n_features)``."""
        return self.study.n_samples, len(self.study.feature_ids)

    def command(self, matrix: str = "MATRIX", samples: str | None = "SAMPLES") -> str:
        """Return the next command of the command line.

        Parameters
        ----------
        matrix : str, default="MATRIX"
            Path of the matrix.
        samples : str or None, default="SAMPLES"
            Path of the sample table; None when the matrix holds one.

        Returns
        -------
        str
            Quoted for a shell.
        """
        parts = ["latentadj", "fit", matrix, *([] if samples is None else ["--samples", samples])]
        return shlex.join([*parts, "--formula", self.suggestion.formula or "~ TESTED | ADJUSTED FOR"])

    def summary(self) -> pd.DataFrame:
        """Findings as a table.

        Returns
        -------
        pandas.DataFrame
            ``level, check, verdict, cause, next_step``, warnings first.
        """
        rows = [(c.level, c.name, c.verdict, c.cause, c.next_step) for c in self.findings]
        return pd.DataFrame(rows, columns=["level", "check", "verdict", "cause", "next_step"])

    def as_mapping(self) -> dict[str, Any]:
        """Return findings, notes and the suggestion as plain values, for JSON."""
        return {
            "n_samples": self.shape[0],
            "n_features": self.shape[1],
            "formula": self.formula,
            "findings": [{**_plain(check), "statistics": dict(check.statistics)} for check in self.findings],
            "notes": list(self.notes),
            "suggestion": {
                "formula": self.suggestion.formula,
                "guessed": self.suggestion.guessed,
                "reasons": list(self.suggestion.reasons),
            },
        }

    def report(self, path: str | Path = "explore.html") -> Path:
        """Write a self-contained HTML page, with its tables beside it, and return its path."""
        from latentadj.report.exploration import write_exploration

        return write_exploration(self, path)

    def __repr__(self) -> str:
        n, m = self.shape
        counts = {level: sum(check.level == level for check in self.findings) for level in ("warning", "note")}
        found = ", ".join(f"{count} {level}{'s' * (count != 1)}" for level, count in counts.items())
        return f"<Exploration: {n} samples x {m} features, {found}, suggested formula {self.suggestion.formula!r}>"

    def _repr_html_(self) -> str:
        from latentadj.results.card import card, card_table

        n, m = self.shape
        facts = {
            "Data": f"{n} samples x {m} features",
            "Suggested formula": self.suggestion.formula or "none",
            "Why": " ".join(self.suggestion.reasons) or "No covariate has to be adjusted for.",
        }
        return card(facts, {"Findings": card_table(self.summary())}, self.notes)


def in_order(findings: list[CheckResult]) -> tuple[CheckResult, ...]:
    """Warnings first, then notes; each in the order given.

    Examples
    --------
    >>> checks = [CheckResult(level, "", level, "", "") for level in ("ok", "warning", "note")]
    >>> [check.name for check in in_order(checks)]
    ['warning', 'note', 'ok']
    """
    return tuple(sorted(findings, key=lambda check: _ORDER[check.level]))


def _plain(check: CheckResult) -> dict[str, str]:
    return {name: getattr(check, name) for name in ("name", "verdict", "level", "cause", "next_step")}
