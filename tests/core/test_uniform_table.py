"""Tables with intervals of one width."""

import numpy as np

from latentadj.core import tails
from latentadj.core.direct_tails import direct_tail
from latentadj.core.uniform_table import UniformQuintic


def test_table_of_a_smooth_function():
    table = UniformQuintic.fit(lambda v: np.exp(-3.0 * v), 4.0, 64.0)
    v = np.concatenate([np.linspace(0, 4, 5000, endpoint=False), np.arange(256) / 64.0, [np.nextafter(4.0, 0)]])
    out, work = np.empty_like(v), (np.empty_like(v), np.empty_like(v))
    # (3 / 128)^6 / (2^5 6!) = 7e-15, and rounding
    np.testing.assert_allclose(table.evaluate(v, out, work), np.exp(-3.0 * v), rtol=2e-14)


def test_nan_stays_and_the_argument_is_not_changed():
    table = UniformQuintic.fit(np.cos, 1.0, 16.0)
    v = np.array([np.nan, 0.25])
    with np.errstate(invalid="ignore"):
        found = table.evaluate(v, np.empty(2), (np.empty(2), np.empty(2)))
    np.testing.assert_allclose(found, [np.nan, np.cos(0.25)], rtol=1e-12)
    np.testing.assert_array_equal(v, [np.nan, 0.25])


def test_p_is_continuous_where_one_table_ends_and_the_other_begins():
    for df in (3.0, 90.0, 1e4):
        end = tails._plain_tail_table(1.0, df).end
        below = end * (1 - np.geomspace(1e-15, 1e-3, tails._TABLE_FROM))
        above = end * (1 + np.geomspace(1e-15, 1e-3, tails._TABLE_FROM))
        for t in (below, above, np.concatenate([below, above])):
            np.testing.assert_allclose(tails.t_two_sided_p(t, df), direct_tail(t, 1.0, df, log=False), rtol=1e-12)
