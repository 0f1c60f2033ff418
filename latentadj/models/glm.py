"""Generalised linear models: counts, numbers of successes and 0/1 outcomes on their own scale."""

from __future__ import annotations

import warnings
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike

from latentadj.core.counts import MILLION
from latentadj.core.dispersion import estimate_dispersions
from latentadj.core.glm import BIAS_REDUCED, NOT_CONVERGED, SEPARATED, GLMFit, GLMSetting, fit_glm
from latentadj.core.glm_depth import SIZE_FACTORS, depth_offset
from latentadj.core.glm_families import GLM_FAMILIES, GLMFamily
from latentadj.core.glm_outcomes import LevelKernel, OutcomeKernel, SmoothedLogits
from latentadj.core.glm_ratios import DevianceRatios, LikelihoodRatioFit
from latentadj.core.kernels import RegressionSums
from latentadj.core.log_cpm import LogCountsPerMillion
from latentadj.core.matrix import Array, ArrayMatrix, FeatureMatrix
from latentadj.core.passes import run_pass
from latentadj.core.regression import DesignBasis, RegressionFit, design_pass, fit_from_sums
from latentadj.core.size_factors import filled_totals
from latentadj.exceptions import InputError, MethodError, NotConvergedWarning
from latentadj.models.base import LinearScale
from latentadj.models.own_depths import OwnDepths

DISPERSIONS = ("trend", "shrunken", "single")
SEPARATIONS = ("reduce", "nan")
STATISTICS = ("likelihood_ratio", "wald")
COUNT_FAMILIES = ("poisson", "negative_binomial")
#: Added to mean counts before logarithms are taken, and to the single counts that factors are estimated from.
PRIOR_COUNT, SCALE_PRIOR = 0.5, 2.0


