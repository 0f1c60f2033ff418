"""The method of docs/extending.md: its arithmetic, its error rates, and its way into the catalogue."""

from __future__ import annotations

from dataclasses import replace
from importlib.metadata import EntryPoint

import numpy as np
import pandas as pd
import pytest

import latentadj as la
from latentadj.cli import main
from latentadj.factors import registry
from latentadj.simulation import FAMILIES, error_rates, simulate
from latentadj.testing import PROMISES, check_latent_factor_estimator, made_up_study
from tests.examples.third_party_method import Refactor

POINT = EntryPoint("refactor", "tests.examples.third_party_method:Refactor", registry.GROUP)


@pytest.fixture
def registered(monkeypatch: pytest.MonkeyPatch) -> None:
    """As if a package with this entry point were installed."""
    monkeypatch.setattr(registry, "entry_points", lambda group: [POINT] if group == registry.GROUP else [])


def by_hand(X: np.ndarray, nuisance: np.ndarray, k: int, sites: int) -> tuple[np.ndarray, np.ndarray]:
    """The paper's steps one by one: standardise, low-rank approximation, distances, components of the closest."""
    residuals = X - nuisance @ np.linalg.lstsq(nuisance, X)[0]
    standard = residuals / np.linalg.norm(residuals, axis=0)
    u, d, vt = np.linalg.svd(standard, full_matrices=False)
    approximation = u[:, :k] * d[:k] @ vt[:k]
    approximation /= np.linalg.norm(approximation, axis=0)
    distance = np.linalg.norm(standard - approximation, axis=0)
    chosen = np.argsort(distance)[:sites]
    return np.linalg.svd(standard[:, chosen], full_matrices=False)[0][:, :k], np.sort(chosen)


def test_it_is_the_algorithm_of_the_paper() -> None:
    study = made_up_study()
    design = la.Design.from_formula("~ x | age", study.sample_data)
    fitted = Refactor(2, sites=80).fit(study.X, design=design)
    components, chosen = by_hand(study.X, design.nuisance, 2, 80)
    np.testing.assert_array_equal(np.flatnonzero(fitted.estimate_.feature_weights), chosen)
    signs = np.sign(np.sum(components * fitted.factors_, axis=0))
    np.testing.assert_allclose(fitted.factors_, components * signs, atol=1e-12)


def test_it_keeps_every_promise() -> None:
    outcome = check_latent_factor_estimator(Refactor(sites=80))
    assert set(outcome) == {promise.name for promise in PROMISES}
    not_asked = {name for name, reason in outcome.items() if reason != "kept"}
    assert not_asked == {"link", "zero_counts"}  # no link is returned, and the data are no counts


def test_options_are_checked_when_it_is_fitted() -> None:
    study = made_up_study()
    with pytest.raises(la.exceptions.MethodError, match="sites=2 for 2 factors"):
        Refactor(2, sites=2).fit(study.X, study.sample_data["x"])


@pytest.mark.parametrize("confounding", [0.0, 0.5])
def test_type_one_error_when_nothing_is_true(confounding: float) -> None:
    """8 studies of 1000 features: a standard error of about 0.0025 for a rate of 0.05."""
    scenario = replace(FAMILIES["base"], n_features=1000, effect_share=0.0, confounding=confounding)
    rates, plain = [], []
    for seed in range(8):
        study = simulate(scenario, seed)
        found = la.adjust(study.X, study.design, method=Refactor(3, sites=200))
        rates.append(error_rates(found, study.truth).type_one_error)
        plain.append(float(np.mean(found.unadjusted_tests.p_value < 0.05)))
    assert 0.042 < np.mean(rates) < 0.058
    assert confounding == 0 or np.mean(plain) > 0.3


@pytest.mark.usefixtures("registered")
def test_registered_it_is_a_method_among_methods(tmp_path, capsys: pytest.CaptureFixture[str]) -> None:
    study = made_up_study()
    row = la.methods().loc["refactor"]
    assert (row["class"], row["needs"], row["identification"]) == ("Refactor", "", "sparsity")
    found = la.adjust(study.frame, "~ x | age", study.sample_data, method="refactor", n_factors=2, sites=80)
    expected = la.adjust(study.frame, "~ x | age", study.sample_data, method=Refactor(2, sites=80))
    pd.testing.assert_frame_equal(found.tidy(), expected.tidy(), check_exact=True)
    assert found.method_title == "ReFACTor"
    with pytest.raises(la.exceptions.MethodError, match="not an option of method 'refactor'"):
        la.adjust(study.frame, "~ x | age", study.sample_data, method="refactor", cells=3)

    study.frame.to_csv(tmp_path / "m.csv")
    study.sample_data.to_csv(tmp_path / "s.csv")
    files = ["fit", str(tmp_path / "m.csv"), "--samples", str(tmp_path / "s.csv"), "--out", str(tmp_path / "out")]
    settings = [
        "--formula",
        "~ x | age",
        "--method",
        "refactor",
        "--n-factors",
        "2",
        "--set",
        "sites=80",
        "--no-report",
    ]
    assert main([*files, *settings]) == 0
    table = pd.read_csv(tmp_path / "out" / "results.csv")
    np.testing.assert_allclose(table["estimate"], found.tidy()["estimate"], rtol=1e-6)
    capsys.readouterr()
    assert main(["methods", "refactor"]) == 0
    assert "Rahmani et al. (2016)" in capsys.readouterr().out


def test_without_the_package_the_name_is_unknown(capsys: pytest.CaptureFixture[str]) -> None:
    study = made_up_study()
    with pytest.raises(la.exceptions.MethodError, match="'refactor' is unknown"):
        la.adjust(study.frame, "~ x | age", study.sample_data, method="refactor")
    assert main(["methods", "refactor"]) == 2
    assert "'refactor' is unknown" in capsys.readouterr().err
