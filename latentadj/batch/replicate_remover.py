"""Unwanted variation that replicates or pseudo-replicates show, taken out of features (RUV-III, RUV-III-PRPS)."""

from __future__ import annotations

from typing import Any, ClassVar, Self

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from sklearn.utils.validation import check_is_fitted

from latentadj.batch.samples import split_columns
from latentadj.batch.shell import AnnotatedTransformer
from latentadj.core.frozen_replicates import ControlRule, control_rule
from latentadj.core.matrix import Array, ArrayMatrix
from latentadj.core.passes import one_blas_thread
from latentadj.core.replicates import ReplicateFactors, ruv_three
from latentadj.design import design_from_target
from latentadj.exceptions import MethodError
from latentadj.factors.base import random_generator
from latentadj.factors.limits import capped_by_controls
from latentadj.factors.ruv_three import RUV3
from latentadj.num_factors import NumFactorsRule
from latentadj.problem import AdjustmentProblem
from latentadj.results.factors import NumFactorsResult
from latentadj.validation import require_finite


class ReplicateRemover(AnnotatedTransformer):
    """Subtract the factors in which replicates differ, scored by negative controls (RUV-III).

    For prediction and for pictures. For tests use ``la.adjust(..., method="ruv3")``, which puts the factors into the
    design and charges their degrees of freedom. Frames that come out remember what was removed; arrays cannot.

    Parameters
    ----------
    n_factors : {"auto"} or int or NumFactorsRule, default="auto"
        "auto" is parallel analysis on the differences between replicates.
    controls : array-like
        Negative controls: names, integer positions or a boolean mask.
    replicates : str or None, default=None
        Column of X (a DataFrame) with the label of what was measured; samples with the same label are replicates,
        missing labels stand alone.
    biology : str, list of str or None, default=None
        Columns of X with labels of biology (cell type, disease), for pseudo-replicates.
    batch : str, list of str or None, default=None
        Columns of X with sources of unwanted variation (batch, plate, library size), for pseudo-replicates. Each is
        used on its own; numbers with more than 20 different values count as continuous.
    min_samples : int, default=3
        Samples that a pseudo-sample averages at least.
    compat : {None, "ruv"}, default=None
        "ruv" gives the R package's adjusted matrix: features neither scaled nor centred, scores as they come out.
    random_state : default=0

    Attributes
    ----------
    loadings_ : ndarray of shape (n_features, n_factors)
        What is subtracted is scores times loadings.
    controls_ : ndarray of bool, shape (n_features,)
        Controls that vary.
    n_factors_ : int
    num_factors_ : NumFactorsResult
    removed_columns_ : ndarray of shape (n_samples, n_factors)
        Scores of the training samples, by the rule of `transform`.
    df_spent_ : int
        Degrees of freedom that they took.
    n_features_in_ : int

    Raises
    ------
    MethodError
        Neither replicates nor both of biology and batch, or more factors than replicates carry.
    ControlsError
        No controls, or too few.
    InputError
        Pseudo-replicates that do not exist, or that leave levels unconnected; missing or infinite values.

    Notes
    -----
    Molania, Gagnon-Bartsch, Dobrovic and Speed (2019), Nucleic Acids Research 47:6073; pseudo-replicates: Molania et
    al. (2023), Nature Biotechnology 41:82. `transform` is frozen and needs no labels: a sample's scores are a
    regression of its own controls on the loadings, for training samples too. With ``compat="ruv"`` that is the
    published algorithm. By default features are scaled to unit variance and centred in the training set, so that no few
    noisy features lead and their means stay. The factors of `RUV3` differ: they are freed of noise for use in a
    design.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> z, subject = rng.normal(size=20), np.repeat(np.arange(10), 2)
    >>> X = np.outer(z, rng.normal(size=100)) + rng.normal(size=(10, 100))[subject] + 0.1 * rng.normal(size=(20, 100))
    >>> remover = ReplicateRemover(1, controls=np.arange(40)).fit(X, replicates=subject)
    >>> left = remover.transform(X)
    >>> bool(np.std(left[::2] - left[1::2]) < 0.2), bool(np.std(X[::2] - X[1::2]) > 0.5)
    (True, True)
    """

    sample_parameters: ClassVar[tuple[str, ...]] = ("replicates", "biology", "batch")
    allows_missing: ClassVar[bool] = False
    kept_parameter: ClassVar[str] = "biology"

    def __init__(
        self,
        n_factors: int | str | NumFactorsRule = "auto",
        *,
        controls: ArrayLike | None = None,
        replicates: Any = None,
        biology: Any = None,
        batch: Any = None,
        min_samples: int = 3,
        compat: str | None = None,
        random_state: Any = 0,
    ) -> None:
        self.n_factors = n_factors
        self.controls = controls
        self.replicates = replicates
        self.biology = biology
        self.batch = batch
        self.min_samples = min_samples
        self.compat = compat
        self.random_state = random_state

    def fit(self, X: Any, y: Any = None, *, replicates: Any = None, biology: Any = None, batch: Any = None) -> Self:
        """Find the factors in which the replicates of a training set differ.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_columns)
        y : None
            Not used.
        replicates : Series or array-like of shape (n_samples,), optional
            Labels, instead of a column of X. A Series is matched to X by its index.
        biology, batch : DataFrame, Series or array-like of shape (n_samples,) or (n_samples, c), optional
            Labels or values, instead of columns of X.

        Returns
        -------
        self
        """
        features, table = split_columns(X, self._columns())
        values = self._training_values(X, features)
        given = {"replicates": replicates, "biology": biology, "batch": batch}
        told = {name: _plain(self._told(name, value, features, table)) for name, value in given.items()}
        _check_told(told)
        names = self.get_feature_names_out() if hasattr(self, "feature_names_in_") else None
        search = _Search(self, told)
        problem = search.make_problem(ArrayMatrix(values), design_from_target(None, n_samples=len(values)), names)
        require_finite(problem, values)
        self._store(search, problem)
        return self

    @one_blas_thread()
    def _store(self, search: _Search, problem: AdjustmentProblem) -> None:
        self.num_factors_, found, self._rule = search.find(problem)
        self.loadings_: Array = found.loadings
        self.n_factors_: int = found.loadings.shape[1]
        self.controls_: NDArray[np.bool_] = search.used_controls(problem)
        self.removed_columns_: Array = self._rule.scores(problem.matrix)

    def transform(self, X: Any) -> Array:
        """Return samples without the unwanted factors, each by its own controls.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_columns)
            The columns of the training set; labels among them are not used.

        Returns
        -------
        ndarray of shape (n_samples, n_features)

        Raises
        ------
        InputError
            Other columns than in training, missing or infinite values.
        """
        check_is_fitted(self)
        features, _ = split_columns(X, self._columns())
        values = self._new_values(features)
        out: Array = values - self._rule.scores(ArrayMatrix(values)) @ self.loadings_.T
        return out

    def fit_transform(
        self, X: Any, y: Any = None, *, replicates: Any = None, biology: Any = None, batch: Any = None
    ) -> Array:
        """Fit to samples and return them without the unwanted factors.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_columns)
        y : None
            Not used.
        replicates, biology, batch : array-like, optional
            As in `fit`.

        Returns
        -------
        ndarray of shape (n_samples, n_features)
        """
        return self.fit(X, y, replicates=replicates, biology=biology, batch=batch).transform(X)

    def _removed_from(self, X: Any, n_samples: int, **given: Any) -> tuple[Array, tuple[str, ...]]:
        features, _ = split_columns(X, self._columns())
        scores = self._rule.scores(ArrayMatrix(self._new_values(features)))
        return scores, tuple(f"score{i + 1}" for i in range(scores.shape[1]))

    @property
    def df_spent_(self) -> int:
        """Degrees of freedom that the factors took."""
        return self.n_factors_


