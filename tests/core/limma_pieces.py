"""Stored answers of single limma functions, and the fits that they start from."""

from __future__ import annotations

from functools import cache

import numpy as np

from latentadj.core.matrix import ArrayMatrix
from latentadj.core.regression import RegressionFit, fit_regression
from latentadj.core.variance import VariancePrior, squeeze_variances
from tests.reference_data import ReferenceData, bladder_reference, load_reference, sim1, sim2

STUDIES = {"sim1": sim1, "sim2": sim2, "bladderbatch": bladder_reference}
#: Columns of the ``limma_FIT_rows`` tables (treat: without F and F.p).
ROWS = ("sigma", "Amean", "s2.post", "F", "F.p", "df.total", "df.prior", "s2.prior")
#: Twice the rounding error of ten stored digits.
STORED_10 = 1e-9


@cache
def pieces(name: str) -> dict[str, np.ndarray]:
    """Arrays of one study, by key."""
    mark = f"{name}__"
    return {key[len(mark) :]: value for key, value in _stored().items() if key.startswith(mark)}


@cache
def _stored() -> dict[str, np.ndarray]:
    return load_reference("limma", "pieces")


def data(name: str) -> ReferenceData:
    return STUDIES[name]()


def block(name: str) -> np.ndarray:
    """Blocks that duplicateCorrelation was given."""
    return data(name).sample_data["batch" if name == "bladderbatch" else "block"].to_numpy()


@cache
def fitted(name: str) -> RegressionFit:
    return fit_regression(ArrayMatrix(data(name).X), pieces(name)["design_mod"])


def t_and_p(fit: RegressionFit, prior: VariancePrior) -> tuple[np.ndarray, np.ndarray]:
    """Moderated t and p of all coefficients."""
    from latentadj.core.tails import t_two_sided_p

    t = fit.coef / np.sqrt(fit.contrast_variance(np.eye(fit.coef.shape[1]), prior.s2_post))
    df = prior.df_total
    return t, t_two_sided_p(t, df[:, None] if isinstance(df, np.ndarray) else df)


def assert_limma_fit(name: str, which: str, fit: RegressionFit, rtol: float = STORED_10) -> None:
    """Coefficients, unscaled errors, variances, moderated t and p of a stored fit."""
    stored, prior = pieces(name), squeeze_variances(fit.sigma2, fit.df_resid)
    t, p = t_and_p(fit, prior)
    unscaled = np.sqrt(fit.contrast_variance(np.eye(fit.coef.shape[1]), np.ones(len(t))))
    for part, ours in (("coef", fit.coef), ("t", t), ("p", p), ("unscaled", unscaled)):
        theirs = stored[f"limma_{which}_{part}"]
        np.testing.assert_allclose(ours[: len(theirs)], theirs, rtol=rtol, err_msg=part)
    rows = dict(zip(ROWS, stored[f"limma_{which}_rows"].T, strict=True))
    ours_rows = {"sigma": np.sqrt(fit.sigma2), "s2.post": prior.s2_post, "df.total": prior.df_total}
    ours_rows |= {"df.prior": prior.df_prior, "s2.prior": prior.s2_prior, "Amean": fit.mean}
    for key, values in ours_rows.items():
        shown = np.broadcast_to(values, len(t))[: len(rows[key])]
        np.testing.assert_allclose(shown, rows[key], rtol=rtol, err_msg=key)
