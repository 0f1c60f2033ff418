"""What an analysis needs is estimated about right, and said where it is not there."""

from __future__ import annotations

import tracemalloc
from pathlib import Path

import numpy as np
import pytest

import latentadj as la
from latentadj.core.passes import pass_options
from latentadj.execution import available_memory, estimate_resources
from latentadj.execution import memory as module


@pytest.mark.filterwarnings("ignore::latentadj.LatentAdjWarning")
@pytest.mark.parametrize(("method", "n_factors"), [("none", 0), ("cate", 5), ("sva", 5)])
def test_the_estimate_is_near_what_is_used(method, n_factors, tmp_path):
    """By Python's own count, for a file that is read by blocks: between a third of it and a third more."""
    m, n = 40_000, 40
    rng = np.random.default_rng(0)
    y = np.repeat([0.0, 1.0], n // 2)
    factors = rng.normal(size=(n, 5)) + y[:, None] * [1, 0, 0, 0, 0]
    X = factors @ rng.normal(size=(5, m)) + rng.normal(size=(n, m))
    np.save(tmp_path / "X.npy", np.asfortranarray(X.astype("float32")))
    design = la.Design.from_arrays(y)
    del X
    la.adjust(rng.normal(size=(n, 200)), design, method=method, n_factors=n_factors)
    tracemalloc.start()
    with pass_options(n_threads=1):
        result = la.adjust(str(tmp_path / "X.npy"), design, method=method, n_factors=n_factors)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert result.n_factors == n_factors
    expected = estimate_resources(n, m, itemsize=4, n_factors=n_factors, n_threads=1)
    assert expected.peak / 3 < peak < expected.peak * 4 / 3


def test_parts_of_the_estimate():
    base = {"n_samples": 100, "n_features": 50_000, "n_threads": 1}
    plain = estimate_resources(**base)
    assert plain.data == 0
    assert plain.read == 8 * 100 * 50_000
    assert estimate_resources(**base, in_memory=True).data == plain.read
    assert estimate_resources(**base, itemsize=4).read == plain.read // 2
    assert estimate_resources(**base, named=True).results > plain.results
    assert estimate_resources(**{**base, "n_threads": 4}).working > plain.working
    many = estimate_resources(5000, 50_000, n_threads=2)
    assert many.working > 4 * 8 * 5000**2  # a Gram matrix for each thread
    assert "about 12 passes" in estimate_resources(**base, n_passes=12).text()


def test_shortage_names_ways_out():
    held = estimate_resources(1000, 1_000_000, in_memory=True)
    message = held.shortage(10**9)
    assert "read by blocks" in message
    assert "1.0 GB are free" in message
    assert held.shortage(10**12) is None
    assert held.shortage(None) is None
    assert "read by blocks" not in estimate_resources(1000, 1_000_000).shortage(10**7)


def test_available_memory(monkeypatch):
    machine = module._machine_memory()
    assert machine is None or machine > 2**20
    monkeypatch.setattr(module, "_container_memory", lambda: 12345)
    assert available_memory() == 12345
    monkeypatch.setattr(module, "_container_memory", lambda: None)
    monkeypatch.setattr(module, "_machine_memory", lambda: None)
    assert available_memory() is None


def test_memory_of_a_container(tmp_path, monkeypatch):
    real = Path
    (tmp_path / "memory.max").write_text("max\n")
    (tmp_path / "memory.current").write_text("1000\n")
    (tmp_path / "memory.stat").write_text("anon 5\ninactive_file 300\n")
    monkeypatch.setattr(module, "Path", lambda path: tmp_path if str(path) == "/sys/fs/cgroup" else real(path))
    assert module._container_memory() is None
    (tmp_path / "memory.max").write_text("5000\n")
    assert module._container_memory() == 5000 - 1000 + 300
