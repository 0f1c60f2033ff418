"""The confounding models that regress over all features: truth, breakdown, covariance."""

import numpy as np
import pytest

from latentadj.confounding import (
    AttenuationCorrectedRegression,
    LeastTrimmedSquares,
    RobustRegression,
    SparseEffects,
    corrected_for_attenuation,
)

pytestmark = pytest.mark.filterwarnings("ignore::latentadj.LatentAdjWarning")
LINKS = {
    "huber": RobustRegression,
    "bisquare": lambda: RobustRegression(loss="bisquare"),
    "least trimmed": lambda: LeastTrimmedSquares(np.random.default_rng(0), n_starts=20),
    "hard": SparseEffects,
    "soft": lambda: SparseEffects(penalty="soft"),
    "ridge": lambda: SparseEffects(penalty="ridge"),
    "ols": AttenuationCorrectedRegression,
    "theory": lambda: AttenuationCorrectedRegression(weighted=False),
    "iterative": lambda: AttenuationCorrectedRegression(iterative=True, df=50),
}
OMEGA = np.array([[0.5, -1.0], [0.0, 2.0]])


def draw(rng, *, m=600, share=0.05, size=3.0, error=0.0):
    """Effects of two primary columns on m features, loadings measured with errors of variance ``error sigma2``."""
    A, sigma2 = rng.normal(size=(m, 2)), rng.uniform(0.5, 2, size=m)
    effects = np.zeros((m, 2))
    effects[: int(share * m)] = size * rng.normal(size=(int(share * m), 2))
    noise = rng.normal(size=(m, 2)) * np.sqrt(0.05 * sigma2)[:, None]
    measured = A + np.sqrt(error * sigma2)[:, None] * rng.normal(size=(m, 2))
    return effects + A @ OMEGA.T + noise, measured, error * sigma2 if error else sigma2


@pytest.mark.parametrize("name", LINKS)
def test_link_is_found_and_its_covariance_is_that_of_repetitions(name):
    found, claimed = [], []
    for seed in range(60):
        effects, loadings, sigma2 = draw(np.random.default_rng(seed))
        link = LINKS[name]().estimate(effects, loadings, sigma2, 0.05 * np.eye(2), None)
        found.append(link.omega)
        claimed.append(np.einsum("ikik->ik", link.covariance))
    spread = np.std(found, axis=0)
    np.testing.assert_allclose(np.mean(found, axis=0), OMEGA, atol=4.5 * spread.max() / np.sqrt(60))
    ratio = np.sqrt(np.mean(claimed, axis=0)) / spread
    assert ratio.min() > 0.75
    assert ratio.max() < 1.35


@pytest.mark.parametrize("name", [name for name in LINKS if name not in ("theory",)])
def test_attenuation_is_undone(name):
    found = []
    for seed in range(20):
        effects, loadings, sigma2 = draw(np.random.default_rng(seed), m=1500, error=0.3, share=0.02)
        model = LINKS[name]()
        link = model.estimate(effects, loadings, sigma2, 0.05 * np.eye(2), None)
        found.append(corrected_for_attenuation(link, model.reliability(loadings, sigma2, None)).omega)
    np.testing.assert_allclose(np.mean(found, axis=0), OMEGA, atol=0.08)


@pytest.mark.parametrize("name", ["least trimmed", "hard", "bisquare"])
def test_one_sided_effects_in_a_fifth_of_the_features_do_not_pull(name):
    rng = np.random.default_rng(3)
    effects, loadings, sigma2 = draw(rng, share=0.0)
    effects[:120] += 4 + 4 * np.abs(loadings[:120])
    omega = LINKS[name]().estimate(effects, loadings, sigma2, 0.05 * np.eye(2), None).omega
    np.testing.assert_allclose(omega, OMEGA, atol=0.08)


@pytest.mark.parametrize("name", LINKS)
def test_features_without_variance_do_not_count(name):
    effects, loadings, sigma2 = draw(np.random.default_rng(4))
    expected = LINKS[name]().estimate(effects, loadings, sigma2, np.eye(2), None)
    more = (np.vstack([effects, [[9.0, 9.0]]]), np.vstack([loadings, [[1.0, 1.0]]]), np.append(sigma2, 0.0))
    found = LINKS[name]().estimate(*more, np.eye(2), None)
    np.testing.assert_allclose(found.omega, expected.omega, rtol=1e-9)
    if found.sparse_effects is not None:
        assert found.sparse_effects.shape == (601, 2)
        assert not found.sparse_effects[-1].any()
