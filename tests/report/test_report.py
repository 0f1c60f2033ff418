"""The report: complete, safe, self-contained, quick, and never half-written."""

from __future__ import annotations

import base64
import hashlib
import importlib
import io
import json
import re
import time
from dataclasses import replace
from html.parser import HTMLParser

import matplotlib as mpl

mpl.use("Agg")

import matplotlib.image
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest

import latentadj as la
from latentadj.diagnostics.ledger import assumption_ledger
from latentadj.exceptions import MissingExtraError, OutputError
from latentadj.report import document, report_html, report_page, sections, write_report
from latentadj.report.features import result_tables
from latentadj.report.grid import PAGE_ROWS
from latentadj.report.markup import number
from latentadj.report.sections import SECTIONS, Section
from latentadj.report.verdict import verdicts
from tests.diagnostics.studies import bladder, hidden_batch, large, quiet, small
from tests.report.browser import console, needs_browser, probe, run_browser

VOID = {"meta", "img", "br"}


class Page(HTMLParser):
    """Tags, attributes and text of a page; notes tags that do not close."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict]] = []
        self.text: list[str] = []
        self.open: list[str] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text.append(data)

    def values(self, name: str) -> list[str]:
        return [attrs[name] for _, attrs in self.tags if name in attrs]


def grids(text: str) -> list[dict]:
    """What the tables that can be sorted hold."""
    return [json.loads(found) for found in re.findall(r'<script type="application/json">(.*?)</script>', text, re.S)]


@pytest.fixture(scope="module")
def bladder_page():
    return report_page(bladder())


@pytest.fixture(scope="module")
def page_of_bladder(bladder_page) -> str:
    return bladder_page.html()


def shown_features(result: la.AdjustmentResult) -> str:
    """The section of the features alone."""
    return "".join(block.html for block in sections.features(result))


@pytest.fixture(scope="module")
def evil() -> la.AdjustmentResult:
    """Names of features, covariates, levels and samples that would be markup or a script."""
    rng = np.random.default_rng(0)
    name = '<script>alert("x")</script>'
    n, m = 24, 400
    table = pd.DataFrame(
        {
            "a<b>&c": np.where(np.arange(n) % 2, "<i>case</i>", "control"),
            name: [f"<img src=x onerror={i % 3}>" for i in range(n)],
        },
        index=[f"<s{i}>" for i in range(n)],
    )
    X = pd.DataFrame(rng.normal(size=(n, m)) + rng.normal(size=(n, 1)) * rng.normal(size=m), index=table.index)
    X.columns = [name, "\ud800 lone", "nul\x00", "<script>alert(1)</script>", *[f"g{i}" for i in range(m - 4)]]
    X.iloc[:, :4] += 5.0 * (np.arange(n) % 2)[:, None]
    return quiet(X, ["a<b>&c"], table, n_factors=1)


def test_it_holds_every_section_and_the_numbers_of_the_result(page_of_bladder):
    result, page = bladder(), Page(page_of_bladder)
    text = " ".join(page.text)
    assert page.open == []
    assert [attrs["id"] for tag, attrs in page.tags if tag == "section"] == [s.anchor for s in SECTIONS]
    for i, name in enumerate(result.tests.names):
        hits = int((result.tidy(name)["p_adjusted"] < 0.05).sum())
        before = int((result.tidy(name, which="unadjusted")["p_adjusted"] < 0.05).sum())
        assert f"{name}: {hits:,} features at 5 % false discovery rate; {before:,} without factors" in text
        assert number(float(result.confounding.p_value[i])) in text
    (held,) = grids(page_of_bladder)
    assert held["columns"][0] == result.top(result.n_features, "cancer")["feature"].tolist()
    for feature in result.top(PAGE_ROWS, "cancer")["feature"]:
        assert feature in page.text
    for answer in result.num_factors.answers:
        assert answer.description in page.text
    for warning in result.warnings:
        assert warning in page.text
    assert result.assumption in page.text
    assert result.manifest["data_fingerprint"] in page.text
    assert f"{result.n_factors} hidden factors; chosen by parallel analysis" in text


def test_it_needs_nothing_from_outside(page_of_bladder):
    page = Page(page_of_bladder)
    names = {tag for tag, _ in page.tags}
    assert not names & {"link", "iframe", "object", "embed", "base", "form"}
    assert page.values("src")
    assert all(src.startswith("data:image/png;base64,") for src in page.values("src"))
    ids = set(page.values("id"))
    assert all(href.startswith("#") and href[1:] in ids for href in page.values("href"))
    assert not any(key.startswith("on") for _, attrs in page.tags for key in attrs)
    style = re.search(r"<style>(.*?)</style>", page_of_bladder, re.S).group(1)
    assert "@import" not in style
    assert "url(" not in style
    assert "http" not in style
    policy = next(attrs["content"] for _, attrs in page.tags if "http-equiv" in attrs)
    assert policy.startswith("default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src 'sha256-")
    (script,) = re.findall(r"<script>(.*?)</script>", page_of_bladder, re.S)
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    assert policy.endswith(f"'sha256-{digest}'")
    assert not re.search(r"fetch\(|XMLHttpRequest|import\(|http|innerHTML|eval\(", script)


def test_pictures_are_whole_and_described(page_of_bladder):
    images = [attrs for tag, attrs in Page(page_of_bladder).tags if tag == "img"]
    # scree, heatmap, design, a histogram, a volcano and a before-after per tested column, samples by 3 covariates
    assert len(images) == 12
    for attrs in images:
        raw = base64.b64decode(attrs["src"].split(",", 1)[1])
        pixels = matplotlib.image.imread(io.BytesIO(raw), format="png")
        assert min(pixels.shape[:2]) > 200
        assert pixels.std() > 0.01
        assert len(attrs["alt"]) > 15
        assert abs(pixels.shape[1] / pixels.shape[0] - int(attrs["width"]) / int(attrs["height"])) < 0.01
    assert len({attrs["alt"] for attrs in images}) == len(images)


def test_no_picture_stays_open():
    before = plt.get_fignums()
    report_html(small())
    assert plt.get_fignums() == before


def test_it_is_small_and_quick(tmp_path):
    report_html(small())  # fonts are read once per process
    started = time.process_time()
    path = write_report(bladder(), tmp_path / "report.html")
    # 22,283 features on the page, 12 pictures, and a million numbers as text beside it
    assert time.process_time() - started < 12.0
    assert path.stat().st_size < 4_000_000


def test_light_and_dark_and_print_have_their_rules(page_of_bladder):
    assert "@media (prefers-color-scheme: dark)" in page_of_bladder
    assert "@media print" in page_of_bladder
    assert "color-scheme: light dark" in page_of_bladder


def test_text_from_the_data_is_shown_and_never_obeyed(evil):
    text = report_html(evil)
    page = Page(text)
    name = evil.feature_ids[0]
    assert text.count("<script") == text.count("</script>") == 2  # the rows, and the page's own
    assert "onerror" not in {key for _, attrs in page.tags for key in attrs}
    assert not {tag for tag, _ in page.tags} & {"i", "s0"}
    assert page.text.count(name) >= 2
    (held,) = grids(text)
    assert set(held["columns"][0]) >= {name, "<script>alert(1)</script>", "nul\N{REPLACEMENT CHARACTER}"}


@needs_browser
def test_a_browser_shows_such_text_and_says_nothing(evil, tmp_path):
    seen = probe(
        report_html(evil),
        """
        const names = Array.from(document.querySelectorAll(".grid tbody td:first-child"), (c) => c.textContent);
        const levels = Array.from(document.querySelectorAll("h1, h2, h3"), (h) => Number(h.tagName[1]));
        const small = document.documentElement.clientWidth;
        const wide = Array.from(document.querySelectorAll("body *")).filter((e) => !e.closest(".scroll, .skip, .word")
          && e.getBoundingClientRect().right > small + 1).map((e) => e.outerHTML.slice(0, 90));
        const broken = Array.from(document.images).filter((i) => !i.naturalWidth).length;
        const links = Array.from(document.querySelectorAll("nav a"));
        const lost = links.filter((a) => !document.querySelector(a.hash)).length;
        const live = document.querySelectorAll(".grid.live").length;
        document.querySelector(".skip").focus();
        const first = document.activeElement.hash;
        return { names, levels, wide, broken, lost, live, first, lang: document.documentElement.lang, small };
        """,
        tmp_path,
        "--window-size=420,900",
    )
    assert "<script>alert(1)</script>" in seen["names"]
    assert evil.feature_ids[0] in seen["names"]
    assert seen["levels"][0] == 1
    assert all(b <= a + 1 for a, b in zip(seen["levels"], seen["levels"][1:], strict=False))
    assert seen["small"] <= 500
    assert seen["wide"] == []
    assert (seen["broken"], seen["lost"], seen["live"], seen["first"], seen["lang"]) == (0, 0, 1, "#content", "en")


@needs_browser
def test_a_report_of_a_study_sorts_searches_and_prints(page_of_bladder, tmp_path):
    seen = probe(
        page_of_bladder,
        """
        const start = performance.now();
        document.querySelector(".grid th button").click();
        const box = document.querySelector(".grid input");
        box.value = "AFFX";
        box.dispatchEvent(new Event("input"));
        document.body.getBoundingClientRect();
        const took = performance.now() - start;
        const names = Array.from(document.querySelectorAll(".grid tbody td:first-child"), (c) => c.textContent);
        const links = Array.from(document.querySelectorAll(".grid button, .grid input, .grid select, nav a"));
        return { took, names, unreachable: links.filter((l) => l.tabIndex < 0).length };
        """,
        tmp_path,
    )
    wanted = sorted((str(f) for f in bladder().feature_ids if "affx" in str(f).lower()), key=natural)
    assert seen["names"] == wanted[:PAGE_ROWS]
    assert seen["took"] < 1000.0
    assert seen["unreachable"] == 0
    page = tmp_path / "page.html"
    page.write_text(page_of_bladder, encoding="utf-8")
    assert console(run_browser(page, f"--print-to-pdf={tmp_path / 'page.pdf'}")) == []
    raw = (tmp_path / "page.pdf").read_bytes()
    assert 6 <= len(re.findall(rb"/Type\s*/Page\b", raw)) <= 22


def natural(text: str) -> str:
    return re.sub(r"\d+", lambda digits: digits.group().zfill(15), text.lower())


def test_a_name_without_utf8_form_does_not_stop_the_writing(tmp_path):
    rng = np.random.default_rng(0)
    X = pd.DataFrame(rng.normal(size=(12, 120)), index=[f"s{i}" for i in range(12)])
    X.columns = ["\ud800 lone", *[f"g{i}" for i in range(119)]]
    X.iloc[:, 0] += 9.0 * (np.arange(12) % 2)
    path = write_report(quiet(X, np.arange(12) % 2, n_factors=0), tmp_path / "r.html")
    assert "\N{REPLACEMENT CHARACTER} lone" in path.read_text(encoding="utf-8")
    (held,) = grids(path.read_text(encoding="utf-8"))
    assert held["columns"][0][0] == "\N{REPLACEMENT CHARACTER} lone"
    assert "\\ud800 lone" in (tmp_path / "r_files" / "results.tsv").read_text(encoding="utf-8")


def test_the_numbers_lie_beside_it(tmp_path):
    result = hidden_batch()
    path = write_report(result, tmp_path / "report.html")
    folder = tmp_path / "report_files"
    assert sorted(p.name for p in folder.iterdir()) == ["factors.tsv", "report.json", "results.tsv"]
    linked = [href for href in Page(path.read_text(encoding="utf-8")).values("href") if not href.startswith("#")]
    assert linked == ["report_files/results.tsv", "report_files/factors.tsv", "report_files/report.json"]
    written = pd.read_csv(folder / "results.tsv", sep="\t", float_precision="round_trip")
    pd.testing.assert_frame_equal(written, result.tidy(), check_dtype=False)
    factors = pd.read_csv(folder / "factors.tsv", sep="\t", index_col="sample", float_precision="round_trip")
    np.testing.assert_array_equal(factors, result.factors)
    values = json.loads((folder / "report.json").read_text(encoding="utf-8"))
    content = {part["anchor"]: part["content"] for part in values["sections"]}
    assert list(content) == [s.anchor for s in SECTIONS]
    assert content["summary"][0][0]["topic"] == "Hidden factors"
    table = next(part for part in content["confounding"] if isinstance(part, dict))
    assert table["rows"][0][table["columns"].index("p_value")] == result.confounding.p_value[0]
    assert content["manifest"][0]["data_fingerprint"] == result.manifest["data_fingerprint"]


def test_files_that_are_there_are_linked_and_not_written_again(tmp_path):
    path = write_report(small(), tmp_path / "report.html", linked=[("my results.csv", "a row per feature")])
    assert [p.name for p in tmp_path.iterdir()] == ["report.html"]
    linked = [href for href in Page(path.read_text(encoding="utf-8")).values("href") if not href.startswith("#")]
    assert linked == ["my%20results.csv"]


def test_an_interrupted_report_leaves_the_old_one(tmp_path, monkeypatch):
    path = tmp_path / "report.html"
    path.write_text("old")

    def fail(_):
        raise RuntimeError("interrupted")

    monkeypatch.setattr(document, "SECTIONS", (*SECTIONS[:2], Section("x", "x", fail)))
    with pytest.raises(RuntimeError, match="interrupted"):
        write_report(small(), path)
    assert path.read_text() == "old"
    assert [p.name for p in tmp_path.iterdir()] == ["report.html"]


def test_an_old_report_is_replaced_and_a_folder_is_made(tmp_path):
    target = tmp_path / "new" / "folder" / "report.html"
    assert small().report(target) == target
    (tmp_path / "new" / "folder" / "mine.txt").write_text("keep")
    target.write_text("old")
    write_report(small(), str(target))
    assert target.read_text(encoding="utf-8").startswith("<!DOCTYPE html>")
    assert sorted(p.name for p in target.parent.iterdir()) == ["mine.txt", "report.html", "report_files"]


def test_a_target_that_is_a_folder_is_refused(tmp_path):
    (tmp_path / "report.html").mkdir()
    with pytest.raises(OutputError, match=r"report\.html|cannot be written"):
        write_report(small(), tmp_path / "report.html")
    assert list((tmp_path / "report.html").iterdir()) == []


def test_without_matplotlib_nothing_is_written(tmp_path, monkeypatch):
    def missing(name):
        raise ImportError(name)

    monkeypatch.setattr(importlib, "import_module", missing)
    with pytest.raises(MissingExtraError, match=r'pip install "latentadj\[plot\]"'):
        write_report(small(), tmp_path / "report.html")
    assert list(tmp_path.iterdir()) == []


def test_a_result_from_disk_is_reported_without_the_pictures_that_need_data(tmp_path):
    loaded = la.load_result(hidden_batch().save(tmp_path / "saved"))
    page = Page(report_html(loaded))
    assert any("the data are not at hand" in text for text in page.text)
    # scree, heatmap, design, histogram, volcano, before-after
    assert sum(tag == "img" for tag, _ in page.tags) == 6


def many_terms() -> la.AdjustmentResult:
    rng = np.random.default_rng(0)
    table = pd.DataFrame({f"v{i}": rng.normal(size=40) for i in range(8)})
    table["site"] = np.tile(list("abcd"), 10)
    return quiet(rng.normal(size=(40, 250)), "~ site + " + " + ".join(f"v{i}" for i in range(8)), table, n_factors=1)


def plain_arrays() -> la.AdjustmentResult:
    rng = np.random.default_rng(0)
    return quiet(rng.normal(size=(14, 60)), np.arange(14.0), n_factors=1, calibration="mad")


@pytest.mark.parametrize(
    "study", [small, large, many_terms, plain_arrays, lambda: bladder(0), lambda: hidden_batch(n_factors=0)]
)
def test_every_kind_of_study_gives_a_well_formed_page(study):
    result = study()
    page = Page(report_html(result))
    assert page.open == []
    assert [attrs["id"] for tag, attrs in page.tags if tag == "section"] == [s.anchor for s in SECTIONS]
    assert not any("nan" in text.lower().split() for text in page.text)


def test_many_features_share_the_rows_of_the_page(monkeypatch):
    monkeypatch.setattr("latentadj.report.features.MOST_GRID_ROWS", 300)
    result = bladder()
    ((term, table),) = result_tables(result)
    assert (term, len(table)) == ("cancer", 300)
    text = shown_features(result)
    assert f"The first 25 of 300 rows. {result.n_features - 300:,} more are in the file of results only." in text
    assert [len(found["columns"][0]) for found in grids(shown_features(many_terms()))] == [50] * 6


def test_a_feature_that_was_not_tested_says_why():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(14, 60))
    X[:, 7] = 3.0
    result = quiet(X, np.arange(14) % 2, n_factors=0)
    ((_, table),) = result_tables(result)
    assert table["status"].iloc[-1] == "constant"
    assert table["feature"].iloc[-1] == "7"
    (held,) = grids(shown_features(result))
    assert held["columns"][held["names"].index("p")][-1] is None


def test_cells_without_samples_are_marked(bladder_page, page_of_bladder):
    data = la.load_bladder()
    counts = pd.crosstab(data.sample_data["cancer"], data.sample_data["batch"])
    part = next(p for p in bladder_page.values()["sections"] if p["anchor"] == "design")
    table = next(t for t in part["content"] if isinstance(t, dict) and "cancer against batch" in t.get("caption", ""))
    shown = pd.DataFrame(table["rows"], columns=table["columns"]).set_index("cancer")
    assert (shown.to_numpy() == counts.astype(str).mask(counts == 0, "empty").to_numpy()).all()
    assert "If batch joined the formula: 8 of 15 cells hold no sample" in " ".join(Page(page_of_bladder).text)


def test_columns_that_others_determine_are_named():
    rng = np.random.default_rng(0)
    table = pd.DataFrame({"group": np.tile(["a", "b"], 8), "site": np.repeat(["u", "v"], 8)})
    table["again"] = table["site"].map({"u": "x", "v": "y"})
    result = quiet(rng.normal(size=(16, 80)), "~ group | site + again", table, n_factors=0)
    text = " ".join(Page(report_html(result)).text)
    assert result.design.aliases
    for alias in result.design.aliases:
        assert str(alias) in text


def confounded(strength: float) -> la.AdjustmentResult:
    rng = np.random.default_rng(11)
    x = np.repeat([0.0, 1.0], 40)
    z = rng.normal(size=80) + strength * (x - 0.5)
    X = np.outer(z, rng.normal(size=800)) + rng.normal(size=(80, 800))
    return quiet(X, x, n_factors=1)


def lines_about(result: la.AdjustmentResult, topic: str) -> list[tuple[str, str]]:
    return [(line.level, line.text) for line in verdicts(result) if line.topic == topic]


def test_verdicts_follow_the_study():
    (level, text) = lines_about(confounded(0.0), "Confounding")[0]
    assert level == "ok"
    assert text.startswith("No sign")
    (level, text) = lines_about(confounded(1.5), "Confounding")[0]
    assert level == "note"
    assert "do not trust the unadjusted results" in text
    (level, text) = lines_about(confounded(5.0), "Confounding")[0]
    assert level == "warning"
    assert "cannot be told from a hidden factor" in text
    assert lines_about(bladder(0), "Confounding")[0][0] == "note"
    invalid = replace(confounded(1.5), valid_for_testing=False)
    assert lines_about(invalid, "Confounding")[0][0] == "warning"


def test_the_ledger_is_shown(page_of_bladder):
    text = " ".join(Page(page_of_bladder).text)
    result = bladder()
    for check in assumption_ledger(result):
        assert check.cause in text
    assert "passing them is no proof" in text
    nothing = " ".join(Page(report_html(replace(confounded(1.5), identification="nothing"))).text)
    assert "Nothing about this can be checked with these data." in nothing


def test_verdicts_name_what_was_hidden():
    (level, text) = lines_about(hidden_batch(), "What the factors are")[0]
    assert level == "note"
    assert "the factors recover batch (canonical correlation" in text
    unrelated = pd.DataFrame({"age": np.random.default_rng(5).normal(size=40)}, index=hidden_batch().sample_ids)
    (level, text) = lines_about(replace(hidden_batch(), sample_data=unrelated), "What the factors are")[0]
    assert level == "ok"
    assert text.startswith("The factors follow none of the 1 column")


def test_verdicts_on_calibration_and_discoveries():
    levels = {topic: lines_about(confounded(1.5), topic)[0][0] for topic in ("Calibration", "Discoveries")}
    assert levels == {"Calibration": "ok", "Discoveries": "ok"}
    assert "with no flat part" in lines_about(bladder(0), "Calibration")[0][1]
    assert "the calibration line says why to be careful" in lines_about(bladder(0), "Discoveries")[0][1]
