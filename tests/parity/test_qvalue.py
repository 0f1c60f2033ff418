"""q-values through the public API against qvalue 2.30.0, on the F tests of three studies.

Largest errors, measured (stored with 17 digits): 1.9e-13 absolute for q-values, 2.3e-12 for all adjustments; relative
2.3e-13 on sim2, and 5.4e-9 among q-values above 1e-8 elsewhere. What is left is the package's input: sva's p-values
are ``1 - F(x)`` with an absolute error of 1.1e-16, which makes up to ``m * 1.1e-16`` in an adjusted p-value.
"""

from __future__ import annotations

import math

import numpy as np
import pytest
from numpy.testing import assert_allclose

import latentadj as la
from latentadj.core.multiple import q_values
from tests.parity.studies import NAMES, study
from tests.reference_data import load_reference

pytestmark = pytest.mark.filterwarnings("ignore::latentadj.LatentAdjWarning")

CASES = {"sim1": "sim1", "sim2": "sim2", "bladderbatch": "bladder"}


def stored(name: str, column: str) -> np.ndarray:
    return load_reference("qvalue", "reference")[f"{CASES[name]}__{column}"]


def joint_p_adjusted(name: str, p_adjust: str) -> np.ndarray:
    result = study(name).adjust("none", inference="ordinary")
    return result.tidy(joint=True, p_adjust=p_adjust)["p_adjusted"].to_numpy()


@pytest.mark.parametrize(
    ("p_adjust", "column"), [("qvalue", "q_smoother"), ("bh", "bh"), ("by", "by"), ("holm", "holm")]
)
@pytest.mark.parametrize("name", NAMES)
def test_tidy_adjusts_as_the_package_does(name: str, p_adjust: str, column: str) -> None:
    ours, theirs = joint_p_adjusted(name, p_adjust), stored(name, column)
    kept = ours[:: math.ceil(len(ours) / len(theirs))]
    # m times the round-off of 1 - F(x); by and holm have factors of up to m log m
    slack = 2.3e-16 * len(ours) * (np.log(len(ours)) if p_adjust == "by" else 1.0)
    assert_allclose(kept, theirs, rtol=1e-9, atol=slack)


@pytest.mark.parametrize("name", NAMES)
def test_discoveries_are_the_same(name: str) -> None:
    """Which features have q below 0.05, 0.01 and 0.1; q-values on the cut-offs do not occur."""
    ours, theirs = joint_p_adjusted(name, "qvalue"), stored(name, "q_smoother")
    kept = ours[:: math.ceil(len(ours) / len(theirs))]
    for level in (0.01, 0.05, 0.1):
        assert np.array_equal(kept < level, theirs < level)


def test_adjusted_p_values_of_a_result_are_those_of_the_function() -> None:
    """The table adjusts every tested column on its own."""
    s = study("bladderbatch")
    table = s.adjust(la.CATE(2)).tidy(p_adjust="qvalue")
    for _, part in table.groupby("term"):
        np.testing.assert_array_equal(part["p_adjusted"], q_values(part["p_value"].to_numpy()))
