"""Stored answers of the surrogate-variable packages, by study and key; and null rates of simulated studies."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import numpy as np
from numpy.typing import NDArray

import latentadj as la
from latentadj.simulation import FAMILIES, simulate
from tests.reference_data import load_reference


def stored(name: str) -> dict[str, NDArray[np.float64]]:
    """Answers for one study."""
    mark = f"{name}__"
    return {key[len(mark) :]: value for key, value in _all().items() if key.startswith(mark)}


@cache
def _all() -> dict[str, NDArray[np.float64]]:
    return load_reference("surrogates", "parity")


def null_rates(method: la.LatentFactorEstimator, family: str, n_studies: int, *, first: int = 0) -> NDArray[np.float64]:
    """Share of the null features with p < 0.05 in each of several simulated studies with 1000 features."""
    scenario = replace(FAMILIES[family], n_features=1000)
    rates = []
    for seed in range(first, first + n_studies):
        study = simulate(scenario, seed)
        p = la.adjust(study.X, study.design, method=method, allow_invalid=True).tests.p_value[:, 0]
        rates.append(float(np.mean(p[study.truth.is_null] < 0.05)))
    return np.array(rates)
