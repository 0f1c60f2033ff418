"""Stage 5, inference: which residual variances the tests use, and with how many degrees of freedom."""

from __future__ import annotations

from typing import Protocol

from latentadj.core.regression import RegressionFit
from latentadj.core.variance import VariancePrior


class Inference(Protocol):
    """Turns a fit's residual variances into the ones that tests use."""

    def variances(self, fit: RegressionFit) -> VariancePrior:
        """Return variances and degrees of freedom for the tests of `fit`."""
        ...
