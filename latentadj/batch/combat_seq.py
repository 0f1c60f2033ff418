"""ComBat-seq: known batches of counts, with counts as the answer."""

from __future__ import annotations

import warnings
from collections.abc import Hashable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from latentadj.batch.base import KnownBatchTransformer
from latentadj.batch.notes import UnadjustedFeaturesWarning
from latentadj.core.combat_seq import ComBatSeqFit, apply_combat_seq, counted_everywhere, fit_combat_seq
from latentadj.core.matrix import Array
from latentadj.exceptions import DegreesOfFreedomError, InputError


class ComBatSeq(KnownBatchTransformer):
    """Take known batches out of counts, which stay counts.

    For prediction, pictures and tools that want counts. Tests belong on the raw counts with the batch in the design
    (``"~ x | batch"``): adjusted counts hide `df_spent_` degrees of freedom. Frames that come out
    remember what was removed; arrays cannot.

    Parameters
    ----------
    batch : str or None, default=None
        Column of X (a DataFrame) with the batch labels. Without it labels are given to `fit` and `transform`.
    covariates : list of str or None, default=None
        Columns of X with effects to keep: the groups that are compared, and other covariates.

    Attributes
    ----------
    batches_ : list
        Labels of the training set, sorted.
    shift_ : ndarray of shape (n_batches, n_features)
        Logarithms of the factors that are taken out of the means.
    dispersion_ : ndarray of shape (n_batches, n_features)
        Negative binomial dispersions; after adjustment all batches have their average.
    adjusted_ : ndarray of bool, shape (n_features,)
        False for features without counts in some batch, which are returned as they are.
    df_spent_ : int
        Degrees of freedom that the batches took.
    n_features_in_ : int

    Raises
    ------
    InputError
        Values that are no counts, samples without counts, no feature with counts in every batch.
    ConfoundedDesignError
        Batches and covariates cannot be told apart.
    DegreesOfFreedomError
        A batch of one sample, whose dispersion cannot be seen.
    DesignError
        Missing labels, a batch in `transform` that the training set does not have.

    Notes
    -----
    Zhang, Parmigiani and Johnson (2020), NAR Genomics and Bioinformatics 2:lqaa078, without its Monte Carlo shrinkage,
    which is off by default in the R package too. `transform` is frozen: a sample's library size is its own, over the
    features that are adjusted. Dispersions are the peaks of each feature's own adjusted profile likelihood in each
    batch. edgeR, which the R package asks, interpolates on another grid and is mostly within 5 per cent of them; about
    one count in thirty then differs from the package's by more than one.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> batch = np.repeat(["first", "second"], 10)
    >>> means = np.where((batch == "first")[:, None], [50.0, 200.0, 90.0], [100.0, 150.0, 90.0])
    >>> adjusted = ComBatSeq().fit_transform(rng.poisson(means), batch=batch)
    >>> bool(abs(adjusted[:10, 0].mean() / adjusted[10:, 0].mean() - 1) < 0.1)
    True
    """

    def __init__(self, batch: Hashable | None = None, *, covariates: list[str] | None = None) -> None:
        self.batch = batch
        self.covariates = covariates

    @property
    def shift_(self) -> Array:
        """Logarithms of the factors that are taken out, (n_batches, n_features)."""
        return self._model.shift

    @property
    def dispersion_(self) -> Array:
        """Negative binomial dispersions, (n_batches, n_features)."""
        return self._model.dispersion

    @property
    def adjusted_(self) -> NDArray[np.bool_]:
        """Features that are adjusted, (n_features,)."""
        return self._model.adjusted

    def _fit(self, values: NDArray[Any], codes: NDArray[np.intp]) -> None:
        counts = _counts(values)
        covariates = self._training_covariates(codes)
        self._check_batches(codes)
        used = counted_everywhere(counts, codes)
        _check_totals(counts[:, used])
        if len(self.batches_) == 1:
            self._warn_of_one_batch()
        elif not used.all():
            warnings.warn(
                UnadjustedFeaturesWarning(
                    f"{np.sum(~used)} of {len(used)} features have no counts in some batch. They are returned as they "
                    "are; adjusted_ tells which."
                ),
                stacklevel=3,
            )
        self._model: ComBatSeqFit = fit_combat_seq(counts, codes, covariates)

    def _transform(self, values: Array, codes: NDArray[np.intp], covariates: Array) -> Array:
        counts = _counts(values)
        return counts if len(self.batches_) == 1 else apply_combat_seq(self._model, counts, codes, covariates)

    def _check_batches(self, codes: NDArray[np.intp]) -> None:
        single = [repr(self.batches_[i]) for i in np.flatnonzero(np.bincount(codes) == 1)]
        if single:
            raise DegreesOfFreedomError(
                f"Batch(es) {', '.join(single[:5])} hold one sample each, whose dispersion cannot be seen. Ways out: "
                "(1) leave these samples out; (2) merge batches; (3) ComBat(mean_only=True) on log counts."
            )


def _counts(values: NDArray[Any]) -> Array:
    """Return a float64 copy of whole numbers, none negative or missing."""
    counts = values.astype(np.float64)
    bad = ~((counts >= 0) & (counts == np.floor(counts)))
    if bad.any():
        row, column = (int(i) for i in np.argwhere(bad)[0])
        raise InputError(
            f"ComBatSeq needs counts: whole numbers, none negative or missing; {bad.sum()} values are not, first "
            f"{counts[row, column]} (row {row}, feature {column}). For other values use ComBat."
        )
    return counts


def _check_totals(counts: Array) -> None:
    """Refuse samples without any counts among the features that are adjusted."""
    empty = np.flatnonzero(counts.sum(axis=1) == 0)
    if empty.size:
        raise InputError(
            f"{empty.size} sample(s) have no counts in any of the {counts.shape[1]} features that are counted in every "
            f"batch, first row {empty[0]}. Leave such samples, or the batch without counts, out."
        )
