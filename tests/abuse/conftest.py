"""Fixtures of the attacks: a server of their own for each module, so that memory is theirs."""

import sys
from pathlib import Path

import pytest

sys.path[:0] = [str(Path(__file__).resolve().parent), str(Path(__file__).resolve().parents[1] / "clients")]

import models
from attack import INFLIGHT, Target
from serving import Server
from wire import good_inference

FLAGS = ("--idle-timeout-secs=3", "--request-timeout-secs=3", "--max-request-size=16777216", f"--max-inflight-size={INFLIGHT}")


@pytest.fixture(scope="module")
def target(tmp_path_factory):
    """The server under attack: short time-outs, so that silence ends soon; healthy and clean at the end."""
    repository = tmp_path_factory.mktemp("models")
    models.build(repository)
    running = Server(repository, *FLAGS)
    under_attack = Target(running)
    try:
        yield under_attack
        good_inference(running.http)
        running.stop()
    finally:
        under_attack.close()
        running.kill()
