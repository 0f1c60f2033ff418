"""RUVg, RUVs and RUVr against RUVSeq 1.33.1 on simulated counts (992 genes, 40 samples, first 60 genes stored).

Factors agree to 1e-15 (canonical correlations), normalised counts exactly. The counts were scaled by upper quartiles
first, as EDASeq does; dispersions and offsets of RUVr's regression are edgeR's
(tagwise), the fit and its residuals are ours.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from numpy.testing import assert_allclose

import latentadj as la
from latentadj.core.alignment import canonical_correlations
from latentadj.core.count_normalization import NormalizedCounts, plain_loadings
from latentadj.core.counts import log_counts
from latentadj.core.matrix import ArrayMatrix, collect
from latentadj.factors.ruvg import RUVg
from latentadj.factors.ruvr import RUVr
from latentadj.factors.ruvs import RUVs
from latentadj.simulation import FAMILIES, simulate
from tests.reference_data import load_reference, simcounts

pytestmark = pytest.mark.filterwarnings("ignore::latentadj.LatentAdjWarning")
LITERAL = {"n_factors": 2, "scale": "log1p", "compat": "RUVSeq"}


def upper_quartile(counts: np.ndarray) -> np.ndarray:
    sizes = np.quantile(counts, 0.75, axis=1)
    return np.round(counts / (sizes / sizes.mean())[:, None])


def reference(key: str) -> np.ndarray:
    return load_reference("RUVSeq", "parity")[f"simcounts__{key}"]


def group() -> np.ndarray:
    return simcounts().sample_data["group"].to_numpy()


def test_scaled_counts_are_those_of_the_reference() -> None:
    np.testing.assert_array_equal(upper_quartile(simcounts().X)[:, :60].T, reference("EDASeq_upper"))


@pytest.mark.parametrize("key", ["g", "g_raw", "s", "s_ctl"])
def test_parity(key: str) -> None:
    data = simcounts()
    X = data.X if key == "g_raw" else upper_quartile(data.X)
    controls = None if key == "s" else data.controls
    method = (
        RUVs(replicates=group(), controls=controls, **LITERAL) if "s" in key else RUVg(controls=controls, **LITERAL)
    )
    fitted = method.fit(X, group())
    stored = reference(f"RUVSeq_{key}_W")
    assert_allclose(canonical_correlations(fitted.factors_, stored, centre=False), 1.0, rtol=0, atol=1e-13)
    np.testing.assert_array_equal(fitted.normalized_counts(X)[:, :60].T, reference(f"RUVSeq_{key}_norm"))


def test_parity_of_residual_factors() -> None:
    data, given = simcounts(), load_reference("RUVSeq", "edger")
    method = RUVr(dispersion=given["dispersion"], size_factors=np.exp(given["offset"]), **LITERAL)
    fitted = method.fit(data.X, group())
    assert_allclose(
        canonical_correlations(fitted.factors_, reference("RUVSeq_r_W"), centre=False), 1.0, rtol=0, atol=1e-13
    )
    logs = log_counts(ArrayMatrix(upper_quartile(data.X)), per_million=False, prior=1.0)
    cleaned = collect(NormalizedCounts(logs, fitted.factors_, plain_loadings(logs, fitted.factors_)))
    np.testing.assert_array_equal(cleaned[:, :60].T, reference("RUVSeq_r_norm"))


def test_default_ruvg_is_ruv2_on_log_counts() -> None:
    data = simcounts()
    logs = collect(log_counts(ArrayMatrix(data.X)))
    ours = la.adjust(data.X, la.Design.from_arrays(group()), method=RUVg(2, controls=data.controls))
    theirs = la.adjust(logs, la.Design.from_arrays(group()), method=la.RUV2(2, controls=data.controls))
    assert_allclose(ours.tests.statistic, theirs.tests.statistic, rtol=1e-9)


def test_dropped_component() -> None:
    data = simcounts()
    all_three = RUVg(3, controls=data.controls).fit(data.X, group()).factors_
    last_two = RUVg(2, controls=data.controls, drop=1).fit(data.X, group()).factors_
    assert_allclose(np.abs(last_two), np.abs(all_three[:, 1:]), rtol=0, atol=1e-12)


def test_depth_does_not_matter_per_million() -> None:
    """A sample sequenced a thousand times as deep is the same sample, but for the constant added to each count."""
    data, depth = simcounts(), np.where(np.arange(40) % 2, 1000.0, 1.0)[:, None]
    options = {"controls": data.controls, "constant": 1e-9}
    first = RUVg(2, **options).fit(data.X + 1, group()).factors_
    second = RUVg(2, **options).fit((data.X + 1) * depth, group()).factors_
    assert_allclose(second, first, rtol=0, atol=1e-8)
    plain = RUVg(2, scale="log1p", **options).fit((data.X + 1) * depth, group()).factors_
    assert canonical_correlations(plain, first).min() < 0.9


def test_normalised_counts_keep_their_level_and_lose_the_factor() -> None:
    data = simcounts()
    fitted = RUVg(2, controls=data.controls).fit(data.X, group())
    cleaned = fitted.normalized_counts(data.X)
    assert (cleaned >= 0).all()
    np.testing.assert_array_equal(cleaned, np.round(cleaned))
    large = (data.X.min(axis=0) > 50) & (cleaned.min(axis=0) > 50)
    before, after = (np.log2(m[:, large] / data.X.sum(axis=1, keepdims=True)) for m in (data.X, cleaned))
    assert np.abs(after.mean(axis=0) - before.mean(axis=0)).max() < 0.01
    strength = [np.abs(np.linalg.lstsq(fitted.factors_, m - m.mean(axis=0))[0]).mean() for m in (before, after)]
    assert strength[1] < 0.2 * strength[0]


class TestResidualFactors:
    def test_not_for_testing(self) -> None:
        with pytest.raises(la.exceptions.InvalidForTestingError):
            la.adjust(simcounts().X, la.Design.from_arrays(group()), method=RUVr(2))

    def test_orthogonal_to_the_design(self) -> None:
        for residuals in ("deviance", "log"):
            factors = RUVr(2, residuals=residuals).fit(simcounts().X, group()).factors_
            design = np.column_stack([np.ones(40), group()])
            assert np.abs(design.T @ factors).max() < 1e-11

    def test_estimated_dispersions_find_the_same_factors(self) -> None:
        given = load_reference("RUVSeq", "edger")
        known = RUVr(2, dispersion=given["dispersion"]).fit(simcounts().X, group()).factors_
        found = RUVr(2).fit(simcounts().X, group()).factors_
        assert canonical_correlations(known, found).min() > 0.99

    def test_controls_restrict_the_genes(self) -> None:
        data = simcounts()
        restricted = RUVr(1, residuals="log", controls=data.controls).fit(data.X, group()).factors_
        logs = collect(log_counts(ArrayMatrix(data.X)))[:, data.controls]
        design = np.column_stack([np.ones(40), group()])
        left = np.linalg.svd(logs - design @ np.linalg.lstsq(design, logs)[0])[0][:, [0]]
        assert canonical_correlations(restricted, left).min() > 1 - 1e-12


class TestErrors:
    def test_negative_values(self) -> None:
        X = np.random.default_rng(0).normal(size=(12, 40))
        for method in (RUVg(1, controls=np.arange(20)), RUVs(1, replicates=np.repeat(range(6), 2)), RUVr(1)):
            with pytest.raises(la.exceptions.InputError, match=r"(?i)negative values"):
                method.fit(X, np.tile([0, 1], 6))

    @pytest.mark.parametrize(
        ("cls", "options"),
        [
            (RUVg, {"scale": "log2"}),
            (RUVg, {"constant": 0.0}),
            (RUVg, {"drop": -1}),
            (RUVg, {"compat": "ruv"}),
            (RUVr, {"residuals": "pearson"}),
            (RUVr, {"dispersion": [0.1]}),
            (RUVr, {"size_factors": np.zeros(40)}),
        ],
    )
    def test_options(self, cls: type, options: dict) -> None:
        given = {"controls": np.arange(20), **options}
        with pytest.raises(la.exceptions.InputError, match=next(iter(options))):
            cls(1, **given).fit(simcounts().X, group())

    def test_needs(self) -> None:
        with pytest.raises(la.exceptions.ControlsError, match="negative controls"):
            RUVg(1).fit(simcounts().X, group())
        with pytest.raises(la.exceptions.MethodError, match="replicates="):
            RUVs(1).fit(simcounts().X, group())


@pytest.mark.slow
@pytest.mark.parametrize("confounding", [0.0, 0.5, 0.7])
def test_null_features(confounding: float) -> None:
    rates: dict[str, list[float]] = {}
    for seed in range(5):
        s = simulate(replace(FAMILIES["counts n 40"], n_features=1000, confounding=confounding), 400 + seed)
        for name, method in (
            ("g", RUVg(controls=s.truth.controls)),
            ("s", RUVs(controls=s.truth.controls, replicates=s.replicates)),
            ("s, all genes", RUVs(replicates=s.replicates)),
        ):
            p_value = la.adjust(s.counts, s.design, method=method).tests.p_value[:, 0]
            rates.setdefault(name, []).append(np.mean(p_value[s.truth.is_null & ~s.truth.controls] < 0.05))
    for name, values in rates.items():
        assert 0.03 < np.mean(values) < 0.08, name
