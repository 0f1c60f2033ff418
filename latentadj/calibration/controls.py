"""What calibrations by negative controls ask of them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from latentadj.exceptions import ControlsError
from latentadj.results.statistics import TestStatistics


def usable_controls(
    tests: TestStatistics, controls: NDArray[np.bool_] | None, at_least: int, method: str
) -> NDArray[np.bool_]:
    """Return the controls that have a test, if there are enough of them.

    Parameters
    ----------
    tests : TestStatistics
    controls : ndarray of bool, shape (n_features,), or None
    at_least : int
        Smallest number for every test that can be made at all.
    method : str
        The calibration, for messages.

    Returns
    -------
    ndarray of bool, shape (n_features, T)

    Raises
    ------
    ControlsError
    """
    if controls is None:
        raise ControlsError(
            f"{method} reads the null distribution off negative controls, and none were given. Pass controls= "
            "(names, a mask or positions of features that the tested variables do not affect), or calibrate by "
            "the bulk of the statistics: calibration='empirical_null' or 'bacon'."
        )
    mask = np.asarray(controls, dtype=bool)
    if mask.shape != tests.statistic.shape[:1]:
        raise ControlsError(f"controls has shape {mask.shape}; one value for each of {len(tests.statistic)} features.")
    usable = mask[:, None] & np.isfinite(tests.statistic)
    counts = usable.sum(axis=0)[np.isfinite(tests.statistic).any(axis=0)]
    if counts.size and counts.min() < at_least:
        raise ControlsError(
            f"{method} needs at least {at_least} negative controls that vary; {int(counts.min())} of "
            f"{int(mask.sum())} given can be used. Give more controls, or calibrate by the bulk of the statistics: "
            "calibration='empirical_null' or 'bacon'."
        )
    return usable
