"""Results on disk: ``result.json`` for the structure, ``arrays.npz`` for the numbers, no pickle.

Every part of a result (a registered dataclass, an array, a table) becomes one entry of a flat list; entries name
each other by position and only backwards. A value that JSON does not have is an object with one key that says
what it is, ``{"tuple": [...]}``. Reading makes nothing but the classes listed in `CLASSES`, so a file cannot
name code to run; a formula in it goes through the same checks as one that a user types.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
import re
import zipfile
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, fields, replace
from datetime import date, datetime
from pathlib import Path, PurePath
from typing import Any, NoReturn

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from latentadj.core.regression import LinkUncertainty, RegressionFit
from latentadj.core.variance import VariancePrior
from latentadj.data.writers import atomic_directory
from latentadj.design import CovariateInfo, Design
from latentadj.design.codings import KnownColumns, LevelCoding
from latentadj.design.formula import parse_formula
from latentadj.design.recipe import FormulaRecipe, FrameRecipe, build_recipe
from latentadj.exceptions import FileFormatError, InputError, LatentAdjError, OutputError
from latentadj.results.adjustment import AdjustmentResult
from latentadj.results.confounding import ConfoundingTest
from latentadj.results.factors import (
    FactorEstimate,
    LinkEstimate,
    NumFactorsResult,
    RuleAnswer,
    Subtraction,
)
from latentadj.results.statistics import JointTests, TestStatistics

__all__ = ["load_result", "save_result"]

FORMAT = "latentadj result"
VERSION = 1
RECORD, ARRAYS = "result.json", "arrays.npz"


def save_result(result: AdjustmentResult, directory: str | os.PathLike[str]) -> Path:
    """Write a result to a folder, without pickle.

    Parameters
    ----------
    result : AdjustmentResult
        Its data matrix is left out.
    directory : path
        Made if it is not there. A result in it is replaced as a whole; other files stay.

    Returns
    -------
    pathlib.Path
        The folder.

    Raises
    ------
    OutputError
        The folder cannot be written, or holds files of these names that are no saved result.
    InputError
        A value in the sample table, the details or the manifest has no form on disk.

    Notes
    -----
    Numbers keep every bit, tables their column types. ``arrays.npz`` opens with `numpy.load` and names arrays by
    their place in the result (``tests.p_value``); ``result.json`` holds the rest and the hash of the arrays.

    Examples
    --------
    >>> import tempfile, latentadj as la
    >>> X = np.random.default_rng(0).normal(size=(12, 50))
    >>> res = la.adjust(X, la.Design.from_arrays(np.repeat([0, 1], 6)), method="none")
    >>> with tempfile.TemporaryDirectory() as parent:
    ...     again = load_result(save_result(res, Path(parent, "study")))
    >>> again.tidy().equals(res.tidy())
    True
    """
    folder = Path(directory)
    _refuse_foreign(folder)
    writer = _Writer()
    writer.reference(result, "")
    try:
        with atomic_directory(folder, overwrite=True, owned=(ARRAYS, RECORD)) as staging:
            _write(writer, staging)
    except OutputError:
        raise
    except OSError as error:
        raise OutputError(
            f"{folder} cannot be written ({error.strerror or error}). Choose a folder that you may write to, or free "
            "space on the disk."
        ) from error
    return folder


def load_result(directory: str | os.PathLike[str]) -> AdjustmentResult:
    """Read a result that `save_result` wrote.

    Parameters
    ----------
    directory : path

    Returns
    -------
    AdjustmentResult
        Equal to the saved one in every number; its `matrix` is None. Contrasts work as before, and
        ``design.replay`` too unless the design had been cut to other samples than its formula was read on.

    Raises
    ------
    FileFormatError
        The folder or a file is missing, truncated, no result, or of a newer format.

    Examples
    --------
    >>> load_result("no-such-folder")
    Traceback (most recent call last):
    ...
    latentadj.exceptions.FileFormatError: no-such-folder is no folder. Give the folder that result.save() wrote.
    """
    folder = Path(directory)
    record = _checked_record(folder)
    arrays = _checked_arrays(folder / ARRAYS, record.get("arrays_sha256"))
    try:
        return _Reader(arrays).result(record["objects"])
    except (LookupError, TypeError, ValueError, AttributeError, RecursionError, ImportError) as error:
        raise FileFormatError(
            f"{folder / RECORD} is not a complete result ({type(error).__name__}: {error}). Save the result again."
        ) from error


@dataclass(frozen=True)
class _StoredRecipe:
    """What is kept of a formula's recipe; formulaic's own state is made again from the covariates."""

    formula: str
    columns: KnownColumns
    covariates: tuple[CovariateInfo, ...]
    levels: dict[str, tuple[object, ...]]
    codings: dict[str, LevelCoding]
    frame: pd.DataFrame

    def recipe(self) -> FormulaRecipe:
        """Return the recipe; it replays when the covariates still give the columns it was built with."""
        kept = {"columns": self.columns, "covariates": self.covariates, "levels": self.levels, "codings": self.codings}
        try:
            rebuilt, _ = build_recipe(self.formula, self.frame)
        except LatentAdjError:
            rebuilt = None
        if rebuilt is not None and self._is_same(rebuilt.columns):
            return replace(rebuilt, **kept)
        parsed = parse_formula(self.formula, [info.name for info in self.covariates])
        return FormulaRecipe(parsed, _LostEncoding(), **kept)

    def _is_same(self, columns: KnownColumns) -> bool:
        same = columns.names == self.columns.names and columns.matrix.shape == self.columns.matrix.shape
        return same and np.allclose(columns.matrix, self.columns.matrix, rtol=1e-9, atol=1e-12)


class _LostEncoding:
    """Stands in for formulaic's state when the saved samples are not those the formula was read on."""

    def get_model_matrix(self, *_: Any, **__: Any) -> NoReturn:
        raise ValueError("the saved design had been cut to other samples, so its encoding was not kept.")


