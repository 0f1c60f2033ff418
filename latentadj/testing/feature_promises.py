"""Features that cannot be tested stay in the table and disturb no other."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from latentadj.results import AdjustmentResult
from latentadj.testing.comparison import numbers, require, require_close
from latentadj.testing.promise import Promise, only_continuous
from latentadj.testing.subject import Subject

_LOST = ["std_error", "statistic", "p_value", "p_adjusted", "conf_low", "conf_high"]


def constant_features(subject: Subject) -> None:
    """Constants put in at both ends and in between, one of them called a control, leave the others as they were."""
    found, others = _with_inserted(subject, np.array([0.0, 8.25, -3.0, 1e6]))
    for name, values in numbers(found).items():
        kept = values if name == "factors" else values[others]
        require_close(kept, subject.expected[name], subject.rounding, name)
    table, rows = found.tidy(), np.flatnonzero(~others)
    require((table["status"][rows] == "constant").all(), "Constant features do not have the status 'constant'.")
    require((table["status"][others] == "ok").all(), "Features beside constant ones lost the status 'ok'.")
    require(table.loc[rows, _LOST].isna().all(axis=None), "Constant features have statistics.")
    usual = subject.usual.tidy()["p_adjusted"].to_numpy()
    require_close(table["p_adjusted"][others].to_numpy(), usual, subject.rounding, "p_adjusted")


def zero_counts(subject: Subject) -> None:
    """Features that were never counted stay in the table, and the others keep finite statistics."""
    found, others = _with_inserted(subject, np.zeros(4))
    table = found.tidy()
    require(len(table) == len(others), f"The table has {len(table)} rows for {len(others)} features.")
    _require_statistics(table, others)


def explained_features(subject: Subject) -> None:
    """Features without residuals have no variance of their own; the others keep finite statistics."""
    X, design = subject.study.X.copy(), subject.usual.design
    middle = X.shape[1] // 4
    X[:, middle] = 3.0 + 2.0 * design.primary[:, 0]
    X[:, middle + 1] = design.nuisance[:, -1]
    table = subject.run(X).tidy(subject.usual.tests.names[0])
    others = np.ones(X.shape[1], dtype=bool)
    others[middle : middle + 2] = False
    _require_statistics(table, others)
    error = abs(float(table["estimate"][middle]) - 2.0)
    require(error < 1e-8, f"A feature that is 3 + 2 x has an effect that is off by {error:.1e}.")


def _require_statistics(table: pd.DataFrame, rows: NDArray[np.bool_]) -> None:
    kept = table.loc[rows, ["estimate", "std_error", "p_value", "p_adjusted"]].to_numpy(dtype=np.float64)
    require(np.isfinite(kept).all(), "Other features have statistics that are not finite.")
    require((table["status"][rows] == "ok").all(), "Other features lost the status 'ok'.")


def _with_inserted(subject: Subject, values: NDArray[np.float64]) -> tuple[AdjustmentResult, NDArray[np.bool_]]:
    """Result with constant features put in at four places, the first called a control; and where the others are."""
    m = subject.study.X.shape[1]
    places = np.array([0, m // 20, m // 2, m])
    X = np.insert(subject.study.X, places, values, axis=1)
    others = np.ones(m + 4, dtype=bool)
    others[places + np.arange(4)] = False
    controls = np.zeros(m + 4, dtype=bool)
    controls[others] = subject.study.controls
    controls[0] = True
    return subject.run(X, method=subject.estimator(controls=controls)), others


def _only_counts(subject: Subject) -> str:
    return "" if subject.info.input_scale == "counts" else "the data are no counts"


FEATURES = (
    Promise(
        "constant_features",
        "Features that do not vary stay, without statistics, and change no other number.",
        constant_features,
        only_continuous,
    ),
    Promise("zero_counts", "Features without any count stay and leave the others finite.", zero_counts, _only_counts),
    Promise(
        "explained_features",
        "Features that the design explains leave the others finite.",
        explained_features,
        only_continuous,
    ),
)
