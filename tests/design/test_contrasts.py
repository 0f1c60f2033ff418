"""Contrasts by name: weights, codings, and what cannot be read or estimated."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from latentadj.design import Design
from latentadj.exceptions import DesignError, FormulaError, NotEstimableError


@pytest.fixture
def design(bladder) -> Design:
    return Design.from_formula("~ cancer | C(batch_number) + dose", bladder)


def weights(design: Design, text: str) -> dict[str, float]:
    vector = design.contrast_vector(text)
    return {name: float(value) for name, value in zip(design.names, vector, strict=True) if value != 0.0}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("cancer[Cancer] - cancer[Biopsy]", {"cancer[T.Cancer]": 1.0}),
        ("cancer[Biopsy] - cancer[Cancer]", {"cancer[T.Cancer]": -1.0}),
        ("cancer[Normal]-cancer[Cancer]", {"cancer[T.Normal]": 1.0, "cancer[T.Cancer]": -1.0}),
        (
            "(cancer[Normal] + cancer[Cancer]) / 2 - cancer[Biopsy]",
            {"cancer[T.Normal]": 0.5, "cancer[T.Cancer]": 0.5},
        ),
        ("0.5*cancer[T.Cancer] + cancer[T.Normal]", {"cancer[T.Cancer]": 0.5, "cancer[T.Normal]": 1.0}),
        ("cancer[T.Cancer] * 2e-1", {"cancer[T.Cancer]": 0.2}),
        ("dose", {"dose": 1.0}),
        ("-dose", {"dose": -1.0}),
        ("+ -dose", {"dose": -1.0}),
        ("2 * (dose - (cancer[T.Normal] - dose))", {"dose": 4.0, "cancer[T.Normal]": -2.0}),
        ("`dose` - `cancer`[Normal] + `cancer[Biopsy]`", {"dose": 1.0, "cancer[T.Normal]": -1.0}),
        ("batch_number[3] - batch_number[1]", {"C(batch_number)[T.3]": 1.0}),
        (
            "C(batch_number)[T.3] - C(batch_number)[T.2]",
            {"C(batch_number)[T.3]": 1.0, "C(batch_number)[T.2]": -1.0},
        ),
        ("Intercept + dose", {"Intercept": 1.0, "dose": 1.0}),
    ],
)
def test_weights(design, text, expected) -> None:
    assert weights(design, text) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("formula", "exact"),
    [
        ("~ cancer", True),
        ("~ C(cancer, contr.sum)", True),
        ("~ C(cancer, contr.helmert)", True),
        ("~ C(cancer, contr.treatment('Normal'))", True),
        ("~ cancer | 0 + dose", False),
        ("~ cancer | dose", False),
    ],
)
def test_level_differences_do_not_depend_on_the_coding(bladder, formula, exact) -> None:
    """Any coding gives the same difference of levels; without covariates it is that of the means."""
    y = np.random.default_rng(0).normal(size=57)
    design = Design.from_formula(formula, bladder)
    estimate = design.contrast_vector("cancer[Normal] - cancer[Cancer]") @ np.linalg.lstsq(design.matrix, y)[0]
    reference = Design.from_formula("~ cancer" if exact else "~ cancer | dose", bladder)
    weights_of_reference = reference.contrast_vector("cancer[T.Normal] - cancer[T.Cancer]")
    expected = weights_of_reference @ np.linalg.lstsq(reference.matrix, y)[0]
    if exact:
        means = pd.Series(y).groupby(bladder["cancer"].to_numpy()).mean()
        assert expected == pytest.approx(means["Normal"] - means["Cancer"], abs=1e-12)
    assert estimate == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("cancer[Normal]", "sum to 1, not to 0.*cancer\\[Normal\\] - cancer\\[Biopsy\\]"),
        ("cancer[Normal] + cancer[Cancer] - cancer[Biopsy]", "sum to 1"),
        ("cancer[Norml] - cancer[Cancer]", "`cancer\\[Norml\\]`.*Did you mean `cancer\\[Normal\\]`"),
        ("canser[Normal] - cancer[Cancer]", "Did you mean `cancer\\[Normal\\]`"),
        ("doze", "`doze`.*Did you mean `dose`"),
        ("doses", "`doses`"),
        ("dose[1]", "`dose\\[1\\]`"),
        ("dose + 1", "adds a number"),
        ("3", "adds a number"),
        ("dose * dose", "multiplies or divides two names"),
        ("1 / dose", "divides by a name"),
        ("dose / 0", "divides by zero"),
        ("(dose", "not closed"),
        ("dose)", "cannot be read from '\\)'"),
        ("dose == 0", "cannot be read from '== 0'"),
        ("dose dose", "cannot be read"),
        ("dose +", "lacks a name"),
        ("", "nothing was given"),
        ("`dose", "without a partner"),
        ("dose - dose", "zero for every coefficient"),
        ("cancer[Normal] - cancer[Normal]", "zero for every coefficient"),
        ("(" * 200 + "dose" + ")" * 200, "nested too deeply"),
        ("__import__('os')", "not a design column"),
    ],
)
def test_refused(design, text, message) -> None:
    with pytest.raises(FormulaError, match=message):
        design.contrast_vector(text)


def test_message_lists_names(design) -> None:
    with pytest.raises(FormulaError, match=r"Names: `Intercept`, .*`dose`, `cancer\[T.Cancer\]`.*`cancer\[Biopsy\]`"):
        design.contrast_vector("nothing")


def test_levels_of_an_interacting_variable(bladder) -> None:
    design = Design.from_formula("~ cancer * dose", bladder)
    with pytest.raises(NotEstimableError, match="takes part in `cancer`, `cancer:dose`"):
        design.contrast_vector("cancer[Normal] - cancer[Cancer]")
    assert weights(design, "cancer[T.Normal]:dose") == {"cancer[T.Normal]:dose": 1.0}


def test_names_with_symbols() -> None:
    rng = np.random.default_rng(1)
    table = pd.DataFrame(rng.normal(size=(20, 5)) ** 2 + 1, columns=["x", "x-1", "a b", "2", "x:y"])
    design = Design.from_formula("~ x + `x-1` + `a b` + `2` + `x:y` + np.log(x)", table)
    assert weights(design, "x-1 - x") == {"x-1": 1.0, "x": -1.0}
    assert weights(design, "x - 2 * a b") == {"x": 1.0, "a b": -2.0}
    assert weights(design, "`2`") == {"2": 1.0}
    assert weights(design, "np.log(x) / 2 + x:y") == {"np.log(x)": 0.5, "x:y": 1.0}


def test_not_estimable(bladder) -> None:
    design = Design.from_formula("~ dose | batch + site", bladder)
    with pytest.raises(NotEstimableError, match=r"site\[T.B\] = batch\[T.3\]"):
        design.contrast_vector("site[B] - site[A]")
    assert weights(design, "batch[T.2]") == {"batch[T.2]": 1.0}
    both = np.zeros(len(design.names))
    both[[design.names.index("batch[T.3]"), design.names.index("site[T.B]")]] = 1.0
    assert design.estimable(both)
    with pytest.raises(DesignError, match="8 weights"):
        design.estimable([1.0])


def test_factors_and_arrays_have_names_too() -> None:
    design = Design.from_arrays(np.arange(8) % 2).augment(np.random.default_rng(2).normal(size=(8, 1)))
    assert weights(design, "x - 2*factor1") == {"x": 1.0, "factor1": -2.0}


def test_levels_survive_subset_and_augment(design) -> None:
    part = design.subset(np.arange(0, 57, 2)).augment(np.random.default_rng(3).normal(size=(29, 2)))
    assert weights(part, "cancer[Biopsy] - cancer[Normal]") == {"cancer[T.Normal]": -1.0}
