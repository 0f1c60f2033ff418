"""Tail probabilities against high-precision numbers, closed forms and SciPy, on both computing paths.

The numbers in `T_LOG_P` and `F_LOG_P` were made with mpmath 1.4.1 at 50 digits: numerical integration of
the density over [s, inf) in the variable log(u / s), scaled by the density at s (one minus the integral over
[0, s] for s < 1.5). At seven points they were compared with mpmath's regularised incomplete beta function;
the two agreed to 48 digits.

Tolerances: p and log p are asked to agree to a relative 1e-12. Rounding s alone, by half a unit in the last
place, moves log p by s * h(s) * 1e-16 (h the hazard): 1.5e-13 at p = 1e-290 of a normal tail. The largest
errors seen are 2e-13 against the stored numbers and 8e-13 between table and direct computation (df1 = 200).
"""

from __future__ import annotations

import numpy as np
import pytest
from scipy import special, stats

from latentadj.core import tails
from latentadj.core.tails import (
    FProbitTable,
    f_upper_log_p,
    f_upper_p,
    t_isf,
    t_two_sided_log_p,
    t_two_sided_p,
)
from latentadj.exceptions import InputError

# df: (t, log of the two-sided p-value), ...
T_LOG_P = {
    1: ((0.5, -0.34979471750208646), (3.0, -1.5855614147303534), (12.0, -2.9387972335200514),
        (4.916e99, -230.00000210340377), (3.008e289, -666.9999499866562), (1e6, -14.267093263254063)),
    2: ((0.5, -0.4054651081081644), (3.0, -2.348985469182403), (12.0, -4.980164236655202),
        (8.788e49, -230.0001134224612), (6.874e144, -666.9999991391404), (1e6, -27.631021115930047)),
    3.7: ((0.5, -0.43798473579125535), (3.0, -3.1207086934140826), (12.0, -7.759224562446623),
          (1.478e27, -230.00015049099596), (2.906e78, -666.9994821866741), (1e6, -49.643736422018016)),
    4: ((0.5, -0.4410975243424515), (3.0, -3.2203276765019453), (12.0, -8.19355818449069),
        (1.467e25, -229.9996278268199), (4.103e72, -666.9996209668973), (1e6, -53.470282762635705)),
    10: ((0.5, -0.4653845444734532), (3.0, -4.316714286325112), (12.0, -15.046029676795103),
         (2.678e10, -229.99832902521217), (2.55e29, -666.9997278130944), (1e6, -128.04422283280638)),
    57.3: ((0.5, -0.47966632725650227), (3.0, -5.523610402660206), (12.0, -38.092020252748405),
           (402.9, -230.00527726285094), (826800.0, -667.0012190966718), (1e6, -677.899246548225)),
    90: ((0.5, -0.4807889318902756), (3.0, -5.657305175555634), (12.0, -45.240419512850664),
         (118.5, -230.0135754487162), (15270.0, -667.0151417630069), (1e6, -1043.382988964369)),
    400: ((0.5, -0.4823191194884083), (3.0, -5.853893171031697), (12.0, -64.0613156564947),
          (29.06, -230.03172747158573), (103.2, -666.9523829831031), (1e6, -4331.133462469462)),
    4000: ((0.5, -0.48272001040064155), (3.0, -5.908432083144072), (12.0, -73.43418913363922),
           (21.91, -229.93704237021208), (39.66, -666.9890252256416), (1e6, -38678.31583832374)),
    1e5: ((0.5, -0.4827627981040045), (3.0, -5.914332822737318), (12.0, -74.66501841996595),
          (21.32, -230.04159779779488), (36.54, -666.986686022799), (1e6, -805910.7698044509)),
    np.inf: ((0.5, -0.4827645810336733), (3.0, -5.914579040950405), (12.0, -74.71752582100885),
             (21.29, -229.91827301272235), (36.42, -667.0298619223106), (1e6, -500000000014.0413)),
}  # fmt: skip

# f, df1, df2, log p; SciPy's fdtrc is wrong in the first digit at (43.5, 40, 4000)
F_LOG_P = [
    (0.8, 2, 50, -0.7874666764842748),
    (3.0, 3, 10, -2.5041267566299146),
    (6.5, 5, 90, -10.30866898447964),
    (40.0, 2, 1000.0, -38.480520568064165),
    (1.2, 40, 400, -1.6344176220131101),
    (375.0, 40, 400, -668.3804612050975),
    (43.5, 40, 4000, -639.8136074331686),
    (12.0, 7, 1e5, -33.781334748399196),
    (30.0, 4, 1e7, -55.88877794191337),
    (2.5, 12, np.inf, -5.880843333446435),
    (700.0, 3, np.inf, -1046.400469189982),
    (1e5, 6, 20, -98.90026579714545),
    (1e30, 3, 1, -34.84651806397425),
    (250.0, 2.5, 300, -167.64693684154432),
]
UNDERFLOW = -708.0
N_DIRECT, N_TABLE = 1, tails._TABLE_FROM


