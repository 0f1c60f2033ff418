"""Stage 1b: how much each sample is to be trusted."""

from __future__ import annotations

from typing import Any

from latentadj.exceptions import MethodError
from latentadj.sample_weights.base import SampleWeights
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


__all__ = ["GivenWeights", "SampleQuality", "SampleWeights", "resolve_sample_weights"]
