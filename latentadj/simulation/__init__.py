"""Studies whose truth is known: simulated, or made of real data."""

from latentadj.simulation.controlled_study import ControlledStudy
from latentadj.simulation.error_rates import ErrorRates, error_rates
from latentadj.simulation.families import FAMILIES, OPEN_FAMILIES
from latentadj.simulation.matching import matched_order, shared_variation
from latentadj.simulation.permuted_primary import PermutedPrimary
from latentadj.simulation.real_data import RealData, estimated_factors
from latentadj.simulation.replicate_split import ReplicateSplit
from latentadj.simulation.scenario import Scenario
from latentadj.simulation.source import StudySource
from latentadj.simulation.study import SimulatedStudy, Truth, simulate
from latentadj.simulation.thinned_counts import ThinnedCounts, thin_counts

__all__ = [
    "FAMILIES",
    "OPEN_FAMILIES",
    "ControlledStudy",
    "ErrorRates",
    "PermutedPrimary",
    "RealData",
    "ReplicateSplit",
    "Scenario",
    "SimulatedStudy",
    "StudySource",
    "ThinnedCounts",
    "Truth",
    "error_rates",
    "estimated_factors",
    "matched_order",
    "shared_variation",
    "simulate",
    "thin_counts",
]
