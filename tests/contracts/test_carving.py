"""Passes may be carried out anywhere: every kernel can be split, sent, worked through and put together again."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from importlib import import_module
from pkgutil import walk_packages
from typing import Any

import numpy as np
import pandas as pd
import pytest

import latentadj
import latentadj as la
from latentadj.core import passes
from latentadj.core.array_weights import array_weights
from latentadj.core.expectation_maximization import maximum_likelihood
from latentadj.core.fits_kernel import FitsKernel
from latentadj.core.matrix import ArrayMatrix, FeatureSubset
from latentadj.core.pass_kernel import PassKernel
from latentadj.core.passes import pass_options, run_pass
from latentadj.core.permutation import permuted_eigenvalues
from latentadj.core.regression import design_basis
from latentadj.core.sample_correlation import block_correlation
from latentadj.core.weighted_sums import WeightedSweepKernel
from latentadj.counts import filter_by_expression
from latentadj.data.finiteness import check_finite
from latentadj.diagnostics.relative_levels import relative_log_expression
from latentadj.exceptions import InputError
from latentadj.factors import METHODS
from latentadj.models import GLMModel
from latentadj.num_factors.names import _RULES
from latentadj.testing import made_up_study
from latentadj.testing.carving import CarvingExecutor
from latentadj.testing.comparison import numbers
from tests.contracts.made_up import all_methods
from tests.contracts.test_structures import gaps
from tests.contracts.test_ways_in import FORMULA, options_of

pytestmark = pytest.mark.filterwarnings("ignore::latentadj.LatentAdjWarning")

EXECUTOR = CarvingExecutor()
#: Write to a file that is open in this process.
LOCAL = {"_BlockWriter", "ArrayWriter"}
#: Bases of kernels.
ABSTRACT = {PassKernel, FitsKernel}


def all_kernels() -> set[type]:
    """Every class of the package that works as a kernel."""
    found = set()
    for module in walk_packages(latentadj.__path__, "latentadj."):
        if not module.name.startswith(("latentadj.cli", "latentadj.plots", "latentadj.__main__")):
            for _, item in inspect.getmembers(import_module(module.name), inspect.isclass):
                if item.__module__.startswith("latentadj") and {"update", "merge", "result"} <= set(dir(item)):
                    found.add(item)
    return {item for item in found if not getattr(item, "_is_protocol", False)}


@pytest.fixture
def everywhere(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """No pass may be kept on this process's threads."""

    def refuse(*args: object) -> None:
        raise AssertionError(f"not carved: {args[2]}")

    monkeypatch.setattr(passes, "_on_threads", refuse)
    with pass_options(executor=EXECUTOR, width=17):
        yield


def test_every_kernel_is_portable() -> None:
    plain = {item.__name__ for item in all_kernels() if not issubclass(item, PassKernel)}
    assert plain <= LOCAL


def agrees(run: object, request: pytest.FixtureRequest, tolerance: float = 1e-10) -> None:
    with pass_options(width=17):
        expected = numbers(run())
    request.getfixturevalue("everywhere")
    found = numbers(run())
    for name, values in expected.items():
        values, own = np.asarray(values, dtype=float), np.asarray(found[name], dtype=float)
        np.testing.assert_array_equal(np.isnan(own), np.isnan(values))
        scale = np.nanmax(np.abs(values), initial=0.0)
        np.testing.assert_allclose(own, values, rtol=0.0, atol=tolerance * max(scale, 1.0), err_msg=name)


def adjusted(method: str, frame: pd.DataFrame, samples: pd.DataFrame, **options: object):
    return lambda: la.adjust(frame, FORMULA, samples, method=method, allow_invalid=True, random_state=1, **options)


@all_methods
def test_methods(method: type, request: pytest.FixtureRequest) -> None:
    study, info = made_up_study(method.method_info.input_scale), method.method_info
    agrees(
        adjusted(info.name, study.frame, study.sample_data, **options_of(method)), request, max(info.rounding, 1e-10)
    )


