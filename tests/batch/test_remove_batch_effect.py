"""Linear removal of batches against limma 3.54, and as a transformer."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from latentadj.batch import BatchEffectRemover, remove_batch_effect
from latentadj.exceptions import AlignmentError, ConfoundedDesignError, DesignError, InputError
from tests.reference_data import bladder_reference, load_reference, sim1, sim2

DATA = {"sim1": sim1, "sim2": sim2, "bladderbatch": bladder_reference}
EDGES = load_reference("batch", "edges")
GAPS = EDGES["values"].T
COMPLETE = GAPS[:, ~np.isnan(GAPS).any(axis=0)]


@pytest.mark.parametrize(("key", "tolerance"), [("rbe", 1e-10), ("rbe_design", 1e-10), ("rbe_cov", 1e-8)])
@pytest.mark.parametrize("name", DATA)
def test_same_numbers_as_limma(name: str, key: str, tolerance: float) -> None:
    """Stored with twelve digits, `rbe_cov` with ten; what is asked is a unit of the last digit."""
    data, stored = DATA[name](), load_reference("batch", "parity")
    expected = stored[f"{name}__{key}"].T
    design = None if key == "rbe" else stored[f"{name}__design_mod"]
    if key == "rbe_cov":
        components = np.linalg.svd(data.X - data.X.mean(axis=0), full_matrices=False)[0][:, :2]
        ours = remove_batch_effect(data.X, covariates=components, design=design)
    else:
        ours = remove_batch_effect(data.X, data.sample_data["batch"].to_numpy(), design=design)
    np.testing.assert_allclose(ours[:, : expected.shape[1]], expected, rtol=0, atol=tolerance)


def test_two_batches_covariates_gaps_and_dependent_columns() -> None:
    """Answers with seventeen digits; limma's least squares and ours differ by round-off."""
    batch, second, single, x = (EDGES[f"sample__{name}"] for name in ("batch", "second", "single", "x"))
    design = np.column_stack([np.ones(18), x])
    ours = {
        "rbe_two": remove_batch_effect(COMPLETE, batch, second, covariates=x),
        "rbe_gaps": remove_batch_effect(GAPS, batch, second, design=design),
        "rbe_nested": remove_batch_effect(COMPLETE, batch, single, design=design),
    }
    for key, values in ours.items():
        np.testing.assert_allclose(values, EDGES[key].T, rtol=0, atol=1e-12, err_msg=key)


def test_nothing_to_remove_and_frames() -> None:
    frame = pd.DataFrame(COMPLETE, index=[f"s{i}" for i in range(18)]).add_prefix("g")
    pd.testing.assert_frame_equal(remove_batch_effect(frame), frame)
    labels = pd.Series(EDGES["sample__batch"], index=frame.index)
    ours = remove_batch_effect(frame, labels.sample(frac=1, random_state=0))
    assert list(ours.columns) == list(frame.columns)
    np.testing.assert_array_equal(ours, remove_batch_effect(COMPLETE, labels.to_numpy()))


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"batch": ["a"] * 17}, AlignmentError, "17 rows"),
        ({"batch": [None, *"abcabcabcabcabcab"]}, DesignError, "missing"),
        ({"batch": np.ones((18, 2))}, InputError, "2 columns"),
        ({"covariates": ["u"] * 18}, DesignError, "numbers"),
        ({"covariates": [np.nan] * 18}, DesignError, "missing or infinite"),
    ],
)
def test_refusals(options: dict[str, object], error: type, message: str) -> None:
    with pytest.raises(error, match=message):
        remove_batch_effect(COMPLETE, **options)


class TestTransformer:
    X = pd.DataFrame(COMPLETE).add_prefix("g").assign(batch=EDGES["sample__batch"], x=EDGES["sample__x"])

    def test_training_set_as_the_function(self) -> None:
        design = np.column_stack([np.ones(18), self.X["x"]])
        remover = BatchEffectRemover("batch", covariates=["x"]).fit(self.X)
        expected = remove_batch_effect(COMPLETE, self.X["batch"], design=design)
        np.testing.assert_allclose(remover.transform(self.X), expected, rtol=0, atol=1e-12)
        np.testing.assert_allclose(remover.shift_.sum(axis=0), 0, atol=1e-12)
        assert remover.df_spent_ == 2
        one = remover.transform(self.X.iloc[[4]])
        np.testing.assert_array_equal(one[0], remover.transform(self.X)[4])

    def test_confounded(self) -> None:
        with pytest.raises(ConfoundedDesignError, match="Ways out"):
            BatchEffectRemover("batch", covariates=["x"]).fit(self.X.assign(x=self.X["batch"]))