@dataclass(frozen=True)
class GLMModel:
    """A generalised linear model of every feature.

    Parameters
    ----------
    family : {"auto", "negative_binomial", "poisson", "binomial", "gaussian"}, default="auto"
        "auto" takes 0/1 data, and data with `trials`, as binomial, other whole numbers from 0 up as negative binomial,
        everything else as Gaussian, which is least squares.
    size_factors : str or array-like of shape (n_samples,) or None, default="tmm"
        Sequencing depth of the samples, whose logarithm is the offset of count models: "tmm", "rle", "upper_quartile"
        (library sizes times factors for the composition), "library", "median_ratio", or as given; None for none. Only
        ratios matter. Not used by the other families.
    dispersion : {"trend", "shrunken", "single"}, float or array-like of shape (n_features,), default="trend"
        Negative binomial dispersions: as a function of the level, each feature's own shrunken to that or not, or
        as given.
    quasi : bool or None, default=None
        Whether each feature's variance may differ by a factor of its own from that of its family; the factor is
        `RegressionFit.sigma2`, moderated by the tests. By default for counts and successes among several trials, not
        for 0/1 outcomes, which say nothing about it. Without it statistics are held against the normal distribution.
    separated : {"reduce", "nan"}, default="reduce"
        Features whose maximum-likelihood estimate is infinite (a group of zeros, separated outcomes) get the
        bias-reduced estimate, which is finite, or none.
    trials : int or array-like of shape (n_samples, n_features) or None, default=None
        Trials behind each number of successes, for the binomial family: 2 for genotypes 0, 1, 2; the coverage for
        methylated reads, where 0 marks a missing value. By default one each.
    statistic : {"likelihood_ratio", "wald"} or None, default=None
        What standard errors are made to agree with. A likelihood ratio costs a fit per contrast and keeps its power
        where counts are small or a group has none. By default it is taken where the scale is estimated; with a known
        one (0/1 outcomes) it is liberal in small studies (type-I error .061 with 60 samples and known factors, Wald's
        .045), and Wald's is taken.

    Notes
    -----
    Quasi-likelihood with a trended negative binomial dispersion is that of Lund, Nettleton, McCarthy and Smyth
    (2012), Statistical Applications in Genetics and Molecular Biology 11(5); quasi-dispersions and their degrees of
    freedom are as in `quasi_scale`. Estimates are on the scale of the linear predictor: natural logarithms for
    counts, log odds for successes. Bias reduction: Firth (1993), Biometrika 80:27. The mean of a feature of counts is
    the log2 of its mean count per million, which trends of the variance go by. Values may be missing (NaN).

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
    size_factors: str | ArrayLike | None = "tmm"
    dispersion: str | float | ArrayLike = "trend"
    quasi: bool | None = None
    separated: str = "reduce"
    trials: int | ArrayLike | None = None
    statistic: str | None = None

    def fit(self, Y: FeatureMatrix, basis: DesignBasis, *, sums: RegressionSums | None = None) -> RegressionFit:
        """Fit every feature; see `PrimaryModel.fit`.

        Raises
        ------
        InputError
            If the data are not what the family describes, or size factors, dispersions or trials do not fit them.
        MethodError
            For an unknown option.

        Warns
        -----
        NotConvergedWarning
            If a feature's fit did not settle; it gets no estimates.
        """
        setting = self.setting(Y, basis)
        if setting.family.name == "gaussian":
            return fit_from_sums(basis, sums if sums is not None else design_pass(Y, basis))
        quasi = self._is_quasi(setting.family)
        fit = fit_glm(Y, basis.q, setting, separated=self.separated, with_scale=quasi)
        level, constant = run_pass(Y, LevelKernel(setting.offset, Y.shape[1], setting.trials))[0]
        found = _regression_fit(basis, fit, quasi, constant)
        ratios = None
        if (self.statistic or ("likelihood_ratio" if quasi else "wald")) == "likelihood_ratio":
            ratios = DevianceRatios(Y, basis, setting, fit.coef, fit.least_deviance, np.ones(basis.n_columns))
        mean = level if setting.family.name == "binomial" else np.log2(level + PRIOR_COUNT) - self._log_million(Y)
        return replace(found, mean=mean, ratios=ratios, bias_reduced=fit.status == BIAS_REDUCED)

    def linear_scale(self, Y: FeatureMatrix) -> FeatureMatrix:
        """Return the data on a scale where effects add up and factors can be estimated by any method, as a lazy view.

        Parameters
        ----------
        Y : FeatureMatrix of shape (n_samples, n_features)

        Returns
        -------
        FeatureMatrix of shape (n_samples, n_features)
            log2 counts per million with this model's size factors and a prior count of 2 for counts, smoothed logits
            for successes among several trials, the data themselves otherwise.

        Notes
        -----
        The prior count, in proportion to depth, is that of `log_cpm`; voom's 0.5 leaves low counts noisier.
        """
        self._check()
        trials = self._trial_matrix(Y.shape)
        possible, total = self._outcomes(Y, trials)
        family = self.resolved_family(possible)
        if family.name in COUNT_FAMILIES:
            depths = np.exp(depth_offset(Y, total, self.size_factors) + np.log(filled_totals(total)).mean())
            return LogCountsPerMillion(Y, depths, SCALE_PRIOR)
        return Y if trials is None else SmoothedLogits(Y, trials)

    def frozen(self, Y: FeatureMatrix) -> LinearScale:
        """Return the scale that new samples are scored on: for counts, each by its own total."""
        possible, _ = self._outcomes(Y, self._trial_matrix(Y.shape))
        family = self.resolved_family(possible)
        return OwnDepths() if family.name in COUNT_FAMILIES else replace(self, family=family.name)

    def setting(self, Y: FeatureMatrix, basis: DesignBasis) -> GLMSetting:
        """Return the family, offsets, trials and dispersions that a design is fitted with.

        Parameters
        ----------
        Y : FeatureMatrix of shape (n_samples, n_features)
        basis : DesignBasis

        Returns
        -------
        GLMSetting
        """
        self._check()
        trials = self._trial_matrix(Y.shape)
        possible, total = self._outcomes(Y, trials)
        family = self.resolved_family(possible)
        if family.name not in COUNT_FAMILIES:
            return GLMSetting(family, np.zeros(Y.shape[0]), np.zeros(Y.shape[1]), trials)
        setting = GLMSetting(family, depth_offset(Y, total, self.size_factors), np.zeros(Y.shape[1]))
        if family.name == "poisson":
            return setting
        return replace(setting, dispersion=self._dispersions(Y, basis, setting.offset))

    def resolved_family(self, possible: np.ndarray) -> GLMFamily:
        """Return the family for data that can be 0/1 outcomes (or successes) and counts or not, shape (2,)."""
        if self.trials is None:
            return resolve_family(self.family, possible)
        if self.family not in ("auto", "binomial"):
            raise MethodError(f"trials= are for family='binomial'; family={self.family!r} was given. Leave one out.")
        return GLM_FAMILIES["binomial"]

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

        Raises
        ------
        MethodError
            If trials are known for the training samples only.
        """
        if self.trials is not None and np.ndim(self.trials) > 0:
            raise MethodError("trials= were given for the training samples; the trials of new samples are not known.")
        counts = family in COUNT_FAMILIES and self.size_factors is not None
        offset = np.log(np.maximum(total, 1e-300)) - log_size if counts else np.zeros(len(total))
        trials = self._trial_matrix((len(total), len(dispersion)))
        return GLMSetting(GLM_FAMILIES[family], offset, dispersion, trials)

    def _check(self) -> None:
        if self.family != "auto" and self.family not in GLM_FAMILIES:
            raise MethodError(f"family={self.family!r} is unknown; choose 'auto' or one of {', '.join(GLM_FAMILIES)}.")
        if isinstance(self.dispersion, str) and self.dispersion not in DISPERSIONS:
            raise MethodError(
                f"dispersion={self.dispersion!r} is unknown; choose one of {', '.join(DISPERSIONS)}, or give numbers."
            )
        if isinstance(self.size_factors, str) and self.size_factors not in SIZE_FACTORS:
            raise MethodError(
                f"size_factors={self.size_factors!r} is unknown; use one of {', '.join(SIZE_FACTORS)}, None or numbers."
            )
        for name, allowed in (("separated", SEPARATIONS), ("statistic", STATISTICS)):
            if getattr(self, name) not in allowed and not (name == "statistic" and self.statistic is None):
                raise MethodError(f"{name}={getattr(self, name)!r} is unknown; choose one of {', '.join(allowed)}.")

    def _is_quasi(self, family: GLMFamily) -> bool:
        return (not family.known_scale or self.trials is not None) if self.quasi is None else self.quasi

    def _outcomes(self, Y: FeatureMatrix, trials: FeatureMatrix | None) -> tuple[np.ndarray, Array]:
        """Return what the data can be and the samples' totals, see `OutcomeKernel`."""
        found: tuple[np.ndarray, Array] = run_pass(Y, OutcomeKernel(Y.shape[0], trials))[0]
        self.resolved_family(found[0])
        if trials is not None and not found[0][0]:
            raise InputError(
                "Successes must be whole numbers from 0 up to trials=. Check whether data and trials= match."
            )
        return found

    def _trial_matrix(self, shape: tuple[int, int]) -> FeatureMatrix | None:
        """Trials of every value, ``(n_samples, n_features)``."""
        if self.trials is None:
            return None
        trials = np.asarray(self.trials, dtype=np.float64)
        usable = np.isnan(trials) | (trials >= 0) & (trials == np.floor(trials))
        if trials.shape not in ((), shape) or not usable.all():
            raise InputError(
                f"trials= must be one whole number or an array of whole numbers of the data's shape {shape}, from 0 "
                f"up; an array of shape {trials.shape} was given, {np.sum(~usable)} values of it not whole numbers."
            )
        return ArrayMatrix(np.broadcast_to(trials, shape))

    def _log_million(self, Y: FeatureMatrix) -> float:
        """log2 of a sample of average depth in millions of counts."""
        total = run_pass(Y, OutcomeKernel(Y.shape[0]))[0][1]
        return float(np.log2((np.exp(np.log(filled_totals(total)).mean()) + 2.0 * PRIOR_COUNT) / MILLION))

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


