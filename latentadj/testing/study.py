"""The made-up study on which methods are held to their promises."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np
import pandas as pd
from numpy.typing import NDArray

Array = NDArray[np.float64]

N_SAMPLES, N_FEATURES, N_FACTORS = 30, 400, 2
FORMULA = "~ x | age"


@dataclass(frozen=True, eq=False)
class MadeUpStudy:
    """Data with a primary variable, a covariate, controls, replicates and hidden factors.

    Attributes
    ----------
    X : ndarray of shape (n_samples, n_features)
        Read-only.
    sample_data : pandas.DataFrame
        ``x`` (primary), ``age`` (nuisance) and what methods may need to be told about the samples: ``replicates``,
        labels that three samples of the same x share, ``batch`` with three levels, and ``technical``, a numeric
        quality score.
    controls : ndarray of bool, shape (n_features,)
        Features without effect of x.
    n_factors : int
        Hidden factors that were put in.
    """

    X: Array
    sample_data: pd.DataFrame
    controls: NDArray[np.bool_]
    n_factors: int = N_FACTORS

    @property
    def frame(self) -> pd.DataFrame:
        """The data with names of samples and features."""
        return pd.DataFrame(self.X, index=self.sample_data.index, columns=[f"g{i}" for i in range(self.X.shape[1])])


@cache
def made_up_study(input_scale: str = "continuous") -> MadeUpStudy:
    """Return the built-in study: 30 samples, 400 features, two hidden factors, one associated with x.

    Parameters
    ----------
    input_scale : {"continuous", "counts"}, default="continuous"
        Counts are negative binomial around the exponential of a signal of the same kind, half its size.

    Returns
    -------
    MadeUpStudy
        The last 40 features have an effect of x; the first 50 are the controls.

    Examples
    --------
    >>> made_up_study("counts").X.dtype, made_up_study().sample_data.columns.tolist()
    (dtype('float64'), ['x', 'age', 'replicates', 'batch', 'technical'])
    """
    rng = np.random.default_rng(42)
    x = np.repeat([0.0, 1.0], N_SAMPLES // 2)
    age = rng.normal(50, 10, size=N_SAMPLES)
    factors = rng.normal(size=(N_SAMPLES, N_FACTORS))
    factors[:, 0] += 0.8 * x
    signal = _signal(x, age, factors, rng)
    if input_scale == "counts":
        X = _counts(signal, rng)
    else:
        X = 8.0 + signal + np.exp(0.3 * rng.normal(size=N_FEATURES)) * rng.normal(size=signal.shape)
    X.flags.writeable = False
    columns = {
        "x": x,
        "age": age,
        "replicates": [f"subject{i // 3}" for i in range(N_SAMPLES)],
        "batch": [f"batch{i % 3}" for i in range(N_SAMPLES)],
        "technical": factors[:, 0] + 0.5 * rng.normal(size=N_SAMPLES),
    }
    table = pd.DataFrame(columns, index=[f"s{i}" for i in range(N_SAMPLES)])
    return MadeUpStudy(X, table, np.arange(N_FEATURES) < 50)


def _signal(x: Array, age: Array, factors: Array, rng: np.random.Generator) -> Array:
    effects = np.zeros(N_FEATURES)
    effects[-40:] = rng.normal(size=40) * 2
    out: Array = (
        np.outer(x, effects)
        + np.outer(age - 50, 0.03 * rng.normal(size=N_FEATURES))
        + factors @ rng.normal(size=(N_FACTORS, N_FEATURES))
    )
    return out


def _counts(signal: Array, rng: np.random.Generator) -> Array:
    depth = np.exp(0.2 * rng.normal(size=(N_SAMPLES, 1)))
    mean = depth * np.exp(4.0 + 0.5 * signal)
    size = 1.0 / rng.uniform(0.05, 0.2, size=N_FEATURES)
    return rng.negative_binomial(size, size / (size + mean)).astype(np.float64)
