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


def test_the_tour_names_functions_where_they_are():
    """A function with a file in parentheses behind it is defined in that file."""
    named = re.findall(r"`([a-z]\w*)`\s+\(`(src/[\w/.-]+\.[ch])`", (ROOT / "docs/tour.md").read_text())
    assert len(named) >= 30
    for function, path in named:
        assert re.search(rf"^[a-z][\w *]*\b{function}\(", (ROOT / path).read_text(), re.M), (function, path)


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


def cache_entry(build, name):
    found = re.search(rf"^{name}:\w+=(.*)$", (build / "CMakeCache.txt").read_text(), re.M)
    return found.group(1) if found else ""


def test_the_engines_example_compiles_and_runs(tmp_path):
    """docs/engine.md: the C program of "Without the server", by the page's own command, prints what the page says."""
    page = (ROOT / "docs/engine.md").read_text().split("## Without the server")[1]
    build = ROOT / os.environ.get("INFERD_BUILD_DIR", "build")
    (tmp_path / "logits.c").write_text(re.search(r"```c\n(.*?)```", page, re.S).group(1))
    command = re.search(r"^    cc (.*)$", page, re.M).group(1).split()
    command[command.index("logits.c")] = str(tmp_path / "logits.c")
    command[command.index("logits")] = str(tmp_path / "logits")
    command[command.index("-Lbuild")] = f"-L{build}"
    if not (build / "libyyjson_static.a").exists():
        command[command.index("-lyyjson_static")] = "-lyyjson"
    if cache_entry(build, "INFERD_CUDA") == "ON" and cache_entry(build, "INFERD_NVCC").endswith("nvcc"):
        more = re.search(r"for GPUs also needs\s+`([^`]*)`", page).group(1).split()
        command[command.index("-lz"):command.index("-lz")] = [f"-L{os.path.dirname(cache_entry(build, 'INFERD_CUDART'))}", *more[1:]]
    sanitize = cache_entry(build, "INFERD_SANITIZE")
    extra = ["-Wall", "-Wextra", "-Wpedantic", "-Werror", *([f"-fsanitize={sanitize}"] if sanitize else [])]
    subprocess.run([cache_entry(build, "CMAKE_C_COMPILER") or "cc", *extra, *command], cwd=ROOT, check=True)
    printed = subprocess.run([tmp_path / "logits", "models/minilm-squad"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    expected = re.findall(r"^    (\d+) (-?\d+\.\d+) (-?\d+\.\d+)$", page, re.M)
    got = [line.split() for line in printed.splitlines()]
    assert len(got) == 11 and len(expected) == 3
    for wanted, row in zip(expected, got):
        assert row[0] == wanted[0]
        assert [float(number) for number in row[1:]] == pytest.approx([float(number) for number in wanted[1:]], abs=0.01)
