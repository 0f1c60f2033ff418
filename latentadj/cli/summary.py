"""A result as a few small tables."""

from __future__ import annotations

import numpy as np
import pandas as pd

from latentadj.cli.terminal import Terminal
from latentadj.diagnostics import covariate_recovery, discovery_table
from latentadj.results import AdjustmentResult
from latentadj.results.noise import noise_facts

#: False discovery rate at which discoveries are counted.
LEVEL = 0.05

_TOP = ("feature", "term", "estimate", "statistic", "p_value", "p_adjusted", "p_value_unadjusted")


def show_result(terminal: Terminal, result: AdjustmentResult, n_top: int = 10) -> None:
    """Print what was fitted, how many factors and why, confounding, discoveries and the top features.

    Parameters
    ----------
    terminal : Terminal
    result : AdjustmentResult
    n_top : int, default=10
    """
    terminal.facts(fitted_facts(result))
    rules = rule_table(result)
    if len(rules):
        terminal.table(rules, "Number of factors, by rule")
    if result.n_factors and result.tests.names:
        terminal.table(confounding_table(result), "Are the factors associated with what is tested?")
    covariates = recovery_table(result)
    if len(covariates):
        terminal.table(covariates, "Which covariates do the factors follow, beyond the design?")
    if result.tests.names:
        terminal.table(discovery_table(result, LEVEL), f"Discoveries at a false discovery rate of {LEVEL:.0%}")
        top = result.top(n_top)
        shown = [name for name in _TOP if top[name].notna().any()]
        terminal.table(top[shown], "Top features")


def fitted_facts(result: AdjustmentResult) -> dict[str, str]:
    """Say what was fitted.

    Parameters
    ----------
    result : AdjustmentResult

    Returns
    -------
    dict of str to str
    """
    number = result.num_factors
    how = "as asked" if number.chosen_by == "user" else f"chosen by {number.chosen_by.replace('_', ' ')}"
    df = float(np.median(result.fit.df_resid))
    return {
        "Data": f"{result.n_samples} samples x {result.n_features} features",
        "Design": result.design.formula or ", ".join(result.design.names),
        "Method": f"{result.method_title}. {result.reason}",
        "Assumption": result.assumption,
        "Factors": f"{result.n_factors}, {how} (at most {number.limit} were possible)",
        "Degrees of freedom": f"{result.n_samples} samples - {result.design.rank} design columns - "
        f"{result.n_factors} factors = {df:.0f}" + (" (median)" if np.ndim(result.fit.df_resid) else ""),
        **noise_facts(result),
    }


def rule_table(result: AdjustmentResult) -> pd.DataFrame:
    """Every rule's answer to "how many factors", a row per rule.

    Parameters
    ----------
    result : AdjustmentResult

    Returns
    -------
    pandas.DataFrame
        Columns ``rule, factors, used``.
    """
    number = result.num_factors
    rows = [
        {
            "rule": answer.rule.replace("_", " "),
            "factors": answer.n_factors,
            "used": "yes" if answer.rule == number.chosen_by else "",
        }
        for answer in number.answers
    ]
    return pd.DataFrame(rows, columns=["rule", "factors", "used"])


def confounding_table(result: AdjustmentResult) -> pd.DataFrame:
    """The confounding test, a row per tested column.

    Parameters
    ----------
    result : AdjustmentResult

    Returns
    -------
    pandas.DataFrame
        Columns ``term, F, p_value, R2, std_error_grows_by``.
    """
    table = result.confounding.table().reset_index()
    grows = table["variance_inflation"] ** 0.5
    return pd.DataFrame(
        {
            "term": table["term"],
            "F": table["statistic"],
            "p_value": table["p_value"],
            "R2": table["r2"],
            "std_error_grows_by": grows.map("{:.2f}x".format),
        }
    )


def recovery_table(result: AdjustmentResult, n_rows: int = 10) -> pd.DataFrame:
    """Covariates that the factors follow most, with the design taken out first.

    Parameters
    ----------
    result : AdjustmentResult
    n_rows : int, default=10

    Returns
    -------
    pandas.DataFrame
        Columns ``covariate, R2, p_value``; those with the smallest p-values. Covariates of the design and those
        that cannot be used are left out.
    """
    if result.sample_data is None or not result.n_factors:
        return pd.DataFrame(columns=["covariate", "R2", "p_value"])
    table = covariate_recovery(result, given_design=True).rename(columns={"r2": "R2"})
    usable = table[table["p_value"].notna()].sort_values("p_value")
    return usable[["covariate", "R2", "p_value"]].head(n_rows)


def show_files(terminal: Terminal, directory: str, names: list[str], leftovers: list[str]) -> None:
    """Say which files were written, and which are left from an earlier run.

    Parameters
    ----------
    terminal : Terminal
    directory : str
    names, leftovers : list of str
    """
    terminal.say("")
    terminal.say(f"Written to {directory}: {', '.join(names)}")
    if leftovers:
        terminal.note(f"{directory} still holds {', '.join(leftovers)} of an earlier run.")
