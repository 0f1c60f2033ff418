"""Type-I error and power of the confounding test, on estimated factors.

400 studies: the standard error of a rate of 0.05 is 0.011; the bounds are about three of them.
"""

import numpy as np
import pytest

import latentadj as la
from latentadj.results.confounding import confounding_test

N_STUDIES = 400
pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore::latentadj.LatentAdjWarning")]


def p_values(slope: float, method: str = "cate") -> np.ndarray:
    """P-values of an unbalanced 0/1 column, which is where forgetting (X'X)^-1 hurts most."""
    found = []
    for seed in range(N_STUDIES):
        rng = np.random.default_rng(seed)
        y = (np.arange(40) < 12).astype(float)
        Z = rng.normal(size=(40, 2)) + slope * y[:, None]
        X = Z @ rng.normal(size=(2, 300)) + rng.normal(size=(40, 300))
        found.append(la.adjust(X, y, method=method, n_factors=2).confounding.p_value[0])
    return np.array(found)


@pytest.mark.parametrize("method", ["cate", "sva"])
def test_level_without_confounding(method):
    assert 0.02 < np.mean(p_values(0.0, method) < 0.05) < 0.085


def test_power_with_confounding():
    assert np.mean(p_values(1.0) < 0.05) > 0.7


def test_true_gaussian_factors_give_uniform_p_values():
    """Exact by theory (Hotelling): 2,000 draws, deciles within four standard errors."""
    rng = np.random.default_rng(5)
    y = (np.arange(20) < 6).astype(float)[:, None]
    nuisance = np.full((20, 1), 20**-0.5)
    p = [confounding_test(("x",), y, nuisance, rng.normal(size=(20, 3))).p_value[0] for _ in range(2000)]
    share = np.histogram(p, bins=10, range=(0, 1))[0] / 2000
    assert np.abs(share - 0.1).max() < 4 * np.sqrt(0.09 / 2000)
