"""The estimator behind a method: scikit-learn's rules, frozen scores, and results on disk."""

from __future__ import annotations

import pickle
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from sklearn.base import clone

from latentadj.design import design_from_target
from latentadj.exceptions import ControlsError, InvalidForTestingError, LatentAdjError
from latentadj.results import load_result
from latentadj.testing.comparison import require, require_close
from latentadj.testing.error import ContractError
from latentadj.testing.promise import Promise
from latentadj.testing.subject import Subject, quiet


def fit_is_adjust(subject: Subject) -> None:
    """``fit(X, y)`` is the first half of the testing front."""
    fitted = subject.fitted()
    design = design_from_target(subject.target, n_samples=len(subject.target))
    result = subject.run(subject.study.X, formula=design)
    require_close(fitted.factors_, result.factors.to_numpy(), 0.0, "factors_")
    require_close(fitted.loadings_, result.loadings.to_numpy(), 0.0, "loadings_")
    require(fitted.n_factors_ == result.n_factors, "n_factors_ is not the number of factors of the result.")


def one_sample_at_a_time(subject: Subject) -> None:
    """Scores of a sample do not depend on the samples it comes with."""
    fitted, X = subject.fitted(), subject.study.X
    new = X[::-1] if subject.info.input_scale == "counts" else X + np.random.default_rng(5).normal(size=X.shape)
    batch = fitted.transform(new)
    expected = (len(X), fitted.n_factors_)
    require(batch.shape == expected, f"transform gave the shape {batch.shape}, not {expected}.")
    tolerance = max(subject.rounding, 1e-12)
    for i in (0, len(X) // 4, len(X) - 1):
        require_close(fitted.transform(new[[i]]), batch[[i]], tolerance, f"scores of sample {i} alone")
    require_close(fitted.transform(new[::-1])[::-1], batch, tolerance, "scores in reverse order")


def fit_transform(subject: Subject) -> None:
    """Training samples are scored like new ones."""
    with quiet():
        found = subject.estimator().fit_transform(subject.study.X, subject.target)
    require_close(found, subject.fitted().transform(subject.study.X), 0.0, "fit_transform")


def clone_and_parameters(subject: Subject) -> None:
    """The constructor stores what it is given and nothing else."""
    fitted = subject.fitted()
    copy = clone(fitted)
    require(type(copy) is type(fitted), "clone gives another class.")
    require(not hasattr(copy, "factors_"), "A clone is fitted already.")
    for name, value in fitted.get_params().items():
        held = copy.get_params()[name]
        require(held is value or np.array_equal(held, value), f"clone changes the parameter {name}.")
    with quiet():
        again = type(fitted)().set_params(**copy.get_params()).fit(subject.study.X, subject.target)
    require_close(again.factors_, fitted.factors_, 0.0, "factors_ after set_params")


def pickled(subject: Subject) -> None:
    """A fitted estimator survives pickle."""
    fitted = subject.fitted()
    again = pickle.loads(pickle.dumps(fitted))
    X = subject.study.X
    require_close(again.transform(X), fitted.transform(X), 0.0, "scores after pickle")
    require(again.get_params().keys() == fitted.get_params().keys(), "Parameters are lost in pickle.")


def input_untouched(subject: Subject) -> None:
    """Neither data nor target are written to."""
    X, y = subject.study.X.copy(), subject.target.copy()
    with quiet():
        subject.estimator().fit(X, y).transform(X)
    require(np.array_equal(X, subject.study.X), "X was written to.")
    require(np.array_equal(y, subject.target), "y was written to.")


def save_and_load(subject: Subject) -> None:
    """A result comes back from disk as it was, without pickle."""
    result = subject.usual
    with tempfile.TemporaryDirectory() as folder:
        loaded = load_result(result.save(Path(folder, "result")))
    term = result.tests.names[0]
    pairs = {
        "tidy()": (loaded.tidy(), result.tidy()),
        "tidy(joint=True)": (loaded.tidy(joint=True), result.tidy(joint=True)),
        "factors": (loaded.factors, result.factors),
        "loadings": (loaded.loadings, result.loadings),
        "contrast": (loaded.contrast(f"2 * {term}"), result.contrast(f"2 * {term}")),
    }
    for name, (found, expected) in pairs.items():
        _require_equal_frames(found, expected, name)
    require(loaded.warnings == result.warnings, "Warnings are lost on disk.")
    require(dict(loaded.manifest) == dict(result.manifest), "The manifest is lost on disk.")
    require(loaded.method == subject.info.name, "The method's name is lost on disk.")


def card(subject: Subject) -> None:
    """The method's card says what it is."""
    info = subject.info
    for name in ("reference", "identified_by", "summary"):
        text = getattr(info, name)
        require(isinstance(text, str) and len(text) > 10, f"method_info.{name} says nothing: {text!r}.")
    options = subject.original.get_params(deep=False)
    for need in info.needs:
        require(need in options, f"method_info.needs names {need!r}, which is no parameter.")
    for name in subject.original.sample_parameters:
        require(name in options, f"sample_parameters names {name!r}, which is no parameter.")


def refusals(subject: Subject) -> None:
    """What a method needs is asked for, and what it cannot do is refused."""
    for need in subject.info.needs:
        method = subject.estimator().set_params(**{need: None})
        wanted = ControlsError if need == "controls" else LatentAdjError
        with quiet():
            _require_raises(wanted, lambda m=method: subject.run(method=m), f"without {need}")  # type: ignore[misc]
    if not subject.info.valid_for_testing:
        _require_raises(
            InvalidForTestingError, lambda: subject.run(allow_invalid=False), "for tests, without allow_invalid=True"
        )


def _require_raises(error: type[Exception], action: Any, when: str) -> None:
    try:
        action()
    except error:
        return
    except Exception as other:
        raise ContractError(f"{type(other).__name__} instead of {error.__name__} {when}: {other}") from other
    raise ContractError(f"No {error.__name__} {when}.")


def _require_equal_frames(found: pd.DataFrame, expected: pd.DataFrame, name: str) -> None:
    try:
        pd.testing.assert_frame_equal(found, expected, check_exact=True)
    except AssertionError as error:
        raise ContractError(f"{name} is not what was saved: {error}") from error


ESTIMATOR = (
    Promise("fit_is_adjust", "fit(X, y) gives the factors of the testing front.", fit_is_adjust),
    Promise("one_sample_at_a_time", "transform scores each sample from its own values.", one_sample_at_a_time),
    Promise("fit_transform", "fit_transform is fit followed by transform.", fit_transform),
    Promise("clone_and_parameters", "The constructor stores; clones are equal and not fitted.", clone_and_parameters),
    Promise("pickled", "A fitted estimator can be pickled.", pickled),
    Promise("input_untouched", "The data are not written to.", input_untouched),
    Promise("save_and_load", "Results come back from disk bit by bit.", save_and_load),
    Promise("card", "method_info is complete.", card),
    Promise("refusals", "Missing needs and invalid tests are refused with the package's errors.", refusals),
)
