"""Maximising over unwanted variation in the likelihood of adaptively shrunken effects."""

from __future__ import annotations

from typing import Any, ClassVar

from latentadj.factors.info import MethodInfo
from latentadj.factors.mixture_linked import MixtureLinkedEstimator
from latentadj.num_factors import NumFactorsRule


class MOUTHWASH(MixtureLinkedEstimator):
    """MOUTHWASH: hidden factors linked by the likelihood of a mixture of null and non-null effects.

    Parameters
    ----------
    n_factors : {"auto"} or int or NumFactorsRule, default="auto"
    mixture : {"normal", "uniform", "halfuniform"}, default="normal"
        Effects have a scale mixture of normals, a symmetric unimodal, or any unimodal distribution around zero, with a
        point mass there.
    likelihood : {"normal", "t"}, default="normal"
        Errors of the naive effects; "t" has the degrees of freedom of the moderated variances and needs uniform
        components.
    null_weight : float, default=10.0
        How much a share of features without effect is favoured; 1 favours nothing.
    scale_variance : bool, default=True
        Estimate one factor on all variances, between 1/10 and 10.
    compat : {None, "vicar"}, default=None
        "vicar" gives the numbers of the R package at the maximum that its iteration approaches: plain components, its
        grid (whose roots of variances serve as variances), no correction for noise in the loadings, no error of the
        link.
    model : PrimaryModel or None, default=None
    random_state : default=0
        Only the number rule uses it; the maximum is found from fixed starts.

    Notes
    -----
    Gerard and Stephens (2020), Biostatistics 21:15. Naive effects are ``b_j + a_j' z + e_j`` with loadings ``a_j``, the
    effects ``b_j`` from an unknown mixture g and ``e_j`` normal; z, the factor on the variances and g maximise the
    likelihood of all features together. Unlike robust regression this does not need effects to be rare, but it needs
    them to be spread around zero without regard to the loadings.

    The link then goes the way of all such methods: corrected for the noise in the loadings, it moves the factors, every
    feature is fitted again, and the link's own error (a sandwich estimate) enters each feature's variance, so that
    p-values are those of the refit. ``estimate_.posterior`` holds the method's own answer, local false sign rates under
    the fitted g. With several primary columns each has a prior and a link of its own; the R package has one column.

    Examples
    --------
    >>> import numpy as np
    >>> rng = np.random.default_rng(0)
    >>> y = np.repeat([0, 1], 15)
    >>> z = rng.normal(size=30) + y
    >>> X = np.outer(z, rng.normal(size=400)) + 0.2 * rng.normal(size=(30, 400))
    >>> X[:, :40] += np.outer(y, rng.normal(size=40))
    >>> method = MOUTHWASH(n_factors=1).fit(X, y)
    >>> bool(abs(np.corrcoef(method.factors_[:, 0], z)[0, 1]) > 0.99)
    True
    >>> bool(method.estimate_.posterior.null_share[0] > 0.7)
    True
    """

    method_info: ClassVar[MethodInfo] = MethodInfo(
        name="mouthwash",
        title="MOUTHWASH",
        reference="Gerard and Stephens (2020), Biostatistics 21:15",
        identified_by="effects are spread around zero, most of them near it, without regard to the loadings",
        summary="Factor analysis of the residuals, linked by an empirical-Bayes mixture of null and other effects.",
    )

    def __init__(
        self,
        n_factors: int | str | NumFactorsRule = "auto",
        *,
        mixture: str = "normal",
        likelihood: str = "normal",
        null_weight: float = 10.0,
        scale_variance: bool = True,
        compat: str | None = None,
        model: Any = None,
        random_state: Any = 0,
    ) -> None:
        super().__init__(
            n_factors,
            mixture=mixture,
            null_weight=null_weight,
            scale_variance=scale_variance,
            compat=compat,
            model=model,
            random_state=random_state,
        )
        self.likelihood = likelihood
