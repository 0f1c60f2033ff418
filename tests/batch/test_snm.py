"""Supervised normalisation as a transformer: what it protects, what it removes, frozen rules, refusals."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.utils.estimator_checks import parametrize_with_checks

from latentadj.batch import FewFeaturesWarning, SupervisedNormalizer
from latentadj.core.passes import pass_options
from latentadj.exceptions import (
    AlignmentError,
    ConfoundedDesignError,
    ControlsError,
    DegreesOfFreedomError,
    DesignError,
    InputError,
    MethodError,
    NotConvergedWarning,
)

N, M = 24, 500


def study(seed: int = 0) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Samples with effects in intensity and GC content that follow the group; features with a table of their own."""
    rng = np.random.default_rng(seed)
    group, site, age = np.repeat([0, 1], N // 2), np.tile([0, 1, 2], N // 3), rng.uniform(20, 60, N)
    table = pd.DataFrame({"gc": rng.uniform(0.3, 0.7, M), "kind": rng.choice(["pm", "mm", "bg"], M)})
    table.index = [f"g{i}" for i in range(M)]
    level = rng.uniform(4, 12, M)
    effects = np.where(np.arange(M) % 10 == 0, 1.0, 0.0)
    clean = level + np.outer(group, effects)
    slopes = centred(rng.normal(0, 0.3, N) + 0.5 * group)
    smooth = slopes[:, None] * (clean - 8) / 4 + np.outer(centred(slopes + rng.normal(size=N)), 5 * (table["gc"] - 0.5))
    kind = centred(rng.normal(size=(N, 3)))[:, pd.factorize(table["kind"])[0]]
    X = clean + smooth + kind + centred(rng.normal(0, 0.3, (3, M)))[site]
    frame = pd.DataFrame(X + 0.2 * rng.normal(size=(N, M)), columns=table.index, index=[f"s{i}" for i in range(N)])
    return frame.assign(group=np.array(["a", "b"])[group], site=np.array(["x", "y", "z"])[site], age=age), table


def centred(values: np.ndarray) -> np.ndarray:
    """Effects of the samples about their average, which would be a property of the features."""
    return values - values.mean(axis=0)


def normalizer(**options) -> SupervisedNormalizer:
    _, table = study()
    usual = {"biology": "group", "covariates": ["site", "age"], "feature_covariates": table}
    return SupervisedNormalizer(**{**usual, **options})


def design_of(frame: pd.DataFrame) -> np.ndarray:
    """Intercept, covariates, group."""
    columns = [np.ones(N), frame["site"] == "y", frame["site"] == "z", frame["age"], frame["group"] == "b"]
    return np.column_stack(columns).astype(float)


def features(frame: pd.DataFrame) -> np.ndarray:
    return frame.filter(regex="^g[0-9]").to_numpy()


SETTINGS = [
    {},
    {"intensity": False},
    {"remove_covariates": True},
    {"controls": np.arange(1, M, 3)},
    {"levels": "plate"},
    {"compat": "snm", "max_iter": 1, "feature_covariates": None},
]


def planned(options: dict, seed: int = 0) -> pd.DataFrame:
    frame, _ = study(seed)
    return frame.assign(plate=np.array(["p", "q", "r", "s"])[np.arange(N) // 3 % 4]) if "levels" in options else frame


@pytest.mark.filterwarnings("ignore::latentadj.exceptions.LatentAdjWarning")
@parametrize_with_checks([SupervisedNormalizer()])
def test_scikit_learn_checks(estimator, check) -> None:
    check(estimator)


def number(frame: pd.DataFrame) -> pd.DataFrame:
    """The study with the columns that describe the samples as numbers, but for the group."""
    return frame.drop(columns=["site", "age"])


class TestFrozen:
    @pytest.mark.parametrize("options", SETTINGS)
    def test_one_sample_is_its_row(self, options: dict) -> None:
        fitted = normalizer(**options).fit(planned(options))
        new = planned(options, 1).assign(age=40.0)
        together = fitted.transform(new)
        for i in (0, 11, 23):
            assert_allclose(fitted.transform(new.iloc[[i]])[0], together[i], rtol=0, atol=1e-11)

    @pytest.mark.parametrize("options", SETTINGS[:-1])
    def test_training_samples_are_treated_as_new_ones(self, options: dict) -> None:
        frame = planned(options)
        fitted = normalizer(**options)
        assert_array_equal(fitted.fit_transform(frame), fitted.transform(frame))

    @pytest.mark.parametrize("options", SETTINGS)
    def test_order_and_blocks_do_not_matter(self, options: dict) -> None:
        frame = planned(options)
        expected = normalizer(**options).fit_transform(frame)
        rows, columns = np.random.default_rng(0).permutation(N), np.random.default_rng(1).permutation(M)
        moved = frame.iloc[rows, [*columns, *range(M, frame.shape[1])]]
        if "controls" in options:
            options = {"controls": [f"g{i}" for i in options["controls"]]}
        with pass_options(n_threads=1, width=64):
            ours = normalizer(**options).fit_transform(moved)
        tolerance = 1e-4 if "compat" in options else 1e-9  # the minimum of a likelihood is known to half the digits
        assert_allclose(ours, expected[rows][:, columns], rtol=0, atol=tolerance)

    def test_a_sample_that_is_only_shifted_and_bent_comes_back_as_it_was(self) -> None:
        frame, _ = study()
        fitted = normalizer().fit(frame)
        one = frame.iloc[[3]]
        bent = one.copy()
        bent.loc[:, fitted.get_feature_names_out()] += fitted.basis_ @ [3.0, *np.linspace(-2, 2, 10)]
        assert_allclose(fitted.transform(bent), fitted.transform(one), rtol=0, atol=1e-9)

    def test_units_do_not_matter(self) -> None:
        frame, _ = study()
        scaled = frame.copy()
        scaled.loc[:, "g0" : f"g{M - 1}"] = features(frame) * 3 - 5
        assert_allclose(normalizer().fit_transform(scaled), normalizer().fit_transform(frame) * 3 - 5, atol=1e-8)

    def test_values_beside_x_give_the_same(self) -> None:
        frame, table = study()
        X, shuffled = frame.drop(columns=["group", "site", "age"]), frame.sample(frac=1, random_state=0)
        beside = SupervisedNormalizer(feature_covariates=table.sample(frac=1, random_state=1))
        known = shuffled[["site", "age"]]
        ours = beside.fit(X, biology=shuffled["group"], covariates=known).transform(X, covariates=known)
        assert_allclose(ours, normalizer().fit_transform(frame), rtol=0, atol=1e-11)


class TestWhatIsRemoved:
    def test_effects_vanish_and_biology_stays(self) -> None:
        frame, _ = study()
        fitted = normalizer().fit(frame)
        found = np.linalg.lstsq(design_of(frame), fitted.transform(frame))[0][4]
        true = np.where(np.arange(M) % 10 == 0, 1.0, 0.0)
        assert abs(found[true == 0].mean()) < 0.01
        assert abs(found[true == 1].mean() - 1) < 0.03
        assert np.corrcoef(found, true)[0, 1] > 0.85
        assert fitted.null_features_[true == 1].mean() < 0.1
        assert 0.75 < fitted.null_share_ <= 1

    def test_nothing_is_left_to_remove(self) -> None:
        """Normalised data have no sample effects along the basis among the null features."""
        frame, _ = study()
        fitted = normalizer().fit(frame)
        values = pd.DataFrame(fitted.transform(frame), index=frame.index, columns=fitted.get_feature_names_out())
        beside = values.assign(group=frame["group"], site=frame["site"], age=frame["age"])
        assert_allclose(fitted.transform(beside), values, rtol=0, atol=1e-9)

    def test_means_of_features_stay(self) -> None:
        frame, _ = study()
        for options in SETTINGS[:3]:
            ours = normalizer(**options).fit_transform(frame)
            assert_allclose(ours.mean(axis=0), features(frame).mean(axis=0), rtol=0, atol=1e-10)

    def test_removed_covariates_leave_and_are_charged(self) -> None:
        frame, _ = study()
        kept, removed = (normalizer(remove_covariates=flag).fit(frame) for flag in (False, True))
        assert kept.df_spent_ == 0
        assert kept.removed_columns_.shape == (N, 0)
        assert removed.df_spent_ == 3
        design = design_of(frame)
        assert_allclose(removed.removed_columns_, design[:, 1:4] - design[:, 1:4].mean(axis=0), atol=1e-12)
        left = np.linalg.lstsq(design, removed.transform(frame))[0]
        assert_allclose(left[1:4], 0, atol=1e-9)
        assert_allclose(left[4], np.linalg.lstsq(design, kept.transform(frame))[0][4], atol=1e-9)

    def test_features_that_do_not_vary_stay(self) -> None:
        frame, _ = study()
        frame["g7"] = 5.0
        fitted = normalizer().fit(frame)
        assert_array_equal(fitted.transform(frame)[:, 7], 5.0)
        assert not fitted.null_features_[7]
        assert np.isnan(fitted.p_values_[7])

    def test_labels_of_features_are_levelled(self) -> None:
        frame, table = study()
        ours, known = normalizer().fit_transform(frame), design_of(frame)[:, :4]
        left = ours - known @ np.linalg.lstsq(known, ours)[0]
        shifts = pd.DataFrame(left).T.groupby(table["kind"].to_numpy()).mean()
        assert np.abs(shifts.to_numpy()).max() < 0.1
        assert normalizer().fit(frame).basis_names_.count("kind") == 2

    def test_shared_levels(self) -> None:
        """Samples of a level share their coefficients; those of unknown levels are refused."""
        frame = planned({"levels": "plate"})
        fitted = normalizer(levels="plate").fit(frame)
        taken = features(frame) - fitted.transform(frame)
        assert pd.DataFrame(taken).groupby(frame["plate"].to_numpy()).agg(np.ptp).to_numpy().max() < 1e-12
        assert fitted.effects_.shape[0] == 4
        with pytest.raises(DesignError, match="'t'"):
            fitted.transform(frame.assign(plate="t"))


class TestPublished:
    def test_training_set_and_new_samples_differ_in_affected_features_only(self) -> None:
        """Exactly equal where the curve is taken at the same point: features fitted without the biology."""
        frame, _ = study()
        fitted = SupervisedNormalizer("group", covariates=["site"], compat="snm", max_iter=2)
        ours = fitted.fit_transform(frame.drop(columns="age"))
        new = fitted.transform(frame.drop(columns="age"))
        gap = np.abs(ours - new).max(axis=0)
        assert np.median(gap[fitted.null_features_]) < 0.05
        assert np.isnan(fitted.df_smooth_).all()
        assert fitted.n_iter_ == 2

    @pytest.mark.parametrize(
        "options", [{"intensity": False}, {"levels": "age"}, {"controls": [0, 1]}, {"biology": None}, {"compat": "R"}]
    )
    def test_settings_that_it_does_not_know(self, options: dict) -> None:
        frame, _ = study()
        with pytest.raises(MethodError, match="compat"):
            normalizer(**{"compat": "snm", "feature_covariates": None, **options}).fit(
                frame.assign(group=frame["age"] > 40)
            )


class TestPipeline:
    def test_cross_validation_does_not_need_the_biology_of_new_samples(self) -> None:
        frame, table = study()
        X = frame.drop(columns=["group", "age"])
        pipeline = make_pipeline(
            SupervisedNormalizer(covariates=["site"], feature_covariates=table), LogisticRegression(max_iter=1000)
        )
        assert cross_val_score(pipeline, X, frame["group"], cv=4).mean() > 0.8

    def test_names_and_index_of_the_output(self) -> None:
        frame, _ = study()
        out = normalizer().set_output(transform="pandas").fit_transform(frame)
        assert list(out.columns) == [f"g{i}" for i in range(M)]
        assert list(out.index) == list(frame.index)


class TestRefusals:
    @pytest.mark.parametrize(
        ("options", "change", "error", "message"),
        [
            (
                {"covariates": ["twin"]},
                lambda f: number(f).assign(twin=f["group"] + "x"),
                ConfoundedDesignError,
                "twin",
            ),
            ({}, lambda f: f.iloc[[0, 1, 2, 12, 13]], DegreesOfFreedomError, "5 samples"),
            ({}, lambda f: f.assign(g3=np.nan), InputError, "NaN"),
            ({"biology": "x"}, lambda f: f, InputError, "'x'"),
            ({}, lambda f: f.assign(group=[None, *f["group"][1:]]), DesignError, "group"),
            ({"spline_df": 1}, lambda f: f, MethodError, "spline_df"),
            ({"controls": ["nobody"]}, lambda f: f, ControlsError, "nobody"),
            ({"feature_covariates": np.ones(3)}, lambda f: f, AlignmentError, "3 rows"),
            ({"feature_covariates": pd.Series([1.0], index=["h"])}, lambda f: f, AlignmentError, "500"),
            ({"feature_covariates": np.full(M, np.nan)}, lambda f: f, InputError, "Ways out"),
            ({"feature_covariates": np.r_[np.inf, np.ones(M - 1)]}, lambda f: f, InputError, "infinite"),
        ],
    )
    def test_in_fit(self, options: dict, change, error: type, message: str) -> None:
        frame, _ = study()
        with pytest.raises(error, match=message):
            normalizer(**options).fit(change(frame))

    def test_in_transform(self) -> None:
        frame, _ = study()
        X = frame.drop(columns=["group", "site", "age"])
        fitted = SupervisedNormalizer().fit(X, covariates=frame[["age"]], levels=frame["site"])
        with pytest.raises(InputError, match="covariates of these samples"):
            fitted.transform(X, levels=frame["site"])
        with pytest.raises(InputError, match="levels of these samples"):
            fitted.transform(X, covariates=frame[["age"]])

    def test_few_features_get_simple_curves(self) -> None:
        frame, _ = study()
        with pytest.warns(FewFeaturesWarning, match="30 features"):
            fitted = SupervisedNormalizer().fit(features(frame)[:, :30])
        assert fitted.basis_.shape == (30, 3)

    def test_unsettled_search_says_so(self) -> None:
        frame, _ = study()
        with pytest.warns(NotConvergedWarning, match="1 rounds"):
            normalizer(max_iter=1).fit(frame)
