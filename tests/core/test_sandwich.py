"""Sandwich covariances and their degrees of freedom against statsmodels, explicit quadratic forms, and Welch."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.linalg import block_diag

from latentadj.core.matrix import ArrayMatrix
from latentadj.core.passes import pass_options
from latentadj.core.regression import design_basis
from latentadj.core.sandwich import SandwichScores, sandwich_covariance, sandwich_scores
from tests.reference_data import load_reference

STUDY = load_reference("statsmodels", "robust")
X, Y, GROUPS = STUDY["X"], STUDY["Y"], STUDY["groups"]
KINDS = ("hc0", "hc1", "hc2", "hc3", "cr0", "cr1", "cr2", "cr3")


def scores(kind: str, design: np.ndarray = X, groups: np.ndarray = GROUPS) -> SandwichScores:
    return sandwich_scores(design_basis(design), kind, groups if kind.startswith("cr") else None)


def power(matrix: np.ndarray, exponent: float) -> np.ndarray:
    """Power of a symmetric matrix on its range."""
    values, vectors = np.linalg.eigh(matrix)
    kept = values > 1e-9
    return (vectors[:, kept] * values[kept] ** exponent) @ vectors[:, kept].T


def quadratic_forms(kind: str, contrasts: np.ndarray, design: np.ndarray = X, groups: np.ndarray = GROUPS) -> list:
    """Matrix ``F_g^s (n,)`` of every cluster and contrast with covariance entry = sum_g (F_g^s y)(F_g^t y)."""
    n, d = design.shape
    labels = groups if kind.startswith("cr") else np.arange(n)
    bread = np.linalg.inv(design.T @ design)
    hat = design @ bread @ design.T
    n_groups = len(np.unique(labels))
    factor = {"hc1": n / (n - d), "cr1": n_groups / (n_groups - 1) * (n - 1) / (n - d)}.get(kind, 1.0)
    exponent = {"0": None, "1": None, "2": -0.5, "3": -1.0}[kind[-1]]
    out = []
    for g in np.unique(labels):
        rows = labels == g
        left = np.eye(rows.sum()) - hat[np.ix_(rows, rows)]
        adjustment = np.eye(rows.sum()) if exponent is None else power(left, exponent)
        residual = (np.eye(n) - hat)[rows]
        out.append(np.sqrt(factor) * contrasts.T @ bread @ design[rows].T @ adjustment @ residual)
    return out


@pytest.mark.parametrize("kind", [k for k in KINDS if k in STUDY])
def test_statsmodels(kind: str) -> None:
    found = sandwich_covariance(ArrayMatrix(Y), scores(kind))
    scale = np.sqrt(np.einsum("mi,mk->mik", *2 * [np.einsum("mii->mi", STUDY[kind])]))
    # a mean of 1000 with unit noise leaves 1e-13 of the residuals open
    np.testing.assert_allclose(found / scale, STUDY[kind] / scale, rtol=0, atol=1e-11)


@pytest.mark.parametrize("kind", KINDS)
def test_explicit_quadratic_forms(kind: str) -> None:
    forms = quadratic_forms(kind, np.eye(4))
    expected = sum(np.einsum("sn,nm,tk,km->mst", f, Y[:, :3], f, Y[:, :3], optimize=True) for f in forms)
    found = sandwich_covariance(ArrayMatrix(Y[:, :3]), scores(kind))
    np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("kind", KINDS)
def test_degrees_of_freedom_are_those_of_the_quadratic_form(kind: str) -> None:
    contrasts = np.column_stack([np.eye(4), [0.0, 1.0, -1.0, 2.0]])
    forms = quadratic_forms(kind, contrasts)
    for i, found in enumerate(scores(kind).contrast_df(contrasts)):
        middle = sum(np.outer(f[i], f[i]) for f in forms)
        assert found == pytest.approx(np.trace(middle) ** 2 / np.trace(middle @ middle), rel=1e-10)


@pytest.mark.parametrize("kind", ["hc2", "hc3", "cr1", "cr2"])
def test_joint_degrees_of_freedom(kind: str) -> None:
    """Wishart degrees of freedom from the covariances of all entries, by their definition."""
    contrasts = np.eye(4)[:, 1:]
    forms = quadratic_forms(kind, contrasts)
    middles = [[sum(np.outer(f[s], f[t]) for f in forms) for t in range(3)] for s in range(3)]
    mean = np.array([[np.trace(middles[s][t]) for t in range(3)] for s in range(3)])
    root = np.linalg.inv(np.linalg.cholesky(mean))
    scaled = np.einsum("su,tv,uvij->stij", root, root, np.array(middles))
    total = sum(np.trace(m @ m) + np.trace(m @ m.T) for row in scaled for m in row)
    assert scores(kind).joint_df(contrasts) == pytest.approx(3 * 4 / total, rel=1e-9)
    assert scores(kind).joint_df(contrasts[:, :1]) == pytest.approx(scores(kind).contrast_df(contrasts[:, :1])[0])


def test_two_groups_are_welch() -> None:
    x = np.repeat([0.0, 1.0], [4, 9])
    design, y = np.column_stack([np.ones(13), x]), np.random.default_rng(1).normal(size=(13, 3))
    ready = scores("hc2", design)
    welch = y[x == 0].var(axis=0, ddof=1) / 4 + y[x == 1].var(axis=0, ddof=1) / 9
    np.testing.assert_allclose(sandwich_covariance(ArrayMatrix(y), ready)[:, 1, 1], welch, rtol=1e-12)
    expected = (1 / 4 + 1 / 9) ** 2 / (1 / 4**2 / 3 + 1 / 9**2 / 8)
    assert ready.contrast_df(np.eye(2))[1] == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("kind", ["0", "2", "3"])
def test_clusters_of_one_sample_are_no_clusters(kind: str) -> None:
    alone = scores(f"cr{kind}", groups=np.random.default_rng(0).permutation(27))
    plain = scores(f"hc{kind}")
    np.testing.assert_allclose(alone.contrast_df(np.eye(4)), plain.contrast_df(np.eye(4)), rtol=1e-12)
    np.testing.assert_allclose(
        sandwich_covariance(ArrayMatrix(Y), alone), sandwich_covariance(ArrayMatrix(Y), plain), rtol=1e-9
    )


@pytest.mark.parametrize("kind", ["hc2", "cr2"])
def test_unbiased_for_independent_noise(kind: str) -> None:
    """The mean of HC2 and CR2 under independent noise of equal variance is the covariance of least squares."""
    forms = quadratic_forms(kind, np.eye(4))
    mean = sum(f @ f.T for f in forms)
    np.testing.assert_allclose(mean, np.linalg.inv(X.T @ X), rtol=1e-9)
    identity = sandwich_covariance(ArrayMatrix(np.eye(27)), scores(kind)).sum(axis=0)
    np.testing.assert_allclose(identity, mean, rtol=1e-9)


def test_noise_that_leaves_no_trace_makes_the_error_unknown() -> None:
    """A single treated sample, and a single treated cluster, decide the contrast; other contrasts keep their errors."""
    lone = np.zeros(27)
    lone[0] = 1.0
    one_sample = scores("hc2", np.column_stack([X, lone]))
    np.testing.assert_array_equal(np.isnan(one_sample.contrast_df(np.eye(5))), [False] * 4 + [True])
    assert np.isnan(one_sample.joint_df(np.eye(5)))
    kept = one_sample.contrast_df(np.eye(5))[1]
    rest = np.delete(X, 0, axis=0)
    assert kept == pytest.approx(scores("hc2", rest).contrast_df(np.eye(4))[1], rel=1e-9)
    treated = (GROUPS == 4).astype(float)
    one_cluster = scores("cr2", np.column_stack([X[:, :2], treated]))
    np.testing.assert_array_equal(np.isnan(one_cluster.contrast_df(np.eye(3))), [False, False, True])


def test_a_column_per_cluster_leaves_contrasts_within_clusters() -> None:
    design = np.column_stack([block_diag(*[np.ones((3, 1))] * 9), X[:, 1]])
    groups = np.repeat(np.arange(9), 3)
    ready = scores("cr2", design, groups)
    df = ready.contrast_df(np.eye(10))
    assert np.isnan(df[:9]).all()
    assert 1 < df[9] < 9
    forms = quadratic_forms("cr2", np.eye(10)[:, 9:], design, groups)
    expected = sum((f @ Y) ** 2 for f in forms)[0]
    np.testing.assert_allclose(sandwich_covariance(ArrayMatrix(Y), ready)[:, 9, 9], expected, rtol=1e-9)


@pytest.mark.parametrize("kind", ["hc3", "cr2"])
def test_order_of_samples_and_blocks_do_not_matter(kind: str) -> None:
    order = np.random.default_rng(3).permutation(27)
    plain = sandwich_covariance(ArrayMatrix(Y), scores(kind))
    moved = sandwich_covariance(ArrayMatrix(Y[order]), scores(kind, X[order], GROUPS[order]))
    np.testing.assert_allclose(moved, plain, rtol=1e-9)
    with pass_options(width=2, n_threads=1):
        np.testing.assert_allclose(sandwich_covariance(ArrayMatrix(Y), scores(kind)), plain, rtol=1e-12)


def test_columns_that_change_sign() -> None:
    flips = np.array([1.0, 1.0, -1.0, -1.0])
    found = scores("hc2").flipped(flips).contrast_df(np.array([[0.0], [1.0], [1.0], [0.5]]))
    assert found == pytest.approx(scores("hc2", X * flips).contrast_df(np.array([[0.0], [1.0], [1.0], [0.5]])))
