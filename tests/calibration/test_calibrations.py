"""What every calibration returns, keeps, refuses and says."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

import latentadj as la
from latentadj.calibration import (
    BaconCalibration,
    ControlECDF,
    ControlVariance,
    EffectVariance,
    EmpiricalNull,
    MADCalibration,
    resolve_calibration,
)
from latentadj.core.robust import MAD_SCALE
from latentadj.exceptions import CalibrationWarning, ControlsError, ControlsWarning, InputError, MethodError
from latentadj.results import load_result
from tests.calibration.made_up import shifted, statistics

NAMES = ("mad", "empirical_null", "locfdr", "bacon", "control_variance", "rsvar", "control_ecdf", "evar")
M = 600
CONTROLS = np.arange(M) < 250


def two_terms(df=12.0):
    rng = np.random.default_rng(0)
    estimate = rng.normal(size=(M, 2)) * [1.3, 1.0] + [0.1, 0.0]
    estimate[7] = np.nan
    return statistics(estimate, rng.chisquare(12, M) / 12, df)


@pytest.mark.parametrize("name", NAMES)
class TestAll:
    def test_terms_are_calibrated_on_their_own_and_missing_ones_stay(self, name):
        tests, calibration = two_terms(), resolve_calibration(name)
        both = calibration.calibrate(tests, CONTROLS)
        for i in range(2):
            alone = calibration.calibrate(tests.select([i]), CONTROLS)
            assert_allclose(alone.p_value[:, 0], both.p_value[:, i], rtol=1e-12)
            assert_allclose(alone.calibration_record.scale, both.calibration_record.select([i]).scale, rtol=1e-12)
        assert np.isnan(both.p_value[7]).all()
        assert np.isfinite(np.delete(both.p_value, 7, axis=0)).all()
        assert_array_equal(both.estimate, tests.estimate)
        assert both.calibration == both.calibration_record.method
        assert np.isnan(two_terms().p_value[7]).all(), "the input is left alone"

    def test_order_of_features_does_not_matter(self, name):
        tests, order = two_terms(), np.random.default_rng(1).permutation(M)
        calibration = resolve_calibration(name)
        plain = calibration.calibrate(tests, CONTROLS).p_value
        mixed = calibration.calibrate(
            statistics(tests.estimate[order], tests.prior.s2_post[order], 12.0), CONTROLS[order]
        )
        assert_allclose(mixed.p_value, plain[order], rtol=1e-8)

    def test_signs_follow_the_statistics(self, name):
        tests = two_terms()
        flipped = statistics(-tests.estimate, tests.prior.s2_post, 12.0)
        one = resolve_calibration(name).calibrate(tests, CONTROLS)
        other = resolve_calibration(name).calibrate(flipped, CONTROLS)
        assert_allclose(other.p_value, one.p_value, rtol=1e-5)

    def test_nothing_to_calibrate(self, name):
        tests = resolve_calibration(name).calibrate(statistics(np.empty((M, 0)), 1.0, 5.0), CONTROLS)
        assert tests.p_value.shape == (M, 0)
        hopeless = resolve_calibration(name).calibrate(statistics(np.full(M, np.nan), 1.0, 5.0), CONTROLS)
        assert np.isnan(hopeless.p_value).all()

    def test_through_the_front_and_back_from_disk(self, name, tmp_path):
        rng = np.random.default_rng(2)
        X, design = rng.normal(size=(14, M)), la.Design.from_arrays(rng.normal(size=14))
        result = la.adjust(X, design, n_factors=0, controls=CONTROLS, calibration=name)
        result.save(tmp_path / "kept")
        kept = load_result(tmp_path / "kept")
        assert kept.tests.calibration == result.tests.calibration
        assert_array_equal(kept.tests.calibration_record.scale, result.tests.calibration_record.scale)
        assert np.isfinite(kept.tidy(style="limma")["B"]).all()


@pytest.mark.parametrize("name", ["control_variance", "rsvar", "control_ecdf"])
def test_controls_are_needed_and_enough_of_them(name):
    calibration = resolve_calibration(name)
    with pytest.raises(ControlsError, match="none were given"):
        calibration.calibrate(two_terms())
    with pytest.raises(ControlsError, match="3 of 3 given"):
        calibration.calibrate(two_terms(), np.arange(M) < 3)
    with pytest.raises(ControlsError, match="shape"):
        calibration.calibrate(two_terms(), np.ones(5, dtype=bool))


@pytest.mark.parametrize("calibration", [EmpiricalNull(), BaconCalibration()])
def test_few_or_equal_statistics_are_refused(calibration):
    with pytest.raises(InputError, match="at least 50"):
        calibration.calibrate(statistics(np.arange(49.0)))
    with pytest.raises(InputError):
        calibration.calibrate(statistics(np.r_[np.zeros(90), np.arange(10.0)]))


def test_unknown_options_are_refused():
    with pytest.raises(MethodError, match=r"'bacom'.*'bacon'"):
        resolve_calibration("bacom")
    wrong = (
        EmpiricalNull(fit="x"), EmpiricalNull(half_width=-1), ControlVariance(likelihood="x"),
        ControlVariance(compat="x"), ControlVariance(n_fitted=-1), EffectVariance(bin_size=1),
        EffectVariance(compat="x"),
    )  # fmt: skip
    for calibration in wrong:
        with pytest.raises(MethodError):
            calibration.calibrate(two_terms(), CONTROLS)
    with pytest.raises(InputError, match="at least 10"):
        EffectVariance().calibrate(statistics(np.arange(6.0)))
    assert resolve_calibration("none") is None
    mine = MADCalibration()
    assert resolve_calibration(mine) is mine


def test_mad_is_median_and_deviation():
    z, _ = shifted(301, 0.1, 0)
    found = MADCalibration().calibrate(statistics(z), CONTROLS)
    spread = np.median(np.abs(z - np.median(z))) * MAD_SCALE
    assert_allclose(found.statistic[:, 0], (z - np.median(z)) / spread, rtol=1e-13)
    assert_allclose([found.calibration_record.centre[0], found.calibration_record.scale[0]], [np.median(z), spread])


def test_fallback_of_the_empirical_null_is_said():
    z = np.random.default_rng(3).normal(size=3000)
    # a dent within the narrow interval of the likelihood, and a hill over the middle half of the statistics
    dented = z[(np.abs(z) > 0.1) | (np.arange(3000) % 2 == 0)]
    calibration = EmpiricalNull(half_width=0.15)
    with pytest.warns(CalibrationWarning, match="matching was used"):
        calibration.calibrate(statistics(dented))


def test_control_variance_is_the_mean_of_squares_with_known_variances():
    rng = np.random.default_rng(4)
    tests = statistics(1.5 * rng.normal(size=M))
    scale2 = np.mean(tests.statistic[CONTROLS] ** 2)
    default, normal = ControlVariance(), ControlVariance(likelihood="normal")
    for calibration in (default, normal):
        found = calibration.calibrate(tests, CONTROLS)
        assert_allclose(found.std_error, tests.std_error * np.sqrt(scale2), rtol=1e-12)
        assert_allclose(found.df, 250.0)
    spent = ControlVariance(n_fitted=10).calibrate(tests, CONTROLS)
    assert_allclose(spent.std_error, tests.std_error * np.sqrt(scale2 * 250 / 240), rtol=1e-12)
    assert_allclose(spent.df, 240.0)
    literal = ControlVariance(compat="ruv").calibrate(tests, CONTROLS)
    assert np.isinf(literal.df)


def test_control_variance_with_a_df_of_each_feature():
    df = np.random.default_rng(5).uniform(5, 40, M)
    found = ControlVariance().calibrate(two_terms(df), CONTROLS)
    assert found.df.shape == (M,)
    assert (found.df < df).all()


def test_control_ecdf_counts():
    rng = np.random.default_rng(6)
    tests = two_terms()
    found = ControlECDF().calibrate(tests, CONTROLS)
    p = tests.p_value[:, 0]
    used = CONTROLS & np.isfinite(p)
    for j in rng.choice(np.flatnonzero(np.isfinite(p)), 40, replace=False):
        others = used.copy()
        others[j] = False
        expected = (1 + np.sum(p[others] <= p[j])) / (1 + others.sum())
        assert_allclose(found.p_value[j, 0], expected, rtol=1e-12)
    with pytest.warns(ControlsWarning, match="no p-value is below"):
        ControlECDF().calibrate(tests, np.arange(M) < 60)


def test_far_tails_keep_their_order_in_the_ecdf():
    t = np.r_[np.linspace(50, 60, 100), np.linspace(-2, 2, 100), 55.05]
    found = ControlECDF
    with pytest.warns(ControlsWarning):
        p = found().calibrate(statistics(t), np.arange(201) < 100).p_value[:, 0]
    assert_allclose(p[-1], (1 + np.sum(t[:100] >= 55.05)) / 101)


def test_effect_variance_with_equal_residual_variances():
    rng = np.random.default_rng(7)
    tests = statistics(2 * rng.normal(size=M), 1.0, 30.0)
    literal = EffectVariance(compat="ruv").calibrate(tests)
    assert literal.df == 30.0
    assert_allclose(literal.std_error**2, np.mean(tests.estimate**2), rtol=1e-13)
    default = EffectVariance().calibrate(tests)
    assert np.isinf(default.df)
    assert np.ptp(default.std_error) == 0.0
    assert abs(default.std_error[0, 0] / 2 - 1) < 0.15
