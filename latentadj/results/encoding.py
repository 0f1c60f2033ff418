"""Results as plain data and back: JSON nodes for the structure, named arrays for the numbers.

Every part of a result (a registered dataclass, an array, a table) becomes one entry of a flat list; entries name
each other by position and only backwards. A value that JSON does not have is an object with one key that says
what it is, ``{"tuple": [...]}``. Reading makes nothing but the classes listed in `CLASSES`, so a file cannot
name code to run; a formula in it goes through the same checks as one that a user types.
"""

from __future__ import annotations

import json
import math
import os
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import fields
from datetime import date, datetime
from pathlib import Path, PurePath
from typing import Any, NoReturn

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from latentadj.core.feature_sandwich import FeatureSandwich
from latentadj.core.mixture_prior import MixturePrior
from latentadj.core.regression import LinkUncertainty, RegressionFit
from latentadj.core.sandwich import SandwichScores
from latentadj.core.variance import VariancePrior
from latentadj.core.whitening import Whitening
from latentadj.design import CovariateInfo, Design
from latentadj.design.codings import KnownColumns, LevelCoding
from latentadj.design.recipe import FormulaRecipe, FrameRecipe
from latentadj.exceptions import InputError
from latentadj.results.adjustment import AdjustmentResult
from latentadj.results.confounding import ConfoundingTest
from latentadj.results.factors import (
    FactorEstimate,
    LinkEstimate,
    NumFactorsResult,
    RuleAnswer,
    Subtraction,
)
from latentadj.results.recipes import StoredRecipe
from latentadj.results.shrinkage import ShrunkenEffects
from latentadj.results.statistics import CalibrationRecord, JointTests, TestStatistics

__all__ = ["ResultReader", "ResultWriter"]


