"""bench/squad: questions answered a second by inferd's own engine and by Triton with ONNX Runtime, over gRPC, in one run.

Both sides serve the embedded checkpoint and are asked by the same client (inferd squad): one window a request, 16 in flight. The
client takes its share of the same cores on both sides. Rounds are interleaved; figures are medians over the rounds, ratios medians
of the rounds' ratios.

Knobs. inferd: one instance on all cores, batches of what waits. Triton: dynamic batches (max 8, preferred 4 and 8, delay 5 ms) of
windows padded to 384 tokens, as NVIDIA's recipe of 2019 ran it; and windows of their real length, where its batcher can join equal
lengths only, once by one instance with a thread for each core, once by as many instances of one thread. ONNX Runtime runs in
Triton's python backend (the package on PyPI brings no other), int8 by its dynamic quantisation.
"""

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from servers import PEERS, ROOT, Inferd, Triton

INFERD = str(ROOT / "build" / "inferd")
CORES = sorted(os.sched_getaffinity(0))
CALM_S = 0.5  # an engine that has just run looks for more work with all of its threads, and would slow the next one down
PRECISIONS = ("fp32", "bf16", "int8")
DYNAMIC = "dynamic_batching { preferred_batch_size: [ 4, 8 ] max_queue_delay_microseconds: 5000 }"

# name: server, model, how windows are padded
OURS = {f"inferd {precision}": ("inferd", precision, "none") for precision in PRECISIONS}
PEER_WAYS = {
    "Triton fp32, padded to 384": ("Triton", "fp32", "max"),
    "Triton int8, padded to 384": ("Triton", "int8", "max"),
    "Triton fp32, real lengths": ("Triton", "fp32", "none"),
    "Triton int8, real lengths": ("Triton", "int8", "none"),
    "Triton int8, real lengths, instances of one thread": ("Triton", "int8-narrow", "none"),
}
WAYS = {**OURS, **PEER_WAYS}


def export(repository, name, *options):
    subprocess.run([INFERD, "export", "--checkpoint", ROOT / "models/minilm-squad", "--model-repository", repository, "--model", name,
                    "--max-batch-size", "8", *options], check=True, stdout=subprocess.DEVNULL)


def peer_model(repository, name, weights, batching, instances, threads):
    """A folder for Triton: the python model of bench/peers, with this ONNX file."""
    folder = repository / name
    shutil.copytree(ROOT / "bench/peers/bert_ort", folder)
    config = (folder / "config.pbtxt").read_text()
    for before, after in (('name: "bert"', f'name: "{name}"'), (DYNAMIC, batching), ("count: 1", f"count: {instances}")):
        assert before in config
        config = config.replace(before, after)
    (folder / "config.pbtxt").write_text(config + f'parameters {{ key: "threads" value {{ string_value: "{threads}" }} }}\n')
    shutil.copy(weights, folder / "1/model.onnx")


