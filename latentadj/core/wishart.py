"""Approximate null spectra of permuted residuals, from each feature's sum of squares alone.

A permuted feature is close to a random direction of fixed length. Sums of many such directions behave like a
Wishart matrix, which is drawn directly (Bartlett) instead of permuting data: the cost does not depend on the
number of features. Where a single Wishart matrix will do, only its eigenvalues are drawn, from a tridiagonal matrix.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.linalg import eigvalsh_tridiagonal

from latentadj.core.matrix import Array

#: Features are put into at most this many classes of similar size, each with its own Wishart matrix.
MAX_CLASSES = 12
#: A new class begins only where sums of squares have fallen by this factor.
SIMILAR = 1.25
#: One Wishart matrix stands for all features if the edge it gives is off by less than this share of the unit in which
#: the largest eigenvalue varies.
EDGE_ERROR = 0.1


def wishart_factor(df: float, dimension: int, rng: np.random.Generator) -> Array:
    """Draw ``A`` with ``A A'`` distributed as a standard Wishart matrix.

    Parameters
    ----------
    df : float
        Degrees of freedom, more than ``dimension - 1``; need not be whole.
    dimension : int
    rng : numpy.random.Generator

    Returns
    -------
    ndarray of shape (dimension, dimension)
        Lower triangular.

    References
    ----------
    Bartlett (1933), "On the theory of statistical regression": the diagonal holds roots of chi-square
    variables with ``df, df - 1, ...`` degrees of freedom, what is below it standard normal variables.

    Examples
    --------
    >>> A = wishart_factor(50.5, 3, np.random.default_rng(0))
    >>> A.shape, bool(A[0, 2] == 0)
    ((3, 3), True)
    """
    factor = np.tril(rng.standard_normal((dimension, dimension)), -1)
    np.fill_diagonal(factor, np.sqrt(rng.chisquare(df - np.arange(dimension))))
    return factor


def size_classes(squares: Array, max_classes: int = MAX_CLASSES) -> list[Array]:
    """Split sums of squares into classes that carry about equal shares of the sum of their squares.

    Parameters
    ----------
    squares : ndarray of shape (n_features,)
        Residual sums of squares; zeros are left out.
    max_classes : int

    Returns
    -------
    list of ndarray
        From the largest features to the smallest; a feature that dominates is in a class of its own, and
        features of similar size are together.

    Examples
    --------
    >>> [len(c) for c in size_classes(np.array([100.0] + [1.0] * 9), 4)]
    [1, 9]
    """
    ordered = np.sort(squares[squares > 0])[::-1]
    if ordered.size == 0:
        return []
    share = (ordered / ordered[0]) ** 2
    middle = np.cumsum(share) - share / 2
    number = np.floor(max_classes * middle / share.sum()).astype(int)
    starts = [0]
    for start in np.flatnonzero(np.diff(number)) + 1:
        if ordered[start] * SIMILAR < ordered[starts[-1]]:
            starts.append(int(start))
    return np.split(ordered, starts[1:])


def permuted_gram(squares: Array, n_directions: int, df_resid: int, rng: np.random.Generator) -> Array:
    """Draw the Gram matrix of permuted features of similar size, inside the space that the design leaves.

    Parameters
    ----------
    squares : ndarray of shape (n_class,)
        Positive residual sums of squares, decreasing.
    n_directions : int
        Dimension in which a permuted feature moves: ``n_samples - 1`` when residuals sum to zero.
    df_resid : int
        Dimension that the design leaves, at most `n_directions`.
    rng : numpy.random.Generator

    Returns
    -------
    ndarray of shape (df_resid, df_resid)

    Notes
    -----
    Let ``z_j`` be the permuted feature, projected; ``s_j^2`` its sum of squares, N the number of directions
    and d the residual degrees of freedom. With a direction uniform on the sphere, ``E z z' = s^2 / N I`` and
    the entries off the diagonal have variance ``s^4 / (N (N + 2))``. A Wishart matrix ``c W(nu)`` has
    ``c nu`` and ``c^2 nu``; equating gives

    ``nu = (sum s^2)^2 / sum s^4 * (N + 2) / N``  and  ``c = sum s^2 / (N nu)``.

    For a design that is the constant alone the same nu follows without the sphere: the expected sum of
    squared deviations of all eigenvalues of the permuted Gram matrix is ``(1 - 1/d) sum s^4``, whatever the
    shape of the features. Up to 2 d features are drawn as that many directions instead, and so are the 2 d
    largest of a class whose nu is below d.
    """
    few = 2 * df_resid
    nu = squares.sum() ** 2 / np.sum(squares**2) * (n_directions + 2) / n_directions
    if squares.size > few and nu <= df_resid:
        largest = permuted_gram(squares[:few], n_directions, df_resid, rng)
        return largest + permuted_gram(squares[few:], n_directions, df_resid, rng)
    if squares.size > few:
        factor = wishart_factor(nu, df_resid, rng) * np.sqrt(squares.sum() / (n_directions * nu))
    else:
        directions = rng.standard_normal((n_directions, squares.size))
        factor = directions[:df_resid] * (np.sqrt(squares) / np.linalg.norm(directions, axis=0))
    gram: Array = factor @ factor.T
    return gram


@dataclass(frozen=True, slots=True)
class ShiftedWishart:
    """The matrix ``shift I + scale W`` with a standard Wishart matrix W.

    Attributes
    ----------
    df : float
        Degrees of freedom of W.
    scale, shift : float
    """

    df: float
    scale: float
    shift: float

    def eigenvalues(self, dimension: int, n_draws: int, rng: np.random.Generator) -> Array:
        """Draw its eigenvalues ``(n_draws, dimension)``, decreasing along rows.

        Notes
        -----
        A Wishart matrix has the eigenvalues of ``B B'`` with a bidiagonal B of independent chi variables: ``df, df - 1,
        ...`` degrees of freedom on the diagonal, ``dimension - 1, ..., 1`` below it (Dumitriu and Edelman 2002, "Matrix
        models for beta ensembles", theorem 3.1). A draw costs ``dimension^2`` operations.
        """
        squares = rng.chisquare(self.df - np.arange(dimension), size=(n_draws, dimension))
        below = rng.chisquare(np.arange(dimension - 1, 0, -1), size=(n_draws, dimension - 1))
        beside = np.sqrt(squares[:, :-1] * below)
        squares[:, 1:] += below
        out = np.empty((n_draws, dimension))
        for draw in range(n_draws):
            out[draw] = eigvalsh_tridiagonal(squares[draw], beside[draw], check_finite=False)[::-1]
        return self.shift + self.scale * out


def single_wishart(squares: Array, n_directions: int, df_resid: int) -> ShiftedWishart | None:
    """Find the one Wishart matrix that stands for permuted features of unequal size, if there is one.

    Parameters
    ----------
    squares : ndarray of shape (n_features,)
        Positive residual sums of squares.
    n_directions : int
        Dimension in which a permuted feature moves.
    df_resid : int
        Dimension d that the design leaves.

    Returns
    -------
    ShiftedWishart or None
        None where one matrix would not do.

    Notes
    -----
    The spectrum of a sum of independent Wishart matrices is given by its free cumulants, sums over the features of
    ``kappa_r = sum s^{2r} / (N (N + 2)^{r-1})`` (`permuted_gram` for the divisors). Shift, scale and degrees of freedom
    are such that the first three agree: ``scale = kappa_3 / kappa_2``, ``df = kappa_2 / scale^2`` and ``shift = kappa_1
    - scale df``, which is not negative. The fourth then is too small, by which the upper edge is too low: by about
    ``delta = d (kappa_4 - kappa_3^2 / kappa_2) / kappa_2^2`` in units of ``(d kappa_2)^{1/2}``, in which the largest
    eigenvalue varies by ``d^{-2/3}``. For features of one size nothing is approximated beyond `permuted_gram`.

    Examples
    --------
    >>> one = single_wishart(np.full(300, 22.0), 20, 18)
    >>> print(round(one.df, 6), round(one.scale, 6), round(one.shift, 6))
    330.0 1.0 0.0
    >>> print(single_wishart(np.append(np.full(300, 22.0), 1000.0), 20, 18))
    None
    """
    relative = squares / squares.max()
    first, second, third, fourth = (
        np.sum(relative**power) / (n_directions * (n_directions + 2.0) ** (power - 1)) for power in (1, 2, 3, 4)
    )
    scale = third / second
    df = second / scale**2
    delta = df_resid * (fourth - third * scale) / second**2
    if squares.size <= 2 * df_resid or df < 2 * df_resid or delta > EDGE_ERROR * df_resid ** (-2.0 / 3.0):
        return None
    return ShiftedWishart(float(df), float(scale * squares.max()), float(max(first - scale * df, 0.0) * squares.max()))


def wishart_eigenvalues(rss: Array, n_samples: int, df_resid: int, n_draws: int, rng: np.random.Generator) -> Array:
    """Approximate draws of the eigenvalues that `permuted_eigenvalues` gives.

    Parameters
    ----------
    rss : ndarray of shape (n_features,)
        Residual sums of squares of the features, weights included.
    n_samples : int
    df_resid : int
        Samples minus the rank of a design that spans the constant.
    n_draws : int
    rng : numpy.random.Generator

    Returns
    -------
    ndarray of shape (n_draws, df_resid)
        Decreasing along rows.

    Notes
    -----
    Where features differ little enough in size, eigenvalues of a single Wishart matrix are drawn (`single_wishart`).
    Else the Gram matrix is a sum of independent terms, one per class of features of similar size (`size_classes`), so
    that unequal variances widen the null spectrum as they do in the data and a few
    dominating features keep their exact lengths. It is accurate where no small set of spiky features (one
    sample far out) carries the sum.

    Examples
    --------
    >>> wishart_eigenvalues(np.ones(1000), 10, 8, 3, np.random.default_rng(0)).shape
    (3, 8)
    """
    usable = rss[rss > 0]
    if usable.size == 0 or df_resid == 0:
        return np.zeros((n_draws, df_resid))
    single = single_wishart(usable, n_samples - 1, df_resid)
    if single is not None:
        return single.eigenvalues(df_resid, n_draws, rng)
    return _eigenvalues_by_classes(size_classes(usable), n_samples - 1, df_resid, n_draws, rng)


def _eigenvalues_by_classes(
    classes: list[Array], n_directions: int, df_resid: int, n_draws: int, rng: np.random.Generator
) -> Array:
    """Draws ``(n_draws, df_resid)`` of the eigenvalues of a sum over classes."""
    out = np.empty((n_draws, df_resid))
    for draw in range(n_draws):
        gram = np.zeros((df_resid, df_resid))
        for squares in classes:
            gram += permuted_gram(squares, n_directions, df_resid, rng)
        out[draw] = np.linalg.eigvalsh(gram)[::-1]
    return np.maximum(out, 0.0)
