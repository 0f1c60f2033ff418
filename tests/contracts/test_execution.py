"""No result depends on how the data are stored, cut into blocks and spread over threads.

Memory order, block width and threads are promises of `latentadj.testing` and checked in `test_methods`; here every
registered method reads its study from every kind of file, in blocks of another width on two threads, and has to give
the numbers of the array in memory. For sums in another order 1e-10 of the largest number of an array is allowed.
"""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest

import latentadj as la
from latentadj.core.kernels import GramKernel
from latentadj.core.matrix import ArrayMatrix
from latentadj.core.passes import run_pass
from latentadj.factors import METHODS
from latentadj.testing.comparison import numbers, require_same
from tests.contracts.made_up import all_methods, subject
from tests.data import stores_files

pytestmark = pytest.mark.filterwarnings("ignore::latentadj.LatentAdjWarning")

ROUNDING = 1e-10
#: Of factors, and of what follows from them, when Gram matrices are formed in single precision.
SINGLE = 1e-5
#: Library, writer and what the rows of the file are.
KINDS = {
    "npy, by feature": ("numpy", stores_files.npy, "features"),
    "npy, by sample": ("numpy", stores_files.npy, "samples"),
    "zarr": ("zarr", stores_files.zarr_chunked_both_ways, "features"),
    "hdf5": ("h5py", stores_files.hdf5_compressed, "samples"),
    "parquet": ("pyarrow", stores_files.parquet, "features"),
    "h5ad": ("anndata", stores_files.h5ad_dense, "samples"),
}
SCALES = sorted({method.method_info.input_scale for method in METHODS})


@pytest.fixture(scope="module")
def stored(tmp_path_factory):
    """A function that writes the study of a scale in some way, once, and opens it."""
    opened = {}

    def stored_study(scale: str, kind: str):
        library, write, orientation = KINDS[kind]
        pytest.importorskip(library)
        if (scale, kind) not in opened:
            study = next(subject(method).study for method in METHODS if method.method_info.input_scale == scale)
            opened[scale, kind] = write(tmp_path_factory.mktemp("stored"), study.X, orientation)
        return opened[scale, kind]

    return stored_study


@pytest.mark.parametrize("kind", KINDS)
@all_methods
def test_every_method_reads_every_store(method: type, kind: str, stored) -> None:
    checked = subject(method)
    matrix = stored(method.method_info.input_scale, kind)
    with la.pass_options(width=41, n_threads=2):
        found = numbers(checked.run(matrix))
    require_same(found, checked.expected, max(ROUNDING, method.method_info.rounding))


def test_the_study_is_read_in_many_blocks(stored) -> None:
    """Otherwise the test above would compare one block with one block."""
    for scale in SCALES:
        assert len(list(stored(scale, "npy, by feature").column_blocks(41))) >= 4


@pytest.mark.parametrize("method", ["cate", "sva", "ruv4"])
def test_single_precision_is_asked_for(method: str) -> None:
    """It changes factors by its rounding, and nothing where it is not asked for."""
    checked = subject(next(cls for cls in METHODS if cls.method_info.name == method))
    with la.pass_options(single_precision=True):
        found = numbers(checked.run())
    require_same(found, checked.expected, SINGLE)
    assert not np.array_equal(found["loadings"], checked.expected["loadings"])
    require_same(numbers(checked.run()), checked.expected, 0.0)


class TestSinglePrecisionGram:
    """Centred features in single precision, whatever is removed; errors relative to the largest entry."""

    n_samples, n_features = 30, 5000

    @pytest.fixture(params=[0.0, 8.0, 1e3])
    def values(self, request):
        rng = np.random.default_rng(5)
        return rng.normal(size=(self.n_samples, self.n_features)) + request.param * rng.uniform(1, 2, self.n_features)

    @pytest.mark.parametrize("removed", ["nothing", "constant", "design", "other design", "mean"])
    @pytest.mark.parametrize("dtype", [np.float64, np.float32])
    def test_agrees_with_double_precision(self, values, removed, dtype) -> None:
        values = values.astype(dtype)
        rng = np.random.default_rng(6)
        columns = {"constant": np.ones((30, 1)), "other design": rng.normal(size=(30, 2))}
        columns["design"] = np.column_stack([np.ones(30), np.arange(30) % 2])
        basis = np.linalg.qr(columns[removed])[0] if removed in columns else None
        mean = values.astype(np.float64).mean(axis=0) if removed == "mean" else None
        make = partial(GramKernel, 30, basis=basis, mean=mean, weights=rng.uniform(0.5, 2.0, self.n_features))
        single, double = run_pass(ArrayMatrix(np.asfortranarray(values)), make(single=True), make(single=False))
        # sums of up to 1310 products in single precision; 5e-7 is eight units of its round-off
        centred = np.eye(30) - 1 / 30
        largest = np.abs(centred @ double @ centred).max()
        np.testing.assert_allclose(centred @ single @ centred, centred @ double @ centred, rtol=0, atol=5e-7 * largest)
        np.testing.assert_allclose(single, double, rtol=0, atol=5e-7 * np.abs(double).max())

    def test_blocks_of_a_float32_matrix_are_not_converted(self) -> None:
        seen = []

        class Looking(GramKernel):
            def update(self, block, columns):
                seen.append(block.dtype)
                super().update(block, columns)

        stored = ArrayMatrix(np.ones((3, 10), dtype=np.float32))
        run_pass(stored, Looking(3, single=True), Looking(3, single=False))
        assert set(seen[::2]) == {np.dtype(np.float32)}
        assert set(seen[1::2]) == {np.dtype(np.float64)}
