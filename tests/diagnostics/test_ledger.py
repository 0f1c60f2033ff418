"""The assumption ledger on studies where the assumption holds, and where it fails."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

import latentadj as la
from latentadj.diagnostics.ledger import LEDGER_COLUMNS, assumption_ledger, assumption_table
from latentadj.factors import LatentFactorEstimator, MethodInfo
from latentadj.results.factors import FactorEstimate
from latentadj.simulation import FAMILIES, simulate
from tests.diagnostics.studies import quiet

N_STUDIES = 20
BASE = replace(FAMILIES["base"], n_features=800)


def verdicts(result: la.AdjustmentResult, **options) -> dict[str, str]:
    return {check.name: check.verdict for check in assumption_ledger(result, **options)}


def levels(result: la.AdjustmentResult, **options) -> dict[str, str]:
    return {check.name: check.level for check in assumption_ledger(result, **options)}


def run(scenario, seed: int, method: str, spoil=None, **options) -> la.AdjustmentResult:
    study = simulate(scenario, seed)
    X, controls = study.X, study.truth.controls
    if spoil is not None:
        X = spoil(study, np.random.default_rng(seed))
    given = controls if method in ("ruv4", "ruv2") else None
    return quiet(X, study.design, method=method, controls=given, n_factors=3, **options)


def counted(scenario, method: str, spoil=None, n: int = N_STUDIES) -> dict[str, Counter]:
    """How often each check had each level."""
    found: dict[str, Counter] = {}
    for seed in range(n):
        for name, level in levels(run(scenario, 500 + seed, method, spoil)).items():
            found.setdefault(name, Counter())[level] += 1
    return found


def controls_respond(share: float):
    def spoil(study, rng):
        taken = rng.choice(np.flatnonzero(study.truth.controls), int(share * study.truth.controls.sum()), replace=False)
        X = study.X.copy()
        X[:, taken] += study.design.primary @ (0.75 * rng.normal(size=(1, len(taken))))
        return X

    return spoil


def controls_without_first_factor(study, rng):
    X, truth = study.X.copy(), study.truth
    X[:, truth.controls] -= np.outer(truth.factors[:, 0], truth.loadings[truth.controls, 0])
    return X


CONTROL_CHECKS = {"number of controls", "controls feel the factors", "controls agree: x", "controls are null: x"}


@pytest.mark.parametrize("n_controls", [30, 100])
def test_good_controls_pass(n_controls: int) -> None:
    found = counted(replace(BASE, n_controls=n_controls), "ruv4")
    assert set(found) == {"assumption", *CONTROL_CHECKS}
    for name in CONTROL_CHECKS:
        assert found[name]["ok"] >= 0.9 * N_STUDIES, name


def test_controls_that_respond_are_seen() -> None:
    """A fifth of them scatter too much; with half of them, too many are significant as well."""
    found = counted(BASE, "ruv4", controls_respond(0.2))
    assert found["controls agree: x"]["warning"] >= 0.9 * N_STUDIES
    found = counted(BASE, "ruv4", controls_respond(0.5))
    assert found["controls agree: x"]["warning"] == N_STUDIES
    assert found["controls are null: x"]["warning"] >= 0.9 * N_STUDIES


def test_controls_that_miss_a_factor_are_seen() -> None:
    found = counted(BASE, "ruv4", controls_without_first_factor, n=5)
    assert found["controls feel the factors"]["warning"] == 5


def test_few_controls_are_named() -> None:
    assert verdicts(run(replace(BASE, n_controls=12), 0, "ruv4"))["number of controls"] == "few"
    few = run(replace(BASE, n_controls=6), 0, "ruv4")
    assert levels(few)["number of controls"] == "warning"


def test_sparse_effects_pass() -> None:
    found = counted(BASE, "cate")
    assert set(found) == {"assumption", "few effects: x", "effects and loadings: x"}
    for name in ("few effects: x", "effects and loadings: x"):
        assert found[name]["ok"] >= 0.9 * N_STUDIES, name


def test_dense_effects_are_flagged() -> None:
    found = counted(replace(BASE, effect_share=0.7, effect_sd=1.5), "cate")
    assert found["few effects: x"]["ok"] == 0
    assert found["few effects: x"]["warning"] >= 0.8 * N_STUDIES
    assert found["effects and loadings: x"]["ok"] >= 0.9 * N_STUDIES


def test_effects_that_follow_loadings_are_flagged() -> None:
    """The family in which CATE fails: its controls, which it did not use, see it as well."""
    found = counted(replace(BASE, effect_share=0.3, effect_shape="loadings"), "cate", n=8)
    assert found["effects and loadings: x"]["warning"] >= 7


def test_controls_that_the_method_did_not_use_are_checked_too() -> None:
    study = simulate(BASE, 1)
    result = quiet(study.X, study.design, method="cate", n_factors=3, controls=study.truth.controls)
    assert {"controls agree: x", "controls are null: x"} < set(verdicts(result))
    assert "number of controls" not in verdicts(result)
    wrong = quiet(study.X, study.design, method="cate", n_factors=3, controls=~study.truth.is_null)
    assert levels(wrong)["controls are null: x"] == "warning"


class Given(LatentFactorEstimator):
    """Scores as given; the link is least squares, which makes effects and loadings orthogonal."""

    method_info = MethodInfo(
        name="given", title="Given scores", reference="this test", identified_by="the test says so", summary="As given."
    )
    sample_parameters = ("scores", "replicates")

    def __init__(self, n_factors="auto", *, scores=None, replicates=None, model=None, random_state=0):
        super().__init__(n_factors, model=model, random_state=random_state)
        self.scores = scores
        self.replicates = replicates

    def _estimate_factors(self, problem, n_factors, rng):
        if problem.annotations["scores"] is not None:
            return FactorEstimate(np.asarray(problem.annotations["scores"], dtype=float))
        directions = problem.spectrum.vectors[:, :n_factors]
        loadings = problem.project(directions)
        omega = np.linalg.lstsq(loadings, problem.naive_effects)[0].T
        return FactorEstimate(directions + problem.primary_residual @ omega)


def orthogonal(scenario, seed: int) -> dict[str, str]:
    study = simulate(scenario, seed)
    return levels(quiet(study.X, study.design, method=Given(3)), identification="orthogonality")


def test_least_squares_link_hides_a_trend_that_the_bulk_shows() -> None:
    good = [orthogonal(BASE, 500 + seed) for seed in range(10)]
    assert sum(found["bulk and loadings: x"] == "ok" for found in good) >= 9
    bad = replace(BASE, effect_share=0.3, effect_shape="loadings", effect_sd=1.5)
    found = [orthogonal(bad, 500 + seed)["bulk and loadings: x"] for seed in range(5)]
    assert found.count("warning") >= 4


def replicate_study(seed: int):
    """Ten subjects measured three times; a hidden factor differs between repeats."""
    rng = np.random.default_rng(seed)
    labels = np.repeat(np.arange(10), 3)
    x = (labels % 2).astype(float)
    hidden = rng.normal(size=(30, 1)) + 0.5 * x[:, None]
    X = hidden @ rng.normal(size=(1, 300)) + rng.normal(size=(10, 300))[labels] + rng.normal(size=(30, 300))
    table = pd.DataFrame({"x": x, "subject": [f"p{i}" for i in labels]}, index=[f"s{i}" for i in range(30)])
    return X, table, hidden, rng


def by_replicates(X, table, scores, **options):
    return quiet(X, "~ x", table, method=Given(1, scores=scores, replicates="subject", **options))


def test_replicates_come_closer_with_the_right_factor_only() -> None:
    name, found = "replicates come closer", Counter()
    for seed in range(10):
        X, table, hidden, rng = replicate_study(seed)
        right = by_replicates(X, table, hidden)
        assert verdicts(right, identification="replicates")[name] == "closer"
        assert verdicts(right, identification="replicates")["replicates share what is tested"] == "same"
        unrelated = by_replicates(X, table, rng.normal(size=(30, 1)))
        found[verdicts(unrelated, identification="replicates")[name]] += 1
    assert found["no closer"] + found["apart"] >= 9


def test_variance_between_replicates_by_hand() -> None:
    X, table, hidden, _ = replicate_study(0)
    result = by_replicates(X, table, hidden)
    labels = table["subject"].to_numpy()

    def within(values):
        centred = values - pd.DataFrame(values).groupby(labels).transform("mean").to_numpy()
        return np.sum(centred**2 / result.unadjusted_fit.sigma2)

    adjusted = X - hidden @ result.loadings.to_numpy().T * np.sign(result.factors.to_numpy()[0, 0] * hidden[0, 0])
    expected = within(adjusted) / within(X) / (1 - 1 / 28)
    checks = {c.name: c for c in assumption_ledger(result, identification="replicates")}
    assert checks["replicates come closer"].statistics["variance_ratio"] == pytest.approx(expected, rel=1e-9)
    assert checks["replicates come closer"].statistics["n_differences"] == 20


def test_replicates_that_differ_in_what_is_tested_are_a_warning() -> None:
    X, table, hidden, rng = replicate_study(0)
    table = table.assign(x=rng.permutation(table["x"]))
    found = levels(by_replicates(X, table, hidden), identification="replicates")
    assert found["replicates share what is tested"] == "warning"


def test_replicates_that_nobody_named() -> None:
    X, table, hidden, _ = replicate_study(0)
    result = quiet(X, "~ x", table, method=Given(1, scores=hidden))
    assert verdicts(result, identification="replicates")["replicates"] == "unknown"
    named = verdicts(result, identification="replicates", replicates="subject")
    assert named["replicates come closer"] == "closer"
    labels = verdicts(result, identification="replicates", replicates=table["subject"].to_numpy())
    assert labels == named


def test_a_result_from_disk_is_checked_without_the_data(tmp_path) -> None:
    X, table, hidden, _ = replicate_study(0)
    loaded = la.load_result(by_replicates(X, table, hidden).save(tmp_path / "r"))
    found = verdicts(loaded, identification="replicates")
    assert found["replicates"] == "unknown"
    assert found["replicates share what is tested"] == "same"
    result = run(BASE, 0, "ruv4")
    again = la.load_result(result.save(tmp_path / "controls"))
    pd.testing.assert_frame_equal(assumption_table(again), assumption_table(result))


def test_no_factors_and_no_assumption_are_said() -> None:
    found = {"present": Counter(), "absent": Counter()}
    for seed in range(10):
        study, clean = simulate(BASE, seed), simulate(replace(BASE, n_factors=0, confounding=0.0), seed)
        for title, data in (("present", study), ("absent", clean)):
            found[title][levels(quiet(data.X, data.design, n_factors=0))["hidden factors"]] += 1
    assert found["present"]["warning"] == 10
    assert found["absent"]["ok"] >= 8
    residual = quiet(study.X, study.design, method="residual_pca", n_factors=3, allow_invalid=True)
    (only,) = assumption_ledger(residual, identification="nothing")
    assert (only.verdict, only.level) == ("nothing", "warning")
    assert "Do not read" in only.next_step


def test_the_table_is_the_ledger() -> None:
    result = run(BASE, 0, "ruv4")
    table, ledger = assumption_table(result), assumption_ledger(result)
    assert tuple(table.columns) == LEDGER_COLUMNS
    assert table["check"].tolist() == [check.name for check in ledger]
    assert table["verdict"].tolist() == [check.verdict for check in ledger]
    assert "q_per_df" in table.set_index("check").loc["controls agree: x", "numbers"]
    assert not table["numbers"].str.contains("nan").any()


def test_every_tested_column_has_its_checks() -> None:
    data = la.load_bladder()
    result = quiet(data.X.iloc[:, :2000], "~ cancer", data.sample_data, method="cate", n_factors=2)
    names = set(verdicts(result))
    assert {f"few effects: {name}" for name in result.tests.names} < names
