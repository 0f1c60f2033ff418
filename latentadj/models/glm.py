"""Generalised linear models: counts and 0/1 outcomes on their own scale."""

from __future__ import annotations

import warnings
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike

from latentadj.core.dispersion import estimate_dispersions
from latentadj.core.glm import (
    NOT_CONVERGED,
    SEPARATED,
    GLMFit,
    GLMSetting,
    OutcomeKernel,
    fit_glm,
    quasi_dispersion,
)
from latentadj.core.glm_families import GLM_FAMILIES, GLMFamily
from latentadj.core.kernels import RegressionSums
from latentadj.core.matrix import Array, FeatureMatrix
from latentadj.core.passes import run_pass
from latentadj.core.regression import DesignBasis, RegressionFit, design_pass, fit_from_sums, is_constant
from latentadj.core.size_factors import filled_totals, median_ratio_factors
from latentadj.exceptions import InputError, MethodError, NotConvergedWarning

DISPERSIONS = ("trend", "shrunken", "single")
SIZE_FACTORS = ("library", "median_ratio")
SEPARATIONS = ("reduce", "nan")


@dataclass(frozen=True)
class GLMModel:
    """A generalised linear model of every feature.

    Parameters
    ----------
    family : {"auto", "negative_binomial", "poisson", "binomial", "gaussian"}, default="auto"
        "auto" takes 0/1 data as binomial, other whole numbers from 0 up as negative binomial, everything else as
        Gaussian, which is least squares.
    size_factors : {"library", "median_ratio"} or array-like of shape (n_samples,) or None, default="library"
        Sequencing depth of the samples, whose logarithm is the offset of count models: totals, medians of ratios
        (which a few large features do not move; they need features without zeros), or as given; None for none. Only
        ratios matter. Not used by the other families.
    dispersion : {"trend", "shrunken", "single"}, float or array-like of shape (n_features,), default="trend"
        Negative binomial dispersions: as a function of the level, each feature's own shrunken to that or not, or
        as given.
    quasi : bool or None, default=None
        Whether each feature's variance may differ by a factor of its own from that of its family; the factor is
        `RegressionFit.sigma2`, moderated by the tests. By default for counts, not for 0/1 outcomes, which say nothing
        about it. Without it statistics are held against the normal distribution.
    separated : {"reduce", "nan"}, default="reduce"
        Features whose maximum-likelihood estimate is infinite (a group of zeros, separated outcomes) get the
        bias-reduced estimate, which is finite, or none.

    Notes
    -----
    Quasi-likelihood with a trended negative binomial dispersion is that of Lund, Nettleton, McCarthy and Smyth
    (2012), Statistical Applications in Genetics and Molecular Biology 11(5); tests are Wald tests. Estimates are on
    the scale of the linear predictor: natural logarithms for counts, log odds for 0/1 outcomes. Bias reduction: Firth
    (1993), Biometrika 80:27.

    Examples
    --------
    >>> from latentadj.core.matrix import ArrayMatrix
    >>> from latentadj.core.regression import design_basis
    >>> Y = ArrayMatrix(np.array([[2.0, 5.0], [4.0, 0.0], [8.0, 1.0], [4.0, 2.0]]))
    >>> design = design_basis(np.column_stack([np.ones(4), [0.0, 0.0, 1.0, 1.0]]))
    >>> fit = GLMModel("poisson", size_factors=None).fit(Y, design)
    >>> np.exp(fit.coef[0]).round(6)
    array([3., 2.])
    """

    family: str = "auto"
    size_factors: str | ArrayLike | None = "library"
    dispersion: str | float | ArrayLike = "trend"
    quasi: bool | None = None
    separated: str = "reduce"

    def fit(self, Y: FeatureMatrix, basis: DesignBasis, *, sums: RegressionSums | None = None) -> RegressionFit:
        """Fit every feature; see `PrimaryModel.fit`.

        Raises
        ------
        InputError
            If the data are not what the family describes, or size factors or dispersions do not fit them.
        MethodError
            For an unknown option.

        Warns
        -----
        NotConvergedWarning
            If a feature's fit did not settle; it gets no estimates.
        """
        if sums is None:
            sums = design_pass(Y, basis)
        setting = self.setting(Y, basis)
        if setting.family.name == "gaussian":
            return fit_from_sums(basis, sums)
        fit = fit_glm(Y, basis.q, setting, separated=self.separated)
        return self._regression_fit(basis, sums, fit, setting.family)

    def setting(self, Y: FeatureMatrix, basis: DesignBasis) -> GLMSetting:
        """Return the family, offsets and dispersions that a design is fitted with.

        Parameters
        ----------
        Y : FeatureMatrix of shape (n_samples, n_features)
        basis : DesignBasis

        Returns
        -------
        GLMSetting
        """
        self._check()
        possible, total = run_pass(Y, OutcomeKernel(Y.shape[0]))[0]
        family = resolve_family(self.family, possible)
        if family.name not in ("poisson", "negative_binomial"):
            return GLMSetting(family, np.zeros(Y.shape[0]), np.zeros(Y.shape[1]))
        setting = GLMSetting(family, self._offset(Y, total), np.zeros(Y.shape[1]))
        if family.name == "poisson":
            return setting
        return replace(setting, dispersion=self._dispersions(Y, basis, setting.offset))

    def resolved_family(self, possible: np.ndarray) -> GLMFamily:
        """Return the family for data that can be 0/1 outcomes and counts or not, shape (2,)."""
        return resolve_family(self.family, possible)

    def setting_for_new(self, family: str, total: Array, log_size: float, dispersion: Array) -> GLMSetting:
        """Return the setting for new samples, each on its own.

        Parameters
        ----------
        family : str
            Of the training data.
        total : ndarray of shape (n_new,)
            The new samples' totals.
        log_size : float
            Mean logarithm of the training samples' totals, where offsets are 0.
        dispersion : ndarray of shape (n_features,)

        Returns
        -------
        GLMSetting
            Offsets from totals, whatever the size factors of the training samples were; none for models without.
        """
        counts = family in ("poisson", "negative_binomial") and self.size_factors is not None
        offset = np.log(np.maximum(total, 1e-300)) - log_size if counts else np.zeros(len(total))
        return GLMSetting(GLM_FAMILIES[family], offset, dispersion)

    def _check(self) -> None:
        if self.family != "auto" and self.family not in GLM_FAMILIES:
            raise MethodError(f"family={self.family!r} is unknown; choose 'auto' or one of {', '.join(GLM_FAMILIES)}.")
        if isinstance(self.dispersion, str) and self.dispersion not in DISPERSIONS:
            raise MethodError(
                f"dispersion={self.dispersion!r} is unknown; choose one of {', '.join(DISPERSIONS)}, or give numbers."
            )
        if isinstance(self.size_factors, str) and self.size_factors not in SIZE_FACTORS:
            raise MethodError(
                f"size_factors={self.size_factors!r} is unknown; use {' or '.join(SIZE_FACTORS)}, None or an array."
            )
        if self.separated not in SEPARATIONS:
            raise MethodError(f"separated={self.separated!r} is unknown; choose one of {', '.join(SEPARATIONS)}.")

    def _offset(self, Y: FeatureMatrix, total: Array) -> Array:
        """Logarithms of the size factors with mean 0, ``(n_samples,)``."""
        if self.size_factors is None:
            return np.zeros(len(total))
        sizes = self._sizes(Y, total)
        if sizes.shape != total.shape or not np.all(np.isfinite(sizes) & (sizes > 0)):
            raise InputError(
                f"Size factors must be {len(total)} positive numbers, one per sample; a sample without any count has "
                "none. Leave such samples out, check size_factors=, or use size_factors=None."
            )
        logs = np.log(sizes)
        out: Array = logs - logs.mean()
        return out

    def _sizes(self, Y: FeatureMatrix, total: Array) -> Array:
        if not isinstance(self.size_factors, str):
            return np.asarray(self.size_factors, dtype=np.float64)
        if self.size_factors == "library":
            return filled_totals(total)
        factors = median_ratio_factors(Y)
        if factors is None:
            raise InputError(
                "size_factors='median_ratio' needs features without zeros, and there are none. Use 'library', or give "
                "the size factors."
            )
        return factors

    def _dispersions(self, Y: FeatureMatrix, basis: DesignBasis, offset: Array) -> Array:
        if isinstance(self.dispersion, str):
            chosen: Array = getattr(estimate_dispersions(Y, basis.q, offset), self.dispersion)
            return chosen
        given = np.asarray(self.dispersion, dtype=np.float64)
        if given.shape not in ((), (Y.shape[1],)) or not np.all(np.isfinite(given) & (given >= 0)):
            raise InputError(
                f"Dispersions must be one number or {Y.shape[1]} numbers, one per feature, not negative. Leave "
                "dispersion= out to estimate them."
            )
        return np.broadcast_to(given, (Y.shape[1],)).copy()

    def _regression_fit(
        self, basis: DesignBasis, sums: RegressionSums, fit: GLMFit, family: GLMFamily
    ) -> RegressionFit:
        """Return the fit in the columns of the design."""
        d, kept, inverse = basis.n_columns, np.array(basis.kept, dtype=int), basis.r_inverse
        lost = (fit.status == SEPARATED) | (fit.status == NOT_CONVERGED)
        constant = is_constant(sums, basis.n_samples)
        _warn_not_converged(int(np.sum((fit.status == NOT_CONVERGED) & ~constant)), len(lost))
        coef = np.full((len(lost), d), np.nan)
        coef[:, kept] = fit.coef @ inverse.T
        cov_unscaled = np.full((len(lost), d, d), np.nan)
        cov_unscaled[:, kept[:, None], kept] = inverse @ fit.unscaled @ inverse.T
        coef[lost], cov_unscaled[lost] = np.nan, np.nan
        sigma2, df_resid = self._scale(fit, family, float(basis.n_samples - basis.rank))
        return RegressionFit(coef, sigma2, df_resid, cov_unscaled, sums.mean, constant)

    def _scale(self, fit: GLMFit, family: GLMFamily, df_resid: float) -> tuple[Array, float]:
        """Quasi-dispersions and their degrees of freedom."""
        quasi = not family.known_scale if self.quasi is None else self.quasi
        if not quasi:
            return np.ones(len(fit.coef)), np.inf
        return quasi_dispersion(fit, df_resid), df_resid


def resolve_family(name: str, possible: np.ndarray) -> GLMFamily:
    """Return a family by name, or the one that data look like.

    Parameters
    ----------
    name : str
    possible : ndarray of bool, shape (2,)
        Whether the data can be 0/1 outcomes, and whether they can be counts.

    Returns
    -------
    GLMFamily

    Raises
    ------
    InputError
        If the data cannot come from the family.

    Examples
    --------
    >>> resolve_family("auto", np.array([False, True])).name
    'negative_binomial'
    """
    binary, counts = bool(possible[0]), bool(possible[1])
    if name == "auto":
        return GLM_FAMILIES["binomial" if binary else "negative_binomial" if counts else "gaussian"]
    family = GLM_FAMILIES[name]
    fits = {"binomial": binary, "gaussian": True}.get(name, counts)
    if not fits:
        raise InputError(
            f"family={name!r} needs values that are {family.requirement}. Round expected counts, or use "
            "family='gaussian' for data on a continuous scale."
        )
    return family


def _warn_not_converged(n_lost: int, n_features: int) -> None:
    if n_lost:
        warnings.warn(
            f"The fits of {n_lost} of {n_features} features did not settle; they have no estimates.",
            NotConvergedWarning,
            stacklevel=4,
        )
