"""The encoders of peer.py, its ways to run them, and what the card does at most: all that needs PyTorch. peer.py tells what it is."""
import json
import pathlib
import statistics
import subprocess
import sys
import time

import torch
import torch.nn.functional as F

SIZES = {"minilm": (6, 384, 12, 1536), "base": (12, 768, 12, 3072), "large": (24, 1024, 16, 4096), "tiny": (2, 128, 2, 256)}
DTYPES = {"bf16": torch.bfloat16, "fp16": torch.float16}
PADDED_BATCHES, SORTED_BATCHES, TOKENS = (32, 128), (64, 256), (8192, 32768, 65536)
VOCABULARY, POSITIONS, CUBE, COPY_BYTES, IN_FLIGHT, WARMING_SHAPES = 30522, 512, 8192, 2 << 30, 4, 32


def read_lengths(path):
    return [int(line) for line in pathlib.Path(path).read_text().split("\n") if line and not line.startswith("#")]


# ---- the encoder ----

MASKED = {"kernels": None}  # those that masked attention may use


def define_masked_attention():
    """Masked attention as one step that the compiler does not look into: a mask of expanded sizes goes to the kernel as it is."""
    from torch.nn.attention import SDPBackend, sdpa_kernel

    @torch.library.custom_op("inferd_peer::masked_attention", mutates_args=())
    def masked(q: torch.Tensor, k: torch.Tensor, v: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        with sdpa_kernel(MASKED["kernels"]):
            made = F.scaled_dot_product_attention(q.transpose(1, 2), k.transpose(1, 2), v.transpose(1, 2), attn_mask=mask)
        return made.transpose(1, 2).contiguous()

    @masked.register_fake
    def _(q, k, v, mask):
        return q.new_empty(q.shape)

    every = [SDPBackend.FLASH_ATTENTION, SDPBackend.EFFICIENT_ATTENTION, SDPBackend.MATH]
    MASKED["kernels"] = every
    return masked, {"memory-efficient": every, "cuDNN": [SDPBackend.CUDNN_ATTENTION]}


def attend_padded(heads, masked):
    def attend(qkv, mask):
        q, k, v = qkv.unflatten(2, (3, heads, -1)).unbind(2)
        if mask is None:
            made = F.scaled_dot_product_attention(q.transpose(1, 2), k.transpose(1, 2), v.transpose(1, 2)).transpose(1, 2)
        else:
            made = masked(q, k, v, mask)
        return made.flatten(2)
    return attend


def attend_varlen(heads, longest):
    from torch.nn.attention.varlen import varlen_attn

    def attend(qkv, cu):
        q, k, v = qkv.unflatten(1, (3, heads, -1)).unbind(1)
        return varlen_attn(q, k, v, cu, cu, longest, longest).flatten(1)
    return attend


def attend_flash(heads, longest):
    def attend(qkv, cu):
        q, k, v = qkv.unflatten(1, (3, heads, -1)).unbind(1)
        return torch.ops.aten._flash_attention_forward(q, k, v, cu, cu, longest, longest, 0.0, False, False)[0].flatten(1)
    return attend


def attend_nested(heads, longest):
    def attend(qkv, cu):
        parts = (torch.nested.nested_tensor_from_jagged(part, cu, min_seqlen=1, max_seqlen=longest).transpose(1, 2)
                 for part in qkv.unflatten(1, (3, heads, -1)).unbind(1))
        return F.scaled_dot_product_attention(*parts).transpose(1, 2).values().flatten(1)
    return attend


UNPADDED = {"varlen_attn": attend_varlen, "flash kernel": attend_flash, "nested tensors": attend_nested}


def make_layer(attend):
    def layer(x, where, qkv_w, qkv_b, out_w, out_b, gamma1, beta1, up_w, up_b, down_w, down_b, gamma2, beta2):
        hidden = x.shape[-1:]
        context = attend(F.linear(x, qkv_w, qkv_b), where)
        x = F.layer_norm(x + F.linear(context, out_w, out_b), hidden, gamma1, beta1, 1e-12)
        wide = F.gelu(F.linear(x, up_w, up_b))
        return F.layer_norm(x + F.linear(wide, down_w, down_b), hidden, gamma2, beta2, 1e-12)
    return layer


def embed(ids, segments, positions, words, types, places, gamma, beta):
    x = F.embedding(ids, words) + F.embedding(segments, types) + F.embedding(positions, places)
    return F.layer_norm(x, x.shape[-1:], gamma, beta, 1e-12)


class Encoder:
    """Weights, and running them with one way of attention."""

    def __init__(self, size, dtype, device):
        self.layer_count, self.hidden, self.heads, wide = SIZES[size]
        self.dtype, self.device = dtype, device
        h = self.hidden
        self.tables = [self.random(VOCABULARY, h), self.random(2, h), self.random(POSITIONS, h), *self.norm()]
        self.layers = [[self.random(3 * h, h), self.random(3 * h), self.random(h, h), self.random(h), *self.norm(),
                        self.random(wide, h), self.random(wide), self.random(h, wide), self.random(h), *self.norm()]
                       for _ in range(self.layer_count)]
        self.head = [self.random(2, h), self.random(2)]

    def random(self, *shape):
        return (torch.randn(*shape, device=self.device) * 0.02).to(self.dtype)

    def norm(self):
        return torch.ones(self.hidden, device=self.device, dtype=self.dtype), self.random(self.hidden)

    def runner(self, attend, compiled=True):
        """A function of a batch that gives the logits. It has compiled code of its own."""
        layer, first = make_layer(attend), embed
        if compiled:
            layer, first = torch.compile(layer), torch.compile(first)

        def run(batch):
            ids, segments, positions, where = batch
            mark(ids, segments, positions, where)
            x = first(ids, segments, positions, *self.tables)
            for weights in self.layers:
                mark(x)
                x = layer(x, where, *weights)
            return F.linear(x, *self.head)
        return run


def mark(*tensors):
    """Sizes that change from batch to batch: compiled once for all of them."""
    for tensor in tensors:
        if tensor is not None:
            for dim in range(tensor.dim() - (tensor.dtype.is_floating_point)):
                if tensor.shape[dim] > 1:
                    torch._dynamo.maybe_mark_dynamic(tensor, dim)


# ---- batches ----

def padded_batch(lengths, device):
    longest = (max(lengths) + 15) // 16 * 16  # few shapes, and what kernels like
    each = torch.tensor(lengths, device=device)
    positions = torch.arange(longest, device=device).expand(len(lengths), longest).contiguous()
    mask = (positions < each[:, None])[:, None, None, :].contiguous()
    ids = torch.randint(VOCABULARY, positions.shape, device=device)
    return ids, (positions > each[:, None] // 2).long(), positions, mask


def packed_batch(lengths, device):
    each = torch.tensor(lengths)
    cu = F.pad(each.cumsum(0), (1, 0)).to(torch.int32)
    positions = torch.cat([torch.arange(n) for n in lengths])
    segments = (positions > each.repeat_interleave(each) // 2).long()
    ids = torch.randint(VOCABULARY, positions.shape)
    return tuple(tensor.to(device) for tensor in (ids, segments, positions, cu))


def by_count(lengths, count):
    return [lengths[i:i + count] for i in range(0, len(lengths), count)]


def by_tokens(lengths, room):
    batches, tokens = [[]], 0
    for n in lengths:
        if tokens + n > room:
            batches.append([])
            tokens = 0
        batches[-1].append(n)
        tokens += n
    return batches


# ---- measuring ----

def synchronize(device):
    if device == "cuda":
        torch.cuda.synchronize()


class Turn:
    """Batches in turn, a few of them under way at once."""

    def __init__(self, run, cut, make, device):
        self.run, self.device = run, device
        self.batches = [(len(part), make(part, device)) for part in cut]
        self.next = 0

    def warm(self):
        """One batch of each shape, of the first few that there are."""
        shapes = {batch[0].shape: batch for _, batch in self.batches}
        for batch in list(shapes.values())[:WARMING_SHAPES]:
            self.run(batch)

    def step(self):
        count, batch = self.batches[self.next % len(self.batches)]
        self.next += 1
        self.run(batch)
        return count

    def rate(self, seconds):
        """Sequences a second."""
        synchronize(self.device)
        done, events, begin = 0, [], time.perf_counter()
        while time.perf_counter() - begin < seconds:
            done += self.step()
            if self.device == "cuda":
                events.append(torch.cuda.Event())
                events[-1].record()
                if len(events) > IN_FLIGHT:
                    events.pop(0).synchronize()
        synchronize(self.device)
        return done / (time.perf_counter() - begin)


def repeated(act, amount, seconds, device):
    """`amount` for each call of `act`, a second."""
    for _ in range(3):
        act()
    synchronize(device)
    calls, begin = 0, time.perf_counter()
    while time.perf_counter() - begin < seconds:
        for _ in range(4):
            act()
        calls += 4
        synchronize(device)
    return amount * calls / (time.perf_counter() - begin)


def edge_of(device):
    return CUBE if device == "cuda" else 256  # without a GPU it is only tried out


def cublas(kind, device):
    edge = edge_of(device)
    a, b = (torch.randn(edge, edge, device=device, dtype=torch.float32) for _ in range(2))
    if kind == "fp8":
        a, b, one = a.to(torch.float8_e4m3fn), b.to(torch.float8_e4m3fn).t(), torch.ones((), device=device)
        return lambda: torch._scaled_mm(a, b, scale_a=one, scale_b=one, out_dtype=torch.bfloat16, use_fast_accum=True)
    a, b = a.to(DTYPES[kind]), b.to(DTYPES[kind])
    return lambda: torch.matmul(a, b)


def card(device):
    """What nvidia-smi tells while matrices are multiplied."""
    if device != "cuda":
        return {"name": "CPU"}
    fields = "name,driver_version,clocks.sm,clocks.mem,clocks.max.sm,power.draw,temperature.gpu,memory.total"
    try:
        act = cublas("bf16", device)
        repeated(act, 1, 0.3, device)
        asked = subprocess.Popen(["nvidia-smi", "--query-gpu=" + fields, "--format=csv,noheader"], stdout=subprocess.PIPE, text=True)
        while asked.poll() is None:
            repeated(act, 1, 0.05, device)
        told = dict(zip(fields.split(","), (field.strip() for field in asked.stdout.read().split("\n")[0].split(","))))
    except Exception as error:
        told = {"name": torch.cuda.get_device_name(), "nvidia-smi": str(error)}
    return {**told, "torch": torch.__version__, "cuda": torch.version.cuda}


# ---- ways ----

class Ways:
    """Each is a function of seconds that gives a figure."""

    def __init__(self, options, lengths):
        self.options, self.lengths, self.device = options, lengths, options.device
        self.measure, self.told, self.failed = {}, {}, {}
        self.masked, self.kernels = define_masked_attention()

    def attempt(self, name, prepare):
        begin = time.perf_counter()
        try:
            self.measure[name], self.told[name] = prepare()
        except Exception as error:  # one way that does not work costs none of the others
            self.failed[name] = f"{type(error).__name__}: {error}".split("\n")[0][:300]
        print(f"peer: {self.options.model} {name}: {self.told.get(name) or 'FAILED: ' + self.failed[name]} "
              f"({time.perf_counter() - begin:.1f} s)", file=sys.stderr, flush=True)

    def best(self, run, cuts, make, unit):
        """The fastest of some sizes of batches: (function, what it is)."""
        rates = {}
        for size, cut in cuts.items():
            turn = Turn(run, cut, make, self.device)
            turn.warm()
            rates[size] = (turn.rate(self.options.tuning), turn)
        size = max(rates, key=lambda one: rates[one][0])
        return rates[size][1].rate, f"{size} {unit} a batch"

    def encoder_ways(self, kind):
        encoder = Encoder(self.options.model, DTYPES[kind], self.device)
        plain = encoder.runner(attend_padded(encoder.heads, self.masked), self.options.compile)
        reference = {}

        def padded(order, sizes, names):
            made, reasons = {}, []
            for name in names:
                kernels = self.kernels[name]
                try:
                    MASKED["kernels"] = kernels
                    rate, told = self.best(plain, {size: by_count(order, size) for size in sizes}, padded_batch, "sequences")
                    made[name] = (rate(self.options.tuning), rate, f"{name} attention, {told}")
                except Exception as error:
                    reasons.append(f"{name}: {type(error).__name__}: {error}".split("\n")[0][:200])
            MASKED["kernels"] = self.kernels["memory-efficient"]
            if not made:
                raise RuntimeError("; ".join(reasons))
            name = max(made, key=lambda one: made[one][0])
            return self.with_kernels(made[name][1], self.kernels[name]), "; ".join([made[name][2], *reasons])

        def unpadded():
            reasons = []
            for name, attend in UNPADDED.items():
                try:
                    run = encoder.runner(attend(encoder.heads, max(self.lengths)), self.options.compile)
                    self.compare(plain, run, reference)
                    rate, told = self.best(run, {size: by_tokens(self.lengths, size) for size in (TOKENS[1:] if self.options.quick else TOKENS)},
                                           packed_batch, "tokens")
                    return rate, f"{name}, {told}, differs from padded by {reference['difference']:.1e}"
                except Exception as error:
                    reasons.append(f"{name}: {type(error).__name__}: {error}".split("\n")[0][:200])
            raise RuntimeError("; ".join(reasons))

        few = list(self.kernels)[:1] if self.options.quick else list(self.kernels)  # cuDNN plans for each of the many shapes
        self.attempt(f"{kind}-padded", lambda: padded(self.lengths, PADDED_BATCHES, list(self.kernels)))
        self.attempt(f"{kind}-sorted", lambda: padded(sorted(self.lengths), SORTED_BATCHES, few))
        self.attempt(f"{kind}-unpadded", unpadded)
        for batch, length in self.options.latencies:
            self.attempt(f"{kind}-latency-{batch}-{length}", lambda: self.latency(encoder, plain, batch, length))

    @staticmethod
    def with_kernels(rate, kernels):
        def measure(seconds):
            MASKED["kernels"] = kernels
            return rate(seconds)
        return measure

    def compare(self, plain, packed, reference):
        """Both ways compute the same, or the second does not count."""
        some = self.lengths[:8]
        ids, segments, positions, mask = padded_batch(some, self.device)
        keep = mask[:, 0, 0]
        cu = packed_batch(some, self.device)[3]
        one = plain((ids, segments, positions, mask))[keep].float()
        other = packed((ids[keep], segments[keep], positions[keep], cu)).float()
        reference["difference"] = ((one - other).norm() / one.norm()).item()
        if not reference["difference"] < 0.05:
            raise ValueError(f"logits differ from the padded ones by {reference['difference']:.3g}")

    def latency(self, encoder, plain, batch, length):
        ids, segments, positions, _ = padded_batch([length] * batch, self.device)
        brought, logits = ids.to("cpu"), torch.empty(batch, length, 2, dtype=encoder.dtype)
        if self.device != "cuda":
            return lambda seconds: 1e6 / repeated(lambda: logits.copy_(plain((ids, segments, positions, None))), 1, seconds,
                                                  "cpu"), "no graph"
        brought, logits = brought.pin_memory(), logits.pin_memory()
        stream = torch.cuda.Stream()
        with torch.cuda.stream(stream):
            for _ in range(3):
                plain((ids, segments, positions, None))
        torch.cuda.synchronize()
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph, stream=stream):
            ids.copy_(brought, non_blocking=True)
            logits.copy_(plain((ids, segments, positions, None)), non_blocking=True)

        def measure(seconds):
            times, begin = [], time.perf_counter()
            while time.perf_counter() - begin < seconds / 4 or len(times) < 30:
                start = time.perf_counter()
                graph.replay()
                torch.cuda.synchronize()
                times.append(time.perf_counter() - start)
            return 1e6 * statistics.median(times)
        measure(0.2)
        return measure, "CUDA graph"

    def card_ways(self):
        for kind in ("bf16", "fp16", "fp8"):
            def prepare():
                act = cublas(kind, self.device)
                act()
                return (lambda seconds: repeated(act, 2.0 * edge_of(self.device) ** 3, seconds, self.device)), f"{edge_of(self.device)} cube"
            self.attempt(f"cublas-{kind}", prepare)

        def copy():
            source = torch.randint(255, (COPY_BYTES,), device=self.device, dtype=torch.uint8)
            target = torch.empty_like(source)
            return (lambda seconds: repeated(lambda: target.copy_(source), 2.0 * COPY_BYTES, min(seconds, 0.5), self.device),
                    f"{COPY_BYTES >> 20} MiB")
        self.attempt("copy", copy)


def prepare(options):
    ways = Ways(options, read_lengths(options.lengths)[:options.sequences or None])
    with torch.no_grad():
        if options.card:
            ways.card_ways()
        for kind in options.formats.split(","):
            ways.encoder_ways(kind)
    return ways


def step(options):
    """What peer.py --step does."""
    torch._dynamo.config.recompile_limit = 64
    ways = prepare(options)
    print(json.dumps({"ways": ways.told, "failed": ways.failed, "card": card(options.device) if options.card else {}}), flush=True)
    for line in sys.stdin:
        try:
            with torch.no_grad():
                print(ways.measure[line.strip()](options.seconds), flush=True)
        except Exception as error:
            print(f"peer: {line.strip()}: {error}", file=sys.stderr, flush=True)
            print("nan", flush=True)
