"""Negative controls: every accepted form gives the same mask, every mistake its own message."""

from __future__ import annotations

import gzip

import numpy as np
import pandas as pd
import pytest

from latentadj.data import read_controls, resolve_controls
from latentadj.exceptions import ControlsError, FileFormatError

FEATURES = ["g1", "AFFX-2", "g3", "AFFX-4"]
MASK = np.array([False, True, False, True])


@pytest.mark.parametrize(
    "controls",
    [
        ["AFFX-4", "AFFX-2"],
        ("AFFX-2", "AFFX-4", "AFFX-2"),
        {"AFFX-2", "AFFX-4"},
        np.array(["AFFX-2", "AFFX-4"]),
        pd.Index(["AFFX-2", "AFFX-4"]),
        MASK,
        MASK.tolist(),
        pd.Series(MASK, index=FEATURES),
        pd.Series(MASK, index=FEATURES).iloc[::-1],
        pd.Series(MASK),
        [1, 3],
        np.array([3, 1], dtype=np.uint8),
    ],
)
def test_every_form_gives_the_same_mask(controls):
    mask = resolve_controls(controls, FEATURES, 4)
    assert mask.dtype == bool
    assert mask.tolist() == MASK.tolist()


def test_mask_is_a_copy():
    mask = resolve_controls(MASK, FEATURES, 4)
    assert not np.shares_memory(mask, MASK)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("c.txt", "AFFX-2\nAFFX-4\n"),
        ("c.txt", "# spike-ins\n\n  AFFX-2\r\nAFFX-4"),
        ("c.tsv", "feature\tkind\nAFFX-2\tx\nAFFX-4\ty\n"),
        ("c.csv", '"gene","kind"\n"AFFX-2",x\n"AFFX-4",y\n'),
        ("c.txt.gz", "AFFX-2\nAFFX-4\n"),
    ],
)
def test_files(tmp_path, name, text):
    path = tmp_path / name
    path.write_bytes(gzip.compress(text.encode()) if name.endswith(".gz") else text.encode())
    assert read_controls(path, FEATURES).tolist() == MASK.tolist()
    assert resolve_controls(str(path), FEATURES, 4).tolist() == MASK.tolist()


def test_missing_names_are_counted_with_near_matches():
    with pytest.raises(ControlsError) as caught:
        resolve_controls(["g1", "affx.2", "zz1", "zz2", "zz3", "zz4", "zz5"], FEATURES, 4)
    message = str(caught.value)
    assert "1 of 7 control features were found in the matrix, 6 were not" in message
    assert "'affx.2', 'zz1', 'zz2', 'zz3', 'zz4' and 1 more" in message
    assert "'affx.2' looks like 'AFFX-2'" in message


def test_missing_names_can_be_dropped_but_not_all():
    assert resolve_controls(["g1", "zz"], FEATURES, 4, missing="drop").tolist() == [True, False, False, False]
    with pytest.raises(ControlsError, match="0 of 1 control features"):
        resolve_controls(["zz"], FEATURES, 4, missing="drop")


@pytest.mark.parametrize(
    ("controls", "message"),
    [
        ([], "shape"),
        (None, "shape"),
        ([True, False], "has 2 entries, the matrix has 4 features"),
        ([False] * 4, "marks no feature"),
        ([1, 4], "1 of 2 control indices are outside 0..3: '4'"),
        ([-1], "outside"),
        ([0, 1, 0, 1], "looks like a mask"),
        ([0.5], "float64"),
        ("no_such_file.txt", "no such file"),
    ],
)
def test_mistakes(controls, message):
    with pytest.raises(ControlsError, match=message):
        resolve_controls(controls, FEATURES, 4)


def test_names_need_feature_ids():
    with pytest.raises(ControlsError, match="have no IDs"):
        resolve_controls(["g1"], None, 4)


@pytest.mark.parametrize("text", ["", "# only a comment\n"])
def test_empty_file(tmp_path, text):
    path = tmp_path / "c.txt"
    path.write_text(text)
    with pytest.raises(FileFormatError, match=r"empty|no IDs"):
        read_controls(path, FEATURES)
