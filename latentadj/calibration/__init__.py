"""Stage 6: calibration, a file each."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from latentadj.calibration.bacon import BaconCalibration
from latentadj.calibration.base import Calibration
from latentadj.calibration.control_ecdf import ControlECDF
from latentadj.calibration.control_variance import ControlVariance
from latentadj.calibration.effect_variance import EffectVariance
from latentadj.calibration.empirical_null import EmpiricalNull
from latentadj.calibration.mad import MADCalibration
from latentadj.exceptions import MethodError

_BY_NAME: dict[str, Callable[[], Calibration]] = {
    "mad": MADCalibration,
    "empirical_null": EmpiricalNull,
    "locfdr": EmpiricalNull,
    "bacon": BaconCalibration,
    "control_variance": ControlVariance,
    "rsvar": lambda: ControlVariance(compat="ruv"),
    "control_ecdf": ControlECDF,
    "evar": EffectVariance,
}


def resolve_calibration(calibration: Any) -> Calibration | None:
    """Return the calibration behind a name, the object itself, or None.

    Parameters
    ----------
    calibration : {None, "none", "mad", "empirical_null", "bacon", "control_variance", "control_ecdf", "evar"} or \
Calibration
        Also "locfdr", another name of "empirical_null", and "rsvar", "control_variance" as package ruv computes it.

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
    if isinstance(calibration, str):
        if calibration not in _BY_NAME:
            names = ", ".join(repr(name) for name in _BY_NAME)
            raise MethodError(f"calibration={calibration!r} is unknown; choose None, 'none', or one of {names}.")
        return _BY_NAME[calibration]()
    found: Calibration = calibration
    return found


__all__ = [
    "BaconCalibration",
    "Calibration",
    "ControlECDF",
    "ControlVariance",
    "EffectVariance",
    "EmpiricalNull",
    "MADCalibration",
    "resolve_calibration",
]
