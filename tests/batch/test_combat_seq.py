"""ComBat-seq: against sva 3.46 on simulated counts, and what it promises."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy.stats import nbinom

from latentadj.batch import ComBatSeq, OneBatchWarning, UnadjustedFeaturesWarning
from latentadj.core import combat_seq
from latentadj.core.combat_seq import batch_dispersions, match_quantiles
from latentadj.exceptions import ConfoundedDesignError, DegreesOfFreedomError, DesignError, InputError
from tests.reference_data import load_reference, simcounts


class TestAgainstSva:
    """Whole counts cannot agree to many digits: the dispersions, interpolated by edgeR, differ by a few per cent."""

    CALLS = {"nogroup": [], "group": ["group"], "group_nofull": [], "covar": ["group", "z"]}

    @pytest.mark.parametrize("key", CALLS)
    def test_nearly_all_counts(self, key: str) -> None:
        data = simcounts()
        X = data.frame.join(data.sample_data[["batch", "group", "z"]])
        X = X.drop(columns=[name for name in ("group", "z") if name not in self.CALLS[key]])
        ours = ComBatSeq("batch", covariates=self.CALLS[key]).fit_transform(X)[:, :200]
        stored = load_reference("batch", "counts")[f"combatseq_{key}"].T
        difference = np.abs(ours - stored)
        assert (difference == 0).mean() > 0.8
        assert (difference <= 1).mean() > 0.95
        before = np.abs(data.X[:, :200] - stored).mean()
        assert difference.mean() < 0.02 * before  # of what the adjustment changes
        assert np.array_equal(ours, np.floor(ours))

    def test_dispersions_are_near_those_of_edger(self) -> None:
        """edgeR interpolates between 11 points a factor of 2.3 apart, we between 22 a factor of 1.8 apart."""
        data, stored = simcounts(), load_reference("batch", "dispersions")["dispersion"]
        group = data.sample_data[["group"]].to_numpy(dtype=float)
        codes = np.unique(data.sample_data["batch"], return_inverse=True)[1]
        ours = [batch_dispersions(data.X[codes == b], group[codes == b]) for b in (0, 1)]
        off = np.abs(np.log(ours / stored))
        assert np.quantile(off, 0.95) < 0.06
        assert off.max() < 0.15

    def test_with_the_dispersions_of_edger_counts_are_the_same(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Regression and mapping alone; the package's prior count enters its means in another place."""
        data, stored = simcounts(), iter(load_reference("batch", "dispersions")["dispersion"])
        monkeypatch.setattr(combat_seq, "batch_dispersions", lambda counts, covariates: next(stored))
        X = data.frame.join(data.sample_data[["batch", "group"]])
        ours = ComBatSeq("batch", covariates=["group"]).fit_transform(X)[:, :200]
        difference = np.abs(ours - load_reference("batch", "counts")["combatseq_group"].T)
        assert (difference == 0).mean() > 0.998
        assert difference.max() <= 1


def study(seed: int = 0, n_features: int = 300) -> pd.DataFrame:
    """Forty samples of two batches with other means and dispersions; a third of the features follow a group."""
    rng = np.random.default_rng(seed)
    codes, group = np.repeat([0, 1], 20), np.tile([0, 1], 20)
    truth = np.random.default_rng(99)
    level, shift = truth.uniform(2, 6, n_features), truth.normal(0, 0.8, size=(2, n_features))
    effect = np.where(np.arange(n_features) % 3 == 0, 1.0, 0.0)
    mean = np.exp(level + shift[codes] + np.outer(group, effect))
    size = np.array([20.0, 4.0])[codes][:, None]
    counts = rng.negative_binomial(size, size / (size + mean)).astype(float)
    frame = pd.DataFrame(counts, index=[f"s{i}" for i in range(40)]).add_prefix("g")
    return frame.assign(batch=np.array(["a", "b"])[codes], group=np.array(["u", "v"])[group])


def counts_of(frame: pd.DataFrame) -> np.ndarray:
    return frame.filter(regex=r"^g\d").to_numpy()


