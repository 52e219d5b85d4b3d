"""A page in headless Chromium: what it says on the console, and where its texts lie."""

import json
import os
import re
import shutil
import subprocess

import pytest

PROGRAM = next((found for name in ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome")
                if (found := shutil.which(name))), None)
needs_browser = pytest.mark.skipif(PROGRAM is None, reason="Chromium is not installed (scripts/setup installs it)")

# Runs when the page is there; its answer is read from the page's own text.
PROBE = """<script>
window.addEventListener("load", () => {
  const texts = [...document.querySelectorAll("svg.figure text")].map(text => {
    const box = text.getBoundingClientRect();
    const figure = text.closest("svg").getBoundingClientRect();
    return {text: text.textContent, figure: [...document.querySelectorAll("svg.figure")].indexOf(text.closest("svg")),
            box: [box.left, box.top, box.right, box.bottom], within: [figure.left, figure.top, figure.right, figure.bottom]};
  });
  const style = getComputedStyle(document.querySelector("svg.figure .surface"));
  const out = document.createElement("script");
  out.type = "application/json";
  out.id = "probe";
  out.textContent = JSON.stringify({texts, surface: style.fill, width: document.documentElement.scrollWidth});
  document.body.appendChild(out);
});
</script>"""


class Page:
    def __init__(self, texts, surface, width, console):
        self.texts, self.surface, self.width, self.console = texts, surface, width, console

    def overlaps(self):
        """Pairs of texts of one figure whose boxes share more than a hair."""
        pairs = []
        for i, a in enumerate(self.texts):
            for b in self.texts[i + 1:]:
                if a["figure"] == b["figure"] and share(a["box"], b["box"]):
                    pairs.append((a["text"], b["text"]))
        return pairs

    def outside(self):
        """Texts that leave their picture."""
        return [t["text"] for t in self.texts
                if t["box"][0] < t["within"][0] - 1 or t["box"][1] < t["within"][1] - 1
                or t["box"][2] > t["within"][2] + 1 or t["box"][3] > t["within"][3] + 1]


def share(a, b):
    """Boxes of lines of text are taller than their letters: two pixels of each do not count."""
    return a[0] < b[2] - 1 and b[0] < a[2] - 1 and a[1] + 2 < b[3] - 2 and b[1] + 2 < a[3] - 2


def open_page(tmp_path, html, dark=False, width=1100):
    """`html`: a page or an SVG, as text."""
    page = tmp_path / "page.html"
    if "<html" not in html:
        html = f"<!DOCTYPE html><html><body>{html}</body></html>"
    page.write_text(html.replace("</body>", PROBE + "</body>"))
    command = [PROGRAM, "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--enable-logging=stderr", f"--user-data-dir={tmp_path}/profile",
               f"--window-size={width},900", "--dump-dom", *(["--blink-settings=preferredColorScheme=0"] if dark else []),
               page.as_uri()]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, env={**os.environ, "HOME": str(tmp_path)})
    found = re.search(r'<script type="application/json" id="probe">(.*?)</script>', done.stdout, re.S)
    assert done.returncode == 0 and found, done.stderr
    console = [line for line in done.stderr.splitlines() if "CONSOLE" in line]
    return Page(console=console, **json.loads(found.group(1)))
