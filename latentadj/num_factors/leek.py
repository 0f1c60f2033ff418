"""Leek's asymptotic rule: the number of factors on which nested sets of features agree."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import eigvalsh

from latentadj.core.matrix import Array
from latentadj.core.nested_gram import GroupedGramKernel
from latentadj.core.passes import run_pass
from latentadj.exceptions import MethodError
from latentadj.num_factors.base import NumFactorsRule, check_scale, feature_weights, scale_words
from latentadj.problem import AdjustmentProblem
from latentadj.results.factors import RuleAnswer

N_SETS = 10
#: Multiples of ``n_samples * n_features^(-1/3)`` that are tried as thresholds.
MULTIPLES = np.linspace(0.0, 2.0, 100)
#: Eigenvalues below this share of the largest are zeros of the structure, not of the data.
ZERO_TOLERANCE = 1e-8


class Leek(NumFactorsRule):
    """Count eigenvalues above a threshold at which ten nested sets of features give the same count.

    Parameters
    ----------
    scale : {"unit", None}, default=None
        The threshold is an absolute one, so that the answer depends on the units of the data; "unit" scales
        features to unit residual variance first.
    seed : int, default=0
        Of the shuffle that assigns features to the nested sets.

    Notes
    -----
    With ``Y_j`` the first j tenths of the features (``m_j`` of them), ``R_j`` their residuals and
    ``sigma_j^2`` the smallest eigenvalue of ``Y_j Y_j' / m_j``, the matrix
    ``R_j R_j' / m_j - sigma_j^2 (I - H)`` tends to the factors' part. Its eigenvalues above
    ``a m_j^{-1/3} n`` are counted for 100 values of a between 0 and 2. At a = 0 everything is counted
    in every set; the sets part ways as noise drops out ("the bump"), and the first stretch of thresholds on
    which they agree again gives the answer.

    Common implementations are chaotic here: the matrix has as many zero eigenvalues as the design has
    columns, which round-off turns into small numbers of either sign; at a = 0 some are counted, their spread
    over the sets becomes the yardstick for "agree", and noise of 1e-9 in the data moves the answer (4 to 2
    or 5 on the bladder study). Here the matrix is formed inside the complement of the design, where those
    zeros do not exist, and what is zero for want of features is not counted, so that the yardstick is full
    agreement. The order of the features matters to the rule: they are shuffled with a fixed seed.

    References
    ----------
    Leek (2011), "Asymptotic conditional singular value decomposition for high-dimensional genomic data",
    Biometrics 67, 344-352.

    Examples
    --------
    >>> from latentadj.core.matrix import ArrayMatrix
    >>> from latentadj.design import Design
    >>> rng = np.random.default_rng(0)
    >>> factor, group = rng.normal(size=40), np.repeat([0.0, 1.0], 20)
    >>> X = np.outer(factor, rng.normal(size=2000)) + 0.5 * rng.normal(size=(40, 2000))
    >>> problem = AdjustmentProblem(ArrayMatrix(X), Design.from_arrays(group))
    >>> Leek().select(problem, 10, rng).n_factors
    1
    """

    def __init__(self, scale: str | None = None, seed: int = 0) -> None:
        self.scale = scale
        self.seed = seed

    @property
    def name(self) -> str:
        """Name of the rule in tables."""
        return "leek"

    def select(self, problem: AdjustmentProblem, limit: int, rng: np.random.Generator) -> RuleAnswer:
        """Apply the rule; see `NumFactorsRule.select`. The generator is not used.

        Raises
        ------
        MethodError
            If an option is unknown or there are fewer than ten features.
        """
        check_scale(self.scale)
        multiples = eigenvalue_multiples(problem, feature_weights(problem, self.scale), self.seed)
        n_factors, threshold = agreed_count(multiples)
        shown = multiples[-1, : max(limit, 0)]
        return RuleAnswer(
            rule=self.name,
            n_factors=min(n_factors, max(limit, 0)),
            statistic=shown,
            threshold=np.full(len(shown), threshold),
            description=(
                f"Eigenvalue without noise in units of n m^(-1/3) ({scale_words(self.scale)}); a factor "
                "counts above the threshold at which ten nested sets of features first agree again."
            ),
        )


def nested_labels(n_features: int, seed: int) -> NDArray[np.intp]:
    """Assign features to ten groups of equal size by a seeded shuffle; up to nine are left out.

    Parameters
    ----------
    n_features : int
    seed : int

    Returns
    -------
    ndarray of int, shape (n_features,)
        0 to 9, and 10 for those left out.

    Examples
    --------
    >>> np.bincount(nested_labels(23, 0))
    array([2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 3])
    """
    labels = np.empty(n_features, dtype=np.intp)
    rank = np.minimum(np.arange(n_features) // max(n_features // N_SETS, 1), N_SETS)
    labels[np.random.default_rng(seed).permutation(n_features)] = rank
    return labels


def eigenvalue_multiples(problem: AdjustmentProblem, weights: Array | None, seed: int) -> Array:
    """Eigenvalues without noise of ten nested sets of features, in units of the threshold; one pass.

    Parameters
    ----------
    problem : AdjustmentProblem
    weights : ndarray of shape (n_features,) or None
    seed : int

    Returns
    -------
    ndarray of shape (10, df_resid)
        Decreasing along rows; exact zeros where the structure leaves no variation.

    Raises
    ------
    MethodError
        If there are fewer than ten features.
    """
    size, basis = problem.n_features // N_SETS, problem.basis
    if size == 0:
        raise MethodError(
            f"The rule 'leek' splits the features into {N_SETS} sets and only {problem.n_features} are "
            "there. Use another rule or give the number of factors."
        )
    rotation = np.hstack([basis.q, basis.complement()])
    labels = nested_labels(problem.n_features, seed)
    (grams,) = run_pass(problem.matrix, GroupedGramKernel(rotation, labels, N_SETS, weights=weights))
    nested = np.cumsum(grams, axis=0)
    rows = [
        _without_noise(gram / m, basis.rank) / (problem.n_samples * m ** (-1.0 / 3.0))
        for gram, m in zip(nested, size * np.arange(1, N_SETS + 1), strict=True)
    ]
    return np.array(rows)


def _without_noise(gram: Array, rank: int) -> Array:
    """Eigenvalues of the residual block minus the smallest eigenvalue of the whole, decreasing."""
    noise = max(float(eigvalsh(gram, subset_by_index=(0, 0))[0]), 0.0)
    eigenvalues = eigvalsh(gram[rank:, rank:])[::-1]
    without = eigenvalues - noise
    largest = eigenvalues[0] if eigenvalues.size else 0.0
    return np.where(without > ZERO_TOLERANCE * largest, without, 0.0)


def agreed_count(multiples: Array) -> tuple[int, float]:
    """Find the count on which the nested sets first agree again after they have parted ways.

    Parameters
    ----------
    multiples : ndarray of shape (n_sets, n_eigenvalues)

    Returns
    -------
    n_factors : int
        The most frequent count of the largest set on that stretch of thresholds.
    threshold : float
        Smallest threshold with that count; factors of the largest set above it are those counted.

    Notes
    -----
    Should the sets never agree again, the stretch of least disagreement is taken; should they never
    disagree, the count at the largest threshold.

    Examples
    --------
    >>> agreed_count(np.array([[1.1, 0.9, 0.1], [1.2, 0.6, 0.3]]))
    (2, 0.30303030303030304)
    """
    counts = (multiples[:, None, :] > MULTIPLES[:, None]).sum(axis=2)
    spread = counts.max(axis=0) - counts.min(axis=0)
    bump = np.flatnonzero(spread)
    if bump.size == 0:
        stretch = np.array([len(MULTIPLES) - 1])
    else:
        after = np.arange(bump[0], len(MULTIPLES))
        agree = after[spread[after] == spread[after].min()]
        run_ends = np.flatnonzero(np.diff(agree, append=np.inf) > 1)
        stretch = agree[: run_ends[0] + 1]
    found = counts[-1, stretch]
    n_factors = int(np.bincount(found).argmax())
    return n_factors, float(MULTIPLES[stretch[np.argmax(found == n_factors)]])
