"""What an analysis will need, said before it starts."""

from __future__ import annotations

import os
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from latentadj.core.matrix import default_width
from latentadj.core.pass_options import available_cores

#: Largest slab of a stored matrix that a thread holds, and blocks that a kernel works with.
_SLAB_BYTES, _N_BLOCKS = 24 << 20, 6
#: Values of float64 that are kept of every feature: of each fit (two, with factors and without) for every design column
#: (its coordinate and its coefficient), every test and beside them; for every factor, and beside the fits.
_PER_COLUMN, _PER_TEST, _PER_FIT, _PER_FACTOR, _PER_FEATURE = 2, 4, 5, 3, 4
#: Bytes of an ID: the object, its text, its place in the array.
_ID_BYTES = 72


@dataclass(frozen=True)
class ResourceEstimate:
    """What an analysis is expected to need beyond the program itself.

    Attributes
    ----------
    results : int
        Bytes of the values that are kept of every feature: coefficients, tests, loadings, IDs.
    working : int
        Bytes that the threads work with.
    data : int
        Bytes of the matrix, 0 where it is read by blocks.
    read : int
        Bytes that one pass over the data reads.
    n_passes : int or None
        Passes over the data, where it is known.

    Examples
    --------
    >>> estimate_resources(200, 200_000, n_threads=1).text()
    'about 0.1 GB of memory; every pass over the data reads 0.3 GB'
    """

    results: int
    working: int
    data: int
    read: int
    n_passes: int | None = None

    @property
    def peak(self) -> int:
        """Bytes of memory at the same time, beyond the program itself (about 200 MB)."""
        return self.results + self.working + self.data

    def text(self) -> str:
        """Return the estimate in words."""
        passes = "" if self.n_passes is None else f", about {self.n_passes} passes"
        return (
            f"about {_gigabytes(self.peak)} of memory; every pass over the data reads {_gigabytes(self.read)}{passes}"
        )

    def shortage(self, available: int | None) -> str | None:
        """Say that memory will not do, and what can be done; None if it will, or nobody knows.

        Parameters
        ----------
        available : int or None
            From `available_memory`.

        Returns
        -------
        str or None

        Examples
        --------
        >>> ResourceEstimate(0, 0, 16 * 10**9, 16 * 10**9).shortage(8 * 10**9)[:66]
        'The analysis is expected to need about 16.0 GB of memory, and 8.0 '
        """
        if available is None or self.peak <= available:
            return None
        ways = ["use fewer threads"] if self.working > self.peak // 4 else []
        if self.data:
            ways.insert(0, "store the matrix as .zarr, .h5 or .npy, which are read by blocks")
        ways.append("ask for fewer factors or terms, or take a part of the features at a time")
        return (
            f"The analysis is expected to need about {_gigabytes(self.peak)} of memory, and {_gigabytes(available)} "
            f"are free. It may be slowed down or ended by the system. Ways out: {'; '.join(ways)}."
        )


def estimate_resources(
    n_samples: int,
    n_features: int,
    *,
    itemsize: int = 8,
    n_columns: int = 2,
    n_factors: int = 5,
    n_tests: int = 1,
    n_threads: int | None = None,
    named: bool = False,
    in_memory: bool = False,
    n_passes: int | None = None,
) -> ResourceEstimate:
    """Estimate what an analysis needs from its size.

    Parameters
    ----------
    n_samples, n_features : int
    itemsize : int, default=8
        Bytes of a stored value.
    n_columns, n_factors, n_tests : int
        Columns of the design, factors (a guess, where they are to be estimated), and tested columns.
    n_threads : int, optional
        By default the number of usable cores.
    named : bool, default=False
        Whether features have IDs.
    in_memory : bool, default=False
        Whether the matrix is held as a whole.
    n_passes : int, optional
        Passes over the data that the method makes, where that is known.

    Returns
    -------
    ResourceEstimate

    Notes
    -----
    What is kept of the features is counted as it is at the end: that is the peak for least squares (measured: within
    a third for CATE and SVA of 200,000 features). Generalised linear models and observation weights keep a covariance
    for every feature, and need more.

    Examples
    --------
    >>> small, large = (estimate_resources(200, m, n_threads=1) for m in (100_000, 200_000))
    >>> large.results == 2 * small.results
    True
    """
    threads = n_threads or available_cores()
    fits = 2 if n_factors else 1
    values = fits * (_PER_COLUMN * n_columns + _PER_TEST * n_tests + _PER_FIT) + _PER_FACTOR * n_factors + _PER_FEATURE
    slab = 0 if in_memory else min(_SLAB_BYTES, n_samples * n_features * itemsize)
    block = 8 * n_samples * min(default_width(n_samples), n_features)
    read = n_samples * n_features * itemsize
    return ResourceEstimate(
        results=n_features * (8 * values + (_ID_BYTES if named else 0)),
        working=threads * (slab // 4 + _N_BLOCKS * block) + (threads + 2) * 8 * n_samples**2,
        data=n_samples * n_features * max(itemsize, 8) if in_memory else 0,
        read=read,
        n_passes=n_passes,
    )


def available_memory() -> int | None:
    """Return the bytes of memory that can be had without pushing anything out, or None if the system does not say.

    Returns
    -------
    int or None
        Of the machine, or of the container where that has a limit.

    Examples
    --------
    >>> (available_memory() or 1) > 0
    True
    """
    found = [value for value in (_machine_memory(), _container_memory()) if value is not None]
    return min(found, default=None)


def _machine_memory() -> int | None:
    with suppress(OSError, ValueError, IndexError):
        for line in Path("/proc/meminfo").read_text(encoding="ascii").splitlines():
            if line.startswith("MemAvailable:"):
                return int(line.split()[1]) * 1024
    with suppress(OSError, ValueError, AttributeError):
        return os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return None


def _container_memory() -> int | None:
    """What is left of the limit of a control group, version 2 or 1; a process in one sees its own at the root."""
    root = Path("/sys/fs/cgroup")
    new, old = ("memory.max", "memory.current"), ("memory.limit_in_bytes", "memory.usage_in_bytes")
    for folder, (limit, used) in ((root, new), (root / "memory", old)):
        with suppress(OSError, ValueError):  # "max" is no number
            free = int((folder / limit).read_text()) - int((folder / used).read_text())
            return max(free + _cached(folder / "memory.stat"), 0)
    return None


def _cached(statistics: Path) -> int:
    """Bytes of files that are kept in memory and given up when it is needed."""
    with suppress(OSError):
        facts = dict(line.split() for line in statistics.read_text().splitlines())
        return int(facts.get("inactive_file", 0))
    return 0


def _gigabytes(size: int) -> str:
    return f"{size / 1e9:.1f} GB" if size >= 5e7 else f"{size / 1e6:.0f} MB"
