"""Parquet tables with row IDs, and the check for optional modules that file formats need."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path

import pandas as pd

from ..exceptions import FileFormatError, MissingExtraError
from .identifiers import id_array
from .text_files import require_file


def read_parquet_frame(path: Path) -> pd.DataFrame:
    """Read a parquet table whose index, or else first column of text, holds the row IDs.

    Parameters
    ----------
    path : Path

    Returns
    -------
    DataFrame
        Indexed by row ID as text; running numbers 0, 1, 2 ... are kept if there is no ID.

    Raises
    ------
    MissingExtraError, FileFormatError

    Examples
    --------
    >>> read_parquet_frame(Path("no_such_file.parquet"))
    Traceback (most recent call last):
    latentadj.exceptions.FileFormatError: There is no file no_such_file.parquet. Check the path.
    """
    require_file(path)
    require_extra("pyarrow", "parquet", path)
    try:
        frame = pd.read_parquet(path, engine="pyarrow")
    except (ValueError, OSError) as error:
        raise FileFormatError(f"{path} is not a readable parquet file ({error}). Write it again.") from error
    if isinstance(frame.index, pd.RangeIndex) and frame.shape[1] > 1 and _is_text(frame.iloc[:, 0]):
        frame = frame.set_index(frame.columns[0])
    if isinstance(frame.index, pd.RangeIndex):
        return frame
    return frame.set_axis(id_array(frame.index), axis=0)


def _is_text(column: pd.Series) -> bool:
    return bool(pd.api.types.is_object_dtype(column.dtype) or pd.api.types.is_string_dtype(column.dtype))


def require_extra(module: str, extra: str, path: Path) -> None:
    """Raise unless an optional module can be imported.

    Parameters
    ----------
    module : str
        Name of the module.
    extra : str
        Name of the extra of this package that installs it.
    path : Path
        File that needs it, for the message.

    Raises
    ------
    MissingExtraError
        Names the pip command.

    Examples
    --------
    >>> require_extra("json", "none", Path("a.json"))
    """
    try:
        import_module(module)
    except ImportError as error:
        raise MissingExtraError(
            f'Reading {path} needs {module}, which is not installed. Run: pip install "latentadj[{extra}]"'
        ) from error