def build_repositories(folder):
    ours, peers = folder / "inferd", folder / "triton"
    for precision in PRECISIONS:
        export(ours, precision, "--format", "bert", "--precision", precision)
    export(folder / "onnx", "bert", "--format", "onnx")
    fp32, int8 = folder / "onnx/bert/1/model.onnx", folder / "int8.onnx"
    subprocess.run([sys.executable, ROOT / "bench/engine_speed/quantise.py", "ort-int8", fp32, int8], check=True,
                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    peers.mkdir()
    peer_model(peers, "fp32", fp32, DYNAMIC, 1, len(CORES))
    peer_model(peers, "int8", int8, DYNAMIC, 1, len(CORES))
    peer_model(peers, "int8-narrow", int8, "", len(CORES), 1)
    return ours, peers


def some_paragraphs(path, count, folder):
    """A SQuAD file with that many paragraphs, evenly from all; 0: the file itself."""
    content = json.loads(Path(path).read_text())
    paragraphs = [(article["title"], paragraph) for article in content["data"] for paragraph in article["paragraphs"]]
    if count == 0 or count >= len(paragraphs):
        return path
    chosen = [paragraphs[i * len(paragraphs) // count] for i in range(count)]
    some = folder / "questions.json"
    some.write_text(json.dumps({"version": content["version"],
                                "data": [{"title": title, "paragraphs": [paragraph]} for title, paragraph in chosen]}))
    return some


def ask(options, folder, data, servers, way):
    server, model, pad = WAYS[way]
    result = folder / "result.json"
    command = [INFERD, "squad", "--url", servers[server].grpc, "--model", model, "--data", str(data), "--batch-size", "1",
               "--concurrency", str(options.concurrency), "--pad", pad, "--max-seq-length", "384", "--do-lower-case", "true",
               "--output-dir", str(folder / "out"), "--json", str(result)]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode != 0:
        raise SystemExit(f"bench: {way}: {done.stderr}")
    time.sleep(CALM_S)
    figures = json.loads(result.read_text())
    return {"per_second": figures["throughput"], "p99_ms": figures["latency_ms"]["p99"], "exact": figures["exact"], "f1": figures["f1"],
            "questions": figures["total"]}


def median(runs, way, key):
    return statistics.median(run[way][key] for run in runs)


def compare(runs, way, other):
    ratios = sorted(run[way]["per_second"] / run[other]["per_second"] for run in runs)
    tails = sorted(run[way]["p99_ms"] / run[other]["p99_ms"] for run in runs)
    return {"way": way, "other": other, "ratio": statistics.median(ratios), "from": ratios[0], "to": ratios[-1],
            "p99_ratio": statistics.median(tails)}


def report(runs, ways):
    print(f"{'':52} {'windows/s':>9} {'p99 ms':>7} {'EM':>6} {'F1':>6}")
    rows = [{"way": way, **{key: median(runs, way, key) for key in ("per_second", "p99_ms", "exact", "f1")}} for way in ways]
    for row in rows:
        print(f"{row['way']:52} {row['per_second']:9.1f} {row['p99_ms']:7.0f} {row['exact']:6.2f} {row['f1']:6.2f}")
    comparisons = [compare(runs, way, other) for way in OURS for other in PEER_WAYS if way in ways and other in ways]
    for one in comparisons:
        print(f"{one['way']} / {one['other']}: {one['ratio']:.2f}x (from {one['from']:.2f} to {one['to']:.2f}),"
              f" at {one['p99_ratio']:.2f} of its p99")
    return {"ways": rows, "comparisons": comparisons}


def parse_options():
    parser = argparse.ArgumentParser(prog="bench/squad", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", default=str(ROOT / "models/questions/questions-v1.1.json"), help="SQuAD file (the embedded questions)")
    parser.add_argument("--paragraphs", type=int, default=0, help="only so many, evenly from the file")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--concurrency", type=int, default=16)
    parser.add_argument("--only", default="", metavar="TEXT", help="ways with this in their name: int8 (all of them)")
    parser.add_argument("--json", metavar="FILE", help="write the results there too")
    return parser.parse_args()


def main():
    options = parse_options()
    ways = [way for way in WAYS if options.only in way]
    if not ways:
        raise SystemExit(f"bench: no way has '{options.only}' in its name")
    folder = Path(tempfile.mkdtemp(prefix="inferd-bench-"))
    os.environ["PATH"] = f"{PEERS}/venv/bin:{os.environ['PATH']}"  # for the python of Triton's backend
    servers = {}
    try:
        ours, peers = build_repositories(folder)
        data = some_paragraphs(options.data, options.paragraphs, folder)
        cores = ",".join(map(str, CORES))
        servers["inferd"] = Inferd(ours, cores, folder)
        servers["Triton"] = Triton(peers, cores, folder)
        for way in ways:
            questions = ask(options, folder, data, servers, way)["questions"]
        print(f"{questions} questions a pass, {options.concurrency} in flight, {len(CORES)} cores, {options.rounds} rounds", flush=True)
        runs = []
        for number in range(options.rounds):
            order = ways if number % 2 == 0 else ways[::-1]
            runs.append({way: ask(options, folder, data, servers, way) for way in order})
        results = report(runs, ways)
        if options.json:
            Path(options.json).write_text(json.dumps({"questions": questions, **results, "rounds": runs}, indent=1) + "\n")
    finally:
        for server in servers.values():
            server.stop()
        shutil.rmtree(folder)


if __name__ == "__main__":
    main()