def _regression_fit(basis: DesignBasis, fit: GLMFit, quasi: bool, constant: np.ndarray) -> LikelihoodRatioFit:
    """Return the fit in the columns of the design."""
    d, kept, inverse = basis.n_columns, np.array(basis.kept, dtype=int), basis.r_inverse
    lost = (fit.status == SEPARATED) | (fit.status == NOT_CONVERGED)
    _warn_not_converged(int(np.sum((fit.status == NOT_CONVERGED) & ~constant)), len(lost))
    coef = np.full((len(lost), d), np.nan)
    coef[:, kept] = fit.coef @ inverse.T
    cov_unscaled = np.full((len(lost), d, d), np.nan)
    cov_unscaled[:, kept[:, None], kept] = inverse @ fit.unscaled @ inverse.T
    coef[lost], cov_unscaled[lost] = np.nan, np.nan
    sigma2 = fit.scale if quasi else np.ones(len(coef))
    df_resid: float | Array = fit.scale_df if quasi else np.inf
    n_obs = None if np.all(fit.n_obs == basis.n_samples) else fit.n_obs
    if quasi and basis.n_samples == basis.rank:
        sigma2 = np.full(len(coef), np.nan)
    return LikelihoodRatioFit(coef, sigma2, df_resid, cov_unscaled, np.empty(0), constant, n_obs=n_obs)


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
