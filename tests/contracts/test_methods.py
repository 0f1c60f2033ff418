"""What every method of the catalogue promises, whatever it computes.

A new method enters by being in `latentadj.factors.METHODS`. The promises are those of `latentadj.testing`; which
of them are asked of a method follows from what it declares (`MethodInfo`) and from what it returns, never from its
name. What a method declares that it cannot promise must indeed fail here.

Numbers compared are factors, loadings, variances and the columns of the table; differences count relative to the
largest number of the array. Allowed are 1e-11 for sums in another order, 1e-5 for values rounded to single precision, 0
for threads, repetition, float32 storage and everything that comes back from disk.
"""

from __future__ import annotations

import numpy as np
import pytest

import latentadj as la
from latentadj.exceptions import ControlsError, FactorLimitWarning
from latentadj.testing import ContractError
from tests.contracts.made_up import all_methods, all_promises, needs, subject

pytestmark = pytest.mark.filterwarnings("ignore::latentadj.LatentAdjWarning")


@all_promises
@all_methods
def test_promise(method: type, promise) -> None:
    checked = subject(method)
    if promise.name in method.method_info.not_promised:
        with pytest.raises(ContractError):
            promise.hold(checked)
        return
    reason = promise.exempt(checked)
    if reason:
        pytest.skip(reason)
    promise.hold(checked)


@all_methods
def test_catalogue_shows_what_the_class_says(method: type) -> None:
    info, row = method.method_info, la.methods().loc[method.method_info.name]
    assert row["class"] == method.__name__
    shown = (row["valid_for_testing"], row["identification"], row["input_scale"], row["needs"])
    assert shown == (info.valid_for_testing, info.identification, info.input_scale, ", ".join(info.needs))


@all_methods
def test_no_factors_is_the_regression_without_a_method(method: type) -> None:
    """Methods on the scale of the data agree with each other, not only with themselves."""
    checked = subject(method)
    if not (checked.takes_number and checked.least_squares and method.method_info.input_scale == "continuous"):
        pytest.skip("features are not fitted by least squares to the data as they are")
    found, plain = checked.run(method=checked.estimator(0)), subject(la.NoFactors).usual
    np.testing.assert_array_equal(found.tests.p_value, plain.tests.p_value)
    np.testing.assert_array_equal(found.fit.sigma2, plain.fit.sigma2)


@pytest.mark.parametrize("method", needs("controls"), ids=lambda cls: cls.method_info.name)
class TestTooFewControls:
    """Three controls carry at most two factors."""

    def test_a_number_that_was_asked_for_is_an_error(self, method: type) -> None:
        estimator = subject(method).estimator(3).set_params(controls=[0, 1, 2])
        with pytest.raises(ControlsError, match="3 factors need more than 3 negative controls"):
            estimator.fit(subject(method).study.X, subject(method).target)

    def test_an_automatic_number_is_cut(self, method: type) -> None:
        rule, X, y = la.GavishDonoho(), subject(method).study.X, subject(method).target
        assert subject(method).estimator().set_params(n_factors=rule).fit(X, y).n_factors_ > 0
        with pytest.warns(FactorLimitWarning, match="Using 0 factors"):
            fitted = subject(method).estimator().set_params(n_factors=rule, controls=[0]).fit(X, y)
        assert fitted.transform(X).shape == (len(X), 0)


def test_a_link_is_estimated_where_there_is_confounding() -> None:
    """The promise "link" would hold for a link of zero as well."""
    linked = [cls for cls in la.factors.METHODS if subject(cls).usual.estimate.link is not None]
    assert linked
    for method in linked:
        assert np.abs(subject(method).usual.estimate.link.omega).max() > 0.1, method


def test_two_step_sva_when_every_feature_follows_the_factor() -> None:
    """No p-value above 0.8 makes the share of null features zero, which is no error."""
    rng = np.random.default_rng(0)
    z = rng.normal(size=20)
    X = np.outer(z, np.ones(60)) + 0.1 * rng.normal(size=(20, 60))
    fitted = la.TwoStepSVA(1).fit(X, np.tile([0, 1], 10))
    assert abs(np.corrcoef(fitted.factors_[:, 0], z)[0, 1]) > 0.999
