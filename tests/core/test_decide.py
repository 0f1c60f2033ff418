"""Classification of tests against limma's decideTests, plain loops, and the false discovery rate."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest
from scipy import stats

from latentadj.core.decide import DECISION_METHODS, decide_tests
from latentadj.core.multiple import adjust_pvalues
from latentadj.core.tails import f_upper_p, t_two_sided_p
from latentadj.core.variance import squeeze_variances
from latentadj.exceptions import InputError, MethodError
from tests.core.limma_pieces import STUDIES, fitted, pieces, t_and_p

CONTRASTS = np.array([[0.0, 0, 0], [1, 0, 1], [0, 1, -1]])  # the third is the difference of the others
ADJUSTMENTS = ("bh", "holm", "by", "bonferroni", "none")


@cache
def classified_study(name: str) -> dict:
    """Statistics of the three contrasts, F of the two independent ones, and the correlation."""
    fit = fitted(name)
    prior = squeeze_variances(fit.sigma2, fit.df_resid)
    t = fit.estimate(CONTRASTS) / np.sqrt(fit.contrast_variance(CONTRASTS, prior.s2_post))
    covariance = fit.unscaled_covariance(CONTRASTS)
    scale = np.sqrt(np.diag(covariance))
    two = fit.coef[:, 1:3]
    f = np.einsum("mi,ij,mj->m", two, np.linalg.inv(covariance[:2, :2]), two) / 2 / prior.s2_post
    return {
        "statistic": t,
        "p_value": t_two_sided_p(t, prior.df_total),
        "joint_p_value": f_upper_p(f, 2, prior.df_total),
        "correlation": covariance / np.outer(scale, scale),
        "df": prior.df_total,
    }


@pytest.mark.parametrize("adjust", ADJUSTMENTS)
@pytest.mark.parametrize("method", DECISION_METHODS)
@pytest.mark.parametrize("name", STUDIES)
def test_is_decide_tests(name: str, method: str, adjust: str) -> None:
    """Exact: the same calls for the first rows, the same counts for all."""
    stored = pieces(name)
    prefix = f"{'nestedF' if method == 'nested_f' else method}.{adjust}."
    columns = [i for i, key in enumerate(stored["decide_columns"]) if key.startswith(prefix)]
    found = decide_tests(**classified_study(name), method=method, adjust=adjust)
    rows = stored["decide_rows"][:, columns]
    assert len(columns) == 3
    np.testing.assert_array_equal(found[: len(rows)], rows)
    counts = np.stack([(found == -1).sum(axis=0), (found == 1).sum(axis=0)])
    np.testing.assert_array_equal(counts, stored["decide_counts"][:, columns])


@pytest.mark.parametrize("name", STUDIES)
def test_global_over_all_coefficients(name: str) -> None:
    fit = fitted(name)
    t, p = t_and_p(fit, squeeze_variances(fit.sigma2, fit.df_resid))
    found = decide_tests(t, p, method="global")
    counts = np.stack([(found == -1).sum(axis=0), (found == 1).sum(axis=0)], axis=1)
    np.testing.assert_array_equal(counts.ravel(), pieces(name)["decide_global_counts"])


def test_rows_are_adjusted_as_each_alone() -> None:
    """Hierarchical calls by a plain loop over features, with missing tests."""
    rng = np.random.default_rng(0)
    p = rng.uniform(size=(60, 4)) ** 3
    p[rng.uniform(size=p.shape) < 0.15] = np.nan
    t, joint = rng.normal(size=p.shape), rng.uniform(size=60) ** 4
    for adjust in ("bh", "by", "holm", "bonferroni"):
        selected = adjust_pvalues(joint, adjust) < 0.2
        n, k = 60, selected.sum()
        level = {"bh": k / n, "by": k / n / (1 / np.arange(1, n + 1)).sum(), "holm": 1 / (n - k + 1)}.get(adjust, 1 / n)
        expected = np.zeros(p.shape, int)
        for j in np.flatnonzero(selected):
            expected[j] = np.sign(t[j]) * (adjust_pvalues(p[j], adjust) < 0.2 * level)
        found = decide_tests(t, p, method="hierarchical", adjust=adjust, alpha=0.2, joint_p_value=joint)
        np.testing.assert_array_equal(found, expected)
        assert (adjust != "bh") or expected.any()


def test_one_contrast_is_the_same_separate_or_global() -> None:
    rng = np.random.default_rng(1)
    t = rng.normal(size=(100, 1)) * 3
    p = 2 * stats.norm.sf(np.abs(t))
    expected = np.sign(t) * (adjust_pvalues(p[:, 0])[:, None] < 0.05)
    for method in ("separate", "global"):
        np.testing.assert_array_equal(decide_tests(t, p, method=method), expected)
    nested = decide_tests(t, p, method="nested_f", joint_p_value=p[:, 0], adjust="bh")
    np.testing.assert_array_equal(nested, expected)


def test_missing_is_not_called() -> None:
    t = np.array([[np.nan, 9.0], [9.0, 9.0]])
    p = np.where(np.isnan(t), np.nan, 1e-9)
    for method in DECISION_METHODS:
        found = decide_tests(t, p, method=method, joint_p_value=[np.nan, 1e-9])
        assert found[0, 0] == 0
        assert (found[1] == 1).all()


def test_order_of_features_and_contrasts_does_not_matter() -> None:
    parts = classified_study("sim1")
    rng = np.random.default_rng(2)
    rows, columns = rng.permutation(len(parts["statistic"])), np.array([2, 0, 1])
    moved = {
        "statistic": parts["statistic"][rows][:, columns],
        "p_value": parts["p_value"][rows][:, columns],
        "joint_p_value": parts["joint_p_value"][rows],
        "correlation": parts["correlation"][np.ix_(columns, columns)],
        "df": parts["df"],
    }
    for method in DECISION_METHODS:
        found = decide_tests(**parts, method=method)
        np.testing.assert_array_equal(decide_tests(**moved, method=method), found[rows][:, columns])


@pytest.mark.parametrize("method", DECISION_METHODS)
def test_false_discoveries_stay_below_alpha(method: str) -> None:
    """Mean false discovery proportion in what each rule controls: tests of a contrast, all tests, or features.

    200 studies of 200 features, a tenth with effects in two of three contrasts; the error of a mean is below 0.005.
    """
    rng = np.random.default_rng(3)
    proportions = []
    for _ in range(200):
        effect = np.zeros((200, 3))
        effect[:20, :2] = 4.0
        t = effect + rng.normal(size=effect.shape)
        joint = stats.chi2.sf((t**2).sum(axis=1), 3)
        called = decide_tests(t, 2 * stats.norm.sf(np.abs(t)), method=method, joint_p_value=joint) != 0
        true = effect != 0
        if method == "separate":
            called, true = called[:, :1], true[:, :1]
        elif method != "global":
            called, true = called.any(axis=1), true.any(axis=1)
        proportions.append((called & ~true).sum() / max(called.sum(), 1))
        power = called[true].mean()
    assert np.mean(proportions) < 0.06
    assert power > 0.6


def test_bad_arguments() -> None:
    t = p = np.full((4, 2), 0.5)
    with pytest.raises(MethodError, match="separate, global"):
        decide_tests(t, p, method="nested")
    with pytest.raises(MethodError, match="bonferroni"):
        decide_tests(t, p, adjust="fdr")
    with pytest.raises(InputError, match="joint_p_value"):
        decide_tests(t, p, method="hierarchical")
    with pytest.raises(InputError, match="one per feature"):
        decide_tests(t, p, method="nested_f", joint_p_value=[0.1])
    with pytest.raises(InputError, match="both must be"):
        decide_tests(t[:, 0], p)
    with pytest.raises(InputError, match="alpha"):
        decide_tests(t, p, alpha=5)
    with pytest.raises(InputError, match="correlation"):
        decide_tests(t, p, method="nested_f", joint_p_value=[0.0001] * 4, correlation=np.eye(3))
