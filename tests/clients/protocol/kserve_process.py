"""The process in which kserve_calls.py runs. This module knows neither kserve nor tritonclient, so that both sides can import it."""

import concurrent.futures
import importlib
import multiprocessing


class KserveProcess:
    """Runs functions of kserve_calls: process(name, protocol, server, …)."""

    def __init__(self):
        self.pool = concurrent.futures.ProcessPoolExecutor(1, multiprocessing.get_context("spawn"))

    def __call__(self, name, protocol, server, *arguments, **more):
        url = server.grpc_url if protocol == "grpc" else server.http_url
        return self.pool.submit(run, name, protocol, url, *arguments, **more).result(timeout=120)


def run(name, *arguments, **more):
    return getattr(importlib.import_module("kserve_calls"), name)(*arguments, **more)
