"""How many hidden factors, by every rule, without testing anything."""

from __future__ import annotations

from typing import Any

import pandas as pd

from latentadj.core.passes import one_blas_thread
from latentadj.data.adapters import Orientation
from latentadj.estimators.pipeline import study_problem, weighed_problem
from latentadj.estimators.regression import AdjustedRegression
from latentadj.factors import NoFactors, random_generator
from latentadj.num_factors import compare_rules
from latentadj.results import NumFactorsResult
from latentadj.sample_weights import resolve_sample_weights


@one_blas_thread()
def estimate_num_factors(
    X: Any,
    formula: Any,
    sample_data: pd.DataFrame | None = None,
    *,
    rules: Any = "all",
    controls: Any = None,
    sample_weights: Any = "quality",
    random_state: Any = 0,
    orientation: Orientation = "samples",
    layer: str | None = None,
) -> NumFactorsResult:
    """Ask many rules for the number of hidden factors.

    Parameters
    ----------
    X : array-like, DataFrame or AnnData of shape (n_samples, n_features)
    formula : str, list, DataFrame, array or Design
        What the factors must leave alone, as in `latentadj.adjust`.
    sample_data : pandas.DataFrame, optional
    rules : {"all", "cheap"} or sequence of names and rules, default="all"
        "cheap" asks those that cost one decomposition; "all" adds those that resample or read the data again.
    controls : array-like, optional
        Negative controls, for the rule that looks at them.
    sample_weights : {"quality", "none", None} or array-like, default="quality"
        Samples are brought to equal noise variance first, as ``method="auto"`` does; a noisy sample else passes for
        factors.
    random_state : int or Generator, default=0
    orientation : {"samples", "features"}, default="samples"
    layer : str, optional
        Layer of an AnnData object.

    Returns
    -------
    NumFactorsResult
        ``.summary()`` has a row per rule, ``.table()`` one per rule and factor.

    Raises
    ------
    LatentAdjError
        As `latentadj.adjust`.

    References
    ----------
    Each rule's class names its paper.

    Examples
    --------
    >>> import latentadj as la
    >>> import numpy as np
    >>> rng = np.random.default_rng(0)
    >>> X = np.outer(rng.normal(size=40), rng.normal(size=300)) + rng.normal(size=(40, 300))
    >>> found = la.estimate_num_factors(X, np.repeat([0, 1], 20), rules=["dpa", "elbow"])
    >>> found.n_factors
    1
    """
    front = AdjustedRegression(NoFactors(), formula=formula, controls=controls, orientation=orientation, layer=layer)
    study = front.read_study(X, None, sample_data)
    study.design.check()
    problem = study_problem(study, NoFactors())
    rng = random_generator(random_state)
    problem = weighed_problem(problem, resolve_sample_weights(sample_weights), rng, study.sample_ids)
    return compare_rules(problem, rules, rng)
