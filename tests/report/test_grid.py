"""Tables in a real browser: sorted, searched, turned, safe and quick."""

from __future__ import annotations

import json
import re

import numpy as np
import pandas as pd
import pytest

from latentadj.report.elements import paragraph
from latentadj.report.grid import PAGE_ROWS, grid, script_json
from latentadj.report.markup import number
from latentadj.report.page import Page
from latentadj.report.section import Section
from tests.report.browser import console, needs_browser, probe, run_browser

EVIL = "<script>alert(1)</script>"
TOOLS = """
const rows = () => Array.from(document.querySelectorAll(".grid tbody tr"));
const column = (i) => rows().map((row) => row.children[i].textContent);
const click = (i) => document.querySelectorAll(".grid th button")[i].click();
const type = (text) => {
  const box = document.querySelector(".grid input");
  box.value = text;
  box.dispatchEvent(new Event("input"));
};
const said = () => document.querySelector(".grid output").textContent;
const turn = (i) => document.querySelectorAll(".controls button")[i].click();
"""


def page_of(frame: pd.DataFrame, **options: object) -> str:
    body = [paragraph("All of them."), grid(frame, "Results", **options)]
    return Page.build("t", "Tables", "Of a test.", [Section("Features", "features", lambda _: body)], None).html()


def features(m: int, seed: int = 0) -> pd.DataFrame:
    """A table as in a report, smallest p first, with an unfriendly name and gaps."""
    rng = np.random.default_rng(seed)
    names = [f"g{i}" for i in rng.permutation(m)]
    names[3] = EVIL
    frame = pd.DataFrame({"feature": names, "estimate": rng.normal(size=m), "p": np.sort(rng.random(m))})
    frame.loc[0, "p"] = 0.0
    for name in ("std. error", "statistic", "p_adjusted", "mean"):
        frame[name] = rng.normal(size=m)
    frame.loc[m - 2 :, ["estimate", "p"]] = np.nan
    return frame


@needs_browser
def test_twenty_thousand_rows_are_sorted_and_searched_within_a_second(tmp_path):
    frame = features(20_000)
    answer = probe(
        page_of(frame, sorted_by="p"),
        TOOLS
        + """
        const took = {}, seen = {};
        const timed = (name, action) => {
          const start = performance.now();
          action();
          document.body.getBoundingClientRect();  // the layout counts
          took[name] = performance.now() - start;
          seen[name] = column(0);
        };
        seen.start = column(0);
        timed("name", () => click(0));
        timed("name down", () => click(0));
        timed("estimate", () => click(1));
        timed("p", () => click(2));
        timed("p down", () => click(2));
        timed("search", () => type("g1999"));
        timed("search all", () => type(""));
        const start = performance.now();
        const values = Array.from({ length: 300000 }, (_, i) => (i * 7919) %% 300007);
        values.sort((a, b) => a - b);
        return { took, seen, clock: performance.now() - start };
        """.replace("%%", "%"),
        tmp_path,
    )
    assert answer["clock"] > 1.0  # the clock runs while scripts do
    assert max(answer["took"].values()) < 1000.0, answer["took"]
    seen = answer["seen"]
    by_p = frame["feature"].tolist()
    natural = [EVIL, *sorted((n for n in by_p if n != EVIL), key=lambda n: int(n[1:]))]
    rest = frame.dropna()
    assert seen["start"] == seen["p"] == by_p[:PAGE_ROWS]
    assert seen["name"] == natural[:PAGE_ROWS]
    assert seen["name down"] == natural[::-1][:PAGE_ROWS]
    assert seen["estimate"] == rest.sort_values("estimate")["feature"].tolist()[:PAGE_ROWS]
    assert seen["p down"] == rest["feature"].tolist()[::-1][:PAGE_ROWS]
    assert seen["search"] == [n for n in rest["feature"].tolist()[::-1] if "g1999" in n][:PAGE_ROWS]
    assert seen["search all"] == seen["p down"]


@needs_browser
def test_pages_are_turned_and_what_is_shown_is_said(tmp_path):
    frame = features(60)
    answer = probe(
        page_of(frame, sorted_by="p"),
        TOOLS
        + """
        const out = [];
        const note = () => out.push([said(), column(0).length, column(0)[0] || ""]);
        const disabled = () => Array.from(document.querySelectorAll(".controls button"), (b) => b.disabled);
        note(); out.push(disabled());
        turn(1); note(); turn(1); note(); out.push(disabled()); turn(0); note();
        type("G1"); note(); type("nothing like it"); note(); type("");
        const sizes = document.querySelector(".grid select");
        sizes.value = "100"; sizes.dispatchEvent(new Event("change")); note();
        const sorts = () => Array.from(document.querySelectorAll(".grid th"), (t) => t.getAttribute("aria-sort"));
        out.push(sorts()); click(2); out.push(sorts()); click(0); out.push(sorts());
        click(1); out.push(column(1).slice(-2)); click(1); out.push(column(1).slice(-2));
        return out;
        """,
        tmp_path,
    )
    names = frame["feature"].tolist()
    ones = [n for n in names if "g1" in n]
    none = [None] * 7
    assert answer == [
        ["1–25 of 60 rows", 25, names[0]],
        [True, False],
        ["26–50 of 60 rows", 25, names[25]],
        ["51–60 of 60 rows", 10, names[50]],
        [False, True],
        ["26–50 of 60 rows", 25, names[25]],
        [f"1–{len(ones)} of {len(ones)} found, 60 rows", len(ones), ones[0]],
        ["0 of 0 found, 60 rows", 0, ""],
        ["1–60 of 60 rows", 60, names[0]],
        [None, None, "ascending", *none[3:]],
        [None, None, "descending", *none[3:]],
        ["ascending", *none[1:]],
        ["–", "–"],
        ["–", "–"],
    ]


