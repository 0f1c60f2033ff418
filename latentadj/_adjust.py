"""The one-call front: names resolved, then `AdjustedRegression`."""

from __future__ import annotations

import inspect
from numbers import Integral
from typing import Any

import pandas as pd

from latentadj.data.adapters import Orientation
from latentadj.estimators import AdjustedRegression
from latentadj.exceptions import MethodError
from latentadj.factors import CATE, RUV4, LatentFactorEstimator
from latentadj.factors.registry import available_methods, find_method
from latentadj.results import AdjustmentResult

#: With fewer negative controls than this, ``method="auto"`` does not rely on them.
ENOUGH_CONTROLS = 30


def adjust(
    X: Any,
    formula: Any,
    sample_data: pd.DataFrame | None = None,
    *,
    method: str | LatentFactorEstimator = "auto",
    n_factors: Any = "auto",
    controls: Any = None,
    inference: Any = "auto",
    clusters: Any = None,
    calibration: Any = None,
    sample_weights: Any = "auto",
    observation_weights: Any = None,
    blocks: Any = None,
    sample_covariance: Any = None,
    missing: str = "error",
    random_state: Any = 0,
    orientation: Orientation = "samples",
    layer: str | None = None,
    allow_invalid: bool = False,
    allow_adjusted: bool = False,
    **method_options: Any,
) -> AdjustmentResult:
    """Test every feature for the primary variables, adjusted for estimated hidden factors.

    Parameters
    ----------
    X : array-like, DataFrame, AnnData, path or FeatureMatrix of shape (n_samples, n_features)
        The measured matrix, on a scale where effects add up (log expression, M-values). Files (.npy, .h5ad, .zarr, .h5,
        .parquet), backed AnnData, zarr and HDF5 arrays are read by blocks and never held as a whole.
    formula : str, list, DataFrame, array or Design
        ``"~ primary | nuisance"``: the first part is tested, the second adjusted for. Lists of column names,
        ready design columns and arrays are accepted too.
    sample_data : pandas.DataFrame, optional
        Sample table indexed by sample ID; aligned to X by ID.
    method : str or LatentFactorEstimator, default="auto"
        Name from `methods`, or an estimator. "auto" is RUV-4 when at least 30 negative controls are given and
        CATE otherwise; the reason is stored in the result.
    n_factors : {"auto"} or int or NumFactorsRule, default="auto"
        0 gives the plain regression, also with ``method="auto"``.
    controls : array-like, optional
        Negative-control features: names, positions or a boolean mask.
    inference : {"auto", "moderated", "moderated_trend", "moderated_robust", "ordinary", "pooled"} or Inference
        "auto" is "moderated"; with ``method="auto"`` towards a trend in the features' means where
        the variances follow one. "hc2" (or "hc0", "hc1", "hc3") is "moderated" with errors that do not assume equal
        variances, "cluster" with errors that do not assume independent samples.
    clusters : str, array-like or Series, optional
        Clusters of samples for ``inference="cluster"``: a column of the sample table, or a label per sample.
    calibration : {None, "none", "mad", "empirical_null", "bacon", "control_variance", "rsvar", "control_ecdf", "evar"}
        Or a `Calibration`. None by default: with right standard errors no calibration is needed.
    sample_weights : {"auto", "none", "quality", None} or array-like or SampleWeights, default="auto"
        How much each sample is to be trusted. "quality" estimates every sample's noise variance from all features,
        beside the factors; "auto" does so for ``method="auto"`` with least squares on independent samples, and leaves
        named methods as they are published.
    observation_weights : array-like or DataFrame of shape (n_samples, n_features), optional
        Proportional to one over the noise variance of each value; 0 or NaN leaves it out.
    blocks : str, array-like or Series, optional
        Samples whose noise is correlated (a person, a litter): a column of the sample table, or a label per sample.
    sample_covariance : array-like or DataFrame of shape (n_samples, n_samples), optional
        Known covariance of the samples' noise up to a factor, such as ``h2 * kinship + (1 - h2) * identity``.
    missing : {"error", "allow"}, default="error"
        "allow" takes NaN as missing: factors are estimated from completed values, and every feature is fitted to
        the values it has.
    random_state : int or Generator, default=0
    orientation : {"samples", "features"}, default="samples"
        What the rows of X are.
    layer : str, optional
        Layer of an AnnData object.
    allow_invalid : bool, default=False
        Allow tests with a method that does not remove confounding.
    allow_adjusted : bool, default=False
        Allow tests on data that remember an adjustment (`mark_adjusted`), and put what was removed back into the
        design.
    **method_options
        Options of the method, e.g. ``max_iter=5``; ``model="voom"`` or "negative_binomial" for counts.

    Returns
    -------
    AdjustmentResult

    Raises
    ------
    LatentAdjError
        Its subclasses name what is wrong: `AlignmentError`, `FormulaError`, `ConfoundedDesignError`,
        `DegreesOfFreedomError`, `ControlsError`, `MethodError`, `InvalidForTestingError`, `AdjustedDataError`,
        `InputError`.

    References
    ----------
    Model and notation: Wang, Zhao, Hastie and Owen (2017), Annals of Statistics 45:1863.

    Examples
    --------
    >>> import latentadj as la
    >>> data = la.load_bladder()
    >>> res = la.adjust(data.X.iloc[:, :2000], "~ cancer", data.sample_data, n_factors=2)
    >>> res.n_factors, res.tests.names
    (2, ('cancer[T.Cancer]', 'cancer[T.Normal]'))
    """
    estimator, reason = resolve_method(method, controls, n_factors, random_state, method_options)
    automatic = isinstance(method, str) and method == "auto" and not is_zero(n_factors)
    if isinstance(sample_weights, str) and sample_weights == "auto":
        plain = method_options.get("model") in (None, "linear") and blocks is None and sample_covariance is None
        sample_weights = "quality" if automatic and plain else None
    if isinstance(inference, str) and inference == "auto":
        inference = "moderated_trend_auto" if automatic else "moderated"
    front = AdjustedRegression(
        estimator,
        formula=formula,
        inference=inference,
        clusters=clusters,
        calibration=calibration,
        controls=controls,
        sample_weights=sample_weights,
        observation_weights=observation_weights,
        blocks=blocks,
        sample_covariance=sample_covariance,
        missing=missing,
        allow_invalid=allow_invalid,
        allow_adjusted=allow_adjusted,
        orientation=orientation,
        layer=layer,
    )
    return front.fit_with_reason(X, sample_data, reason).result_


