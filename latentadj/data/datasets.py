"""Data sets that come with the package."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import resources

import numpy as np
import pandas as pd

_BLADDER = (
    "Gene expression of 57 bladder samples (Affymetrix HG-U133A, 22,283 probe sets, normalised, log2 scale), "
    "hybridised in 5 batches: 9 biopsies, 40 cancers, 8 normal controls. The batch nearly determines the "
    "tissue type. Dyrskjot et al. (2004), Cancer Research 64, 4040-4048; from the Bioconductor data package "
    "bladderbatch 1.36.0 (J. T. Leek, Artistic-2.0)."
)


@dataclass(frozen=True, eq=False)
class Dataset:
    """A study ready to be analysed.

    Attributes
    ----------
    name : str
    X : DataFrame, (n_samples, n_features) float64
        Measured matrix, indexed by sample ID, columns are feature IDs.
    sample_data : DataFrame, n_samples rows
        Sample table in the order of ``X``.
    controls : tuple of str
        IDs of negative-control features.
    description : str
        What was measured, by whom, and the licence of the data.

    Examples
    --------
    >>> load_bladder()
    Dataset(bladder: 57 samples x 22283 features, 68 controls)
    """

    name: str
    X: pd.DataFrame
    sample_data: pd.DataFrame
    controls: tuple[str, ...]
    description: str

    def __repr__(self) -> str:
        n, m = self.X.shape
        return f"Dataset({self.name}: {n} samples x {m} features, {len(self.controls)} controls)"


def load_bladder() -> Dataset:
    """Load the bladder-cancer study, the standard example of a batch that nearly determines the biology.

    Returns
    -------
    Dataset
        ``X`` is 57 x 22,283 on the log2 scale. ``sample_data`` has the categorical columns ``cancer``
        (Biopsy, Cancer, Normal), ``batch`` ("1" to "5") and ``outcome`` (five levels). ``controls`` are the
        68 AFFX probes of the manufacturer.

    Notes
    -----
    Values are stored as float32 and given as float64 rounded to six decimals, which is exactly what the
    source rounded to six decimals holds (see ``bundled/PROVENANCE.md``).

    References
    ----------
    Dyrskjot, L. et al. (2004). Cancer Research 64, 4040-4048.
    Leek, J. T. et al. (2010). Nature Reviews Genetics 11, 733-739.

    Examples
    --------
    >>> data = load_bladder()
    >>> data.sample_data["cancer"].value_counts().to_dict()
    {'Cancer': 40, 'Biopsy': 9, 'Normal': 8}
    """
    source = resources.files("latentadj.data").joinpath("bundled").joinpath("bladder.npz")
    with source.open("rb") as handle, np.load(handle) as stored:
        sample_ids, feature_ids = stored["sample_ids"].astype(object), stored["feature_ids"].astype(object)
        values = np.round(stored["X"].astype(np.float64), 6)
        labels = {name: pd.Categorical(stored[name].astype(object)) for name in ("cancer", "batch", "outcome")}
    return Dataset(
        name="bladder",
        X=pd.DataFrame(values, index=sample_ids, columns=feature_ids),
        sample_data=pd.DataFrame(labels, index=sample_ids),
        controls=tuple(name for name in feature_ids if name.startswith("AFFX")),
        description=_BLADDER,
    )
