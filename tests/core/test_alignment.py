"""Signs, canonical correlations, subspaces, fixed points."""

import numpy as np
import pytest

from latentadj.core.alignment import align_factors, canonical_correlations, sign_flips, subspace_distance
from latentadj.core.fixed_point import extrapolated_iteration, iterate


def test_signs_follow_the_largest_loading():
    loadings = np.random.default_rng(0).normal(size=(50, 4))
    fixed = loadings * sign_flips(loadings)
    largest = np.abs(fixed).argmax(axis=0)
    assert (fixed[largest, np.arange(4)] > 0).all()
    np.testing.assert_array_equal(sign_flips(np.empty((0, 2))), [1.0, 1.0])


def test_canonical_correlations_ignore_rotation_and_see_angles():
    rng = np.random.default_rng(0)
    a = rng.normal(size=(30, 3))
    np.testing.assert_allclose(canonical_correlations(a, a @ rng.normal(size=(3, 3)) + 5), 1.0)
    assert canonical_correlations(np.eye(4)[:, :1], np.eye(4)[:, 1:2], centre=False)[0] == 0.0
    assert canonical_correlations(np.zeros((5, 1)), rng.normal(size=(5, 1)))[0] == 0.0


@pytest.mark.parametrize("angle", [0.0, 1e-6, 0.3, np.pi / 2])
def test_subspace_distance_is_the_sine(angle):
    a = np.array([[1.0], [0.0], [0.0]])
    b = np.array([[np.cos(angle)], [np.sin(angle)], [0.0]])
    assert subspace_distance(a, b) == pytest.approx(np.sin(angle), abs=1e-12)


def test_align_factors_undoes_permutation_and_sign():
    rng = np.random.default_rng(1)
    reference = rng.normal(size=(40, 4))
    order, signs = rng.permutation(4), np.array([1.0, -1.0, -1.0, 1.0])
    shuffled = (reference * signs)[:, order] + 0.01 * rng.normal(size=(40, 4))
    columns, flips = align_factors(shuffled, reference)
    np.testing.assert_allclose(shuffled[:, columns] * flips, reference, atol=0.1)


def test_extrapolation_finds_the_same_point_in_fewer_steps():
    gram = np.diag([3.0, 2.9, 1.0, 0.5])

    def power(b):
        return np.linalg.qr(gram @ b)[0]

    start = np.full((4, 1), 0.5)
    point = extrapolated_iteration(power, start, tol=1e-9, max_iter=1000)
    plain = start
    for steps in range(1, 1000):
        updated = power(plain)
        if subspace_distance(updated, plain) < 1e-9:
            break
        plain = updated
    assert point.converged
    assert subspace_distance(point.basis, np.eye(4)[:, :1]) < 1e-6
    assert point.n_iter < steps / 2


def test_an_iteration_that_circles_is_reported():
    def turn(b):
        return np.roll(b, 1, axis=0)

    point = extrapolated_iteration(turn, np.eye(3)[:, :1], tol=1e-6, max_iter=30)
    assert not point.converged
    assert point.n_iter <= 31
    assert iterate(turn, np.eye(3)[:, :1], 5).n_iter == 5
