"""What the columns of a sample table are: kind, levels or range, gaps, and whether they can be used."""

from __future__ import annotations

import re

import pandas as pd

from latentadj.diagnostics.covariates import Covariate, read_covariate

COLUMNS = ("column", "kind", "role", "distinct", "missing", "values", "note")
#: Levels that are written out.
MOST_SHOWN = 8
_TECHNICAL = re.compile(
    r"(?:^|[^a-z])(?:batch|site|plate|chip|lane|cent(?:er|re)|run|slide|array|date|day|operator|machine|platform"
    r"|instrument|scanner|lab|library|kit|lot|flow ?cell|sentrix|well|row|column|position|order|rin|hyb|dye|pool)"
    r"(?:es|s|id|no|num|nr)?(?:[^a-z]|$)"
)
_STUDIED = re.compile(
    r"(?:^|[^a-z])(?:group|condition|disease|diagnosis|treatment|treated|case|status|phenotype|genotype|dose|cancer"
    r"|tumou?r|tissue|exposure|smok\w*|infect\w*|outcome|response|arm|class|stage|subtype|location|cell ?type|time)"
    r"(?:es|s)?(?:[^a-z]|$)"
)


def sample_columns(sample_data: pd.DataFrame) -> pd.DataFrame:
    """Describe every column of a sample table.

    Parameters
    ----------
    sample_data : pandas.DataFrame of n_samples rows

    Returns
    -------
    pandas.DataFrame
        ``column, kind, role, distinct, missing, values, note``: kind "categorical", "numeric" or "skipped"; `values`
        the levels with their numbers of samples, largest first, or the range; `note` how the column was read or why it
        cannot be used. `role` is guessed from the name: "technical" (batch, plate, date), "studied" (group, disease,
        treatment), or "other".

    Examples
    --------
    >>> table = pd.DataFrame({"batch": [1, 1, 2, 2], "age": [50.5, 61.2, 43.1, 70.0]})
    >>> sample_columns(table)[["kind", "role", "values"]].values.tolist()
    [['categorical', 'technical', '1: 2, 2: 2'], ['numeric', 'other', '43.1 to 70']]
    """
    rows = []
    for i, name in enumerate(sample_data.columns):
        values = sample_data.iloc[:, i]
        covariate = read_covariate(values, str(name))
        missing = int((~covariate.present).sum())
        text = _range(values) if covariate.kind == "numeric" else _levels(values)
        distinct = int(values[covariate.present].astype(str).nunique())
        role = guessed_role(str(name), values)
        rows.append((str(name), covariate.kind, role, distinct, missing, text, covariate.note))
    return pd.DataFrame(rows, columns=list(COLUMNS))


def guessed_role(name: str, values: pd.Series) -> str:
    """Guess from a column's name, or from its holding dates, whether it is technical or what a study is about.

    Parameters
    ----------
    name : str
    values : Series

    Returns
    -------
    {"technical", "studied", "other"}

    Examples
    --------
    >>> [guessed_role(name, pd.Series([1.5])) for name in ("ScanDate", "disease_state", "age", "plate_id")]
    ['technical', 'studied', 'other', 'technical']
    """
    words = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name).lower()
    if pd.api.types.is_datetime64_any_dtype(values.dtype) or _TECHNICAL.search(words):
        return "technical"
    return "studied" if _STUDIED.search(words) else "other"


def in_formula(covariate: Covariate, values: pd.Series) -> str:
    """Write a column as a term of a formula.

    Parameters
    ----------
    covariate : Covariate
    values : Series

    Returns
    -------
    str
        In backticks unless the name is a plain one; ``C(...)`` about labels that are stored as numbers.

    Examples
    --------
    >>> plate = pd.Series([1, 1, 2, 2])
    >>> in_formula(read_covariate(plate, "plate no"), plate)
    'C(`plate no`)'
    """
    name = covariate.name if re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", covariate.name) else f"`{covariate.name}`"
    stored = values.dtype
    number = pd.api.types.is_numeric_dtype(stored) and not pd.api.types.is_bool_dtype(stored)
    return f"C({name})" if covariate.kind == "categorical" and number else name


def _range(values: pd.Series) -> str:
    low, high = values.min(), values.max()
    if pd.api.types.is_datetime64_any_dtype(values.dtype):
        return f"{low:%Y-%m-%d} to {high:%Y-%m-%d}"
    return f"{low:.6g} to {high:.6g}" if isinstance(low, int | float) else f"{low} to {high}"


def _levels(values: pd.Series) -> str:
    counts = values.dropna().astype(str).value_counts(sort=True)
    shown = [f"{level}: {count}" for level, count in counts.head(MOST_SHOWN).items()]
    rest = len(counts) - MOST_SHOWN
    return ", ".join(shown) + (f", and {rest} more" if rest > 0 else "")
