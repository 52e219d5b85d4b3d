"""inferd figures as a command, and its pictures as data."""

import csv
import os
import subprocess
import xml.etree.ElementTree as ET
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
INFERD = ROOT / os.environ.get("INFERD", "build/inferd")
DATA = Path(__file__).resolve().parent / "data"
SVG = "{http://www.w3.org/2000/svg}"

PARTS = ["Client Send", "Network+Server Send/Recv", "Server Queue", "Server Compute Input", "Server Compute Infer",
         "Server Compute Output", "Client Recv"]


def run(*arguments, code=0):
    done = subprocess.run([INFERD, "figures", *map(str, arguments)], capture_output=True, text=True, timeout=120)
    assert done.returncode == code, done.stdout + done.stderr
    return done


def draw(tmp_path, *arguments):
    """The pictures by name, parsed."""
    run(*arguments, "--output-dir", tmp_path / "out", "--png", "never")
    return {path.stem: ET.parse(path).getroot() for path in (tmp_path / "out").glob("*.svg")}


def table(path):
    """A CSV's rows by load, as numbers."""
    with open(path, newline="") as stream:
        rows = [{name: float(cell) for name, cell in row.items()} for row in csv.DictReader(stream)]
    return sorted(rows, key=lambda row: next(iter(row.values())))


def elements(picture, name):
    return list(picture.iter(SVG + name))


def marks(picture, attribute):
    """Elements that carry a value."""
    return [element for element in picture.iter() if f"data-{attribute}" in element.attrib]


def data(element, name):
    return float(element.get(f"data-{name}"))


def texts(picture):
    return [element.text for element in elements(picture, "text")]


def write_csv(path, rows, header=None):
    """Rows of dictionaries, or of numbers with a header."""
    header = header or list(rows[0])
    lines = [",".join(header)] + [",".join(str(row[name]) if isinstance(row, dict) else "" for name in header) for row in rows]
    path.write_text("\n".join(lines) + "\n")
    return path
