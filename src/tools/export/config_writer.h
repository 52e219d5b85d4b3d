/* config_writer.h: the config.pbtxt of an exported BERT. */
#ifndef INFERD_TOOLS_EXPORT_CONFIG_WRITER_H
#define INFERD_TOOLS_EXPORT_CONFIG_WRITER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "text/normalizer_options.h"

enum config_task {
    CONFIG_SPAN_LOGITS, /* the recipe's tensors */
    CONFIG_QUESTIONS,   /* question and context in, answers out; platform bert, as those below */
    CONFIG_CLASSES,     /* tokens in, the logits of labels out */
    CONFIG_EMBEDDING    /* tokens in, one vector out */
};

struct config_facts {
    enum config_task task;
    const char *name;     /* UTF-8 */
    const char *platform; /* "onnxruntime_onnx", "tensorflow_savedmodel" or "bert" */
    int64_t max_batch_size;
    const char *kind;       /* of instances: "KIND_GPU", ...; NULL: no instance_group */
    int64_t instances;      /* 0: without a count */
    int64_t delay_us;       /* 0: no dynamic batching, unless */
    bool joins_what_waits;  /* the engine takes requests of any lengths together: batch what waits, without a delay */
    const char *precision;  /* "fp32", "bf16"; platform bert: "auto", "int8", "fp16", "fp8" too */
    int64_t max_seq_length; /* tokens */
    int64_t vector_size;    /* CONFIG_CLASSES: labels; CONFIG_EMBEDDING: the hidden size */
    struct normalizer_options tokenizer;
    const char *vocab_hash; /* NULL: not known, left out */
};

/* Appends the text. */
void config_write(const struct config_facts *facts, struct buf *out);

#endif
