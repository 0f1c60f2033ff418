"""All promises of a method, in the order in which they are checked."""

from __future__ import annotations

from latentadj.testing.comparison import require
from latentadj.testing.estimator_promises import ESTIMATOR
from latentadj.testing.feature_promises import FEATURES
from latentadj.testing.order_promises import ORDER
from latentadj.testing.promise import Promise
from latentadj.testing.regression_promises import REGRESSION
from latentadj.testing.storage_promises import STORAGE
from latentadj.testing.subject import Subject


def declarations(subject: Subject) -> None:
    """What a method declares that it cannot promise are promises, and reasons are given."""
    names = {promise.name for promise in PROMISES}
    for name, reason in subject.info.not_promised.items():
        require(name in names, f"method_info.not_promised names {name!r}; promises are {', '.join(sorted(names))}.")
        require(len(reason) > 10, f"method_info.not_promised gives no reason for {name!r}.")


#: Every promise, by name unique.
PROMISES: tuple[Promise, ...] = (
    Promise("declarations", "What cannot be promised is named, with a reason.", declarations),
    *STORAGE,
    *ORDER,
    *REGRESSION,
    *FEATURES,
    *ESTIMATOR,
)
