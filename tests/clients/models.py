"""The model repository of the tests: identity models of every kind."""

import numpy as np

# v2 name -> (config name, numpy type)
DATATYPES = {
    "BOOL": ("TYPE_BOOL", np.bool_),
    "UINT8": ("TYPE_UINT8", np.uint8),
    "UINT16": ("TYPE_UINT16", np.uint16),
    "UINT32": ("TYPE_UINT32", np.uint32),
    "UINT64": ("TYPE_UINT64", np.uint64),
    "INT8": ("TYPE_INT8", np.int8),
    "INT16": ("TYPE_INT16", np.int16),
    "INT32": ("TYPE_INT32", np.int32),
    "INT64": ("TYPE_INT64", np.int64),
    "FP16": ("TYPE_FP16", np.float16),
    "FP32": ("TYPE_FP32", np.float32),
    "FP64": ("TYPE_FP64", np.float64),
    "BYTES": ("TYPE_STRING", np.object_),
    "BF16": ("TYPE_BF16", None),
}


def tensor(kind, name, datatype, dims, more=""):
    return f'{kind} {{ name: "{name}" data_type: {DATATYPES[datatype][0]} dims: [{dims}] {more} }}\n'


def pair(datatype, dims, more=""):
    """One input and its output."""
    return tensor("input", "IN", datatype, dims, more) + tensor("output", "OUT", datatype, dims, more)


def parameter(key, value):
    return f'parameters {{ key: "{key}" value {{ string_value: "{value}" }} }}\n'


def add(repository, name, config, versions=(1,), files=None):
    """Writes a model; `files` are texts beside its config."""
    folder = repository / name
    for version in versions:
        (folder / str(version)).mkdir(parents=True)
    folder.mkdir(exist_ok=True)
    if config is not None:
        (folder / "config.pbtxt").write_text(config)
    for file_name, content in (files or {}).items():
        (folder / file_name).write_text(content)


BATCHED = 'backend: "identity"\nmax_batch_size: 8\n'
PLAIN = 'backend: "identity"\n'


def build(repository):
    """All models that the shared server has."""
    for datatype in DATATYPES:
        add(repository, "id_" + datatype.lower(), BATCHED + pair(datatype, "-1"))
    add(repository, "batching", BATCHED + pair("INT32", "-1") + "dynamic_batching { max_queue_delay_microseconds: 2000 }")
    add(repository, "plain", PLAIN + pair("FP32", "2, 3"))
    add(repository, "several", BATCHED + several_inputs())
    add(repository, "optional", BATCHED + optional_inputs())
    add(repository, "reshaped", BATCHED + pair("INT32", "1", "reshape { shape: [] }"))
    add(repository, "word", PLAIN + pair("BYTES", "1"))
    add(repository, "versions", BATCHED + pair("INT32", "-1") + "version_policy { all {} }", versions=(1, 2, 10))
    add(repository, "some versions", BATCHED + pair("INT32", "-1") + "version_policy { specific { versions: [2] } }",
        versions=(1, 2))
    add(repository, "labelled", BATCHED + tensor("input", "IN", "FP32", "4") +
        tensor("output", "OUT", "FP32", "4", 'label_filename: "labels.txt"'), files={"labels.txt": "ant\nbee\ncat\n"})
    add(repository, "tagged", BATCHED + pair("INT32", "-1") + 'metric_tags { key: "team" value: "a\\"b\\\\c" }')
    add(repository, "slow", BATCHED + pair("INT32", "-1") + parameter("execute_delay_ms", "300"))
    add(repository, "stuck", BATCHED + pair("INT32", "-1") + parameter("execute_delay_ms", "600000"))
    add(repository, "failing", BATCHED + pair("INT32", "-1") + parameter("fail_executions", "every_n:1"))
    add(repository, "flaky", BATCHED + pair("INT32", "-1") + parameter("fail_requests", "every_n:2"))


def several_inputs():
    config = ""
    for i, (datatype, dims) in enumerate([("FP32", "4"), ("INT32", "-1"), ("BYTES", "-1")]):
        config += tensor("input", f"IN{i}", datatype, dims) + tensor("output", f"OUT{i}", datatype, dims)
    return config


def optional_inputs():
    return (
        tensor("input", "IN0", "INT32", "-1")
        + tensor("input", "IN1", "INT32", "-1", "optional: true")
        + tensor("output", "OUT0", "INT32", "-1")
        + tensor("output", "OUT1", "INT32", "-1")
    )
