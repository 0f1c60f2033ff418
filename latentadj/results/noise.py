"""What a result assumes about the noise of its values, in words."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from latentadj.results.adjustment import AdjustmentResult


def noise_facts(result: AdjustmentResult) -> dict[str, str]:
    """Say how features were fitted where that is not plain least squares with every value.

    Parameters
    ----------
    result : AdjustmentResult

    Returns
    -------
    dict of str to str
        Empty for plain least squares.
    """
    facts = {}
    model = str(result.manifest.get("model", "LinearModel()"))
    if not model.startswith("LinearModel"):
        facts["Fitted by"] = model
    fit = result.fit
    if fit.n_obs is not None and fit.n_obs.min() < result.n_samples:
        share = 1.0 - fit.n_obs.sum() / (len(fit.n_obs) * result.n_samples)
        facts["Missing values"] = (
            f"{share:.1%} of all; {np.mean(fit.n_obs < result.n_samples):.0%} of the features lack some, and are "
            "fitted to the values they have"
        )
    if result.block_correlation is not None:
        facts["Correlation within blocks"] = f"{result.block_correlation:.2f}"
    weights = result.sample_weights
    if weights is not None and weights.max() > 1.05 * weights.min():
        facts["Sample weights"] = f"{weights.min():.2f} to {weights.max():.2f}"
    spent = float(result.manifest.get("df_spent") or 0.0)
    if spent:
        facts["Adjusted before"] = f"{spent:g} degrees of freedom were taken off for an earlier adjustment"
    return facts
