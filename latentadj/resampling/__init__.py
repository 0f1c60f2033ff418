"""Tests and intervals by rearranging data: permutations, sign flips, rotations and the bootstrap."""

from latentadj.resampling.bootstrap import bootstrap
from latentadj.resampling.bootstrap_result import BootstrapResult
from latentadj.resampling.permutation import permutation_test
from latentadj.resampling.permutation_result import PermutationResult

__all__ = ["BootstrapResult", "PermutationResult", "bootstrap", "permutation_test"]
