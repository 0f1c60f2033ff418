"""Blocks, weights and missing values, alone and together, against limma."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

import latentadj as la
from latentadj.core.array_weights import array_weights_one_pass
from latentadj.core.matrix import ArrayMatrix, collect
from latentadj.core.regression import RegressionFit, design_basis
from latentadj.core.sample_correlation import block_covariance
from latentadj.core.variance import squeeze_variances
from latentadj.core.whitening import Whitening
from latentadj.models import LinearModel, VoomModel, WeightedLinearModel
from latentadj.sample_weights import BlockNoise
from tests.reference_data import load_reference

STORED = load_reference("structured_fits", "structured_fits")
#: Round-off of two least-squares solvers; statistics are moderated by priors that agree to 1e-9.
CLOSE = {"rtol": 1e-8, "atol": 1e-9}


def correlated() -> Whitening:
    return Whitening.from_covariance(block_covariance(STORED["labels"], 0.35))


def assert_equal(fit: RegressionFit, name: str) -> None:
    stored = STORED[name]
    unscaled = np.sqrt(fit.contrast_variance(np.eye(3), np.ones(len(stored))))
    prior = squeeze_variances(fit.sigma2, fit.df_resid)
    t = fit.coef / np.sqrt(fit.contrast_variance(np.eye(3), prior.s2_post))
    np.testing.assert_allclose(fit.coef, stored[:, :3], **CLOSE)
    np.testing.assert_allclose(unscaled, stored[:, 3:6], **CLOSE)
    np.testing.assert_allclose(np.sqrt(fit.sigma2), stored[:, 6], **CLOSE)
    np.testing.assert_allclose(np.broadcast_to(fit.df_resid, len(stored)), stored[:, 7])
    np.testing.assert_allclose(t, stored[:, 8:], rtol=1e-7, atol=1e-8)


@pytest.mark.parametrize("name", ["block", "block_weights", "block_gaps", "weights_gaps", "block_weights_gaps"])
def test_least_squares_equals_limma(name):
    Y = STORED["gap"] if "gaps" in name else STORED["y"]
    weights = ArrayMatrix(STORED["w"].T) if "weights" in name else None
    whitening = correlated() if "block" in name else None
    model = WeightedLinearModel(weights, whitening)
    assert_equal(model.fit(ArrayMatrix(Y.T), design_basis(STORED["design"])), name)


def test_voom_equals_limma():
    counts = ArrayMatrix(STORED["counts"].T)
    assert_equal(VoomModel("tmm").fit(counts, design_basis(STORED["design"])), "voom")


def test_voom_with_blocks_equals_limma():
    counts, basis = ArrayMatrix(STORED["counts"].T), design_basis(STORED["design"])
    model = VoomModel("tmm", whitening=correlated())
    np.testing.assert_allclose(collect(model.precision(counts, basis)), STORED["voom_block_weights"].T, rtol=1e-8)
    assert_equal(model.fit(counts, basis), "voom_block")


def test_the_front_gives_the_same_numbers():
    """Voom with a set correlation, no factors, through `adjust`."""
    table = pd.DataFrame({"x": STORED["design"][:, 1], "age": STORED["design"][:, 2], "who": STORED["labels"]})
    X = pd.DataFrame(STORED["counts"].T.astype(int))
    res = la.adjust(
        X, "~ x | age", table, method="none", model="voom", blocks=BlockNoise(STORED["labels"], correlation=0.35)
    )
    np.testing.assert_allclose(res.tidy()["statistic"], STORED["voom_block"][:, 9], rtol=1e-7)
    assert res.block_correlation == 0.35
    assert res.tidy().equals(res.tidy(which="unadjusted"))


def test_quality_weights_on_top_of_voom_equal_limmas():
    """Limma's two rounds, from our weights and its order-dependent update."""
    counts, basis = ArrayMatrix(STORED["counts"].T), design_basis(STORED["design"])
    model = VoomModel("tmm")
    logs = collect(model.linear_scale(counts))
    for _ in range(2):
        weights = collect(model.precision(counts, basis))
        quality = array_weights_one_pass(logs, STORED["design"], observation_weights=weights)
        model = replace(VoomModel("tmm"), whitening=Whitening.from_weights(quality))
    np.testing.assert_allclose(quality, STORED["quality"], rtol=1e-8)


def test_our_quality_weights_find_the_noisy_samples_under_voom():
    """They are estimated beside components of the residuals, here those of the blocks, so they are not limma's."""
    table = pd.DataFrame({"x": STORED["design"][:, 1], "age": STORED["design"][:, 2]})
    with pytest.warns(la.exceptions.UnequalSamplesWarning):
        res = la.adjust(
            pd.DataFrame(STORED["counts"].T.astype(int)), "~ x | age", table, method="none", model="voom",
            sample_weights="quality",
        )  # fmt: skip
    assert set(np.argsort(res.sample_weights.to_numpy())[:2]) == {4, 15}


def test_without_weights_and_gaps_it_is_least_squares():
    Y, basis = ArrayMatrix(STORED["y"].T), design_basis(STORED["design"])
    plain, weighted = LinearModel().fit(Y, basis), WeightedLinearModel().fit(Y, basis)
    np.testing.assert_allclose(weighted.coef, plain.coef, rtol=1e-10, atol=1e-12)
    np.testing.assert_allclose(weighted.sigma2, plain.sigma2, rtol=1e-10)
