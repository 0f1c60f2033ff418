"""Comparisons: what a row depends on, what happens to failures, and every way of running gives the same rows."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from pandas.testing import assert_frame_equal

import latentadj as la
from latentadj.compare import Comparison, Findings, compare
from latentadj.compare.comparison import MEASURED_ON_MACHINE
from latentadj.compare.naming import derived_seed
from latentadj.exceptions import InputError, MethodError, OutputError
from latentadj.num_factors import ParallelAnalysis
from latentadj.simulation import Scenario, error_rates, simulate
from tests.compare.studies import PLAIN, SMALL, broken, coin

GROUPS = ("errors", "calibration", "factors")


def timeless(frame: pd.DataFrame) -> pd.DataFrame:
    """Leave out what depends on the machine."""
    return frame.drop(columns=[name for name in MEASURED_ON_MACHINE if name in frame]).reset_index(drop=True)


def small(methods=("none", "cate"), scenarios=(SMALL, PLAIN), n_repeats=2, **options):
    return compare(methods, scenarios, GROUPS, n_repeats, **options)


@pytest.fixture(scope="module")
def reference() -> Comparison:
    return small()


class TestRows:
    def test_one_per_cell_in_the_order_asked_for(self, reference):
        frame = reference.frame
        keys = list(zip(frame["scenario"], frame["repeat"], frame["method"], frame["rule"], strict=True))
        assert keys == [
            (s, r, m, "auto" if m == "cate" else "-")
            for s in ("small", "plain")
            for r in (0, 1)
            for m in ("none", "cate")
        ]
        assert (frame["status"] == "ok").all()

    def test_equal_an_analysis_by_hand(self, reference):
        study = simulate(SMALL, np.random.default_rng(derived_seed(0, "study", "small", 1)))
        seed = derived_seed(0, "analysis", "small", 1, "cate", "auto")
        result = la.adjust(study.X, study.design, method="cate", random_state=seed)
        rates = error_rates(result, study.truth)
        row = reference.frame.set_index(["scenario", "repeat", "method"]).loc[("small", 1, "cate")]
        assert (row["type1_05"], row["fdp"], row["power"]) == (rates.type_one_error, rates.fdp, rates.power)
        assert row["n_factors"] == result.n_factors
        assert row["k_error"] == result.n_factors - 1

    @pytest.mark.parametrize(
        "more",
        [
            {"methods": ("sva", "none", "cate", "residual_pca")},
            {"scenarios": (Scenario("third", n_samples=12, n_features=60), PLAIN, SMALL)},
            {"n_repeats": 3},
            {"rules": ("auto", 1)},
        ],
    )
    def test_do_not_depend_on_what_else_is_compared(self, reference, more):
        frame = small(**more).frame
        keys = ["scenario", "repeat", "method", "rule"]
        both = frame.merge(reference.frame[keys], on=keys).set_index(keys).sort_index()
        assert len(frame) > len(reference.frame) == len(both)
        assert_frame_equal(timeless(both), timeless(reference.frame.set_index(keys).sort_index()), check_exact=True)

    def test_depend_on_the_seed_and_on_names(self, reference):
        other = small(random_state=1).frame
        assert not np.allclose(other["type1_05"], reference.frame["type1_05"])
        renamed = small(scenarios=(replace(SMALL, name="renamed"), PLAIN)).frame
        assert not np.allclose(renamed["type1_05"][:4], reference.frame["type1_05"][:4])
        draws = compare({"one": coin, "two": coin}, SMALL, "calibration", 2).frame
        assert draws["inflation"].nunique() == 4

    def test_rules(self):
        found = compare(
            ["none", "cate", "oracle"], SMALL, GROUPS, 1, rules=["true", 0, ParallelAnalysis(n_permutations=5)]
        )
        table = found.frame.set_index(["method", "rule"])["n_factors"]
        assert table.index.tolist() == [
            ("none", "-"), ("cate", "true"), ("cate", "0"), ("cate", "parallel_analysis"), ("oracle", "-"),
        ]  # fmt: skip
        assert table["cate", "true"] == 1
        assert table["cate", "0"] == 0
        assert list(found.table("fdp").columns) == [
            "none",
            "cate, true",
            "cate, 0",
            "cate, parallel_analysis",
            "oracle",
        ]


class TestContestants:
    def test_forms(self):
        methods = {
            "mine": coin,
            "three factors": la.CATE(n_factors=3),
            "an estimator": la.CATE(),
            "options": {"method": "cate", "calibration": "mad"},
            "auto with controls": {"method": "auto", "use_controls": True},
            "by hand": lambda study, k, seed: la.adjust(study.X, study.design, method="cate", n_factors=k),
        }
        found = compare(methods, SMALL, GROUPS, 1).frame.set_index("method")
        assert (found["status"] == "ok").all(), found["message"].tolist()
        assert found.loc["three factors", "n_factors"] == 3
        assert found.loc["three factors", "rule"] == "-"
        assert found.loc["options", "type1_05"] != found.loc["an estimator", "type1_05"]

    def test_oracle_sees_the_factors(self):
        found = compare(["oracle", "none"], [replace(SMALL, confounding=0.8, n_samples=60)], GROUPS, 4)
        errors = found.table("type1_05").iloc[0]
        assert errors["oracle"] < 0.08 < 0.2 < errors["none"]

    def test_controls_and_replicates_arrive(self):
        found = compare(["ruv4", "ruv3"], SMALL, "errors", 1).frame
        assert (found["status"] == "ok").all()

    @pytest.mark.parametrize(
        ("call", "match"),
        [
            (lambda: compare(["no such"], SMALL), "unknown"),
            (lambda: compare(["cate", "cate"], SMALL), "twice"),
            (lambda: compare([], SMALL), "nothing to compare"),
            (lambda: compare(["cate"], ["no such family"]), "unknown"),
            (lambda: compare(["cate"], [3]), "no scenario"),
            (lambda: compare(["cate"], SMALL, "beauty"), "metrics"),
            (lambda: compare(["cate"], SMALL, rules="no such"), "names no rule"),
            (lambda: compare(["cate"], SMALL, rules=-1), "names no number"),
            (lambda: compare([3], SMALL), "no name"),
        ],
    )
    def test_unknown_names_are_found_first(self, call, match):
        with pytest.raises(MethodError, match=match):
            call()

    @pytest.mark.parametrize("options", [{"n_repeats": 0}, {"random_state": np.random.default_rng(0)}, {"fdr": 1.5}])
    def test_numbers_out_of_range(self, options):
        with pytest.raises(InputError):
            compare(["none"], SMALL, **options)


class TestFailures:
    def test_a_failing_method_is_a_row(self):
        found = small({"none": "none", "bad": broken})
        frame = found.frame.set_index("method")
        assert (frame.loc["bad", "status"] == "failed").all()
        assert set(frame.loc["bad", "message"]) == {"ZeroDivisionError: nothing to divide by"}
        assert frame.loc["bad", "type1_05"].isna().all()
        assert (frame.loc["none", "status"] == "ok").all()
        summary = found.summary().set_index(["scenario", "method"])
        assert summary.loc[("small", "bad"), ["n_ok", "n_failed", "verdict"]].tolist() == [0, 2, "fails"]
        assert found.failures()["repeats"].tolist() == [2, 2]

    def test_what_a_study_lacks_is_a_message(self):
        """Two samples per group leave no room for ten factors."""
        found = compare(["cate"], replace(SMALL, n_samples=4), "errors", 1, rules=10).frame
        assert found.loc[0, "message"].startswith("DegreesOfFreedomError: ")

    def test_a_study_that_cannot_be_drawn(self):
        class Undrawable:
            name = "undrawable"

            def settings(self):
                return {}

            def draw(self, rng):
                raise RuntimeError("no")

        frame = compare(["none", "cate"], [Undrawable(), SMALL], "errors", 1).frame
        assert frame["status"].tolist() == ["failed", "failed", "ok", "ok"]
        assert frame["message"][0] == "RuntimeError: no"


class TestWaysOfRunning:
    def test_processes(self, reference):
        assert_frame_equal(timeless(small(n_jobs=2).frame), timeless(reference.frame), check_exact=True)

    def test_executor(self, reference):
        with ThreadPoolExecutor(1) as pool:
            assert_frame_equal(timeless(small(client=pool).frame), timeless(reference.frame), check_exact=True)

    def test_dask(self, reference):
        distributed = pytest.importorskip("distributed")
        with (
            distributed.LocalCluster(
                n_workers=1, threads_per_worker=1, processes=False, dashboard_address=None, protocol="inproc://"
            ) as cluster,
            distributed.Client(cluster) as client,
        ):
            assert_frame_equal(timeless(small(client=client).frame), timeless(reference.frame), check_exact=True)

    def test_progress(self):
        seen = []
        small(progress=lambda done, total: seen.append((done, total)))
        assert seen == [(2, 8), (4, 8), (6, 8), (8, 8)]


class TestFolder:
    def test_finished_cells_are_not_run_again(self, tmp_path, reference):
        first = small(folder=tmp_path, n_repeats=1)
        stamps = {path: path.stat().st_mtime_ns for path in tmp_path.iterdir()}
        seen = []
        again = small(folder=tmp_path, resume=True, progress=lambda done, total: seen.append((done, total)))
        assert_frame_equal(timeless(again.frame), timeless(reference.frame), check_exact=True)
        assert {path: path.stat().st_mtime_ns for path in stamps} == stamps
        assert len(list(tmp_path.iterdir())) == 8 == 2 * len(stamps)
        assert seen == [(6, 8), (8, 8)]
        old = again.frame[again.frame["repeat"] == 0].reset_index(drop=True)
        assert_frame_equal(old, first.frame, check_exact=True)  # the times too: they were read

    def test_failures_are_kept_too(self, tmp_path):
        first = small({"bad": broken, "none": "none"}, folder=tmp_path)
        again = small({"bad": broken, "none": "none"}, folder=tmp_path, resume=True)
        assert_frame_equal(again.frame, first.frame, check_exact=True)

    def test_a_folder_in_use_is_refused_without_resume(self, tmp_path):
        small(folder=tmp_path, n_repeats=1)
        with pytest.raises(OutputError, match="resume"):
            small(folder=tmp_path)

    @pytest.mark.parametrize(
        "change",
        [
            {"methods": {"none": "none", "cate": {"method": "cate", "calibration": "mad"}}},
            {"scenarios": (replace(SMALL, loading_sd=0.5), replace(PLAIN, n_features=100))},
            {"fdr": 0.05},
            {"random_state": 3},
        ],
    )
    def test_other_settings_are_other_cells(self, tmp_path, change):
        small(folder=tmp_path)
        seen = []
        changed = small(folder=tmp_path, resume=True, progress=lambda *n: seen.append(n), **change)
        assert seen
        assert_frame_equal(timeless(changed.frame), timeless(small(**change).frame), check_exact=True)

    def test_a_damaged_cell_is_run_again(self, tmp_path, reference):
        small(folder=tmp_path)
        paths = sorted(tmp_path.iterdir())
        paths[0].write_text(paths[0].read_text()[:40])
        paths[1].write_text("")
        paths[2].write_text('{"key": "another", "row": {}}')
        again = small(folder=tmp_path, resume=True)
        assert_frame_equal(timeless(again.frame), timeless(reference.frame), check_exact=True)

    def test_a_place_that_is_no_folder(self, tmp_path):
        (tmp_path / "file").write_text("")
        with pytest.raises(OutputError):
            small(folder=tmp_path / "file" / "cells")


class TestSummary:
    def test_means_and_errors(self, reference):
        summary = reference.summary().set_index(["scenario", "method"])
        cells = reference.frame.groupby(["scenario", "method"])["fdp"]
        for key in summary.index:
            assert summary.loc[key, "fdp"] == cells.get_group(key).mean()
            assert summary.loc[key, "se_fdp"] == pytest.approx(cells.get_group(key).std(ddof=1) / np.sqrt(2))
        assert summary.loc[("small", "cate"), "abs_k_error"] >= abs(summary.loc[("small", "cate"), "k_error"])

    def test_verdicts(self):
        found = compare(["none", "oracle"], [Scenario("c", n_samples=40, n_features=300), PLAIN], "errors", 4)
        verdicts = found.table("verdict")
        assert verdicts.loc["c", "none"] == "type-I error too high; too many false discoveries"
        assert verdicts.loc["c", "oracle"] == verdicts.loc["plain", "none"] == "holds"

    def test_tables_and_cards(self, reference):
        table = reference.table("power")
        assert table.index.tolist() == ["small", "plain"]
        assert table.columns.tolist() == ["none", "cate"]
        with pytest.raises(InputError, match="not measured"):
            reference.table("beauty")
        assert "2 scenarios x 2 repeats, 2 methods" in repr(reference)
        html = compare({"<b>": "none"}, SMALL, "errors", 1)._repr_html_()
        assert "&lt;b&gt;" in html
        assert "<b>" not in html


def test_every_group_of_metrics():
    frame = compare(["cate"], SMALL, None, 2).frame
    assert frame["peak_mb"].notna().tolist() == [True, False]
    assert frame["peak_mb"][0] > 150 * 20 * 8 / 1e6  # more than the matrix once
    assert frame["jaccard"].between(0, 1).all()
    numbers = frame.select_dtypes("number").drop(columns="peak_mb")
    assert numbers.notna().all(axis=None)


def test_findings_of_a_term_with_several_columns():
    X = np.random.default_rng(0).normal(size=(18, 40))
    result = la.adjust(X, pd.DataFrame(np.eye(3)[np.arange(18) % 3][:, 1:], columns=["a", "b"]), method="none")
    found = Findings.of(result)
    assert found.estimate is None
    assert found.p_value.shape == (40,)
