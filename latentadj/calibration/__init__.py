"""Stage 6: calibration, a file each."""

from __future__ import annotations

from typing import Any

from latentadj.calibration.base import Calibration
from latentadj.calibration.mad import MADCalibration
from latentadj.exceptions import MethodError


def resolve_calibration(calibration: Any) -> Calibration | None:
    """Return the calibration behind a name, the object itself, or None.

    Parameters
    ----------
    calibration : {None, "none", "mad"} or Calibration

    Returns
    -------
    Calibration or None

    Raises
    ------
    MethodError
        For an unknown name.
    """
    if calibration is None or calibration == "none":
        return None
    if calibration == "mad":
        return MADCalibration()
    if isinstance(calibration, str):
        raise MethodError(f"calibration={calibration!r} is unknown; choose None, 'none' or 'mad'.")
    found: Calibration = calibration
    return found


__all__ = ["Calibration", "MADCalibration", "resolve_calibration"]
