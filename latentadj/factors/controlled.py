"""The shell of methods that live on negative controls."""

from __future__ import annotations

from typing import Any

from numpy.typing import ArrayLike

from latentadj.factors.base import LatentFactorEstimator
from latentadj.num_factors import NumFactorsRule


class ControlledFactorEstimator(LatentFactorEstimator):
    """Base class of methods whose one extra setting is the negative controls.

    Parameters
    ----------
    n_factors : {"auto"} or int or NumFactorsRule, default="auto"
    controls : array-like
        Negative controls: names, integer positions or a boolean mask.
    model : PrimaryModel or None, default=None
    random_state : default=0
    """

    def __init__(
        self,
        n_factors: int | str | NumFactorsRule = "auto",
        *,
        controls: ArrayLike | None = None,
        model: Any = None,
        random_state: Any = 0,
    ) -> None:
        super().__init__(n_factors, model=model, random_state=random_state)
        self.controls = controls