def repeated(values, size):
    """The values, repeated until there are at least `size`, and how many came first."""
    values = np.asarray(values, dtype=float)
    return np.resize(values, max(size, values.size)), values.size


@pytest.fixture(autouse=True)
def _fresh_tables():
    tails._log_tail_table.cache_clear()
    tails._probit_table.cache_clear()


@pytest.mark.parametrize("size", [N_DIRECT, N_TABLE], ids=["direct", "table"])
@pytest.mark.parametrize("df", T_LOG_P)
def test_t_matches_high_precision_numbers(df, size):
    t, expected = np.array(T_LOG_P[df]).T
    values, n = repeated(t, size)
    values[::2] *= -1
    np.testing.assert_allclose(t_two_sided_log_p(values, df)[:n], expected, rtol=1e-12)
    shown = expected > UNDERFLOW
    np.testing.assert_allclose(t_two_sided_p(values, df)[:n][shown], np.exp(expected[shown]), rtol=1e-12)
    assert (t_two_sided_p(values, df)[:n][~shown] < 1e-307).all()


@pytest.mark.parametrize("size", [N_DIRECT, N_TABLE], ids=["direct", "table"])
@pytest.mark.parametrize(("f", "df1", "df2", "expected"), F_LOG_P)
def test_f_matches_high_precision_numbers(f, df1, df2, expected, size):
    values = np.full(size, f)
    np.testing.assert_allclose(f_upper_log_p(values, df1, df2), expected, rtol=1e-12)
    if expected > UNDERFLOW:
        np.testing.assert_allclose(f_upper_p(values, df1, df2), np.exp(expected), rtol=1e-12)


@pytest.mark.parametrize("df1", [1, 2, 3, 7, 40, 200])
@pytest.mark.parametrize("df2", [1, 2.5, 10, 57.3, 400, 4000, 1e5, np.inf])
def test_table_agrees_with_direct_computation(df1, df2, monkeypatch):
    f = np.concatenate([np.geomspace(1e-10, 2e3, 6000), np.linspace(0, 60, 6000)])
    from_table = f_upper_p(f, df1, df2), f_upper_log_p(f, df1, df2)
    assert tails._log_tail_table.cache_info().currsize == (0 if df1 == 1 and df2 == np.inf else 1)
    monkeypatch.setattr(tails, "_TABLE_FROM", np.inf)
    p, log_p = f_upper_p(f, df1, df2), f_upper_log_p(f, df1, df2)
    shown = p > 1e-290
    np.testing.assert_allclose(from_table[0][shown], p[shown], rtol=1e-12)
    # where p is close to 1 the relative error of p is the absolute error of log p
    np.testing.assert_allclose(from_table[1], log_p, rtol=1e-12, atol=1e-12)


def test_closed_forms_over_the_whole_range():
    s = np.geomspace(1e-9, 1e9, 4000)
    np.testing.assert_allclose(t_two_sided_p(s, 1), np.arctan(1 / s) * 2 / np.pi, rtol=1e-13)
    root = np.sqrt(s**2 + 2)
    np.testing.assert_allclose(t_two_sided_p(s, 2), 2 / (root * (root + s)), rtol=1e-13)
    log_p = -25 * np.log1p(s / 25)
    np.testing.assert_allclose(f_upper_log_p(s, 2, 50), log_p, rtol=1e-12, atol=1e-15)
    np.testing.assert_allclose(f_upper_log_p(np.resize(s, N_TABLE), 2, 50)[:4000], log_p, rtol=1e-12, atol=1e-15)
    np.testing.assert_allclose(f_upper_log_p(s, 2, np.inf), -s, rtol=1e-12, atol=1e-15)


def test_t_is_the_square_root_of_f_with_one_numerator_df():
    t = np.linspace(-8, 8, 301)
    np.testing.assert_allclose(f_upper_p(t**2, 1, 17), t_two_sided_p(t, 17), rtol=1e-13)


def test_agrees_with_scipy_where_scipy_is_good():
    t = np.linspace(-30, 30, N_TABLE)
    for df in (4, 23.4, 500):
        np.testing.assert_allclose(t_two_sided_p(t, df), 2 * special.stdtr(df, -np.abs(t)), rtol=1e-12)
    f = np.linspace(0, 50, N_TABLE)
    np.testing.assert_allclose(f_upper_p(f, 3, 40), special.fdtrc(3, 40, f), rtol=1e-12)
    np.testing.assert_allclose(f_upper_p(f, 3, np.inf), special.chdtrc(3, 3 * f), rtol=1e-12)


