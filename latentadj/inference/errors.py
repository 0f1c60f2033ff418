"""Errors that do not assume equal variances or independent samples, by the name of an inference."""

from __future__ import annotations

from typing import Any

from numpy.typing import NDArray

from latentadj.exceptions import MethodError
from latentadj.models import LinearModel, PrimaryModel, RobustLinearModel, resolve_model

#: Names of inferences that are moderated tests with other errors.
ROBUST = ("hc0", "hc1", "hc2", "hc3", "cluster")


def with_robust_errors(inference: Any, model: Any, clusters: NDArray[Any] | None) -> PrimaryModel | None:
    """Return the model that features are fitted by for an inference.

    Parameters
    ----------
    inference : object
        One of `ROBUST`, or anything else.
    model : str or PrimaryModel or None
        What features would be fitted by otherwise; None for what the method asks for.
    clusters : ndarray of shape (n_samples,) or None

    Returns
    -------
    PrimaryModel or None
        `model` where the inference asks for nothing else.

    Raises
    ------
    MethodError
        Another model than least squares, or clusters that are missing or not asked for.

    Examples
    --------
    >>> with_robust_errors("hc3", None, None)
    RobustLinearModel(kind='hc3', df='satterthwaite')
    """
    robust = isinstance(inference, str) and inference in ROBUST
    if clusters is not None and not (robust and inference == "cluster"):
        raise MethodError("clusters= are for inference='cluster'; for one correlation in all features use blocks=.")
    if not robust:
        return None if model is None else resolve_model(model)
    if model is not None and not isinstance(resolve_model(model), LinearModel):
        raise MethodError(f"inference={inference!r} is for least squares; leave model= out.")
    if inference != "cluster":
        return RobustLinearModel(inference)
    if clusters is None:
        raise MethodError("inference='cluster' needs clusters=: a column of the sample table, or a label per sample.")
    return RobustLinearModel(clusters=clusters)
