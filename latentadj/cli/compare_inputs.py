"""From arguments of ``latentadj compare`` to scenarios and methods."""

from __future__ import annotations

import dataclasses
import warnings
from argparse import Namespace
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from latentadj._adjust import adjust
from latentadj.catalogue import methods as catalogue
from latentadj.cli.settings import typed
from latentadj.cli.terminal import Terminal
from latentadj.compare import DEFAULT_METHODS
from latentadj.compare.contestant import ORACLE
from latentadj.compare.front import scenarios_of
from latentadj.data import read_controls, read_matrix, read_samples
from latentadj.exceptions import ControlsError, InputError, LatentAdjError, LatentAdjWarning, MethodError
from latentadj.simulation import (
    ControlledStudy,
    PermutedPrimary,
    RealData,
    ReplicateSplit,
    Scenario,
    StudySource,
    ThinnedCounts,
)
from latentadj.simulation.permuted_primary import observed_confounding


def simulated_scenarios(families: Sequence[str], specs: Sequence[str], features: int) -> list[Scenario]:
    """Return simulated scenarios by name and by settings.

    Parameters
    ----------
    families : sequence of str
    specs : sequence of str
        Names, or ``key=value`` pairs separated by commas.
    features : int
        No study has more features.

    Returns
    -------
    list of Scenario

    Raises
    ------
    MethodError, InputError
        Unknown names, or values out of range.

    Examples
    --------
    >>> [s.n_features for s in simulated_scenarios(["base"], ["n_samples=20,n_features=50"], 100)]
    [100, 50]
    """
    named = [item for item in scenarios_of(list(families)) if isinstance(item, Scenario)] if families else []
    found = [*named, *map(scenario_from, specs)]
    return [replace(scenario, n_features=min(scenario.n_features, features)) for scenario in found]


def scenario_from(spec: str) -> Scenario:
    """Read a scenario from text, as data.

    Parameters
    ----------
    spec : str

    Returns
    -------
    Scenario
        Named by `spec`, unless it holds a name.

    Raises
    ------
    MethodError
        An unknown family or setting.
    InputError
        A value out of range.

    Examples
    --------
    >>> scenario_from("confounding=0.7, primary=continuous").primary
    'continuous'
    """
    if "=" not in spec:
        return next(item for item in scenarios_of(spec.strip()) if isinstance(item, Scenario))
    known = {f.name: f for f in dataclasses.fields(Scenario)}
    given: dict[str, object] = {"name": spec.strip()}
    for part in spec.split(","):
        key, _, text = (piece.strip() for piece in part.partition("="))
        if key not in known or not text:
            raise MethodError(f"--simulate {part.strip()!r}: write key=value with one of {', '.join(known)}.")
        value, default = typed(text), known[key].default
        if isinstance(default, float) and isinstance(value, int) and not isinstance(value, bool):
            value = float(value)
        if type(value) is not type(default):
            raise MethodError(f"--simulate {part.strip()!r}: {key} is of type {type(default).__name__}.")
        given[key] = value
    return Scenario(**given)  # type: ignore[arg-type]


def real_data(args: Namespace, terminal: Terminal) -> RealData:
    """Read the user's matrix, sample table and controls; counts get a logarithmic scale beside them.

    Parameters
    ----------
    args : argparse.Namespace
    terminal : Terminal

    Returns
    -------
    RealData

    Raises
    ------
    LatentAdjError
    """
    samples = None if args.samples is None else read_samples(args.samples)
    with terminal.stage(f"Reading {args.matrix}"):
        matrix = read_matrix(args.matrix, orientation=args.orientation, layer=args.layer)
    masks: dict[str, Any] = {}
    for name in ("controls", "positives"):
        path = getattr(args, name)
        if path is not None:
            if matrix.feature_ids is None:
                raise ControlsError(f"--{name} names features, but the features of {args.matrix} have no IDs.")
            masks[name] = read_controls(Path(path), matrix.feature_ids.tolist())
    table = matrix.sample_data if samples is None else samples
    data = RealData.read(matrix, args.formula, table, replicates=args.replicates, **masks)
    return data.on_log_scale() if data.looks_counted else data


def matrix_scenarios(data: RealData, *, thinned: bool, features: int, terminal: Terminal) -> list[StudySource]:
    """Return every scenario that the user's data allow.

    Parameters
    ----------
    data : RealData
    thinned : bool
        Whether the data are counts.
    features : int
        Features of a thinned study.
    terminal : Terminal

    Returns
    -------
    list

    Raises
    ------
    InputError
        None is possible.
    """
    found: list[StudySource] = []
    if data.design.primary_names:
        found.append(PermutedPrimary(data, "your data, independent null"))
        found += _confounded(data)
    if thinned and data.counts is not None:
        usable = int((data.counts.mean(axis=0) >= 1.0).sum())
        found.append(ThinnedCounts(data.counts, "your data, thinned", n_features=min(features, usable)))
    if data.positives is not None or data.no_controls().sum() >= 4:
        if data.design.primary_names:
            found.append(ControlledStudy(data, "your data, controls"))
        else:
            terminal.note("controls are compared only with --formula.")
    if data.labels is not None:
        found.append(ReplicateSplit(data, "your data, replicates"))
    if not found:
        raise InputError(
            "Nothing with a known truth can be made of this matrix as it is. Give --formula (variables without "
            "effect), --replicates, or a matrix of counts (thinning)."
        )
    return found


def _confounded(data: RealData) -> list[StudySource]:
    """Variables without effect that share as much with the hidden factors as the tested one does."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", LatentAdjWarning)
        with suppress(LatentAdjError):
            scores = adjust(data.values, data.design, method="cate").estimate.scores
            share = observed_confounding(data, scores) if scores.shape[1] else 0.0
            if share > 0.02:
                return [PermutedPrimary(data, "your data, confounded null", scores, round(share, 3))]
    return []


def usable_methods(asked: Sequence[str] | None, data: RealData, *, simulated: bool) -> list[str]:
    """Return the methods asked for, or the default ones that have what they need.

    Parameters
    ----------
    asked : sequence of str or None
    data : RealData
    simulated : bool
        Whether simulated scenarios are compared too, for which everything is known.

    Returns
    -------
    list of str
    """
    if asked is not None:
        return list(asked)
    if simulated:
        return list(DEFAULT_METHODS)
    needs = catalogue()["needs"]
    has_controls = bool(data.no_controls().any())
    return [m for m in DEFAULT_METHODS if m != ORACLE and (has_controls or "controls" not in needs.get(m, ""))]
