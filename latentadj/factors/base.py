"""The estimator shell that every factor method shares."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, replace
from numbers import Integral
from typing import Any, ClassVar, Self

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.linalg import lstsq
from sklearn.base import BaseEstimator, ClassNamePrefixFeaturesOutMixin, TransformerMixin
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted

from latentadj.core.alignment import sign_flips
from latentadj.core.kernels import ScoreKernel
from latentadj.core.matrix import ArrayMatrix, FeatureMatrix
from latentadj.core.passes import one_blas_thread, run_pass
from latentadj.core.regression import RegressionFit, design_basis
from latentadj.data.annotations import resolve_annotation
from latentadj.data.controls import resolve_controls
from latentadj.design import Design, design_from_target
from latentadj.exceptions import ControlsError, InputError, MethodError
from latentadj.factors.info import MethodInfo
from latentadj.models import LinearModel, PrimaryModel, ScaledModel, WeighableModel, resolve_model
from latentadj.num_factors import NumFactorsRule, choose_number
from latentadj.problem import AdjustmentProblem
from latentadj.refit import augmented_design, refit
from latentadj.results.factors import FactorEstimate, NumFactorsResult
from latentadj.validation import require_finite, validated_array

Array = NDArray[np.float64]


@dataclass(frozen=True)
class FittedFactors:
    """Stages 2 to 4 of one data set.

    Attributes
    ----------
    number : NumFactorsResult
    estimate : FactorEstimate
        Signs fixed by the largest absolute loading.
    fit : RegressionFit
        Every feature fitted with the factors in the design.
    """

    number: NumFactorsResult
    estimate: FactorEstimate
    fit: RegressionFit

    @property
    def loadings(self) -> Array:
        """Coefficients of the factors, ``(n_features, n_factors)``."""
        k = self.estimate.n_factors
        return self.fit.coef[:, self.fit.coef.shape[1] - k :]


class LatentFactorEstimator(ClassNamePrefixFeaturesOutMixin, TransformerMixin, BaseEstimator):
    """Base class of the latent-factor methods, a scikit-learn transformer to factor scores.

    A new method sets `method_info` and writes `_estimate_factors`; everything else is shared. Methods that are told
    more about the samples name those parameters in `sample_parameters`; the hooks `working_matrix`,
    `_default_model`, `_choose_number` and `_frozen_scores` serve those that work on another scale, with another
    model, choose their number in their own way, or score new samples in their own way.

    Parameters
    ----------
    n_factors : {"auto"} or int or NumFactorsRule, default="auto"
        Number of factors; "auto" is parallel analysis on unit-variance features. 0 is legal and gives the
        regression without factors.
    model : str or PrimaryModel or None, default=None
        Model every feature is fitted by; least squares by default. "voom", "negative_binomial", "poisson" and
        "binomial" are other ones, for counts: factors are then estimated from log counts.
    random_state : int, Generator, RandomState or None, default=0
        Source of random numbers (only the number rule uses any).

    Attributes
    ----------
    factors_ : ndarray of shape (n_samples, n_factors)
        In-sample estimate that joins the design.
    loadings_ : ndarray of shape (n_features, n_factors)
        Coefficients of the factors in the refitted model.
    n_factors_ : int
    n_iter_ : int
        Rounds of the method's iteration; 1 for methods without one.
    num_factors_ : NumFactorsResult
    estimate_ : FactorEstimate
        Convergence, feature weights and other details.
    mean_ : ndarray of shape (n_features,)
        Training means; `transform` measures new samples from them.
    precision_ : ndarray of shape (n_features,)
        One over the residual variance; weights of the features in `transform`.
    """

    method_info: ClassVar[MethodInfo]
    #: Constructor parameters with a value per sample; `AdjustmentProblem.annotations` holds them resolved.
    sample_parameters: ClassVar[tuple[str, ...]] = ()
    #: Whether factors are estimated from the model's own scale (counts), not from a linear one.
    estimates_from_model: ClassVar[bool] = False

    def __init__(
        self,
        n_factors: int | str | NumFactorsRule = "auto",
        *,
        model: Any = None,
        random_state: Any = 0,
    ) -> None:
        self.n_factors = n_factors
        self.model = model
        self.random_state = random_state

    @abstractmethod
    def _estimate_factors(self, problem: AdjustmentProblem, n_factors: int, rng: np.random.Generator) -> FactorEstimate:
        """Estimate `n_factors` > 0 factors; all that a new method writes."""

    def fit(self, X: Any, y: Any = None, *, design: Any = None) -> Self:
        """Estimate the factors of a training set.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
        y : array-like of shape (n_samples,) or (n_samples, n_primary), optional
            Primary variable, protected from being absorbed: strings and small integers are taken as
            categories, other numbers as they are. Without it factors come from the data alone.
        design : Design or array-like of shape (n_samples, d), optional
            A whole design instead of `y`; the columns of an array are all taken as primary, an intercept is
            added.

        Returns
        -------
        self

        Raises
        ------
        InputError
            Wrong shapes, missing or infinite values.
        ControlsError
            The method needs negative controls and has none, or too few.
        """
        names = np.asarray(X.columns) if isinstance(X, pd.DataFrame) else None
        values = validated_array(self, X, training=True)
        if design is None:
            design = design_from_target(y, n_samples=len(values))
        design = Design.resolve(design, n_samples=len(values))
        design.check()
        ids = [str(i) for i in X.index] if isinstance(X, pd.DataFrame) else None
        problem = self.make_problem(ArrayMatrix(values), design, names, sample_ids=ids)
        require_finite(problem, values)
        return self.store(self.fit_problem(problem), problem)

    def make_problem(
        self,
        matrix: FeatureMatrix,
        design: Design,
        feature_names: NDArray[Any] | None,
        *,
        sample_data: pd.DataFrame | None = None,
        sample_ids: Sequence[str] | None = None,
    ) -> AdjustmentProblem:
        """Bind data and design to this method's controls, model and sample-aligned settings."""
        controls = getattr(self, "controls", None)
        ids = None if controls is None or feature_names is None else list(feature_names)
        mask = None if controls is None else resolve_controls(controls, ids, matrix.shape[1])
        annotations = {
            name: resolve_annotation(name, getattr(self, name), matrix.shape[0], sample_data, sample_ids)
            for name in self.sample_parameters
        }
        model = self._default_model() if self.model is None else resolve_model(self.model)
        if self.estimates_from_model or not isinstance(model, ScaledModel | WeighableModel):
            return AdjustmentProblem(self.working_matrix(matrix), design, mask, model, annotations)
        target = AdjustmentProblem(matrix, design, mask, model, annotations)
        scale = self._on_linear_scale(matrix, model)
        return AdjustmentProblem(scale, design, mask, annotations=annotations, target=target)

    def _on_linear_scale(self, matrix: FeatureMatrix, model: PrimaryModel) -> FeatureMatrix:
        """Return the data on the method's own scale, or else on the model's linear one."""
        own = self.working_matrix(matrix)
        if own is not matrix or self.estimates_from_model or not isinstance(model, ScaledModel):
            return own
        return model.linear_scale(matrix)

    def _default_model(self) -> PrimaryModel:
        """Model of every feature unless the user gives one."""
        return LinearModel()

    def working_matrix(self, matrix: FeatureMatrix) -> FeatureMatrix:
        """Return the data on the scale that the method works on, as a lazy view."""
        return matrix

    def _choose_number(self, problem: AdjustmentProblem, rng: np.random.Generator) -> NumFactorsResult:
        """Stage 2."""
        return choose_number(problem, self.n_factors, rng)

    def score_matrix(self, matrix: FeatureMatrix) -> Array:
        """Factor scores ``(n_samples, n_factors)`` of samples given on the working scale, as `transform` makes them."""
        check_is_fitted(self)
        return self._frozen_scores(matrix)

    def _frozen_scores(self, matrix: FeatureMatrix) -> Array:
        """Rule behind `score_matrix`."""
        return frozen_scores(matrix, self.mean_, self.loadings_, self.precision_)

    @one_blas_thread()
    def fit_problem(self, problem: AdjustmentProblem) -> FittedFactors:
        """Run stages 2 to 4 on a prepared problem.

        Parameters
        ----------
        problem : AdjustmentProblem

        Returns
        -------
        FittedFactors
        """
        self._check_needs(problem)
        rng = random_generator(self.random_state)
        number = self._choose_number(problem, rng)
        if number.n_factors == 0:
            estimate = FactorEstimate(np.empty((problem.n_samples, 0)))
        else:
            estimate = self._estimate_factors(problem, number.n_factors, rng)
        fit = refit(problem, estimate)
        if problem.whitening is not None:
            estimate = estimate.before(problem.whitening)
        return _with_fixed_signs(FittedFactors(number, estimate, fit))

    def _check_needs(self, problem: AdjustmentProblem) -> None:
        if "controls" in self.method_info.needs and problem.controls is None:
            raise ControlsError(
                f"{self.method_info.title} needs negative controls: features whose true effect is zero. Give "
                "controls= as names, positions or a mask; without controls use CATE or SVA."
            )
        for need in self.method_info.needs:
            if need in self.sample_parameters and problem.annotations.get(need) is None:
                raise MethodError(
                    f"{self.method_info.title} needs {need}=: the name of a column of the sample table, a Series "
                    "indexed by sample ID, or one value per sample."
                )

    def store(self, fitted: FittedFactors, problem: AdjustmentProblem) -> Self:
        """Set the fitted attributes from the outcome of `fit_problem`."""
        self.factors_ = fitted.estimate.scores
        self.loadings_ = fitted.loadings
        self.n_factors_ = self._n_features_out = fitted.estimate.n_factors
        self.n_iter_ = max(fitted.estimate.n_iter, 1)
        self.num_factors_ = fitted.number
        self.estimate_ = fitted.estimate
        self.mean_ = problem.sums.mean
        self.precision_ = _precision(fitted.fit)
        if problem.target is not None:
            self._store_linear(problem)
        return self

    def _store_linear(self, problem: AdjustmentProblem) -> None:
        """Keep for `transform` what it needs on the scale that the factors were estimated on."""
        target, whitening = problem.target or problem, problem.whitening
        plain = replace(problem, target=None)
        self._frozen_model = None
        if isinstance(target.model, ScaledModel) and self.working_matrix(target.matrix) is target.matrix:
            self._frozen_model = target.model.frozen(target.matrix)
            plain = AdjustmentProblem(self._frozen_model.linear_scale(target.matrix), target.design)
            self.mean_, whitening = plain.sums.mean, None
        scores = self.factors_ if whitening is None else whitening.apply(self.factors_)
        fit = plain.fit_design(design_basis(augmented_design(plain.design, scores).matrix))
        self.loadings_ = fit.coef[:, fit.coef.shape[1] - self.n_factors_ :]
        self.precision_ = _precision(fit)

    def transform(self, X: Any) -> Array:
        """Factor scores of samples, each from its own values alone.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)

        Returns
        -------
        ndarray of shape (n_samples, n_factors)
            Weighted least squares of ``x - mean_`` on the loadings with weights `precision_`.

        Notes
        -----
        The rule is frozen: a sample's scores do not depend on the samples it comes with, and training samples
        are treated like new ones. The in-sample estimate, which knows the design, is `factors_`.
        """
        check_is_fitted(self)
        values = validated_array(self, X, training=False)
        matrix = ArrayMatrix(values)
        frozen = getattr(self, "_frozen_model", None)
        return self._frozen_scores(self.working_matrix(matrix) if frozen is None else frozen.linear_scale(matrix))