def is_zero(n_factors: Any) -> bool:
    """Tell whether the plain regression is asked for, whatever the method."""
    return isinstance(n_factors, Integral) and int(n_factors) == 0


def resolve_method(
    method: str | LatentFactorEstimator,
    controls: Any,
    n_factors: Any,
    random_state: Any,
    options: dict[str, Any],
) -> tuple[LatentFactorEstimator, str]:
    """Return the estimator behind a method name, and why it was chosen.

    Parameters
    ----------
    method : str or LatentFactorEstimator
    controls, n_factors, random_state : object
        As in `adjust`.
    options : dict
        Options of the method.

    Returns
    -------
    estimator : LatentFactorEstimator
    reason : str

    Raises
    ------
    MethodError
        For an unknown name or option.
    """
    if isinstance(method, LatentFactorEstimator):
        if options or n_factors != "auto":
            given = ", ".join([*options, *(["n_factors"] if n_factors != "auto" else [])])
            raise MethodError(f"method is an estimator already; give {given} to its constructor.")
        return method, "Chosen by the user."
    reason = "Chosen by the user."
    if method == "auto":
        method, reason = _automatic(controls)
    return _from_name(method, n_factors, random_state, options), reason


def _automatic(controls: Any) -> tuple[str, str]:
    count = _count(controls)
    if count >= ENOUGH_CONTROLS:
        return RUV4.method_info.name, f"Chosen automatically: {count} negative controls were given."
    why = "no negative controls were given" if count == 0 else f"only {count} negative controls were given"
    return CATE.method_info.name, (
        f"Chosen automatically: {why}, and among the methods without controls CATE kept the false discovery "
        "rate and the power of known factors in nearly all simulated families."
    )


def _count(controls: Any) -> int:
    if controls is None:
        return 0
    values = pd.Series(controls)
    return int(values.sum()) if values.dtype == bool else len(values)


def _from_name(name: str, n_factors: Any, random_state: Any, options: dict[str, Any]) -> LatentFactorEstimator:
    cls = find_method(name)
    if cls is None:
        raise MethodError(f"method={name!r} is unknown; choose 'auto' or one of {', '.join(available_methods())}.")
    accepted = [p for p in inspect.signature(cls.__init__).parameters if p != "self"]
    unknown = [key for key in options if key not in accepted]
    if unknown:
        raise MethodError(
            f"{', '.join(unknown)}: not an option of method {name!r}. Its options are {', '.join(accepted)}."
        )
    given = {"n_factors": n_factors, "random_state": random_state}
    return cls(**{key: value for key, value in given.items() if key in accepted}, **options)
