"""ComBat: location and scale of known batches, by empirical Bayes."""

from __future__ import annotations

import warnings
from collections.abc import Hashable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from latentadj.batch.base import KnownBatchTransformer
from latentadj.batch.checks import check_spread_is_seen
from latentadj.batch.notes import SingleSampleBatchWarning, UnadjustedFeaturesWarning
from latentadj.core.clean_then_test import cost_of_spreads
from latentadj.core.combat import ComBatFit, ComBatSetting, apply_combat, fit_combat
from latentadj.core.matrix import Array, ArrayMatrix
from latentadj.exceptions import MethodError, NotConvergedWarning

COMPAT = (None, "combat-r")


class ComBat(KnownBatchTransformer):
    """Bring known batches to a common mean and variance, feature by feature, with shrunken estimates.

    For prediction and for pictures. Data adjusted for batches and tested afterwards give p-values that are too small:
    `df_spent_` degrees of freedom are gone and the samples are no longer independent. For tests put the batch into
    the design instead (``"~ x | batch"``). Frames that come out remember what was removed; arrays cannot.

    Parameters
    ----------
    batch : str or None, default=None
        Column of X (a DataFrame) with the batch labels. Without it labels are given to `fit` and `transform`.
    covariates : list of str or None, default=None
        Columns of X with effects to keep. Numbers enter as they are, labels by indicator columns.
    parametric : bool, default=True
        Normal and inverse gamma priors; otherwise the features themselves are the prior.
    mean_only : bool, default=False
        Adjust means only.
    reference : label or None, default=None
        Batch that the others are brought to, which itself stays as it is; by default all go to their average.
    compat : {None, "combat-r"}, default=None
        "combat-r" gives the numbers of the R package where they depart from the paper; see Notes.
    max_iter : int, default=1000
        Largest number of steps of the iteration for parametric estimates.

    Attributes
    ----------
    batches_ : list
        Labels of the training set, sorted.
    shift_ : ndarray of shape (n_batches, n_features)
        Batch shifts in pooled standard deviations.
    spread_ : ndarray of shape (n_batches, n_features)
        Batch variances relative to the pooled variance.
    adjusted_ : ndarray of bool, shape (n_features,)
        False for features returned as they are: without variation within some batch, or with too few values there.
    mean_only_ : bool
        Whether only means were adjusted, as asked for or because of batches of one sample.
    df_spent_ : float
        Degrees of freedom that the batches took: one less than their number for their shifts, and what their
        spreads took from residuals beside effects that were kept.
    n_iter_ : int
        Steps of the iteration, in the batch that took most.
    n_features_in_ : int

    Raises
    ------
    InputError
        Columns that X does not have, infinite values.
    ConfoundedDesignError
        Batches and covariates cannot be told apart.
    DegreesOfFreedomError
        They fit the samples of a batch exactly.
    DesignError
        Missing labels, a batch in `transform` that the training set does not have.
    MethodError
        An unknown reference or compat.

    Notes
    -----
    Johnson, Li and Rabinovic (2007), Biostatistics 8:118. `transform` is frozen: what happens to a sample depends on
    its own values, batch and covariates, and on the training set. Missing values (NaN) are left out and stay missing.

    The R package sva departs from the paper, and ``compat="combat-r"`` follows it: the iteration stops at relative
    changes whose sign counts, so that it ends early; mean-only shrinkage takes every batch for one of a single
    sample; and as soon as one value is missing, all pooled variances have one less in their divisor.

    Examples
    --------
    >>> import pandas as pd
    >>> rng = np.random.default_rng(0)
    >>> X = pd.DataFrame(rng.normal(size=(20, 50)), columns=[f"g{i}" for i in range(50)])
    >>> X.iloc[10:] += 3.0
    >>> X["batch"] = np.repeat(["first", "second"], 10)
    >>> adjusted = ComBat(batch="batch").fit(X).transform(X)
    >>> bool(abs(adjusted[:10].mean() - adjusted[10:].mean()) < 0.1)
    True
    """

    def __init__(
        self,
        batch: Hashable | None = None,
        *,
        covariates: list[str] | None = None,
        parametric: bool = True,
        mean_only: bool = False,
        reference: Any = None,
        compat: str | None = None,
        max_iter: int = 1000,
    ) -> None:
        self.batch = batch
        self.covariates = covariates
        self.parametric = parametric
        self.mean_only = mean_only
        self.reference = reference
        self.compat = compat
        self.max_iter = max_iter

    @property
    def shift_(self) -> Array:
        """Batch shifts in pooled standard deviations, (n_batches, n_features)."""
        return self._model.shift

    @property
    def spread_(self) -> Array:
        """Batch variances relative to the pooled variance, (n_batches, n_features)."""
        return self._model.spread

    @property
    def adjusted_(self) -> NDArray[np.bool_]:
        """Features that are adjusted, (n_features,)."""
        return self._model.adjusted

    def _fit(self, values: NDArray[Any], codes: NDArray[np.intp]) -> None:
        reference = self._reference_code()
        covariates = self._training_covariates(codes)
        self.mean_only_: bool = self.mean_only or self._has_single_samples(codes)
        if len(self.batches_) == 1:
            self._warn_of_one_batch()
        else:
            check_spread_is_seen(codes, self.batches_, covariates, reference, self.mean_only_)
        self._cost_of_spreads = 0.0 if self.mean_only_ else cost_of_spreads(codes, covariates, reference)
        setting = ComBatSetting(
            parametric=self.parametric,
            mean_only=self.mean_only_,
            reference=0 if len(self.batches_) == 1 else reference,
            literal=self.compat is not None,
            max_iter=self.max_iter,
        )
        self._model: ComBatFit = fit_combat(ArrayMatrix(values), codes, covariates, setting)
        self.n_iter_: int = self._model.n_iter
        self._warn(self._model)

    @property
    def df_spent_(self) -> float:
        """Degrees of freedom that shifts and spreads took."""
        return len(self.batches_) - 1 + self._cost_of_spreads

    def _transform(self, values: Array, codes: NDArray[np.intp], covariates: Array) -> Array:
        return apply_combat(self._model, values, codes, covariates)

    def _reference_code(self) -> int | None:
        if self.compat not in COMPAT:
            raise MethodError(f"compat={self.compat!r} is unknown; choose None or 'combat-r'.")
        if self.reference is None:
            return None
        if self.reference not in self.batches_:
            raise MethodError(
                f"reference={self.reference!r} is no batch of the training set. Choose one of "
                f"{', '.join(map(repr, self.batches_[:10]))}."
            )
        return self.batches_.index(self.reference)

    def _has_single_samples(self, codes: NDArray[np.intp]) -> bool:
        single = [repr(self.batches_[i]) for i in np.flatnonzero(np.bincount(codes) == 1)]
        if single and not self.mean_only:
            warnings.warn(
                SingleSampleBatchWarning(
                    f"Batch(es) {', '.join(single[:5])} hold one sample each, whose spread cannot be seen, so only "
                    "means are adjusted (mean_only=True), in all batches. Merge or drop these batches to adjust "
                    "variances too."
                ),
                stacklevel=4,
            )
        return bool(single)

    def _warn(self, model: ComBatFit) -> None:
        left = int(np.sum(~model.adjusted))
        if left and len(self.batches_) > 1:
            warnings.warn(
                UnadjustedFeaturesWarning(
                    f"{left} of {len(model.adjusted)} features do not vary within some batch, or have too few values "
                    "there. They are returned as they are; adjusted_ tells which."
                ),
                stacklevel=4,
            )
        if model.n_unsettled:
            warnings.warn(
                NotConvergedWarning(
                    f"{model.n_unsettled} shifts and spreads had not settled after max_iter={self.max_iter} steps. "
                    "Raise max_iter."
                ),
                stacklevel=4,
            )
