"""Every public name is documented, and listed in the reference page."""

import inspect
from pathlib import Path

import pytest

import latentadj as la

DOCS = Path(__file__).resolve().parents[1] / "docs"
OBJECTS = [name for name in la.__all__ if not inspect.ismodule(getattr(la, name))]


@pytest.mark.parametrize("name", OBJECTS)
def test_is_listed_in_the_reference_page(name):
    assert f"   {name}\n" in (DOCS / "api.md").read_text()


@pytest.mark.parametrize("name", [n for n in OBJECTS if not n.endswith(("Error", "Warning"))])
def test_has_parameters_and_an_example_or_says_what_it_holds(name):
    text = inspect.getdoc(getattr(la, name))
    sections = [s for s in ("Parameters", "Attributes", "Returns", "Notes") if f"{s}\n---" in text]
    assert sections, f"{name} documents neither parameters, attributes, what it returns nor where it comes from"


@pytest.mark.parametrize("name", [n for n in OBJECTS if inspect.isclass(getattr(la, n))])
def test_public_methods_of_classes_are_documented(name):
    cls = getattr(la, name)
    for method, member in vars(cls).items():
        if callable(member) and not method.startswith("_"):
            assert inspect.getdoc(member), f"{name}.{method} has no docstring"


def test_every_method_has_a_card():
    table = la.methods()
    assert (table[["title", "reference", "identified_by", "summary"]] != "").all(axis=None)
    assert not table.loc["residual_pca", "valid_for_testing"]
    assert table.index.is_unique


def test_no_file_is_long():
    package = Path(la.__file__).parent
    lengths = {str(p.relative_to(package)): p.read_text().count("\n") for p in package.rglob("*.py")}
    assert max(lengths.values()) <= 400, {k: v for k, v in lengths.items() if v > 400}
