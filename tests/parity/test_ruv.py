"""RUV-2 and RUV-4 through the public API against ruv 0.9.7.1.

Largest relative errors over bladderbatch, sim1 and sim2, first 120 features (stored with 12 digits, whose own
rounding is 5e-12; factors and multipliers with 15):

=============  ========  ==============================
quantity       measured  note
=============  ========  ==============================
beta           5.7e-11   one effect of 1e-2 after subtraction; otherwise 5e-12
t              5.7e-11   likewise
p              7.1e-12
sigma2         5.1e-12
factors W      1.1e-14   absolute
multiplier     7.5e-15   diagonal of the unscaled covariance
=============  ========  ==============================
"""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose

import latentadj as la
from latentadj.core.alignment import canonical_correlations
from latentadj.core.variance import squeeze_variances
from tests.parity.studies import NAMES, reference, same_signs, study

pytestmark = pytest.mark.filterwarnings("ignore::latentadj.LatentAdjWarning")

STORED = {"rtol": 5e-11, "atol": 5e-13}  # atol: an effect is a difference of numbers of order 1
METHODS = ("RUV2", "RUV4", "RUV4_k0")


def result_of(name: str, key: str, **options) -> la.AdjustmentResult:
    s = study(name)
    k = 0 if key.endswith("k0") else s.n_factors
    given = {"controls": s.data.controls, **options}
    method = la.RUV2(k, **given) if key == "RUV2" else la.RUV4(k, **{"compat": "ruv", **given})
    return s.adjust(method, inference="ordinary")


@pytest.mark.parametrize("key", METHODS)
@pytest.mark.parametrize("name", NAMES)
class TestParity:
    def test_effects_and_tests(self, name: str, key: str) -> None:
        ref, tests = reference("ruv", name), result_of(name, key).tests
        for part, ours in (("beta", tests.estimate), ("t", tests.statistic), ("p", tests.p_value)):
            stored = ref[f"ruv_{key}_{part}"]
            assert_allclose(ours[: len(stored)], stored, **STORED, err_msg=part)

    def test_variances_and_degrees_of_freedom(self, name: str, key: str) -> None:
        ref, result = reference("ruv", name), result_of(name, key)
        stored = ref[f"ruv_{key}_sigma2"][:, 0]
        assert_allclose(result.fit.sigma2[: len(stored)], stored, rtol=2e-11)
        assert result.fit.df_resid == ref[f"ruv.{key}.df"][0]

    def test_unscaled_variances(self, name: str, key: str) -> None:
        stored, result = reference("ruv", name)[f"ruv_{key}_multiplier"][:, 0], result_of(name, key)
        primary = [i for i, role in enumerate(result.design.roles) if role == "primary"]
        assert_allclose(np.diag(result.fit.cov_unscaled)[primary], stored, rtol=1e-13)


@pytest.mark.parametrize("key", ["RUV2", "RUV4"])
@pytest.mark.parametrize("name", NAMES)
def test_factors(name: str, key: str) -> None:
    stored = reference("ruv", name)[f"ruv_{key}_W"]
    factors = result_of(name, key).factors.to_numpy()
    assert_allclose(same_signs(factors, stored), stored, rtol=0, atol=1e-13)
    assert_allclose(canonical_correlations(factors, stored), 1.0, rtol=0, atol=1e-14)


@pytest.mark.parametrize("name", NAMES)
def test_default_ruv4_corrects_the_link_and_carries_its_error(name: str) -> None:
    """Deviation: unit-variance components, weighted controls, a corrected link, and its error in every feature.

    Loadings have errors, which pull the package's link towards zero.

    ``omega`` is multiplied by the inverse of ``R = I - n S^-1``, with S the controls' second moment of the loadings
    in units of their (moderated) noise and n their number; standard errors gain ``a_j' V a_j``.
    """
    package, default = result_of(name, "RUV4"), result_of(name, "RUV4", compat=None)
    controls, k = study(name).data.controls, default.n_factors
    loadings, naive = default.loadings.to_numpy(), default.unadjusted_tests.estimate
    noise = squeeze_variances(default.fit.sigma2, default.fit.df_resid).s2_post[controls]
    root = np.sqrt(1.0 / noise)[:, None]
    omega = np.linalg.lstsq(loadings[controls] * root, naive[controls] * root)[0].T
    assert not np.allclose(default.tests.estimate, package.tests.estimate, rtol=1e-3)
    residual = study(name).data.X - study(name).data.X.mean(axis=0)
    design = default.design.matrix
    residual = residual - design @ np.linalg.lstsq(design, residual)[0]
    unit = residual / residual.std(axis=0)
    components = np.linalg.svd(unit, full_matrices=False)[0][:, :k]
    inside = default.factors.to_numpy() - design @ np.linalg.lstsq(design, default.factors.to_numpy())[0]
    assert_allclose(canonical_correlations(inside, components), 1.0, rtol=0, atol=1e-10)
    moment = (loadings[controls] / noise[:, None]).T @ loadings[controls]
    reliability = np.eye(k) - controls.sum() * np.linalg.inv(moment)
    assert np.linalg.eigvalsh(reliability).min() > 0.05  # below, the correction is bounded
    mended = np.linalg.solve(reliability, omega.T).T
    assert_allclose(default.estimate.link.omega, mended, rtol=1e-12)
    assert_allclose(default.tests.estimate, naive - loadings @ mended.T, rtol=0, atol=1e-12)

    covariance, p = default.estimate.link.covariance, len(default.tests.names)
    extra = np.column_stack([np.einsum("mk,kl,ml->m", loadings, covariance[i, :, i], loadings) for i in range(p)])
    primary = [i for i, role in enumerate(default.design.roles) if role == "primary"]
    own = np.outer(default.fit.sigma2, np.diag(default.fit.cov_unscaled)[primary])
    assert (extra > 0).all()
    assert_allclose(default.tests.std_error**2, own + extra, rtol=1e-12)
