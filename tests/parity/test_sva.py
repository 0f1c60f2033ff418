"""Surrogate variable analysis through the public API against sva 3.46.0.

Largest errors over bladderbatch, sim1 and sim2:

=============================  ==============================  =====================================
quantity                       measured                        stored digits
=============================  ==============================  =====================================
sv, 5 and 20 rounds            4.0e-13                         15
sv, two-step (compat)          6.8e-15                         15
sv, supervised and ssva        4.9e-15                         15
1 - canonical correlation      2.2e-16
posterior probabilities        5.0e-9 absolute                 8
f.pvalue (p)                   5.0e-9 relative, 5e-10 absolute 9; sva takes 1 - F(x), so 1.1e-16 absolute
two-step, component dropped    5.0e-15 (compat)                17
=============================  ==============================  =====================================

Without ``compat`` the two-step factors differ: by the dropped component's index (a factor whose correlation
with the package's is 0), and by the density grid of R before 4.4 (3e-3 on sim1).
"""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose

import latentadj as la
from latentadj.core.alignment import canonical_correlations
from latentadj.exceptions import FactorLimitWarning
from tests.parity.studies import NAMES, reference, same_signs, study
from tests.reference_data import load_reference

pytestmark = pytest.mark.filterwarnings("ignore::latentadj.LatentAdjWarning")

FACTORS = 5e-12  # twenty rounds of a map that multiplies round-off by about 100
EXACT_FACTORS = 1e-13
P_STORED = {"rtol": 1e-8, "atol": 4e-16}  # nine digits; the package's 1 - F(x) is off by up to 2.2e-16
PROBABILITY = 1e-8  # eight digits of numbers up to 1


def methods(name: str) -> dict[str, la.LatentFactorEstimator]:
    s = study(name)
    k, controls = s.n_factors, s.data.controls
    return {
        "sva_irw": la.SVA(k, max_iter=5, compat="sva"),
        "sva_irw_B20": la.SVA(k, max_iter=20, compat="sva"),
        "sva_twostep": la.TwoStepSVA(k, compat="sva"),
        "sva_supervised": la.SupervisedSVA(k, controls=controls),
    }


METHODS = ("sva_irw", "sva_irw_B20", "sva_twostep", "sva_supervised")


def result_of(name: str, key: str) -> la.AdjustmentResult:
    return study(name).adjust(methods(name)[key], inference="ordinary")


@pytest.mark.parametrize("name", NAMES)
def test_f_pvalue_without_factors(name: str) -> None:
    p, f = reference("sva", name)["fpvalue"].T
    table = study(name).adjust("none", inference="ordinary").tidy(joint=True)
    assert_allclose(table["statistic"][: len(f)], f, rtol=1e-8)
    assert_allclose(table["p_value"][: len(p)], p, **P_STORED)


@pytest.mark.parametrize("key", METHODS)
@pytest.mark.parametrize("name", NAMES)
def test_surrogate_variables(name: str, key: str) -> None:
    sv = reference("sva", name)[f"sv_{key}"]
    factors = result_of(name, key).factors.to_numpy()
    assert_allclose(same_signs(factors, sv), sv, rtol=0, atol=FACTORS if "irw" in key else EXACT_FACTORS)
    assert_allclose(canonical_correlations(factors, sv), 1.0, rtol=0, atol=1e-14)


@pytest.mark.parametrize("key", METHODS)
@pytest.mark.parametrize("name", NAMES)
def test_f_pvalue_with_surrogate_variables(name: str, key: str) -> None:
    p = reference("sva", name)[f"fpvalue_{key}"][:, 0]
    table = result_of(name, key).tidy(joint=True)
    assert_allclose(table["p_value"][: len(p)], p, **P_STORED)


@pytest.mark.parametrize("key", ["sva_irw", "sva_irw_B20"])
@pytest.mark.parametrize("name", NAMES)
def test_posterior_probabilities(name: str, key: str) -> None:
    stored = reference("sva", name)[f"pprob_{key}"]
    details = result_of(name, key).estimate.details
    ours = np.column_stack([details["probability_factors"], details["probability_primary"]])
    assert_allclose(ours[: len(stored)], stored, rtol=0, atol=PROBABILITY)


@pytest.mark.parametrize("name", NAMES)
def test_ssva_is_supervised_sva(name: str) -> None:
    sv, s = reference("sva", name)["sv_ssva"], study(name)
    factors = s.adjust("supervised_sva", n_factors=s.n_factors, controls=s.data.controls).factors.to_numpy()
    assert_allclose(same_signs(factors, sv), sv, rtol=0, atol=EXACT_FACTORS)


