"""Factors, loadings and how they were made, written into an AnnData object."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from latentadj.data.provenance import KEY
from latentadj.data.writers import plain_values
from latentadj.exceptions import AlignmentError, InputError

if TYPE_CHECKING:
    from latentadj.results.adjustment import AdjustmentResult

SCORES, LOADINGS, RESULT = "X_latent", "latent_loadings", "result"


def write_into_anndata(result: AdjustmentResult, adata: Any) -> Any:
    """Write factors, loadings and the record of a result into an AnnData object.

    Parameters
    ----------
    result : AdjustmentResult
    adata : AnnData of shape (n_obs, n_vars)
        Samples and features of the result, all or some of them, in any order.

    Returns
    -------
    AnnData
        The same object, with ``obsm["X_latent"]`` (n_obs, k), ``varm["latent_loadings"]`` (n_vars, k), and
        ``uns["latentadj"]["result"]``: formula, method, tested columns, names of the factors, warnings, and the
        manifest as JSON. A record of an earlier adjustment in ``uns["latentadj"]`` stays. Values are not changed.

    Raises
    ------
    InputError
        `adata` is no AnnData object.
    AlignmentError
        It has samples or features that the result does not have.

    Examples
    --------
    >>> import anndata, latentadj as la
    >>> data = la.load_bladder()
    >>> adata = anndata.AnnData(data.X.iloc[:, :500], obs=data.sample_data)
    >>> result = la.adjust(adata, "~ cancer", method="cate", n_factors=2)
    >>> adata = write_into_anndata(result, adata)
    >>> adata.obsm["X_latent"].shape, adata.varm["latent_loadings"].shape, adata.uns["latentadj"]["result"]["method"]
    ((57, 2), (500, 2), 'cate')
    """
    if not all(hasattr(adata, name) for name in ("obsm", "varm", "uns", "obs_names", "var_names")):
        raise InputError(f"adata is a {type(adata).__name__}; an AnnData object is needed.")
    unnamed = result.feature_ids.dtype != object
    features = None if unnamed else [str(name) for name in result.feature_ids]
    samples = _positions(result.sample_ids, list(adata.obs_names), "samples")
    columns = _positions(features, list(adata.var_names), "features", result.n_features)
    adata.obsm[SCORES] = result.factors.to_numpy()[samples]
    adata.varm[LOADINGS] = result.loadings.to_numpy()[columns]
    earlier = adata.uns.get(KEY)
    kept = dict(earlier) if isinstance(earlier, Mapping) else {}
    adata.uns[KEY] = {**kept, RESULT: _record(result)}
    return adata


def _positions(known: Sequence[str] | None, wanted: list[Any], what: str, size: int = 0) -> NDArray[np.intp]:
    """Rows of the result for the names of the object; its own order where the result has no names."""
    names = [str(name) for name in wanted]
    if known is None or list(known) == [f"sample{i + 1}" for i in range(len(known))] != names:
        size = size if known is None else len(known)
        if len(names) != size:
            raise AlignmentError(
                f"The result has {size} {what} without names, the AnnData object {len(names)}. Give the object that "
                "was analysed."
            )
        return np.arange(size)
    found = pd.Index(list(known)).get_indexer(pd.Index(names))
    lost = [name for name, position in zip(names, found, strict=True) if position < 0]
    if lost:
        raise AlignmentError(
            f"{len(lost)} of the {len(names)} {what} of the AnnData object are not in the result, e.g. {lost[0]!r}. "
            "Give the object that was analysed, or a part of it."
        )
    return np.asarray(found, dtype=np.intp)


def _record(result: AdjustmentResult) -> dict[str, Any]:
    return {
        "formula": result.design.formula or "",
        "method": result.method,
        "method_title": result.method_title,
        "reason": result.reason,
        "tested": np.array(result.tests.names, dtype=object),
        "factors": np.array(list(result.factors.columns), dtype=object),
        "n_factors": result.n_factors,
        "n_factors_chosen_by": result.num_factors.chosen_by,
        "warnings": np.array(result.warnings, dtype=object),
        "manifest": json.dumps(plain_values(result.manifest)),
    }
