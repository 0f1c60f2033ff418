"""A stopped analysis goes on to the same numbers; nothing half-written, damaged or foreign is ever taken."""

from __future__ import annotations

import json
import shutil
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import latentadj as la
from latentadj.core.kernels import GramKernel, RegressionKernel
from latentadj.core.matrix import ArrayMatrix
from latentadj.core.passes import do_run, run_pass
from latentadj.exceptions import FileFormatError, InputError, OutputError
from latentadj.execution import CheckpointWarning, FolderCheckpoint
from latentadj.execution.folder_checkpoint import remove_checkpoint
from latentadj.execution.stored_runs import StoredRuns
from latentadj.testing import made_up_study

pytestmark = pytest.mark.filterwarnings("ignore::latentadj.LatentAdjWarning")
ALWAYS = {"least_bytes": 0, "least_seconds": 0.0}
N, M = 12, 320


class Stopped(Exception):
    """Stands for a process that is killed."""


class Unreliable(ArrayMatrix):
    """A matrix that can be read so many times and then no more."""

    left = 10**9
    reads = 0

    def read(self, columns):
        if type(self).left <= 0:
            raise Stopped
        type(self).left -= 1
        type(self).reads += 1
        return super().read(columns)


@pytest.fixture
def values():
    return np.random.default_rng(3).normal(5.0, 1.0, size=(N, M))


@pytest.fixture
def reading():
    """Class of a matrix that counts what is read of it, and can be told to fail."""
    Unreliable.left, Unreliable.reads = 10**9, 0
    return Unreliable


def two_passes(Y, basis=None):
    """Results of a pass with rows and sums, and of one that depends on it."""
    q = np.linalg.qr(np.column_stack([np.ones(N), np.arange(N)]))[0] if basis is None else basis
    sums, gram = run_pass(Y, RegressionKernel(q, M, centred=True), GramKernel(N, basis=q), width=8)
    (weighted,) = run_pass(Y, GramKernel(N, weights=1 / np.sqrt(sums.rss)), width=8)
    return np.concatenate([sums.effects.ravel(), sums.rss, sums.tss, sums.mean, gram.ravel(), weighted.ravel()])


def resumed(folder: Path, Y, **options):
    with FolderCheckpoint(folder, **ALWAYS, **options) as kept, la.pass_options(checkpoint=kept, n_threads=1):
        return two_passes(Y)


@pytest.mark.parametrize("reads", [0, 7, 39, 40, 60, 79])
def test_goes_on_where_it_was_stopped_bit_for_bit(reads, values, reading, tmp_path):
    expected = two_passes(ArrayMatrix(values))
    reading.left = reads
    with pytest.raises(Stopped):
        resumed(tmp_path / "kept", reading(values))
    reading.left, reading.reads = 10**9, 0
    found = resumed(tmp_path / "kept", reading(values))
    assert found.tobytes() == expected.tobytes()
    # 40 blocks a pass in 16 runs of 2 or 3: at most one run is read again
    assert reading.reads <= 80 - reads + 3
    reading.reads = 0
    assert resumed(tmp_path / "kept", reading(values)).tobytes() == expected.tobytes()
    assert reading.reads == 0


@pytest.mark.parametrize("method", ["none", "sva", "ruv4", "auto"])
def test_methods_are_replayed_bit_for_bit(method, tmp_path):
    study = made_up_study()
    options = {"method": method, "controls": np.arange(50) if method == "ruv4" else None}
    plain = la.adjust(study.frame, "~ x | age", study.sample_data, **options)
    for n_threads in (2, 1):
        kept = FolderCheckpoint(tmp_path / "kept", **ALWAYS)
        with kept, la.pass_options(checkpoint=kept, n_threads=n_threads):
            found = la.adjust(study.frame, "~ x | age", study.sample_data, **options)
        assert found.tests.statistic.tobytes() == plain.tests.statistic.tobytes()
        assert found.factors.equals(plain.factors)


def test_sums_of_a_finished_pass_are_kept_once(values, tmp_path):
    resumed(tmp_path / "kept", ArrayMatrix(values))
    first, second = sorted((tmp_path / "kept").glob("0*"))
    assert sorted(p.name for p in second.iterdir()) == [*(f"{i:02d}.rows.npz" for i in range(16)), "total.sums.npz"]
    assert not list(first.glob("[0-9]*.sums.npz"))
    Y = ArrayMatrix(values)
    (first / "04.rows.npz").unlink()  # is read again, and its sums must not be counted twice
    assert resumed(tmp_path / "kept", Y).tobytes() == two_passes(Y).tobytes()


