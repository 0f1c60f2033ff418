"""CATE through the public API against cate 1.1.1, and the places where the default differs on purpose.

Largest errors with ``compat="cate"`` over bladderbatch, sim1 and sim2, first 120 features (stored with 12 digits, whose
own rounding is 5e-12 relative):

===========================  ====================  ==============================================
quantity                     measured              note
===========================  ====================  ==============================================
beta                         1.8e-11 relative      5.0e-12 absolute
t without calibration        1.7e-11 relative      4.6e-11 absolute at t = 11
t with calibration           1.2e-10 relative      5.5e-12 absolute, after the constant below; else 1.496e-6
p                            7.6e-13 absolute      cate takes 2 (1 - Phi(|t|)), so 2.2e-16 absolute at best
alpha (the link)             2.3e-13 relative      stored with 15 digits
alpha's p-value, recomputed  1.0e-12 relative      the package's chi-square formula, on our link
===========================  ====================  ==============================================

R's ``mad`` multiplies by 1.4826, we by 1 / Phi^-1(3/4) = 1.482602218...: calibrated statistics differ by 1.5e-6.
"""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy import stats

import latentadj as la
from latentadj.core.alignment import canonical_correlations
from tests.parity.studies import NAMES, reference, study

pytestmark = pytest.mark.filterwarnings("ignore::latentadj.LatentAdjWarning")

LINKS = {"rr": "robust", "nc": "negative_control"}
STORED = {"rtol": 5e-11, "atol": 1e-11}  # atol: effects and t near zero are differences of numbers of order 1
P_STORED = {"rtol": 5e-11, "atol": 3e-12}  # twelve digits of t, times the density of the normal
EXACT_MAD = 1.0 / stats.norm.ppf(0.75)
R_MAD = 1.4826

both_links = pytest.mark.parametrize("link", LINKS)
both_analyses = pytest.mark.parametrize("analysis", ["ml", "pc"])
all_studies = pytest.mark.parametrize("name", NAMES)


def result_of(name: str, analysis: str, link: str, *, compat: str | None = "cate", **options) -> la.AdjustmentResult:
    s = study(name)
    method = la.CATE(
        s.n_factors, factor_analysis=analysis, confounding=LINKS[link], controls=s.data.controls, compat=compat
    )
    return s.adjust(method, **options)


def stored_columns(name: str, key: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    beta, t, p = np.hsplit(reference("cate", name)[f"cate_{key}"], 3)
    return beta, t, p


def primary_size(result: la.AdjustmentResult) -> np.ndarray:
    """Root mean square of the primary columns, with divisor n - 1, by which the package scales them."""
    return np.sqrt(np.sum(result.design.primary**2, axis=0) / (result.n_samples - 1))


@all_studies
@both_analyses
@both_links
class TestParity:
    def test_without_calibration(self, name: str, analysis: str, link: str) -> None:
        beta, t, p = stored_columns(name, f"{analysis}_{link}_nocal")
        tests = result_of(name, analysis, link, calibration="none").tests
        assert_allclose(tests.estimate[: len(beta)], beta, **STORED)
        assert_allclose(tests.statistic[: len(t)], t, **STORED)
        assert_allclose(tests.p_value[: len(p)], p, **P_STORED)

    def test_with_calibration(self, name: str, analysis: str, link: str) -> None:
        """Compat calibrates by default, as the package does; up to the digits of R's MAD constant."""
        beta, t, p = stored_columns(name, f"{analysis}_{link}")
        tests = result_of(name, analysis, link).tests
        assert tests.calibration == "mad"
        rescaled = tests.statistic * (EXACT_MAD / R_MAD)
        assert_allclose(tests.estimate[: len(beta)], beta, **STORED)
        assert_allclose(rescaled[: len(t)], t, **STORED)
        assert_allclose(2 * stats.norm.sf(np.abs(rescaled[: len(p)])), p, **P_STORED)
        assert_allclose(tests.statistic[: len(t)], t, rtol=1.6e-6, atol=1e-11)
        assert_allclose(tests.p_value, 2 * stats.norm.sf(np.abs(tests.statistic)), rtol=1e-12)

    def test_link(self, name: str, analysis: str, link: str) -> None:
        """The package's alpha is the link; with several primary columns it is scaled back along the wrong side.

        It divides the k x p matrix by the p column sizes with recycling down the k factors, so that entry number
        i is divided by size i modulo p. Effects and p-values do not use that matrix.
        """
        stored = reference("cate", name)[f"cate.{analysis}_{link}.alpha"]
        result = result_of(name, analysis, link)
        omega, size = result.estimate.subtraction.omega, primary_size(result)
        slipped = (omega * size[:, None]).ravel() / np.resize(size, omega.size)
        assert_allclose(np.abs(slipped), np.abs(stored), rtol=5e-12)
        assert np.allclose(np.abs(omega.ravel()), np.abs(stored), rtol=1e-6) == (len(omega) == 1)

    def test_confounding_p_value_is_a_deviation(self, name: str, analysis: str, link: str) -> None:
        """The package's number follows from its formula, which forgets the variance of the primary column.

        Its statistic is n |alpha_i|^2 for columns scaled to unit mean square, held against chi-square with k
        degrees of freedom; that is right only when the column is orthogonal to the intercept and all others.
        """
        stored = reference("cate", name)[f"cate.{analysis}_{link}.alpha.p"]
        result = result_of(name, analysis, link)
        omega, k = result.estimate.subtraction.omega, result.n_factors
        n = result.n_samples
        theirs = stats.chi2.sf(n * primary_size(result) ** 2 * np.sum(omega**2, axis=1), k)
        assert_allclose(theirs, stored, rtol=1e-11)
        ours = result.confounding
        assert (ours.df1, ours.df2) == (k, n - result.design.rank - k + 1)
        assert (ours.p_value > 1.2 * stored).all()


@all_studies
@both_links
def test_corrected_confounding_test_is_hotelling(name: str, link: str) -> None:
    """Ours: omega_i' omega_i over the i-th diagonal entry of (X'X)^-1, against F(k, nu - k + 1)."""
    result = result_of(name, "pc", link, compat=None)
    omega, k, n = result.estimate.link.omega, result.n_factors, result.n_samples
    nu = n - result.design.rank
    primary = [i for i, role in enumerate(result.design.roles) if role == "primary"]
    unscaled = np.diag(result.unadjusted_fit.cov_unscaled)[primary]
    f = np.sum(omega**2, axis=1) / unscaled / k * (nu - k + 1)
    assert_allclose(result.confounding.statistic, f, rtol=1e-12)
    assert_allclose(result.confounding.p_value, stats.f.sf(f, k, nu - k + 1), rtol=1e-12)


@all_studies
@both_links
def test_default_is_a_different_answer_to_the_same_question(name: str, link: str) -> None:
    """Corrected analysis: nearly the same factors, Student tails, wider errors, nothing calibrated."""
    default = result_of(name, "weighted", link, compat=None)
    package = result_of(name, "ml", link, calibration="none")
    assert default.tests.calibration is None
    assert canonical_correlations(default.factors.to_numpy(), package.factors.to_numpy()).min() > 0.9
    assert np.isfinite(default.tests.df).all()
    assert np.isinf(package.tests.df)
    assert np.median(default.tests.std_error / package.tests.std_error) > 1.0