#: The only classes that reading makes; their names and fields are the file format.
CLASSES: dict[str, type[Any]] = {
    "FormulaRecipe": _StoredRecipe,
    **{
        cls.__name__: cls
        for cls in (
            AdjustmentResult, ConfoundingTest, CovariateInfo, Design, FactorEstimate, FrameRecipe, JointTests,
            KnownColumns, LevelCoding, LinkEstimate, LinkUncertainty, NumFactorsResult, RegressionFit, RuleAnswer,
            Subtraction, TestStatistics, VariancePrior,
        )
    },
}  # fmt: skip
_NAMES = {cls: name for name, cls in CLASSES.items()}

#: Values written as text: tag, class, how to write, how to read. Subclasses come before their classes.
_AS_TEXT: tuple[tuple[str, type[Any], Callable[[Any], str], Callable[[str], Any]], ...] = (
    ("float", float, repr, float),
    ("timestamp", pd.Timestamp, pd.Timestamp.isoformat, pd.Timestamp),
    ("timedelta", pd.Timedelta, pd.Timedelta.isoformat, pd.Timedelta),
    ("datetime", datetime, datetime.isoformat, datetime.fromisoformat),
    ("date", date, date.isoformat, date.fromisoformat),
    ("path", PurePath, os.fspath, Path),
)
_READ_TEXT = {tag: read for tag, _, _, read in _AS_TEXT}
_MISSING = {"NA": pd.NA, "NaT": pd.NaT}


