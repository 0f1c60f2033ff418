"""What the factor stages return."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from latentadj.core.whitening import Whitening
from latentadj.results.card import number_card
from latentadj.results.shrinkage import ShrunkenEffects

Array = NDArray[np.float64]


@dataclass(frozen=True)
class RuleAnswer:
    """One rule's answer to "how many factors".

    Attributes
    ----------
    rule : str
        Name of the rule, e.g. ``"parallel_analysis"``.
    n_factors : int
    statistic : ndarray of shape (n_tried,)
        The rule's statistic for factor 1, 2, ...
    threshold : ndarray of shape (n_tried,)
        What the statistic is held against; NaN where the rule has none.
    description : str
        One sentence: what the statistic is and when a factor counts.
    null_shares : ndarray of shape (2, n_tried)
        Median and upper bound of the shares of the residual sum of squares under the null, for rules that
        simulate it; else empty.
    note : str
        What should be known about this answer beside the rule itself; usually empty.
    """

    rule: str
    n_factors: int
    statistic: Array
    threshold: Array
    description: str
    null_shares: Array = field(default_factory=lambda: np.empty((2, 0)))
    note: str = ""


@dataclass(frozen=True)
class NumFactorsResult:
    """The number of factors, how it was chosen, and what other rules say.

    Attributes
    ----------
    n_factors : int
        The number used.
    chosen_by : str
        Name of the rule, or ``"user"``.
    limit : int
        Largest number that was allowed.
    answers : tuple of RuleAnswer
        The rule that was used first, then the others that cost nothing more.
    shares : ndarray of shape (df_resid,)
        Share of the residual sum of squares along each direction; empty when nothing was decomposed.
    null_shares : ndarray of shape (2, n_tried)
        Median and upper bound of the shares under the null, when the rule simulated one; else empty.
    not_applied : tuple of (str, str)
        Rules that could not be applied to these data, and why.
    """

    n_factors: int
    chosen_by: str
    limit: int
    answers: tuple[RuleAnswer, ...] = ()
    shares: Array = field(default_factory=lambda: np.empty(0))
    null_shares: Array = field(default_factory=lambda: np.empty((2, 0)))
    not_applied: tuple[tuple[str, str], ...] = ()

    def table(self) -> pd.DataFrame:
        """Every rule's answer and statistic, a row per rule and factor.

        Returns
        -------
        pandas.DataFrame
            Columns ``rule, n_factors, chosen, factor, statistic, threshold, description``. A rule that could not
            be applied has one row without numbers, and its description says why.
        """
        rows: list[tuple[Any, ...]] = [
            (a.rule, a.n_factors, a.rule == self.chosen_by, i + 1, s, t, _described(a))
            for a in self.answers
            for i, (s, t) in enumerate(zip(a.statistic, a.threshold, strict=True))
        ]
        rest: list[tuple[Any, ...]] = [
            (r, pd.NA, False, pd.NA, np.nan, np.nan, _refused(why)) for r, why in self.not_applied
        ]
        columns = ["rule", "n_factors", "chosen", "factor", "statistic", "threshold", "description"]
        return _with_gaps(pd.DataFrame(rows + rest, columns=columns), bool(rest))

    def summary(self) -> pd.DataFrame:
        """One row per rule: ``rule, n_factors, chosen, description``; no number where a rule was not applied."""
        rows: list[tuple[Any, ...]] = [
            (a.rule, a.n_factors, a.rule == self.chosen_by, _described(a)) for a in self.answers
        ]
        rest: list[tuple[Any, ...]] = [(rule, pd.NA, False, _refused(why)) for rule, why in self.not_applied]
        columns = ["rule", "n_factors", "chosen", "description"]
        return _with_gaps(pd.DataFrame(rows + rest, columns=columns), bool(rest))

    def _repr_html_(self) -> str:
        return number_card(self)


def _described(answer: RuleAnswer) -> str:
    return f"{answer.description} {answer.note}" if answer.note else answer.description


def _refused(reason: str) -> str:
    return f"Not applied: {reason}"


def _with_gaps(frame: pd.DataFrame, gaps: bool) -> pd.DataFrame:
    """Whole-number columns that hold missing values get the nullable type."""
    whole = [column for column in ("n_factors", "factor") if column in frame and gaps]
    return frame.astype(dict.fromkeys(whole, "Int64"))


@dataclass(frozen=True)
class LinkEstimate:
    """How the factors share variation with the primary variables.

    Attributes
    ----------
    omega : ndarray of shape (n_primary, n_factors)
        ``naive effects = effects + loadings @ omega.T``.
    covariance : ndarray of shape (n_primary, n_factors, n_primary, n_factors)
        Its sampling covariance; zeros when it is not estimated.
    converged : bool
    sparse_effects : ndarray of shape (n_features, n_primary) or None
        True effects that the link was estimated together with, where it finds some.
    """

    omega: Array
    covariance: Array
    converged: bool = True
    sparse_effects: Array | None = None


@dataclass(frozen=True)
class Subtraction:
    """Ready adjusted effects, for methods whose loadings are not those of a refit.

    Attributes
    ----------
    omega : ndarray of shape (n_primary, n_factors)
    sigma2 : ndarray of shape (n_features,)
        Noise variances of the factor model.
    cov_unscaled : ndarray of shape (n_primary, n_primary)
        Covariance of the adjusted effects for unit noise variance.
    df_resid : float
        Degrees of freedom claimed for `sigma2`; infinite when it is taken as known.
    extra_covariance : ndarray of shape (n_primary, n_factors, n_primary, n_factors) or None
        Link uncertainty that each feature carries through its loadings.
    """

    omega: Array
    sigma2: Array
    cov_unscaled: Array
    df_resid: float
    extra_covariance: Array | None = None


@dataclass(frozen=True)
class FactorEstimate:
    """Latent factors of a data set.

    Attributes
    ----------
    scores : ndarray of shape (n_samples, n_factors)
        Columns that join the design.
    loadings : ndarray of shape (n_features, n_factors) or None
        Given only where they differ from the coefficients of a refit.
    link : LinkEstimate or None
        Given by methods with a confounding stage; its error then enters every feature's variance.
    subtraction : Subtraction or None
        Given by methods that subtract instead of refitting.
    whitening : Whitening or None
        Map of the samples under which features are refitted, for noise that is not the same and independent in
        all samples; `scores` are before that map.
    posterior : ShrunkenEffects or None
        Given by methods that estimate a prior of the effects themselves.
    feature_weights : ndarray of shape (n_features,) or None
        Weights the features had in the last decomposition.
    converged : bool
    n_iter : int
    details : mapping of str to ndarray
        Anything else worth keeping, by name.
    """

    scores: Array
    loadings: Array | None = None
    link: LinkEstimate | None = None
    subtraction: Subtraction | None = None
    whitening: Whitening | None = None
    posterior: ShrunkenEffects | None = None
    feature_weights: Array | None = None
    converged: bool = True
    n_iter: int = 0
    details: Mapping[str, Any] = field(default_factory=dict)

    @property
    def n_factors(self) -> int:
        """Number of factors."""
        return int(self.scores.shape[1])

    def before(self, whitening: Whitening) -> FactorEstimate:
        """Return an estimate made after a map of the samples in terms of the samples before it."""
        later = whitening if self.whitening is None else self.whitening.after(whitening)
        return replace(self, scores=whitening.undo(self.scores), whitening=later)

    def flipped(self, signs: Array) -> FactorEstimate:
        """Return the same estimate with the factors' signs changed by ``signs`` of shape (n_factors,)."""
        link, subtraction = self.link, self.subtraction
        if link is not None:
            link = replace(link, omega=link.omega * signs, covariance=_flip(link.covariance, signs))
        if subtraction is not None:
            extra = subtraction.extra_covariance
            extra = None if extra is None else _flip(extra, signs)
            subtraction = replace(subtraction, omega=subtraction.omega * signs, extra_covariance=extra)
        loadings = None if self.loadings is None else self.loadings * signs
        return replace(self, scores=self.scores * signs, loadings=loadings, link=link, subtraction=subtraction)


def _flip(covariance: Array, signs: Array) -> Array:
    out: Array = covariance * signs[None, :, None, None] * signs[None, None, None, :]
    return out
