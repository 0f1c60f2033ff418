"""The vignette runs, and what its text claims holds in the numbers it shows."""

from __future__ import annotations

import re
import time
import warnings
from pathlib import Path

import matplotlib as mpl

mpl.use("Agg")

import matplotlib.pyplot as plt
import pytest

VIGNETTE = Path(__file__).parents[2] / "vignettes" / "bladder.md"


@pytest.fixture(scope="module")
def story() -> dict:
    """Names that the code cells leave behind."""
    cells = re.findall(r"^```\{code-cell\} python3\n(.*?)^```$", VIGNETTE.read_text(encoding="utf-8"), re.S | re.M)
    names: dict = {}
    started = time.process_time()
    with warnings.catch_warnings():
        for cell in cells:
            exec(compile(cell, VIGNETTE.name, "exec"), names)
    plt.close("all")
    names["seconds"] = time.process_time() - started
    names["n_cells"] = len(cells)
    return names


def test_it_runs_in_under_two_minutes(story):
    assert story["n_cells"] >= 15
    assert story["seconds"] < 120


def test_the_batch_was_not_told(story):
    assert list(story["known"].columns) == ["cancer"]
    assert "batch" not in story["result"].sample_data
    assert story["result"].design.formula == "~ cancer"


def test_the_unadjusted_pvalues_are_inflated(story):
    table = story["diagnostics"].calibration_table(story["naive"])
    assert set(table["verdict"]) == {"inflated"}


def test_the_batch_is_found(story):
    found = story["recovery"].loc[0]
    assert found["p_value"] < 1e-8
    assert found["canonical_correlation"] > 0.8
    assert found["r2"] > max(story["shuffled"]) + 0.1


def test_the_tissue_is_confounded_with_the_factors(story):
    assert story["result"].confounding.table().loc["cancer[T.Cancer]", "p_value"] < 1e-4


def test_adjustment_helps_one_contrast_and_not_the_other(story):
    table = story["comparison"].set_index("contrast")
    normal, cancer = table.loc["cancer[Normal] - cancer[Biopsy]"], table.loc["cancer[Cancer] - cancer[Biopsy]"]
    assert normal["correlation, adjusted"] > normal["correlation, unadjusted"]
    assert cancer["correlation, adjusted"] < cancer["correlation, unadjusted"]


def test_within_one_batch_cancers_differ_from_biopsies_in_many_genes(story):
    assert story["alone"].n_samples == 19
    assert story["diagnostics"].calibration_table(story["alone"])["verdict"].iloc[0] == "inflated"
