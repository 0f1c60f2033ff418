"""From a matrix and a design to a result: the stages in order."""

from __future__ import annotations

import hashlib
import platform
import sys
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import cache
from importlib.metadata import version
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from latentadj.calibration import Calibration
from latentadj.core.clean_then_test import charged
from latentadj.core.matrix import FeatureMatrix
from latentadj.core.passes import one_blas_thread
from latentadj.core.regression import RegressionFit
from latentadj.core.whitening import Whitening
from latentadj.design import Design
from latentadj.estimators.checks import check_data, check_result
from latentadj.estimators.observations import with_missing_values, with_observation_weights
from latentadj.exceptions import InputNoteWarning, InvalidForTestingError, LatentAdjWarning, MethodError
from latentadj.factors import FittedFactors, LatentFactorEstimator, random_generator
from latentadj.inference import Inference
from latentadj.models import GLMModel
from latentadj.problem import AdjustmentProblem
from latentadj.refit import augmented_design
from latentadj.results import AdjustmentResult, TestStatistics, confounding_test, test_contrasts
from latentadj.results.confounding import ConfoundingTest
from latentadj.results.factors import FactorEstimate
from latentadj.sample_weights import SampleWeights
from latentadj.validation import require_finite


@dataclass(frozen=True)
class Study:
    """Aligned input of one study.

    Attributes
    ----------
    matrix : FeatureMatrix of shape (n_samples, n_features)
    design : Design
    sample_ids : tuple of str
    feature_ids : ndarray of shape (n_features,)
        Names, or positions where the data have no names.
    sample_data : pandas.DataFrame or None
    controls : ndarray of bool or None
    notes : tuple of str
        What alignment did, to be said to the user.
    observation_weights : ndarray of shape (n_samples, n_features) or None
        Proportional to one over the noise variance of each value.
    correlation : SampleWeights or None
        What is known about correlated noise of the samples.
    allow_missing : bool
        Whether values may be NaN.
    df_spent : float
        Degrees of freedom that an earlier adjustment of the data took.
    """

    matrix: FeatureMatrix
    design: Design
    sample_ids: tuple[str, ...]
    feature_ids: NDArray[Any]
    sample_data: pd.DataFrame | None = None
    controls: NDArray[np.bool_] | None = None
    notes: tuple[str, ...] = ()
    observation_weights: NDArray[np.float64] | None = None
    correlation: SampleWeights | None = None
    allow_missing: bool = False
    df_spent: float = 0.0


@dataclass(frozen=True)
class Plan:
    """How a study is to be analysed.

    Attributes
    ----------
    estimator : LatentFactorEstimator
    inference : Inference
    calibration : Calibration or None
    sample_weights : SampleWeights or None
        How much each sample is to be trusted.
    allow_invalid : bool
        Test with a method that does not remove confounding.
    reason : str
        Why this method.
    options : mapping
        Kept in the manifest.
    """

    estimator: LatentFactorEstimator
    inference: Inference
    calibration: Calibration | None = None
    sample_weights: SampleWeights | None = None
    allow_invalid: bool = False
    reason: str = ""
    options: Mapping[str, Any] = field(default_factory=dict)


@one_blas_thread()
def analyse(study: Study, plan: Plan) -> AdjustmentResult:
    """Run all stages and keep every warning in the result.

    Parameters
    ----------
    study : Study
    plan : Plan

    Returns
    -------
    AdjustmentResult

    Raises
    ------
    InvalidForTestingError
        The method cannot remove confounding and `Plan.allow_invalid` is not set.
    """
    _refuse_invalid(plan)
    kept: list[str] = []
    with _collected(kept):
        for note in study.notes:
            warnings.warn(note, InputNoteWarning, stacklevel=4)
        study.design.check()
        problem = study_problem(study, plan.estimator)
        check_data(problem, study.feature_ids)
        rng = random_generator(getattr(plan.estimator, "random_state", 0))
        weighed = weighed_problem(problem, plan.sample_weights, rng, study.sample_ids)
        independent = weighed_problem(weighed, study.correlation, rng, study.sample_ids)
        plain = problem if study.correlation is None else independent
        result = _result(study, plan, problem, plain.fitted.fit, plan.estimator.fit_problem(independent))
        check_result(result)
    return replace(result, warnings=tuple(dict.fromkeys(kept)))


def _refuse_invalid(plan: Plan) -> None:
    info = plan.estimator.method_info
    if not info.valid_for_testing and not plan.allow_invalid:
        raise InvalidForTestingError(
            f"{info.title} does not remove confounding: its factors are orthogonal to the design, so every "
            "estimate stays as it was and only looks more certain. Use method='cate' (or 'ruv4' with negative "
            "controls, 'sva'); to test with it all the same, pass allow_invalid=True."
        )


@contextmanager
def _collected(kept: list[str]) -> Iterator[None]:
    """Record latentadj's warnings as text, and issue every warning again for the caller."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        yield
    for warning in caught:
        if issubclass(warning.category, LatentAdjWarning):
            kept.append(f"{warning.category.__name__}: {warning.message}")
        warnings.warn(str(warning.message), warning.category, stacklevel=_level_of_the_caller())


def _level_of_the_caller() -> int:
    """Stack level of the first frame outside this package, so that a warning points at the user's line."""
    level, frame = 1, sys._getframe(1)
    while frame.f_back is not None and frame.f_globals.get("__name__", "").split(".")[0] in ("latentadj", "contextlib"):
        level, frame = level + 1, frame.f_back
    return level


