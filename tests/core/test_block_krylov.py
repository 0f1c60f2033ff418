"""Block Krylov eigenvectors and leading directions against dense decompositions."""

import numpy as np
import pytest

from latentadj.core import leading_directions as ld
from latentadj.core.alignment import subspace_distance
from latentadj.core.block_krylov import leading_eigenvectors
from latentadj.core.matrix import ArrayMatrix
from latentadj.core.passes import pass_options
from latentadj.core.regression import design_basis, design_pass
from latentadj.core.spectrum import residual_spectrum, top_eigenvectors


def matrix(values, seed=0):
    q = np.linalg.qr(np.random.default_rng(seed).normal(size=(len(values), len(values))))[0]
    return (q * values) @ q.T


def start(n, count, seed=1):
    return np.random.default_rng(seed).normal(size=(n, count))


def same(found, expected):
    signs = np.sign(np.einsum("ij,ij->j", found, expected))
    np.testing.assert_allclose(found * signs, expected, rtol=0, atol=1e-6)


@pytest.mark.parametrize("k", [1, 3, 6])
def test_equals_dense_eigenvectors(k):
    gram = matrix(np.concatenate([[90, 50, 30, 12, 7, 5.0], np.linspace(0, 2, 194)]))
    found = leading_eigenvectors(lambda V: gram @ V, start(200, k + 5), k, max_columns=150)
    same(found, top_eigenvectors(gram, k))
    np.testing.assert_allclose(found.T @ found, np.eye(k), atol=1e-12)


def test_a_start_that_lacks_an_eigenvector_and_repeats_another():
    values = np.concatenate([[90, 50, 30.0], np.linspace(0, 2, 97)])
    gram = matrix(values)
    vectors = np.linalg.eigh(gram)[1][:, ::-1]
    first = np.column_stack([vectors[:, :1], vectors[:, :1], vectors[:, 2:3], start(100, 3)])
    same(leading_eigenvectors(lambda V: gram @ V, first, 2, max_columns=80), vectors[:, :2])


def test_low_rank_ends_by_itself():
    basis = start(80, 4)
    gram = basis @ basis.T
    found = leading_eigenvectors(lambda V: gram @ V, start(80, 3), 2, max_columns=60)
    same(found, top_eigenvectors(gram, 2))


@pytest.mark.parametrize("values", [np.ones(60), np.zeros(60), np.concatenate([[5.0], np.ones(59)])])
def test_no_answer_where_the_last_eigenvalue_is_not_separated(values):
    gram = np.diag(values)
    assert leading_eigenvectors(lambda V: gram @ V, start(60, 5), 2, max_columns=40) is None


def test_no_answer_beyond_the_allowed_columns():
    gram = matrix(np.linspace(1, 2, 150))
    used = []

    def multiply(V):
        used.append(V.shape[1])
        return gram @ V

    assert leading_eigenvectors(multiply, start(150, 6), 2, max_columns=30) is None
    assert sum(used) <= 30


@pytest.fixture
def study(monkeypatch):
    monkeypatch.setattr(ld, "MANY_SAMPLES", 100)
    monkeypatch.setattr(ld, "_GRAM_COLUMNS", 1)
    rng = np.random.default_rng(8)
    Y = rng.normal(size=(150, 3)) @ rng.normal(size=(3, 900)) + rng.normal(size=(150, 900)) + 5
    return Y, design_basis(np.column_stack([np.ones(150), rng.normal(size=150)]))


def test_residual_directions_equal_the_spectrum(study):
    Y, basis = study
    sums = design_pass(ArrayMatrix(Y), basis)
    found = ld.residual_directions(ArrayMatrix(Y), basis.q, sums, 3)
    same(found, residual_spectrum(ArrayMatrix(Y), basis).vectors[:, :3])
    np.testing.assert_allclose(basis.q.T @ found, 0, atol=1e-12)


def test_directions_do_not_depend_on_threads_order_or_start(study):
    Y, _ = study
    rng = np.random.default_rng(2)
    squared = rng.uniform(size=900)

    def directions(values, factor=squared, **options):
        return ld.leading_directions(
            ArrayMatrix(values), np.full((len(values), 1), len(values) ** -0.5), 3,
            squared_weights=factor, sizes=(values**2).sum(axis=0), **options,
        )  # fmt: skip

    found = directions(Y)
    rows = (Y - Y.mean(axis=0)) * np.sqrt(squared)
    same(found, top_eigenvectors(rows @ rows.T, 3))
    for n_threads in (1, 2):
        with pass_options(n_threads=n_threads):
            np.testing.assert_array_equal(directions(Y), found)
    features, samples = rng.permutation(900), rng.permutation(150)
    assert subspace_distance(directions(Y[:, features], squared[features]), found) < 1e-6
    assert subspace_distance(directions(Y[samples]), found[samples]) < 1e-6
    assert subspace_distance(directions(Y, start=found), found) < 1e-6


def test_few_samples_are_left_to_the_gram_matrix():
    Y = ArrayMatrix(np.ones((20, 30)))
    ones = np.ones(30)
    assert ld.leading_directions(Y, np.empty((20, 0)), 2, squared_weights=ones, sizes=ones) is None