class _Writer:
    """Turns values into JSON nodes and named arrays; an object that occurs twice is written once."""

    def __init__(self) -> None:
        self.objects: list[dict[str, Any]] = []
        self.arrays: dict[str, NDArray[Any]] = {}
        self._seen: dict[int, tuple[object, int]] = {}
        self._recipes: dict[int, _StoredRecipe] = {}

    def node(self, value: Any, path: str) -> Any:
        """Return the JSON form of any value; `path` is its place in the result."""
        if isinstance(value, np.generic):
            return self._scalar(value, path)
        if value is None or isinstance(value, bool | int | str):
            return value
        if isinstance(value, float) and math.isfinite(value):
            return value
        if isinstance(value, tuple | list | set | frozenset):
            items = [self.node(item, f"{path}.{i}") for i, item in enumerate(value)]
            return items if isinstance(value, list) else {_collection(value): items}
        if isinstance(value, Mapping):
            return self._mapping(value, path)
        for tag, missing in _MISSING.items():
            if value is missing:
                return {"missing": tag}
        if isinstance(value, pd.Interval):
            return {"interval": [self.node(value.left, path), self.node(value.right, path), value.closed]}
        for tag, kind, write, _ in _AS_TEXT:
            if isinstance(value, kind):
                return {tag: write(value)}
        return {"part": self.reference(value, path)}

    def reference(self, value: Any, path: str) -> int:
        """Return the position of an object in the list, after writing it if it is new."""
        if id(value) not in self._seen:
            self.objects.append(self._entry(value, path))
            # Holding the object keeps its id from being given to another one.
            self._seen[id(value)] = (value, len(self.objects) - 1)
        return self._seen[id(value)][1]

    def _entry(self, value: Any, path: str) -> dict[str, Any]:
        if isinstance(value, pd.DataFrame):
            return self._table(value, path)
        if isinstance(value, np.ndarray):
            return self._array(value, path)
        if type(value) not in _NAMES:
            _refuse(value, path)
        parts = {item.name: getattr(value, item.name) for item in fields(value)}
        if isinstance(value, AdjustmentResult):
            parts["matrix"] = None
        if isinstance(value, Design) and isinstance(value.spec, FormulaRecipe):
            parts["spec"] = self._recipe(value.spec, value.covariate_frame)
        inner = {name: self.node(part, f"{path}.{name}".lstrip(".")) for name, part in parts.items()}
        return {"class": _NAMES[type(value)], "fields": inner}

    def _recipe(self, recipe: FormulaRecipe, frame: pd.DataFrame | None) -> _StoredRecipe:
        if id(recipe) not in self._recipes:
            kept = recipe.columns, recipe.covariates, recipe.levels, recipe.codings
            covariates = pd.DataFrame() if frame is None else frame
            self._recipes[id(recipe)] = _StoredRecipe(recipe.parsed.text, *kept, covariates)
        return self._recipes[id(recipe)]

    def _scalar(self, value: np.generic, path: str) -> Any:
        if isinstance(value, np.str_):
            return str(value)
        if value.dtype.kind not in "biuf" or value.dtype.itemsize > 8:
            _refuse(value, path)
        return {"scalar": [value.dtype.name, self.node(value.item(), path)]}

    def _mapping(self, value: Mapping[Any, Any], path: str) -> dict[str, Any]:
        if all(type(key) is str for key in value):
            return {"dict": {key: self.node(item, f"{path}.{key}") for key, item in value.items()}}
        return {"pairs": [[self.node(key, path), self.node(item, f"{path}.{key}")] for key, item in value.items()]}

    def _array(self, value: NDArray[Any], path: str) -> dict[str, Any]:
        if value.dtype.kind == "O":
            items = [self.node(item, path) for item in value.ravel()]
            text = np.frombuffer(json.dumps(items, allow_nan=False).encode(), dtype=np.uint8)
            return {"items": self._keep(text, path), "shape": list(value.shape)}
        if value.dtype.kind not in "biufcmMU":
            _refuse(value, path)
        return {"array": self._keep(value, path)}

    def _keep(self, value: NDArray[Any], path: str) -> str:
        name = key = re.sub(r"[^A-Za-z0-9_.]+", "_", path) or "array"
        number = 1
        while key in self.arrays:
            number += 1
            key = f"{name}.{number}"
        self.arrays[key] = value
        return key

    def _table(self, frame: pd.DataFrame, path: str) -> dict[str, Any]:
        columns = [self._labels(frame.iloc[:, j], f"{path}.{name}") for j, name in enumerate(frame.columns)]
        names = self._labels(frame.columns, f"{path}.columns")
        return {"table": columns, "columns": names, "index": self._labels(frame.index, f"{path}.index")}

    def _labels(self, values: Any, path: str) -> dict[str, Any]:
        """Write a column or an index with its type."""
        name, dtype = self.node(values.name, path), values.dtype
        if isinstance(values, pd.RangeIndex):
            return {"name": name, "range": [values.start, values.stop, values.step]}
        if isinstance(values, pd.MultiIndex):
            _refuse(values, path)
        if isinstance(dtype, pd.CategoricalDtype):
            codes = pd.Categorical(values).codes
            categories = self._labels(dtype.categories, f"{path}.categories")
            return {"name": name, "codes": self.node(codes, path), "of": categories, "ordered": bool(dtype.ordered)}
        if isinstance(dtype, pd.DatetimeTZDtype):
            plain = pd.DatetimeIndex(values).tz_convert(None).to_numpy()
            return {"name": name, "values": self.node(plain, path), "zoned": str(dtype)}
        if isinstance(dtype, np.dtype):
            return {"name": name, "values": self.node(values.to_numpy(), path)}
        text = f"string[{dtype.storage}]" if str(dtype) == "string" else str(dtype)
        return {"name": name, "values": self.node(np.asarray(values, dtype=object), path), "dtype": text}


