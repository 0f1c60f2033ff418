"""The plain-language lines at the top of a report."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

import numpy as np
import pandas as pd

from latentadj.diagnostics import calibration_table, control_table, covariate_recovery, discovery_table
from latentadj.report.markup import number, share
from latentadj.report.verdict_lines import Verdict
from latentadj.results import AdjustmentResult

#: Tested columns that get sentences of their own.
MOST_TERMS = 6
ALPHA = 0.05

_SHAPES = {
    "uniform": "are spread evenly",
    "uniform+spike": "are flat with a peak near 0, as they should be",
    "inflated": "fall all the way to 1, with no flat part",
    "conservative": "have too few small values",
    "u_shaped": "pile up at both ends",
    "discrete": "are mostly tied",
    "too_few": "are too few for a shape",
}


def verdicts(result: AdjustmentResult) -> list[Verdict]:
    """Say in plain words what was found: factors, confounding, what the factors are, calibration, discoveries.

    Parameters
    ----------
    result : AdjustmentResult

    Returns
    -------
    list of Verdict

    Examples
    --------
    >>> import latentadj as la
    >>> X = np.random.default_rng(0).normal(size=(12, 300))
    >>> res = la.adjust(X, la.Design.from_arrays(np.repeat([0, 1], 6)), n_factors=0)
    >>> [line.topic for line in verdicts(res)]
    ['Hidden factors', 'Confounding', 'Calibration', 'Discoveries']
    """
    lines = [_number_line(result), *_confounding_lines(result), *_recovery_lines(result)]
    lines += [*_calibration_lines(result), *_control_lines(result), *_discovery_lines(result)]
    return lines


def hidden_covariates(result: AdjustmentResult) -> pd.DataFrame:
    """Covariates outside the formula, with how well the factors recover them given the design.

    Parameters
    ----------
    result : AdjustmentResult

    Returns
    -------
    pandas.DataFrame
        As `diagnostics.covariate_recovery`, those with an adjusted p-value below 0.05 first, best recovered leading;
        empty without a sample table or factors.

    Examples
    --------
    >>> import latentadj as la
    >>> data = la.load_bladder()
    >>> res = la.adjust(data.X.iloc[:, :2000], "~ cancer", data.sample_data, method="sva", n_factors=5)
    >>> sorted(hidden_covariates(res)["covariate"])
    ['batch', 'outcome']
    """
    if result.sample_data is None or result.n_factors == 0:
        return pd.DataFrame({"covariate": [], "canonical_correlation": [], "p_value": [], "p_adjusted": []})
    table = covariate_recovery(result, given_design=True)
    named = {name for names in result.design.variables for name in names}
    outside = table[~table["covariate"].isin(named) & table["p_value"].notna()]
    order = np.lexsort([-outside["canonical_correlation"].to_numpy(), (outside["p_adjusted"] >= ALPHA).to_numpy()])
    return outside.iloc[order].reset_index(drop=True)


def _plural(count: int, word: str) -> str:
    return f"{count:,} {word}{'s' * (count != 1)}"


def _rule(name: str) -> str:
    return name.replace("_", " ")


def _number_line(result: AdjustmentResult) -> Verdict:
    chosen = result.num_factors
    by = "the number was given" if chosen.chosen_by == "user" else f"chosen by {_rule(chosen.chosen_by)}"
    text = f"{_plural(result.n_factors, 'hidden factor')}; {by}, at most {chosen.limit} were possible."
    others = Counter(a.n_factors for a in chosen.answers if a.rule != chosen.chosen_by)
    if others:
        said = (f"{k} ({_plural(count, 'rule')})" for k, count in sorted(others.items()))
        text += f" Other rules say {', '.join(said)}."
    numbers = np.array(list(others.elements()))
    agree = not others or float(np.mean(np.abs(numbers - result.n_factors) <= 1)) >= 0.5
    return Verdict("ok" if agree else "note", "Hidden factors", text)


def _confounding_lines(result: AdjustmentResult) -> Iterator[Verdict]:
    if result.n_factors == 0:
        text = "No hidden factor is in the model: this is the ordinary regression, and nothing was adjusted for."
        yield Verdict("note", "Confounding", text)
        return
    if not result.valid_for_testing:
        text = f"{result.method_title} leaves every estimate as it is; confounding was not removed."
        yield Verdict("warning", "Confounding", text)
    test = result.confounding
    for name, p, r2 in list(zip(test.names, test.p_value, test.r2, strict=True))[:MOST_TERMS]:
        yield _confounding_line(name, float(p), float(r2))


def _confounding_line(name: str, p: float, r2: float) -> Verdict:
    numbers = f"they explain {share(r2)} of it, p = {number(p, p_value=True)}"
    if np.isnan(p):
        text = f"Whether {name} is confounded cannot be tested: no degrees of freedom are left for it."
        return Verdict("note", "Confounding", text)
    if p >= ALPHA and r2 <= 0.6:
        return Verdict("ok", "Confounding", f"No sign that hidden factors are associated with {name} ({numbers}).")
    text = f"{name} is confounded with hidden factors ({numbers}): do not trust the unadjusted results for it."
    if r2 <= 0.6:
        return Verdict("note", "Confounding", text)
    text += " The overlap is so large that an effect on most features cannot be told from a hidden factor."
    return Verdict("warning", "Confounding", text)


def _recovery_lines(result: AdjustmentResult) -> Iterator[Verdict]:
    table = hidden_covariates(result)
    if not len(table):
        return
    found = table[table["p_adjusted"] < ALPHA]
    if not len(found):
        text = (
            f"The factors follow none of the {_plural(len(table), 'column')} of the sample table outside the formula."
        )
        yield Verdict("ok", "What the factors are", text)
        return
    parts = [
        f"{row['covariate']} (canonical correlation {row['canonical_correlation']:.2f}, "
        f"p = {number(row['p_value'], p_value=True)})"
        for row in found.head(3).to_dict("records")
    ]
    more = f" and {len(found) - 3} more" if len(found) > 3 else ""
    text = (
        f"Without being told, the factors recover {', '.join(parts)}{more}, beyond what the design explains. "
        "If one of them is a nuisance, consider naming it in the formula."
    )
    yield Verdict("note", "What the factors are", text)


def _calibration_lines(result: AdjustmentResult) -> Iterator[Verdict]:
    table = calibration_table(result)
    for name, rows in list(table.groupby("term", sort=False))[:MOST_TERMS]:
        before, after = (rows[rows["which"] == which].iloc[0] for which in ("unadjusted", "adjusted"))
        text = f"The p-values of {name} {_SHAPES[after['verdict']]}."
        if np.isfinite(after["mad"]):
            text += f" The bulk of its statistics has a spread of {number(after['mad'])} (1 expected"
            text += f"; {number(before['mad'])} without factors)." if result.n_factors else ")."
        if after["level"] != "ok":
            text += f" {after['cause']} {after['next_step']}"
        yield Verdict(str(after["level"]), "Calibration", text)


def _control_lines(result: AdjustmentResult) -> Iterator[Verdict]:
    table = control_table(result)
    for name, rows in list(table.groupby("term", sort=False))[:MOST_TERMS]:
        before, after = (rows[rows["which"] == which].iloc[0] for which in ("unadjusted", "adjusted"))
        p = after["uniformity_p"]
        level = "warning" if p < 1e-3 else "note" if p < ALPHA else "ok"
        text = (
            f"Of {int(after['n_controls'])} negative controls, {share(after['below_05'])} have p < 0.05 for {name} "
            f"(5 % expected; {share(before['below_05'])} without factors)."
        )
        text += "" if level == "ok" else " They respond to it, or confounding is left."
        yield Verdict(level, "Controls", text)


def _discovery_lines(result: AdjustmentResult) -> Iterator[Verdict]:
    table = discovery_table(result, ALPHA)
    doubtful = set(calibration_table(result).query("which == 'adjusted' and level == 'warning'")["term"])
    for row in table.head(MOST_TERMS).to_dict("records"):
        text = f"{row['term']}: {_plural(row['adjusted'], 'feature')} at 5 % false discovery rate"
        if result.n_factors:
            text += f"; {row['unadjusted']:,} without factors, {row['both']:,} in both lists"
        text += "; the calibration line says why to be careful." if row["term"] in doubtful else "."
        yield Verdict("note" if row["term"] in doubtful else "ok", "Discoveries", text)
    if len(table) > MOST_TERMS:
        text = f"{len(table) - MOST_TERMS} more tested columns are in the tables below."
        yield Verdict("note", "Discoveries", text)
