"""The generalised linear model as a primary model."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
import pytest

import latentadj as la
from latentadj.core.matrix import ArrayMatrix
from latentadj.core.regression import design_basis
from latentadj.exceptions import InputError, MethodError, NotConvergedWarning
from latentadj.models import GLMModel, LinearModel
from latentadj.models.glm import _warn_not_converged
from tests.reference_data import simcounts

REFERENCE = Path(__file__).resolve().parents[1] / "reference" / "glm" / "glm.npz"


@pytest.fixture(scope="module")
def stored():
    with np.load(REFERENCE) as arrays:
        return dict(arrays)


def design_of(stored):
    return np.column_stack([np.ones(len(stored["x"])), stored["x"], stored["group"]])


def nb_counts(rng, n, m, phi=0.15, level=3.0, size_sd=0.0):
    mu = np.exp(rng.normal(level, 1, size=m) + size_sd * rng.normal(size=(n, 1)))
    return rng.negative_binomial(1 / phi, 1 / (1 + phi * mu)).astype(float)


def test_negative_binomial_in_the_columns_of_the_design(stored):
    """R's coefficients and unscaled covariances; sums of offsets move the intercept only.

    Tolerance: R's stopping rule."""
    model = GLMModel("negative_binomial", size_factors=stored["size"], dispersion=0.3)
    fit = model.fit(ArrayMatrix(stored["counts"]), design_basis(design_of(stored)))
    shift = np.array([np.log(stored["size"]).mean(), 0, 0])
    np.testing.assert_allclose(fit.coef - shift, stored["negative_binomial_coef"], rtol=1e-6, atol=1e-6)
    np.testing.assert_allclose(fit.cov_unscaled, stored["negative_binomial_unscaled"], rtol=1e-5, atol=1e-9)
    assert np.all((fit.df_resid > 18) & (fit.df_resid < 30))
    pearson = stored["negative_binomial_pearson"] / 21
    assert np.all((fit.sigma2 / pearson > 0.6) & (fit.sigma2 / pearson < 1.5))


def test_mean_is_the_log_of_the_mean_count_per_million(stored):
    """The covariate of trends of the variance. edgeR's average weighs samples by the dispersion and adds 2 counts."""
    s = simcounts()
    design = np.column_stack([np.ones(40), s.sample_data["group"], s.sample_data["batch"], s.sample_data["z"]])
    fit = GLMModel("negative_binomial", dispersion=0.3).fit(ArrayMatrix(s.X), design_basis(design))
    with np.load(REFERENCE.parents[1] / "edger" / "quasi.npz") as edger:
        level = edger["level"]
    assert np.corrcoef(fit.mean, level)[0, 1] > 0.999
    assert abs(np.median(fit.mean - level)) < 0.05
    binary = GLMModel().fit(ArrayMatrix(stored["binary"]), design_basis(design_of(stored)))
    np.testing.assert_allclose(binary.mean, stored["binary"].mean(axis=0), rtol=1e-12)


def test_aliased_columns_are_not_estimated(stored):
    design = design_of(stored)
    wide = np.column_stack([design[:, :2], design[:, 1] * 2, design[:, 2]])
    model, Y = GLMModel("poisson", size_factors=None), ArrayMatrix(stored["counts"])
    narrow, found = (model.fit(Y, design_basis(d)) for d in (design, wide))
    assert np.isnan(found.coef[:, 2]).all()
    assert np.isnan(found.cov_unscaled[:, 2]).all()
    np.testing.assert_allclose(found.coef[:, [0, 1, 3]], narrow.coef, rtol=1e-9)
    np.testing.assert_allclose(found.cov_unscaled[:, 3, 3], narrow.cov_unscaled[:, 2, 2], rtol=1e-9)


def test_family_by_the_data(stored):
    basis = design_basis(design_of(stored))
    for values, family in ((stored["counts"], "negative_binomial"), (stored["binary"], "binomial")):
        assert GLMModel().setting(ArrayMatrix(values), basis).family.name == family
    logs = ArrayMatrix(np.log2(stored["counts"] + 0.5))
    assert GLMModel().setting(logs, basis).family.name == "gaussian"
    plain, found = LinearModel().fit(logs, basis), GLMModel().fit(logs, basis)
    np.testing.assert_array_equal(found.coef, plain.coef)
    np.testing.assert_array_equal(found.sigma2, plain.sigma2)