class TestPromises:
    def test_batches_agree_and_the_group_stays(self) -> None:
        frame = study()
        adjusted = ComBatSeq("batch", covariates=["group"]).fit_transform(frame)
        a, u = (frame["batch"] == "a").to_numpy(), (frame["group"] == "u").to_numpy()
        shares = [np.log(c / c.sum(axis=1, keepdims=True) + 1e-9) for c in (counts_of(frame) + 0.5, adjusted + 0.5)]
        gaps = [np.abs(share[a].mean(axis=0) - share[~a].mean(axis=0)).mean() for share in shares]
        assert gaps[1] < 0.25 * gaps[0]
        effects = [share[~u].mean(axis=0) - share[u].mean(axis=0) for share in shares]
        follows = np.arange(300) % 3 == 0
        assert effects[1][follows].mean() - effects[1][~follows].mean() == pytest.approx(1.0, abs=0.1)
        np.testing.assert_allclose(effects[1], effects[0], atol=0.45)
        spread = [np.log(share[a].var(axis=0) / share[~a].var(axis=0)).mean() for share in shares]
        assert abs(spread[1]) < 0.5 * abs(spread[0])

    def test_frozen(self) -> None:
        combat = ComBatSeq("batch", covariates=["group"]).fit(study())
        new = study(1)
        together = combat.transform(new)
        for i in (0, 25, 39):
            np.testing.assert_array_equal(combat.transform(new.iloc[[i]])[0], together[i])

    def test_order_does_not_matter(self) -> None:
        frame = study(n_features=80)
        expected = ComBatSeq("batch", covariates=["group"]).fit_transform(frame)
        rows, columns = np.random.default_rng(0).permutation(40), np.random.default_rng(1).permutation(80)
        ours = ComBatSeq("batch", covariates=["group"]).fit_transform(frame.iloc[rows, [*columns, 80, 81]])
        assert (ours == expected[rows][:, columns]).mean() > 0.999  # a quantile on an edge may fall to either side

    def test_features_without_counts_in_a_batch_stay(self) -> None:
        frame = study()
        frame.loc[frame["batch"] == "a", "g5"] = 0
        with pytest.warns(UnadjustedFeaturesWarning, match="1 of 300"):
            combat = ComBatSeq("batch", covariates=["group"]).fit(frame)
        adjusted = combat.transform(frame)
        np.testing.assert_array_equal(adjusted[:, 5], frame["g5"])
        assert np.flatnonzero(~combat.adjusted_).tolist() == [5]

    def test_groups_without_counts_are_fitted(self) -> None:
        frame = study()
        frame.loc[frame["group"] == "u", "g6"] = 0
        adjusted = ComBatSeq("batch", covariates=["group"]).fit_transform(frame)
        assert (adjusted[(frame["group"] == "u").to_numpy(), 6] == 0).all()
        assert np.isfinite(adjusted).all()

    def test_one_batch_is_left_alone(self) -> None:
        frame = study().assign(batch="a")
        with pytest.warns(OneBatchWarning):
            np.testing.assert_array_equal(
                ComBatSeq("batch").fit_transform(frame.drop(columns="group")), counts_of(frame)
            )

    def test_output_names(self) -> None:
        table = ComBatSeq("batch", covariates=["group"]).set_output(transform="pandas").fit_transform(study())
        assert list(table.columns) == [f"g{i}" for i in range(300)]


class TestPieces:
    def test_dispersions_of_a_batch(self) -> None:
        rng = np.random.default_rng(4)
        truth = np.repeat([0.05, 0.5], 200)
        mean = rng.uniform(20, 500, 400)
        counts = rng.negative_binomial(1 / truth, 1 / (1 + truth * mean), size=(30, 400)).astype(float)
        found = batch_dispersions(counts, np.zeros((30, 0)))
        for value in (0.05, 0.5):
            assert np.median(found[truth == value]) == pytest.approx(value, rel=0.15)
        few = batch_dispersions(counts[:2], np.array([[0.0], [1.0]]))
        assert len(np.unique(few)) == 1

    def test_quantiles_by_brute_force(self) -> None:
        counts = np.array([[0.0, 1.0, 2.0, 7.0, 30.0, 500.0]])
        ones = np.ones_like(counts)
        found = match_quantiles(counts, 10 * ones, 0.2 * ones, 25 * ones, 0.1 * ones)
        table = nbinom.cdf(np.arange(2000), 10, 10 / 35)
        for j in (2, 3, 4):
            below = nbinom.pmf(np.arange(int(counts[0, j])), 5, 5 / 15).sum()
            assert found[0, j] == 1 + np.searchsorted(table, below)
        np.testing.assert_array_equal(found[0, [0, 1, 5]], [0, 1, 500])


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        (lambda f: f.assign(g1=0.5), InputError, "whole numbers"),
        (lambda f: f.assign(g1=-1.0), InputError, "negative"),
        (lambda f: f.assign(g1=np.nan), InputError, "missing"),
        (lambda f: f.assign(batch=["c", *f["batch"][1:]]), DegreesOfFreedomError, "'c'"),
        (lambda f: f.assign(group=f["batch"]), ConfoundedDesignError, "Ways out"),
        (lambda f: f.assign(batch=[None, *f["batch"][1:]]), DesignError, "missing"),
        (lambda f: f.assign(**{f"g{i}": (f["batch"] == "a") * 3.0 for i in range(300)}), InputError, "no counts"),
    ],
)
def test_refusals(change, error: type, message: str) -> None:
    with pytest.raises(error, match=message):
        ComBatSeq("batch", covariates=["group"]).fit(change(study()))
