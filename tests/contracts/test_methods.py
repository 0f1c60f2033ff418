"""What every method of the catalogue promises, whatever it computes.

A new method enters by being in `latentadj.factors.METHODS`. Numbers compared are factors, loadings, variances and the
columns of the table; differences count relative to the largest number of the array. Largest measured, over all methods:

=====================================================  ========  ========
what is changed                                        measured  asserted
=====================================================  ========  ========
number of threads, repetition, float32 storage         0        0
block width, memory order, views                       9e-14    1e-11
order of samples, of features                          1e-13    1e-11
x plus nuisance columns                                3e-13    1e-11
constants, units, nuisance columns added to the data   8e-14    1e-11
values rounded to float32                              7e-7     1e-5
=====================================================  ========  ========

SVA repeats a map until it settles and owns most of the largest numbers; the promise of 1e-10 holds for it too.
"""

from __future__ import annotations

import pickle

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone

import latentadj as la
from tests.contracts.made_up import (
    FORMULA,
    ROUNDING,
    SINGLE,
    K,
    M,
    N,
    all_methods,
    assert_close,
    assert_same,
    build,
    numbers,
    run,
    study,
    usual,
)

pytestmark = pytest.mark.filterwarnings("ignore::latentadj.LatentAdjWarning")


def expected_factors(method: type) -> int:
    return 0 if method is la.NoFactors else K


@all_methods
class TestSameAnswer:
    """However the data are stored, read or ordered."""

    def test_it_is_an_answer(self, method: type) -> None:
        """The comparisons below would also hold for NaN everywhere."""
        result = usual(method)
        assert result.n_factors == expected_factors(method)
        assert all(np.isfinite(values).all() for values in numbers(result).values())
        assert np.ptp(result.tests.estimate) > 1

    @pytest.mark.parametrize("width", [1, 37, M])
    def test_block_width(self, method: type, width: int) -> None:
        with la.pass_options(width=width):
            found = run(method)
        assert_same(found, usual(method), ROUNDING)

    def test_number_of_threads(self, method: type) -> None:
        results = []
        for n_threads in (1, 2, 5):
            with la.pass_options(n_threads=n_threads, width=20):
                results.append(numbers(run(method)))
        for name, values in results[0].items():
            np.testing.assert_array_equal(results[1][name], values, err_msg=name)
            np.testing.assert_array_equal(results[2][name], values, err_msg=name)

    def test_repetition_changes_nothing(self, method: type) -> None:
        for name, values in numbers(run(method)).items():
            np.testing.assert_array_equal(values, numbers(usual(method))[name], err_msg=name)

    @pytest.mark.parametrize("order", ["C", "F"])
    def test_memory_order(self, method: type, order: str) -> None:
        found = run(method, np.array(study().X, order=order))
        assert_same(found, usual(method), ROUNDING)

    def test_views_and_read_only_input(self, method: type) -> None:
        wide = np.repeat(study().X, 2, axis=1)
        wide.flags.writeable = False
        before = wide.copy()
        assert_same(run(method, wide[:, ::2]), usual(method), ROUNDING)
        np.testing.assert_array_equal(wide, before)

    def test_features_in_rows(self, method: type) -> None:
        s = study()
        found = la.adjust(s.frame.T, FORMULA, s.table, method=build(method), orientation="features", allow_invalid=True)
        assert_same(found, usual(method), ROUNDING)

    def test_float32_storage_of_the_same_values(self, method: type) -> None:
        """Everything is accumulated in float64, so that storage alone costs no digits."""
        single = study().X.astype(np.float32)
        assert_same(run(method, single), run(method, single.astype(np.float64)), 0.0)

    def test_float32_rounding_of_the_values(self, method: type) -> None:
        assert_same(run(method, study().X.astype(np.float32)), usual(method), SINGLE)

    def test_sample_order(self, method: type) -> None:
        s = study()
        order = np.random.default_rng(1).permutation(N)
        found = run(method, s.frame.iloc[order], s.table.iloc[order])
        expected = numbers(usual(method))
        expected["factors"] = expected["factors"][order]
        for name, values in numbers(found).items():
            assert_close(values, expected[name], ROUNDING, name)

    def test_sample_table_in_another_order(self, method: type) -> None:
        """Rows are aligned by ID."""
        assert_same(run(method, table=study().table.iloc[::-1]), usual(method), 0.0)

    def test_feature_order(self, method: type) -> None:
        s = study()
        order = np.random.default_rng(2).permutation(M)
        controls = s.controls[order]
        estimator = build(method)
        if "controls" in estimator.get_params():
            estimator.set_params(controls=controls)
        found = la.adjust(s.frame.iloc[:, order], FORMULA, s.table, method=estimator, allow_invalid=True)
        expected = {
            name: values if name == "factors" else values[order] for name, values in numbers(usual(method)).items()
        }
        for name, values in numbers(found).items():
            assert_close(values, expected[name], ROUNDING, name)
        assert list(found.tidy()["feature"]) == [f"g{i}" for i in order]