@pytest.mark.parametrize("method", [m for m in METHODS if m.method_info.name in ("cate", "sva", "ruv4", "ruvg")])
def test_missing_values(method: type, request: pytest.FixtureRequest) -> None:
    study, info = made_up_study(method.method_info.input_scale), method.method_info
    frame = gaps(study.frame.astype(float))
    agrees(adjusted(info.name, frame, study.sample_data, missing="allow", **options_of(method)), request)


BLOCKS = np.repeat(np.arange(15), 2)
WEIGHTS = np.random.default_rng(2).uniform(0.5, 2.0, size=made_up_study().X.shape)
CORRELATED = 0.3 * np.kron(np.eye(15), np.ones((2, 2))) + 0.7 * np.eye(30)
#: Scale of the study, share of missing values, and the structure.
STRUCTURES = {
    "quality": ("continuous", 0.0, {"sample_weights": "quality"}),
    "quality_gaps": ("continuous", 0.05, {"sample_weights": "quality"}),
    "blocks": ("continuous", 0.0, {"blocks": BLOCKS}),
    "blocks_gaps": ("continuous", 0.05, {"blocks": BLOCKS}),
    "covariance_gaps": ("continuous", 0.05, {"sample_covariance": CORRELATED}),
    "weights": ("continuous", 0.0, {"observation_weights": WEIGHTS}),
    "weights_quality_gaps": ("continuous", 0.05, {"observation_weights": WEIGHTS, "sample_weights": "quality"}),
    "weights_blocks_gaps": ("continuous", 0.05, {"observation_weights": WEIGHTS, "blocks": BLOCKS}),
    "hc2": ("continuous", 0.0, {"inference": "hc2"}),
    "hc2_gaps": ("continuous", 0.05, {"inference": "hc2"}),
    "hc2_weights": ("continuous", 0.0, {"inference": "hc2", "observation_weights": WEIGHTS}),
    "cluster": ("continuous", 0.0, {"inference": "cluster", "clusters": BLOCKS}),
    "voom": ("counts", 0.0, {"model": "voom"}),
    "voom_quality": ("counts", 0.0, {"model": "voom", "sample_weights": "quality"}),
    "voom_blocks": ("counts", 0.0, {"model": "voom", "blocks": BLOCKS}),
    "negative_binomial": ("counts", 0.0, {"model": "negative_binomial"}),
    "negative_binomial_gaps": ("counts", 0.05, {"model": "negative_binomial"}),
    "negative_binomial_rle": ("counts", 0.0, {"model": GLMModel("negative_binomial", size_factors="rle")}),
    "poisson": ("counts", 0.0, {"model": "poisson"}),
}
#: Standard errors of likelihood-ratio tests are a Wald statistic of 1e-6 or more over a difference of deviances.
TOLERANCE = dict.fromkeys([name for name in STRUCTURES if name.startswith(("negative", "poisson"))], 1e-6)


@pytest.mark.parametrize("name", STRUCTURES)
def test_structures(name: str, request: pytest.FixtureRequest) -> None:
    scale, share, options = STRUCTURES[name]
    study = made_up_study(scale)
    frame = study.frame
    if share:
        frame, options = gaps(frame.astype(float), share), {**options, "missing": "allow"}
    agrees(
        adjusted("residual_pca", frame, study.sample_data, n_factors=2, **options), request, TOLERANCE.get(name, 1e-10)
    )


@pytest.mark.parametrize("rule", sorted(_RULES))
def test_number_rules(rule: str, request: pytest.FixtureRequest) -> None:
    study = made_up_study()
    controls = study.controls if rule == "control_ratio" else None

    def found() -> list[float]:
        options = {"rules": [rule], "controls": controls}
        answer = la.estimate_num_factors(study.X, FORMULA, study.sample_data, **options)
        return [answer.summary()["n_factors"]]

    assert_same_outside(found, request)


def assert_same_outside(run: Callable[[], Any], request: pytest.FixtureRequest, rtol: float = 1e-9) -> None:
    with pass_options(width=17):
        expected = run()
    request.getfixturevalue("everywhere")
    for own, values in zip(run(), expected, strict=True):
        np.testing.assert_allclose(np.asarray(own, dtype=float), np.asarray(values, dtype=float), rtol=rtol, atol=1e-10)


