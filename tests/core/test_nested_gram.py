"""Gram matrices by group of features."""

from __future__ import annotations

import numpy as np
import pytest

from latentadj.core.matrix import ArrayMatrix
from latentadj.core.nested_gram import GroupedGramKernel
from latentadj.core.passes import pass_options, run_pass
from latentadj.core.regression import design_basis


@pytest.mark.parametrize("options", [{}, {"width": 7}, {"width": 50, "n_threads": 2}])
def test_matches_products_of_each_group(options):
    """Explicit products, 1e-12 of the largest: sums in another order."""
    rng = np.random.default_rng(0)
    X, labels, weights = rng.normal(size=(6, 200)), rng.integers(0, 4, size=200), rng.uniform(1, 2, size=200)
    basis = design_basis(np.column_stack([np.ones(6), np.arange(6.0)]))
    rotation = np.hstack([basis.q, basis.complement()])
    with pass_options(**options):
        (grams,) = run_pass(ArrayMatrix(X), GroupedGramKernel(rotation, labels, 3, weights=weights))
    assert grams.shape == (3, 6, 6)
    for group in range(3):
        Z = rotation.T @ (X * weights)[:, labels == group]
        assert np.allclose(grams[group], Z @ Z.T, atol=1e-12 * np.abs(Z @ Z.T).max())
