"""Simulated studies whose truth comes with the data."""

from latentadj.simulation.error_rates import ErrorRates, error_rates
from latentadj.simulation.families import FAMILIES, OPEN_FAMILIES
from latentadj.simulation.scenario import Scenario
from latentadj.simulation.study import SimulatedStudy, Truth, simulate

__all__ = [
    "FAMILIES",
    "OPEN_FAMILIES",
    "ErrorRates",
    "Scenario",
    "SimulatedStudy",
    "Truth",
    "error_rates",
    "simulate",
]
