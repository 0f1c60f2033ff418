"""Small studies for the tests of comparisons."""

from __future__ import annotations

import numpy as np

from latentadj.compare import Findings
from latentadj.simulation import Scenario

SMALL = Scenario("small", n_samples=20, n_features=150, n_factors=1, n_controls=30)
PLAIN = Scenario("plain", n_samples=16, n_features=120, n_factors=0, confounding=0.0, n_controls=30)


def coin(study, n_factors, seed):
    """P-values that come from the seed alone."""
    return Findings(np.random.default_rng(seed).uniform(size=study.X.shape[1]))


def broken(study, n_factors, seed):
    """Fail always, with an error of no class in particular."""
    raise ZeroDivisionError("nothing\nto divide by")
