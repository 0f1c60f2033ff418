"""Doctests of pictures leave no figure open, and need no screen."""

from collections.abc import Iterator

import pytest


@pytest.fixture(autouse=True)
def close_figures() -> Iterator[None]:
    """Draw without a screen, and close what an example drew."""
    matplotlib = pytest.importorskip("matplotlib")
    matplotlib.use("Agg")
    yield
    pyplot = pytest.importorskip("matplotlib.pyplot")
    pyplot.close("all")