def test_scale_of_size_factors_does_not_matter(stored):
    Y, basis = ArrayMatrix(stored["counts"]), design_basis(design_of(stored))
    one, other = (GLMModel("poisson", size_factors=stored["size"] * c).fit(Y, basis) for c in (1.0, 1e4))
    np.testing.assert_allclose(one.coef, other.coef, rtol=1e-9)
    library = GLMModel("poisson", size_factors="library").fit(Y, basis)
    given = GLMModel("poisson", size_factors=stored["counts"].sum(axis=1)).fit(Y, basis)
    np.testing.assert_allclose(library.coef, given.coef, rtol=1e-12)


def test_median_ratios_undo_what_large_features_do_to_totals():
    rng = np.random.default_rng(0)
    Y = nb_counts(rng, 20, 300, level=4)
    group = np.repeat([0.0, 1.0], 10)
    Y[group == 1, :3] *= 200
    basis = design_basis(np.column_stack([np.ones(20), group]))
    totals, ratios = (GLMModel(size_factors=s).fit(ArrayMatrix(Y), basis) for s in ("library", "median_ratio"))
    assert np.median(totals.coef[3:, 1]) < -0.5
    assert abs(np.median(ratios.coef[3:, 1])) < 0.1


@pytest.mark.parametrize("dispersion", ["trend", "shrunken", "single", 0.15])
def test_dispersions(dispersion):
    Y = ArrayMatrix(nb_counts(np.random.default_rng(1), 30, 400))
    basis = design_basis(np.ones((30, 1)))
    found = GLMModel(dispersion=dispersion).setting(Y, basis).dispersion
    assert found.shape == (400,)
    assert np.median(found) == pytest.approx(0.15, rel=0.1)


def test_known_scale():
    rng = np.random.default_rng(2)
    basis = design_basis(np.ones((20, 1)))
    binary = ArrayMatrix((rng.random((20, 30)) < 0.5).astype(float))
    fit = GLMModel().fit(binary, basis)
    assert fit.df_resid == np.inf
    assert np.all(fit.sigma2 == 1)
    counts = ArrayMatrix(rng.poisson(5, size=(20, 30)).astype(float))
    assert GLMModel("poisson", quasi=False).fit(counts, basis).df_resid == np.inf
    np.testing.assert_allclose(GLMModel("poisson").fit(counts, basis).df_resid, 19, rtol=0.1)


def test_separated_and_constant_features_in_the_table():
    rng = np.random.default_rng(3)
    y = (rng.random((30, 60)) < 0.5).astype(float)
    group = np.repeat([0.0, 1.0], 15)
    y[:, 0], y[:, 1], y[:, 2] = group, 0.0, 1 - group
    design = la.Design.from_arrays(group)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        tables = [
            la.adjust(y, design, method=la.NoFactors(model=GLMModel(separated=s))).tidy() for s in ("reduce", "nan")
        ]
    assert tables[0]["status"].tolist()[:3] == ["ok", "constant", "ok"]
    assert tables[1]["status"].tolist()[:3] == ["not_estimable", "constant", "not_estimable"]
    assert tables[0]["estimate"][0] == pytest.approx(2 * np.log(31), rel=1e-6)
    assert tables[0]["estimate"][2] == pytest.approx(-2 * np.log(31), rel=1e-6)
    assert tables[0]["p_value"][0] < 0.01
    assert np.isfinite(tables[1].loc[3:, "p_value"]).all()
    np.testing.assert_allclose(tables[0].loc[3:, "estimate"], tables[1].loc[3:, "estimate"])


@pytest.mark.parametrize(
    ("options", "error", "words"),
    [
        ({"family": "gamma"}, MethodError, "negative_binomial"),
        ({"family": "binomial"}, InputError, "0 or 1"),
        ({"dispersion": "common"}, MethodError, "shrunken"),
        ({"dispersion": [0.1, 0.2]}, InputError, "one per feature"),
        ({"dispersion": -1.0}, InputError, "not negative"),
        ({"size_factors": "gtmm"}, MethodError, "median_ratio"),
        ({"size_factors": [1.0, 2.0]}, InputError, "one per sample"),
        ({"separated": "drop"}, MethodError, "reduce"),
        ({"statistic": "score"}, MethodError, "wald"),
        ({"trials": [1, 2]}, InputError, "shape"),
        ({"trials": 2.5}, InputError, "whole"),
        ({"trials": 2, "family": "poisson"}, MethodError, "Leave one out"),
    ],
)
def test_wrong_options(stored, options, error, words):
    with pytest.raises(error, match=words):
        GLMModel(**options).fit(ArrayMatrix(stored["counts"]), design_basis(design_of(stored)))


