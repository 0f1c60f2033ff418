"""The command line: parse, call, print. Everything numeric is in the package below."""

from latentadj.cli.entry import main

__all__ = ["main"]
