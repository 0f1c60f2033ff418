"""A broken method is caught, by the promise that it breaks."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

import latentadj as la
from latentadj.exceptions import InputError
from latentadj.factors import METHODS
from latentadj.factors.ruv4 import RUV4
from latentadj.results.factors import FactorEstimate, LinkEstimate
from latentadj.testing import PROMISES, ContractError, check_latent_factor_estimator, made_up_study


class Plain(la.ResidualPCA):
    """Leading components of the residuals; every broken method below is this one, broken in one place."""

    def _estimate_factors(self, problem, n_factors, rng):
        return FactorEstimate(self.scores(problem, n_factors, rng))

    def scores(self, problem, n_factors, rng):
        return problem.spectrum.vectors[:, :n_factors]


def values(problem):
    return problem.matrix.read(slice(0, problem.n_features))


class Unseeded(Plain):
    def scores(self, problem, n_factors, rng):
        return super().scores(problem, n_factors, rng) + 1e-3 * np.random.normal(size=(problem.n_samples, n_factors))


class FirstSample(Plain):
    def scores(self, problem, n_factors, rng):
        scores = super().scores(problem, n_factors, rng).copy()
        scores[0] += 0.1
        return scores


class FirstFeature(Plain):
    def scores(self, problem, n_factors, rng):
        return super().scores(problem, n_factors, rng) + 0.1 * problem.project(np.eye(problem.n_samples))[0][:, None]


class RawData(Plain):
    def scores(self, problem, n_factors, rng):
        return np.linalg.svd(values(problem))[0][:, :n_factors]


class Penalised(Plain):
    def scores(self, problem, n_factors, rng):
        shrunk = problem.spectrum.eigenvalues[:n_factors] / (problem.spectrum.eigenvalues[:n_factors] + 100.0)
        x = problem.primary_residual / np.linalg.norm(problem.primary_residual)
        return super().scores(problem, n_factors, rng) + 0.1 * x * shrunk


class Writing(Plain):
    def fit(self, X, y=None, *, design=None):
        super().fit(X, y, design=design)
        if isinstance(X, np.ndarray) and X.flags.writeable:
            X[0, 0] += 1.0
        return self


class OneMore(Plain):
    def scores(self, problem, n_factors, rng):
        return super().scores(problem, n_factors + 1, rng)


class NotFinite(Plain):
    def scores(self, problem, n_factors, rng):
        return super().scores(problem, n_factors, rng) * np.nan


class SinglePrecision(Plain):
    def scores(self, problem, n_factors, rng):
        if problem.matrix.dtype == np.float32:
            return super().scores(problem, n_factors, rng).astype(np.float32).astype(np.float64)
        return super().scores(problem, n_factors, rng)


class WrongLink(RUV4):
    def _estimate_factors(self, problem, n_factors, rng):
        found = super()._estimate_factors(problem, n_factors, rng)
        return replace(found, link=LinkEstimate(2.0 * found.link.omega, found.link.covariance))


class StoresMore(Plain):
    def __init__(self, n_factors="auto", *, model=None, random_state=0):
        super().__init__(n_factors or 1, model=model, random_state=random_state)


class TogetherOnly(Plain):
    def transform(self, X):
        scores = super().transform(X)
        return scores - scores.mean(axis=0)


class Shuffled(Plain):
    """Needs labels that it says it does not need."""

    method_info = replace(la.ResidualPCA.method_info, needs=("labels",))


class NoCard(Plain):
    method_info = replace(la.ResidualPCA.method_info, summary="")


class UnknownPromise(Plain):
    method_info = replace(la.ResidualPCA.method_info, not_promised={"speed": "It is a slow method, unfortunately."})


class Logged(Plain):
    """Not broken: components of logarithms of counts."""

    method_info = replace(la.ResidualPCA.method_info, input_scale="counts")

    def scores(self, problem, n_factors, rng):
        return np.linalg.svd(problem.basis.project_out(np.log1p(values(problem))))[0][:, :n_factors]


BROKEN = [
    (Unseeded, "repetition"),
    (FirstSample, "sample_order"),
    (FirstFeature, "feature_order"),
    (RawData, "shift"),
    (RawData, "nuisance_effects"),
    (Penalised, "units"),
    (Writing, "input_untouched"),
    (OneMore, "number_as_asked"),
    (NotFinite, "finite_answer"),
    (SinglePrecision, "float32_storage"),
    (WrongLink, "link"),
    (StoresMore, "zero_factors"),
    (TogetherOnly, "one_sample_at_a_time"),
    (Shuffled, "card"),
    (NoCard, "card"),
    (UnknownPromise, "declarations"),
]


@pytest.mark.parametrize(("method", "promise"), BROKEN, ids=lambda value: getattr(value, "__name__", value))
def test_a_broken_promise_is_named(method: type, promise: str) -> None:
    with pytest.raises(ContractError, match=f"{method.__name__} breaks the promise {promise}: ") as caught:
        check_latent_factor_estimator(method(), promises=(promise,))
    assert caught.value.promise == promise
    assert isinstance(caught.value, AssertionError)


def test_what_is_broken_on_purpose_keeps_everything_otherwise() -> None:
    outcome = check_latent_factor_estimator(Plain())
    assert list(outcome) == [promise.name for promise in PROMISES]
    assert {name for name, reason in outcome.items() if reason != "kept"} == {"link", "zero_counts"}


def test_declared_exceptions_are_not_asked_and_come_back_with_their_reason() -> None:
    reason = "Components are those of the data as they are."

    class Declared(RawData):
        method_info = replace(la.ResidualPCA.method_info, not_promised={"shift": reason})

    assert check_latent_factor_estimator(Declared(), promises=("shift",)) == {"shift": reason}


def test_tolerances_are_arguments() -> None:
    class Coarse(Plain):
        def scores(self, problem, n_factors, rng):
            return np.round(super().scores(problem, n_factors, rng), 6) + 0.0

    order = ("float32_rounding",)
    with pytest.raises(ContractError, match=r"allowed are 1\.0e-09"):
        check_latent_factor_estimator(Coarse(), promises=order, single=1e-9)
    assert check_latent_factor_estimator(Coarse(), promises=order, single=1e-4) == {"float32_rounding": "kept"}


def test_data_of_your_own() -> None:
    study = made_up_study()
    table = study.sample_data.rename(columns={"x": "dose", "age": "years"})
    outcome = check_latent_factor_estimator(
        la.RUV4(),
        X=study.frame.iloc[:, :200],
        sample_data=table,
        formula="~ dose | years",
        controls=[f"g{i}" for i in range(40)],
        n_factors=1,
    )
    assert outcome["full_regression"] == outcome["link"] == "kept"
    with pytest.raises(InputError, match="sample_data="):
        check_latent_factor_estimator(la.RUV4(), X=study.X)
    with pytest.raises(InputError, match="promise"):
        check_latent_factor_estimator(la.RUV4(), promises=("speed",))


def test_methods_are_told_what_they_need_about_the_samples() -> None:
    class Replicated(Plain):
        """Averages of replicates; wants their labels."""

        method_info = replace(la.ResidualPCA.method_info, needs=("replicates",))
        sample_parameters = ("replicates",)

        def __init__(self, n_factors="auto", *, replicates=None, model=None, random_state=0):
            super().__init__(n_factors, model=model, random_state=random_state)
            self.replicates = replicates

        def scores(self, problem, n_factors, rng):
            labels = pd.factorize(pd.Series(problem.annotations["replicates"]), sort=True)[0]
            groups = np.eye(labels.max() + 1)[labels]
            scores = super().scores(problem, n_factors, rng)
            return groups @ (groups.T @ scores) / groups.sum(axis=0)[labels][:, None]

    kept = check_latent_factor_estimator(Replicated(), promises=("sample_order", "feature_order", "refusals", "card"))
    assert set(kept.values()) == {"kept"}


def test_counts_have_a_study_of_their_own() -> None:
    study = made_up_study("counts")
    assert (study.X >= 0).all()
    assert (np.round(study.X) == study.X).all()

    outcome = check_latent_factor_estimator(Logged())
    assert outcome["zero_counts"] == "kept"
    for name in ("shift", "units", "nuisance_effects", "constant_features"):
        assert outcome[name] == "counts cannot be shifted or scaled"


def test_promises_have_names_and_sentences() -> None:
    names = [promise.name for promise in PROMISES]
    assert len(set(names)) == len(names)
    assert all(promise.statement.endswith(".") for promise in PROMISES)


def test_every_promise_is_asked_of_some_method() -> None:
    """A promise from which all methods are exempt would be no promise."""
    exempt_everywhere = {promise.name for promise in PROMISES}
    for cls in METHODS:
        asked = {p.name for p in PROMISES if not p.skipped(_subject(cls))}
        exempt_everywhere -= asked
    assert exempt_everywhere <= {"zero_counts"}  # until a method for counts is in the catalogue


def _subject(cls: type):
    from tests.contracts.made_up import subject

    return subject(cls)