@pytest.mark.parametrize("size", [4, N_TABLE], ids=["direct", "table"])
def test_nan_infinity_and_zero(size):
    t, _ = repeated([np.nan, np.inf, -np.inf, 0.0], size)
    for df in (1, 2.5, 30, 1e6, np.inf):
        np.testing.assert_allclose(t_two_sided_p(t, df)[:4], [np.nan, 0, 0, 1], rtol=1e-15)
        np.testing.assert_allclose(t_two_sided_log_p(t, df)[:4], [np.nan, -np.inf, -np.inf, 0], atol=1e-15)
    f, _ = repeated([np.nan, np.inf, -1e-12, 0.0], size)
    np.testing.assert_allclose(f_upper_p(f, 3, 12)[:4], [np.nan, 0, 1, 1], rtol=1e-15)
    np.testing.assert_allclose(f_upper_log_p(f, 3, 12)[:4], [np.nan, -np.inf, 0, 0], atol=1e-15)


def test_df_without_meaning_gives_nan_and_leaves_the_others_alone():
    p = t_two_sided_p(2.0, [np.nan, 0.0, -3.0, -np.inf, 10.0, np.inf])
    assert np.isnan(p[:4]).all()
    np.testing.assert_allclose(p[4:], [t_two_sided_p(2.0, 10), t_two_sided_p(2.0, np.inf)], rtol=1e-14)
    assert np.isnan(t_two_sided_p(np.ones(N_TABLE), 0.0)).all()
    assert np.isnan(t_two_sided_p([1.0, 2.0], np.nan)).all()


def test_array_df_equals_one_call_per_df():
    rng = np.random.default_rng(3)
    t, df = rng.normal(size=600) * 4, rng.choice([1.0, 3.0, 8.5, 70.0, 2e4, np.inf], size=600)
    expected = [float(t_two_sided_log_p(a, b)) for a, b in zip(t, df, strict=True)]
    np.testing.assert_allclose(t_two_sided_log_p(t, df), expected, rtol=1e-14)
    expected = [float(f_upper_p(a, 4, b)) for a, b in zip(t**2, df, strict=True)]
    np.testing.assert_allclose(f_upper_p(t**2, 4, df), expected, rtol=1e-14)


def test_constant_df_array_takes_the_same_path_as_a_number():
    t = np.random.default_rng(4).normal(size=N_TABLE)
    np.testing.assert_array_equal(t_two_sided_p(t, np.full(t.size, 12.0)), t_two_sided_p(t, 12.0))


def test_shapes_dtypes_and_inputs():
    assert np.ndim(t_two_sided_p(1.0, 5)) == 0
    assert t_two_sided_p([], 5).shape == (0,)
    assert t_two_sided_p(np.zeros((0, 3)), np.zeros((0, 3))).shape == (0, 3)
    t = np.random.default_rng(5).normal(size=(200, 60))
    before = t.copy()
    whole = t_two_sided_p(t, 9)
    assert whole.shape == t.shape
    np.testing.assert_array_equal(t, before)
    np.testing.assert_array_equal(t_two_sided_p(t.T, 9).T, whole)
    assert t_two_sided_p(t[:, :1], [[4.0, 5.0, 6.0]]).shape == (200, 3)
    narrow = t.astype(np.float32)
    np.testing.assert_array_equal(t_two_sided_p(narrow, 9), t_two_sided_p(narrow.astype(float), 9))
    np.testing.assert_array_equal(f_upper_p([1, 4], 2, 9), f_upper_p([1.0, 4.0], 2.0, 9.0))


def test_results_do_not_depend_on_the_chunk(monkeypatch):
    t = np.random.default_rng(6).standard_t(3, size=30_011) * 3
    df = np.where(np.arange(t.size) % 2, 5.0, 7.0)
    z = FProbitTable(1, 8)
    results = t_two_sided_p(t, 5), t_two_sided_log_p(t, df), z(t**2)
    monkeypatch.setattr(tails, "_CHUNK", 1013)
    again = t_two_sided_p(t, 5), t_two_sided_log_p(t, df), z(t**2)
    for first, second in zip(results, again, strict=True):
        np.testing.assert_allclose(first, second, rtol=1e-15)