#: The only classes that reading makes; their names and fields are the file format.
CLASSES: dict[str, type[Any]] = {
    "FormulaRecipe": StoredRecipe,
    **{
        cls.__name__: cls
        for cls in (
            AdjustmentResult, CalibrationRecord, ConfoundingTest, CovariateInfo, Design, FactorEstimate,
            FeatureSandwich, FrameRecipe,
            JointTests, KnownColumns, LevelCoding, LinkEstimate, LinkUncertainty, MixturePrior, NumFactorsResult,
            RegressionFit, RuleAnswer, SandwichScores, ShrunkenEffects, Subtraction, TestStatistics, VariancePrior,
            Whitening,
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


class ResultWriter:
    """Turns values into JSON nodes and named arrays; an object that occurs twice is written once.

    An object of a class derived from one in `CLASSES` is written as the latter, without fields of its own.

    Attributes
    ----------
    objects : list of dict
        One entry per part, in JSON types; the parts of a part come before it.
    arrays : dict of str to ndarray
        None of them of objects.

    Examples
    --------
    >>> writer = ResultWriter()
    >>> writer.node({"shape": (2, np.inf), "x": np.arange(2)}, "details")
    {'dict': {'shape': {'tuple': [2, {'float': 'inf'}]}, 'x': {'part': 0}}}
    >>> writer.objects, writer.arrays
    ([{'array': 'details.x'}], {'details.x': array([0, 1])})
    """

    def __init__(self) -> None:
        self.objects: list[dict[str, Any]] = []
        self.arrays: dict[str, NDArray[Any]] = {}
        self._seen: dict[int, tuple[object, int]] = {}
        self._recipes: dict[int, StoredRecipe] = {}

    def node(self, value: Any, path: str) -> Any:
        """Return the JSON form of any value.

        Parameters
        ----------
        value : object
        path : str
            Its place in the result, for the names of arrays and for messages.

        Returns
        -------
        None, bool, int, float, str, list or dict

        Raises
        ------
        InputError
            The value has no form on disk.
        """
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
        if any(value is missing for missing in _MISSING.values()):
            return {"missing": str(value).strip("<>")}
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
        cls = next((kind for kind in type(value).__mro__ if kind in _NAMES), None)
        if cls is None:
            _refuse(value, path)
        parts = {item.name: getattr(value, item.name) for item in fields(cls)}
        if isinstance(value, AdjustmentResult):
            parts["matrix"] = None
        if isinstance(value, Design) and isinstance(value.spec, FormulaRecipe):
            parts["spec"] = self._recipe(value.spec, value.covariate_frame)
        inner = {name: self.node(part, f"{path}.{name}".lstrip(".")) for name, part in parts.items()}
        return {"class": _NAMES[cls], "fields": inner}

    def _recipe(self, recipe: FormulaRecipe, frame: pd.DataFrame | None) -> StoredRecipe:
        if id(recipe) not in self._recipes:
            kept = recipe.columns, recipe.covariates, recipe.levels, recipe.codings
            covariates = pd.DataFrame() if frame is None else frame
            self._recipes[id(recipe)] = StoredRecipe(recipe.parsed.text, *kept, covariates)
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
            return {
                "name": name,
                "codes": self.node(codes, path),
                "of": categories,
                "ordered": bool(dtype.ordered),
            }
        if isinstance(dtype, pd.DatetimeTZDtype):
            plain = pd.DatetimeIndex(values).tz_convert(None).to_numpy()
            return {"name": name, "values": self.node(plain, path), "zoned": str(dtype)}
        if isinstance(dtype, np.dtype):
            return {"name": name, "values": self.node(values.to_numpy(), path)}
        text = f"string[{dtype.storage}]" if str(dtype) == "string" else str(dtype)
        return {"name": name, "values": self.node(np.asarray(values, dtype=object), path), "dtype": text}


class ResultReader:
    """The inverse of `ResultWriter`: makes the listed objects in order.

    Parameters
    ----------
    arrays : mapping of str to ndarray

    Examples
    --------
    >>> ResultReader({}).node({"tuple": [2, {"float": "inf"}]})
    (2, inf)
    """

    def __init__(self, arrays: Mapping[str, NDArray[Any]]) -> None:
        self._arrays = arrays
        self._made: list[Any] = []

    def result(self, objects: Iterable[dict[str, Any]]) -> AdjustmentResult:
        """Return the last object, which holds all others.

        Parameters
        ----------
        objects : iterable of dict
            As in `ResultWriter.objects`.

        Returns
        -------
        AdjustmentResult

        Raises
        ------
        LookupError, TypeError, ValueError, AttributeError
            The entries are not those of a result.
        """
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
            for i, item in enumerate(items):
                flat[i] = item
            return flat.reshape(entry["shape"])
        made = CLASSES[entry["class"]](**{name: self.node(part) for name, part in entry["fields"].items()})
        return made.recipe() if isinstance(made, StoredRecipe) else made

    def _table(self, entry: dict[str, Any]) -> pd.DataFrame:
        index = self._index(entry["index"])
        columns = dict(enumerate(self._column(column, index) for column in entry["table"]))
        return pd.DataFrame(columns, index=index).set_axis(self._index(entry["columns"]), axis="columns")

    def _column(self, entry: dict[str, Any], index: pd.Index[Any]) -> pd.Series[Any]:
        values = self._values(entry)
        column: pd.Series[Any] = pd.Series(values, index=index, dtype=values.dtype)
        return column

    def _index(self, entry: dict[str, Any]) -> pd.Index[Any]:
        name = self.node(entry["name"])
        if "range" in entry:
            start, stop, step = entry["range"]
            return pd.RangeIndex(start, stop, step, name=name)
        values = self._values(entry)
        index: pd.Index[Any] = pd.Index(values, dtype=values.dtype, name=name)
        return index

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
        f"{path or 'The result'} holds a {type(value).__name__}, which has no form on disk without pickle. Turn it "
        "into text or numbers (dataclasses.replace makes a result with another sample table), or leave it out."
    )