def stored_pass(values, folder: Path, n_finished: int) -> StoredRuns:
    """A pass over 16 features in 4 runs, the first of which are kept."""
    stored = StoredRuns(folder, "key", 4, 0.0, pytest.fail)
    for run in range(n_finished):
        columns = slice(4 * run, 4 * run + 4)
        forks = [kernel.fork() for kernel in kernels()]
        if not stored.restore(run, forks, columns):
            do_run(ArrayMatrix(values), [columns], forks)
            stored.save(run, forks, columns)
    return stored


def kernels():
    return [RegressionKernel(np.eye(N)[:, :1], 16, centred=False), GramKernel(N)]


def taken(folder: Path, run: int) -> bool:
    """Whether a run is put back from the files; if not, nothing of it may be."""
    forks = kernels()
    forks[0].rss[:] = -1.0
    found = StoredRuns(folder, "key", 4, 0.0, pytest.fail).restore(run, forks, slice(4 * run, 4 * run + 4))
    assert found or (np.all(forks[0].rss == -1.0) and not forks[1].gram.any())
    return found


@pytest.mark.parametrize(("n_finished", "name"), [(3, "01.rows.npz"), (3, "01.sums.npz"), (4, "total.sums.npz")])
def test_a_file_cut_anywhere_is_not_taken(n_finished, name, values, tmp_path):
    stored_pass(values, tmp_path, n_finished)
    whole = (tmp_path / name).read_bytes()
    assert taken(tmp_path, 1)
    for size in {*range(0, len(whole), 3), len(whole) - 1}:
        (tmp_path / name).write_bytes(whole[:size])
        assert not taken(tmp_path, 1), size


@pytest.mark.parametrize("name", ["01.rows.npz", "01.sums.npz"])
def test_a_changed_byte_never_changes_a_number(name, values, tmp_path):
    """A byte that is not used (a date in the archive) may change; a file that is taken is what was written."""
    stored_pass(values, tmp_path, 3)
    whole, forks = (tmp_path / name).read_bytes(), kernels()
    do_run(ArrayMatrix(values), [slice(4, 8)], forks)
    refused = 0
    for place in range(0, len(whole), 7):
        (tmp_path / name).write_bytes(whole[:place] + bytes([whole[place] ^ 0x55]) + whole[place + 1 :])
        found = kernels()
        if not StoredRuns(tmp_path, "key", 4, 0.0, pytest.fail).restore(1, found, slice(4, 8)):
            refused += 1
            continue
        assert found[0].rss[4:8].tobytes() == forks[0].rss[4:8].tobytes()
        assert found[1].gram.tobytes() == forks[1].gram.tobytes()
    assert refused > len(whole) / 7 * 0.7


def test_a_file_of_another_run_or_pass_is_not_taken(values, reading, tmp_path):
    expected = two_passes(ArrayMatrix(values))
    resumed(tmp_path / "kept", ArrayMatrix(values))
    first, second = sorted((tmp_path / "kept").glob("0*"))
    shutil.copy(first / "03.rows.npz", first / "05.rows.npz")
    shutil.copy(first / "total.sums.npz", second / "total.sums.npz")
    assert resumed(tmp_path / "kept", reading(values)).tobytes() == expected.tobytes()
    assert reading.reads > 0


def test_a_partial_file_is_ignored(values, tmp_path):
    resumed(tmp_path / "kept", ArrayMatrix(values))
    first = sorted((tmp_path / "kept").glob("0*"))[0]
    (first / "03.rows.npz").rename(first / "03.rows.npz.partial")
    Y = ArrayMatrix(values)
    assert resumed(tmp_path / "kept", Y).tobytes() == two_passes(Y).tobytes()


def test_an_analysis_that_goes_another_way_discards_what_follows(values, tmp_path):
    """Same data, another basis in the first pass: nothing of either pass may be used."""
    resumed(tmp_path / "kept", ArrayMatrix(values))
    before = sorted(p.name for p in (tmp_path / "kept").glob("0*"))
    other = np.linalg.qr(np.column_stack([np.ones(N), np.arange(N) ** 2.0]))[0]
    kept = FolderCheckpoint(tmp_path / "kept", **ALWAYS)
    with kept, la.pass_options(checkpoint=kept):
        found = two_passes(ArrayMatrix(values), other)
    assert found.tobytes() == two_passes(ArrayMatrix(values), other).tobytes()
    after = sorted(p.name for p in (tmp_path / "kept").glob("0*"))
    assert len(after) == 2
    assert not set(before) & set(after)


