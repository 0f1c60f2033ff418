"""What can be written of a result: its table, adjusted data, a report, the result itself."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from latentadj.core.matrix import AdjustedMatrix
from latentadj.data.provenance import AdjustmentRecord
from latentadj.data.stores import OpenedMatrix
from latentadj.data.stores.writing import write_matrix
from latentadj.data.table_blocks import write_table_blocks
from latentadj.exceptions import InputError
from latentadj.results.components import shown_loadings
from latentadj.results.table import check_choice, tidy_blocks

#: Features of one piece of a table that is written.
BLOCK_ROWS = 1 << 16
_WHICH = ("adjusted", "unadjusted", "uncalibrated")


class ResultFiles:
    """Methods of `AdjustmentResult` that write something; nothing larger than the result is made on the way."""

    def tidy_blocks(
        self: Any,
        term: str | None = None,
        which: str = "adjusted",
        p_adjust: str = "bh",
        *,
        n_rows: int = BLOCK_ROWS,
    ) -> Iterator[pd.DataFrame]:
        """Return the table of `tidy` in pieces, for millions of features.

        Parameters
        ----------
        term, which, p_adjust
            As in `tidy`.
        n_rows : int, default=65536
            Most rows of a piece.

        Yields
        ------
        pandas.DataFrame
            The features of the first term first. Joined, the pieces are the table of `tidy`.

        Raises
        ------
        InputError, MethodError
            As in `tidy`; a number of rows below 1.

        Examples
        --------
        >>> import latentadj as la, numpy as np
        >>> X = np.random.default_rng(0).normal(size=(12, 50))
        >>> res = la.adjust(X, la.Design.from_arrays(np.repeat([0, 1], 6)), method="none")
        >>> [len(piece) for piece in res.tidy_blocks(n_rows=20)]
        [20, 20, 10]
        """
        check_choice("which", which, _WHICH)
        if n_rows < 1:
            raise InputError(f"n_rows={n_rows} rows make no piece of a table. Give a number of 1 or more.")
        keep = self._positions(term)
        tests = {"adjusted": self.tests, "unadjusted": self.unadjusted_tests}.get(which, self.uncalibrated_tests)
        fit = self.unadjusted_fit if which == "unadjusted" else self.fit
        chosen = tests.select(keep), self.unadjusted_tests.select(keep)
        return tidy_blocks(self.feature_ids, fit, *chosen, self.n_samples, p_adjust, n_rows)

    def write_table(
        self: Any,
        path: str | os.PathLike[str],
        term: str | None = None,
        which: str = "adjusted",
        p_adjust: str = "bh",
        *,
        overwrite: bool = True,
    ) -> Path:
        """Write the table of `tidy` to a file, piece by piece.

        Parameters
        ----------
        path : path
            .csv, .tsv (each also .gz), .parquet (needs pyarrow) or .zarr (a group with an array for every column; needs
            zarr).
        term, which, p_adjust
            As in `tidy`.
        overwrite : bool, default=True
            Replace an earlier file, when the new one is complete.

        Returns
        -------
        pathlib.Path

        Raises
        ------
        InputError, MethodError, MissingExtraError, OutputError

        Examples
        --------
        >>> import latentadj as la, numpy as np, tempfile
        >>> X = np.random.default_rng(0).normal(size=(12, 50))
        >>> res = la.adjust(X, la.Design.from_arrays(np.repeat([0, 1], 6)), method="none")
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     len(pd.read_csv(res.write_table(Path(folder, "table.csv"))))
        50
        """
        pieces = self.tidy_blocks(term, which, p_adjust)
        return write_table_blocks(pieces, path, overwrite=overwrite)

    def adjusted(self: Any) -> AdjustedMatrix:
        """Return the data with the factors' part subtracted, for display and prediction, not for tests.

        Returns
        -------
        AdjustedMatrix of shape (n_samples, n_features)
            Computed block by block when it is read; `write_adjusted` writes it to a file.

        Raises
        ------
        InputError
            For a result read from disk, which does not hold the data.

        Examples
        --------
        >>> import latentadj as la, numpy as np
        >>> X = np.random.default_rng(0).normal(size=(12, 50))
        >>> res = la.adjust(X, la.Design.from_arrays(np.repeat([0, 1], 6)), n_factors=1)
        >>> res.adjusted().read(slice(0, 3)).shape
        (12, 3)
        """
        if self.matrix is None:
            raise InputError("Adjusted data need the data, which a saved result does not hold. Adjust again.")
        return AdjustedMatrix(self.matrix, self.estimate.scores, shown_loadings(self, self.matrix))

    def write_adjusted(self: Any, path: str | os.PathLike[str], *, dtype: Any = None, overwrite: bool = False) -> Path:
        """Write the data with the factors' part subtracted, block by block, and mark them as adjusted.

        Parameters
        ----------
        path : path
            .npy, .zarr, .h5 or .hdf5.
        dtype : dtype, optional
            A float type; by default that of the data, at least float32.
        overwrite : bool, default=False
            Replace an earlier file.

        Returns
        -------
        pathlib.Path

        Raises
        ------
        InputError
            For a result read from disk, an unknown suffix, or another type.
        MissingExtraError, OutputError

        Notes
        -----
        What was subtracted is kept with the data, so that a test on them is refused, or made with the factors in its
        design (`allow_adjusted`).

        Examples
        --------
        >>> import latentadj as la, numpy as np, tempfile
        >>> from latentadj.data.stores import open_matrix
        >>> X = np.random.default_rng(0).normal(size=(12, 50))
        >>> res = la.adjust(X, la.Design.from_arrays(np.repeat([0, 1], 6)), n_factors=1)
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     open_matrix(res.write_adjusted(Path(folder, "adjusted.npy"))).matrix.shape
        (12, 50)
        """
        matrix = self.adjusted()
        named = self.feature_ids.dtype.kind not in "iu"
        opened = OpenedMatrix(matrix, self.sample_ids, self.feature_ids if named else None)
        storage = matrix.base.dtype if dtype is None else dtype
        return write_matrix(opened, path, dtype=storage, record=self._removal(), overwrite=overwrite)

    def _removal(self: Any) -> AdjustmentRecord | None:
        """What `adjusted` takes out of the data."""
        if not self.n_factors:
            return None
        title = f"factors of {self.method_title}"
        names = tuple(str(name) for name in self.factors.columns)
        record = AdjustmentRecord(
            (title,), 0.0, self.sample_ids, self.estimate.scores, names, self.design.primary_names
        )
        return record.costing(float(record.rank))

    def report(self: Any, path: str | Path = "report.html", *, linked: Sequence[tuple[str, str]] | None = None) -> Path:
        """Write a self-contained HTML report, and its numbers beside it; return its path.

        Parameters
        ----------
        path : path, default="report.html"
            Of the page. ``<stem>_files`` beside it gets ``results.tsv``, ``factors.tsv`` and ``report.json``.
        linked : sequence of (str, str), optional
            Names of files in the same folder that hold the results already, each with what it holds: they are linked,
            and nothing is written but the page.

        Raises
        ------
        MissingExtraError
            Without Matplotlib.
        OutputError
            When a file cannot be written.
        """
        from latentadj.report import write_report

        written: Path = write_report(self, path, linked=linked)
        return written

    def save(self: Any, directory: str | Path) -> Path:
        """Write the result to a directory, without pickle; `latentadj.load_result` reads it.

        Parameters
        ----------
        directory : path
            Made if it is not there; an earlier result in it is replaced as a whole.

        Returns
        -------
        pathlib.Path
        """
        from latentadj.results.storage import save_result

        return save_result(self, directory)
