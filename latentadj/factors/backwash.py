"""MOUTHWASH with a prior on the confounding, by variational Bayes."""

from __future__ import annotations

from typing import ClassVar

from latentadj.factors.info import MethodInfo
from latentadj.factors.mixture_linked import MixtureLinkedEstimator


class BACKWASH(MixtureLinkedEstimator):
    """BACKWASH: MOUTHWASH with a normal prior on the confounding, whose scale is estimated.

    Parameters
    ----------
    n_factors : {"auto"} or int or NumFactorsRule, default="auto"
    mixture : {"normal", "uniform", "halfuniform"}, default="normal"
        As for `MOUTHWASH`; the R package has normal components only.
    null_weight : float, default=10.0
        How much a share of features without effect is favoured; 1 favours nothing.
    scale_variance : bool, default=True
        Estimate one factor on all variances, between 1/10 and 10.
    compat : {None, "vicar"}, default=None
        "vicar" gives the numbers of the R package: what it means for `MOUTHWASH`, no bound on the factor on the
        variances, and in ``estimate_.posterior`` naive effects, error variances and posterior variances in place of
        adjusted effects and of the two standard deviations.
    model : PrimaryModel or None, default=None
    random_state : default=0
        Only the number rule uses it.

    Notes
    -----
    Gerard and Stephens (2020), Biostatistics 21:15: ``z = phi (A'A)^-1/2 v`` with v standard normal and a variational
    posterior in which effects and v are independent. The lower bound of the evidence is maximised directly: with the
    posterior of effects and v integrated out it is MOUTHWASH's likelihood at the mean of z plus a closed-form term.
    With little confounding the maximum has ``z = 0`` exactly; the factors then do not move.

    The link's error is taken from the likelihood without the prior, so that p-values of the refit do not become too
    small where the prior is wrong; everything else is as for `MOUTHWASH`.

    Examples
    --------
    >>> import numpy as np
    >>> rng = np.random.default_rng(0)
    >>> y = np.repeat([0, 1], 15)
    >>> z = rng.normal(size=30) + y
    >>> X = np.outer(z, rng.normal(size=400)) + 0.2 * rng.normal(size=(30, 400))
    >>> method = BACKWASH(n_factors=1).fit(X, y)
    >>> bool(abs(np.corrcoef(method.factors_[:, 0], z)[0, 1]) > 0.99)
    True
    """

    method_info: ClassVar[MethodInfo] = MethodInfo(
        name="backwash",
        title="BACKWASH",
        reference="Gerard and Stephens (2020), Biostatistics 21:15",
        identified_by="effects are spread around zero, most of them near it, without regard to the loadings",
        summary="MOUTHWASH with a prior on the confounding, fitted by variational Bayes.",
    )

    _link_prior = True
