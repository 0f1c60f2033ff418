"""The same answer in whatever order samples and features come."""

from __future__ import annotations

import numpy as np

from latentadj.testing.comparison import numbers, require_same
from latentadj.testing.promise import Promise
from latentadj.testing.subject import Subject


def sample_order(subject: Subject) -> None:
    """Samples and their table permuted together."""
    study = subject.study
    order = np.random.default_rng(1).permutation(study.X.shape[0])
    method = subject.estimator(samples=order)
    found = subject.run(study.frame.iloc[order], study.sample_data.iloc[order], method)
    expected = {**subject.expected, "factors": subject.expected["factors"][order]}
    require_same(numbers(found), expected, subject.rounding)


def table_order(subject: Subject) -> None:
    """Rows of the sample table are matched by ID."""
    found = subject.run(sample_data=subject.study.sample_data.iloc[::-1])
    require_same(numbers(found), subject.expected, 0.0)


def feature_order(subject: Subject) -> None:
    """Features and controls permuted together."""
    study = subject.study
    order = np.random.default_rng(2).permutation(study.X.shape[1])
    method = subject.estimator(controls=study.controls[order])
    found = subject.run(study.frame.iloc[:, order], method=method)
    expected = {name: values if name == "factors" else values[order] for name, values in subject.expected.items()}
    require_same(numbers(found), expected, subject.rounding)


ORDER = (
    Promise("sample_order", "Permuting the samples permutes the factor scores and changes nothing else.", sample_order),
    Promise("table_order", "The order of the sample table does not matter.", table_order),
    Promise("feature_order", "Permuting the features permutes their rows and changes nothing else.", feature_order),
)
