"""Running `inferd perf`, and reading what it writes."""

import csv
import subprocess

import serving

# Short windows and a loose idea of stability: what is checked is what it says, never how fast it is.
QUICK = ["-p", "200", "-s", "9999", "-r", "3"]
PROTOCOLS = ("http", "grpc")
UNSTABLE = 2


def command(server, protocol, *options):
    url = server.http_url if protocol == "http" else server.grpc_url
    return [serving.BINARY, "perf", "-u", url, "-i", protocol, *options]


def run(server, protocol, *options):
    """The finished process."""
    return subprocess.run(command(server, protocol, *options), capture_output=True, text=True, timeout=2 * serving.PATIENCE_S)


def good(server, protocol, *options):
    """Its output, after a good end. On a busy machine nothing may end within some window: then the windows are made longer."""
    for factor in (1, 10, 50):
        ended = run(server, protocol, *longer(options, factor))
        if ended.returncode != UNSTABLE:
            break
    assert ended.returncode == 0, ended.stdout + ended.stderr
    return ended.stdout


def longer(options, factor):
    """The same options with time windows of `factor` times their length."""
    return [str(int(word) * factor) if before == "-p" else word for before, word in zip(("", *options), options)]


def rows(server, protocol, file, *options):
    """The rows of its table."""
    good(server, protocol, "-f", str(file), *options)
    return list(csv.DictReader(file.open()))


def refused(server, protocol, *options, code=99):
    """What it says at a bad end."""
    ended = run(server, protocol, *options)
    assert ended.returncode == code, ended.stdout + ended.stderr
    return ended.stderr