def study_problem(study: Study, estimator: LatentFactorEstimator) -> AdjustmentProblem:
    """Bind a study to a method, and make sure that its values are finite, or may be missing."""
    problem = estimator.make_problem(
        study.matrix,
        study.design,
        study.feature_ids,
        sample_data=study.sample_data,
        sample_ids=study.sample_ids,
    )
    problem = replace(problem, controls=study.controls if problem.controls is None else problem.controls)
    weights = study.observation_weights
    if weights is not None:
        problem = with_observation_weights(problem, weights)
    if study.allow_missing or weights is not None:
        problem = with_missing_values(problem, study, left_out=weights is not None)
    require_finite(problem, study.matrix, study.sample_ids, study.feature_ids)
    return problem


def weighed_problem(
    problem: AdjustmentProblem, weights: SampleWeights | None, rng: np.random.Generator, sample_ids: Sequence[str]
) -> AdjustmentProblem:
    """Bring the samples to equal noise variance, where weights are wanted.

    Raises
    ------
    MethodError
        For models other than least squares, whose variances follow from their means.
    """
    if weights is None:
        return problem
    if problem.target is not None:
        problem.target.weighed(Whitening.from_weights(np.ones(problem.n_samples)))
    elif isinstance(problem.model, GLMModel):
        raise MethodError(
            "Weights or a covariance of the samples are for least squares, and features are fitted by "
            f"{type(problem.model).__name__} here. Leave them out, or use model='voom' for counts."
        )
    seen = problem.with_precision() if problem.whitening is None else problem
    return problem.whitened(weights.whitening(seen, rng, sample_ids))


def _result(
    study: Study, plan: Plan, problem: AdjustmentProblem, plain: RegressionFit, fitted: FittedFactors
) -> AdjustmentResult:
    estimate, info = fitted.estimate, plan.estimator.method_info
    fit = charged(fitted.fit, study.df_spent)
    plain = fit if fitted.fit is plain else charged(plain, study.df_spent)
    full_design = augmented_design(study.design, estimate.scores) if estimate.n_factors else study.design
    tests = primary_tests(fit, problem, plan.inference)
    unadjusted = tests if fit is plain else primary_tests(plain, problem, plan.inference)
    return AdjustmentResult(
        method=info.name,
        method_title=info.title,
        assumption=info.identified_by,
        reason=plan.reason,
        valid_for_testing=info.valid_for_testing,
        design=study.design,
        full_design=full_design,
        feature_ids=study.feature_ids,
        sample_ids=study.sample_ids,
        sample_data=study.sample_data,
        controls=problem.controls,
        num_factors=fitted.number,
        estimate=estimate,
        fit=fit,
        unadjusted_fit=plain,
        tests=tests if plan.calibration is None else plan.calibration.calibrate(tests, problem.controls),
        uncalibrated_tests=tests,
        unadjusted_tests=unadjusted,
        confounding=_confounding(problem, estimate),
        manifest=_manifest(study, plan, problem),
        matrix=problem.matrix,
        identification=info.identification,
    )


def _confounding(problem: AdjustmentProblem, estimate: FactorEstimate) -> ConfoundingTest:
    """Association of factors and primary variables, under the noise that the refit assumed."""
    scores = estimate.scores
    if estimate.whitening is not None:
        problem, scores = problem.whitened(estimate.whitening), estimate.whitening.apply(scores)
    return confounding_test(problem.design.primary_names, problem.design.primary, problem.nuisance_basis.q, scores)


def primary_tests(fit: RegressionFit, problem: AdjustmentProblem, inference: Inference) -> TestStatistics:
    """Test every primary column of a fit."""
    contrasts = np.eye(fit.coef.shape[1])[:, problem.primary_columns]
    return test_contrasts(fit, inference.variances(fit), contrasts, problem.design.primary_names)


def _manifest(study: Study, plan: Plan, problem: AdjustmentProblem) -> dict[str, Any]:
    return {
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "python": platform.python_version(),
        "versions": dict(_versions()),
        "method": plan.estimator.method_info.name,
        "estimator": repr(plan.estimator),
        "parameters": {name: repr(value) for name, value in plan.estimator.get_params().items()},
        "inference": repr(plan.inference),
        "calibration": repr(plan.calibration),
        "model": repr(problem.fitted.model),
        "sample_weights": repr(plan.sample_weights),
        "correlation": None if study.correlation is None else type(study.correlation).__name__,
        "block_correlation": getattr(study.correlation, "correlation_", None),
        "df_spent": study.df_spent,
        "options": dict(plan.options),
        "formula": study.design.formula,
        "design_columns": list(study.design.names),
        "n_samples": problem.n_samples,
        "n_features": problem.n_features,
        "dtype": str(study.matrix.dtype),
        "data_fingerprint": _fingerprint(problem),
    }


@cache
def _versions() -> tuple[tuple[str, str], ...]:
    """Names and versions of this package and of what its numbers rest on; reading them takes milliseconds."""
    packages = ("latentadj", "numpy", "scipy", "scikit-learn", "pandas", "formulaic")
    return tuple((name, version(name)) for name in packages)


def _fingerprint(problem: AdjustmentProblem) -> str:
    """Hash of every feature's mean and sum of squares, to nine digits: tells data sets apart at no cost."""
    rounded = np.array([problem.sums.mean, problem.sums.tss], dtype=np.float32)
    return hashlib.blake2b(rounded.data, digest_size=12).hexdigest()
