"""Clean, then test: refused, and what a permitted test does to be right.

The study: 40 samples, two groups, four batches of ten with 9 and 1, 1 and 9, 9 and 1, 1 and 9 samples of the groups,
batch shifts of the size of the noise, no effect of the group in any of 5000 features. Measured over 20 such studies
(moderated t): batches removed and then forgotten gave type-I error 0.259 and 539 false hits at BH 5 per cent, batches
in the design 0.050 and none, the permitted path the same numbers to 1e-12.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose
from scipy.stats import t as student

import latentadj as la
from latentadj.batch import ComBat, remove_batch_effect
from latentadj.core.clean_then_test import charged, cost_of_spreads, naive_error_rate
from latentadj.core.matrix import ArrayMatrix
from latentadj.core.multiple import adjust_pvalues
from latentadj.core.regression import RegressionFit, design_basis, design_pass, fit_from_sums
from latentadj.data.marking import mark_adjusted
from latentadj.data.provenance import AdjustmentRecord, adjustment_record
from latentadj.estimators.adjusted_data import GuardedDesign, guarded_design
from latentadj.exceptions import AdjustedDataError, AlignmentError, ConfoundedDesignError, DegreesOfFreedomError
from latentadj.inference import ModeratedT
from latentadj.results import TestStatistics, test_contrasts

pytestmark = pytest.mark.filterwarnings("ignore::latentadj.LatentAdjWarning")

CODES = np.repeat(np.arange(4), 10)
IDS = [f"s{i}" for i in range(40)]
OBS = pd.DataFrame(
    {"group": np.tile(np.repeat([0.0, 1.0, 0.0, 1.0], [9, 1, 1, 9]), 2), "batch": np.array(list("abcd"))[CODES]},
    index=IDS,
)
GROUP = la.Design.from_formula("~ group", OBS)
WITH_BATCH = la.Design.from_formula("~ group | batch", OBS)


def null_study(seed: int, n_features: int = 5000) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    values = rng.normal(size=(40, n_features)) + rng.normal(size=(4, n_features))[CODES]
    return pd.DataFrame(values, index=IDS).add_prefix("g")


def fitted(X: pd.DataFrame, design: la.Design, df: float = 0.0) -> RegressionFit:
    basis = design_basis(design.matrix)
    return charged(fit_from_sums(basis, design_pass(ArrayMatrix(X.to_numpy()), basis)), df)


def moderated(X: pd.DataFrame, design: la.Design, df: float = 0.0) -> TestStatistics:
    """Moderated t of the primary column."""
    fit = fitted(X, design, df)
    contrast = np.eye(len(design.names))[:, design.columns_with("primary")]
    return test_contrasts(fit, ModeratedT().variances(fit), contrast, design.primary_names)


def type_1_and_hits(tests: TestStatistics) -> tuple[float, int]:
    p = tests.p_value[:, 0]
    return float(np.mean(p < 0.05)), int(np.sum(adjust_pvalues(p) < 0.05))


def permitted(X: pd.DataFrame, design: la.Design = GROUP) -> TestStatistics:
    """What a test does that was told that the data were adjusted."""
    guarded = guarded_design(design, adjustment_record(X), IDS, allow=True)
    return moderated(X, guarded.design, guarded.df_spent)


def combat(X: pd.DataFrame, **options) -> pd.DataFrame:
    """ComBat with the group kept, marked with what it took out and with what its spreads cost."""
    transformer = ComBat(**options).fit(X, batch=OBS["batch"], covariates=OBS[["group"]])
    values = transformer.transform(X, batch=OBS["batch"], covariates=OBS[["group"]])
    cost = 0.0 if transformer.mean_only_ else cost_of_spreads(CODES, OBS[["group"]].to_numpy())
    table = pd.DataFrame(np.asarray(values), index=IDS, columns=X.columns)
    return mark_adjusted(table, "ComBat", columns=OBS["batch"], df=3 + cost)


class TestUnbalancedBatches:
    """Acceptance: refused; the permitted path has nominal type-I error; forgetting gives hundreds of false hits."""

    def test_one_study(self) -> None:
        X = null_study(0)
        adjusted = remove_batch_effect(X, OBS["batch"], design=GROUP)
        rate, hits = type_1_and_hits(moderated(adjusted, GROUP))
        assert rate > 0.2
        assert hits > 200
        for tests in (
            permitted(adjusted),
            moderated(X, WITH_BATCH),
            permitted(combat(X)),
            permitted(combat(X, mean_only=True)),
        ):
            rate, hits = type_1_and_hits(tests)
            assert 0.04 < rate < 0.06
            assert hits <= 2

    def test_removal_put_right_is_the_fit_with_batches(self) -> None:
        X = null_study(1, 300)
        expected = moderated(X, WITH_BATCH)
        for design in (GROUP, None):  # also when the group was not kept
            ours = permitted(remove_batch_effect(X, OBS["batch"], design=design))
            assert_allclose(ours.estimate, expected.estimate, rtol=0, atol=1e-10)
            assert_allclose(ours.std_error, expected.std_error, rtol=1e-10)
            assert_allclose(ours.p_value, expected.p_value, rtol=1e-10)

    def test_shifts_of_combat_put_right_are_the_fit_with_batches(self) -> None:
        X = null_study(2, 300)
        assert_allclose(permitted(combat(X, mean_only=True)).p_value, moderated(X, WITH_BATCH).p_value, rtol=1e-10)

    def test_part_of_the_samples(self) -> None:
        """Removed in all samples, tested in thirty: as if these thirty had been measured alone."""
        X, kept = null_study(3, 200), IDS[:30]
        adjusted = remove_batch_effect(X, OBS["batch"], design=GROUP).loc[kept[::-1]]
        design = la.Design.from_formula("~ group", OBS.loc[kept[::-1]])
        guarded = guarded_design(design, adjustment_record(adjusted), kept[::-1], allow=True)
        ours = moderated(adjusted, guarded.design, guarded.df_spent)
        expected = moderated(X.loc[kept], la.Design.from_formula("~ group | batch", OBS.loc[kept]))
        assert_allclose(ours.p_value, expected.p_value, rtol=1e-9)

    @pytest.mark.slow
    def test_error_rates(self) -> None:
        """Over 20 studies: 0.259, 0.261 and 0.236 for the naive ways, 0.050 to 0.051 for the others."""
        rates: dict[str, list[tuple[float, int]]] = {}
        for seed in range(20):
            X = null_study(100 + seed)
            ways = {
                "removed": remove_batch_effect(X, OBS["batch"], design=GROUP),
                "combat": combat(X),
                "shifts": combat(X, mean_only=True),
            }
            for name, adjusted in ways.items():
                rates.setdefault(f"naive {name}", []).append(type_1_and_hits(moderated(adjusted, GROUP)))
                rates.setdefault(name, []).append(type_1_and_hits(permitted(adjusted)))
            rates.setdefault("design", []).append(type_1_and_hits(moderated(X, WITH_BATCH)))
        mean = {name: np.mean(values, axis=0) for name, values in rates.items()}
        for name in ("removed", "combat", "shifts"):
            assert mean[f"naive {name}"][0] > 0.2
            assert mean[f"naive {name}"][1] > 200
        for name in ("removed", "combat", "shifts", "design"):
            assert 0.045 < mean[name][0] < 0.055
            assert mean[name][1] < 0.5

    @pytest.mark.slow
    def test_charge_without_columns_is_right_when_balanced(self) -> None:
        """Four batches of five and five: naive 0.060, charged 0.050."""
        group = np.tile(np.repeat([0.0, 1.0], 5), 4)
        design = la.Design.from_arrays(group)
        naive, right = [], []
        for seed in range(20):
            values = remove_batch_effect(null_study(200 + seed), OBS["batch"], design=design)
            naive.append(type_1_and_hits(moderated(values, design))[0])
            right.append(type_1_and_hits(moderated(values, design, 3.0))[0])
        assert np.mean(naive) > 0.057
        assert 0.0475 < np.mean(right) < 0.0525


class TestRefusal:
    def test_message(self) -> None:
        X = remove_batch_effect(null_study(0, 20), OBS["batch"], design=GROUP)
        with pytest.raises(AdjustedDataError) as caught:
            guarded_design(GROUP, adjustment_record(X), IDS, allow=False)
        text = str(caught.value)
        for part in (
            "remove_batch_effect took out 3 columns (batch[S.a], batch[S.b], batch[S.c]), 3 degrees of freedom",
            "with group kept",
            "25% of features without any effect would have p < 0.05",
            "'~ tested | batch'",
            "allow_adjusted=True, which puts the removed columns back into the design",
        ):
            assert part in text

    def test_message_without_columns(self) -> None:
        record = AdjustmentRecord(("quantile normalisation",), 2.5)
        with pytest.raises(AdjustedDataError, match=r"took out 2\.5 degrees.*which charges the degrees of freedom"):
            guarded_design(GROUP, record, IDS, allow=False)

    def test_message_when_confounded(self) -> None:
        record = AdjustmentRecord(("x",), 1, tuple(IDS), OBS[["group"]].to_numpy(), ("group",))
        with pytest.raises(AdjustedDataError, match="cannot be told apart from `group`"):
            guarded_design(GROUP, record, IDS, allow=False)

    def test_it_comes_before_a_mismatch_of_samples(self) -> None:
        record = AdjustmentRecord(("x",), 1, ("other",), np.ones((1, 1)), ("batch",))
        with pytest.raises(AdjustedDataError, match="x took out 1 columns"):
            guarded_design(GROUP, record, IDS, allow=False)
        with pytest.raises(AlignmentError, match="40 of the 40 samples"):
            guarded_design(GROUP, record, IDS, allow=True)

    def test_nothing_recorded_or_nothing_tested(self) -> None:
        record = AdjustmentRecord(("x",), 1)
        assert guarded_design(GROUP, None, IDS, allow=False) == GuardedDesign(GROUP)
        nothing = la.Design.from_formula("~ 1 | batch", OBS)
        assert guarded_design(nothing, record, IDS, allow=False).design is nothing


class TestGuardedDesign:
    def test_columns_join_the_nuisance_part(self) -> None:
        record = adjustment_record(remove_batch_effect(null_study(0, 20), OBS["batch"]))
        guarded = guarded_design(GROUP, record, IDS, allow=True)
        assert guarded.design.names == (
            "Intercept",
            *(f"removed.batch[S.{level}]" for level in "abc"),
            "group",
        )
        assert guarded.design.roles == ("nuisance",) * 4 + ("primary",)
        assert guarded.df_spent == 0.0
        assert guarded.design.rank == WITH_BATCH.rank
        assert "The 3 columns that were taken out of them joined the design" in guarded.notes[0]
        assert guarded.design.contrast_vector("group").tolist() == [0, 0, 0, 0, 1]

    def test_columns_in_the_design_are_not_added_again(self) -> None:
        record = adjustment_record(remove_batch_effect(null_study(0, 20), OBS["batch"]))
        guarded = guarded_design(WITH_BATCH, record, IDS, allow=True)
        assert guarded.design is WITH_BATCH
        assert "0 of the 3 columns" in guarded.notes[0]

    def test_names_stay_distinct(self) -> None:
        table = OBS.assign(**{"removed.x": np.arange(40.0)})
        design = la.Design.from_formula("~ group | `removed.x`", table)
        columns = np.random.default_rng(0).normal(size=(40, 2))
        record = AdjustmentRecord(("x",), 2, tuple(IDS), columns, ("x", "x"))
        names = guarded_design(design, record, IDS, allow=True).design.names
        assert names == ("Intercept", "removed.x", "removed.x.2", "removed.x.3", "group")

    def test_confounding_is_the_usual_error(self) -> None:
        batch = pd.Series(np.where(OBS["group"] == 1, "b", "a"), index=IDS)
        record = adjustment_record(remove_batch_effect(null_study(0, 20), batch))
        with pytest.raises(ConfoundedDesignError, match=r"removed\.batch"):
            guarded_design(GROUP, record, IDS, allow=True).design.check()

    def test_what_is_beyond_the_columns_is_charged(self) -> None:
        record = adjustment_record(mark_adjusted(null_study(0, 20), "x", columns=OBS["batch"], df=5))
        guarded = guarded_design(WITH_BATCH, record, IDS, allow=True)
        assert guarded.df_spent == 2.0
        assert "2 residual degrees of freedom were charged" in guarded.notes[0]


class TestCharge:
    FIT = RegressionFit(
        np.ones((3, 1)), np.array([1.0, 2.0, 4.0]), 10.0, np.eye(1), np.ones(3), np.zeros(3, dtype=bool)
    )

    def test_sums_of_squares_stay(self) -> None:
        fit = charged(self.FIT, 2.5)
        assert fit.df_resid == 7.5
        assert_allclose(fit.sigma2 * fit.df_resid, self.FIT.sigma2 * self.FIT.df_resid, rtol=1e-15)
        assert charged(self.FIT, 0) is self.FIT

    def test_one_number_per_feature(self) -> None:
        fit = charged(RegressionFit(**{**_fields(self.FIT), "df_resid": np.array([10.0, np.inf, 2.0])}), 3.0)
        assert_allclose(fit.df_resid, [7.0, np.inf, 0.0])
        assert_allclose(fit.sigma2, [10 / 7, 2.0, np.nan])

    def test_known_variances_stay(self) -> None:
        fit = charged(RegressionFit(**{**_fields(self.FIT), "df_resid": np.inf}), 3.0)
        assert fit.df_resid == np.inf
        assert_allclose(fit.sigma2, self.FIT.sigma2)

    def test_nothing_left(self) -> None:
        with pytest.raises(DegreesOfFreedomError, match="took 10 degrees of freedom and the design leaves 10"):
            charged(self.FIT, 10)

    def test_naive_error_rate_is_what_happens(self) -> None:
        """Against ordinary t tests of 20,000 features after removal."""
        X = remove_batch_effect(null_study(5, 20000), OBS["batch"], design=GROUP)
        fit = fitted(X, GROUP)
        statistic = fit.coef[:, 1] / np.sqrt(fit.sigma2 * fit.cov_unscaled[1, 1])
        happened = np.mean(2 * student.sf(np.abs(statistic), 38) < 0.05)
        codes = (CODES[:, None] == [1, 2, 3]).astype(float)
        assert naive_error_rate(GROUP.matrix, 1, codes) == pytest.approx(happened, abs=0.012)
        assert naive_error_rate(GROUP.matrix, 1, np.zeros((40, 0))) == pytest.approx(0.05, abs=1e-12)
        assert np.isnan(naive_error_rate(GROUP.matrix, 1, OBS[["group"]].to_numpy()))

    @pytest.mark.parametrize("sizes", [(10, 10, 10, 10), (4, 8, 20)])
    def test_cost_of_spreads_is_what_goes(self, sizes: tuple[int, ...]) -> None:
        """Expected residual sum of squares after dividing by published variances, with plain averages over features."""
        rng = np.random.default_rng(0)
        codes = np.repeat(np.arange(len(sizes)), sizes)
        n, kept = len(codes), rng.normal(size=(len(codes), 2))
        indicators = (codes[:, None] == np.arange(len(sizes))).astype(float)
        basis = design_basis(np.hstack([indicators, kept]))
        residuals = basis.project_out(rng.normal(size=(n, 20000)))
        by_batch = np.mean(indicators.T @ residuals**2, axis=1)
        spread = by_batch / (np.array(sizes) - 1) / (by_batch.sum() / n)
        lost = (n - basis.rank) - np.sum(by_batch / spread)
        assert cost_of_spreads(codes, kept) == pytest.approx(lost, abs=0.1)
        spread = by_batch / (np.array(sizes) - 1) / (by_batch[1] / sizes[1])
        spread[1] = 1.0
        lost = (n - basis.rank) - np.sum(by_batch / spread)
        assert cost_of_spreads(codes, kept, reference=1) == pytest.approx(lost, abs=0.1)
        assert cost_of_spreads(codes, kept[:, :0]) == 0.0
        assert cost_of_spreads(np.zeros(n, dtype=int), kept) == 0.0


class TestLatentAdjuster:
    """Scores of factors are columns like any other."""

    @staticmethod
    def study() -> tuple[pd.DataFrame, np.ndarray, pd.DataFrame]:
        rng = np.random.default_rng(0)
        y = OBS["group"].to_numpy()
        hidden = rng.normal(size=(40, 2)) + 0.7 * y[:, None]
        values = hidden @ rng.normal(size=(2, 400)) + rng.normal(size=(40, 400))
        known = pd.DataFrame({"age": rng.normal(50, 10, 40), "sex": np.tile(["f", "m"], 20)}, index=IDS)
        values += np.outer((known["age"] - 50) / 10, rng.normal(size=400))
        return pd.DataFrame(values, index=IDS).add_prefix("g"), y, known

    @pytest.mark.parametrize("method", [la.SVA(2), la.CATE(2), la.ResidualPCA(2)], ids=lambda m: type(m).__name__)
    def test_scores_put_back(self, method: la.LatentFactorEstimator) -> None:
        X, y, _ = self.study()
        adjuster = la.LatentAdjuster(method).set_output(transform="pandas").fit(X, y)
        out = adjuster.transform(X)
        record = adjustment_record(out)
        assert (record.df_spent, record.rank, record.protected) == (2.0, 2, ("y",))
        scores = adjuster.factors_.score_matrix(ArrayMatrix(X.to_numpy()))
        assert_allclose(record.columns, scores, rtol=1e-12)
        expected = moderated(X, la.Design.from_arrays(y, scores))
        assert_allclose(permitted(out, la.Design.from_arrays(y)).p_value, expected.p_value, rtol=1e-9)

    @pytest.mark.parametrize("remove", [False, True])
    def test_covariates_put_back(self, remove: bool) -> None:
        X, y, known = self.study()
        whole = X.join(known)
        adjuster = la.LatentAdjuster(la.SVA(2), covariates=["age", "sex"], remove_covariates=remove)
        out = adjuster.set_output(transform="pandas").fit(whole, y).transform(whole)
        record = adjustment_record(out)
        covariates = ("age", "sex[T.m]")
        assert record.names == ("sva0", "sva1", *(covariates if remove else ()))
        assert record.protected == (("y",) if remove else ("y", *covariates))
        assert record.df_spent == len(record.names)
        design = la.Design.from_formula("~ y | age + sex", known.assign(y=y))
        with_scores = la.Design.from_arrays(y, np.hstack([design.matrix[:, 1:3], record.columns[:, :2]]))
        assert_allclose(permitted(out, design).p_value, moderated(X, with_scores).p_value, rtol=1e-9)
        if remove:  # then the record knows them, and a design without them makes no difference
            short = la.Design.from_arrays(y)
            assert_allclose(permitted(out, short).p_value, moderated(X, with_scores).p_value, rtol=1e-9)

    def test_training_factors_put_back_are_the_adjusted_regression(self) -> None:
        """What `AdjustedRegression` does in one step: its factors subtracted, then put back."""
        X, y, _ = self.study()
        frozen = la.estimators.FrozenSVA(la.SVA(2)).fit(X, y)
        adjusted = pd.DataFrame(frozen.adjusted_training_, index=IDS, columns=X.columns)
        marked = mark_adjusted(adjusted, "factors of SVA", columns=frozen.factors_.factors_)
        own = la.AdjustedRegression(la.SVA(2)).fit(X, y).result_
        ours = permitted(marked, la.Design.from_arrays(y))
        assert_allclose(ours.estimate, own.tests.estimate, rtol=0, atol=1e-10)
        assert_allclose(ours.p_value, own.tests.p_value, rtol=1e-9)

    def test_no_factors_leave_no_record(self) -> None:
        X, y, _ = self.study()
        plain = la.LatentAdjuster(la.NoFactors()).set_output(transform="pandas").fit(X, y)
        assert adjustment_record(plain.transform(X)) is None
        arrays = la.LatentAdjuster(la.SVA(1)).fit(X, y).transform(X)
        assert isinstance(arrays, np.ndarray)


def _fields(fit: RegressionFit) -> dict:
    return {name: getattr(fit, name) for name in ("coef", "sigma2", "df_resid", "cov_unscaled", "mean", "constant")}
