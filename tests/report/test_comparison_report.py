"""Reports of comparisons: complete, escaped, with their numbers beside them."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest

from latentadj.compare import compare, null_check
from latentadj.report.comparison import write_null_check_report
from latentadj.simulation import Scenario, simulate

EVIL = Scenario("<script>alert(1)</script>", n_samples=20, n_features=150, n_factors=1)


def fails(study, n_factors, seed):
    raise ValueError("<b>bad</b>")


@pytest.fixture(scope="module")
def found():
    return compare({"none": "none", "cate": "cate", "<i>bad</i>": fails}, EVIL, None, 2)


def test_comparison(found, tmp_path):
    path = found.report(tmp_path / "c.html")
    page = path.read_text(encoding="utf-8")
    assert "<script>alert" not in page
    assert "<b>bad</b>" not in page
    assert "<i>bad" not in page
    assert page.count("<figure>") >= 4
    assert page.count("<img alt=") == page.count("<figure>")
    for title in ("Answer", "Pictures", "Tables", "How it was made", "Analyses that failed"):
        assert title in page
    beside = pd.read_csv(tmp_path / "c_files" / "summary.tsv", sep="\t")
    np.testing.assert_allclose(beside["fdp"], found.summary()["fdp"])
    assert len(pd.read_csv(tmp_path / "c_files" / "cells.tsv", sep="\t")) == 6
    verdicts = json.loads((tmp_path / "c_files" / "report.json").read_text())["sections"][0]["content"][0]
    levels = {line["topic"]: line["level"] for line in verdicts}
    assert levels["<i>bad</i>"] == "warning"


def test_null_check(tmp_path):
    study = simulate(Scenario(n_samples=30, n_features=200, n_factors=1), 1)
    check = null_check(study.X, study.design, method="cate", n_repeats=3)
    page = write_null_check_report(check, tmp_path / "n.html").read_text(encoding="utf-8")
    assert check.verdict in page
    assert page.count("<figure>") == 1
    assert (tmp_path / "n_files" / "null_check.tsv").exists()
