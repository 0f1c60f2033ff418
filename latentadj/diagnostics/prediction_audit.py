"""Whether adjustment before prediction removes what it should, and creates nothing that was not there."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from numbers import Integral
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, clone, is_classifier
from sklearn.compose import ColumnTransformer
from sklearn.dummy import DummyClassifier, DummyRegressor
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.metrics import check_scoring
from sklearn.model_selection import KFold, StratifiedKFold, check_cv
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from latentadj.diagnostics.covariates import read_covariate
from latentadj.exceptions import AlignmentError, InputError

AUDIT_COLUMNS = ("scenario", "predicts", "scoring", "fold", "repeat", "score", "chance")
#: Correlation from which numbers count as the same.
SAME_NUMBERS = 0.999


@dataclass(frozen=True)
class _Audit:
    """What is looked at.

    Attributes
    ----------
    adjuster, model : estimator
        Not fitted.
    X : pandas.DataFrame of shape (n_samples, n_columns)
        As the adjuster takes it.
    y : pandas.Series of length n_samples
    confounds : pandas.DataFrame of n_samples rows
    features : list of str
        Columns of X that are no confounds.
    scoring : str
    """

    adjuster: Any
    model: Any
    X: pd.DataFrame
    y: pd.Series
    confounds: pd.DataFrame
    features: list[Any]
    scoring: str


def audit_prediction(
    adjuster: BaseEstimator,
    model: BaseEstimator,
    X: pd.DataFrame,
    y: Any,
    confounds: Any,
    *,
    cv: Any = 5,
    groups: Any = None,
    scoring: str | None = None,
    n_shuffles: int = 5,
    random_state: Any = 0,
) -> pd.DataFrame:
    """Score a model on raw and adjusted data, on confounds alone, and on adjusted data without information.

    Parameters
    ----------
    adjuster : transformer
        `LatentAdjuster`, `ComBat`, ...; a fresh copy is fitted on the training samples of every split.
    model : classifier or regressor
    X : pandas.DataFrame of shape (n_samples, n_columns)
        Features, with the columns that the adjuster asks for by name.
    y : array-like of shape (n_samples,)
        What is predicted.
    confounds : list of str or pandas.DataFrame
        Columns of X, or a table indexed as X. No model sees them among the features.
    cv : int, splitter or iterable, default=5
        As in scikit-learn; a number means so many folds of shuffled samples, with the classes spread evenly.
    groups : array-like of shape (n_samples,), optional
        For splitters that keep groups together.
    scoring : str, optional
        Name of a scikit-learn scorer; by default "roc_auc" for two classes, "balanced_accuracy" for more, "r2" for
        numbers.
    n_shuffles : int, default=5
        Times that the features are shuffled.
    random_state : int or Generator, default=0

    Returns
    -------
    pandas.DataFrame
        ``scenario, predicts, scoring, fold, repeat, score, chance``, a row per score. Scenarios that predict y:
        "raw", "adjusted", "confounds only", and "shuffled, adjusted", where every feature is shuffled over the samples
        before the adjustment, so that nothing but the adjustment itself can carry information. "raw" and "adjusted"
        also predict every confound that can be used. `chance` is the score, in the same split, of a model that sees
        no features.

    Raises
    ------
    InputError
        X is no DataFrame, a confound is not among its columns, or y is one of them.
    AlignmentError
        A table of confounds lacks samples.

    Notes
    -----
    Subtracting a confound from features of which some are not linear in it, or are discrete, can write the confound,
    and with it y, into the residuals, which a flexible model then reads: Hamdan et al. (2023), GigaScience 12:giad071.
    Their test is to shuffle the features before confound removal. Confounds are predicted by logistic or ridge
    regression of scaled features.

    Examples
    --------
    >>> from latentadj import LatentAdjuster
    >>> rng = np.random.default_rng(0)
    >>> y, batch = np.tile([0, 1], 30), np.repeat([0, 1], 30)
    >>> X = pd.DataFrame(np.outer(batch, rng.normal(size=20)) * 3 + rng.normal(size=(60, 20)))
    >>> X.columns = [f"g{i}" for i in range(20)]
    >>> audit = audit_prediction(LatentAdjuster(), LogisticRegression(), X, y, pd.DataFrame({"batch": batch}))
    >>> audit.groupby(["predicts", "scenario"])["score"].mean().loc[("batch", "raw")]
    np.float64(1.0)
    """
    audit = _checked(adjuster, model, X, y, confounds, scoring)
    rng = np.random.default_rng(random_state)
    splits = list(_splitter(cv, audit, rng).split(audit.X, audit.y, groups))
    rows: list[dict[str, object]] = []
    for fold, (train, test) in enumerate(splits):
        rows += [{**row, "fold": fold, "repeat": 0} for row in _scores(audit, train, test)]
    for repeat in range(n_shuffles):
        shuffled = _shuffled(audit, rng)
        for fold, (train, test) in enumerate(splits):
            row = _score("shuffled, adjusted", audit, *_adjusted(audit, shuffled, train, test), train, test)
            rows.append({**row, "fold": fold, "repeat": repeat})
    return pd.DataFrame(rows, columns=list(AUDIT_COLUMNS))


def _checked(adjuster: Any, model: Any, X: Any, y: Any, confounds: Any, scoring: str | None) -> _Audit:
    if not isinstance(X, pd.DataFrame):
        raise InputError(
            f"X is a {type(X).__name__}; a DataFrame is needed, whose columns name features and confounds."
        )
    values = pd.Series(np.asarray(y), index=X.index, name=getattr(y, "name", None) or "y")
    if len(np.asarray(y)) != len(X):
        raise InputError(f"y has {len(np.asarray(y))} values for {len(X)} samples; give one per sample.")
    table = _confound_table(X, confounds)
    same = [name for name in table.columns if _same(table[name], values)]
    if same:
        raise InputError(f"The confound {same[0]!r} is what is predicted. Leave it out.")
    if scoring is None:
        scoring = "r2" if not is_classifier(model) else "roc_auc" if values.nunique() == 2 else "balanced_accuracy"
    taken = set(table.columns)
    return _Audit(adjuster, model, X, values, table, [name for name in X.columns if name not in taken], scoring)


def _splitter(cv: Any, audit: _Audit, rng: np.random.Generator) -> Any:
    if not isinstance(cv, Integral):
        return check_cv(cv, audit.y, classifier=is_classifier(audit.model))
    folds = StratifiedKFold if is_classifier(audit.model) else KFold
    return folds(int(cv), shuffle=True, random_state=int(rng.integers(2**31)))


def _confound_table(X: pd.DataFrame, confounds: Any) -> pd.DataFrame:
    if isinstance(confounds, pd.DataFrame):
        if isinstance(confounds.index, pd.RangeIndex) and len(confounds) == len(X):
            return confounds.set_axis(X.index, axis=0)
        lost = X.index.difference(confounds.index)
        if len(lost):
            raise AlignmentError(f"confounds has no row for {len(lost)} samples, e.g. {lost[0]!r}. Index it as X.")
        return confounds.loc[X.index]
    names = [confounds] if isinstance(confounds, str) else list(confounds)
    missing = [name for name in names if name not in X.columns]
    if missing or not names:
        raise InputError(f"confounds={names!r}: X has no column {', '.join(map(repr, missing)) or 'named'}.")
    return X[names]


def _same(confound: pd.Series, y: pd.Series) -> bool:
    """Whether a confound is y under another name: the same labels, or numbers on one line."""
    if confound.nunique() > len(y) / 2 or y.nunique() > len(y) / 2:
        if not (pd.api.types.is_numeric_dtype(confound) and pd.api.types.is_numeric_dtype(y)):
            return False
        return abs(float(np.corrcoef(confound.fillna(confound.mean()), y)[0, 1])) > SAME_NUMBERS
    pairs = pd.DataFrame({"c": confound.astype(str).to_numpy(), "y": y.astype(str).to_numpy()}).drop_duplicates()
    return len(pairs) == confound.astype(str).nunique() == y.astype(str).nunique()


def _shuffled(audit: _Audit, rng: np.random.Generator) -> pd.DataFrame:
    """Every feature in an order of its own; confounds stay where they are."""
    out = audit.X.copy()
    out[audit.features] = rng.permuted(audit.X[audit.features].to_numpy(), axis=0)
    return out


def _adjusted(audit: _Audit, X: pd.DataFrame, train: Any, test: Any) -> tuple[NDArray[Any], NDArray[Any]]:
    """Training and test samples adjusted by what was learnt from the training samples."""
    adjuster = clone(audit.adjuster).fit(X.iloc[train], audit.y.iloc[train].to_numpy())
    names = list(adjuster.get_feature_names_out())
    taken = {str(name) for name in audit.confounds.columns}
    kept = [i for i, name in enumerate(names) if str(name) not in taken]
    found = [np.asarray(adjuster.transform(X.iloc[part]))[:, kept] for part in (train, test)]
    return found[0], found[1]


def _scores(audit: _Audit, train: Any, test: Any) -> Iterator[dict[str, object]]:
    raw = audit.X[audit.features].to_numpy()
    panels = {"raw": (raw[train], raw[test]), "adjusted": _adjusted(audit, audit.X, train, test)}
    for scenario, (before, after) in panels.items():
        yield _score(scenario, audit, before, after, train, test)
    encoded = _encoded(audit, train, test)
    if encoded is not None:
        yield _score("confounds only", audit, *encoded, train, test)
    for confound in _usable(audit.confounds):
        for scenario, (before, after) in panels.items():
            yield _confound_score(scenario, audit.confounds[confound], str(confound), before, after, train, test)


def _score(scenario: str, audit: _Audit, before: Any, after: Any, train: Any, test: Any) -> dict[str, object]:
    y = audit.y.to_numpy()
    scores = _scored(clone(audit.model), before, after, y[train], y[test], audit.scoring)
    return {"scenario": scenario, "predicts": audit.y.name, "scoring": audit.scoring, **scores}


def _confound_score(
    scenario: str, values: pd.Series, name: str, before: Any, after: Any, train: Any, test: Any
) -> dict[str, object]:
    label = read_covariate(values, name).kind == "categorical"
    y = values.astype(str).to_numpy() if label else values.to_numpy(dtype=np.float64)
    model = make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000) if label else Ridge())
    scoring = "balanced_accuracy" if label else "r2"
    scores = _scored(model, before, after, y[train], y[test], scoring)
    return {"scenario": scenario, "predicts": name, "scoring": scoring, **scores}


def _scored(model: Any, before: Any, after: Any, seen: Any, held: Any, scoring: str) -> dict[str, float]:
    """Score on the test samples, and that of a model that sees no features; NaN where it has no value."""
    dummy = DummyClassifier(strategy="prior") if is_classifier(model) else DummyRegressor()
    if is_classifier(model) and len(np.unique(held)) < 2:
        return {"score": np.nan, "chance": np.nan}
    found = {}
    for name, estimator in {"score": model, "chance": dummy}.items():
        found[name] = float(check_scoring(estimator, scoring=scoring)(estimator.fit(before, seen), after, held))
    return found


def _usable(confounds: pd.DataFrame) -> Sequence[Any]:
    """Confounds that can be predicted: known for every sample, and more than one value."""
    complete = [name for name in confounds.columns if confounds[name].notna().all()]
    return [name for name in complete if read_covariate(confounds[name], str(name)).kind != "skipped"]


def _encoded(audit: _Audit, train: Any, test: Any) -> tuple[Any, Any] | None:
    """Confounds as numbers, scaled by the training samples."""
    names = list(_usable(audit.confounds))
    labels = [name for name in names if read_covariate(audit.confounds[name], str(name)).kind == "categorical"]
    if not names:
        return None
    table = audit.confounds[names].astype(dict.fromkeys(labels, str))
    encoder = OneHotEncoder(handle_unknown="ignore", sparse_output=False)
    coder = ColumnTransformer([("labels", encoder, labels)], remainder=StandardScaler())
    return coder.fit_transform(table.iloc[train]), coder.transform(table.iloc[test])
