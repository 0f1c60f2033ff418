"""Natural cubic splines against SciPy's natural interpolants, which span the same space."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.interpolate import CubicSpline

from latentadj.core.smoothing import fit_natural_spline, natural_spline_basis, natural_spline_knots
from latentadj.exceptions import InputError


@pytest.mark.parametrize("n_df", [2, 3, 4, 6])
@pytest.mark.parametrize("shift", [0.0, 1e4])
def test_fit_equals_projection_on_cardinal_splines(n_df: int, shift: float) -> None:
    rng = np.random.default_rng(n_df)
    x = shift + rng.normal(size=300)
    y = np.sin(x - shift) + rng.normal(size=300)
    fit = fit_natural_spline(x, y, n_df)
    knots = np.quantile(x, np.linspace(0, 1, n_df))
    if n_df > 2:
        cardinal = CubicSpline(knots, np.eye(n_df), bc_type="natural")(x)
    else:
        cardinal = np.column_stack([np.ones_like(x), x - shift])
    expected = cardinal @ np.linalg.lstsq(cardinal, y)[0]
    # Two bases of one space: rounding times the condition of the bases (1e4), and 1e4 * eps from the shift.
    np.testing.assert_allclose(fit.fitted, expected, rtol=0, atol=1e-10)
    assert fit.residual_variance == pytest.approx(np.sum((y - expected) ** 2) / (300 - n_df), rel=1e-11)


def test_curve_is_straight_outside_the_boundary() -> None:
    rng = np.random.default_rng(0)
    x = rng.normal(size=100)
    fit = fit_natural_spline(x, rng.normal(size=100), 5)
    for end, direction in ((x.max(), 1.0), (x.min(), -1.0)):
        beyond = fit.predict(end + direction * np.arange(5.0))
        np.testing.assert_allclose(np.diff(beyond, 2), 0, atol=1e-10)
    np.testing.assert_allclose(fit.predict(x), fit.fitted, rtol=1e-12)
    assert np.isnan(fit.predict([np.nan])).all()


def test_ties_reduce_the_knots_not_the_answer() -> None:
    x = np.array([0.0] * 50 + [1.0] * 3 + [2.0] * 3)
    y = np.arange(56.0)
    fit = fit_natural_spline(x, y, 4)
    assert fit.knots.size == 2
    line = np.polynomial.Polynomial.fit(x, y, 1)
    np.testing.assert_allclose(fit.fitted, line(x), rtol=1e-10)
    three = fit_natural_spline(np.array([0.0] * 10 + [1.0] * 10 + [2.0] * 10), np.arange(30.0), 3)
    np.testing.assert_allclose(three.fitted[::10], [4.5, 14.5, 24.5], rtol=1e-12)


def test_saturated_fit_has_no_residual_variance() -> None:
    assert np.isnan(fit_natural_spline([0.0, 1.0], [3.0, 5.0], 2).residual_variance)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: natural_spline_knots([1.0, 2.0], 1), "n_df=1"),
        (lambda: natural_spline_knots([1.0, 1.0], 2), "different values"),
        (lambda: natural_spline_basis([1.0], [2.0, 2.0]), "increasing"),
        (lambda: fit_natural_spline([1.0, 2.0], [1.0], 2), "shape"),
    ],
)
def test_bad_input_is_named(call: object, message: str) -> None:
    with pytest.raises(InputError, match=message):
        call()
