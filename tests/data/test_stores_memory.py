"""A pass over a file of 200 MB takes a few tens of megabytes: measured by the system, in a process of its own."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pandas as pd
import pytest

resource = pytest.importorskip("resource", reason="the peak memory of a process is read from /proc")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not sys.platform.startswith("linux"), reason="the peak memory of a process is read from /proc"),
]

N_FEATURES, N_SAMPLES = 100_000, 500
MEGABYTES = N_FEATURES * N_SAMPLES * 4 / 1e6
#: What a pass may hold beside its results; the file is more than three times as large.
ALLOWED = 60

PASS = """
import sys
from pathlib import Path

import numpy as np

from latentadj.core.kernels import GramKernel, RegressionKernel
from latentadj.core.matrix import ArrayMatrix
from latentadj.core.passes import pass_options, run_pass
from latentadj.data.stores import AnnDataMatrix, open_matrix


def peak():
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) / 1024


path, orientation = sys.argv[1:]
X = AnnDataMatrix(path) if path.endswith("h5ad") else open_matrix(path, orientation=orientation).matrix
n_samples, n_features = X.shape
basis = np.linalg.qr(np.column_stack([np.ones(n_samples), np.arange(n_samples)]))[0]
small = ArrayMatrix(np.ones((n_samples, 300)))
run_pass(small, GramKernel(n_samples, basis=basis), RegressionKernel(basis, 300, centred=True))
before = peak()
kernels = GramKernel(n_samples, basis=basis), RegressionKernel(basis, n_features, centred=True)
with pass_options(n_threads=2):
    gram, fitted = run_pass(X, *kernels)
results = fitted.effects.nbytes + fitted.rss.nbytes + fitted.tss.nbytes + fitted.mean.nbytes
print(peak() - before - results / 2**20, np.trace(gram), fitted.rss.sum())
"""


@pytest.fixture(scope="module")
def values():
    return np.random.default_rng(0).standard_normal((N_FEATURES, N_SAMPLES), dtype=np.float32)


def write_features_npy(path, values):
    np.save(path / "a.npy", values)
    return path / "a.npy", "features"


def write_samples_npy(path, values):
    np.save(path / "a.npy", np.ascontiguousarray(values.T))
    return path / "a.npy", "samples"


def write_zarr(path, values):
    import zarr

    zarr.create_array(path / "a.zarr", data=values, chunks=(2000, N_SAMPLES))
    return path / "a.zarr", "features"


def write_hdf5(path, values):
    import h5py

    with h5py.File(path / "a.h5", "w") as file:
        file.create_dataset("x", data=values, chunks=(1000, 100), compression="lzf")
    return path / "a.h5", "features"


def write_hdf5_samples(path, values):
    import h5py

    with h5py.File(path / "a.h5", "w") as file:
        file["x"] = values.T
    return path / "a.h5", "samples"


def write_parquet(path, values):
    pd.DataFrame(values).add_prefix("s").to_parquet(path / "a.parquet", row_group_size=2000)
    return path / "a.parquet", "features"


def write_h5ad(path, values):
    import anndata
    from scipy import sparse

    anndata.AnnData(sparse.csc_matrix(np.maximum(values.T - 0.5, 0.0))).write_h5ad(path / "a.h5ad")
    return path / "a.h5ad", "samples"


WRITERS = (
    write_features_npy,
    write_samples_npy,
    write_zarr,
    write_hdf5,
    write_hdf5_samples,
    write_parquet,
    write_h5ad,
)


@pytest.mark.parametrize("write", WRITERS, ids=lambda write: write.__name__)
def test_peak_memory_of_a_pass(tmp_path, values, write):
    path, orientation = write(tmp_path, values)
    command = [sys.executable, "-c", PASS, str(path), orientation]
    extra, trace, rss = map(float, subprocess.run(command, capture_output=True, text=True, check=True).stdout.split())
    assert extra < ALLOWED < MEGABYTES / 3
    assert trace == pytest.approx(rss, rel=1e-9), "the whole matrix was read"
    if "h5ad" not in path.name:
        assert trace == pytest.approx(values.size * (1 - 2 / N_SAMPLES), rel=0.01)
