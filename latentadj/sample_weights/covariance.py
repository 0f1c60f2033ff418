"""A covariance of the samples' noise that the user knows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from scipy.linalg import LinAlgError
from sklearn.base import BaseEstimator

from latentadj.core.whitening import Whitening
from latentadj.exceptions import AlignmentError, InputError
from latentadj.problem import AdjustmentProblem


class GivenCovariance(BaseEstimator):  # type: ignore[misc]
    """Covariance of the samples' noise, the same for all features up to a factor.

    Parameters
    ----------
    covariance : array-like or DataFrame of shape (n_samples, n_samples)
        Symmetric and positive definite, for example ``h2 * kinship + (1 - h2) * identity``. A frame is aligned by
        sample ID.

    Notes
    -----
    Generalised least squares (Aitken 1935), for all features alike: data and design are mapped to independent noise
    before anything else. Where the shares of several known covariances have to be estimated, use `CorrConf`.

    Examples
    --------
    >>> import latentadj as la
    >>> rng = np.random.default_rng(0)
    >>> family = np.repeat(np.arange(15), 2)
    >>> V = 0.5 * (family[:, None] == family) + 0.5 * np.eye(30)
    >>> X = np.linalg.cholesky(V) @ rng.normal(size=(30, 400))
    >>> design = la.Design.from_arrays(np.tile([0, 1], 15))
    >>> res = la.adjust(X, design, method="none", sample_covariance=V)
    >>> bool(np.mean(res.tests.p_value < 0.05) < 0.08)
    True
    """

    def __init__(self, covariance: Any) -> None:
        self.covariance = covariance

    def whitening(
        self, problem: AdjustmentProblem, rng: np.random.Generator, sample_ids: Sequence[str] | None = None
    ) -> Whitening:
        """Return the map of the samples to independent noise; see `SampleWeights.whitening`.

        Raises
        ------
        InputError
            Not a symmetric and positive definite matrix of numbers.
        AlignmentError
            A frame that lacks samples.
        """
        values = _aligned(self.covariance, problem.n_samples, sample_ids)
        scale = float(np.abs(values).max())
        if not np.isfinite(scale) or scale == 0 or np.abs(values - values.T).max() > 1e-8 * scale:
            raise InputError("sample_covariance must be a symmetric matrix of finite numbers.")
        try:
            return Whitening.from_covariance(values / np.diag(values).mean())
        except (LinAlgError, ValueError) as error:
            raise InputError(
                "sample_covariance is not positive definite. A kinship or block matrix alone often is not: add the "
                "share of independent noise, as in 0.4 * kinship + 0.6 * identity."
            ) from error


def _aligned(covariance: Any, n_samples: int, sample_ids: Sequence[str] | None) -> np.ndarray:
    if isinstance(covariance, pd.DataFrame) and sample_ids is not None:
        frame = covariance.rename(index=str, columns=str)
        missing = [i for i in sample_ids if i not in frame.index or i not in frame.columns]
        if missing and not isinstance(covariance.index, pd.RangeIndex):
            raise AlignmentError(
                f"sample_covariance= has no row and column for {len(missing)} of {n_samples} samples (first: "
                f"{missing[:3]}). Label both by sample ID, or give a plain array in the order of the samples."
            )
        covariance = covariance if missing else frame.loc[list(sample_ids), list(sample_ids)]
    try:
        values = np.asarray(covariance, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise InputError("sample_covariance must hold numbers.") from error
    if values.shape != (n_samples, n_samples):
        raise InputError(f"sample_covariance has shape {values.shape}; {(n_samples, n_samples)} is needed.")
    return values
