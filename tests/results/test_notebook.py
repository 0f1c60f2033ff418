"""What notebooks show, and AnnData objects with a result in them."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from latentadj.exceptions import AlignmentError, InputError
from tests.diagnostics.studies import bladder, hidden_batch, quiet

anndata = pytest.importorskip("anndata")


def an_object(result) -> object:
    X = pd.DataFrame(result.matrix.values, list(result.sample_ids), [str(name) for name in result.feature_ids])
    return anndata.AnnData(X)


def test_a_result_goes_through_an_h5ad_file(tmp_path):
    result = hidden_batch()
    adata = result.to_anndata(an_object(result))
    adata.write_h5ad(tmp_path / "study.h5ad")
    found = anndata.read_h5ad(tmp_path / "study.h5ad")
    np.testing.assert_array_equal(found.obsm["X_latent"], result.factors)
    np.testing.assert_array_equal(found.varm["latent_loadings"], result.loadings)
    record = found.uns["latentadj"]["result"]
    assert record["formula"] == "~ group"
    assert list(record["factors"]) == list(result.factors.columns)
    assert list(record["tested"]) == list(result.tests.names)
    assert json.loads(record["manifest"])["method"] == result.manifest["method"]


def test_parts_in_another_order_are_aligned_by_name():
    result = hidden_batch()
    part = an_object(result)[::-2, 10:50].copy()
    adata = result.to_anndata(part)
    np.testing.assert_array_equal(adata.obsm["X_latent"], result.factors.loc[part.obs_names])
    np.testing.assert_array_equal(adata.varm["latent_loadings"], result.loadings.loc[part.var_names])


def test_no_factors_and_results_without_names(tmp_path):
    result = quiet(np.random.default_rng(0).normal(size=(12, 20)), np.repeat([0, 1], 6), method="none")
    adata = result.to_anndata(anndata.AnnData(result.matrix.values))
    adata.write_h5ad(tmp_path / "none.h5ad")
    assert anndata.read_h5ad(tmp_path / "none.h5ad").obsm["X_latent"].shape == (12, 0)
    with pytest.raises(AlignmentError, match="20 features without names, the AnnData object 19"):
        result.to_anndata(anndata.AnnData(result.matrix.values[:, :19]))


def test_strangers_are_refused():
    result = hidden_batch()
    adata = an_object(result)
    adata.obs_names = [f"t{i}" for i in range(adata.n_obs)]
    with pytest.raises(AlignmentError, match="40 of the 40 samples"):
        result.to_anndata(adata)
    with pytest.raises(InputError, match="an AnnData object is needed"):
        result.to_anndata(np.zeros((3, 3)))


def test_an_earlier_record_stays():
    result = hidden_batch()
    adata = an_object(result)
    adata.uns["latentadj"] = {"version": 1, "methods": ["ComBat"]}
    assert result.to_anndata(adata).uns["latentadj"]["methods"] == ["ComBat"]


def test_cards_show_their_numbers_and_escape_text():
    result = bladder()
    number = result.num_factors._repr_html_()
    for answer in result.num_factors.answers:
        assert answer.rule.replace("_", " ") in number
    assert f"{result.n_factors}, chosen by" in number
    named = replace(result.num_factors, chosen_by="<script>")
    assert "<script>" not in named._repr_html_()
    assert str(result.top(1)["feature"].iloc[0]) in result._repr_html_()
    assert "~ cancer" in result.design._repr_html_()


def test_an_object_with_a_result_can_be_analysed_again():
    result = hidden_batch()
    adata = an_object(result)
    adata.obs = result.sample_data.astype(str)
    again = quiet(result.to_anndata(adata), "~ group", n_factors=result.n_factors)
    np.testing.assert_allclose(again.tests.statistic, result.tests.statistic)
