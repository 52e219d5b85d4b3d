"""The documents name only files that exist, and the flags that they name are flags of the program."""
import os
import pathlib
import re
import subprocess

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/*.md")])
INFERD = ROOT / os.environ.get("INFERD", "build/inferd")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page):
    for target in re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", page.read_text()):
        if not target.startswith(("http:", "https:")):
            assert (page.parent / target).exists(), target


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_source_files_exist(page):
    """Paths such as src/core/model.c, core/model.[ch] or `api/routes.c`, relative to the project or to src/."""
    for path in re.findall(r"`((?:src/|tests/|scripts/|models/|bench/|cmake/)[\w./-]+)`", page.read_text()):
        assert (ROOT / path).exists(), path


def test_the_tour_names_files():
    assert len(re.findall(r"`src/[\w./-]+\.[ch]`", (ROOT / "docs/tour.md").read_text())) >= 20


@pytest.mark.parametrize("command", ["serve", "export", "squad", "perf", "figures"])
def test_documented_flags_exist(command):
    """Every --flag on a command's own page is in its --help (or in another command's)."""
    page = {"serve": "serving.md"}.get(command, f"{command}.md")
    known = set()
    for name in ("serve", "export", "squad", "perf", "figures"):
        text = subprocess.run([INFERD, name, "--help"], capture_output=True, text=True, check=True).stdout
        known |= set(re.findall(r"--[a-z][a-z0-9-]+", text))
    foreign = {"--version", "--max-time", "--data-binary", "--compressed", "--http2-prior-knowledge", "--help", "--x", "--quick", "--restart"}
    for line in (ROOT / "docs" / page).read_text().splitlines():
        if "curl" in line or "make " in line:
            continue
        for flag in re.findall(r"(?<![\w-])--[a-z][a-z0-9-]+", line):
            assert flag in known | foreign, flag