@all_methods
class TestRegression:
    def test_no_factors_is_least_squares(self, method: type) -> None:
        found, plain = numbers(run(method, n_factors=0)), numbers(run(la.NoFactors))
        for name, values in found.items():
            np.testing.assert_array_equal(values, plain[name], err_msg=name)

    def test_unadjusted_columns_are_least_squares(self, method: type) -> None:
        s, table = study(), usual(method).tidy()
        design = np.column_stack([np.ones(N), s.table["age"], s.table["x"]])
        coef = np.linalg.lstsq(design, s.X)[0]
        assert_close(table["estimate_unadjusted"].to_numpy(), coef[2], ROUNDING)

    def test_adjusted_columns_are_least_squares_on_the_full_design(self, method: type) -> None:
        """Factors join the design by name, and one regression gives effects, loadings and variances."""
        result, s = usual(method), study()
        design = np.column_stack([np.ones(N), s.table["age"], s.table["x"], result.factors])
        coef, rss = np.linalg.lstsq(design, s.X)[:2]
        df = N - design.shape[1]
        assert_close(result.tests.estimate[:, 0], coef[2], ROUNDING)
        assert_close(result.loadings.to_numpy(), coef[3:].T, ROUNDING)
        assert_close(result.fit.sigma2, rss / df, ROUNDING)
        assert result.fit.df_resid == df

    def test_primary_column_plus_nuisance_columns(self, method: type) -> None:
        """x + 3 age + 7 spans the same design, and its coefficient means the same."""
        s = study()
        table = s.table.assign(x=s.table["x"] + 3 * s.table["age"] + 7)
        assert_same(run(method, table=table), usual(method), ROUNDING)

    def test_shift_of_every_feature(self, method: type) -> None:
        """A constant added to each feature moves its mean and nothing else."""
        s = study()
        shift = np.random.default_rng(3).normal(size=M) * 5
        found, expected = numbers(run(method, s.X + shift)), numbers(usual(method))
        expected["mean"] = expected["mean"] + shift
        for name, values in found.items():
            assert_close(values, expected[name], ROUNDING, name)

    def test_nuisance_columns_added_to_the_data(self, method: type) -> None:
        """A multiple of age added to each feature changes nothing, unless the method looks at the data itself.

        The SVA family takes components of the centred data: effects of age are part of those, by definition.
        """
        s = study()
        added = s.X + np.outer(s.table["age"] - 50, np.random.default_rng(4).normal(size=M) * 0.1)
        found, expected = numbers(run(method, added)), numbers(usual(method))
        changed = np.abs(found["estimate"] - expected["estimate"]).max()
        if method in (la.SVA, la.TwoStepSVA, la.SupervisedSVA):
            assert changed > 1e-6
            return
        for name in set(found) - {"mean"}:
            assert_close(found[name], expected[name], ROUNDING, name)

    def test_units(self, method: type) -> None:
        """A thousandfold matrix has thousandfold effects and the same tests."""
        found, expected = run(method, study().X * 1000.0), usual(method)
        assert_close(found.tests.estimate, 1000 * expected.tests.estimate, ROUNDING)
        assert_close(found.tests.statistic, expected.tests.statistic, ROUNDING)
        assert_close(found.factors.to_numpy(), expected.factors.to_numpy(), ROUNDING)


