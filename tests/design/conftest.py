"""The sample table of the bladder-cancer study, with R's design matrices for it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

REFERENCE = Path(__file__).parents[1] / "reference" / "design" / "reference.npz"


@pytest.fixture(scope="session")
def reference() -> dict[str, np.ndarray]:
    with np.load(REFERENCE) as stored:
        return {name: stored[name] for name in stored.files}


@pytest.fixture
def bladder(reference) -> pd.DataFrame:
    """57 samples; batch as text, cancer with the levels Biopsy, Cancer, Normal."""
    batch = reference["samples__batch"]
    table = pd.DataFrame(
        {
            "cancer": reference["samples__cancer"],
            "batch": batch.astype(str),
            "batch_number": batch,
            "site": np.array(["A", "A", "B", "C", "C"])[batch - 1],
            "dose": (np.arange(57) + 1) % 7,
        },
        index=reference["samples__ids"],
    )
    return table
