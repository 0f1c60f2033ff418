"""ComBat: what it promises whatever the reference says."""

from __future__ import annotations

import warnings

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone

from latentadj.batch import ComBat, OneBatchWarning, UnadjustedFeaturesWarning
from latentadj.core.batch_shrinkage import (
    BatchEvidence,
    BatchPrior,
    nonparametric_posterior,
    parametric_posterior,
)
from latentadj.core.passes import pass_options
from latentadj.exceptions import (
    AlignmentError,
    ConfoundedDesignError,
    DegreesOfFreedomError,
    DesignError,
    InputError,
    MethodError,
    NotConvergedWarning,
)

SETTINGS = [{}, {"parametric": False}, {"mean_only": True}, {"reference": "b"}, {"compat": "combat-r"}]


def study(seed: int = 0, n_features: int = 60) -> pd.DataFrame:
    """Thirty samples of three batches with shifts and spreads of their own, a covariate with an effect."""
    rng = np.random.default_rng(seed)
    codes = np.repeat([0, 1, 2], 10)
    age = np.tile([20.0, 30.0, 40.0, 50.0, 60.0], 6) + rng.normal(size=30)
    shift, spread = rng.normal(size=(3, n_features)), rng.uniform(0.5, 2, size=(3, 1))
    X = 8 + shift[codes] + np.outer(age - 40, rng.normal(size=n_features)) / 20
    X = X + spread[codes] * rng.normal(size=X.shape)
    frame = pd.DataFrame(X, index=[f"s{i}" for i in range(30)]).add_prefix("g")
    return frame.assign(batch=np.array(["a", "b", "c"])[codes], age=age)


def features(frame: pd.DataFrame) -> np.ndarray:
    return frame.filter(regex="^g").to_numpy()


class TestEstimates:
    def test_batches_agree_in_mean_and_variance_and_the_covariate_stays(self) -> None:
        frame = study(n_features=400)
        adjusted = ComBat("batch", covariates=["age"]).fit_transform(frame)
        design = np.column_stack([np.eye(3)[np.repeat([0, 1, 2], 10)], frame["age"]])
        before, after = (np.linalg.lstsq(design, values)[0] for values in (features(frame), adjusted))
        assert after[:3].std(axis=0).mean() < 0.35 * before[:3].std(axis=0).mean()
        left = (adjusted - design @ after).reshape(3, 10, 400).var(axis=1).mean(axis=1)
        assert left.max() / left.min() < 1.3  # 7 or more before
        slopes = np.polyfit(frame["age"] - 40, adjusted, 1)[0]
        np.testing.assert_allclose(slopes, before[3], atol=0.03)

    def test_parametric_estimates_solve_their_equations(self) -> None:
        rng = np.random.default_rng(1)
        values = rng.normal(rng.normal(size=50), rng.uniform(0.5, 2, 50), size=(8, 50))
        evidence = BatchEvidence(
            values.mean(axis=0), 7 * values.var(axis=0, ddof=1), values.var(axis=0, ddof=1), np.full(50, 8.0)
        )
        found, s2 = parametric_posterior(evidence), evidence.spread
        a = 2 + s2.mean() ** 2 / s2.var(ddof=1)
        b = s2.mean() + s2.mean() ** 3 / s2.var(ddof=1)
        t2, bar = evidence.shift.var(ddof=1), evidence.shift.mean()
        shift = (8 * t2 * evidence.shift + found.spread * bar) / (8 * t2 + found.spread)
        squares = ((values - found.shift) ** 2).sum(axis=0)
        np.testing.assert_allclose(found.shift, shift, rtol=1e-8, atol=1e-9)
        np.testing.assert_allclose(found.spread, (b + squares / 2) / (4 + a - 1), rtol=1e-8)
        prior = BatchPrior.from_moments(evidence.shift, s2)
        assert prior.scale / (prior.shape - 1) == pytest.approx(s2.mean())

    def test_nonparametric_estimates_by_brute_force(self) -> None:
        rng = np.random.default_rng(2)
        values = rng.normal(rng.normal(size=20), rng.uniform(0.5, 2, 20), size=(6, 20))
        shift, spread = values.mean(axis=0), values.var(axis=0, ddof=1)
        with pass_options(width=3):
            found = nonparametric_posterior(BatchEvidence(shift, 5 * spread, spread, np.full(20, 6.0)))
        for j in range(20):
            others = np.delete(np.arange(20), j)
            densities = np.exp(-((values[:, [j]] - shift[others]) ** 2) / (2 * spread[others]))
            weights = (densities / np.sqrt(2 * np.pi * spread[others])).prod(axis=0)
            assert found.shift[j] == pytest.approx(weights @ shift[others] / weights.sum(), rel=1e-9)
            assert found.spread[j] == pytest.approx(weights @ spread[others] / weights.sum(), rel=1e-9)

    def test_large_batches_do_not_underflow(self) -> None:
        """Products of 3000 densities are zero in doubles; their logarithms are not."""
        rng = np.random.default_rng(3)
        frame = pd.DataFrame(rng.normal(size=(6000, 5)) * [1, 1, 9, 9, 1])
        adjusted = ComBat(parametric=False).fit_transform(frame, batch=np.repeat([0, 1], 3000))
        assert np.isfinite(adjusted).all()

    def test_mean_only_shrinks_by_the_number_of_samples(self) -> None:
        """The paper's weight n t2 / (n t2 + 1); the package's takes n = 1 and leaves most of the shift."""
        frame = study()
        left = {}
        for compat in (None, "combat-r"):
            combat = ComBat("batch", covariates=["age"], mean_only=True, compat=compat).fit(frame)
            assert (combat.spread_ == 1).all()
            means = pd.DataFrame(combat.transform(frame)).groupby(frame["batch"].to_numpy()).mean()
            left[compat] = float(means.std().mean())
        assert left[None] < 0.5 * left["combat-r"]


