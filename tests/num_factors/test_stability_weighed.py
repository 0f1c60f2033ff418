"""The stability rule on samples that were weighed."""

from __future__ import annotations

import numpy as np
import pytest

import latentadj as la


@pytest.mark.filterwarnings("ignore::latentadj.LatentAdjWarning")
def test_halves_of_a_weighed_problem():
    rng = np.random.default_rng(0)
    spread = np.repeat([1.0, 3.0], [20, 10])[:, None]
    X = rng.normal(size=(30, 600)) * spread + np.outer(rng.normal(size=30), rng.normal(size=600))
    design = la.Design.from_arrays(np.tile([0, 1], 15))
    result = la.adjust(X, design, method="cate", n_factors="stability", sample_weights="quality")
    assert result.n_factors == 1
