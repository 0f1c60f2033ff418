"""Cumulant matrices against their definition, joint diagonalisation, and recovery of independent sources."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose

from latentadj.core.jade import cumulant_matrices, jade_rotation, joint_diagonalizer, whitened_features
from latentadj.core.matrix import ArrayMatrix
from latentadj.core.passes import pass_options


def whitened(values: np.ndarray) -> np.ndarray:
    centred = values - values.mean(axis=1)[:, None]
    vals, vecs = np.linalg.eigh(centred @ centred.T / values.shape[1])
    return (vecs / np.sqrt(vals)).T @ centred


def test_cumulant_matrices_by_their_definition() -> None:
    """cum(a, b, i, j) = E abij - E ab E ij - E ai E bj - E aj E bi, times sqrt 2 when i and j differ."""
    x = whitened(np.random.default_rng(0).standard_exponential(size=(3, 400)))
    pairs = [(i, j) for i in range(3) for j in range(i, 3)]
    found = cumulant_matrices(x)
    for matrix, (i, j) in zip(found, pairs, strict=True):
        for a in range(3):
            for b in range(3):
                fourth = np.mean(x[a] * x[b] * x[i] * x[j])
                cumulant = fourth - (a == b) * (i == j) - (a == i) * (b == j) - (a == j) * (b == i)
                assert matrix[a, b] == pytest.approx(cumulant * (1.0 if i == j else np.sqrt(2)), abs=1e-12)


def test_block_width_does_not_matter() -> None:
    x = whitened(np.random.default_rng(1).standard_exponential(size=(4, 500)))
    with pass_options(width=7):
        narrow = cumulant_matrices(x)
    assert_allclose(narrow, cumulant_matrices(x), rtol=0, atol=1e-12)


def test_matrices_with_common_eigenvectors_become_diagonal() -> None:
    rng = np.random.default_rng(2)
    basis = np.linalg.qr(rng.normal(size=(5, 5)))[0]
    matrices = np.array([(basis * rng.normal(size=5)) @ basis.T for _ in range(7)])
    rotation, converged = joint_diagonalizer(matrices)
    turned = rotation.T @ matrices @ rotation
    assert converged
    assert_allclose(rotation.T @ rotation, np.eye(5), atol=1e-13)
    assert np.abs(turned - np.einsum("lii->li", turned)[:, :, None] * np.eye(5)).max() < 1e-12


def test_no_rotation_of_a_plane_does_better() -> None:
    """The answer is a local optimum of the sum of squares off the diagonals."""
    rng = np.random.default_rng(3)
    matrices = rng.normal(size=(6, 4, 4))
    matrices = matrices + matrices.transpose(0, 2, 1)
    rotation, converged = joint_diagonalizer(matrices)

    def off(r: np.ndarray) -> float:
        turned = r.T @ matrices @ r
        return float(np.sum(turned**2) - np.sum(np.einsum("lii->li", turned) ** 2))

    assert converged
    for p in range(3):
        for q in range(p + 1, 4):
            for angle in (-0.3, -0.01, 0.01, 0.3):
                turn = np.eye(4)
                turn[[p, p, q, q], [p, q, p, q]] = np.cos(angle), -np.sin(angle), np.sin(angle), np.cos(angle)
                assert off(rotation @ turn) > off(rotation)


def test_sources_are_found_whatever_the_starting_basis() -> None:
    rng = np.random.default_rng(4)
    sources = whitened(rng.choice([-1, 1], size=(3, 20000)) * rng.standard_exponential(size=(3, 20000)))
    first, _ = jade_rotation(sources)
    turn = np.linalg.qr(rng.normal(size=(3, 3)))[0]
    second, converged = jade_rotation(turn @ sources)
    overlap = np.abs(first.T @ (turn.T @ second))
    assert converged
    assert_allclose(np.sort(overlap, axis=0)[-1], 1.0, atol=1e-9)


def test_whitening_keeps_the_leading_directions() -> None:
    """mixing @ values is the best approximation of the weighted, projected features of that rank."""
    rng = np.random.default_rng(5)
    Y = 5 + rng.normal(size=(10, 4)) @ rng.normal(size=(4, 300)) + 0.1 * rng.normal(size=(10, 300))
    removed = np.linalg.qr(np.column_stack([np.ones(10), rng.normal(size=10)]))[0]
    weights = np.exp(0.3 * rng.normal(size=300))
    white = whitened_features(ArrayMatrix(Y), removed, 3, weights)
    left = (Y - removed @ (removed.T @ Y)) * weights
    left = left - left.mean(axis=1)[:, None]
    u, d, vt = np.linalg.svd(left, full_matrices=False)
    assert_allclose(white.mixing @ white.values, (u[:, :3] * d[:3]) @ vt[:3], atol=1e-10)
    assert_allclose(white.values @ white.values.T / 300, np.eye(3), atol=1e-10)
    assert_allclose(white.values.mean(axis=1), 0, atol=1e-12)


def test_fewer_directions_than_asked_for() -> None:
    Y = np.outer(np.arange(6.0), np.arange(20.0))
    assert whitened_features(ArrayMatrix(Y), np.empty((6, 0)), 3).values.shape == (1, 20)
