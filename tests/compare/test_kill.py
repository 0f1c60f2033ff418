"""A comparison that is killed goes on where it was."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time

import pytest
from pandas.testing import assert_frame_equal

from latentadj.compare import compare
from latentadj.compare.comparison import MEASURED_ON_MACHINE
from latentadj.simulation import Scenario

SCENARIO = Scenario("killed", n_samples=20, n_features=150, n_factors=1)
METHODS, REPEATS, GROUPS = ("none", "cate", "sva"), 25, ("errors", "calibration")
SCRIPT = f"""
import sys
from latentadj.compare import compare
from latentadj.simulation import Scenario
scenario = Scenario("killed", n_samples=20, n_features=150, n_factors=1)
compare({METHODS!r}, scenario, {GROUPS!r}, {REPEATS}, folder=sys.argv[1])
"""


def cells(folder):
    """Finished cells; what the kill left of one that was being written has a hidden name."""
    return [path for path in folder.glob("*.cell.json") if not path.name.startswith(".")]


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="this system has no SIGKILL")
def test_resumes_after_sigkill(tmp_path):
    folder = tmp_path / "cells"
    process = subprocess.Popen([sys.executable, "-c", SCRIPT, str(folder)], env={**os.environ, "OMP_NUM_THREADS": "1"})
    deadline = time.monotonic() + 300
    while len(cells(folder)) < 10:
        assert process.poll() is None, "it ended before it could be killed"
        assert time.monotonic() < deadline, "nothing was finished in five minutes"
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    finished = {path: path.read_bytes() for path in cells(folder)}
    assert 10 <= len(finished) < len(METHODS) * REPEATS

    seen = []
    found = compare(
        METHODS, SCENARIO, GROUPS, REPEATS, folder=folder, resume=True, progress=lambda *numbers: seen.append(numbers)
    )
    assert seen[0][0] > len(finished) - 1
    assert {path: path.read_bytes() for path in finished} == finished
    assert len(cells(folder)) == len(METHODS) * REPEATS == len(found.frame)
    whole = compare(METHODS, SCENARIO, GROUPS, REPEATS)
    machine = [name for name in MEASURED_ON_MACHINE if name in found.frame]
    assert_frame_equal(found.frame.drop(columns=machine), whole.frame.drop(columns=machine), check_exact=True)
