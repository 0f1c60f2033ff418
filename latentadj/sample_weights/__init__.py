"""Stage 1b: how much each sample is to be trusted."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pandas as pd

from latentadj.data.annotations import resolve_annotation
from latentadj.exceptions import MethodError
from latentadj.sample_weights.base import SampleWeights
from latentadj.sample_weights.blocks import BlockNoise
from latentadj.sample_weights.covariance import GivenCovariance
from latentadj.sample_weights.given import GivenWeights
from latentadj.sample_weights.quality import SampleQuality


def resolve_sample_weights(weights: Any) -> SampleWeights | None:
    """Return the sample-weight stage behind a name, an array, or the object itself.

    Parameters
    ----------
    weights : {None, "none", "quality"} or array-like or SampleWeights

    Returns
    -------
    SampleWeights or None

    Raises
    ------
    MethodError
        For an unknown name.
    """
    if weights is None or (isinstance(weights, str) and weights == "none"):
        return None
    if isinstance(weights, str):
        if weights != "quality":
            raise MethodError(f"sample_weights={weights!r} is unknown; choose None, 'none', 'quality' or give weights.")
        return SampleQuality()
    if isinstance(weights, SampleWeights):
        return weights
    return GivenWeights(weights)


def resolve_correlation(
    blocks: Any,
    covariance: Any,
    n_samples: int,
    sample_data: pd.DataFrame | None = None,
    sample_ids: Sequence[str] | None = None,
) -> SampleWeights | None:
    """Return what is known about correlated noise of the samples.

    Parameters
    ----------
    blocks : None, str, array-like of shape (n_samples,), Series or BlockNoise
    covariance : None, array-like or DataFrame of shape (n_samples, n_samples)
    n_samples : int
    sample_data : pandas.DataFrame, optional
    sample_ids : sequence of str, optional

    Returns
    -------
    SampleWeights or None

    Raises
    ------
    MethodError
        Both are given.
    InputError
        A column that the sample table does not have, or a wrong number of labels.
    """
    if blocks is not None and covariance is not None:
        raise MethodError("Give blocks= or sample_covariance=, not both; a covariance can hold the blocks.")
    if covariance is not None:
        return GivenCovariance(covariance)
    if blocks is None or isinstance(blocks, SampleWeights):
        found: SampleWeights | None = blocks
        return found
    return BlockNoise(resolve_annotation("blocks", blocks, n_samples, sample_data, sample_ids))


__all__ = [
    "BlockNoise",
    "GivenCovariance",
    "GivenWeights",
    "SampleQuality",
    "SampleWeights",
    "resolve_correlation",
    "resolve_sample_weights",
]
