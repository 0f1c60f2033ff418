"""How many factors the negative controls can carry."""

from __future__ import annotations

import warnings
from typing import Any

from latentadj.exceptions import ControlsError, FactorLimitWarning
from latentadj.problem import AdjustmentProblem


def capped_by_controls(problem: AdjustmentProblem, n_factors: int, asked: Any) -> int:
    """Return the number of factors that the controls allow: fewer factors than controls.

    Parameters
    ----------
    problem : AdjustmentProblem
    n_factors : int
        Number chosen or asked for.
    asked : object
        What the user gave; a number that is too large is then an error, an automatic one is cut.

    Returns
    -------
    int

    Raises
    ------
    ControlsError
        When the user asked for at least as many factors as there are controls that vary.
    """
    n_controls = 0 if problem.controls is None else int((problem.controls & ~problem.constant).sum())
    allowed = max(n_controls - 1, 0)
    if n_factors <= allowed:
        return n_factors
    message = f"{n_factors} factors need more than {n_factors} negative controls that vary; {n_controls} were given. "
    if isinstance(asked, int) and not isinstance(asked, bool):
        raise ControlsError(message + "Give more controls or fewer factors.")
    warnings.warn(message + f"Using {allowed} factors.", FactorLimitWarning, stacklevel=2)
    return allowed
