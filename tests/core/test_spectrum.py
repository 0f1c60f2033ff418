"""Residual spectra: the Gram route against the exact SVD."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from latentadj.core.alignment import subspace_distance
from latentadj.core.matrix import ArrayMatrix
from latentadj.core.regression import design_basis
from latentadj.core.spectrum import residual_spectrum, top_eigenvectors


@pytest.fixture
def study():
    rng = np.random.default_rng(8)
    Z, A = rng.normal(size=(25, 3)), 3 * rng.normal(size=(400, 3))
    X = np.column_stack([np.ones(25), rng.normal(size=25)])
    return Z @ A.T + rng.normal(size=(25, 400)) + 8, design_basis(X)


@pytest.mark.parametrize("weighted", [False, True])
def test_gram_equals_svd(study, weighted):
    """Squaring the matrix costs half the digits of small values only: relative to the largest, 1e-13."""
    Y, basis = study
    weights = np.random.default_rng(1).uniform(0.5, 2, size=400) if weighted else None
    gram = residual_spectrum(ArrayMatrix(Y), basis, weights=weights, solver="gram")
    exact = residual_spectrum(ArrayMatrix(Y), basis, weights=weights, solver="svd")
    assert np.abs(gram.eigenvalues - exact.eigenvalues).max() < 1e-12 * exact.eigenvalues[0]
    assert subspace_distance(gram.vectors[:, :3], exact.vectors[:, :3]) < 1e-10


def test_spectrum_matches_numpy_and_is_orthogonal_to_the_design(study):
    Y, basis = study
    residual = Y - basis.q @ (basis.q.T @ Y)
    singular = np.linalg.svd(residual, compute_uv=False)[:23]
    found = residual_spectrum(ArrayMatrix(Y), basis)
    np.testing.assert_allclose(found.eigenvalues, singular**2, rtol=1e-9)
    np.testing.assert_allclose(basis.q.T @ found.vectors, 0, atol=1e-12)
    assert found.shares.sum() == pytest.approx(1.0)


def test_few_features_take_the_svd_and_pad_with_zeros():
    Y = np.random.default_rng(0).normal(size=(20, 4))
    found = residual_spectrum(ArrayMatrix(Y), design_basis(np.ones((20, 1))))
    assert found.eigenvalues.shape == (19,)
    assert np.count_nonzero(found.eigenvalues) == 4
    np.testing.assert_allclose(found.vectors.T @ found.vectors, np.eye(19), atol=1e-12)


@given(seed=st.integers(0, 1000))
@settings(max_examples=20, deadline=None)
def test_anything_in_the_designs_span_changes_nothing(seed):
    rng = np.random.default_rng(seed)
    Y = rng.normal(size=(15, 60))
    basis = design_basis(np.column_stack([np.ones(15), rng.normal(size=15)]))
    moved = Y + basis.q @ rng.normal(size=(2, 60)) * 50
    a = residual_spectrum(ArrayMatrix(Y), basis)
    b = residual_spectrum(ArrayMatrix(moved), basis)
    np.testing.assert_allclose(a.eigenvalues, b.eigenvalues, rtol=1e-9)


def test_rotating_the_samples_rotates_the_directions():
    rng = np.random.default_rng(0)
    Y = rng.normal(size=(10, 80)) + 2 * np.outer(rng.normal(size=10), rng.normal(size=80))
    design = rng.normal(size=(10, 2))
    q = np.linalg.qr(rng.normal(size=(10, 10)))[0]
    a = residual_spectrum(ArrayMatrix(Y), design_basis(design))
    b = residual_spectrum(ArrayMatrix(q @ Y), design_basis(q @ design))
    np.testing.assert_allclose(a.eigenvalues, b.eigenvalues, rtol=1e-9)
    assert subspace_distance(q @ a.vectors[:, :1], b.vectors[:, :1]) < 1e-9


def test_top_eigenvectors_are_sorted():
    gram = np.diag([1.0, 5.0, 3.0])
    np.testing.assert_allclose(np.abs(top_eigenvectors(gram, 2)), [[0, 0], [1, 0], [0, 1]])
    assert top_eigenvectors(gram, 0).shape == (3, 0)
