"""A real browser for the tests of pages: it opens a page, runs a probe in it, and hands back what the probe saw."""

from __future__ import annotations

import base64
import hashlib
import html
import json
import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

NAMES = ("chromium", "chromium-browser", "google-chrome")
#: Runs before anything else on the page.
_WATCH = """
window.trouble = [];
window.addEventListener("error", (event) => window.trouble.push(String(event.message)));
window.addEventListener("unhandledrejection", (event) => window.trouble.push(String(event.reason)));
document.addEventListener("securitypolicyviolation", (event) => window.trouble.push(event.violatedDirective));
"""
_ANSWER = """
const probe = () => { %s };
const made = document.createElement("pre");
made.id = "probe-answer";
let answer;
try { answer = probe(); } catch (error) { window.trouble.push("probe: " + error.stack); }
made.textContent = JSON.stringify({ answer, trouble: window.trouble });
document.body.appendChild(made);
"""


def find_browser() -> str | None:
    """The program named by $CHROME, or the first known name on the path."""
    given = os.environ.get("CHROME")
    return next((found for name in ([given] if given else NAMES) if (found := shutil.which(name))), None)


needs_browser = pytest.mark.skipif(
    find_browser() is None, reason=f"no browser: none of {', '.join(NAMES)} is on PATH, and $CHROME names none"
)


def run_browser(page: Path, *options: str) -> subprocess.CompletedProcess[str]:
    """Open a file without a window; the console's messages are in stderr."""
    profile = page.parent / f"{page.stem}-profile"
    fixed = ["--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-dev-shm-usage"]
    command = [find_browser() or "", *fixed, f"--user-data-dir={profile}", "--enable-logging=stderr", *options]
    done = subprocess.run([*command, page.as_uri()], capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    return done


def console(done: subprocess.CompletedProcess[str]) -> list[str]:
    """Messages of the page's console."""
    return re.findall(r":CONSOLE[^\]]*\] (.*)", done.stderr)


def probe(text: str, script: str, folder: Path, *options: str) -> Any:
    """Run a function body in a page, at its end, and return what it returns; fail on any error on the way.

    The page's security policy is left as it is but for two more scripts that may run, the watch and the probe.
    """
    asked = _ANSWER % script
    hashes = " ".join(f"'sha256-{_digest(part)}'" for part in (_WATCH, asked))
    opened, found = re.subn(r"(script-src [^\";]*)", rf"\1 {hashes}", text, count=1)
    assert found == 1
    opened = opened.replace("<title>", f"<script>{_WATCH}</script><title>", 1)
    opened = opened.replace("</body>", f"<script>{asked}</script></body>", 1)
    page = folder / "probed.html"
    page.write_bytes(opened.encode("utf-8", "xmlcharrefreplace"))
    dumped = run_browser(page, "--dump-dom", *options).stdout
    found_answer = re.search(r'<pre id="probe-answer">(.*?)</pre>', dumped, re.S)
    assert found_answer, dumped[-2000:]
    seen = json.loads(html.unescape(found_answer.group(1)))
    assert not seen["trouble"], seen["trouble"]
    return seen["answer"]


def _digest(script: str) -> str:
    return base64.b64encode(hashlib.sha256(script.encode()).digest()).decode("ascii")
