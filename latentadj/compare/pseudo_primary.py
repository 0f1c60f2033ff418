"""Can the p-values of this pipeline be trusted on this matrix? The user's data with variables that have no effect."""

from __future__ import annotations

import warnings
from contextlib import suppress
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from latentadj._adjust import adjust
from latentadj.compare.contestant import Contestant
from latentadj.compare.execution import Progress
from latentadj.compare.front import compare
from latentadj.compare.null_check_result import CONFOUNDED, INDEPENDENT, NullCheck
from latentadj.core.matrix import collect
from latentadj.exceptions import InputError, LatentAdjError, LatentAdjWarning
from latentadj.results import AdjustmentResult
from latentadj.simulation import PermutedPrimary, RealData
from latentadj.simulation.permuted_primary import observed_confounding

Array = NDArray[np.float64]

#: Arguments of `adjust` that say how the data are read; they are used once.
READING = ("orientation", "layer", "controls", "allow_adjusted")
#: A confounding below this is none.
SMALL = 0.02


def null_check(
    X: Any,
    formula: Any,
    sample_data: pd.DataFrame | None = None,
    *,
    method: Any = "auto",
    n_factors: Any = "auto",
    n_repeats: int = 20,
    confounding: str | float = "observed",
    keep_primary: bool = True,
    random_state: int = 0,
    n_jobs: int = 1,
    client: Any = None,
    progress: Progress | None = None,
    **options: Any,
) -> NullCheck:
    """Run a whole analysis on one's own matrix with pseudo-primary variables that have no effect.

    Parameters
    ----------
    X, formula, sample_data, method, n_factors
        As for `adjust`.
    n_repeats : int, default=20
        Pseudo-primary variables of each kind.
    confounding : "observed" or float, default="observed"
        R2 of the second kind of pseudo-primary variables on the estimated factors: what the analysis found for the
        primary variable, or a number from 0 to 0.95; 0 leaves that kind out.
    keep_primary : bool, default=True
        Adjust for the primary variable itself, so that its true effects are no hidden variation. Costs its degrees of
        freedom.
    random_state : int, default=0
    n_jobs, client, progress
        As for `compare`.
    **options
        Of `adjust`: `controls`, `model`, `inference`, `calibration`, `orientation` and so on.

    Returns
    -------
    NullCheck

    Raises
    ------
    LatentAdjError
        As `adjust`, whose analysis of the data as they are comes first.

    Notes
    -----
    Two kinds of pseudo-primary variables. *Independent* ones have the same values, group sizes and association with the
    nuisance columns as the primary variable, at random (`PermutedPrimary`). *Confounded* ones also share as much
    variation with the estimated hidden factors as the primary variable does (those of CATE, where the analysis
    estimates none). The first kind shows what correlation between features and wrong variances do; only the second
    shows whether confounding is removed. No feature depends on such a variable given the factors, so p-values should
    be uniform.

    What is not shown: the method's assumption about the true effects (sparsity, say), as there are none; hidden
    variation that the analysis did not find, which is no part of the confounding; and noise whose variance depends on
    the tested variable, or dependence between samples, as a pseudo-primary variable does not follow them.

    Examples
    --------
    >>> from latentadj.simulation import Scenario, simulate
    >>> study = simulate(Scenario(n_samples=30, n_features=300, n_factors=1), 0)
    >>> check = null_check(study.X, study.design, method="cate", n_repeats=3)
    >>> sorted(set(check.frame["kind"]))
    ['confounded', 'independent']
    """
    result = adjust(X, formula, sample_data, method=method, n_factors=n_factors, **options)
    if not result.tests.names or result.matrix is None:
        raise InputError("The formula tests nothing, so there are no p-values to check. Name what is tested.")
    data = RealData(collect(result.matrix), result.design, result.sample_data, result.controls)
    scores = _hidden(result, data, random_state) if confounding else np.empty((len(data.values), 0))
    share = _share(data, scores, confounding)
    kinds = [PermutedPrimary(data, INDEPENDENT, keep_primary=keep_primary)]
    if share > SMALL:
        kinds.append(PermutedPrimary(data, CONFOUNDED, scores, share, keep_primary))
    rest = {name: value for name, value in options.items() if name not in READING}
    if data.controls is not None:
        rest["controls"] = data.controls
    if data.sample_data is not None:
        rest["sample_data"] = data.sample_data
    analysis = _Analysis(method, n_factors, rest)
    found = compare(
        [Contestant(result.method, analysis)], kinds, ("errors", "calibration", "histogram"), n_repeats,
        random_state, n_jobs=n_jobs, client=client, progress=progress,
    )  # fmt: skip
    return NullCheck(_tidied(found.frame), result, share)


class _Analysis:
    """The user's analysis, with another design."""

    def __init__(self, method: Any, n_factors: Any, options: dict[str, Any]) -> None:
        self.method, self.n_factors, self.options = method, n_factors, options

    def __call__(self, study: Any, n_factors: Any, seed: int) -> AdjustmentResult:
        return adjust(study.X, study.design, method=self.method, n_factors=self.n_factors, **self.options)


def _hidden(result: AdjustmentResult, data: RealData, seed: int) -> Array:
    """Estimated hidden factors with their share along the primary columns, ``(n_samples, k)``.

    Those of the analysis; of an analysis without factors, or one that does not estimate that share, those of CATE: it
    is the confounding in the data that counts, not whether the analysis looks for it.
    """
    if result.n_factors and result.valid_for_testing:
        return result.estimate.scores
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", LatentAdjWarning)
        with suppress(LatentAdjError):
            return adjust(data.values, data.design, method="cate", random_state=seed).estimate.scores
    return result.estimate.scores


def _share(data: RealData, scores: Array, confounding: str | float) -> float:
    if isinstance(confounding, str):
        if confounding != "observed":
            raise InputError(f"confounding={confounding!r} is unknown; give 'observed' or an R2.")
        return observed_confounding(data, scores) if scores.shape[1] else 0.0
    if not 0 <= confounding <= 0.95:
        raise InputError(f"confounding={confounding!r} is out of range: from 0 to 0.95.")
    return float(confounding) if scores.shape[1] else 0.0


def _tidied(frame: pd.DataFrame) -> pd.DataFrame:
    """Rename what a comparison calls scenario and method, and leave out what a null study does not have."""
    names = [
        "kind", "repeat", "status", "message", "type1_05", "type1_01", "type1_001", "n_discoveries", "median_z",
        "mad_z", "inflation", "shape", "histogram",
    ]  # fmt: skip
    out = frame.rename(columns={"scenario": "kind"})
    return out.assign(**{name: np.nan for name in names if name not in out})[names]