def test_other_values_in_memory_are_not_mixed(values, tmp_path):
    resumed(tmp_path / "kept", ArrayMatrix(values))
    changed = values.copy()
    changed[3, 100] += 1e-9
    Y = ArrayMatrix(changed)
    assert resumed(tmp_path / "kept", Y).tobytes() == two_passes(Y).tobytes()


def test_other_options_or_data_are_refused_and_named(values, tmp_path):
    np.save(tmp_path / "X.npy", np.asfortranarray(values))
    table = pd.DataFrame({"x": np.arange(float(N))})

    def run(about, path="X.npy"):
        kept = FolderCheckpoint(tmp_path / "kept", about, **ALWAYS)
        with kept, la.pass_options(checkpoint=kept):
            la.adjust(str(tmp_path / path), "~ x", table, method="none")

    run({"formula": "~ x", "options": {"method": "none"}})
    with pytest.raises(InputError, match=r'formula was "~ x", and is "~ x \+ z" now.*remove'):
        run({"formula": "~ x + z", "options": {"method": "none"}})
    with pytest.raises(InputError, match=r'method was "none", and is "cate" now'):
        run({"formula": "~ x", "options": {"method": "cate"}})
    np.save(tmp_path / "X.npy", np.asfortranarray(values.astype("float32")))
    with pytest.raises(InputError, match=r'data.dtype was "float64", and is "float32" now; data.bytes was'):
        run({"formula": "~ x", "options": {"method": "none"}})
    header = json.loads((tmp_path / "kept" / "header.json").read_text())
    header["latentadj"] = "0.0.1"
    (tmp_path / "kept" / "header.json").write_text(json.dumps(header))
    with pytest.raises(InputError, match=r'latentadj was "0.0.1"'):
        run({"formula": "~ x", "options": {"method": "none"}})


def test_a_second_process_is_refused(values, tmp_path):
    with FolderCheckpoint(tmp_path / "kept", **ALWAYS) as first, la.pass_options(checkpoint=first):
        two_passes(ArrayMatrix(values))
        with pytest.raises(OutputError, match="in use by another process"):
            resumed(tmp_path / "kept", ArrayMatrix(values))
        assert not remove_checkpoint(tmp_path / "kept")
    resumed(tmp_path / "kept", ArrayMatrix(values))


def test_folders_of_something_else(values, tmp_path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "notes.txt").write_text("keep")
    with pytest.raises(OutputError, match="no checkpoint"):
        FolderCheckpoint(tmp_path / "mine")
    assert not remove_checkpoint(tmp_path / "mine")
    assert (tmp_path / "mine" / "notes.txt").read_text() == "keep"
    (tmp_path / "cut").mkdir()
    (tmp_path / "cut" / "header.json").write_text('{"format": "latentadj check')
    with pytest.raises(FileFormatError, match="begin anew"):
        FolderCheckpoint(tmp_path / "cut")
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="cannot be written"):
        resumed(tmp_path / "file" / "kept", ArrayMatrix(values))


def test_a_full_disk_is_said_once_and_does_not_stop_the_analysis(values, tmp_path, monkeypatch):
    def full(*_, **__):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("latentadj.execution.stored_runs.np.savez", full)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        found = resumed(tmp_path / "kept", ArrayMatrix(values))
    assert found.tobytes() == two_passes(ArrayMatrix(values)).tobytes()
    assert [w.category for w in caught] == [CheckpointWarning]
    assert "No space left on device" in str(caught[0].message)


def test_small_passes_and_quick_runs_are_not_kept(values, tmp_path):
    for options in ({}, {"least_bytes": 0, "least_seconds": 60.0}):
        with FolderCheckpoint(tmp_path / "kept", **options) as kept, la.pass_options(checkpoint=kept):
            two_passes(ArrayMatrix(values))
        assert not list(tmp_path.rglob("*.npz"))


def test_removal_leaves_nothing(values, tmp_path):
    kept = FolderCheckpoint(tmp_path / "kept", **ALWAYS)
    assert not kept.exists
    with kept, la.pass_options(checkpoint=kept):
        two_passes(ArrayMatrix(values))
        assert kept.n_bytes > 8 * M * 5
    assert FolderCheckpoint(tmp_path / "kept", **ALWAYS).exists
    kept.remove()
    assert list(tmp_path.iterdir()) == []
