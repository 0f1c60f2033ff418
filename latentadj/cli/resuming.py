"""What is left of an analysis that was stopped, and going on with it."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from latentadj.cli.terminal import Terminal
from latentadj.core.passes import pass_options
from latentadj.data.file_facts import file_facts
from latentadj.exceptions import LatentAdjError, OutputError
from latentadj.execution import FolderCheckpoint
from latentadj.execution.folder_checkpoint import LEAST_BYTES, LEAST_SECONDS, remove_checkpoint

#: Hidden folder in the output folder.
FOLDER = ".resume"
#: Without --resume, parts of passes that read at least this much are kept all the same.
LARGE_BYTES = 400_000_000
#: Arguments that change neither the data nor the numbers.
_IRRELEVANT = ("run", "command", "out", "overwrite", "format", "report", "adjusted", "resume", "threads")


class UnfinishedRun:
    """The checkpoint of a run of the command line, in a hidden folder of its output.

    Parameters
    ----------
    args : argparse.Namespace
    inputs : iterable of Path
        Files that are read.
    terminal : Terminal

    Raises
    ------
    InputError
        To be resumed is a run with other data or options; says what differs.

    Notes
    -----
    With ``--resume`` the folder is used whatever the size of the data. Without it, it is used for large data as long as
    nothing lies in it; what another run left stays there until this one has written its results.
    """

    def __init__(self, args: Namespace, inputs: Iterable[Path], terminal: Terminal) -> None:
        self._directory, self._terminal = Path(args.out), terminal
        self._folder = self._directory / FOLDER
        self._new_directory = not self._directory.exists()
        left = self._folder.exists()
        self._checkpoint: FolderCheckpoint | None = None
        if left and not args.resume:
            terminal.note(
                f"{self._folder} holds finished parts of a run that was stopped. Rerun with --resume to go on with it; "
                "this run begins anew."
            )
            return
        least = LEAST_BYTES if args.resume else LARGE_BYTES
        self._checkpoint = FolderCheckpoint(
            self._folder, run_facts(args, inputs), least_bytes=least, least_seconds=LEAST_SECONDS
        )
        if self._checkpoint.exists:
            terminal.note(f"going on with the run that was stopped ({self._checkpoint.n_bytes / 1e6:.0f} MB are kept).")

    @contextmanager
    def kept(self) -> Iterator[None]:
        """Keep finished parts of what is computed in a ``with`` block; not after an error in the input."""
        if self._checkpoint is None:
            yield
            return
        try:
            with self._checkpoint, pass_options(checkpoint=self._checkpoint):
                yield
        except LatentAdjError as error:
            if isinstance(error, OutputError) or self._checkpoint.exists:
                self._say_what_is_kept()
            else:
                self._remove(self._checkpoint)
            raise
        except BaseException:
            self._say_what_is_kept()
            raise

    def finish(self) -> None:
        """Remove what was kept: the results are written."""
        if self._checkpoint is not None:
            self._checkpoint.close()
        remove_checkpoint(self._folder)

    def _say_what_is_kept(self) -> None:
        if self._folder.exists():
            self._terminal.note(f"finished parts are kept in {self._folder}. Rerun with --resume to go on.")

    def _remove(self, checkpoint: FolderCheckpoint) -> None:
        checkpoint.remove()
        if self._new_directory:
            with suppress(OSError):  # something else is in it
                self._directory.rmdir()


def run_facts(args: Namespace, inputs: Iterable[Path]) -> dict[str, Any]:
    """Say what a run is made with: its options, and size and time of the files that it reads.

    Parameters
    ----------
    args : argparse.Namespace
    inputs : iterable of Path

    Returns
    -------
    dict

    Examples
    --------
    >>> run_facts(Namespace(formula="~ x", out="a", threads=2), [])
    {'options': {'formula': '~ x'}, 'files': {}}
    """
    options = {name: value for name, value in vars(args).items() if name not in _IRRELEVANT}
    return {"options": options, "files": {str(path): file_facts(path) for path in inputs}}
