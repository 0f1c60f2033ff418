"""Precision weights against limma's voom, by hand, and against the variances that simulated counts have."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose
from scipy import stats

from latentadj.core.composition import effective_library_sizes
from latentadj.core.matrix import ArrayMatrix, collect
from latentadj.core.passes import pass_options
from latentadj.core.regression import design_basis
from latentadj.core.variance import squeeze_variances
from latentadj.core.voom import VoomTrend, fit_trend, voom_fit
from latentadj.counts import size_factors, voom
from latentadj.exceptions import DegreesOfFreedomError, InputError
from tests.reference_data import load_reference, simcounts

ANALYSES = ("raw", "tmm", "svaseq")


@pytest.fixture(scope="module")
def reference():
    return load_reference("voom", "counts")


@pytest.fixture(scope="module")
def found(reference):
    group = simcounts().sample_data["group"].to_numpy(dtype=float)
    augmented = np.column_stack([group, reference["sv_svaseq"]])
    return {
        "raw": voom(simcounts().frame, group),
        "tmm": voom(simcounts().frame, group, "tmm"),
        "svaseq": voom(simcounts().frame, augmented, "tmm"),
    }


def weighted_fits(result, name):
    """Every feature's weighted least squares by itself: coefficient, its unscaled deviation, residual variance."""
    X = result.design.matrix
    column = result.design.names.index(name)
    out = np.empty((3, result.log_cpm.shape[1]))
    for j in range(out.shape[1]):
        w, y = result.weights.to_numpy()[:, j], result.log_cpm.to_numpy()[:, j]
        inverse = np.linalg.inv(X.T @ (w[:, None] * X))
        coef = inverse @ X.T @ (w * y)
        residual = y - X @ coef
        out[:, j] = coef[column], np.sqrt(inverse[column, column]), w @ residual**2 / (len(y) - X.shape[1])
    return SimpleNamespace(coef=out[0], deviation=out[1], s2=out[2], df=len(X) - X.shape[1])


def moderated(fit):
    """Moderated t statistics, their p-values and the prior."""
    prior = squeeze_variances(fit.s2, fit.df)
    t = fit.coef / (fit.deviation * np.sqrt(prior.s2_post))
    df = min(fit.df + float(prior.df_prior), fit.df * len(t))
    return t, 2 * stats.t.sf(np.abs(t), df), prior


@pytest.mark.parametrize("name", ANALYSES)
def test_values_and_weights_are_those_of_limma(reference, found, name):
    """Stored with 12 digits."""
    result = found[name]
    assert_allclose(result.log_cpm.iloc[:, :60].T, reference[f"{name}_E"], rtol=1e-10)
    assert_allclose(result.weights.iloc[:, :60].T, reference[f"{name}_w"], rtol=1e-10)


@pytest.mark.parametrize("name", ANALYSES)
def test_fits_with_these_weights_are_those_of_limma(reference, found, name):
    """Weights of all features enter through the prior. Stored with 10 digits."""
    result = found[name]
    fit = weighted_fits(result, "x" if name != "svaseq" else "x1")
    t, p, prior = moderated(fit)
    expected = reference[f"{name}_fit"]
    assert_allclose([float(prior.df_prior), float(prior.s2_prior)], reference[f"{name}_prior"], rtol=1e-7)
    for column, values in enumerate((fit.coef, t, p, np.sqrt(fit.s2), prior.s2_post)):
        assert_allclose(values[: len(expected)], expected[:, column], rtol=2e-8, atol=1e-10)


def test_features_without_counts_and_other_options_as_in_limma(reference):
    frame, table = simcounts().frame, simcounts().sample_data
    thin = np.floor(frame / 300)
    assert (thin.sum() == 0).any()
    cases = {
        "thin_w": voom(thin, "~ group", sample_data=table),
        "span_w": voom(thin, "~ group", sample_data=table, span=0.2),
        "alone_w": voom(frame),
        "few_w": voom(frame.iloc[::6, :20], "~ group", sample_data=table),
    }
    for name, result in cases.items():
        expected = reference[name]
        assert_allclose(result.weights.iloc[:, : len(expected)].T, expected, rtol=1e-10, err_msg=name)


def test_weights_by_hand():
    """The definition, with one interpolation per value."""
    rng = np.random.default_rng(3)
    counts = rng.poisson(np.exp(rng.normal(3, 1, size=60)), size=(9, 60)).astype(float)
    x = np.column_stack([np.ones(9), np.arange(9.0)])
    sizes = counts.sum(axis=1) * rng.uniform(0.8, 1.2, size=9)
    model = voom_fit(ArrayMatrix(counts), design_basis(x), sizes, span=0.6)
    y = np.log2((counts + 0.5) / (sizes[:, None] + 1) * 1e6)
    fitted = x @ np.linalg.lstsq(x, y, rcond=None)[0]
    spread = (((y - fitted) ** 2).sum(axis=0) / 7) ** 0.25
    assert_allclose(model.spread, spread, rtol=1e-10)
    levels = y.mean(axis=0) + np.log2((sizes + 1) / 1e6).mean()
    assert_allclose(model.level, levels, rtol=1e-12)
    for i, j in [(0, 0), (3, 17), (8, 59)]:
        at = np.log2(2 ** fitted[i, j] * (sizes[i] + 1) / 1e6)
        expected = np.interp(at, model.trend.level, model.trend.spread) ** -4.0
        assert model.weights.read(slice(j, j + 1))[i, 0] == pytest.approx(expected, rel=1e-10)


