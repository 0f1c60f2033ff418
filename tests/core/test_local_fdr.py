"""Local false discovery rates against R (sva 3.46, qvalue 2.30), definitions and known truth."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import ndtri
from scipy.stats import norm

from latentadj.core.local_fdr import _rates_sorted
from latentadj.core.multiple import edge_pi0, local_fdr, local_fdr_from_z
from latentadj.exceptions import InputError, MethodError
from tests.reference_data import load_reference

P_VALUES = load_reference("qvalue", "pvalues")
STOREY = load_reference("qvalue", "reference")
EDGE = load_reference("sva_lfdr", "reference")
CASES = sorted(P_VALUES)
RAW = {"truncate": False, "monotone": False}

# Agreement measured with R over 400 random inputs: 1e-12 at worst. What is left is the search of the
# smoothing parameter, which stops at a tolerance of 1e-4 and so passes on some round-off.
TOLERANCE = 1e-11


def kept(values):
    """Take the rows of which the reference answers are stored."""
    step = 1 if len(values) < 1000 else 4 if len(values) < 10_000 else 20
    return values[::step]


def clipped_quantiles(p):
    return ndtri(np.clip(p, 1e-8, 1.0 - 1e-8))


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize(
    ("column", "options"),
    [("lfdr", {}), ("lfdr_logit", {"transform": "logit"}), ("lfdr_raw", RAW)],
)
def test_edge_flavor_equals_sva(case, column, options):
    rates = local_fdr(P_VALUES[case], flavor="edge", old_coords=True, **options)
    np.testing.assert_allclose(kept(rates), EDGE[f"{case}__{column}"], rtol=0, atol=TOLERANCE)


@pytest.mark.parametrize("case", CASES)
def test_default_grid_equals_the_grid_of_newer_r(case):
    rates = local_fdr(P_VALUES[case], flavor="edge")
    np.testing.assert_allclose(kept(rates), EDGE[f"{case}__lfdr_new_grid"], rtol=0, atol=TOLERANCE)


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize(
    ("column", "options"),
    [
        ("lfdr", {}),
        ("lfdr_half", {"pi0": 0.5}),
        ("lfdr_logit", {"pi0": 0.8, "transform": "logit"}),
        ("lfdr_raw", {"pi0": 0.8, **RAW}),
    ],
)
def test_storey_flavor_equals_qvalue(case, column, options):
    expected = STOREY[f"{case}__{column}"]
    if np.isnan(expected).all():
        pytest.skip("qvalue cannot estimate pi0 here: no p-value reaches the largest cut-off")
    rates = local_fdr(P_VALUES[case], old_coords=True, **options)
    np.testing.assert_allclose(kept(rates), expected, rtol=0, atol=TOLERANCE)


@pytest.mark.parametrize("case", ["bladder", "sim1", "ties", "extreme"])
@pytest.mark.parametrize("old_coords", [True, False])
def test_fast_path_equals_the_front(case, old_coords):
    p = P_VALUES[case]
    fast = local_fdr_from_z(clipped_quantiles(p), edge_pi0(p), old_coords=old_coords)
    np.testing.assert_allclose(fast, local_fdr(p, flavor="edge", old_coords=old_coords), rtol=0, atol=1e-15)


def test_old_grid_is_too_high_by_one_part_in_a_thousand():
    p = P_VALUES["bladder"]
    old, new = (local_fdr(p, pi0=0.5, old_coords=flag, **RAW) for flag in (True, False))
    middle = (p > 0.05) & (p < 0.95)
    ratio = new[middle] / old[middle]
    # a denser kernel also widens slightly, which moves single values by up to a fourth of the factor
    assert np.median(ratio) == pytest.approx(1.0 + 1.0 / 1022.0, abs=3e-5)
    np.testing.assert_allclose(ratio, 1.0 + 1.0 / 1022.0, rtol=0, atol=3e-4)


def test_rates_follow_a_known_mixture():
    rng = np.random.default_rng(11)
    z = np.concatenate([rng.normal(size=80_000), rng.normal(-2.5, 1.0, size=20_000)])
    truth = 0.8 * norm.pdf(z) / (0.8 * norm.pdf(z) + 0.2 * norm.pdf(z, -2.5))
    rates = local_fdr_from_z(z, 0.8)
    inside = (z > -4.0) & (z < 2.0)
    # kernel bias (second derivative times bandwidth^2 / 2) is about 0.01, noise in the tail another 0.01
    assert np.abs(rates - truth)[inside].max() < 0.04
    assert np.abs(rates - truth).mean() < 0.01


def test_uniform_pvalues_give_rates_near_one():
    p = (np.arange(5000) + 0.5) / 5000
    assert np.median(local_fdr(p, pi0=1.0)) > 0.98
    # the kernel, 0.24 wide, raises the density in the tail: by 3 % at p = 0.05, by 15 % at p = 0.01
    assert local_fdr(p, pi0=1.0)[p > 0.05].min() > 0.95


@pytest.mark.parametrize("case", ["bladder", "sim2", "gap", "uniform"])
def test_monotone_is_the_running_maximum_of_the_truncated_rates(case):
    p = P_VALUES[case]
    raw = local_fdr(p, pi0=0.8, **RAW)
    assert raw.min() >= 0.0
    order = np.argsort(p, kind="stable")
    expected = np.maximum.accumulate(np.minimum(raw[order], 1.0))
    np.testing.assert_array_equal(local_fdr(p, pi0=0.8)[order], expected)


def test_equal_pvalues_get_equal_rates():
    p = P_VALUES["ties"]
    rates = local_fdr(p, flavor="edge")
    for value in np.unique(p):
        assert np.unique(rates[p == value]).size == 1


def test_answer_does_not_depend_on_order_or_repetition():
    z = clipped_quantiles(P_VALUES["sim1"])
    shuffle = np.random.default_rng(3).permutation(z.size)
    first = local_fdr_from_z(z, 0.7)
    np.testing.assert_array_equal(first, local_fdr_from_z(z, 0.7))
    np.testing.assert_array_equal(first[shuffle], local_fdr_from_z(z[shuffle], 0.7))


def test_missing_values_stay_and_do_not_count():
    p = P_VALUES["missing"]
    rates, present = local_fdr(p), ~np.isnan(p)
    assert np.isnan(rates[~present]).all()
    np.testing.assert_array_equal(rates[present], local_fdr(p[present]))
    assert np.isnan(local_fdr(np.full(4, np.nan))).all()


def test_input_is_not_changed():
    z = np.random.default_rng(4).normal(size=300)
    before = z.copy()
    local_fdr_from_z(z, 0.9)
    np.testing.assert_array_equal(z, before)


def test_a_negative_density_counts_as_a_rate_of_zero():
    rates = _rates_sorted(np.full(4, 0.2), np.array([-0.1, 0.4, -0.1, 0.2]), 1.0)
    np.testing.assert_allclose(rates, [0.0, 0.5, 0.5, 1.0])


@pytest.mark.parametrize("p", [[0.3, 0.3], [0.5, 0.5, 0.5], [1.0] * 20, [0.0, 1.0], [0.2, 0.2, 0.9]])
def test_degenerate_inputs_give_finite_rates(p):
    rates = local_fdr(p, pi0=1.0)
    assert np.all((rates >= 0.0) & (rates <= 1.0))


def test_edge_pi0_counts_from_the_cut_off_on():
    p = np.repeat([0.1, 0.8, 0.9], [94, 3, 3])
    assert edge_pi0(p) == pytest.approx(0.06 / 0.2)  # 0.8 itself counts
    assert edge_pi0([0.1, 0.2, np.nan]) == 0.0
    np.testing.assert_array_equal(local_fdr([0.1, 0.2, 0.3], flavor="edge"), 0.0)


def test_unusable_arguments_are_named():
    with pytest.raises(InputError, match=r"at least 2 tests.*shape \(1,\)"):
        local_fdr([0.5], pi0=1.0)
    with pytest.raises(InputError, match="NaN or infinite"):
        local_fdr_from_z(np.array([0.1, np.nan, 0.3]), 0.5)
    with pytest.raises(InputError, match="NaN or infinite"):
        local_fdr_from_z(np.array([0.1, -np.inf, 0.3]), 0.5)
    with pytest.raises(InputError, match=r"pi0=1\.5"):
        local_fdr_from_z(np.zeros(3), 1.5)
    with pytest.raises(InputError, match=r"pi0=0"):
        local_fdr([0.1, 0.5], pi0=0.0)
    with pytest.raises(InputError, match="cutoff=1"):
        edge_pi0([0.1], cutoff=1.0)
    with pytest.raises(InputError, match="empty or all NaN"):
        edge_pi0([np.nan])
    with pytest.raises(MethodError, match="flavor='sva'"):
        local_fdr([0.1, 0.5], flavor="sva")
    with pytest.raises(MethodError, match="transform='log'"):
        local_fdr([0.1, 0.5], transform="log")
