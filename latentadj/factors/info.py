"""What the catalogue knows about a method."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

IDENTIFICATIONS = ("none needed", "controls", "replicates", "sparsity", "orthogonality", "nothing")
INPUT_SCALES = ("continuous", "counts")


@dataclass(frozen=True)
class MethodInfo:
    """A method's card.

    Attributes
    ----------
    name : str
        Short name, as in ``method="sva"``.
    title : str
        Full name.
    reference : str
        Paper the method comes from.
    identified_by : str
        The assumption that separates hidden factors from true effects.
    identification : {"none needed", "controls", "replicates", "sparsity", "orthogonality", "nothing"}
        The kind of that assumption; it decides which checks of the assumption ledger are run. "orthogonality":
        effects that do not follow the loadings.
    summary : str
        One sentence on what it does.
    needs : tuple of str
        Inputs it cannot do without, e.g. ``("controls",)``.
    input_scale : {"continuous", "counts"}
        What the values of X are: on a scale where effects add up, or counts.
    valid_for_testing : bool
        Whether its p-values may be used for the primary variables.
    streams : bool
        Whether it reads the data in passes over feature blocks only.
    cautions : tuple of str
        Where it fails or is weak, a sentence each, for the method card.
    not_promised : mapping of str to str
        Promises of `latentadj.testing.PROMISES` that cannot hold by definition of the method, by name, with the
        reason, a sentence each.
    rounding : float
        Largest difference, relative to the largest number of an array, between answers whose sums were taken in
        another order. Larger only for iterations that stop within a tolerance.

    Raises
    ------
    ValueError
        For an `identification` or an `input_scale` that is not listed above.
    """

    name: str
    title: str
    reference: str
    identified_by: str
    summary: str
    identification: str = "sparsity"
    needs: tuple[str, ...] = ()
    input_scale: str = "continuous"
    valid_for_testing: bool = True
    streams: bool = True
    cautions: tuple[str, ...] = ()
    not_promised: Mapping[str, str] = field(default_factory=dict, hash=False)
    rounding: float = 1e-11

    def __post_init__(self) -> None:
        for name, allowed in (("identification", IDENTIFICATIONS), ("input_scale", INPUT_SCALES)):
            if getattr(self, name) not in allowed:
                raise ValueError(
                    f"{self.name}: {name}={getattr(self, name)!r} is unknown; choose one of {', '.join(allowed)}."
                )
