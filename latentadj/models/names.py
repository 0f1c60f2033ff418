"""Primary models by name."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from latentadj.exceptions import MethodError
from latentadj.models.base import PrimaryModel
from latentadj.models.glm import GLMModel
from latentadj.models.linear import LinearModel
from latentadj.models.voom import VoomModel

_BY_NAME: dict[str, Callable[[], PrimaryModel]] = {
    "linear": LinearModel,
    "voom": VoomModel,
    "negative_binomial": lambda: GLMModel("negative_binomial"),
    "poisson": lambda: GLMModel("poisson"),
    "binomial": lambda: GLMModel("binomial"),
}


def resolve_model(model: Any) -> PrimaryModel:
    """Return the primary model behind a name, or the object itself.

    Parameters
    ----------
    model : {"linear", "voom", "negative_binomial", "poisson", "binomial"} or PrimaryModel

    Returns
    -------
    PrimaryModel

    Raises
    ------
    MethodError
        For an unknown name, or something that cannot fit.

    Examples
    --------
    >>> resolve_model("linear")
    LinearModel()
    """
    if isinstance(model, str):
        if model not in _BY_NAME:
            raise MethodError(f"model={model!r} is unknown; choose one of {', '.join(_BY_NAME)}, or give a model.")
        return _BY_NAME[model]()
    if not hasattr(model, "fit"):
        raise MethodError(f"model={model!r} cannot be fitted; choose one of {', '.join(_BY_NAME)}, or give a model.")
    found: PrimaryModel = model
    return found
