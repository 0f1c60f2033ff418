"""The catalogue of methods, generated from their cards."""

from __future__ import annotations

import inspect

import pandas as pd

from latentadj.exceptions import MethodError
from latentadj.factors import LatentFactorEstimator
from latentadj.factors.registry import available_methods, find_method


def methods() -> pd.DataFrame:
    """List every method: class, reference, what it needs, whether it is valid for testing, whether it streams.

    Returns
    -------
    pandas.DataFrame
        Indexed by the name that ``adjust(method=...)`` takes. Source: each class's ``method_info``; methods that
        other packages register under the entry-point group ``latentadj.methods`` come last.

    Examples
    --------
    >>> bool(methods().loc["residual_pca", "valid_for_testing"])
    False
    """
    rows = [
        {
            "name": info.name,
            "class": cls.__name__,
            "title": info.title,
            "reference": info.reference,
            "needs": ", ".join(info.needs),
            "valid_for_testing": info.valid_for_testing,
            "streams": info.streams,
            "identified_by": info.identified_by,
            "summary": info.summary,
            "identification": info.identification,
            "input_scale": info.input_scale,
        }
        for cls in available_methods().values()
        for info in [cls.method_info]
    ]
    return pd.DataFrame(rows).set_index("name")


def method_card(name: str) -> dict[str, str]:
    """Say everything that is known about one method, as text.

    Parameters
    ----------
    name : str

    Returns
    -------
    dict of str to str
        Heading to text, in reading order; what does not apply is left out.

    Raises
    ------
    MethodError
        For an unknown name.

    Examples
    --------
    >>> card = method_card("ruv4")
    >>> card["Needs"], card["Valid for testing"]
    ('controls', 'yes')
    """
    cls = find_method(name)
    if cls is None:
        raise MethodError(f"method={name!r} is unknown; choose one of {', '.join(available_methods())}.")
    info = cls.method_info
    card = {
        "Name": info.name,
        "Method": info.title,
        "What it does": info.summary,
        "Reference": info.reference,
        "Identified by": info.identified_by,
        "Kind of assumption": info.identification,
        "Needs": ", ".join(info.needs) or "nothing but the data and the design",
        "Data": info.input_scale,
        "Valid for testing": "yes" if info.valid_for_testing else "no; refused unless allow_invalid=True",
        "Memory": "blocks of features" if info.streams else "holds the whole matrix",
        "Class": cls.__name__,
        "Options": ", ".join(method_options(cls)),
        "Cautions": " ".join(info.cautions),
        "Not promised": " ".join(f"{promise}: {reason}" for promise, reason in info.not_promised.items()),
    }
    return {heading: text for heading, text in card.items() if text}


def method_options(cls: type[LatentFactorEstimator]) -> list[str]:
    """List a class's options with their defaults.

    Parameters
    ----------
    cls : type

    Returns
    -------
    list of str

    Examples
    --------
    >>> from latentadj.factors import RUV2
    >>> method_options(RUV2)
    ["n_factors='auto'", 'controls=None', 'model=None', 'random_state=0']
    """
    parameters = list(inspect.signature(cls.__init__).parameters.values())[1:]
    return [p.name if p.default is p.empty else f"{p.name}={p.default!r}" for p in parameters]
