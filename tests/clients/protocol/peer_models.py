"""The models of the server that the tests of this folder share: identity models of every kind, as few as do."""

from models import BATCHED, DATATYPES, PLAIN, add, pair, parameter, several_inputs, optional_inputs, tensor

INTEGERS = pair("INT32", "-1")
DECOUPLED = "model_transaction_policy { decoupled: true }"
VERSIONS = (1, 2, 10)


def build(repository):
    for datatype in DATATYPES:
        add(repository, "id_" + datatype.lower(), BATCHED + pair(datatype, "-1"))
    add(repository, "batching", BATCHED + INTEGERS + "dynamic_batching { max_queue_delay_microseconds: 2000 }")
    add(repository, "plain", PLAIN + pair("FP32", "2, 3"))
    add(repository, "word", PLAIN + pair("BYTES", "1"))
    add(repository, "several", BATCHED + several_inputs())
    add(repository, "optional", BATCHED + optional_inputs())
    add(repository, "versions", BATCHED + INTEGERS + "version_policy { all {} }", versions=VERSIONS)
    add(repository, "labelled", BATCHED + tensor("input", "IN", "FP32", "4") +
        tensor("output", "OUT", "FP32", "4", 'label_filename: "labels.txt"'), files={"labels.txt": "ant\nbee\ncat\n"})
    add(repository, "failing", BATCHED + INTEGERS + parameter("fail_executions", "every_n:1"))
    add(repository, "slow", BATCHED + INTEGERS + parameter("execute_delay_ms", "3000"))
    # Longer than any test takes: only for requests that their client cancels.
    add(repository, "stuck", BATCHED + INTEGERS + parameter("execute_delay_ms", "600000"))
    add(repository, "decoupled", BATCHED + INTEGERS + DECOUPLED)
    add(repository, "endless", BATCHED + INTEGERS + DECOUPLED + parameter("responses", "100000") + parameter("response_delay_ms", "20"))
