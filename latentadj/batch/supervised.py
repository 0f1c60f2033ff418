"""Supervised normalisation: sample effects that depend on the features' intensity or composition."""

from __future__ import annotations

import warnings
from typing import Any, ClassVar, Self

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from sklearn.utils.validation import check_is_fitted

from latentadj.batch.checks import warn_of_leaking_target
from latentadj.batch.covariates import CovariateCoding, check_biology
from latentadj.batch.feature_basis import FeatureBasis, feature_basis, feature_table
from latentadj.batch.samples import batch_codes, batch_levels, split_columns
from latentadj.batch.shell import AnnotatedTransformer, one_column
from latentadj.core.feature_effects import SampleDesign, SampleRule, fit_feature_effects
from latentadj.core.matrix import AdjustedMatrix, Array, ArrayMatrix, FeatureMatrix, collect
from latentadj.core.null_features import NullFeatures
from latentadj.core.passes import one_blas_thread
from latentadj.core.regression import design_basis, design_pass, fit_regression, is_constant
from latentadj.core.snm import SnmFit, fit_snm
from latentadj.data.controls import resolve_controls
from latentadj.exceptions import InputError, MethodError, NotConvergedWarning

COMPAT = (None, "snm")


class SupervisedNormalizer(AnnotatedTransformer):
    """Take out of each sample a smooth effect of the features' intensity, GC content or other covariates.

    What a sample adds to features of one intensity or composition is estimated from features that the biology does
    not change, so that it can be as confounded with the biology as it likes. Array and dye effects that depend on
    intensity, probe composition, GC content and fragment length are of this kind.

    Parameters
    ----------
    biology : str, list of str or None, default=None
        Columns of X (a DataFrame) that are protected: what the study is about. Needed in training only, though
        columns of X stay columns of X. Without it every feature is taken for null.
    covariates : list of str or None, default=None
        Columns of X with known effects of the samples on single features, such as batches. They stay unless
        `remove_covariates`, but are not taken for effects of the samples.
    levels : str or None, default=None
        Column of X with labels; samples with the same label share their effects. Every sample has its own without.
    feature_covariates : DataFrame, Series or array-like of shape (n_features, c), optional
        What is known of the features, matched by their names. Numbers enter by splines, labels by indicators.
    intensity : bool, default=True
        Whether effects depend on the features' means in the training set.
    spline_df : int, default=5
        Degrees of freedom of each natural cubic spline, with the constant.
    controls : array-like or None, default=None
        Features known to be null: names, positions or a mask. They are found without.
    remove_covariates : bool, default=False
        Subtract the covariates' effects too, measured from their training means.
    compat : {None, "snm"}, default=None
        "snm" fits the published model: see Notes.
    max_iter : int or None, default=None
        Rounds of the search for null features: at most 100 by default, exactly 10 with ``compat="snm"``.

    Attributes
    ----------
    null_features_ : ndarray of bool, shape (n_features,)
        Features that the effects were estimated from.
    null_share_ : float
        Estimated share of null features, at least a half.
    p_values_ : ndarray of shape (n_features,)
        Of the biology in the normalised training set; NaN where there is no biology to test.
    basis_ : ndarray of shape (n_features, q)
        Functions of the features; zero for features that do not vary, which are returned as they are.
    basis_names_ : list of str
        Covariate that each column of it belongs to.
    effects_ : ndarray of shape (n_samples, q) or (n_levels, q)
        Coefficients of the training samples, or of the levels that they share.
    df_smooth_ : ndarray of shape (n_features,)
        Degrees of freedom that the smooth effects took from each feature, mostly far below one.
    df_spent_ : int
        Degrees of freedom that removed covariates took.
    removed_columns_ : ndarray of shape (n_samples, df_spent_)
        Covariates that were removed. Smooth effects differ between features and are no columns: see `df_smooth_`.
    n_iter_ : int
    n_features_in_ : int

    Raises
    ------
    InputError
        Columns that X does not have, missing or infinite values.
    ConfoundedDesignError
        Biology and covariates cannot be told apart.
    DegreesOfFreedomError
        They fit the samples exactly.

    Notes
    -----
    Mecham, Nelson and Storey (2010), Bioinformatics 26:1308. There the effects are random, their argument is the fitted
    value of each feature in each sample, and the samples' part is estimated from averages over bins. Here they are
    least squares over all null features with a feature's training mean as argument, weighted by precision, so that
    a new sample of unknown biology can be treated as the training samples are: alone, by its own values at the null
    features. The search for null features is iterated until it has settled; see
    `latentadj.core.null_features.find_null_features`.

    What covariates explain of the samples' effects counts as the covariates': it stays with them, so that an analysis
    of the output needs them in its design, or `remove_covariates`. An effect that all samples share is a property of
    the features, and stays.

    With ``compat="snm"`` the model is the published one, fitted by `latentadj.core.snm.fit_snm`, and `fit_transform`
    returns the training set as it normalises it. `transform` cannot know the biology of new samples, so that it takes
    the curve at what the covariates let expect of each feature: for training samples its answer differs from
    `fit_transform` in features with an effect of the biology. The degrees of freedom of random curves are not known:
    `df_smooth_` is NaN.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> level = rng.uniform(4, 14, size=400)
    >>> X = level + np.outer(rng.normal(size=12), (level - 9) ** 2 / 10) + 0.1 * rng.normal(size=(12, 400))
    >>> normalized = SupervisedNormalizer().fit_transform(X)
    >>> bool((normalized - normalized.mean(axis=0)).std() < 0.12), bool((X - X.mean(axis=0)).std() > 0.5)
    (True, True)
    """

    sample_parameters: ClassVar[tuple[str, ...]] = ("biology", "covariates", "levels")
    allows_missing: ClassVar[bool] = False
    kept_parameter: ClassVar[str] = "biology"

    def __init__(
        self,
        biology: Any = None,
        *,
        covariates: list[str] | None = None,
        levels: Any = None,
        feature_covariates: Any = None,
        intensity: bool = True,
        spline_df: int = 5,
        controls: ArrayLike | None = None,
        remove_covariates: bool = False,
        compat: str | None = None,
        max_iter: int | None = None,
    ) -> None:
        self.biology = biology
        self.covariates = covariates
        self.levels = levels
        self.feature_covariates = feature_covariates
        self.intensity = intensity
        self.spline_df = spline_df
        self.controls = controls
        self.remove_covariates = remove_covariates
        self.compat = compat
        self.max_iter = max_iter

    def fit(self, X: Any, y: Any = None, *, biology: Any = None, covariates: Any = None, levels: Any = None) -> Self:
        """Learn the null features and what to expect of them.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_columns)
        y : array-like of shape (n_samples,), optional
            Not used, but for a warning (`TargetLeakageWarning`) when covariates are y itself. What is to be protected
            is given as `biology`.
        biology, covariates : DataFrame, Series or array-like of shape (n_samples, q), optional
            Values, instead of columns of X.
        levels : Series or array-like of shape (n_samples,), optional
            Labels, instead of a column of X.

        Returns
        -------
        self
        """
        features, table = split_columns(X, self._columns())
        values = self._training_values(X, features)
        protected = CovariateCoding.of(self._told("biology", biology, features, table), len(values), "biology")
        self._coding = CovariateCoding.of(self._told("covariates", covariates, features, table), len(values))
        if self._coding.names:
            warn_of_leaking_target(y, self._coding.training, self._coding.names)
        check_biology(self._coding.training, self._coding.names, protected.training, protected.names)
        codes = self._training_codes(self._told("levels", levels, features, table))
        nuisance = np.hstack([np.ones((len(values), 1)), self._coding.training])
        self._fit(values, SampleDesign(nuisance, protected.training, codes))
        return self

    @one_blas_thread()
    def _fit(self, values: NDArray[Any], design: SampleDesign) -> None:
        if self.compat not in COMPAT:
            raise MethodError(f"compat={self.compat!r} is unknown; choose None or 'snm'.")
        if self.compat is None:
            self._published: SnmFit | None = None
            adjusted = self._fit_effects(ArrayMatrix(values), design)
        else:
            adjusted = self._fit_published(ArrayMatrix(values), design)
        known = design.nuisance[:, 1:] if self.remove_covariates else design.nuisance[:, :0]
        self._centre: Array = known.mean(axis=0)
        self.removed_columns_: Array = known - self._centre
        self._known_effects: Array = np.zeros((values.shape[1], 0))
        if known.shape[1]:
            fit = fit_regression(adjusted, np.hstack([design.nuisance, design.biology]))
            self._known_effects = fit.coef[:, 1 : 1 + known.shape[1]]

    def _fit_effects(self, Y: ArrayMatrix, design: SampleDesign) -> FeatureMatrix:
        names = list(self.get_feature_names_out()) if hasattr(self, "feature_names_in_") else None
        basis = self._feature_basis(Y, names)
        controls = None if self.controls is None else resolve_controls(self.controls, names, Y.shape[1])
        max_iter = 100 if self.max_iter is None else self.max_iter
        found = fit_feature_effects(Y, basis.matrix, design, controls, max_iter)
        self._rule: SampleRule = found.rule
        self.basis_: Array = found.basis
        self.basis_names_: list[str] = basis.names
        self.effects_: Array = found.level_coefficients
        self.df_smooth_: Array = found.df_cost
        self._store_nulls(found.nulls)
        if not found.nulls.converged:
            warnings.warn(
                NotConvergedWarning(
                    f"The null features had not settled after {max_iter} rounds. Raise max_iter, or give controls=."
                ),
                stacklevel=5,
            )
        own = found.level_coefficients if design.levels is None else found.level_coefficients[design.levels]
        return AdjustedMatrix(Y, own, found.basis)

    def _feature_basis(self, Y: ArrayMatrix, names: list[Any] | None) -> FeatureBasis:
        sums = design_pass(Y, design_basis(np.ones((Y.shape[0], 1))))
        table = None
        if self.feature_covariates is not None:
            table = feature_table(self.feature_covariates, names, Y.shape[1])
        used = ~is_constant(sums, Y.shape[0])
        return feature_basis(sums.mean if self.intensity else None, table, used, self.spline_df)

    def _store_nulls(self, nulls: NullFeatures) -> None:
        self.null_features_: NDArray[np.bool_] = nulls.mask
        self.null_share_: float = nulls.share
        self.p_values_: Array = nulls.p_value
        self.n_iter_: int = max(nulls.n_iter, 1)

    def _fit_published(self, Y: ArrayMatrix, design: SampleDesign) -> FeatureMatrix:
        other = {"feature_covariates": self.feature_covariates, "controls": self.controls, "levels": design.levels}
        unfit = [name for name, value in other.items() if value is not None]
        if unfit or not self.intensity or design.biology.shape[1] == 0:
            raise MethodError(
                "compat='snm' needs biology= and intensity=True, and knows no feature_covariates=, controls= or "
                "levels=. Change these settings, or use the default, compat=None."
            )
        n_iter = 10 if self.max_iter is None else self.max_iter
        fit = fit_snm(Y, design.nuisance, design.biology, n_iter)
        self._published = fit
        self.basis_, self.basis_names_, self.effects_ = np.zeros((Y.shape[1], 0)), [], fit.adjusted.curves
        self.df_smooth_ = np.full(Y.shape[1], np.nan)
        self._store_nulls(NullFeatures(fit.null, fit.p_value, fit.null_share, n_iter, True))
        return fit.adjusted

    def transform(self, X: Any, *, covariates: Any = None, levels: Any = None) -> Array:
        """Return samples without their effects, each by its own values alone.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_columns)
            The columns of the training set.
        covariates : DataFrame, Series or array-like of shape (n_samples, q), optional
            Values, if they are no columns of X.
        levels : Series or array-like of shape (n_samples,), optional
            Labels, if samples share effects and the labels are no column of X.

        Returns
        -------
        ndarray of shape (n_samples, n_features)

        Raises
        ------
        InputError
            Other columns than in training, covariates or labels that are not known.
        DesignError
            A level that the training set does not have.
        """
        check_is_fitted(self)
        features, table = split_columns(X, self._columns())
        values = self._new_values(features)
        known = self._coding.replay(self._told("covariates", covariates, features, table), len(values))
        if self._published is not None:
            nuisance = np.hstack([np.ones((len(values), 1)), known])
            return self._without_covariates(collect(self._published.normalised(ArrayMatrix(values), nuisance)), known)
        effects = self._effects_of(values, known, self._told("levels", levels, features, table))
        return self._without_covariates(values - effects @ self.basis_.T, known)

    def fit_transform(
        self, X: Any, y: Any = None, *, biology: Any = None, covariates: Any = None, levels: Any = None
    ) -> Array:
        """Fit to samples and return them without their effects.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_columns)
        y : None
            Not used.
        biology, covariates, levels : array-like, optional
            As in `fit`.

        Returns
        -------
        ndarray of shape (n_samples, n_features)
        """
        fitted = self.fit(X, y, biology=biology, covariates=covariates, levels=levels)
        if self._published is not None:
            return self._without_covariates(collect(self._published.adjusted), self._coding.training)
        out: Array = fitted.transform(X, covariates=covariates, levels=levels)
        return out

    def _removed_from(self, X: Any, n_samples: int, **given: Any) -> tuple[Array, tuple[str, ...]]:
        if not self.df_spent_:
            return np.zeros((n_samples, 0)), ()
        features, table = split_columns(X, self._columns())
        told = self._told("covariates", given.get("covariates"), features, table)
        return self._coding.replay(told, n_samples) - self._centre, tuple(self._coding.names)

    @property
    def df_spent_(self) -> int:
        """Degrees of freedom that removed covariates took."""
        return int(self.removed_columns_.shape[1])

    def _without_covariates(self, values: Array, known: Array) -> Array:
        """Subtract what removed covariates ``(n_samples, r)`` explain, measured from their training means."""
        if self.df_spent_ == 0:
            return values
        out: Array = values - (known - self._centre) @ self._known_effects.T
        return out

    def _training_codes(self, told: pd.DataFrame | None) -> NDArray[np.intp] | None:
        self.levels_: list[Any] | None = None
        if told is None:
            return None
        labels = one_column(told, "levels")
        self.levels_ = batch_levels(labels)
        return batch_codes(labels, self.levels_)

    def _effects_of(self, values: Array, known: Array, told: pd.DataFrame | None) -> Array:
        """Coefficients of samples, ``(n_samples, q)``."""
        if self.levels_ is None:
            nuisance = np.hstack([np.ones((len(values), 1)), known])
            return self._rule.scores(ArrayMatrix(values), nuisance)
        if told is None:
            raise InputError("The levels of these samples are not known. Give transform(X, levels=labels).")
        return self.effects_[batch_codes(one_column(told, "levels"), self.levels_)]
