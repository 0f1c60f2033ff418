"""Control ratio: factors count whose loadings on negative controls exceed what noise leaves there."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from latentadj.core.control_ratio import noise_ratio, size_ratios
from latentadj.core.kernels import ProjectionKernel
from latentadj.core.matrix import Array, FeatureSubset
from latentadj.core.passes import run_pass
from latentadj.core.regression import design_basis
from latentadj.exceptions import ControlsError, MethodError
from latentadj.num_factors.base import NumFactorsRule, count_features, feature_weights, scale_words, scaled_spectrum
from latentadj.problem import AdjustmentProblem
from latentadj.results.factors import RuleAnswer

MIN_CONTROLS = 3


class ControlRatio(NumFactorsRule):
    """Count factors whose loadings on the negative controls are larger than the controls' remaining effects.

    Parameters
    ----------
    scale : {"unit", None}, default=None
        None is ``getK`` of the R package ruv; "unit" scales features, controls included, to unit residual variance.
    column : int, default=0
        Which primary column; the other ones are adjusted for.

    Notes
    -----
    A control has no effect of its own, so that after adjustment by the right factors the rest of its effect is
    noise and has the size of a loading on a noise factor. For i = 1, 2, ... the ratio of the two is taken
    (`latentadj.core.control_ratio.size_ratios`; every control is left out of the regression that adjusts it), and
    the answer is the number of ratios above that of the largest noise eigenvalue. All ratios count, not only the
    leading ones: a factor that the controls do not load on is passed over, but late factors, where few degrees of
    freedom are left, are counted too. With few controls, or controls with noise of another size than the rest of the
    features, the answer runs high.

    ruv has an approximation for many controls or samples ("fast"); leaving controls out costs no more here, and the
    exact form is always used.

    References
    ----------
    Gagnon-Bartsch, Jacob and Speed (2013), UC Berkeley Statistics technical report 820.

    Examples
    --------
    >>> from latentadj.core.matrix import ArrayMatrix
    >>> from latentadj.design import Design
    >>> rng = np.random.default_rng(0)
    >>> group = np.repeat([0.0, 1.0], 20)
    >>> X = np.outer(rng.normal(size=40) + group, rng.normal(size=300)) + rng.normal(size=(40, 300))
    >>> problem = AdjustmentProblem(ArrayMatrix(X), Design.from_arrays(group), np.arange(300) < 100)
    >>> answer = ControlRatio().select(problem, 10, rng)
    >>> bool(answer.statistic[0] > 2 * answer.threshold[0])
    True
    """

    def __init__(self, scale: str | None = None, column: int = 0) -> None:
        self.scale = scale
        self.column = column

    @property
    def name(self) -> str:
        """Name of the rule in tables."""
        return "control_ratio"

    def select(self, problem: AdjustmentProblem, limit: int, rng: np.random.Generator) -> RuleAnswer:
        """Apply the rule; see `NumFactorsRule.select`. The generator is not used.

        Raises
        ------
        ControlsError
            If there are no negative controls, or fewer than three that vary.
        MethodError
            If the primary column does not exist or an option is unknown.
        """
        controls = varying_controls(problem)
        directions = scaled_spectrum(problem, self.scale).vectors
        n_tried = max(min(problem.df_resid - 1, len(controls) - 2), 0)
        primary = self._primary(problem)
        directions = np.column_stack([primary, directions[:, :n_tried]])
        coordinates = self._coordinates(problem, controls, directions)
        ratios = size_ratios(coordinates[:, 0], coordinates[:, 1:])
        cutoff = noise_ratio(problem.n_samples, count_features(problem, self.scale))
        shown = ratios[: max(limit, 0)]
        return RuleAnswer(
            rule=self.name,
            n_factors=min(int(np.sum(ratios > cutoff)), max(limit, 0)),
            statistic=shown,
            threshold=np.full(len(shown), cutoff),
            description=(
                f"Loading on {len(controls)} negative controls beside what the factors leave of their effects, median "
                f"ratio (factors from {scale_words(self.scale)}); every ratio above that of noise counts a factor."
            ),
        )

    def _coordinates(self, problem: AdjustmentProblem, controls: NDArray[np.intp], directions: Array) -> Array:
        """Controls in the coordinates of some directions ``(n_controls, k)``; reads the controls alone."""
        kernel = ProjectionKernel(directions, len(controls), centred=problem.basis.spans_constant)
        (coordinates,) = run_pass(FeatureSubset(problem.matrix, controls), kernel)
        weights = feature_weights(problem, self.scale)
        out: Array = coordinates if weights is None else coordinates * weights[controls, None]
        return out

    def _primary(self, problem: AdjustmentProblem) -> Array:
        """Primary column of unit length, orthogonal to all other columns of the design."""
        columns = problem.primary_columns
        if not 0 <= self.column < len(columns):
            raise MethodError(
                f"column={self.column} is no primary column; there are {len(columns)}. Give a number from 0 to "
                f"{len(columns) - 1}."
            )
        chosen = columns[self.column]
        others = design_basis(np.delete(problem.design.matrix, chosen, axis=1))
        rest = others.project_out(problem.design.matrix[:, chosen])
        length = float(np.linalg.norm(rest))
        if length <= 1e-7 * float(np.linalg.norm(problem.design.matrix[:, chosen])):
            raise MethodError(
                f"The primary column {problem.design.names[chosen]!r} is a combination of the others. Leave one out, "
                "or choose another with column=."
            )
        out: Array = rest / length
        return out


def varying_controls(problem: AdjustmentProblem) -> NDArray[np.intp]:
    """Positions of the negative controls with residual variation.

    Raises
    ------
    ControlsError
        If there are fewer than three.
    """
    if problem.controls is None:
        raise ControlsError(
            "the rule needs negative controls and none were given. Give controls=, or use another rule."
        )
    found = np.flatnonzero(problem.controls & (problem.unit_weights > 0))
    if len(found) < MIN_CONTROLS:
        raise ControlsError(
            f"the rule needs at least {MIN_CONTROLS} negative controls that vary, and {len(found)} are there. Give "
            "more controls, or use another rule."
        )
    return found
