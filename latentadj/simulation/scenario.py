"""What a simulated study looks like."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any

from latentadj.exceptions import InputError

#: Allowed answers of the fields that are words.
CHOICES: dict[str, tuple[str, ...]] = {
    "primary": ("groups", "continuous"),
    "factor_shape": ("normal", "batch", "balanced"),
    "effect_shape": ("normal", "one_sided", "loadings"),
    "scale": ("continuous", "log_counts"),
}
_SHARES = ("confounding", "group_share", "loading_density", "effect_share", "noise_correlation")
_POSITIVE = ("noise_df", "variance_df", "outlier_ratio", "group_noise_ratio", "library_size")


@dataclass(frozen=True)
class Scenario:
    """Recipe of a simulated study: ``X = mean + x b' + Z L' + E``.

    Parameters
    ----------
    name : str, default="base"
    n_samples, n_features : int, default=60, 2000
    n_factors : int, default=3
    confounding : float, default=0.5
        Population R2 of the primary variable on the factors, in [0, 1).
    primary : {"groups", "continuous"}, default="groups"
        Two groups or a normal variable; either way the column has mean 0 and variance 1 in the sample.
    group_share : float, default=0.5
        Share of the samples in the second group.
    factor_shape : {"normal", "batch", "balanced"}, default="normal"
        Normal scores; two-level batches of -1 and 1; or normal scores made orthogonal to the primary variable,
        for which `confounding` has no meaning.
    loading_sd : float, default=1.0
        Standard deviation of the loadings that are not zero, in units of the typical noise.
    loading_density : float, default=1.0
        Share of the loadings that are not zero.
    effect_share : float, default=0.05
        Share of the features with a true effect.
    effect_sd : float, default=0.75
        Standard deviation of the true effects, per standard deviation of the primary variable.
    effect_shape : {"normal", "one_sided", "loadings"}, default="normal"
        Normal, all positive, or proportional to the feature's loading on the first factor.
    noise_df : float, default=inf
        Student degrees of freedom of the noise (rescaled to the feature's variance); more than 2.
    variance_df : float, default=10.0
        Degrees of freedom of the scaled inverse chi-square distribution of the noise variances, whose scale
        is 1; infinite gives equal variances.
    noise_correlation : float, default=0.0
        Correlation of the noise of two features of the same block.
    block_size : int, default=20
        Features per block of correlated noise.
    n_outliers : int, default=0
        Samples whose noise is `outlier_ratio` times as large.
    outlier_ratio, group_noise_ratio : float, default=5.0, 1.0
        Ratio of the noise standard deviation of outlying samples, and of the second group, to the others'.
    n_controls : int, default=100
        Negative controls, drawn among the features without effect; fewer where there are not as many.
    scale : {"continuous", "log_counts"}, default="continuous"
        "log_counts" draws negative binomial counts and returns log2 counts per million; signal, loadings and
        effects are then on that scale, and the noise is what counting and `dispersion` make it.
    dispersion : float, default=0.1
        Squared biological coefficient of variation of the counts.
    library_size : float, default=2e6
        Typical sum of a sample's counts. Features have 64 counts per million at the median.

    Raises
    ------
    InputError
        For values outside the ranges above.

    Examples
    --------
    >>> Scenario(n_samples=20, n_factors=1).confounding
    0.5
    """

    name: str = "base"
    n_samples: int = 60
    n_features: int = 2000
    n_factors: int = 3
    confounding: float = 0.5
    primary: str = "groups"
    group_share: float = 0.5
    factor_shape: str = "normal"
    loading_sd: float = 1.0
    loading_density: float = 1.0
    effect_share: float = 0.05
    effect_sd: float = 0.75
    effect_shape: str = "normal"
    noise_df: float = float("inf")
    variance_df: float = 10.0
    noise_correlation: float = 0.0
    block_size: int = 20
    n_outliers: int = 0
    outlier_ratio: float = 5.0
    group_noise_ratio: float = 1.0
    n_controls: int = 100
    scale: str = "continuous"
    dispersion: float = 0.1
    library_size: float = 2e6

    def __post_init__(self) -> None:
        for name, allowed in CHOICES.items():
            value = getattr(self, name)
            _require(value in allowed, name, value, f"one of {', '.join(map(repr, allowed))}")
        for name in _SHARES:
            _require(0 <= getattr(self, name) <= 1, name, getattr(self, name), "between 0 and 1")
        for name in _POSITIVE:
            _require(getattr(self, name) > 0, name, getattr(self, name), "above 0")
        for name in ("n_samples", "n_features", "block_size"):
            _require(getattr(self, name) >= 1, name, getattr(self, name), "at least 1")
        for name in ("n_factors", "n_outliers", "n_controls", "loading_sd", "effect_sd", "dispersion"):
            _require(getattr(self, name) >= 0, name, getattr(self, name), "at least 0")
        self._require_combination()

    def _require_combination(self) -> None:
        _require(self.confounding < 1, "confounding", self.confounding, "below 1")
        _require(self.noise_df > 2, "noise_df", self.noise_df, "above 2, so that the noise has a variance")
        _require(self.n_outliers <= self.n_samples, "n_outliers", self.n_outliers, "at most n_samples")
        if self.primary == "groups":
            members = self.group_size
            allowed = f"such that both of two groups have a sample; {members} of {self.n_samples} would be in one"
            _require(0 < members < self.n_samples, "group_share", self.group_share, allowed)

    @property
    def group_size(self) -> int:
        """Samples in the second group."""
        return round(self.group_share * self.n_samples)

    @property
    def n_effects(self) -> int:
        """Features with a true effect."""
        return round(self.effect_share * self.n_features)

    def settings(self) -> dict[str, Any]:
        """Return the fields that differ from the defaults, by name."""
        return {f.name: getattr(self, f.name) for f in fields(self) if getattr(self, f.name) != f.default}


def _require(ok: bool, name: str, value: Any, allowed: str) -> None:
    if not ok:
        raise InputError(f"Scenario({name}={value!r}) cannot be simulated: {name} must be {allowed}.")