def rearranged(inference: str, **options: object) -> list[Any]:
    study = made_up_study()
    options = {"method": "cate", "n_factors": 2, "inference": inference, **options}
    permuted = la.permutation_test(study.X, FORMULA, study.sample_data, n_permutations=19, **options)
    resampled = la.bootstrap(study.X, FORMULA, study.sample_data, n_bootstrap=19, **options)
    table = resampled.tidy().select_dtypes("number")
    return [permuted.p_value, table.to_numpy()]


def test_rearranged_data(request: pytest.FixtureRequest) -> None:
    assert_same_outside(lambda: [*rearranged("moderated"), *rearranged("hc2")], request)


def test_known_batches(request: pytest.FixtureRequest) -> None:
    study, counts = made_up_study(), made_up_study("counts").X
    batch = np.tile(["a", "b", "c"], 10)

    def found() -> list[Any]:
        gappy = gaps(study.frame).to_numpy()
        return [
            la.ComBat().fit_transform(study.X, batch=batch),
            la.ComBat(parametric=False).fit_transform(study.X, batch=batch),
            la.ComBat().fit_transform(gappy, batch=batch),
            la.ComBatSeq().fit_transform(counts, batch=batch),
            la.remove_batch_effect(gappy, batch=batch),
        ]

    assert_same_outside(found, request)


def test_everything_else(request: pytest.FixtureRequest) -> None:
    study, counts = made_up_study(), made_up_study("counts").X
    y = study.sample_data["x"].to_numpy()

    def found() -> list[Any]:
        sva = la.FrozenSVA(la.SVA(n_factors=2)).fit(study.X[:24], y[:24])
        levels = relative_log_expression(study.X)[["median", "q25", "q75"]]
        kept = filter_by_expression(counts, group=y > np.median(y))
        return [sva.transform(study.X[24:]), levels.to_numpy(), kept]

    assert_same_outside(found, request)


def test_parts_that_larger_studies_use(request: pytest.FixtureRequest) -> None:
    rng = np.random.default_rng(5)
    wide = ArrayMatrix(rng.normal(size=(30, 1300)))
    gappy = ArrayMatrix(np.where(rng.uniform(size=wide.shape) < 0.02, np.nan, wide.values))
    basis = design_basis(np.ones((30, 1)))
    start = rng.normal(size=(30, 2))

    def found() -> list[Any]:
        model = maximum_likelihood(wide, start, max_iter=4)
        correlation = block_correlation(gappy, basis, BLOCKS)
        null = permuted_eigenvalues(wide, basis, 3, np.random.default_rng(0))
        sweep = run_pass(wide, WeightedSweepKernel(start, np.linspace(1.0, 2.0, 1300)))[0]
        quality = array_weights(gappy, np.ones((30, 1)))
        return [model.loadings, correlation.correlation, null, sweep, quality.weights]

    assert_same_outside(found, request)


def test_scores_of_new_samples_of_counts(request: pytest.FixtureRequest) -> None:
    study = made_up_study("counts")
    y = study.sample_data["x"].to_numpy()

    def found() -> list[Any]:
        return [la.GCATE(n_factors=2).fit(study.X, y).transform(study.X[:5])]

    assert_same_outside(found, request, 1e-6)


def test_missing_and_infinite_cells_are_named_by_their_place_in_the_whole(everywhere: None) -> None:
    values = made_up_study().X.copy()
    values[3, 200], values[1, 100], values[2, 100] = np.nan, np.inf, np.nan
    with pytest.raises(InputError, match=r"1 infinite.*\(1, 100\), \(2, 100\), \(3, 200\)"):
        check_finite(FeatureSubset(ArrayMatrix(values), np.arange(values.shape[1])))


def test_all_kernels_were_carved() -> None:
    """Runs last: every kernel class of the package has been split by one of the checks above."""
    ran = {item for item in all_kernels() if issubclass(item, PassKernel) and not inspect.isabstract(item)}
    unseen = {item.__name__ for item in ran - EXECUTOR.seen - ABSTRACT}
    assert unseen == set(), ", ".join(sorted(unseen))
