#!/usr/bin/env python3
"""terminal_svg.py TITLE < transcript > picture.svg: draws what a terminal showed, for the README. Offline; not run by the build."""
import html
import sys

WIDTH, LINE, MARGIN, TOP = 860, 19, 18, 46


def draw(title, lines):
    height = TOP + LINE * len(lines) + MARGIN
    out = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" height="{height}" role="img">',
        f"<title>{html.escape(title)}</title>",
        f'<rect width="{WIDTH}" height="{height}" rx="8" fill="#1b2230"/>',
        '<circle cx="20" cy="18" r="5.5" fill="#e8695f"/><circle cx="38" cy="18" r="5.5" fill="#e8b84f"/>'
        '<circle cx="56" cy="18" r="5.5" fill="#62b36b"/>',
        f'<text x="{WIDTH // 2}" y="22" text-anchor="middle" font-family="sans-serif" font-size="12" fill="#9aa7bd">'
        f"{html.escape(title)}</text>",
        '<g font-family="ui-monospace, Menlo, Consolas, \'DejaVu Sans Mono\', monospace" font-size="12.5" xml:space="preserve">',
    ]
    for number, line in enumerate(lines):
        colour = "#8fc7ff" if line.startswith("$") else "#e8b84f" if line.startswith("==") else "#d5dceb"
        if line.lower().startswith("exact match"):
            colour = "#8fe09a"
        out.append(f'<text x="{MARGIN}" y="{TOP + LINE * number}" fill="{colour}">{html.escape(line)}</text>')
    return "\n".join(out + ["</g>", "</svg>", ""])


if __name__ == "__main__":
    sys.stdout.write(draw(sys.argv[1], [line.rstrip("\n") for line in sys.stdin]))