class _Reader:
    """The inverse of `_Writer`: makes the listed objects in order."""

    def __init__(self, arrays: Mapping[str, NDArray[Any]]) -> None:
        self._arrays = arrays
        self._made: list[Any] = []

    def result(self, objects: Iterable[dict[str, Any]]) -> AdjustmentResult:
        """Return the last object, which holds all others."""
        for entry in objects:
            self._made.append(self._object(entry))
        found = self._made[-1]
        if not isinstance(found, AdjustmentResult):
            raise TypeError(f"the last part is a {type(found).__name__}")
        return found

    def node(self, node: Any) -> Any:
        """Return the value of a JSON form."""
        if node is None or isinstance(node, bool | int | float | str):
            return node
        if isinstance(node, list):
            return [self.node(item) for item in node]
        ((tag, body),) = node.items()
        if tag == "part":
            return self._made[body]
        if tag in _READ_TEXT:
            return _READ_TEXT[tag](body)
        return self._tagged(tag, body)

    def _tagged(self, tag: str, body: Any) -> Any:
        if tag == "dict":
            return {key: self.node(item) for key, item in body.items()}
        if tag == "missing":
            return _MISSING[body]
        items = [self.node(item) for item in body]
        if tag == "pairs":
            return dict(items)
        if tag == "interval":
            return pd.Interval(*items)
        if tag == "scalar":
            return np.dtype(items[0]).type(items[1])
        return {"tuple": tuple, "set": set, "frozenset": frozenset}[tag](items)

    def _object(self, entry: dict[str, Any]) -> Any:
        if "table" in entry:
            return self._table(entry)
        if "array" in entry:
            return self._arrays[entry["array"]]
        if "items" in entry:
            items = self.node(json.loads(self._arrays[entry["items"]].tobytes()))
            flat = np.empty(len(items), dtype=object)
            flat[:] = items
            return flat.reshape(entry["shape"])
        made = CLASSES[entry["class"]](**{name: self.node(part) for name, part in entry["fields"].items()})
        return made.recipe() if isinstance(made, _StoredRecipe) else made

    def _table(self, entry: dict[str, Any]) -> pd.DataFrame:
        index = self._index(entry["index"])
        columns = dict(enumerate(self._column(column, index) for column in entry["table"]))
        return pd.DataFrame(columns, index=index).set_axis(self._index(entry["columns"]), axis="columns")

    def _column(self, entry: dict[str, Any], index: pd.Index[Any]) -> pd.Series[Any]:
        values = self._values(entry)
        return pd.Series(values, index=index, dtype=values.dtype)

    def _index(self, entry: dict[str, Any]) -> pd.Index[Any]:
        name = self.node(entry["name"])
        if "range" in entry:
            return pd.RangeIndex(*entry["range"], name=name)
        values = self._values(entry)
        return pd.Index(values, dtype=values.dtype, name=name)

    def _values(self, entry: dict[str, Any]) -> Any:
        if "codes" in entry:
            categories = self._index(entry["of"])
            return pd.Categorical.from_codes(self.node(entry["codes"]), categories, ordered=entry["ordered"])
        values = self.node(entry["values"])
        if "zoned" in entry:
            return pd.DatetimeIndex(values).tz_localize("UTC").astype(entry["zoned"]).array
        return pd.array(values, dtype=entry["dtype"]) if "dtype" in entry else values


def _collection(value: object) -> str:
    return next(kind.__name__ for kind in (tuple, set, frozenset) if isinstance(value, kind))


def _refuse(value: object, path: str) -> NoReturn:
    raise InputError(
        f"{path or 'The result'} holds a {type(value).__name__}, which has no form on disk without pickle. Turn it into "
        "text or numbers (dataclasses.replace makes a result with another sample table), or leave it out."
    )


def _write(writer: _Writer, staging: Path) -> None:
    with (staging / ARRAYS).open("wb") as stream:
        np.savez(stream, **writer.arrays)  # type: ignore[arg-type]
    record = {
        "format": FORMAT,
        "version": VERSION,
        "arrays_sha256": _sha256(staging / ARRAYS),
        "objects": writer.objects,
    }
    (staging / RECORD).write_text(json.dumps(record, indent=1, allow_nan=False) + "\n", encoding="utf-8")


def _sha256(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
