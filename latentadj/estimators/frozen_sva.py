"""Frozen surrogate variable analysis: new samples adjusted by the factors of a training set."""

from __future__ import annotations

from typing import Any, Self

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, OneToOneFeatureMixin, TransformerMixin, clone
from sklearn.utils.validation import check_is_fitted

from latentadj.core.frozen import FrozenDecomposition
from latentadj.core.matrix import AdjustedMatrix, ArrayMatrix, FeatureMatrix, collect
from latentadj.data.provenance import AdjustmentRecord
from latentadj.data.recording import RecordsAdjustment
from latentadj.design import Design, design_from_target
from latentadj.exceptions import InputError, MethodError
from latentadj.factors import SVA, LatentFactorEstimator
from latentadj.validation import require_finite, validated_array

Array = NDArray[np.float64]

RULES = ("exact", "fast", "sample")


class FrozenSVA(RecordsAdjustment, OneToOneFeatureMixin, TransformerMixin, BaseEstimator):
    """Adjust new samples by the surrogate variables of a training set.

    Parameters
    ----------
    factors : LatentFactorEstimator or None, default=None
        A method with feature weights: ``SVA()`` by default; `SmartSVA`, `SupervisedSVA` and `SVASeq` too.
    rule : {"exact", "fast", "sample"}, default="exact"
        How a new sample's scores are found. "exact": it is decomposed together with the training set. "fast":
        projection on the training directions, standardised over the new samples, so that a sample's values depend on
        its companions and one sample alone has none. "sample": weighted least squares on the training loadings, as
        in `LatentAdjuster`.

    Attributes
    ----------
    factors_ : LatentFactorEstimator
        The fitted method.
    adjusted_training_ : ndarray of shape (n_samples, n_features)
        The training set without the part of its factors, which were estimated knowing the design. `transform` of the
        training set treats it as new samples and differs.
    n_features_in_ : int

    Notes
    -----
    Parker, Corrada Bravo and Leek (2014), PeerJ 2:e561. The adjusted data are for prediction; do not test them, see
    `LatentAdjuster`. Frames that come out remember what was removed; arrays cannot. The exact rule keeps a reference
    to the training set.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> y, z = np.repeat([0, 1], 15), rng.normal(size=30)
    >>> X = np.outer(z, rng.normal(size=100)) + rng.normal(size=(30, 100))
    >>> frozen = FrozenSVA(SVA(n_factors=1)).fit(X, y)
    >>> frozen.transform(X[:2]).shape, bool(frozen.adjusted_training_.var() < X.var())
    ((2, 100), True)
    """

    def __init__(self, factors: LatentFactorEstimator | None = None, *, rule: str = "exact") -> None:
        self.factors = factors
        self.rule = rule

    def fit(self, X: Any, y: Any = None, *, design: Any = None) -> Self:
        """Estimate the factors of the training set.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
        y : array-like of shape (n_samples,), optional
            Target; what follows it is kept from being absorbed by the factors.
        design : Design or array-like of shape (n_samples, d), optional
            A whole design instead of `y`.

        Returns
        -------
        self

        Raises
        ------
        InputError
            Wrong shapes, missing or infinite values.
        MethodError
            An unknown rule, or a method without feature weights for a rule that needs them.
        """
        if self.rule not in RULES:
            raise MethodError(f"rule={self.rule!r} is unknown; FrozenSVA knows {', '.join(map(repr, RULES))}.")
        values = validated_array(self, X, training=True)
        names = np.asarray(X.columns) if isinstance(X, pd.DataFrame) else None
        design = design_from_target(y, n_samples=len(values)) if design is None else design
        design = Design.resolve(design, n_samples=len(values))
        design.check()
        self.factors_ = SVA() if self.factors is None else clone(self.factors)
        problem = self.factors_.make_problem(ArrayMatrix(values), design, names)
        require_finite(problem, values)
        self.factors_.store(self.factors_.fit_problem(problem), problem)
        self._frozen = self._decomposition(problem.matrix)
        self.adjusted_training_ = self._adjusted(problem.matrix, self.factors_.factors_)
        return self

    def transform(self, X: Any) -> Array:
        """Return new samples with the factors' part subtracted.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)

        Returns
        -------
        ndarray of shape (n_samples, n_features)
            In the units of X, or on the log scale for methods that work on it.

        Raises
        ------
        InputError
            Missing values, other features than in the training set; a single sample with ``rule="fast"``.
        """
        matrix = self._checked(X)
        return self._adjusted(matrix, self._scores(matrix))

    def scores(self, X: Any) -> Array:
        """Return the factor scores ``(n_samples, n_factors)`` that `transform` subtracts with."""
        return self._scores(self._checked(X))

    def _removal_record(self, X: Any, sample_ids: tuple[str, ...], **given: Any) -> AdjustmentRecord | None:
        scores = self.scores(X)
        names = tuple(str(name) for name in self.factors_.get_feature_names_out())
        title = f"FrozenSVA ({self.factors_.method_info.title})"
        return AdjustmentRecord((title,), float(len(names)), sample_ids, scores, names) if names else None

    def _checked(self, X: Any) -> FeatureMatrix:
        check_is_fitted(self)
        return self.factors_.working_matrix(ArrayMatrix(validated_array(self, X, training=False)))

    def _scores(self, matrix: FeatureMatrix) -> Array:
        if self._frozen is None:
            return self.factors_.score_matrix(matrix)
        if self.rule == "exact":
            return self._frozen.exact_scores(matrix)
        if matrix.shape[0] < 2:
            raise InputError(
                'rule="fast" standardises scores over the new samples and cannot adjust 1 sample (n_samples=1). Give '
                'several samples together, or use rule="exact" or rule="sample", which treat each on its own.'
            )
        return self._frozen.fast_scores(matrix)

    def _decomposition(self, matrix: FeatureMatrix) -> FrozenDecomposition | None:
        if self.rule == "sample" or self.factors_.n_factors_ == 0:
            return None
        weights = self.factors_.estimate_.feature_weights
        if weights is None:
            raise MethodError(
                f"rule={self.rule!r} needs a method that weighs features (SVA, SmartSVA, SupervisedSVA, SVASeq); "
                f'{type(self.factors_).__name__} does not. Use rule="sample", or LatentAdjuster.'
            )
        return FrozenDecomposition.of(matrix, self.factors_.mean_, weights, self.factors_.factors_)

    def _adjusted(self, matrix: FeatureMatrix, scores: Array) -> Array:
        return collect(AdjustedMatrix(matrix, scores, np.nan_to_num(self.factors_.loadings_)))
