"""Sphinx configuration."""

from __future__ import annotations

import shutil
import sys
from importlib import metadata
from pathlib import Path

project = "latentadj"
author = "The latentadj developers"
copyright = "2026, the latentadj developers"
release = version = metadata.version("latentadj")

HERE = Path(__file__).parent
# Vignettes live beside the documentation; Sphinx wants them inside its source folder.
shutil.copytree(HERE.parent / "vignettes", HERE / "vignettes", dirs_exist_ok=True)

sys.path.insert(0, str(HERE))
from method_cards import write_method_cards  # noqa: E402


def setup(app):
    """A page per method, before sources are read."""
    app.connect("builder-inited", lambda app: write_method_cards(Path(app.srcdir)))


extensions = ["myst_nb", "numpydoc", "sphinx.ext.autodoc", "sphinx.ext.autosummary"]
source_suffix = {".md": "myst-nb"}
exclude_patterns = ["_build", "api/*.txt", "comparison/summary.md"]
html_theme = "furo"
html_title = "latentadj"

autosummary_generate = True
numpydoc_show_class_members = False
autodoc_typehints = "none"
nb_execution_mode = "force"
nb_execution_timeout = 180
nb_execution_raise_on_error = True
suppress_warnings = ["myst.xref_missing"]
