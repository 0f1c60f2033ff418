"""The same answer however the data are stored and read."""

from __future__ import annotations

import numpy as np

from latentadj.core.passes import pass_options
from latentadj.testing.carving import CarvingExecutor
from latentadj.testing.comparison import numbers, require, require_same
from latentadj.testing.promise import Promise, only_with_number
from latentadj.testing.subject import Subject


def finite_answer(subject: Subject) -> None:
    """The comparisons of the other promises would also hold for NaN everywhere."""
    for name, values in subject.expected.items():
        require(np.isfinite(values).all(), f"{name} holds numbers that are not finite.")
    require(np.ptp(subject.expected["estimate"]) > 0, "All features have the same effect.")


def number_as_asked(subject: Subject) -> None:
    """As many factors as ``n_factors`` says."""
    found, asked = subject.usual.n_factors, subject.study.n_factors
    require(found == asked, f"{asked} factors were asked for, {found} came back.")


def block_width(subject: Subject) -> None:
    """Sums over blocks of another width."""
    for width in (1, 37, subject.study.X.shape[1]):
        with pass_options(width=width):
            require_same(numbers(subject.run()), subject.expected, subject.rounding)


def carving(subject: Subject) -> None:
    """Every part of the data by itself, in another process so to speak."""
    with pass_options(executor=CarvingExecutor(), width=17):
        require_same(numbers(subject.run()), subject.expected, subject.rounding)


def threads(subject: Subject) -> None:
    """Blocks are merged in their order, whatever the number of threads."""
    answers = []
    for n_threads in (1, 2, 5):
        with pass_options(n_threads=n_threads, width=20):
            answers.append(numbers(subject.run()))
    for answer in answers[1:]:
        require_same(answer, answers[0], 0.0)


def repetition(subject: Subject) -> None:
    """Random numbers come from the generator that is given and from nowhere else."""
    np.random.seed(1)  # noqa: NPY002  a method that draws from the global state must not go unseen
    first = numbers(subject.run())
    np.random.seed(2)  # noqa: NPY002
    require_same(numbers(subject.run()), first, 0.0)


def memory_order(subject: Subject) -> None:
    """Rows or columns first in memory."""
    for order in ("C", "F"):
        found = subject.run(np.array(subject.study.X, order=order))  # type: ignore[call-overload]
        require_same(numbers(found), subject.expected, subject.rounding)


def views(subject: Subject) -> None:
    """Every second column of a read-only array."""
    wide = np.repeat(subject.study.X, 2, axis=1)
    before = wide.copy()
    wide.flags.writeable = False
    require_same(numbers(subject.run(wide[:, ::2])), subject.expected, subject.rounding)
    require(np.array_equal(wide, before), "The array behind the view was written to.")


def orientation(subject: Subject) -> None:
    """Features in rows."""
    found = subject.run(subject.study.frame.T, orientation="features")
    require_same(numbers(found), subject.expected, subject.rounding)


def float32_storage(subject: Subject) -> None:
    """Sums are in double precision whatever the storage, so that storage alone costs no digits."""
    single = subject.study.X.astype(np.float32)
    require_same(numbers(subject.run(single)), numbers(subject.run(single.astype(np.float64))), 0.0)


def float32_rounding(subject: Subject) -> None:
    """Values rounded to single precision move the answer by their rounding."""
    require_same(numbers(subject.run(subject.study.X.astype(np.float32))), subject.expected, subject.single)


STORAGE = (
    Promise("finite_answer", "Factors, loadings, variances and tests are finite numbers.", finite_answer),
    Promise("number_as_asked", "n_factors factors come back.", number_as_asked, only_with_number),
    Promise("block_width", "The block width changes nothing beyond round-off.", block_width),
    Promise("carving", "Passes may be split over processes, each with its part of the data.", carving),
    Promise("threads", "The number of threads changes nothing at all.", threads),
    Promise("repetition", "The same data, settings and seed give the same numbers, bit by bit.", repetition),
    Promise("memory_order", "C and Fortran order give the same answer.", memory_order),
    Promise("views", "Views and read-only arrays are read as they are.", views),
    Promise("orientation", "Features in rows give the answer of features in columns.", orientation),
    Promise("float32_storage", "Storing the same values in single precision changes nothing.", float32_storage),
    Promise("float32_rounding", "Rounding values to single precision moves the answer little.", float32_rounding),
)
