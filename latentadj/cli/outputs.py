"""Files of a finished analysis, all of them or none."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from latentadj.cli.terminal import Terminal
from latentadj.data.stores.writing import files_of, require_matrix_writer
from latentadj.data.table_blocks import require_table_writer
from latentadj.data.writers import atomic_directory, write_json_atomic, write_table_atomic
from latentadj.exceptions import MissingExtraError, OutputError
from latentadj.results import AdjustmentResult

#: Every name the command line may write; only these are ever replaced.
OWNED = (
    "results.csv",
    "results.parquet",
    "results.zarr",
    "factors.csv",
    "manifest.json",
    "report.html",
    *(name for kind in ("npy", "zarr", "h5") for name in files_of(f"adjusted.{kind}")),
)
#: Moved last: with it the other files are there.
SEAL = "manifest.json"


@dataclass(frozen=True)
class OutputPlan:
    """Where the output goes and what it consists of.

    Attributes
    ----------
    directory : Path
    overwrite : bool
        Replace earlier output in `directory`.
    table_format : {"csv", "parquet", "zarr"}
        Of the results table.
    report : bool
        Write report.html.
    adjusted : {None, "npy", "zarr", "h5"}
        Kind of file for the adjusted data.

    Examples
    --------
    >>> OutputPlan(Path("out")).table_name
    'results.csv'
    """

    directory: Path
    overwrite: bool = False
    table_format: str = "csv"
    report: bool = True
    adjusted: str | None = None

    @property
    def table_name(self) -> str:
        """File name of the results table."""
        return f"results.{self.table_format}"

    @property
    def adjusted_name(self) -> str | None:
        """File name of the adjusted data."""
        return None if self.adjusted is None else f"adjusted.{self.adjusted}"

    @contextmanager
    def staged(self, inputs: Iterable[Path] = ()) -> Iterator[Path]:
        """Check that the output can be written, give a folder to write into, and move its files at the end.

        Parameters
        ----------
        inputs : iterable of Path
            Files that must not be replaced.

        Yields
        ------
        Path

        Raises
        ------
        OutputError
            Earlier output is there, the place cannot be written to, or it holds one of the inputs; all before
            the body runs.
        MissingExtraError
            Parquet without pyarrow, zarr or HDF5 without zarr or h5py.
        """
        require_table_writer(self.table_name)
        if self.adjusted_name is not None:
            require_matrix_writer(self.adjusted_name)
        self._spare(inputs)
        with atomic_directory(self.directory, overwrite=self.overwrite, owned=OWNED, seal=SEAL) as staging:
            yield staging

    def leftovers(self, written: Iterable[str]) -> list[str]:
        """Names of earlier output in the directory that was not replaced."""
        return [name for name in OWNED if name not in set(written) and (self.directory / name).exists()]

    def _spare(self, inputs: Iterable[Path]) -> None:
        mine = {(self.directory / name).resolve() for name in OWNED}
        for path in inputs:
            if path.resolve() in mine:
                raise OutputError(f"{path} is an input and would be replaced by the output. Name another --out folder.")


def write_outputs(
    result: AdjustmentResult, staging: Path, plan: OutputPlan, command: Mapping[str, Any], terminal: Terminal
) -> list[str]:
    """Write the tables, the manifest and the report of a result into a folder.

    Parameters
    ----------
    result : AdjustmentResult
    staging : Path
        Existing folder.
    plan : OutputPlan
    command : mapping
        What was asked for; kept in the manifest.
    terminal : Terminal
        For progress; its warnings go into the manifest.

    Returns
    -------
    list of str
        Names of the files, in the order in which a user wants to see them.
    """
    names = [plan.table_name, "factors.csv", "manifest.json"]
    with terminal.stage("Writing the tables"):
        result.write_table(staging / plan.table_name)
        write_table_atomic(result.factors.rename_axis("sample"), staging / "factors.csv")
    if plan.adjusted_name is not None:
        with terminal.work("Writing the adjusted data"):
            result.write_adjusted(staging / plan.adjusted_name)
        names.append(plan.adjusted_name)
    if plan.report and _write_report(result, staging / "report.html", plan, terminal):
        names.append("report.html")
    write_json_atomic(_manifest(result, command, names, terminal), staging / "manifest.json")
    return names


def _write_report(result: AdjustmentResult, path: Path, plan: OutputPlan, terminal: Terminal) -> bool:
    linked = [
        (plan.table_name, "a row per feature and tested column"),
        ("factors.csv", "the hidden factors, a row per sample"),
        ("manifest.json", "what was asked for, versions, warnings"),
    ]
    try:
        with terminal.stage("Drawing the report"):
            result.report(path, linked=linked)
    except MissingExtraError as error:
        terminal.warn(f"report.html was not written. {error}")
        return False
    return True


def _manifest(
    result: AdjustmentResult, command: Mapping[str, Any], names: list[str], terminal: Terminal
) -> dict[str, Any]:
    return {
        **result.manifest,
        "command": command,
        "reason": result.reason,
        "n_factors": result.n_factors,
        "n_factors_chosen_by": result.num_factors.chosen_by,
        "tested": list(result.tests.names),
        "warnings": list(dict.fromkeys([*result.warnings, *_unclassed(result, terminal)])),
        "files": names,
    }


def _unclassed(result: AdjustmentResult, terminal: Terminal) -> list[str]:
    """Warnings shown on the way that the result does not hold, such as those of the alignment."""
    held = {text.partition(": ")[2] for text in result.warnings}
    return [text for text in terminal.warnings if text not in held]