@needs_browser
def test_numbers_look_the_same_as_in_the_other_tables(tmp_path):
    values = [0.0, 1.0, -1.0, 9.995, 99.95, 999.4, 1000.0, 12345.0, 1234.5, 0.00012345, -1.2e-5, 5e-324, 1e-299, 0.1]
    values += [float("nan"), 1e9, 1.5e12, 0.5, 123.0, -0.00099949, 1e-4, 2.5, 999999.5]
    values += (np.random.default_rng(0).normal(size=60) * 10.0 ** np.arange(-30, 30)).tolist()
    rounded = [float(f"{value:.6g}") for value in values]
    frame = pd.DataFrame({"a": rounded, "p": np.abs(rounded), "n": range(0, 1000 * len(values), 1000)})
    script = (
        TOOLS
        + """
    const sizes = document.querySelector(".grid select");
    sizes.value = "100"; sizes.dispatchEvent(new Event("change"));
    return [column(0), column(1), column(2)];
    """
    )
    shown = probe(page_of(frame), script, tmp_path)
    assert shown[0] == [number(value) for value in rounded]
    assert shown[1] == [number(abs(value), p_value=True) for value in rounded]
    assert shown[2] == [number(value) for value in frame["n"]]


@needs_browser
def test_a_name_that_is_a_script_is_text(tmp_path):
    names = [
        EVIL,
        "</script><script>document.title='broken'</script>",
        "<!--<script>",
        "&lt;b&gt;",
        "a\u2028b",
        "nul\x00",
    ]
    frame = pd.DataFrame({"feature": names, "p": np.arange(len(names)) / 10})
    text = page_of(frame)
    assert EVIL not in text
    script = TOOLS + "return [column(0), document.title, document.querySelectorAll('script').length, said()];"
    shown, title, n_scripts, said = probe(text, script, tmp_path)
    assert shown == [*names[:-1], "nul\N{REPLACEMENT CHARACTER}"]
    assert title == "t"
    assert n_scripts == 4  # the rows, the page's own, the watch and the probe
    assert said == "1–6 of 6 rows"


@needs_browser
def test_the_console_is_silent_and_no_other_script_runs(tmp_path):
    page = tmp_path / "page.html"
    page.write_text(page_of(features(60)), encoding="utf-8")
    assert console(run_browser(page, "--dump-dom")) == []
    strange = page_of(features(60)).replace("</body>", "<script>document.title = 'changed'</script></body>")
    page.write_text(strange, encoding="utf-8")
    done = run_browser(page, "--dump-dom")
    assert any("Content Security Policy" in message for message in console(done))
    assert "<title>t</title>" in done.stdout


def test_the_rows_in_the_page_are_those_of_the_frame():
    frame = features(60)
    text = grid(frame, "Results", sorted_by="p").html
    held = json.loads(re.search(r'<script type="application/json">(.*)</script>', text).group(1))
    assert held["names"] == ["feature", "estimate", "p", "std. error", "statistic", "p adjusted", "mean"]
    assert held["kinds"] == ["text", "number", "p", "number", "number", "p", "number"]
    assert held["names"][held["sorted"]] == "p"
    assert held["columns"][0] == frame["feature"].tolist()
    for i, name in enumerate(frame.columns[1:], start=1):
        values = np.array(held["columns"][i], dtype=float)
        np.testing.assert_allclose(values, frame[name], rtol=5.1e-6)


def test_without_scripts_the_first_rows_are_an_ordinary_table():
    text = grid(features(60), "Results", n_total=70).html
    before = text[: text.index("<script")]
    assert before.count("<tr>") == PAGE_ROWS + 1
    assert "The first 25 of 60 rows. 10 more are in the file of results only." in before


@pytest.mark.parametrize("text", ["</script>", "<!--", "]]>", "&amp;", "\u2028\u2029", "\ud800"])
def test_no_text_ends_the_element_it_is_in(text):
    made = script_json([text])
    assert made.isascii()
    assert not set("<>&") & set(made)
    assert json.loads(made) == [text]


def test_an_empty_table_is_a_table():
    text = grid(pd.DataFrame({"feature": [], "p": []}), "Results").html
    assert "0 rows." in text


def test_every_kind_of_column_has_a_form():
    frame = pd.DataFrame({"b": [True, False], "o": ["x", None], "n": pd.array([1, None], dtype="Int64")})
    text = grid(frame, "Kinds").html
    held = json.loads(re.search(r'<script type="application/json">(.*)</script>', text).group(1))
    assert held["columns"] == [["yes", "no"], ["x", None], [1, None]]


@needs_browser
def test_the_probe_itself_can_fail(tmp_path):
    with pytest.raises(AssertionError, match="deliberate"):
        probe(page_of(features(30)), "throw new Error('deliberate');", tmp_path)
