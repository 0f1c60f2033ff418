"""Run every benchmark and print one table of ratios; exit status 1 if a limit is missed."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from benchmarks import factor_analysis, known_batches, missing, out_of_core, regression, rivals, surrogate, tails
from benchmarks.measure import COLUMNS, Row, line, measure

PAGE = Path(__file__).resolve().parents[1] / "docs" / "benchmarks.md"
HEADER = """# Benchmarks

Made by `python -m benchmarks --write`. Both sides in the same run, one thread, CPU milliseconds, medians; correctness
is asserted before anything is timed. The last column is our wall time with two threads. A ratio below 1 means faster
than the other side. R rows need Rscript with limma and sva; R is warmed up first and runs on one OpenBLAS thread.

"""
#: What follows on the page is written by hand.
END = "<!-- table: end -->"


def main() -> int:
    """Parse the options, run, print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__.splitlines()[0])
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--slow", action="store_true", help="also the rivals that take minutes")
    parser.add_argument("--peers", metavar="PYTHON", help="interpreter with Python packages for ComBat (with --slow)")
    parser.add_argument("--write", action="store_true", help=f"write the table to docs/{PAGE.name}")
    options = parser.parse_args()
    lines = ["| " + " | ".join(COLUMNS) + " |", "|" + "---|" * len(COLUMNS)]
    print(*lines, sep="\n")
    kept = True
    sources = [regression.cases, surrogate.cases, factor_analysis.cases, tails.cases, missing.cases]
    for source in sources + [regression.large_cases, surrogate.large_cases] * options.slow:
        for case in source():
            kept &= _emit(measure(case, options.repeats), lines)
    for row in regression.memory_rows() + missing.factor_rows() + rivals.rows(options.repeats, slow=options.slow):
        kept &= _emit(row, lines)
    if options.slow:
        for row in out_of_core.rows(options.repeats):
            kept &= _emit(row, lines)
        for row in known_batches.rows(options.peers, options.repeats):
            kept &= _emit(row, lines)
    if options.write:
        kept_text = PAGE.read_text().partition(END)[2] if PAGE.exists() else "\n"
        PAGE.write_text(HEADER + "\n".join(lines) + "\n\n" + END + kept_text)
    return 0 if kept else 1


def _emit(row: Row, lines: list[str]) -> bool:
    lines.append(line(row))
    print(lines[-1], flush=True)
    return row.kept


if __name__ == "__main__":
    sys.exit(main())