class TestFrozen:
    @pytest.mark.parametrize("options", SETTINGS)
    def test_one_sample_is_its_row(self, options: dict[str, object]) -> None:
        combat = ComBat("batch", covariates=["age"], **options).fit(study())
        new = study(1).drop(columns="g7").assign(g7=0.0)[study().columns]
        together = combat.transform(new)
        for i in (0, 12, 29):
            np.testing.assert_allclose(combat.transform(new.iloc[[i]])[0], together[i], rtol=0, atol=1e-12)

    def test_reference_samples_and_no_others_come_back(self) -> None:
        frame = study()
        combat = ComBat("batch", covariates=["age"], reference="b").fit(frame)
        same = (combat.transform(frame) == features(frame)).all(axis=1)
        assert same.tolist() == (frame["batch"] == "b").tolist()
        new = study(5)
        np.testing.assert_array_equal(combat.transform(new)[10:20], features(new)[10:20])

    @pytest.mark.parametrize("options", SETTINGS)
    def test_order_units_and_blocks_do_not_matter(self, options: dict[str, object]) -> None:
        frame = study()
        expected = ComBat("batch", covariates=["age"], **options).fit_transform(frame)
        rows, columns = np.random.default_rng(0).permutation(30), np.random.default_rng(1).permutation(60)
        moved = frame.iloc[rows, [*columns, 60, 61]]
        moved.iloc[:, :60] = moved.iloc[:, :60] * 3 - 5
        moved["age"] = moved["age"] * 12 + 7
        with pass_options(n_threads=1, width=7):
            ours = ComBat("batch", covariates=["age"], **options).fit_transform(moved)
        np.testing.assert_allclose((ours + 5) / 3, expected[rows][:, columns], rtol=0, atol=1e-9)

    def test_columns_and_values_beside_x_give_the_same(self) -> None:
        frame = study()
        X, shuffled = frame.drop(columns=["batch", "age"]), frame.sample(frac=1, random_state=0)
        inside = ComBat("batch", covariates=["age"]).fit(frame).transform(frame)
        combat = ComBat().fit(X, batch=shuffled["batch"], covariates=shuffled[["age"]])
        beside = combat.transform(X, batch=shuffled["batch"], covariates=shuffled["age"])
        np.testing.assert_array_equal(inside, beside)
        plain = ComBat().fit(X.to_numpy(), batch=frame["batch"].tolist(), covariates=frame["age"].to_numpy())
        with pytest.raises(DesignError):  # the covariate has another name
            combat.transform(X, batch=frame["batch"], covariates=frame["age"].to_numpy())
        other = plain.transform(X.to_numpy(), batch=frame["batch"].tolist(), covariates=frame["age"].to_numpy())
        np.testing.assert_array_equal(inside, other)


class TestGaps:
    def test_a_gap_changes_its_feature_and_the_priors_only(self) -> None:
        """Pooled variances of complete features stay as they are (the package divides by one less)."""
        frame = study(n_features=300)
        holes = frame.copy()
        holes.iloc[3, 5] = np.nan
        full, gaps = (ComBat("batch", covariates=["age"]).fit_transform(x) for x in (frame, holes))
        assert np.isnan(gaps).sum() == 1
        np.testing.assert_allclose(np.delete(gaps, 5, axis=1), np.delete(full, 5, axis=1), atol=0.01)
        literal = ComBat("batch", covariates=["age"], compat="combat-r").fit_transform(holes)
        assert np.isnan(literal).sum() == 1

    def test_features_without_values_in_a_batch_are_left_alone(self) -> None:
        frame = study()
        frame.iloc[:10, 4] = np.nan
        frame.iloc[11:20, 9] = np.nan
        with pytest.warns(UnadjustedFeaturesWarning, match="2 of 60"):
            combat = ComBat("batch", covariates=["age"]).fit(frame)
        adjusted = combat.transform(frame)
        np.testing.assert_array_equal(adjusted[:, [4, 9]], features(frame)[:, [4, 9]])
        assert np.isfinite(np.delete(adjusted, [4, 9], axis=1)).all()