def test_p_values_fall_along_the_statistic():
    t = np.sort(np.abs(np.random.default_rng(7).standard_t(6, size=50_000)) * 4)
    p = t_two_sided_p(t, 6)
    assert (p <= 1.0).all()
    assert (np.diff(p) <= 1e-13 * p[1:]).all()


def test_p_values_of_null_statistics_are_uniform():
    rng = np.random.default_rng(8)
    for p in (t_two_sided_p(rng.standard_t(7, size=40_000), 7), f_upper_p(rng.f(3, 25, size=40_000), 3, 25)):
        assert stats.kstest(p, "uniform").pvalue > 1e-3


@pytest.mark.parametrize("df1", [1, 2, 3, 7, 40])
@pytest.mark.parametrize("df2", [1, 3, 10, 54, 400, 1e5, np.inf])
@pytest.mark.parametrize("eps", [1e-8, 1e-3])
def test_probit_table(df1, df2, eps):
    table = FProbitTable(df1, df2, eps)
    f = np.concatenate([np.geomspace(table._low / 10, table._high * 10, 20_000), [0.0, -1e-9, np.inf]])
    upper = f_upper_p(f[:-3], df1, df2)
    lower = special.gammainc(df1 / 2, df1 * f / 2) if np.isinf(df2) else special.fdtr(df1, df2, f)
    expected = np.where(upper < 0.5, special.ndtri(np.maximum(upper, eps)), -special.ndtri(np.maximum(lower[:-3], eps)))
    limit = -special.ndtri(eps)
    np.testing.assert_allclose(table(f)[:-3], expected, rtol=0, atol=1e-12)
    np.testing.assert_array_equal(table(f)[-3:], [limit, limit, -limit])


def test_probit_table_shapes_and_nan():
    table = FProbitTable(2, 30)
    assert np.ndim(table(1.0)) == 0
    assert table(np.ones((3, 4))).shape == (3, 4)
    np.testing.assert_array_equal(np.isnan(table([np.nan, 1.0])), [True, False])
    narrow = np.array([0.3, 2.0], dtype=np.float32)
    np.testing.assert_array_equal(table(narrow), table(narrow.astype(float)))


def test_probit_table_against_p_formed_by_subtraction_in_r():
    # R 4.2.2: p <- 1 - pf(f, 1, 54); qnorm(pmin(pmax(p, 1e-8), 1 - 1e-8))
    f = [1e-14, 1e-10, 1e-4, 0.2, 1, 4, 12, 30, 42]
    z = [
        *(5.24200637662926106, 4.31605852907493048, 2.41157652190409033, 0.40295563752119717),
        *(-0.46275320488326271, -1.63963491680944018, -3.07583740356627411, -4.72384370841749135),
        -5.42704716801546194,
    ]
    error = np.abs(FProbitTable(1, 54)(f) - z)
    assert error.max() < 2e-9  # the bound in the docstring: p there is a multiple of 1.1e-16
    assert error[2:7].max() < 1e-12  # in the middle of the range the rounding of p does not show


@pytest.mark.parametrize("df", [1, 2.5, 10, 400, 1e5, np.inf])
def test_t_isf_inverts_the_p_value(df):
    p_upper = np.array([0.4, 0.1, 0.025, 0.005, 1e-6])
    quantile = t_isf(p_upper, df)
    # 1e-9: accuracy asked of a confidence limit; SciPy's quantile is found by iteration
    np.testing.assert_allclose(t_two_sided_p(quantile, df), 2 * p_upper, rtol=1e-9)
    np.testing.assert_allclose(t_isf(1 - p_upper, df), -quantile, rtol=1e-9)


def test_t_isf_broadcasts():
    assert t_isf(0.025, np.array([5.0, np.nan, np.inf])).shape == (3,)
    np.testing.assert_allclose(t_isf(0.025, np.inf), 1.959963984540054, rtol=1e-14)
    assert np.isnan(t_isf(0.025, [np.nan])).all()


@pytest.mark.parametrize("bad", [0, -1.0, np.nan, np.inf])
def test_bad_numerator_df_is_an_error(bad):
    with pytest.raises(InputError, match=r"df1 is .* positive and finite"):
        f_upper_p([1.0], bad, 10)
    with pytest.raises(InputError, match="df1"):
        f_upper_log_p([1.0], bad, 10)
    with pytest.raises(InputError, match="df1"):
        FProbitTable(bad, 10)


def test_bad_probit_settings_are_errors():
    with pytest.raises(InputError, match=r"df2 is -2; .* positive \(inf is allowed\)"):
        FProbitTable(1, -2)
    for eps in (0.0, 0.5, np.nan):
        with pytest.raises(InputError, match="eps is"):
            FProbitTable(1, 10, eps)