def negative_binomial(rng, mean, dispersion=0.05):
    shape = 1 / dispersion
    return rng.poisson(rng.gamma(shape, mean / shape)).astype(float)


def test_weights_follow_the_variances_that_the_counts_have():
    """Depth differs fourfold, level a hundredfold; weights are the inverse variances, within 20 %."""
    rng = np.random.default_rng(0)
    depth = np.repeat([0.5, 2.0], 10)
    mean = np.outer(depth, np.geomspace(10, 1000, 1200))
    weights = voom(negative_binomial(rng, mean), size_factors=depth).weights.to_numpy()[[0, -1], 150::100]
    draws = negative_binomial(rng, np.tile(mean[[0, -1], 150::100], (4000, 1, 1)))
    log_ratio = np.log(weights * np.log2(draws + 0.5).var(axis=0))
    assert np.abs(log_ratio).max() < 0.2
    assert abs(log_ratio.mean()) < 0.05
    assert (np.log(weights[1] / weights[0])[:3] > 0.4).all()  # the deeper sample tells more, most so at low levels


@pytest.mark.parametrize("confounded", [False, True])
def test_type_one_error_under_unequal_depth(confounded):
    """Null counts; depth is the same in both groups on average, or three times as large in one."""
    rng = np.random.default_rng(1)
    group = np.repeat([0.0, 1.0], 8)
    depth = np.where(group == 1, 3.0, 1.0) if confounded else np.exp(0.6 * rng.normal(size=16))
    mean = np.outer(depth, np.exp(rng.normal(4.5, 1, size=2500)))
    p = moderated(weighted_fits(voom(negative_binomial(rng, mean, 0.1), group, "tmm"), "x"))[1]
    assert abs((p < 0.05).mean() - 0.05) < 4 * np.sqrt(0.05 * 0.95 / 2500)


def test_order_and_blocks_do_not_matter():
    frame, table = simcounts().frame, simcounts().sample_data
    base = voom(frame, "~ group", "tmm", sample_data=table)
    rng = np.random.default_rng(0)
    mixed = frame.iloc[rng.permutation(40), rng.permutation(992)]
    with pass_options(width=13, n_threads=1):
        again = voom(mixed, "~ group", "tmm", sample_data=table)
    assert_allclose(again.weights.loc[frame.index, frame.columns], base.weights, rtol=1e-9)
    assert_allclose(again.log_cpm.loc[frame.index, frame.columns], base.log_cpm, rtol=1e-12)
    turned = voom(frame.T, "~ group", "tmm", sample_data=table, orientation="features")
    pd.testing.assert_frame_equal(turned.weights, base.weights)


def test_result_holds_what_was_used():
    frame = simcounts().frame
    result = voom(frame, size_factors="tmm")
    sizes = effective_library_sizes(frame.sum(axis=1).to_numpy(), size_factors(frame).to_numpy())
    assert_allclose(result.library_sizes, sizes, rtol=1e-12)
    assert_allclose(2**result.log_cpm, (frame + 0.5).div(sizes + 1, axis=0) * 1e6, rtol=1e-12)
    assert result.library_sizes.index.equals(frame.index)
    assert result.features.index.equals(frame.columns)
    assert (np.diff(result.trend.level) > 0).all()
    assert result.design.names == ("Intercept",)


def test_sample_table_of_an_anndata_object_is_used():
    anndata = pytest.importorskip("anndata")
    data = simcounts()
    result = voom(anndata.AnnData(data.frame, obs=data.sample_data[["group"]]), "~ group")
    expected = voom(data.frame, "~ group", sample_data=data.sample_data.iloc[::-1])
    assert_allclose(result.weights, expected.weights, rtol=1e-12)


def test_trend_is_flat_beyond_its_ends():
    trend = VoomTrend(np.array([1.0, 2.0, 4.0]), np.array([1.0, 0.8, 0.4]))
    assert_allclose(trend.weights(np.array([[-9.0, 1.0], [3.0, 99.0]])), [[1.0, 1.0], [0.6**-4, 0.4**-4]])


def test_lazy_weights_agree_with_collected_ones():
    counts = np.random.default_rng(0).poisson(30, size=(6, 200)).astype(float)
    model = voom_fit(ArrayMatrix(counts), design_basis(np.ones((6, 1))), counts.sum(axis=1))
    assert model.weights.shape == counts.shape
    np.testing.assert_array_equal(collect(model.weights)[:, 50:60], model.weights.read(slice(50, 60)))


def test_refusals():
    counts = np.random.default_rng(0).poisson(30, size=(3, 50)).astype(float)
    with pytest.raises(DegreesOfFreedomError, match="3 independent columns for 3 samples"):
        voom_fit(ArrayMatrix(counts), design_basis(np.eye(3)), counts.sum(axis=1))
    with pytest.raises(InputError, match=r"Only 1 feature\(s\) have counts"):
        voom(np.column_stack([counts[:, :1], np.zeros((3, 4))]))
    with pytest.raises(InputError, match=r"span=1\.5"):
        voom(counts, span=1.5)
    with pytest.raises(InputError, match="reaches zero"):
        fit_trend(np.arange(50.0), np.r_[np.ones(5), np.zeros(45)], 0.5)
    with pytest.raises(InputError, match="Negative"):
        voom(-counts)