def test_fractions_are_no_counts_and_empty_samples_count_as_the_smallest():
    basis = design_basis(np.ones((6, 1)))
    with pytest.raises(InputError, match="whole numbers"):
        GLMModel("poisson").fit(ArrayMatrix(np.full((6, 3), 0.5)), basis)
    empty = np.random.default_rng(4).poisson(5, size=(6, 3)).astype(float)
    empty[2] = 0
    filled = np.where(np.arange(6) == 2, np.delete(empty.sum(axis=1), 2).min(), empty.sum(axis=1))
    found = GLMModel("poisson", size_factors="library").fit(ArrayMatrix(empty), basis)
    expected = GLMModel("poisson", size_factors=filled).fit(ArrayMatrix(empty), basis)
    np.testing.assert_allclose(found.coef, expected.coef, rtol=1e-12)
    with pytest.raises(InputError, match="positive numbers"):
        GLMModel("poisson", size_factors=empty.sum(axis=1)).fit(ArrayMatrix(empty), basis)
    assert np.isfinite(GLMModel("poisson", size_factors=None).fit(ArrayMatrix(empty), basis).coef).all()
    with pytest.raises(InputError, match="without zeros"):
        GLMModel("poisson", size_factors="median_ratio").fit(ArrayMatrix(empty), basis)


def test_fits_that_do_not_settle_are_announced():
    with pytest.warns(NotConvergedWarning, match="2 of 10"):
        _warn_not_converged(2, 10)


def null_level(model, draw, n, n_studies, test="moderated"):
    rejected = []
    for seed in range(n_studies):
        rng = np.random.default_rng(seed)
        x, z = np.repeat([0.0, 1.0], n // 2), rng.normal(size=n)
        Y = draw(rng, z)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            res = la.adjust(Y, la.Design.from_arrays(x, z), method=la.NoFactors(model=model), inference=test)
        rejected.append(np.nanmean(res.tests.p_value[:, 0] < 0.05))
    return float(np.mean(rejected))


def draw_nb(level):
    def draw(rng, z):
        mu = np.exp(rng.normal(level, 1, size=800) + np.outer(z, rng.normal(0, 0.3, size=800)))
        phi = 0.5 / rng.gamma(5, size=800)
        return rng.negative_binomial(1 / phi, 1 / (1 + phi * mu)).astype(float)

    return draw


def draw_poisson(rng, z):
    return rng.poisson(np.exp(rng.normal(1, 1, size=800) + np.outer(z, rng.normal(0, 0.3, size=800)))).astype(float)


def draw_binary(rng, z):
    return (rng.random((len(z), 800)) < 1 / (1 + np.exp(-np.outer(z, rng.normal(size=800))))).astype(float)


@pytest.mark.slow
@pytest.mark.parametrize("n", [10, 16, 40])
@pytest.mark.parametrize("level", [0.5, 3.0])
def test_type_one_error_of_counts(n, level, capsys):
    """Dispersions vary between features about 0.12. Standard error about 0.003 with ten studies of 800 features."""
    found = null_level(GLMModel(size_factors=None), draw_nb(level), n, 10)
    with capsys.disabled():
        print(f"\nNB, n {n}, level {level}: {found:.4f}")
    assert 0.04 <= found <= 0.06


@pytest.mark.slow
def test_type_one_error_of_poisson_and_binary(capsys):
    poisson = null_level(GLMModel("poisson", size_factors=None), draw_poisson, 20, 10)
    binary = null_level(GLMModel(), draw_binary, 60, 10)
    with capsys.disabled():
        print(f"\nPoisson {poisson:.4f}, binary {binary:.4f}")
    assert 0.04 <= poisson <= 0.06
    assert 0.035 <= binary <= 0.055, "Wald tests of few 0/1 outcomes are a little conservative"