class TestRefusals:
    @pytest.mark.parametrize(
        ("options", "change", "error", "message"),
        [
            ({"covariates": ["site"]}, lambda f: f.assign(site=f["batch"] + "x"), ConfoundedDesignError, "Ways out"),
            ({"covariates": ["age", "old"]}, lambda f: f.assign(old=2 * f["age"]), ConfoundedDesignError, "old"),
            ({"reference": "z"}, lambda f: f, MethodError, "'a', 'b', 'c'"),
            ({"compat": "R"}, lambda f: f, MethodError, "combat-r"),
            ({}, lambda f: f.drop(columns="batch"), InputError, "'batch'"),
            ({}, lambda f: f.to_numpy(), InputError, "DataFrame"),
            ({}, lambda f: f.assign(batch=[None, *f["batch"][1:]]), DesignError, "missing"),
            ({"covariates": ["age"]}, lambda f: f.assign(age=[np.nan, *f["age"][1:]]), DesignError, "age"),
            ({}, lambda f: f.assign(g3=np.inf), InputError, "infinity"),
            ({"reference": "s"}, lambda f: f.assign(batch=["s", *["t"] * 29]), DegreesOfFreedomError, "reference"),
            (
                {"covariates": ["one"]},
                lambda f: f.assign(batch=["s"] * 2 + ["t"] * 28, one=[1, *[0] * 29]),
                DegreesOfFreedomError,
                "mean_only",
            ),
        ],
    )
    @pytest.mark.filterwarnings("ignore::latentadj.batch.SingleSampleBatchWarning")
    def test_in_fit(self, options, change, error: type, message: str) -> None:
        frame = change(study().drop(columns="age") if not options.get("covariates") else study())
        with pytest.raises(error, match=message):
            ComBat("batch", **options).fit(frame)

    def test_in_transform(self) -> None:
        frame = study()
        combat = ComBat("batch", covariates=["age"]).fit(frame)
        with pytest.raises(DesignError, match=r"'z'.*Ways out"):
            combat.transform(frame.assign(batch="z"))
        with pytest.raises(InputError, match="feature names should match"):
            combat.transform(frame.drop(columns="g3"))
        X = features(frame)
        beside = ComBat().fit(X, batch=frame["batch"], covariates=frame["age"])
        with pytest.raises(InputError, match="batch=labels"):
            beside.transform(X)
        with pytest.raises(InputError, match="covariates=values"):
            beside.transform(X, batch=frame["batch"])
        with pytest.raises(AlignmentError, match="30 samples"):
            ComBat().fit(frame.drop(columns=["batch", "age"]), batch=frame["batch"].iloc[1:])

    def test_an_iteration_cut_short_says_so(self) -> None:
        with pytest.warns(NotConvergedWarning, match="max_iter=2"):
            ComBat("batch", max_iter=2).fit(study().drop(columns="age"))

    def test_one_batch_is_left_alone(self) -> None:
        frame = study().assign(batch="a")
        with pytest.warns(OneBatchWarning, match="'a'"):
            adjusted = ComBat("batch", covariates=["age"]).fit_transform(frame)
        np.testing.assert_array_equal(adjusted, features(frame))

    def test_one_feature_is_adjusted_without_a_prior(self) -> None:
        frame = study(n_features=1)
        adjusted = pd.Series(ComBat("batch").fit_transform(frame.drop(columns="age"))[:, 0])
        groups = adjusted.groupby(frame["batch"].to_numpy())
        np.testing.assert_allclose(groups.mean(), adjusted.mean(), rtol=1e-12)
        np.testing.assert_allclose(groups.var(), groups.var().mean(), rtol=1e-12)


def test_covariates_that_do_not_vary_change_nothing() -> None:
    frame = study()
    expected = ComBat("batch", covariates=["age"]).fit_transform(frame)
    more = frame.assign(one=1.0, site="s")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        ours = ComBat("batch", covariates=["age", "one", "site"]).fit_transform(more)
    np.testing.assert_allclose(ours, expected, rtol=0, atol=1e-12)


def test_clones_are_unfitted() -> None:
    combat = ComBat("batch", covariates=["age"]).fit(study())
    assert combat.df_spent_ == pytest.approx(2 + 2.6)  # shifts, and spreads beside a kept effect
    assert not hasattr(clone(combat), "batches_")
