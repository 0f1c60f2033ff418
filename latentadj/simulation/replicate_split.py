"""Replicates against each other: studies in which nothing is true but unwanted variation."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from latentadj.design import Design
from latentadj.exceptions import InputError
from latentadj.simulation.real_data import RealData
from latentadj.simulation.study import SimulatedStudy, Truth


@dataclass(frozen=True, eq=False)
class ReplicateSplit:
    """Null studies from replicates: within every set of them, a random half is called the second group.

    Parameters
    ----------
    data : RealData
        With replicate labels; samples without a replicate are left out.
    name : str, default="replicates"

    Raises
    ------
    InputError
        Fewer than two sets of replicates, or fewer than six samples in them.

    Notes
    -----
    Samples of a set are the same material, so that a difference between them is unwanted variation or noise, and all
    effects of the split are zero. The sets are columns of the design that are adjusted for.

    Examples
    --------
    >>> X = np.random.default_rng(0).normal(size=(12, 30))
    >>> data = RealData.read(X, None, replicates=np.arange(12) // 3)
    >>> study = ReplicateSplit(data).draw(np.random.default_rng(0))
    >>> study.design.matrix.shape, study.design.primary_names
    ((12, 5), ('x',))
    """

    data: RealData
    name: str = "replicates"

    def __post_init__(self) -> None:
        rows = self._rows()
        labels = self.data.pairs()[rows]
        if len(rows) < 6 or len(np.unique(labels)) < 2:
            raise InputError(
                f"{len(rows)} samples in {len(np.unique(labels))} sets of replicates are too few; at least six samples "
                "in two sets are needed. Give replicates= labels that replicates share."
            )

    def settings(self) -> dict[str, Any]:
        """Return what decides the studies."""
        return {"data": self.data.digest()}

    def draw(self, rng: np.random.Generator) -> SimulatedStudy:
        """Return one study."""
        data, rows = self.data, self._rows()
        labels = np.unique(data.pairs()[rows], return_inverse=True)[1].reshape(-1)
        second = np.zeros(len(rows))
        for label in range(labels.max() + 1):
            members = rng.permutation(np.flatnonzero(labels == label))
            size = len(members) // 2 + (rng.random() < 0.5) * (len(members) % 2)
            second[members[:size]] = 1.0
        m = data.n_features
        sets = (labels[:, None] == np.arange(1, labels.max() + 1)).astype(float)
        names = [f"set{i + 1}" for i in range(1, labels.max() + 1)]
        design = Design.from_arrays(second, sets, primary_names=["x"], nuisance_names=names)
        truth = Truth(
            effects=np.zeros(m),
            factors=np.empty((len(rows), 0)),
            loadings=np.empty((m, 0)),
            controls=data.no_controls(),
            factors_known=False,
        )
        counts = None if data.counts is None else data.counts[rows]
        return SimulatedStudy(data.values[rows], design, truth, self, labels, counts)

    def _rows(self) -> np.ndarray:
        labels = self.data.pairs()
        sizes = np.bincount(labels[labels >= 0], minlength=1)
        return np.flatnonzero((labels >= 0) & (sizes[np.maximum(labels, 0)] > 1))
