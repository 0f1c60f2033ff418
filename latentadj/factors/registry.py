"""Methods by name: those of the package and those that other packages register."""

from __future__ import annotations

import inspect
import warnings
from importlib.metadata import EntryPoint, entry_points

from latentadj.exceptions import BrokenEntryPointWarning
from latentadj.factors import METHODS, LatentFactorEstimator, MethodInfo

#: Group of entry points under which a package registers its methods, ``name = "module:Class"``.
GROUP = "latentadj.methods"


def available_methods() -> dict[str, type[LatentFactorEstimator]]:
    """Return every method class by the name that ``adjust(method=...)`` takes.

    Returns
    -------
    dict of str to type
        The package's methods in the order of the catalogue, then those of other packages by name.

    Warns
    -----
    BrokenEntryPointWarning
        For an entry point of the group ``latentadj.methods`` that cannot be loaded, is no `LatentFactorEstimator`
        with a `method_info`, has another name in its `method_info`, or takes the name of another method.

    Examples
    --------
    >>> available_methods()["ruv4"].method_info.needs
    ('controls',)
    """
    found = _built_in()
    for point in sorted(entry_points(group=GROUP), key=lambda point: (point.name, point.value)):
        try:
            cls = _loaded(point, taken=found)
        except Exception as error:  # whatever an import of foreign code raises
            _warn(point, error)
        else:
            found[point.name] = cls
    return found


def find_method(name: str) -> type[LatentFactorEstimator] | None:
    """Return the class of a name, or None; other packages are asked only for names that are not built in.

    Parameters
    ----------
    name : str

    Returns
    -------
    type or None

    Examples
    --------
    >>> find_method("cate").__name__, find_method("no such method")
    ('CATE', None)
    """
    return _built_in().get(name) or available_methods().get(name)


def _built_in() -> dict[str, type[LatentFactorEstimator]]:
    return {cls.method_info.name: cls for cls in METHODS}


def _loaded(point: EntryPoint, taken: dict[str, type[LatentFactorEstimator]]) -> type[LatentFactorEstimator]:
    if point.name in taken:
        raise ValueError(f"the name {point.name!r} is taken by {taken[point.name].__name__}")
    cls = point.load()
    if not (inspect.isclass(cls) and issubclass(cls, LatentFactorEstimator)):
        raise TypeError(f"{cls!r} is not a class derived from LatentFactorEstimator")
    if not isinstance(getattr(cls, "method_info", None), MethodInfo):
        raise TypeError(f"{cls.__name__} has no method_info")
    if cls.method_info.name != point.name:
        raise ValueError(f"it is registered as {point.name!r} and its method_info says {cls.method_info.name!r}")
    return cls


def _warn(point: EntryPoint, error: Exception) -> None:
    source = f" of {point.dist.name}" if point.dist is not None else ""
    warnings.warn(
        f"The method {point.name!r}{source} ({point.value}) is left out: {type(error).__name__}: {error}. Update or "
        "uninstall the package that registers it.",
        BrokenEntryPointWarning,
        stacklevel=3,
    )