def frozen_scores(Y: FeatureMatrix, mean: Array, loadings: Array, precision: Array) -> Array:
    """Weighted least-squares scores of samples on fixed loadings.

    Parameters
    ----------
    Y : FeatureMatrix of shape (n_samples, n_features)
    mean : ndarray of shape (n_features,)
    loadings : ndarray of shape (n_features, n_factors)
    precision : ndarray of shape (n_features,)
        Weights, at least 0.

    Returns
    -------
    ndarray of shape (n_samples, n_factors)
    """
    if loadings.shape[1] == 0:
        return np.empty((Y.shape[0], 0))
    root = np.sqrt(precision)[:, None]
    information = (loadings * root).T @ (loadings * root)
    coefficients = lstsq(information, (loadings * precision[:, None]).T)[0].T
    (scores,) = run_pass(Y, ScoreKernel(Y.shape[0], coefficients, offset=mean))
    out: Array = scores
    return out


def _precision(fit: RegressionFit) -> Array:
    usable = (fit.sigma2 > 0) & ~fit.constant & np.isfinite(fit.sigma2)
    return np.divide(1.0, fit.sigma2, out=np.zeros_like(fit.sigma2), where=usable)


def _with_fixed_signs(fitted: FittedFactors) -> FittedFactors:
    if fitted.estimate.n_factors == 0:
        return fitted
    signs = sign_flips(fitted.loadings)
    estimate, fit = fitted.estimate.flipped(signs), fitted.fit.with_flipped_factors(signs)
    return replace(fitted, estimate=estimate, fit=fit)


def random_generator(random_state: Any) -> np.random.Generator:
    """Return the generator behind a seed, a generator, a RandomState or None.

    Raises
    ------
    InputError
        For anything else.
    """
    if isinstance(random_state, np.random.Generator):
        return random_state
    if isinstance(random_state, np.random.RandomState) or random_state is None:
        seed = check_random_state(random_state).randint(2**31 - 1)
        return np.random.default_rng(int(seed))
    if isinstance(random_state, Integral) and int(random_state) >= 0:
        return np.random.default_rng(int(random_state))
    raise InputError(
        f"random_state={random_state!r}; give a non-negative integer, a numpy Generator or RandomState, or None."
    )
