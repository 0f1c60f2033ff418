"""Contrasts by name, one by one or jointly, as tables."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from latentadj.core.regression import design_basis
from latentadj.exceptions import InputError
from latentadj.results.chosen_tests import contrast_tests
from latentadj.results.statistics import JointTests, test_jointly
from latentadj.results.table import joint_table, tidy_table


def contrast_table(
    result: Any, contrasts: str | Sequence[str], p_adjust: str = "bh", *, joint: bool = False
) -> pd.DataFrame:
    """Table of contrasts, see `AdjustmentResult.contrast`.

    Parameters
    ----------
    result : AdjustmentResult
    contrasts : str or sequence of str
    p_adjust : str, default="bh"
    joint : bool, default=False
        One F test of all contrasts.

    Returns
    -------
    pandas.DataFrame
        The features of the first contrast first; or one row per feature.
    """
    texts = [contrasts] if isinstance(contrasts, str) else list(contrasts)
    if not texts:
        raise InputError("No contrast was given; write one such as 'cancer[Biopsy] - cancer[Cancer]', or a list.")
    if joint:
        tests, unadjusted = (_joint_tests(result, texts, unadjusted=plain) for plain in (False, True))
        return joint_table(result.feature_ids, result.fit, tests, unadjusted, result.n_samples, p_adjust)
    made, without = (contrast_tests(result, texts, unadjusted=plain) for plain in (False, True))
    return tidy_table(result.feature_ids, result.fit, made, without, result.n_samples, p_adjust)


def _joint_tests(result: Any, texts: Sequence[str], *, unadjusted: bool) -> JointTests:
    """F test of a list; contrasts that follow from the others add nothing."""
    design = result.design if unadjusted else result.full_design
    fit = result.unadjusted_fit if unadjusted else result.fit
    prior = (result.unadjusted_tests if unadjusted else result.uncalibrated_tests).prior
    weights = np.column_stack([design.contrast_vector(text) for text in texts])
    independent = weights[:, list(design_basis(weights).kept)]
    return test_jointly(fit, prior, {"; ".join(texts): independent})
