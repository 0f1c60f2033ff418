"""CATE with negative controls, under its own name."""

from __future__ import annotations

from typing import Any, ClassVar

from numpy.typing import ArrayLike

from latentadj.factors.cate import CATE
from latentadj.factors.info import MethodInfo
from latentadj.num_factors import NumFactorsRule


class NegativeControlCATE(CATE):
    """CATE whose link comes from negative controls; same as ``CATE(confounding="negative_control")``.

    Parameters
    ----------
    n_factors : {"auto"} or int or NumFactorsRule, default="auto"
    controls : array-like
        Negative controls: names, integer positions or a boolean mask.
    factor_analysis : {"weighted", "ml", "pc", "esa"}, default="weighted"
    compat : {None, "cate"}, default=None
    model : PrimaryModel or None, default=None
    random_state : default=0

    Notes
    -----
    Wang, Zhao, Hastie and Owen (2017), section 3.1.

    Examples
    --------
    >>> import numpy as np
    >>> X = np.random.default_rng(0).normal(size=(20, 60))
    >>> NegativeControlCATE(1, controls=np.arange(20)).fit(X, np.repeat([0, 1], 10)).factors_.shape
    (20, 1)
    """

    method_info: ClassVar[MethodInfo] = MethodInfo(
        name="cate_nc",
        title="CATE, negative controls",
        reference="Wang, Zhao, Hastie and Owen (2017), Annals of Statistics 45:1863",
        identified_by="negative controls have no true effect and feel the same factors as the rest",
        identification="controls",
        summary="Factor analysis of the residuals, linked to the primary variables through the controls.",
        needs=("controls",),
    )

    def __init__(
        self,
        n_factors: int | str | NumFactorsRule = "auto",
        *,
        controls: ArrayLike | None = None,
        factor_analysis: str = "weighted",
        compat: str | None = None,
        model: Any = None,
        random_state: Any = 0,
    ) -> None:
        super().__init__(
            n_factors,
            factor_analysis=factor_analysis,
            confounding="negative_control",
            controls=controls,
            compat=compat,
            model=model,
            random_state=random_state,
        )
