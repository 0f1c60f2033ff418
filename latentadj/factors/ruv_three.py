"""Removal of unwanted variation from replicates: RUV-III, with or without pseudo-replicates."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from latentadj.core.matrix import Array
from latentadj.core.pseudo_replicates import PseudoSamples, extreme_groups, pseudo_samples
from latentadj.exceptions import MethodError
from latentadj.factors.info import MethodInfo
from latentadj.factors.replicated import ReplicateFactorEstimator, ReplicateSets, codes_of, single_codes
from latentadj.num_factors import NumFactorsRule
from latentadj.problem import AdjustmentProblem

#: A numeric source of unwanted variation with more different values than this is taken as continuous.
MAX_LEVELS = 20


class RUV3(ReplicateFactorEstimator):
    """RUV-III: factors from the differences between replicates, scored through the negative controls.

    Parameters
    ----------
    n_factors : {"auto"} or int or NumFactorsRule, default="auto"
        "auto" is parallel analysis on the differences between replicates.
    controls : array-like
        Negative controls: names, integer positions or a boolean mask.
    replicates : str or array-like of shape (n_samples,), optional
        Label of what was measured; samples with the same label are replicates, missing labels stand alone.
    biology : str or array-like of shape (n_samples,), optional
        Labels of biology (cell type, disease), for pseudo-replicates.
    unwanted : str, list of str or array-like of shape (n_samples,) or (n_samples, c), optional
        Sources of unwanted variation (batch, plate, library size), for pseudo-replicates. Each is used on its own. A
        numeric one with more than 20 different values counts as continuous: the `min_samples` lowest and highest
        samples of each biology are then compared.
    min_samples : int, default=3
        Samples that a pseudo-sample averages at least.
    compat : {None, "ruv"}, default=None
        "ruv" gives the R package's W: features neither scaled nor centred, scores as they come out.
    model : PrimaryModel or None, default=None
    random_state : default=0

    Raises
    ------
    MethodError
        Neither replicates nor both of biology and unwanted, or more factors than replicates carry.
    InputError
        Pseudo-replicates that do not exist, or that leave levels of the unwanted variation unconnected.

    Notes
    -----
    Molania, Gagnon-Bartsch, Dobrovic and Speed (2019). The factors join the design, so that tests pay for them with
    degrees of freedom; a matrix that was adjusted first and tested afterwards does not. By default features are
    scaled to unit residual variance and centred, so that no few noisy features lead, and scores are freed of the noise
    that they share with the loadings (`latentadj.core.replicates.corrected_scores`). Pseudo-replicates: Molania et
    al. (2023), Nature Biotechnology 41:82; pseudo-samples enter the search for differences only.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> z, subject = rng.normal(size=20), np.repeat(np.arange(10), 2)
    >>> X = np.outer(z, rng.normal(size=100)) + rng.normal(size=(10, 100))[subject] + 0.1 * rng.normal(size=(20, 100))
    >>> ruv = RUV3(n_factors=1, controls=np.arange(40), replicates=subject).fit(X, np.repeat([0, 1], 10))
    >>> ruv.factors_.shape
    (20, 1)
    """

    method_info: ClassVar[MethodInfo] = MethodInfo(
        name="ruv3",
        title="RUV-III",
        reference="Molania, Gagnon-Bartsch, Dobrovic and Speed (2019), Nucleic Acids Research 47:6073",
        identified_by="replicates share their biology, and controls have no true effect",
        summary="Differences between replicates give the loadings, negative controls the scores.",
        identification="replicates",
        needs=("controls", "replicates"),
        cautions=(
            "Sees only unwanted variation that differs within replicates: replicates must span the batches.",
            "With pairs as replicates, type-I error 0.06 to 0.07 with weak or sparse factors.",
            "Pseudo-replicates take part of the biology for known; labels that were made from the outcome or from "
            "clusters of the same data make tests too optimistic.",
        ),
        not_promised={
            "nuisance_effects": "Effects of nuisance columns that differ within replicates are part of the differences."
        },
    )
    sample_parameters: ClassVar[tuple[str, ...]] = ("replicates", "biology", "unwanted")

    def __init__(
        self,
        n_factors: int | str | NumFactorsRule = "auto",
        *,
        controls: ArrayLike | None = None,
        replicates: Any = None,
        biology: Any = None,
        unwanted: Any = None,
        min_samples: int = 3,
        compat: str | None = None,
        model: Any = None,
        random_state: Any = 0,
    ) -> None:
        super().__init__(n_factors, model=model, random_state=random_state)
        self.controls = controls
        self.replicates = replicates
        self.biology = biology
        self.unwanted = unwanted
        self.min_samples = min_samples
        self.compat = compat

    @property
    def _literal(self) -> bool:
        if self.compat not in (None, "ruv"):
            raise MethodError(f"compat={self.compat!r} is unknown; RUV3 knows None and 'ruv'.")
        return self.compat == "ruv"

    def _check_needs(self, problem: AdjustmentProblem) -> None:
        given = problem.annotations
        both = given.get("biology") is not None and given.get("unwanted") is not None
        either = given.get("biology") is not None or given.get("unwanted") is not None
        if either and not both:
            raise MethodError("RUV3: pseudo-replicates need both biology= and unwanted=.")
        if both and given.get("replicates") is None:
            problem = _with_own_labels(problem)
        super()._check_needs(problem)

    def _sets(self, problem: AdjustmentProblem) -> ReplicateSets:
        given = problem.annotations
        labels = np.arange(problem.n_samples)
        if given.get("replicates") is not None:
            labels = single_codes(codes_of(given["replicates"]))
        if given.get("biology") is None:
            return ReplicateSets(labels)
        made = pseudo_sets(given["biology"], given["unwanted"], self.min_samples)
        first = labels.max() + 1
        parts = []
        for source in made:
            parts.append(first + source.biology)
            first += source.biology.max() + 1
        averages = np.vstack([source.averaging for source in made])
        return ReplicateSets(np.concatenate([labels, *parts]), averages, _cells(averages))


def _cells(averages: Array) -> NDArray[np.intp]:
    """Label samples by the pseudo-samples that they are part of; the others stand alone."""
    cells = np.asarray(np.unique(averages > 0, axis=1, return_inverse=True)[1]).ravel()
    return single_codes(np.where((averages > 0).any(axis=0), cells, -1))


def _with_own_labels(problem: AdjustmentProblem) -> AdjustmentProblem:
    labels = {**problem.annotations, "replicates": np.arange(problem.n_samples)}
    return AdjustmentProblem(problem.matrix, problem.design, problem.controls, problem.model, labels)


def pseudo_sets(biology: NDArray[Any], unwanted: NDArray[Any], min_samples: int = 3) -> list[PseudoSamples]:
    """Pseudo-samples of every source of unwanted variation.

    Parameters
    ----------
    biology : ndarray of shape (n_samples,) or (n_samples, c)
        Several columns are taken together.
    unwanted : ndarray of shape (n_samples,) or (n_samples, c)
        Several columns are taken one at a time.
    min_samples : int, default=3

    Returns
    -------
    list of PseudoSamples
    """
    if not isinstance(min_samples, int) or min_samples < 1:
        raise MethodError(f"min_samples={min_samples!r}; give a whole number from 1 up.")
    groups = _joint_codes(np.asarray(biology))
    sources = np.asarray(unwanted)
    columns = [sources] if sources.ndim == 1 else list(sources.T)
    return [pseudo_samples(groups, _unwanted_codes(column, groups, min_samples), min_samples) for column in columns]


def _joint_codes(labels: NDArray[Any]) -> NDArray[np.intp]:
    if labels.ndim == 1:
        return codes_of(labels)
    parts = np.column_stack([codes_of(column) for column in labels.T])
    joint = np.asarray(np.unique(parts, axis=0, return_inverse=True)[1]).ravel()
    return np.where((parts < 0).any(axis=1), -1, joint)


def _unwanted_codes(column: NDArray[Any], groups: NDArray[np.intp], size: int) -> NDArray[np.intp]:
    numeric = np.issubdtype(column.dtype, np.number)
    if numeric and len(np.unique(column)) > MAX_LEVELS:
        return extreme_groups(column.astype(np.float64), groups, size)
    return codes_of(column)