@pytest.mark.parametrize("method", [la.CATE, la.NegativeControlCATE, la.RUV4, la.ResidualPCA], ids=lambda c: c.__name__)
def test_refit_is_subtraction(method: type) -> None:
    """Methods with a confounding stage: refitting on Z = U + X omega gives the naive effect minus A omega'."""
    result = usual(method)
    omega = np.zeros((1, K)) if method is la.ResidualPCA else result.estimate.link.omega
    subtracted = result.unadjusted_tests.estimate - result.loadings.to_numpy() @ omega.T
    assert_close(result.tests.estimate, subtracted, 1e-12)
    assert method is la.ResidualPCA or np.abs(omega).max() > 0.1


@all_methods
class TestFeaturesWithoutStatistics:
    POSITIONS = (0, 17, 200, M)

    @pytest.fixture
    def with_constants(self) -> tuple[np.ndarray, np.ndarray]:
        """The study with constant features put in at both ends and in between; and where the others went."""
        values = [0.0, 8.25, -3.0, 1e6]
        X = np.insert(study().X, self.POSITIONS, np.array(values), axis=1)
        return X, ~(np.ptp(X, axis=0) == 0)

    def result(self, method: type, X: np.ndarray, others: np.ndarray) -> la.AdjustmentResult:
        estimator = build(method)
        if "controls" in estimator.get_params():
            controls = np.zeros(X.shape[1], dtype=bool)
            controls[others] = study().controls
            controls[0] = True  # a constant control is no control
            estimator.set_params(controls=controls)
        return la.adjust(X, FORMULA, study().table, method=estimator, allow_invalid=True)

    def test_constant_features_change_nothing_and_stay(self, method: type, with_constants) -> None:
        X, others = with_constants
        assert (~others).sum() == len(self.POSITIONS)
        found, expected = self.result(method, X, others), numbers(usual(method))
        for name, values in numbers(found).items():
            kept = values if name == "factors" else values[others]
            assert_close(kept, expected[name], ROUNDING, name)
        table = found.tidy()
        assert (table["status"][~others] == "constant").all()
        assert (table["status"][others] == "ok").all()
        lost = ["std_error", "statistic", "p_value", "p_adjusted", "conf_low", "conf_high"]
        assert table.loc[~others, lost].isna().all().all()
        np.testing.assert_allclose(table["mean"][~others], X[0, ~others], rtol=1e-14)
        assert_close(table["p_adjusted"][others].to_numpy(), usual(method).tidy()["p_adjusted"].to_numpy(), ROUNDING)

    def test_features_that_the_design_explains_do_not_spread(self, method: type) -> None:
        """A feature without residuals has no variance of its own; the others keep finite numbers."""
        X = study().X.copy()
        X[:, 100] = 3.0 + 2.0 * study().table["x"]
        X[:, 101] = study().table["age"]
        table = run(method, X).tidy()
        others = np.ones(M, dtype=bool)
        others[100:102] = False
        assert np.isfinite(table.loc[others, ["estimate", "std_error", "p_value", "p_adjusted"]]).all().all()
        assert (table["status"][others] == "ok").all()
        assert table["estimate"][100] == pytest.approx(2.0, abs=1e-8)


@all_methods
class TestScikitLearn:
    """The estimator behind each method."""

    @pytest.fixture
    def fitted(self, method: type) -> la.LatentFactorEstimator:
        return build(method).fit(study().X, study().table["x"])

    def test_fit_equals_the_front(self, method: type) -> None:
        s = study()
        result = la.adjust(s.X, la.Design.from_formula("~ x", s.table), method=build(method), allow_invalid=True)
        fitted = build(method).fit(s.X, s.table["x"])
        np.testing.assert_array_equal(fitted.factors_, result.factors.to_numpy())
        np.testing.assert_array_equal(fitted.loadings_, result.loadings.to_numpy())
        assert fitted.n_factors_ == result.n_factors

    def test_one_sample_at_a_time_equals_the_batch(self, method: type, fitted) -> None:
        X = study().X + np.random.default_rng(5).normal(size=(N, M))
        batch = fitted.transform(X)
        assert batch.shape == (N, expected_factors(method))
        for i in (0, 7, N - 1):
            assert_close(fitted.transform(X[[i]]), batch[[i]], 1e-12)
        assert_close(fitted.transform(X[::-1])[::-1], batch, 1e-12)

    def test_fit_transform_is_fit_then_transform(self, method: type, fitted) -> None:
        s = study()
        np.testing.assert_array_equal(build(method).fit_transform(s.X, s.table["x"]), fitted.transform(s.X))

    def test_clone_and_parameters(self, method: type, fitted) -> None:
        copy = clone(fitted)
        assert type(copy) is method
        assert not hasattr(copy, "factors_")
        for key, value in fitted.get_params().items():
            assert copy.get_params()[key] is value or np.array_equal(copy.get_params()[key], value)
        again = method().set_params(**copy.get_params()).fit(study().X, study().table["x"])
        np.testing.assert_array_equal(again.factors_, fitted.factors_)

    def test_pickle(self, method: type, fitted) -> None:
        again = pickle.loads(pickle.dumps(fitted))
        np.testing.assert_array_equal(again.transform(study().X), fitted.transform(study().X))
        assert again.get_params().keys() == fitted.get_params().keys()

    def test_input_is_not_written_to(self, method: type) -> None:
        X, y = study().X.copy(), study().table["x"].to_numpy().copy()
        build(method).fit(X, y).transform(X)
        np.testing.assert_array_equal(X, study().X)
        np.testing.assert_array_equal(y, study().table["x"])


