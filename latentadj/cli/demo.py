"""``latentadj demo``: the bundled study with its batch hidden."""

from __future__ import annotations

from argparse import Namespace
from pathlib import Path

import numpy as np
import pandas as pd

from latentadj._adjust import adjust
from latentadj.cli.outputs import OutputPlan, write_outputs
from latentadj.cli.summary import show_files, show_result
from latentadj.cli.terminal import Terminal
from latentadj.data import load_bladder
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
    """Print how strongly each factor is associated with a covariate that the design does not have.

    Parameters
    ----------
    terminal : Terminal
    result : AdjustmentResult
        With a sample table that holds the covariate.
    covariate : str
    """
    from latentadj.diagnostics import factor_association

    table = factor_association(result)
    found = table[table["covariate"].astype(str) == covariate]
    terminal.table(
        pd.DataFrame(
            {
                "factor": found["factor"],
                f"share of its variance between {covariate}es": found["statistic"],
                "p_value": found["p_value"],
            }
        ),
        f"Is the {covariate}, never given, found in the factors?",
    )
    best = found.loc[found["statistic"].idxmax()]
    share = shared_variation(result, covariate)
    terminal.say(
        f"{covariate} explains {best['statistic']:.0%} of {best['factor']}; together the factors carry {share:.0%} of "
        f"the differences between {covariate}es."
    )


def shared_variation(result: AdjustmentResult, covariate: str) -> float:
    """Share of a categorical covariate's indicator columns that the factors explain.

    Parameters
    ----------
    result : AdjustmentResult
    covariate : str
        Column of ``result.sample_data``.

    Returns
    -------
    float
        Explained sum of squares over the total, of all centred indicators together (the redundancy index of
        canonical analysis).
    """
    if result.sample_data is None or not result.n_factors:
        return 0.0
    indicators = pd.get_dummies(result.sample_data[covariate]).to_numpy(dtype=float)
    indicators = indicators - indicators.mean(axis=0)
    scores = result.factors.to_numpy()
    basis, _ = np.linalg.qr(scores - scores.mean(axis=0))
    total = float(np.sum(indicators**2))
    return float(np.sum((basis.T @ indicators) ** 2)) / total if total else 0.0
