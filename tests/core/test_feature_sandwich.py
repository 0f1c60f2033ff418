"""Sandwich covariances and degrees of freedom of features with gaps or weights, each against its own rows alone."""

from __future__ import annotations

import numpy as np
import pytest

from latentadj.core.feature_sandwich import FeatureSandwich, feature_sandwich, feature_sandwich_covariance
from latentadj.core.matrix import ArrayMatrix
from latentadj.core.passes import pass_options
from latentadj.core.regression import design_basis
from latentadj.core.sandwich import sandwich_covariance, sandwich_scores
from tests.core.test_sandwich import KINDS, quadratic_forms

N, M = 30, 24
CONTRASTS = np.column_stack([np.eye(4), [0.0, 1.0, -1.0, 2.0]])


def study() -> tuple[np.ndarray, ...]:
    """A fifth of the values missing, but for some features; weights from 0.1 to 10; ten clusters of unequal size."""
    rng = np.random.default_rng(0)
    design = np.column_stack([np.ones(N), np.arange(N) % 2, rng.normal(size=(N, 2))])
    values = 20.0 + rng.normal(size=(N, M))
    values[rng.uniform(size=values.shape) < 0.2] = np.nan
    values[:, :3] = rng.normal(size=(N, 3))
    groups = np.sort(rng.permutation(np.concatenate([np.arange(10), rng.integers(0, 10, N - 10)])))
    return design, values, 10.0 ** rng.uniform(-1, 1, size=values.shape), groups, rng.uniform(0.5, 2.0, size=N)


DESIGN, VALUES, WEIGHTS, GROUPS, FACTORS = study()


def prepared(kind: str, *, weighted: bool, values: np.ndarray = VALUES, weights: np.ndarray = WEIGHTS):
    clusters = GROUPS if kind.startswith("cr") else None
    given, factors = (ArrayMatrix(weights), FACTORS) if weighted else (None, None)
    return feature_sandwich(ArrayMatrix(values), DESIGN, kind, clusters, given, factors)


def covariances(found: FeatureSandwich, *, weighted: bool, values: np.ndarray = VALUES) -> np.ndarray:
    return feature_sandwich_covariance(ArrayMatrix(values), found, FACTORS if weighted else None)


def own_rows(j: int, *, weighted: bool) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Design, values and clusters of one feature, scaled by its root weights."""
    seen = ~np.isnan(VALUES[:, j])
    root = np.sqrt(WEIGHTS[seen, j]) * FACTORS[seen] if weighted else np.ones(seen.sum())
    return DESIGN[seen] * root[:, None], VALUES[seen, j] * root, GROUPS[seen]


@pytest.mark.parametrize("weighted", [False, True], ids=["gaps", "weights"])
@pytest.mark.parametrize("kind", KINDS)
def test_explicit_quadratic_forms(kind: str, weighted: bool) -> None:
    ready = prepared(kind, weighted=weighted)
    found, df = covariances(ready, weighted=weighted), ready.contrast_df(CONTRASTS)
    for j in range(M):
        design, y, groups = own_rows(j, weighted=weighted)
        forms = quadratic_forms(kind, CONTRASTS, design, groups)
        expected = sum(np.outer(f @ y, f @ y) for f in forms)[:4, :4]
        scale = np.sqrt(np.outer(np.diag(expected), np.diag(expected)))
        np.testing.assert_allclose(found[j] / scale, expected / scale, rtol=0, atol=1e-10)
        for i in range(5):
            middle = sum(np.outer(f[i], f[i]) for f in forms)
            assert df[j, i] == pytest.approx(np.trace(middle) ** 2 / np.trace(middle @ middle), rel=1e-10)


@pytest.mark.parametrize("weighted", [False, True], ids=["gaps", "weights"])
@pytest.mark.parametrize("kind", ["hc2", "hc3", "cr1", "cr2"])
def test_joint_degrees_of_freedom(kind: str, weighted: bool) -> None:
    """Those of a regression of the feature's own rows."""
    contrasts = np.eye(4)[:, 1:]
    found = prepared(kind, weighted=weighted).joint_df(contrasts)
    for j in range(M):
        design, _, groups = own_rows(j, weighted=weighted)
        labels = np.unique(groups, return_inverse=True)[1] if kind.startswith("cr") else None
        alone = sandwich_scores(design_basis(design), kind, labels).joint_df(contrasts)
        assert found[j] == pytest.approx(alone, rel=1e-10, nan_ok=True)
    assert np.isfinite(found).all()


