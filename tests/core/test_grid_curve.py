"""Rates of tests in any order against the plain way: sort everything, evaluate, accumulate."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import ndtri

from latentadj.core.density import density_grid
from latentadj.core.grid_curve import N_CELLS, GridCurve, running_maximum
from latentadj.core.local_fdr import local_fdr_from_z
from latentadj.core.penalized_spline import evaluate_sorted, fit_by_gcv
from latentadj.core.spline_system import grid_system

LIMIT = -ndtri(1e-8)
ROUND_OFF = 2e-15  # of rates up to 1, where neighbours that should rise are equal but for rounding


def plain_rates(z, pi0, old_coords=False):
    order = np.argsort(z)
    x = z[order]
    grid = density_grid(x, adjust=1.5, old_coords=old_coords)
    fit = fit_by_gcv(grid_system(), grid.values)
    density = evaluate_sorted(fit, (x - grid.lower) / (grid.upper - grid.lower))
    with np.errstate(divide="ignore"):
        raw = pi0 * np.exp(-0.5 * x * x) / np.sqrt(2 * np.pi) / density
    rates = np.empty(z.size)
    rates[order] = np.maximum.accumulate(np.clip(raw, 0.0, 1.0))
    return rates


def samples():
    rng = np.random.default_rng(5)
    null = rng.normal(size=6000)
    return {
        "null": null,
        "signal": np.concatenate([null, rng.normal(-3, 1, size=2000)]),
        "few": rng.normal(size=50),
        "two": np.array([-0.3, 1.2]),
        "ends": np.clip(np.concatenate([null, 4 * null]), -LIMIT, LIMIT),
        "clump": np.concatenate([null, np.full(3000, -LIMIT), rng.normal(2, 0.05, size=2000)]),
        "gap": np.concatenate([rng.normal(-5, 0.1, size=500), rng.normal(1, 0.3, size=500)]),
        "many bumps": np.concatenate([rng.normal(c, 0.1, size=400) for c in (-5, -3.5, -2, -1, 0, 1.5, 3)]),
        "ties": rng.integers(-4, 5, size=4000) / 2.0,
        "constant": np.full(70, 0.4),
        "too narrow": rng.normal(0, 0.2, size=3000),
        "chunks": rng.normal(size=20_001),
    }


@pytest.mark.parametrize("name", list(samples()))
@pytest.mark.parametrize("pi0", [1.0, 0.4])
@pytest.mark.parametrize("old_coords", [False, True])
def test_equals_the_sorted_way(name, pi0, old_coords):
    z = samples()[name]
    z = z[np.random.default_rng(0).permutation(z.size)]
    found = local_fdr_from_z(z, pi0, old_coords=old_coords)
    np.testing.assert_allclose(found, plain_rates(z, pi0, old_coords), rtol=0, atol=ROUND_OFF)
    assert (np.diff(found[np.argsort(z)]) >= -ROUND_OFF).all()


def test_equal_z_get_equal_rates():
    z = samples()["ties"]
    rates = local_fdr_from_z(z, 0.7)
    for value in np.unique(z):
        assert np.unique(rates[z == value]).size == 1


@given(seed=st.integers(0, 10_000), n=st.integers(2, 400), bumps=st.integers(1, 5))
@settings(max_examples=60, deadline=None)
def test_equals_the_sorted_way_for_any_mixture(seed, n, bumps):
    rng = np.random.default_rng(seed)
    centre, spread = rng.uniform(-5, 5, size=bumps), rng.uniform(0.01, 2, size=bumps)
    which = rng.integers(bumps, size=n)
    z = np.clip(centre[which] + spread[which] * rng.normal(size=n), -LIMIT, LIMIT)
    np.testing.assert_allclose(local_fdr_from_z(z, 0.8), plain_rates(z, 0.8), rtol=0, atol=ROUND_OFF)


@pytest.mark.parametrize("name", ["signal", "clump", "gap", "many bumps"])
def test_cells_that_rise_do_rise(name):
    x = np.sort(samples()[name])
    grid = density_grid(x, adjust=1.5)
    curve = GridCurve.of(grid, fit_by_gcv(grid_system(), grid.values))
    rises = curve.normal_rate_rises()
    inside = (np.arange(N_CELLS)[:, None] + np.linspace(0.001, 0.999, 40)) / N_CELLS
    z = grid.lower + inside * (grid.upper - grid.lower)
    flat = z.reshape(-1)
    density, cells = np.empty(flat.size), np.empty(flat.size, dtype=int)
    for part, cell, value in curve.blocks(flat):
        density[part], cells[part] = value, cell
    np.testing.assert_array_equal(cells, np.repeat(np.arange(N_CELLS), 40))
    rate = (np.exp(-0.5 * flat**2) / density).reshape(z.shape)
    step = np.diff(rate, axis=1)
    falls = ((rate < 0) | (np.pad(step, ((0, 0), (0, 1))) < -1e-12 * np.abs(rate))).any(axis=1)
    assert not (falls & rises).any()
    assert rises.sum() > 0.8 * (~falls).sum()  # the test of a cell misses few that rise
    assert falls.sum() > 10


@given(seed=st.integers(0, 10_000), n=st.integers(1, 300), n_cells=st.integers(1, 40))
@settings(max_examples=60, deadline=None)
def test_running_maximum_equals_the_sorted_one(seed, n, n_cells):
    rng = np.random.default_rng(seed)
    z, rates = rng.permutation(n) / n, rng.integers(0, 50, size=n) / 50
    cell = (z * n_cells).astype(np.intp)
    order = np.argsort(z)
    rising = rng.random(n_cells) < 0.5
    for c in np.flatnonzero(rising):  # make the promise true
        inside = order[cell[order] == c]
        rates[inside] = np.sort(rates[inside])
    expected = np.empty(n)
    expected[order] = np.maximum.accumulate(rates[order])
    np.testing.assert_array_equal(running_maximum(z, rates.copy(), cell, rising), expected)
