"""Random-matrix dimension: eigenvalues of the sample correlations above the Marchenko-Pastur edge."""

from __future__ import annotations

import numpy as np
from scipy.linalg import eigvalsh

from latentadj.core.kernels import ScoreKernel
from latentadj.core.matrix import Array
from latentadj.core.passes import run_pass
from latentadj.num_factors.base import (
    NumFactorsRule,
    count_features,
    feature_weights,
    scale_words,
    scaled_spectrum,
)
from latentadj.problem import AdjustmentProblem
from latentadj.results.factors import RuleAnswer

#: Residuals below this share of the total sum of squares are round-off.
ROUND_OFF = 1e-24


class RandomMatrixDimension(NumFactorsRule):
    """Count the eigenvalues of the samples' correlation matrix above those of independent entries.

    Parameters
    ----------
    scale : {"unit", None}, default=None
        None is the rule of isva and SmartSVA (``EstDimRMT``); "unit" scales features to unit residual variance first.

    Notes
    -----
    Residuals are standardised over features, sample by sample; the eigenvalues of their correlation matrix are
    held against ``s2 (1 + sqrt(n / m))^2`` with n samples, m features and s2 the variance of all standardised
    entries. The edge is that of features with equal variances: where they differ, noise reaches above it, and the
    rule counts too many. One pass over the data beside the residual spectrum.

    References
    ----------
    Plerou et al. (2002), Physical Review E 65, 066126; Teschendorff, Zhuang and Widschwendter (2011),
    Bioinformatics 27, 1496-1505, for its use here.

    Examples
    --------
    >>> from latentadj.core.matrix import ArrayMatrix
    >>> from latentadj.design import Design
    >>> rng = np.random.default_rng(0)
    >>> factor, group = rng.normal(size=40), np.repeat([0.0, 1.0], 20)
    >>> X = np.outer(factor, rng.normal(size=300)) + rng.normal(size=(40, 300))
    >>> problem = AdjustmentProblem(ArrayMatrix(X), Design.from_arrays(group))
    >>> RandomMatrixDimension().select(problem, 10, rng).n_factors
    1
    """

    def __init__(self, scale: str | None = None) -> None:
        self.scale = scale

    @property
    def name(self) -> str:
        """Name of the rule in tables."""
        return "random_matrix"

    def select(self, problem: AdjustmentProblem, limit: int, rng: np.random.Generator) -> RuleAnswer:
        """Apply the rule; see `NumFactorsRule.select`. The generator is not used."""
        eigenvalues, edge = self._correlation_spectrum(problem)
        shown = eigenvalues[: max(limit, 0)]
        return RuleAnswer(
            rule=self.name,
            n_factors=min(int(np.sum(eigenvalues > edge)), max(limit, 0)),
            statistic=shown,
            threshold=np.full(len(shown), edge),
            description=(
                f"Eigenvalue of the correlation of the samples' residuals ({scale_words(self.scale)}); a factor counts "
                "above the Marchenko-Pastur edge for equal noise variances."
            ),
        )

    def _correlation_spectrum(self, problem: AdjustmentProblem) -> tuple[Array, float]:
        spectrum = scaled_spectrum(problem, self.scale)
        if self.scale is None and spectrum.eigenvalues.sum() <= ROUND_OFF * problem.sums.tss.sum():
            return np.zeros(problem.n_samples), 0.0
        gram = (spectrum.vectors * spectrum.eigenvalues) @ spectrum.vectors.T
        return correlation_spectrum(gram, self._sums_over_features(problem), count_features(problem, self.scale))

    def _sums_over_features(self, problem: AdjustmentProblem) -> Array:
        """Sum over features of every sample's residuals, ``(n_samples,)``; one pass."""
        weights = feature_weights(problem, self.scale)
        ones = np.ones(problem.n_features) if weights is None else weights
        (total,) = run_pass(problem.matrix, ScoreKernel(problem.n_samples, ones[:, None], offset=problem.sums.mean))
        constant = ones @ problem.sums.mean
        out: Array = problem.basis.project_out(total[:, 0] + (0.0 if problem.basis.spans_constant else constant))
        return out


def correlation_spectrum(gram: Array, sums: Array, n_features: int) -> tuple[Array, float]:
    """Eigenvalues of the samples' correlation matrix and the edge for independent entries.

    Parameters
    ----------
    gram : ndarray of shape (n_samples, n_samples)
        Products of the samples' residuals, summed over features.
    sums : ndarray of shape (n_samples,)
        Sums of the samples' residuals over features.
    n_features : int

    Returns
    -------
    eigenvalues : ndarray of shape (n_samples,)
        Decreasing.
    edge : float

    Examples
    --------
    >>> R = np.random.default_rng(0).normal(size=(4, 500))
    >>> values, edge = correlation_spectrum(R @ R.T, R.sum(axis=1), 500)
    >>> values.shape, round(edge, 2)
    ((4,), 1.19)
    """
    n_samples = len(gram)
    if n_features < 2:
        return np.zeros(n_samples), 0.0
    centred = gram - np.outer(sums, sums) / n_features
    size = np.sqrt(np.maximum(np.diag(centred), 0.0) / (n_features - 1))
    inverse = np.divide(1.0, size, out=np.zeros(n_samples), where=size > 1e-12 * size.max())
    correlation = centred * np.outer(inverse, inverse) / n_features
    variance = n_samples * (n_features - 1) / (n_samples * n_features - 1)
    edge = variance * (1.0 + np.sqrt(n_samples / n_features)) ** 2
    return np.asarray(eigvalsh(correlation)[::-1], dtype=np.float64), float(edge)
