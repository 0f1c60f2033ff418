"""The testing front as a scikit-learn estimator."""

from __future__ import annotations

from typing import Any, Self

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator, clone

from latentadj.calibration import resolve_calibration
from latentadj.data import align_samples, resolve_controls
from latentadj.data.adapters import Orientation
from latentadj.data.annotations import resolve_annotation
from latentadj.design import Design, design_from_target
from latentadj.estimators.adjusted_data import guarded_design
from latentadj.estimators.observations import aligned_weights, allows_missing
from latentadj.estimators.pipeline import Plan, Study, analyse
from latentadj.estimators.reading import MeasuredData, read_data
from latentadj.exceptions import FormulaError
from latentadj.factors import CATE
from latentadj.inference import resolve_inference, with_robust_errors
from latentadj.sample_weights import resolve_correlation, resolve_sample_weights


class AdjustedRegression(BaseEstimator):
    """Regression of every feature on the same design, adjusted for estimated hidden factors.

    Parameters
    ----------
    factors : LatentFactorEstimator or None, default=None
        Method for the hidden factors; ``CATE()`` by default.
    formula : str, list, DataFrame, array, Design or None, default=None
        ``"~ primary | nuisance"`` or anything else a `Design` is made from. Without it the `y` of `fit` is the
        primary variable.
    inference : {"moderated", "moderated_trend", "moderated_robust", "ordinary", "pooled"} or Inference
        Or "hc0", "hc1", "hc2", "hc3", "cluster": moderated, with errors that do not assume equal variances, or
        independent samples (`RobustLinearModel`).
    clusters : str, array-like or Series or None, default=None
        Clusters of samples for ``inference="cluster"``: a column of the sample table, or a label per sample.
    calibration : {None, "none", "mad"} or Calibration, default=None
        None means what the method asks for, which is nothing except for ``CATE(compat="cate")``.
    controls : array-like or None, default=None
        Negative controls; used by methods that need them and to check the result.
    sample_weights : {None, "none", "quality"} or array-like or SampleWeights, default=None
        How much each sample is to be trusted: all the same, estimated from the residuals, or given.
    observation_weights : array-like or DataFrame of shape (n_samples, n_features), or None, default=None
        Proportional to one over the noise variance of each value; 0 or NaN leaves it out.
    blocks : str, array-like or Series or None, default=None
        Samples whose noise is correlated: a column of the sample table, or a label per sample. The correlation is
        estimated beside the factors; a `BlockNoise` object sets it.
    sample_covariance : array-like or DataFrame of shape (n_samples, n_samples), or None, default=None
        Known covariance of the samples' noise, up to a factor.
    missing : {"error", "allow"}, default="error"
        Whether NaN is an error or a missing value.
    allow_invalid : bool, default=False
        Allow tests with a method that does not remove confounding.
    allow_adjusted : bool, default=False
        Allow tests on data that remember an adjustment, and put what was removed back into the design.
    orientation : {"samples", "features"}, default="samples"
        What the rows of X are.
    layer : str or None, default=None
        Layer of an AnnData object.

    Attributes
    ----------
    result_ : AdjustmentResult
    factors_ : LatentFactorEstimator
        The method as it was used (a clone).

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> table = pd.DataFrame({"disease": ["case", "ctrl"] * 15})
    >>> X = rng.normal(size=(30, 200))
    >>> AdjustedRegression(CATE(n_factors=1), formula="~ disease").fit(X, sample_data=table).result_.n_factors
    1
    """

    def __init__(
        self,
        factors: Any = None,
        *,
        formula: Any = None,
        inference: Any = "moderated",
        clusters: Any = None,
        calibration: Any = None,
        controls: Any = None,
        sample_weights: Any = None,
        observation_weights: Any = None,
        blocks: Any = None,
        sample_covariance: Any = None,
        missing: str = "error",
        allow_invalid: bool = False,
        allow_adjusted: bool = False,
        orientation: Orientation = "samples",
        layer: str | None = None,
    ) -> None:
        self.factors = factors
        self.formula = formula
        self.inference = inference
        self.clusters = clusters
        self.calibration = calibration
        self.controls = controls
        self.sample_weights = sample_weights
        self.observation_weights = observation_weights
        self.blocks = blocks
        self.sample_covariance = sample_covariance
        self.missing = missing
        self.allow_invalid = allow_invalid
        self.allow_adjusted = allow_adjusted
        self.orientation = orientation
        self.layer = layer

    def fit(self, X: Any, y: Any = None, *, sample_data: pd.DataFrame | None = None) -> Self:
        """Estimate the factors, refit and test every feature.

        Parameters
        ----------
        X : array-like, DataFrame, AnnData, path or FeatureMatrix of shape (n_samples, n_features)
            Paths and stored arrays are read by blocks.
        y : array-like of shape (n_samples,), optional
            Primary variable when there is no formula.
        sample_data : pandas.DataFrame, optional
            Sample table, aligned to X by ID.

        Returns
        -------
        self

        Raises
        ------
        LatentAdjError
            See `latentadj.adjust`.
        """
        return self._analysed(self.read_study(X, y, sample_data), "Chosen by the user.")

    def fit_with_reason(self, X: Any, sample_data: pd.DataFrame | None, reason: str) -> Self:
        """Fit as `fit` does, and keep in the result why this method was chosen."""
        return self._analysed(self.read_study(X, None, sample_data), reason)

    def _analysed(self, study: Study, reason: str) -> Self:
        self.result_ = analyse(study, self._plan(study, reason))
        return self

    def __sklearn_tags__(self) -> Any:
        """Tell scikit-learn that sparse matrices are accepted (they are made dense)."""
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        return tags

    def _plan(self, study: Study, reason: str) -> Plan:
        self.factors_ = CATE() if self.factors is None else clone(self.factors)
        n_samples = study.matrix.shape[0]
        clusters = resolve_annotation("clusters", self.clusters, n_samples, study.sample_data, study.sample_ids)
        self.factors_.set_params(model=with_robust_errors(self.inference, self.factors_.model, clusters))
        calibration = self.calibration
        if calibration is None:
            calibration = getattr(self.factors_, "default_calibration", None)
        return Plan(
            estimator=self.factors_,
            inference=resolve_inference(self.inference),
            calibration=resolve_calibration(calibration),
            sample_weights=resolve_sample_weights(self.sample_weights),
            allow_invalid=self.allow_invalid,
            reason=reason,
            options={"allow_invalid": self.allow_invalid, "orientation": self.orientation},
        )

    def read_study(self, X: Any, y: Any, sample_data: pd.DataFrame | None) -> Study:
        """Align data, sample table and controls, and make the design."""
        data = read_data(self, X, self.orientation, self.layer)
        shape = data.matrix.shape
        table, ids, notes = _aligned(data, sample_data, self.orientation)
        design = self._design(y, table, shape[0])
        guarded = guarded_design(design, data.record, ids, self.allow_adjusted)
        known = None if data.feature_ids is None else list(data.feature_ids)
        names = np.arange(shape[1]) if known is None else np.asarray(known, dtype=object)
        controls = self.controls
        mask = None if controls is None else resolve_controls(controls, known, shape[1])
        return Study(
            data.matrix,
            guarded.design,
            ids,
            names,
            table,
            mask,
            (*data.notes, *notes, *guarded.notes),
            observation_weights=aligned_weights(self.observation_weights, shape, ids, known, self.orientation),
            correlation=resolve_correlation(self.blocks, self.sample_covariance, shape[0], table, ids),
            allow_missing=allows_missing(self.missing),
            df_spent=guarded.df_spent,
        )

    def _design(self, y: Any, table: pd.DataFrame | None, n_samples: int) -> Design:
        if self.formula is not None:
            if isinstance(self.formula, str) and table is None:
                raise FormulaError(
                    f"The formula {self.formula!r} names columns of a sample table, but there is none. Pass "
                    "sample_data=, or give the design as arrays."
                )
            return Design.resolve(self.formula, table)
        return design_from_target(y, n_samples=n_samples)


def _aligned(
    data: MeasuredData, sample_data: pd.DataFrame | None, orientation: str
) -> tuple[pd.DataFrame | None, tuple[str, ...], tuple[str, ...]]:
    """Return the sample table in the order of the matrix, the sample IDs, and notes on how they were matched."""
    n_samples, n_features = data.matrix.shape
    table = data.sample_data if sample_data is None else sample_data
    if table is None:
        ids = data.sample_ids or tuple(f"sample{i + 1}" for i in range(n_samples))
        return None, ids, ()
    table, report = align_samples(
        data.sample_ids,
        table,
        n_samples,
        feature_ids=None if data.feature_ids is None else list(data.feature_ids),
        n_features=n_features,
        orientation=orientation,
    )
    return table, data.sample_ids or tuple(str(i) for i in table.index), report.notes
