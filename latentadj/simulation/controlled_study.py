"""The user's matrix as it is, judged by its controls."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from latentadj.exceptions import ControlsError
from latentadj.simulation.real_data import RealData
from latentadj.simulation.study import SimulatedStudy, Truth


@dataclass(frozen=True, eq=False)
class ControlledStudy:
    """Studies from real data as they are: half of the negative controls are given to methods, the rest judges them.

    Parameters
    ----------
    data : RealData
        With negative controls, positive controls, or both.
    name : str, default="controls"

    Raises
    ------
    ControlsError
        Neither kind of controls, or fewer than four negative ones.

    Notes
    -----
    Repeats differ in the halves. The effects of the other features are not known (NaN), and so type-I error, false
    discoveries and power are not either: methods are judged by the uniformity of the p-values of the negative controls
    they did not see, and by the ranks of the positive ones (Gagnon-Bartsch and Speed 2012, Biostatistics 13:539).

    Examples
    --------
    >>> X = np.random.default_rng(0).normal(size=(12, 30))
    >>> data = RealData.read(X, np.repeat([0.0, 1.0], 6), controls=range(10))
    >>> truth = ControlledStudy(data).draw(np.random.default_rng(0)).truth
    >>> int(truth.controls.sum()), int(truth.checked_controls.sum()), bool((truth.controls & truth.held_out).any())
    (5, 5, False)
    """

    data: RealData
    name: str = "controls"

    def __post_init__(self) -> None:
        n_negative = int(self.data.no_controls().sum())
        if self.data.positives is None and n_negative == 0:
            raise ControlsError("A study is judged by its controls, and there are none. Give controls= or positives=.")
        if 0 < n_negative < 4:
            raise ControlsError(f"{n_negative} negative controls cannot be split into two halves; give at least 4.")

    def settings(self) -> dict[str, Any]:
        """Return what decides the studies."""
        return {"data": self.data.digest()}

    def draw(self, rng: np.random.Generator) -> SimulatedStudy:
        """Return the data with the controls split at random."""
        data = self.data
        n, m = data.values.shape
        negative = rng.permutation(np.flatnonzero(data.no_controls()))
        given = np.isin(np.arange(m), negative[: len(negative) // 2])
        held = np.isin(np.arange(m), negative[len(negative) // 2 :])
        positives = np.zeros(m, dtype=bool) if data.positives is None else data.positives
        truth = Truth(
            effects=np.full(m, np.nan),
            factors=np.empty((n, 0)),
            loadings=np.empty((m, 0)),
            controls=given,
            factors_known=False,
            held_out=held,
            positives=positives,
        )
        return SimulatedStudy(data.values, data.design, truth, self, data.pairs(), data.counts)
