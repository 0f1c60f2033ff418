"""``latentadj demo``: the bundled study with its batch hidden."""

from __future__ import annotations

from argparse import Namespace
from pathlib import Path

from latentadj._adjust import adjust
from latentadj.cli.outputs import OutputPlan, write_outputs
from latentadj.cli.summary import show_files, show_result
from latentadj.cli.terminal import Terminal
from latentadj.data import load_bladder
from latentadj.diagnostics import covariate_recovery, factor_association
from latentadj.results import AdjustmentResult

#: Folder that the demonstration owns: its files are replaced by every run.
DEMO_DIR = "latentadj-demo"
FORMULA = "~ cancer"
HIDDEN = "batch"


def run_demo(args: Namespace, terminal: Terminal) -> None:
    """Analyse the bladder study without its batch, show what was found, and write the output.

    Parameters
    ----------
    args : argparse.Namespace
        ``out`` (None for the folder the demonstration owns) and ``overwrite``.
    terminal : Terminal

    Raises
    ------
    OutputError
        The output cannot be written; found before anything is computed.
    """
    plan = OutputPlan(Path(args.out or DEMO_DIR), overwrite=args.overwrite or args.out is None)
    with plan.staged() as staging:
        with terminal.stage("Loading the bladder study"):
            data = load_bladder()
        with terminal.stage(f"Fitting {data.X.shape[0]} samples x {data.X.shape[1]} features"):
            result = adjust(data.X, FORMULA, data.sample_data)
        command = {"name": "demo", "data": data.name, "formula": FORMULA, "hidden": HIDDEN}
        names = write_outputs(result, staging, plan, command, terminal)
    terminal.say(f"{data.description}\nThe formula is {FORMULA}: the {HIDDEN} is not given to the analysis.\n")
    show_result(terminal, result)
    show_hidden(terminal, result, HIDDEN)
    show_files(terminal, str(plan.directory), names, plan.leftovers(names))


def show_hidden(terminal: Terminal, result: AdjustmentResult, covariate: str) -> None:
    """Print how strongly the factors follow a covariate that the design does not have.

    Parameters
    ----------
    terminal : Terminal
    result : AdjustmentResult
        With a sample table that holds the covariate.
    covariate : str
    """
    if not result.n_factors:
        return
    table = factor_association(result, given_design=True)
    found = table[table["covariate"] == covariate].sort_values("statistic", ascending=False)
    shown = found[["factor", "statistic", "p_value"]].rename(columns={"statistic": f"R2 on {covariate}"})
    terminal.table(shown, f"Is the {covariate}, never given, found in the factors? (at equal {tested_terms(result)})")
    recovery = covariate_recovery(result, given_design=True).set_index("covariate").loc[covariate]
    chance = result.n_factors / (result.n_samples - result.design.rank)
    terminal.say(
        f"At equal {tested_terms(result)}, the {result.n_factors} factors carry {recovery['r2']:.0%} of what the "
        f"levels of {covariate} differ by (p = {recovery['p_value']:.1e}); random directions would carry {chance:.0%}."
    )


def tested_terms(result: AdjustmentResult) -> str:
    """Name the formula's tested terms.

    Parameters
    ----------
    result : AdjustmentResult

    Returns
    -------
    str
    """
    terms = dict.fromkeys(result.design.terms[i] for i in result.design.columns_with("primary"))
    return " and ".join(terms)
