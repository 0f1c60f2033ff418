"""Negative-control features given as names, a boolean mask, indices or a file, turned into one mask."""

from __future__ import annotations

import csv
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ..exceptions import ControlsError, FileFormatError
from .identifiers import near_match_hint, show_ids
from .text_files import open_text, text_suffix

_HEADER_WORDS = {
    "",
    "id",
    "ids",
    "feature",
    "features",
    "gene",
    "genes",
    "probe",
    "name",
    "control",
    "controls",
}

_FORMS = (
    "Give a list of feature names, a boolean mask with one entry per feature, integer indices, or the path "
    "of a file with one name per line."
)


def read_controls(
    path: str | os.PathLike[str], feature_ids: Sequence[str], *, missing: Literal["raise", "drop"] = "raise"
) -> NDArray[np.bool_]:
    r"""Read a list of control features: one ID per line, or the first column of a csv/tsv table.

    Blank lines and lines that start with ``#`` are skipped, and so is a first line that is an ordinary
    heading (feature, gene, id ...) and not the ID of a feature. The file may be gzipped.

    Parameters
    ----------
    path : path
    feature_ids : sequence of str, length n_features
        Feature IDs of the matrix.
    missing : {"raise", "drop"}
        What to do with IDs that are not in the matrix.

    Returns
    -------
    (n_features,) bool array

    Raises
    ------
    FileFormatError
        The file does not exist, is empty or broken.
    ControlsError
        IDs are not features of the matrix.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder, "controls.txt")
    ...     _ = path.write_text("# spike-ins\nf2\n")
    ...     read_controls(path, ["f1", "f2"])
    array([False,  True])
    """
    path = Path(path)
    with open_text(path) as handle:
        lines = [line for line in handle if line.strip() and not line.startswith("#")]
    if not lines:
        raise FileFormatError(f"The file of controls {path} holds no IDs. Write one feature ID per line.")
    delimiter = "," if text_suffix(path) == ".csv" else "\t"
    names = [row[0].strip() for row in csv.reader(lines, delimiter=delimiter) if row]
    if names[0].lower() in _HEADER_WORDS and names[0] not in set(feature_ids):
        names = names[1:]
    return _from_names(names, feature_ids, missing)


def resolve_controls(
    controls: Any,
    feature_ids: Sequence[str] | None,
    n_features: int,
    *,
    missing: Literal["raise", "drop"] = "raise",
) -> NDArray[np.bool_]:
    """Turn any accepted form of ``controls=`` into a boolean mask over the features.

    Parameters
    ----------
    controls : names, boolean mask, integer indices, or a path
        A boolean Series with feature IDs as its index is aligned by ID. A single string or path is a file.
    feature_ids : sequence of str, length n_features, or None
        Feature IDs of the matrix; needed for names and files.
    n_features : int
    missing : {"raise", "drop"}
        What to do with names that are not in the matrix. With "drop" at least one must be found.

    Returns
    -------
    (n_features,) bool array

    Raises
    ------
    ControlsError
        Nothing given, wrong length, out of range, or names not found (with counts and near matches).

    Examples
    --------
    >>> resolve_controls(["b"], ["a", "b", "c"], 3)
    array([False,  True, False])
    >>> resolve_controls([0, 2], None, 3)
    array([ True, False,  True])
    """
    if isinstance(controls, str | os.PathLike):
        if not Path(controls).is_file():
            raise ControlsError(
                f"controls={str(controls)!r} is a single string, read as the path of a file, and there is no "
                f"such file. Give the path of a list, or the names as a list."
            )
        return read_controls(controls, _required_ids(feature_ids), missing=missing)
    if feature_ids is not None and _is_labelled_mask(controls):
        return _from_names([str(i) for i in controls.index[controls]], feature_ids, missing)
    values = np.asarray(list(controls) if isinstance(controls, set | frozenset) else controls)
    if values.ndim != 1 or values.size == 0:
        raise ControlsError(f"controls has shape {values.shape}. {_FORMS}")
    if values.dtype == bool:
        return _from_mask(values, n_features)
    if values.dtype.kind in "iu":
        return _from_indices(values, n_features)
    if values.dtype.kind in "US" or all(isinstance(v, str) for v in values):
        return _from_names([str(v) for v in values], _required_ids(feature_ids), missing)
    raise ControlsError(f"controls holds values of type {values.dtype}. {_FORMS}")


def _is_labelled_mask(controls: Any) -> bool:
    """Tell whether ``controls`` is a boolean Series with feature IDs as its index."""
    if not isinstance(controls, pd.Series) or controls.dtype != bool:
        return False
    return not isinstance(controls.index, pd.RangeIndex)


def _required_ids(feature_ids: Sequence[str] | None) -> Sequence[str]:
    if feature_ids is None:
        raise ControlsError(
            "controls are given by name, but the features of the matrix have no IDs. Pass a DataFrame with "
            "feature IDs as its columns, or give a boolean mask or indices."
        )
    return feature_ids


def _from_mask(mask: NDArray[np.bool_], n_features: int) -> NDArray[np.bool_]:
    if mask.shape[0] != n_features:
        raise ControlsError(
            f"The boolean mask of controls has {mask.shape[0]} entries, the matrix has {n_features} "
            f"features. Give one entry per feature."
        )
    if not mask.any():
        raise ControlsError("The boolean mask of controls marks no feature. Mark at least one, or leave it out.")
    return mask.copy()


def _from_indices(indices: NDArray[np.integer], n_features: int) -> NDArray[np.bool_]:
    if indices.size == n_features > 2 and set(np.unique(indices)) <= {0, 1}:
        raise ControlsError(
            f"controls holds {n_features} zeros and ones, one per feature: this looks like a mask, but "
            f"integers are read as indices. Pass it as booleans: controls.astype(bool)."
        )
    outside = indices[(indices < 0) | (indices >= n_features)]
    if outside.size:
        raise ControlsError(
            f"{outside.size} of {indices.size} control indices are outside 0..{n_features - 1}: "
            f"{show_ids(list(outside))}. Indices count from 0."
        )
    mask = np.zeros(n_features, dtype=bool)
    mask[indices] = True
    return mask


def _from_names(names: list[str], feature_ids: Sequence[str], missing: str) -> NDArray[np.bool_]:
    if not names:
        raise ControlsError(f"No control feature is named. {_FORMS}")
    position = {str(name): column for column, name in enumerate(feature_ids)}
    absent = list(dict.fromkeys(name for name in names if name not in position))
    n_names = len(set(names))
    n_found = n_names - len(absent)
    if n_found == 0 or (absent and missing == "raise"):
        raise ControlsError(
            f"{n_found} of {n_names} control features were found in the matrix, {len(absent)} were not: "
            f"{show_ids(absent)}.{near_match_hint(absent, list(position))} Correct the names or remove them "
            f"from the list of controls."
        )
    mask = np.zeros(len(feature_ids), dtype=bool)
    mask[[position[name] for name in names if name in position]] = True
    return mask
