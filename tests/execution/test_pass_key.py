"""Keys of passes: everything that changes the result changes the key, and nothing else does."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

import numpy as np
import pytest

from latentadj.core.kernels import GramKernel, RegressionKernel, ScoreKernel
from latentadj.core.matrix import AdjustedMatrix, ArrayMatrix, FeatureSubset
from latentadj.core.pass_kernel import PassKernel
from latentadj.core.pass_options import pass_options
from latentadj.core.whitening import WhitenedMatrix, Whitening
from latentadj.execution.pass_key import PassKeys, UnknownContentError

VALUES = np.arange(24.0).reshape(4, 6)
RUNS = [[slice(0, 3)], [slice(3, 6)]]
BASIS = np.linalg.qr(np.column_stack([np.ones(4), np.arange(4)]))[0]


def key(*kernels, Y=None, runs=RUNS):
    return PassKeys().next(ArrayMatrix(VALUES) if Y is None else Y, runs, kernels)


class Holder(PassKernel):
    """A kernel that holds something."""

    sums = ("total",)

    def __init__(self, held):
        self.held, self.total = held, np.zeros(1)


@dataclass(frozen=True)
class Pair:
    first: object
    second: object


def double(x, by=2):
    return by * x


def closing_over(value):
    return lambda x: x + value


SAME = [
    lambda: GramKernel(4, basis=BASIS.copy()),
    lambda: RegressionKernel(BASIS, 6, centred=True),
    lambda: ScoreKernel(4, np.ones((6, 2))),
    lambda: Holder(Pair(np.arange(3), "a")),
    lambda: Holder({"a": [1, (2.0, None)], "b": {"x", "y"}}),
    lambda: Holder(partial(double, by=3)),
    lambda: Holder(closing_over(2)),
    lambda: Holder(np.random.default_rng(5)),
    lambda: Holder(np.array(["a", "bc"], dtype=object)),
]


@pytest.mark.parametrize("make", SAME, ids=range(len(SAME)))
def test_the_same_twice(make):
    assert key(make()) == key(make())


def test_what_differs_has_another_key():
    weights = np.ones(6)
    weights[5] += 1e-15
    different = [
        key(GramKernel(4, basis=BASIS)),
        key(GramKernel(4, basis=-BASIS)),
        key(GramKernel(4)),
        key(GramKernel(4), GramKernel(4)),
        key(GramKernel(4), runs=[[slice(0, 2)], [slice(2, 6)]]),
        key(GramKernel(4), runs=[[slice(0, 3), slice(3, 6)]]),
        key(GramKernel(4, weights=np.ones(6))),
        key(GramKernel(4, weights=weights)),
        key(GramKernel(4, mean=np.ones(6))),
        key(RegressionKernel(BASIS, 6, centred=True)),
        key(RegressionKernel(BASIS, 6, centred=False)),
        key(GramKernel(4), Y=ArrayMatrix(VALUES + 1e-9)),
        key(GramKernel(4), Y=ArrayMatrix(VALUES.astype("float32"))),
        key(GramKernel(4), Y=AdjustedMatrix(ArrayMatrix(VALUES), np.ones((4, 1)), np.ones((6, 1)))),
        key(GramKernel(4), Y=AdjustedMatrix(ArrayMatrix(VALUES), np.ones((4, 1)), np.full((6, 1), 2.0))),
        key(GramKernel(4), Y=WhitenedMatrix(ArrayMatrix(VALUES), Whitening(np.ones(4)))),
        key(GramKernel(4), Y=FeatureSubset(ArrayMatrix(np.hstack([VALUES, VALUES])), np.arange(6))),
        *(key(make()) for make in SAME[2:]),
        key(Holder(partial(double, by=4))),
        key(Holder(closing_over(3))),
        key(Holder("1")),
        key(Holder(1)),
        key(Holder(1.0)),
        key(Holder(True)),
        key(Holder([1])),
        key(Holder((1,))),
    ]
    assert len(set(different)) == len(different)


def test_what_has_not_been_filled_does_not_count():
    one, other = RegressionKernel(BASIS, 6, centred=True), RegressionKernel(BASIS, 6, centred=True)
    one.effects[:], other.effects[:] = 1.0, 2.0
    one.rss[:], other.rss[:] = np.nan, 0.0
    assert key(one) == key(other)


def test_a_key_depends_on_the_passes_before():
    keys, Y = PassKeys(), ArrayMatrix(VALUES)
    assert keys.next(Y, RUNS, [GramKernel(4)]) != keys.next(Y, RUNS, [GramKernel(4)])


def test_single_precision_is_another_pass():
    with pass_options(single_precision=True):
        single = key(GramKernel(4))
    assert single != key(GramKernel(4))


def test_memory_order_and_pieces():
    large = np.arange(2_000_000.0).reshape(1000, 2000)
    runs = [[slice(0, 2000)]]
    straight = key(GramKernel(1000), Y=ArrayMatrix(large), runs=runs)
    assert straight == key(GramKernel(1000), Y=ArrayMatrix(np.repeat(large, 2, axis=0)[::2]), runs=runs)


def test_an_object_that_leads_to_itself():
    held: list[object] = [1]
    held.append(held)
    other: list[object] = [2]
    other.append(other)
    assert key(Holder(held)) != key(Holder(other))


def test_what_cannot_be_told_apart_is_said():
    with pytest.raises(UnknownContentError, match="generator"):
        key(Holder(iter(x for x in "abc")))
