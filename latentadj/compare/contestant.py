"""Ways of analysing a study, by name."""

from __future__ import annotations

import hashlib
import inspect
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from sklearn.base import clone

from latentadj._adjust import adjust, resolve_method
from latentadj.compare.findings import Findings
from latentadj.exceptions import InputError, MethodError
from latentadj.factors import LatentFactorEstimator
from latentadj.results import AdjustmentResult
from latentadj.simulation import SimulatedStudy

#: Analyses of one's own: of a study, a number of factors (or None) and a seed.
Analysis = Callable[[SimulatedStudy, Any, int], AdjustmentResult | Findings]
#: The plain regression that is given the true factors.
ORACLE = "oracle"


@dataclass(frozen=True, eq=False)
class Contestant:
    """One way of analysing a study.

    Attributes
    ----------
    name : str
    method : str, LatentFactorEstimator or callable
        As for `adjust`, "oracle", or an analysis of one's own.
    options : mapping
        Of `adjust` and of the method.
    use_controls : bool
        Give the study's negative controls also to methods that do not need them.

    Examples
    --------
    >>> Contestant("cate", "cate").takes_number, Contestant("none", "none").takes_number
    (True, False)
    """

    name: str
    method: str | LatentFactorEstimator | Analysis
    options: Mapping[str, Any] = field(default_factory=dict)
    use_controls: bool = False

    @property
    def takes_number(self) -> bool:
        """Whether rules for the number of factors apply."""
        if "n_factors" in self.options or self.method == ORACLE:
            return False
        if isinstance(self.method, LatentFactorEstimator):
            return bool(self.method.get_params().get("n_factors") == "auto")
        if not isinstance(self.method, str):
            return True
        return "n_factors" in inspect.signature(type(self._estimator("auto", 0)).__init__).parameters

    def settings(self) -> dict[str, Any]:
        """Return what, with the name, decides the analysis."""
        method = self.method
        options = {key: _described(value) for key, value in sorted(self.options.items())}
        if isinstance(method, LatentFactorEstimator):
            options |= {f"method.{key}": _described(value) for key, value in sorted(method.get_params().items())}
            method = type(method)
        return {"method": _described(method), "options": options, "use_controls": self.use_controls}

    def analyse(self, study: SimulatedStudy, n_factors: Any, seed: int) -> Findings:
        """Analyse one study.

        Parameters
        ----------
        study : SimulatedStudy
        n_factors : "auto", int, str or NumFactorsRule
            Ignored unless `takes_number`.
        seed : int

        Returns
        -------
        Findings

        Raises
        ------
        Exception
            Whatever the method raises.
        """
        if self.method == ORACLE:
            return replace(Findings.of(self._oracle(study)), factors=None, n_factors=None)
        if not isinstance(self.method, str | LatentFactorEstimator):
            found = self.method(study, n_factors, seed)
            return Findings.of(found) if isinstance(found, AdjustmentResult) else found
        return Findings.of(self._adjusted(study, n_factors, seed))

    def _oracle(self, study: SimulatedStudy) -> AdjustmentResult:
        if not study.truth.factors_known:
            raise InputError("The hidden factors of real data are not known, so no analysis can be given them.")
        return adjust(study.X, study.oracle_design, method="none", **self.options)

    def _adjusted(self, study: SimulatedStudy, n_factors: Any, seed: int) -> AdjustmentResult:
        number = n_factors if self.takes_number else "auto"
        options = dict(self.options)
        method: Any = self._estimator(number, seed) if isinstance(self.method, LatentFactorEstimator) else self.method
        if isinstance(method, str):
            options.setdefault("n_factors", number)
            options.setdefault("random_state", seed)
        info = self._estimator("auto", seed).method_info
        has_controls = bool(study.truth.controls.any())
        if has_controls and (self.use_controls or "controls" in info.needs):
            options.setdefault("controls", study.truth.controls)
        if "replicates" in info.needs:
            options.setdefault("replicates", study.replicates)
        counting = info.input_scale == "counts" or options.get("model") not in (None, "linear")
        data = study.counts if counting and study.counts is not None else study.X
        options.setdefault("allow_invalid", True)
        return adjust(data, study.design, method=method, **options)

    def _estimator(self, n_factors: Any, seed: int) -> LatentFactorEstimator:
        if isinstance(self.method, LatentFactorEstimator):
            given = {"n_factors": n_factors} if self.takes_number else {}
            found: LatentFactorEstimator = clone(self.method).set_params(**given)
            return found
        return resolve_method(str(self.method), None, "auto", seed, {})[0]


def contestants_of(methods: Any) -> list[Contestant]:
    """Make contestants from whatever names them.

    Parameters
    ----------
    methods : str, sequence, or mapping of str to str, LatentFactorEstimator, dict or callable
        Names of methods, "auto" and "oracle" (the plain regression that is given the true factors); or names of one's
        own with a method, an estimator, a dict of `adjust`'s arguments (``{"method": "cate", "calibration": "mad"}``,
        with ``"use_controls": True`` to give the study's controls to any method), or a callable of a study, a number of
        factors and a seed that returns an `AdjustmentResult` or `Findings`.

    Returns
    -------
    list of Contestant

    Raises
    ------
    MethodError
        An unknown name, or the same name twice.

    Examples
    --------
    >>> [c.name for c in contestants_of(["none", "cate"])]
    ['none', 'cate']
    """
    pairs: Iterable[tuple[Any, Any]]
    if isinstance(methods, Mapping):
        pairs = methods.items()
    else:
        listed = [methods] if isinstance(methods, str | LatentFactorEstimator | Contestant) else list(methods)
        pairs = [(_own_name(item), item) for item in listed]
    found = [_contestant(str(name), item) for name, item in pairs]
    require_distinct("methods", [c.name for c in found])
    return found


def require_distinct(what: str, names: list[str]) -> None:
    """Raise unless there are names, each once.

    Raises
    ------
    MethodError
    """
    if not names:
        raise MethodError(f"No {what} were named; there is nothing to compare.")
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise MethodError(
            f"{what}: {', '.join(twice)} is named twice. Rows are told apart by their names; give another."
        )


def _own_name(item: Any) -> str:
    if isinstance(item, LatentFactorEstimator):
        return item.method_info.name
    if isinstance(item, str):
        return item
    name = getattr(item, "name", None) or getattr(item, "__name__", None)
    if name is None:
        raise MethodError(f"{item!r} has no name. Give methods as a mapping: {{'my name': ...}}.")
    return str(name)


def _contestant(name: str, item: Any) -> Contestant:
    if isinstance(item, Contestant):
        return item
    if isinstance(item, Mapping):
        options = dict(item)
        method = options.pop("method", "auto")
        return _checked(Contestant(name, method, options, bool(options.pop("use_controls", False))))
    if isinstance(item, str | LatentFactorEstimator) or callable(item):
        return _checked(Contestant(name, item))
    raise MethodError(
        f"{item!r} is no method. Give a name, an estimator, a dict of options of adjust(), or a callable."
    )


def _described(value: Any) -> str:
    """Text that is the same in every process for the same value."""
    if isinstance(value, np.ndarray):
        return hashlib.blake2b(np.ascontiguousarray(value).tobytes(), digest_size=8).hexdigest() + str(value.shape)
    if isinstance(value, type) or inspect.isfunction(value):
        return f"{value.__module__}.{value.__qualname__}"
    return repr(value)


def _checked(contestant: Contestant) -> Contestant:
    """Raise for an unknown method before anything is computed."""
    if isinstance(contestant.method, str) and contestant.method != ORACLE:
        resolve_method(contestant.method, None, "auto", 0, {})
    return contestant
