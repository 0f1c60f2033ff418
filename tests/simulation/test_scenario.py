"""Scenarios refuse what cannot be simulated."""

from __future__ import annotations

import pytest

from latentadj.exceptions import InputError
from latentadj.simulation import FAMILIES, OPEN_FAMILIES, Scenario


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("confounding", 1.0),
        ("confounding", -0.1),
        ("group_share", 0.0),
        ("group_share", 0.001),
        ("primary", "three groups"),
        ("noise_df", 2.0),
        ("n_samples", 0),
        ("n_outliers", 61),
        ("effect_share", 1.5),
        ("loading_sd", -1.0),
        ("group_noise_ratio", 0.0),
    ],
)
def test_impossible_values_are_named(field, value):
    with pytest.raises(InputError, match=rf"Scenario\({field}="):
        Scenario(**{field: value})


def test_settings_are_what_differs_from_the_defaults():
    assert Scenario().settings() == {}
    assert Scenario("x", n_factors=1).settings() == {"name": "x", "n_factors": 1}


def test_families_are_named_by_themselves_and_distinct():
    every = {**FAMILIES, **OPEN_FAMILIES}
    assert len(every) == len(FAMILIES) + len(OPEN_FAMILIES)
    assert all(scenario.name == name for name, scenario in every.items())
    assert len({str(sorted(s.settings().items())) for s in every.values()}) == len(every)
