"""RUV-III and pseudo-replicates as a transformer.

Against ruv 0.9.7.1 (first 60 features of sim1 and sim2; 10 digits stored, so that agreement is to 5e-9 for values of
about 10).
"""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.utils.estimator_checks import parametrize_with_checks
from sklearn.utils.validation import check_array

from latentadj.batch import BatchEffectRemover, ComBat, ReplicateRemover
from latentadj.core.frozen_replicates import control_rule
from latentadj.core.matrix import ArrayMatrix
from latentadj.core.passes import pass_options
from latentadj.core.replicates import ReplicateFactors, ruv_three
from latentadj.exceptions import AlignmentError, ControlsError, InputError, MethodError
from tests.parity.studies import study
from tests.reference_data import load_reference


class PairRemover(ReplicateRemover):
    """For scikit-learn's checks, which give no labels: neighbours are replicates, the first features controls."""

    def __init__(self, n_factors: int = 1, *, controls: tuple[int, ...] = (0, 1)) -> None:
        super().__init__(n_factors, controls=controls)

    def fit(self, X, y=None):
        values = X if isinstance(X, pd.DataFrame) else check_array(X, ensure_min_samples=2)
        return super().fit(values, y, replicates=np.arange(len(values)) // 2)

    def fit_transform(self, X, y=None):
        return self.fit(X, y).transform(X)


@pytest.mark.filterwarnings("ignore::latentadj.exceptions.LatentAdjWarning")
@parametrize_with_checks(
    [PairRemover()], expected_failed_checks=lambda _: {"check_fit2d_1feature": "a factor needs two controls"}
)
def test_scikit_learn_checks(estimator, check) -> None:
    check(estimator)


def frame(seed: int = 0, m: int = 200, *, measured: bool = True) -> pd.DataFrame:
    """Fifteen subjects measured in both of two labs, ten in one; two unwanted factors, a disease.

    With ``measured=False`` the values without the unwanted factors.
    """
    rng = np.random.default_rng(seed)
    subject = np.r_[np.repeat(np.arange(15), 2), np.arange(15, 25)]
    lab = np.r_[np.tile([0, 1], 15), np.repeat([0, 1], 5)]
    disease = subject % 2
    biology = rng.normal(size=(25, m))[subject] + np.outer(disease, np.r_[np.zeros(100), rng.normal(0, 1.5, m - 100)])
    biology[:, :100] *= 0.2
    unwanted = np.column_stack([lab, rng.normal(size=40)]) @ rng.normal(size=(2, m)) * 2
    noise = 0.3 * rng.normal(size=(40, m))
    if not measured:
        return pd.DataFrame(7 + biology + noise)
    X = 7 + biology + unwanted + noise
    table = pd.DataFrame(X, index=[f"s{i}" for i in range(40)]).add_prefix("g")
    return table.assign(subject=[f"p{i}" for i in subject], lab=np.array(["x", "y"])[lab], disease=disease)


def features(table: pd.DataFrame) -> np.ndarray:
    return table.filter(regex="^g").to_numpy()


CONTROLS = [f"g{i}" for i in range(100)]
LABELS = {"replicates": "subject"}
CELLS = {"biology": "disease", "batch": "lab"}
SETTINGS = [{**LABELS}, {**LABELS, "compat": "ruv"}, {**CELLS}, {**LABELS, **CELLS}, {**CELLS, "compat": "ruv"}]


def remover(k=2, **options) -> ReplicateRemover:
    return ReplicateRemover(k, **{"controls": CONTROLS, **options})


def only(table: pd.DataFrame, options: dict) -> pd.DataFrame:
    used = {value for key, value in options.items() if key != "compat"}
    return table.drop(columns={"subject", "lab", "disease"} - used)


@pytest.mark.parametrize("name", ["sim1", "sim2"])
def test_parity(name: str) -> None:
    s, stored = study(name), load_reference("ruv", "replicates")
    for key, k in (("ruv_RUVIII", s.n_factors), ("ruv_RUVIII_k1", 1)):
        fitted = ReplicateRemover(k, controls=s.data.controls, compat="ruv")
        adjusted = fitted.fit_transform(s.data.X, replicates=s.data.sample_data["block"])
        assert_allclose(adjusted[:, :60].T, stored[f"{name}__{key}"], rtol=0, atol=6e-9)


@pytest.mark.parametrize("scaled", [False, True])
def test_the_rule_gives_the_scores_of_the_training_set(scaled: bool) -> None:
    s = study("sim1")
    Y, labels = ArrayMatrix(s.data.X), s.data.sample_data["block"]
    scale = (np.linspace(0.5, 2, 1000), s.data.X.mean(axis=0)) if scaled else (None, None)
    found = ruv_three(Y, labels, s.data.controls, 3, weights=scale[0], mean=scale[1])
    rule = control_rule(found, s.data.controls, *scale)
    assert_allclose(rule.scores(Y), found.scores, rtol=0, atol=1e-9)


def test_attenuated_scores_are_the_better_subtraction() -> None:
    """New samples, noisy loadings: scores freed of the noise in the loadings would take out too much."""
    rng = np.random.default_rng(0)
    a, z = rng.normal(size=2000), rng.normal(size=50)
    seen = a + 0.7 * rng.normal(size=2000)
    new = np.outer(z, a) + 0.5 * rng.normal(size=(50, 2000))
    found = ReplicateFactors(np.zeros((2, 1)), seen[:, None], np.array([[1.0], [-1.0]]) / np.sqrt(2))
    controls = np.arange(2000) < 1000
    scores = control_rule(found, controls).scores(ArrayMatrix(new))[:, 0]
    left = [((new - np.outer(c * scores, seen))[:, 1000:] ** 2).mean() for c in (0.8, 1.0, 1.2, 1.49)]
    assert left[1] == min(left)


class TestFrozen:
    @pytest.mark.parametrize("options", SETTINGS)
    def test_one_sample_is_its_row_and_labels_are_not_looked_at(self, options: dict) -> None:
        fitted = remover(**options).fit(only(frame(), options))
        new = only(frame(1), options)
        together = fitted.transform(new)
        blank = new.assign(**{name: "?" for name in new.columns if not name.startswith("g")})
        for i in (0, 17, 39):
            assert_allclose(fitted.transform(blank.iloc[[i]])[0], together[i], rtol=0, atol=1e-12)

    @pytest.mark.parametrize("options", SETTINGS)
    def test_order_and_blocks_do_not_matter(self, options: dict) -> None:
        table = only(frame(), options)
        expected = remover(**options).fit_transform(table)
        rows, columns = np.random.default_rng(0).permutation(40), np.random.default_rng(1).permutation(200)
        moved = table.iloc[rows, [*columns, *range(200, table.shape[1])]]
        with pass_options(n_threads=1, width=64):
            ours = remover(**options).fit_transform(moved)
        assert_allclose(ours, expected[rows][:, columns], rtol=0, atol=1e-9)

    def test_values_beside_x_give_the_same(self) -> None:
        table = only(frame(), LABELS)
        X, labels = table.drop(columns="subject"), table["subject"].sample(frac=1, random_state=0)
        assert_array_equal(remover().fit_transform(X, replicates=labels), remover(**LABELS).fit_transform(table))


class TestWhatIsRemoved:
    @pytest.mark.parametrize("options", SETTINGS[:4])
    def test_labs_agree_and_biology_stays(self, options: dict) -> None:
        table = frame()
        before, after = features(table), remover(**options).fit_transform(only(table, options))
        lab, disease = table["lab"] == "y", table["disease"] == 1
        gap = [np.abs(v[lab].mean(axis=0) - v[~lab].mean(axis=0)).mean() for v in (before, after)]
        assert gap[1] < 0.25 * gap[0]
        clean = frame(measured=False).to_numpy()
        effect = [v[disease].mean(axis=0) - v[~disease].mean(axis=0) for v in (clean, after)]
        assert np.corrcoef(effect[0][100:], effect[1][100:])[0, 1] > 0.9
        if options == LABELS:
            pairs = [np.std(v[:30:2] - v[1:30:2]) for v in (before, after)]
            assert pairs[1] < 0.25 * pairs[0]

    def test_means_stay_by_default(self) -> None:
        table = only(frame(), LABELS)
        assert_allclose(remover(**LABELS).fit_transform(table).mean(axis=0), features(table).mean(axis=0), atol=1e-10)

    @pytest.mark.parametrize("options", SETTINGS)
    def test_what_was_removed_is_known(self, options: dict) -> None:
        table = only(frame(), options)
        fitted = remover(**options)
        after = fitted.fit_transform(table)
        assert fitted.removed_columns_.shape == (40, 2)
        assert fitted.df_spent_ == fitted.n_factors_ == 2
        assert_allclose(features(table) - after, fitted.removed_columns_ @ fitted.loadings_.T, rtol=0, atol=1e-9)

    def test_the_number_is_found(self) -> None:
        fitted = remover("auto", **LABELS).fit(only(frame(), LABELS))
        assert fitted.n_factors_ == 2
        assert fitted.num_factors_.chosen_by == "parallel_analysis"

    def test_no_factors_change_nothing(self) -> None:
        table = only(frame(), LABELS)
        for compat in (None, "ruv"):
            fitted = remover(0, compat=compat, **LABELS)
            assert_array_equal(fitted.fit_transform(table), features(table))
            assert fitted.removed_columns_.shape == (40, 0)


@pytest.mark.parametrize("adjuster", [ComBat("lab"), BatchEffectRemover("lab")])
def test_known_batches_say_what_they_removed(adjuster) -> None:
    table = frame().drop(columns=["subject", "disease"])
    fitted = adjuster.fit(table)
    indicators = np.column_stack([table["lab"] == "x", table["lab"] == "y"]).astype(float)
    assert fitted.removed_columns_.shape == (40, fitted.df_spent_)
    both = np.column_stack([np.ones(40), fitted.removed_columns_, indicators])
    assert np.linalg.matrix_rank(both) == np.linalg.matrix_rank(both[:, :2]) == 2
    left = np.linalg.lstsq(both[:, :2], fitted.transform(table))[0][1]
    assert np.abs(left).max() < (1e-10 if isinstance(adjuster, BatchEffectRemover) else 0.3)


@pytest.mark.filterwarnings("ignore::latentadj.exceptions.LatentAdjWarning")
def test_pipeline() -> None:
    table = frame().drop(columns="lab")
    pipeline = make_pipeline(remover(**LABELS), LogisticRegression(max_iter=1000))
    assert cross_val_score(pipeline, table.drop(columns="disease"), table["disease"], cv=4).mean() > 0.7
    out = remover(**LABELS).set_output(transform="pandas").fit_transform(only(frame(), LABELS))
    assert list(out.columns) == [f"g{i}" for i in range(200)]
    assert list(out.index) == list(table.index)


class TestRefusals:
    @pytest.mark.parametrize(
        ("options", "error", "message"),
        [
            ({}, MethodError, "replicates="),
            ({"biology": "disease"}, MethodError, "both biology= and batch="),
            ({**LABELS, "batch": "lab"}, MethodError, "both biology= and batch="),
            ({**LABELS, "controls": None}, ControlsError, "negative controls"),
            ({**LABELS, "controls": ["nobody"]}, ControlsError, "nobody"),
            ({**LABELS, "compat": "R"}, MethodError, "'ruv'"),
            ({"replicates": "nothing"}, InputError, "'nothing'"),
            ({"biology": "subject", "batch": "lab"}, InputError, "pseudo-replicates"),
            ({**CELLS, "min_samples": 0}, MethodError, "min_samples"),
        ],
    )
    def test_in_fit(self, options: dict, error: type, message: str) -> None:
        table = frame()
        named = {value for value in options.values() if isinstance(value, str)}
        with pytest.raises(error, match=message):
            remover(**options).fit(table.drop(columns={"subject", "lab", "disease"} - named))

    def test_too_many_factors(self) -> None:
        with pytest.raises(MethodError, match="at most 15"):
            remover(16, **LABELS).fit(only(frame(), LABELS))

    def test_missing_values_and_labels_of_other_samples(self) -> None:
        X = frame().drop(columns=["subject", "lab", "disease"])
        with pytest.raises(InputError, match="NaN"):
            remover().fit(X.assign(g3=np.nan), replicates=frame()["subject"])
        with pytest.raises(AlignmentError, match="no row for 1"):
            remover().fit(X, replicates=frame()["subject"].iloc[1:])
