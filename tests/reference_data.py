"""Data sets and stored reference numbers used by the whole test suite.

Only files of the repository are read: ``tests/reference`` and the data bundled with the package. The values
are exactly (bit for bit) the float64 numbers of the CSV files that the reference packages were run on, so
parity can be asked to full double precision. Import it as ``from tests.reference_data import sim1``.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

REFERENCE = Path(__file__).resolve().parent / "reference"
BUNDLED_BLADDER = Path(__file__).resolve().parents[1] / "latentadj" / "data" / "bundled" / "bladder.npz"
MICRO = 1_000_000


@dataclass(frozen=True)
class ReferenceData:
    """One data set: matrix, sample table, feature table.

    Attributes
    ----------
    X : (n_samples, n_features) float64, read-only, C-contiguous
        The measured matrix.
    sample_data : DataFrame, index = sample IDs
        sim1, sim2: x, age, block, batch and the true factors z1, z2 (z3). simcounts: group, batch, z.
        bladder: sample, outcome, batch (integers 1-5), cancer (Biopsy, Cancer, Normal).
    feature_data : DataFrame, index = feature IDs
        Simulated sets: true effect ``beta``, ``ctl`` (1 = negative control), ``sigma``, true loadings g1 ...
        bladder: ``ctl`` (1 = AFFX probe).
    """

    X: NDArray[np.float64]
    sample_data: pd.DataFrame
    feature_data: pd.DataFrame

    @property
    def frame(self) -> pd.DataFrame:
        """The matrix as a DataFrame, samples x features, with IDs."""
        return pd.DataFrame(self.X, index=self.sample_data.index, columns=self.feature_data.index)

    @property
    def controls(self) -> NDArray[np.bool_]:
        """(n_features,) mask of the negative controls."""
        return self.feature_data["ctl"].to_numpy() == 1


def _frozen(values: NDArray) -> NDArray[np.float64]:
    values = np.ascontiguousarray(values, dtype=np.float64)
    values.flags.writeable = False
    return values


def _table(stored, prefix: str) -> pd.DataFrame:
    mark = f"{prefix}__"
    columns = {key[len(mark) :]: stored[key] for key in stored.files if key.startswith(mark)}
    return pd.DataFrame(columns, index=[str(i) for i in stored[f"{prefix}_ids"]])


@cache
def _simulated(name: str) -> ReferenceData:
    with np.load(REFERENCE / "data" / f"{name}.npz") as stored:
        return ReferenceData(
            X=_frozen(stored["millionths"] / MICRO),
            sample_data=_table(stored, "sample"),
            feature_data=_table(stored, "feature"),
        )


def sim1() -> ReferenceData:
    """60 samples x 1000 features, three hidden factors, 50 controls, 100 true effects of ``x``."""
    return _simulated("sim1")


def sim2() -> ReferenceData:
    """12 samples x 200 features, two hidden factors, 20 controls, 20 true effects of ``x``."""
    return _simulated("sim2")


def simcounts() -> ReferenceData:
    """40 samples x 992 features of negative binomial counts, 50 controls, 100 true effects of ``group``."""
    return _simulated("simcounts")


@cache
def bladder_reference() -> ReferenceData:
    """57 samples x 22,283 probes, the exact values the reference packages saw; controls: 68 AFFX probes."""
    with np.load(BUNDLED_BLADDER) as stored:
        values = np.round(stored["X"].astype(np.float64), 6)
        sample_ids = [str(i) for i in stored["sample_ids"]]
        feature_ids = [str(i) for i in stored["feature_ids"]]
        sample_data = pd.DataFrame(
            {
                "sample": np.arange(1, len(sample_ids) + 1),
                "outcome": stored["outcome"].astype(object),
                "batch": stored["batch"].astype(int),
                "cancer": stored["cancer"].astype(object),
            },
            index=sample_ids,
        )
    controls = [int(i.startswith("AFFX")) for i in feature_ids]
    return ReferenceData(_frozen(values), sample_data, pd.DataFrame({"ctl": controls}, index=feature_ids))


def load_reference(package: str, name: str) -> dict[str, NDArray]:
    """Read every array of ``tests/reference/<package>/<name>.npz``."""
    with np.load(REFERENCE / package / f"{name}.npz") as stored:
        return {key: stored[key] for key in stored.files}
