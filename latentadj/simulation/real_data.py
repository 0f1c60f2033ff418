"""A user's own matrix, from which studies with a known truth are made."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from latentadj.core.matrix import ArrayMatrix, collect
from latentadj.data import resolve_controls
from latentadj.data.adapters import Orientation
from latentadj.data.annotations import resolve_annotation
from latentadj.design import Design
from latentadj.estimators import AdjustedRegression
from latentadj.exceptions import InputError
from latentadj.num_factors import choose_number
from latentadj.problem import AdjustmentProblem
from latentadj.simulation.noise import log_counts

Array = NDArray[np.float64]
Labels = NDArray[np.intp]


@dataclass(frozen=True, eq=False)
class RealData:
    """A matrix with its design and controls.

    Attributes
    ----------
    values : ndarray of shape (n_samples, n_features)
    design : Design
    sample_data : pandas.DataFrame or None
        Sample table in the order of the rows.
    controls, positives : ndarray of bool, shape (n_features,), or None
        Negative controls (no effect of the primary variable) and positive controls.
    labels : ndarray of int, shape (n_samples,), or None
        Samples with the same label are replicates of each other.
    counts : ndarray of shape (n_samples, n_features) or None
        The counts behind `values`, for methods that work on counts.
    """

    values: Array
    design: Design
    sample_data: pd.DataFrame | None = None
    controls: NDArray[np.bool_] | None = None
    positives: NDArray[np.bool_] | None = None
    labels: Labels | None = None
    counts: Array | None = None

    @classmethod
    def read(
        cls,
        X: Any,
        formula: Any,
        sample_data: pd.DataFrame | None = None,
        *,
        controls: Any = None,
        positives: Any = None,
        replicates: Any = None,
        orientation: Orientation = "samples",
        layer: str | None = None,
    ) -> Self:
        """Align a matrix and its sample table, and build the design, as `adjust` does.

        Parameters
        ----------
        X, formula, sample_data, controls, orientation, layer
            As for `adjust`.
        positives : array-like, optional
            Positive controls, in any form that `controls` takes.
        replicates : str or array-like of shape (n_samples,), optional
            Column of the sample table, or labels, that replicates share.

        Returns
        -------
        RealData

        Raises
        ------
        LatentAdjError
            As `adjust`.

        Examples
        --------
        >>> data = RealData.read(np.zeros((4, 2)), np.array([0.0, 0.0, 1.0, 1.0]), controls=[1])
        >>> data.values.shape, data.controls.tolist()
        ((4, 2), [False, True])
        """
        front = AdjustedRegression(formula=formula, controls=controls, orientation=orientation, layer=layer)
        study = front.read_study(X, None, sample_data)
        shape = study.matrix.shape
        names = None if study.feature_ids.dtype.kind in "iu" else study.feature_ids.tolist()
        positive = None if positives is None else resolve_controls(positives, names, shape[1])
        labels = resolve_annotation("replicates", replicates, shape[0], study.sample_data, study.sample_ids)
        codes = None if labels is None else np.asarray(pd.factorize(pd.Series(labels))[0], dtype=np.intp)
        values = collect(study.matrix)
        return cls(values, study.design, study.sample_data, study.controls, positive, codes)

    @property
    def looks_counted(self) -> bool:
        """Whether the values are whole numbers from 0 up, and some of them large."""
        v = self.values
        return bool(np.isfinite(v).all() and (v >= 0).all() and (v == np.rint(v)).all() and v.max(initial=0.0) > 20)

    def on_log_scale(self) -> Self:
        """Return the same study with log2 counts per million as values, and the counts beside them."""
        return replace(self, values=log_counts(self.values), counts=self.values)

    def digest(self) -> str:
        """Hash of the values, the design, the controls and the replicates."""
        found = hashlib.blake2b(digest_size=12)
        for array in (self.values, self.design.matrix, self.controls, self.positives, self.labels):
            found.update(b"none" if array is None else np.ascontiguousarray(array).tobytes())
        found.update(repr((self.values.shape, self.design.roles)).encode())
        return found.hexdigest()

    @property
    def n_features(self) -> int:
        """Number of features."""
        return int(self.values.shape[1])

    def no_controls(self) -> NDArray[np.bool_]:
        """Negative controls as a mask, all False where there are none."""
        return np.zeros(self.n_features, dtype=bool) if self.controls is None else self.controls

    def pairs(self) -> Labels:
        """Labels of replicates; every sample its own where there are none."""
        return np.arange(len(self.values)) if self.labels is None else self.labels


def estimated_factors(values: Array, design: Design, n_factors: str | int = "auto") -> Array:
    """Leading residual components of a complete matrix, features scaled to unit variance.

    Parameters
    ----------
    values : ndarray of shape (n_samples, n_features)
    design : Design
    n_factors : "auto", int or str
        As for `adjust`.

    Returns
    -------
    ndarray of shape (n_samples, k)
        Orthonormal, and orthogonal to the design.

    Raises
    ------
    InputError
        Values are missing.

    Examples
    --------
    >>> X = np.random.default_rng(0).normal(size=(10, 50))
    >>> estimated_factors(X, Design.from_arrays(np.repeat([0, 1], 5)), 2).shape
    (10, 2)
    """
    if not np.isfinite(values).all():
        raise InputError(
            "Factors are estimated from a complete matrix, and values are missing or infinite. Leave out the "
            "features or samples that have gaps, or complete them first."
        )
    problem = AdjustmentProblem(ArrayMatrix(values), design)
    k = choose_number(problem, n_factors, np.random.default_rng(0), others=[]).n_factors
    return np.asarray(problem.unit_spectrum.vectors[:, :k])