@all_methods
def test_saved_results_come_back(method: type, tmp_path) -> None:
    result = usual(method)
    loaded = la.load_result(result.save(tmp_path / "result"))
    pd.testing.assert_frame_equal(loaded.tidy(), result.tidy(), check_exact=True)
    pd.testing.assert_frame_equal(loaded.tidy(joint=True), result.tidy(joint=True), check_exact=True)
    pd.testing.assert_frame_equal(loaded.factors, result.factors, check_exact=True)
    pd.testing.assert_frame_equal(loaded.loadings, result.loadings, check_exact=True)
    pd.testing.assert_frame_equal(loaded.contrast("2 * x"), result.contrast("2 * x"), check_exact=True)
    assert loaded.warnings == result.warnings
    assert dict(loaded.manifest) == dict(result.manifest)
    assert loaded.method == method.method_info.name


@all_methods
def test_cards_are_complete(method: type) -> None:
    """The catalogue shows what each class says of itself."""
    info, row = method.method_info, la.methods().loc[method.method_info.name]
    assert row["class"] == method.__name__
    assert row["valid_for_testing"] == info.valid_for_testing
    assert all(isinstance(text, str) and len(text) > 10 for text in (info.reference, info.identified_by, info.summary))
    if "controls" in info.needs:
        with pytest.raises(la.exceptions.ControlsError, match="negative controls"):
            la.adjust(study().X, FORMULA, study().table, method=method(n_factors=K))
    if not info.valid_for_testing:
        with pytest.raises(la.exceptions.InvalidForTestingError, match="allow_invalid=True"):
            la.adjust(study().X, FORMULA, study().table, method=info.name)


@pytest.mark.parametrize(
    "method", [la.SupervisedSVA, la.RUV2, la.RUV4, la.NegativeControlCATE], ids=lambda c: c.__name__
)
class TestTooFewControls:
    """Three controls carry at most two factors."""

    CONTROLS = [0, 1, 2]

    def test_a_number_that_was_asked_for_is_an_error(self, method: type) -> None:
        with pytest.raises(la.exceptions.ControlsError, match="3 factors need more than 3 negative controls"):
            method(3, controls=self.CONTROLS).fit(study().X, study().table["x"])

    def test_an_automatic_number_is_cut(self, method: type) -> None:
        rule = la.GavishDonoho()
        assert la.SVA(rule).fit(study().X, study().table["x"]).n_factors_ > 0
        with pytest.warns(la.exceptions.FactorLimitWarning, match="Using 0 factors"):
            fitted = method(rule, controls=[0]).fit(study().X, study().table["x"])
        assert fitted.transform(study().X).shape == (N, 0)


def test_two_step_sva_when_every_feature_follows_the_factor() -> None:
    """No p-value above 0.8 makes the share of null features zero, which is no error."""
    rng = np.random.default_rng(0)
    z = rng.normal(size=20)
    X = np.outer(z, np.ones(60)) + 0.1 * rng.normal(size=(20, 60))
    fitted = la.TwoStepSVA(1).fit(X, np.tile([0, 1], 10))
    assert abs(np.corrcoef(fitted.factors_[:, 0], z)[0, 1]) > 0.999
