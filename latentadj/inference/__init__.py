"""Stage 5: inference, a file each."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from latentadj.exceptions import MethodError
from latentadj.inference.base import Inference
from latentadj.inference.errors import ROBUST, with_robust_errors
from latentadj.inference.moderated import ModeratedT
from latentadj.inference.ordinary import OrdinaryT
from latentadj.inference.pooled import PooledVariance

_BY_NAME: dict[str, Callable[[], Inference]] = {
    "moderated": ModeratedT,
    "moderated_trend": lambda: ModeratedT(trend=True),
    "moderated_trend_auto": lambda: ModeratedT(trend="auto"),
    "moderated_robust": lambda: ModeratedT(robust=True),
    "ordinary": OrdinaryT,
    "pooled": PooledVariance,
    **dict.fromkeys(ROBUST, ModeratedT),
}


def resolve_inference(inference: Any) -> Inference:
    """Return the inference object behind a name, or the object itself.

    Parameters
    ----------
    inference : {"moderated", "moderated_trend", "moderated_trend_auto", "moderated_robust", "ordinary", "pooled"}
        Or "hc0", "hc1", "hc2", "hc3", "cluster", which are "moderated" with other errors (`with_robust_errors`), or
        an `Inference`.

    Returns
    -------
    Inference

    Raises
    ------
    MethodError
        For an unknown name.
    """
    if isinstance(inference, str):
        if inference not in _BY_NAME:
            raise MethodError(f"inference={inference!r} is unknown; choose one of {', '.join(_BY_NAME)}.")
        return _BY_NAME[inference]()
    found: Inference = inference
    return found


__all__ = ["Inference", "ModeratedT", "OrdinaryT", "PooledVariance", "resolve_inference", "with_robust_errors"]