def test_two_step_index_slip_is_kept_by_compat_and_mended_by_default() -> None:
    """A dropped component shifts the package's comparisons by one; ours compares each set with its own component."""
    stored = load_reference("sva", "two_step")
    X, x, sv = stored["millionths"] / 1e6, stored["x"], stored["sv"]
    with pytest.warns(FactorLimitWarning, match="1 of 3 components"):
        slipped = la.TwoStepSVA(3, compat="sva").fit(X, x)
    with pytest.warns(FactorLimitWarning, match="1 of 3 components"):
        mended = la.TwoStepSVA(3).fit(X, x)
    assert_allclose(same_signs(slipped.factors_, sv), sv, rtol=0, atol=EXACT_FACTORS)
    members = [fitted.estimate_.details["members"] for fitted in (slipped, mended)]
    assert np.array_equal(*members)  # the two differ by the comparison, not by the feature sets

    components = residual_components(X, x)
    expected = [closest(X[:, members[1][:, i]], components[:, j]) for i, j in ((0, 0), (1, 2))]
    assert_allclose(same_signs(mended.factors_, np.transpose(expected)), np.transpose(expected), rtol=0, atol=1e-12)
    own = [abs(np.corrcoef(fitted.factors_[:, 1], components[:, 2])[0, 1]) for fitted in (slipped, mended)]
    assert own[0] < 0.1
    assert own[1] > 0.9


def residual_components(X: np.ndarray, x: np.ndarray) -> np.ndarray:
    design = np.column_stack([np.ones(len(x)), x])
    residuals = X - design @ np.linalg.lstsq(design, X, rcond=None)[0]
    return np.linalg.svd(residuals, full_matrices=False)[0]


def closest(features: np.ndarray, component: np.ndarray) -> np.ndarray:
    """Of the features' principal components, the one most correlated with a residual component."""
    vectors = np.linalg.svd(features - features.mean(axis=0), full_matrices=False)[0][:, : len(features) - 1]
    correlations = [abs(np.corrcoef(v, component)[0, 1]) for v in vectors.T]
    return vectors[:, int(np.argmax(correlations))]


@pytest.mark.parametrize("name", NAMES)
def test_two_step_default_differs_by_the_density_grid_only(name: str) -> None:
    """No component is dropped in these studies; the two density grids then move few features in or out."""
    s = study(name)
    old, new = s.adjust(la.TwoStepSVA(s.n_factors, compat="sva")), s.adjust(la.TwoStepSVA(s.n_factors))
    a, b = (r.estimate.details["members"] for r in (old, new))
    assert a.shape == b.shape == (s.data.X.shape[1], s.n_factors)
    assert (a != b).mean() < 0.005
    assert canonical_correlations(old.factors.to_numpy(), new.factors.to_numpy()).min() > 1 - 1e-5
    if np.array_equal(a, b):
        assert_allclose(old.factors, new.factors, rtol=0, atol=1e-12)


class TestConvergence:
    """On sim1 the package's five rounds stop far from where the rounds lead; the truth is known there."""

    @staticmethod
    def discoveries(method: la.LatentFactorEstimator) -> tuple[int, float, float]:
        s = study("sim1")
        found = (s.adjust(method).tidy("x")["p_adjusted"] < 0.05).to_numpy()
        true = s.data.feature_data["beta"].to_numpy() != 0
        return int(found.sum()), float((found & ~true).sum() / found.sum()), float(found[true].mean())

    @pytest.mark.parametrize(("rounds", "called", "fdp", "power"), [(5, 391, 0.777, 0.87), (10, 79, 0.101, 0.71)])
    def test_rounds_of_the_package(self, rounds: int, called: int, fdp: float, power: float) -> None:
        """Stored for limma on sva's factors: 391 called, FDP 0.777 at B = 5; 79 and 0.101 at B = 10."""
        ours = self.discoveries(la.SVA(3, max_iter=rounds, compat="sva"))
        assert ours == (called, pytest.approx(fdp, abs=6e-4), pytest.approx(power, abs=6e-3))

    def test_default_runs_until_the_factors_settle(self) -> None:
        s = study("sim1")
        result = s.adjust(la.SVA(3))
        truth = s.data.sample_data[["z1", "z2", "z3"]].to_numpy()
        assert result.estimate.converged
        assert canonical_correlations(result.factors.to_numpy(), truth).min() > 0.98
        called, fdp, power = self.discoveries(la.SVA(3))
        assert (called, power) == (79, pytest.approx(0.71, abs=6e-3))
        assert fdp == pytest.approx(0.10, abs=0.006)

    def test_package_rounds_lead_to_the_default(self) -> None:
        far = study("sim1").adjust(la.SVA(3, max_iter=60, compat="sva")).factors.to_numpy()
        settled = study("sim1").adjust(la.SVA(3)).factors.to_numpy()
        # the default uses the newer density grid and stops at an angle of sine 1e-4
        assert canonical_correlations(far, settled).min() > 1 - 1e-5
