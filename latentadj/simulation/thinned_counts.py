"""Real counts with known effects: binomial thinning."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from latentadj.design import Design
from latentadj.exceptions import InputError
from latentadj.simulation.matching import matched_order
from latentadj.simulation.noise import log_counts
from latentadj.simulation.real_data import estimated_factors
from latentadj.simulation.study import SimulatedStudy, Truth

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class ThinnedCounts:
    """Studies from a user's count matrix to which effects of a new variable are added by thinning.

    Parameters
    ----------
    counts : ndarray of shape (n_samples, n_features)
        Whole numbers from 0 up.
    name : str, default="thinned counts"
    confounding : float, default=0.5
        R2 of the new variable on the leading components of the log counts; the nearest that can be reached is taken.
    n_factors : int or str, default="auto"
        Number of these components.
    group_share : float, default=0.5
        Share of the samples in the second group.
    effect_share : float, default=0.05
        Share of the features with an effect.
    effect_sd : float, default=0.75
        Standard deviation of the effects, log2 fold changes per standard deviation of the new variable.
    n_samples, n_features : int, optional
        Draw so many samples and features anew for every study; all by default.
    n_controls : int, default=100
        Negative controls given to methods, drawn among the features without effect.
    least_mean : float, default=1.0
        Features with a lower mean count are left out.

    Raises
    ------
    InputError
        For values that are no counts, or numbers out of range.

    Notes
    -----
    Gerard (2020), BMC Bioinformatics 21:206 (seqgendiff). A count y of sample i and feature j is replaced by
    ``Binomial(y, 2^(x_i b_j - max_i x_i b_j))``, which adds ``x_i b_j`` to its log2 mean up to a constant of the
    feature and keeps everything else: depth, dispersion, dependence between features, and whatever unwanted variation
    the data have. A Poisson count stays Poisson, a negative binomial one keeps its dispersion. The variable is assigned
    to the samples by `matched_order`. Its association with the real hidden variation is therefore known as far as the
    leading components show that variation.

    Examples
    --------
    >>> counts = np.random.default_rng(0).poisson(50, size=(20, 200))
    >>> study = ThinnedCounts(counts, n_controls=10).draw(np.random.default_rng(1))
    >>> bool((study.counts <= counts).all()), int(study.truth.has_effect.sum())
    (True, 10)
    """

    counts: Array
    name: str = "thinned counts"
    confounding: float = 0.5
    n_factors: int | str = "auto"
    group_share: float = 0.5
    effect_share: float = 0.05
    effect_sd: float = 0.75
    n_samples: int | None = None
    n_features: int | None = None
    n_controls: int = 100
    least_mean: float = 1.0

    def __post_init__(self) -> None:
        values = np.asarray(self.counts)
        if values.ndim != 2 or not np.isfinite(values).all() or (values < 0).any() or (values != np.rint(values)).any():
            raise InputError("Thinning needs raw counts: a table of whole numbers from 0 up, without gaps.")
        usable = int((values.mean(axis=0) >= self.least_mean).sum())
        for name, allowed in (("n_samples", len(values)), ("n_features", usable)):
            wanted = getattr(self, name)
            if wanted is not None and not 1 <= wanted <= allowed:
                raise InputError(f"{name}={wanted} cannot be drawn; there are {allowed} (mean >= {self.least_mean:g}).")
        for name in ("confounding", "group_share", "effect_share"):
            if not 0 <= getattr(self, name) < 1:
                raise InputError(f"{name}={getattr(self, name)!r} is out of range: from 0 up, and below 1.")

    def settings(self) -> dict[str, Any]:
        """Return what decides the studies."""
        digest = hashlib.blake2b(np.ascontiguousarray(self.counts, dtype=np.float64).tobytes(), digest_size=12)
        given = {f.name: getattr(self, f.name) for f in fields(self) if f.name not in ("counts", "name")}
        return {"counts": digest.hexdigest(), "shape": list(np.shape(self.counts)), **given}

    def draw(self, rng: np.random.Generator) -> SimulatedStudy:
        """Return one study: thinned counts, and log2 counts per million as X."""
        counts = self._part(rng)
        n, m = counts.shape
        start = log_counts(counts)
        factors = estimated_factors(start, Design.resolve(None, n_samples=n), self.n_factors)
        x = (np.arange(n) < round(self.group_share * n)).astype(float)[:, None]
        x = (x - x.mean()) / x.std()
        order = matched_order(x, factors, np.full((n, 1), n**-0.5), self.confounding, rng)
        primary = x[order, 0]
        effects = self._effects(m, rng)
        thinned = thin_counts(counts, primary, effects, rng)
        controls = np.zeros(m, dtype=bool)
        null = np.flatnonzero(effects == 0)
        controls[rng.choice(null, min(self.n_controls, null.size), replace=False)] = True
        truth = Truth(effects, factors, np.empty((m, factors.shape[1])), controls, factors_known=False)
        design = Design.from_arrays(primary, primary_names=["x"])
        return SimulatedStudy(log_counts(thinned), design, truth, self, np.arange(n), thinned)

    def _part(self, rng: np.random.Generator) -> Array:
        counts = np.asarray(self.counts, dtype=np.float64)
        counts = counts[:, counts.mean(axis=0) >= self.least_mean]
        for axis, wanted in ((0, self.n_samples), (1, self.n_features)):
            if wanted is not None:
                chosen = np.sort(rng.choice(counts.shape[axis], wanted, replace=False))
                counts = np.take(counts, chosen, axis=axis)
        return counts

    def _effects(self, m: int, rng: np.random.Generator) -> Array:
        effects = np.zeros(m)
        chosen = rng.choice(m, round(self.effect_share * m), replace=False)
        effects[chosen] = self.effect_sd * rng.normal(size=chosen.size)
        return effects


def thin_counts(counts: Array, primary: Array, effects: Array, rng: np.random.Generator) -> Array:
    """Add effects to counts on the log2 scale, up to a constant of every feature, by throwing counts away.

    Parameters
    ----------
    counts : ndarray of shape (n_samples, n_features)
        Whole numbers.
    primary : ndarray of shape (n_samples,)
    effects : ndarray of shape (n_features,)
        log2 fold changes per unit of `primary`.
    rng : numpy.random.Generator

    Returns
    -------
    ndarray of shape (n_samples, n_features)
        Counts; those of features without effect are the same.

    Notes
    -----
    Gerard (2020), BMC Bioinformatics 21:206.

    Examples
    --------
    >>> counts = np.full((4, 2), 1000.0)
    >>> thinned = thin_counts(counts, np.array([0.0, 0.0, 1.0, 1.0]), np.array([0.0, -1.0]), np.random.default_rng(0))
    >>> thinned[:, 0].tolist(), thinned[:2, 1].tolist(), bool(abs(thinned[2:, 1].mean() / 500 - 1) < 0.1)
    ([1000.0, 1000.0, 1000.0, 1000.0], [1000.0, 1000.0], True)
    """
    out = counts.copy()
    changed = np.flatnonzero(effects != 0)
    log_keep = np.outer(primary, effects[changed])
    log_keep -= log_keep.max(axis=0)
    out[:, changed] = rng.binomial(counts[:, changed].astype(np.int64), np.exp2(log_keep))
    return out