class _Search(RUV3):
    """RUV-III that keeps what a rule for new samples needs."""

    def __init__(self, settings: ReplicateRemover, told: dict[str, Any]) -> None:
        super().__init__(
            settings.n_factors,
            controls=settings.controls,
            replicates=told["replicates"],
            biology=told["biology"],
            unwanted=told["batch"],
            min_samples=settings.min_samples,
            compat=settings.compat,
            random_state=settings.random_state,
        )

    def used_controls(self, problem: AdjustmentProblem) -> NDArray[np.bool_]:
        """Controls that vary, ``(n_features,)``."""
        return self._controls(problem)

    def find(self, problem: AdjustmentProblem) -> tuple[NumFactorsResult, ReplicateFactors, ControlRule]:
        """Choose the number, find the factors, and make the rule that scores any sample."""
        self._check_needs(problem)
        number = self._choose_number(problem, random_generator(self.random_state))
        sets, controls = self._sets(problem), self._controls(problem)
        k = capped_by_controls(problem, number.n_factors, self.n_factors)
        scale = (None, None) if self._literal else (problem.unit_weights, problem.sums.mean)
        found = ruv_three(problem.matrix, sets.labels, controls, k, pseudo=sets.pseudo, weights=scale[0], mean=scale[1])
        return number, found, control_rule(found, controls, *scale)


def _check_told(told: dict[str, Any]) -> None:
    pseudo = (told["biology"] is not None, told["batch"] is not None)
    if pseudo == (False, False) and told["replicates"] is not None:
        return
    if pseudo != (True, True):
        raise MethodError(
            "ReplicateRemover needs replicates=, or both biology= and batch= for pseudo-replicates: columns of X by "
            "name when it is made, or labels in fit."
        )


def _plain(table: pd.DataFrame | None) -> NDArray[Any] | None:
    """Labels as an array, ``(n_samples,)`` if there is one column."""
    if table is None:
        return None
    return table.iloc[:, 0].to_numpy() if table.shape[1] == 1 else table.to_numpy()
