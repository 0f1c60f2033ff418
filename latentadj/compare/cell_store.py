"""A folder of finished cells, a small file each, that survives a kill at any moment."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from latentadj.data.writers import write_json_atomic
from latentadj.exceptions import OutputError

SUFFIX = ".cell.json"
#: Names of finished cells; a cell that is being written has a hidden name.
FINISHED = f"[!.]*{SUFFIX}"


@dataclass(frozen=True)
class CellStore:
    """Finished cells in a folder; files are only ever added.

    Attributes
    ----------
    folder : Path

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     store = CellStore(Path(folder))
    ...     store.write("abc", {"power": float("nan"), "status": "ok"})
    ...     store.read("abc"), store.read("other")
    ({'power': nan, 'status': 'ok'}, None)
    """

    folder: Path

    def prepare(self) -> None:
        """Make the folder.

        Raises
        ------
        OutputError
            It cannot be made.
        """
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise OutputError(f"{self.folder} cannot be made ({error.strerror}). Name another folder.") from error

    def write(self, key: str, row: dict[str, Any]) -> None:
        """Write a cell beside its place and rename it: it is there as a whole or not at all.

        Raises
        ------
        OutputError
        """
        write_json_atomic({"key": key, "row": row}, self._path(key))

    def read(self, key: str) -> dict[str, Any] | None:
        """Return a finished cell; None where there is none, or where the file is damaged."""
        try:
            content = json.loads(self._path(key).read_text(encoding="utf-8"))
            row = content["row"] if content["key"] == key else None
        except (OSError, ValueError, KeyError, TypeError):
            return None
        if not isinstance(row, dict):
            return None
        return {name: float("nan") if value is None else value for name, value in row.items()}

    def holds_cells(self) -> bool:
        """Whether anything was finished here."""
        return self.folder.is_dir() and any(self.folder.glob(FINISHED))

    def clear(self) -> None:
        """Remove all cells, with what a kill left of one that was being written, and nothing else."""
        for path in self.folder.glob(f"*{SUFFIX}"):
            path.unlink(missing_ok=True)

    def _path(self, key: str) -> Path:
        return self.folder / f"{key}{SUFFIX}"
