"""Every error and warning class of the package.

An error says what was given, what is allowed and what to do next. Every warning has a class of its own, so
that it can be filtered, and is also kept in ``AdjustmentResult.warnings``.
"""

from __future__ import annotations


class LatentAdjError(Exception):
    """Base class of every error raised on purpose by latentadj."""


class InputError(LatentAdjError, ValueError):
    """The data or an argument cannot be used as given."""


class AlignmentError(InputError):
    """Sample or feature IDs of two tables do not fit together (missing, duplicated, transposed)."""


class FormulaError(InputError):
    """A formula cannot be parsed, names an unknown column, or calls something that is not allowed."""


class DesignError(InputError):
    """The design cannot be fitted: wrong shape, missing covariates, no usable level."""


class ConfoundedDesignError(DesignError):
    """A tested column is an exact linear combination of other design columns."""


class NotEstimableError(DesignError):
    """A contrast cannot be written in terms of what the design estimates."""


class DegreesOfFreedomError(DesignError):
    """The design and the factors together leave no residual degrees of freedom."""


class ControlsError(InputError):
    """Negative controls are missing, unknown, or too few for the method."""


class MethodError(InputError):
    """A method, rule or option name is unknown, or a method lacks something it needs."""


class InvalidForTestingError(MethodError):
    """The method does not remove confounding and was asked for p-values without ``allow_invalid=True``."""


class AdjustedDataError(InputError):
    """Data from which something was taken out were given to a test without ``allow_adjusted=True``."""


class FileFormatError(InputError):
    """A file is empty, truncated, of an unknown kind, or holds text where numbers are needed."""


class OutputError(LatentAdjError, OSError):
    """A result cannot be written where it was asked for."""


class MissingExtraError(LatentAdjError, ImportError):
    """An optional dependency is needed; the message names the pip command."""


class LatentAdjWarning(UserWarning):
    """Base class of every warning issued by latentadj."""


class InputNoteWarning(LatentAdjWarning):
    """How the input was read: matched by position, rows of the sample table left out, made dense."""


class NearConfoundingWarning(LatentAdjWarning):
    """A tested column is almost determined by the other design columns."""


class LowResidualDfWarning(LatentAdjWarning):
    """Few residual degrees of freedom are left."""


class FactorLimitWarning(LatentAdjWarning):
    """The chosen number of factors sits at the search limit, or was cut down to it."""


class OrthogonalFactorsWarning(LatentAdjWarning):
    """Residual factors cannot change an estimate; they do not remove confounding."""


class FactorIsPrimaryWarning(LatentAdjWarning):
    """A primary variable is nearly explained by the estimated factors: over-correction is possible."""


class NotConvergedWarning(LatentAdjWarning):
    """An iteration stopped at its limit before it settled."""


class ConstantFeaturesWarning(LatentAdjWarning):
    """Some features do not vary; they are kept in the table with NaN statistics."""


class CovariateTypeWarning(LatentAdjWarning):
    """A numeric covariate looks categorical (batch 1, 2, 3 ...)."""


class DataScaleWarning(LatentAdjWarning):
    """The values look like counts, proportions or unlogged intensities."""


class PrecisionWarning(LatentAdjWarning):
    """The stored precision is too low for the size of the values."""


class UnequalSamplesWarning(LatentAdjWarning):
    """Some samples are much noisier than the others and were weighed down."""


class BlockCorrelationWarning(LatentAdjWarning):
    """The blocks of the samples say nothing about a correlation."""


class BrokenEntryPointWarning(LatentAdjWarning):
    """A method that another package registers cannot be used and is left out."""


class WeakFactorWarning(LatentAdjWarning):
    """A factor is hardly larger than the errors of its loadings; its link cannot be corrected for them."""


class ControlsWarning(LatentAdjWarning):
    """The negative controls are few, or do not look null."""


class CalibrationWarning(LatentAdjWarning):
    """The bulk of the test statistics does not look like its null distribution."""
