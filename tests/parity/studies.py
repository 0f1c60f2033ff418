"""The three studies on which every reference package was run."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

import latentadj as la
from tests.reference_data import ReferenceData, bladder_reference, load_reference, sim1, sim2

NAMES = ("sim1", "sim2", "bladderbatch")


@dataclass(frozen=True)
class ParityStudy:
    """Data, the formula with its nuisance part, the same with everything tested, and the number of factors."""

    data: ReferenceData
    formula: str
    all_tested: str
    n_factors: int

    def adjust(self, method, formula: str | None = None, **options) -> la.AdjustmentResult:
        """Run the public front on the study."""
        return la.adjust(self.data.frame, formula or self.formula, self.data.sample_data, method=method, **options)


@cache
def study(name: str) -> ParityStudy:
    """Return a study by name."""
    return {
        "sim1": lambda: ParityStudy(sim1(), "~ x | age", "~ x + age", 3),
        "sim2": lambda: ParityStudy(sim2(), "~ x | age", "~ x + age", 2),
        "bladderbatch": lambda: ParityStudy(bladder_reference(), "~ cancer", "~ cancer", 2),
    }[name]()


def reference(package: str, name: str) -> dict[str, NDArray[np.float64]]:
    """Return a package's stored answers for one study, by key."""
    mark = f"{name}__"
    return {key[len(mark) :]: value for key, value in _stored(package).items() if key.startswith(mark)}


@cache
def _stored(package: str) -> dict[str, NDArray[np.float64]]:
    return load_reference(package, "parity")


def same_signs(factors: NDArray[np.float64], like: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return factors with each column's sign chosen so that it points along the reference column."""
    return factors * np.sign(np.einsum("ij,ij->j", factors, like))