@pytest.mark.parametrize("kind", KINDS)
def test_nothing_missing_is_one_design(kind: str) -> None:
    values = np.random.default_rng(1).normal(size=(N, 6))
    ready = prepared(kind, weighted=False, values=values)
    plain = sandwich_scores(design_basis(DESIGN), kind, GROUPS if kind.startswith("cr") else None)
    assert len(ready.weights) == 1, "features without gaps share one design"
    np.testing.assert_allclose(
        covariances(ready, weighted=False, values=values), sandwich_covariance(ArrayMatrix(values), plain), rtol=1e-9
    )
    np.testing.assert_allclose(ready.contrast_df(CONTRASTS), np.tile(plain.contrast_df(CONTRASTS), (6, 1)), rtol=1e-10)


def test_what_a_feature_cannot_tell_is_unknown_for_it_alone() -> None:
    """A second group that is missing, one of which a single sample is left, and one with all of its samples."""
    values = np.random.default_rng(2).normal(size=(N, 3))
    second = np.flatnonzero(DESIGN[:, 1] == 1)
    values[second, 0], values[second[1:], 1] = np.nan, np.nan
    ready = prepared("hc2", weighted=False, values=values)
    df, found = ready.contrast_df(CONTRASTS), covariances(ready, weighted=False, values=values)
    np.testing.assert_array_equal(np.isnan(df[:, 1]), [True, True, False])
    np.testing.assert_array_equal(np.isnan(df[:, 4]), [True, True, False])
    assert np.isfinite(df[:, [0, 2, 3]]).all()
    np.testing.assert_array_equal(np.isnan(found[:, 1, 1]), [True, False, False])
    np.testing.assert_array_equal(np.isnan(ready.joint_df(CONTRASTS[:, 1:3])), [True, True, False])
    first = np.flatnonzero(DESIGN[:, 1] == 0)
    alone = sandwich_scores(design_basis(DESIGN[first][:, [0, 2, 3]]), "hc2")
    np.testing.assert_allclose(df[0, [0, 2, 3]], alone.contrast_df(np.eye(3)), rtol=1e-10)
    expected = sandwich_covariance(ArrayMatrix(values[first][:, [0]]), alone)[0]
    np.testing.assert_allclose(found[0][np.ix_([0, 2, 3], [0, 2, 3])], expected, rtol=1e-9)


def test_a_cluster_without_observations_does_not_count() -> None:
    values = np.random.default_rng(3).normal(size=(N, 2))
    values[GROUPS >= 3, 0] = np.nan
    joint = prepared("cr2", weighted=False, values=values).joint_df(np.eye(4)[:, 1:])
    assert np.isnan(joint[0]), "three clusters and three contrasts"
    assert joint[1] > 1


@pytest.mark.parametrize("kind", ["hc2", "cr2"])
def test_order_and_blocks_do_not_matter(kind: str, monkeypatch) -> None:
    import latentadj.core.feature_sandwich as module

    whole = covariances(prepared(kind, weighted=True), weighted=True)
    df = prepared(kind, weighted=True).contrast_df(CONTRASTS)
    monkeypatch.setattr(module, "_CHUNK_BYTES", 8 * N * 4 * 3)
    with pass_options(width=5, n_threads=1):
        parts = prepared(kind, weighted=True)
        np.testing.assert_allclose(covariances(parts, weighted=True), whole, rtol=1e-10)
    np.testing.assert_allclose(parts.contrast_df(CONTRASTS), df, rtol=1e-10)
    order = np.random.default_rng(4).permutation(M)
    moved = prepared(kind, weighted=True, values=VALUES[:, order], weights=WEIGHTS[:, order])
    np.testing.assert_allclose(covariances(moved, weighted=True, values=VALUES[:, order]), whole[order], rtol=1e-10)


def test_columns_that_change_sign() -> None:
    flips, ready = np.array([1.0, -1.0, 1.0, -1.0]), prepared("hc2", weighted=False)
    found = ready.flipped(flips).contrast_df(flips[:, None] * CONTRASTS)
    np.testing.assert_allclose(found, ready.contrast_df(CONTRASTS), rtol=1e-10)
