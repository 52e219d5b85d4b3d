/* workload.h: what is sent: the tensors of each request, made once before the load begins.
 *
 * A workload has streams of entries; an entry is one request's inputs with the batch already in place. Data come from
 * zeros, random values, a folder of files, or JSON files (workload_json.c). All memory is the arena's. */
#ifndef INFERD_TOOLS_PERF_WORKLOAD_H
#define INFERD_TOOLS_PERF_WORKLOAD_H

#include "base/arena.h"
#include "client/infer_client.h"
#include "tools/perf/random.h"

enum { WORKLOAD_TENSOR_BYTES_MAX = 1 << 30 };

struct workload_entry {
    struct infer_tensor *inputs;
    size_t input_count;
    uint64_t inferences;                      /* that the server counts for it: its batch */
    const struct infer_region *input_regions; /* where they are in shared memory; NULL: nowhere */
    const struct infer_tensor *expected;      /* what the outputs must be, where the data say so */
    size_t expected_count;
    double time_ms;                           /* for --fixed-schedule; below 0: the data say none */
    const struct infer_request_spec *request; /* its own model, id, outputs, parameters; NULL: the command line's */
};

struct workload_stream {
    size_t first; /* entry */
    size_t count;
};

struct workload {
    struct workload_entry *entries;
    size_t entry_count;
    struct workload_stream *streams; /* at least one */
    size_t stream_count;
    bool refresh; /* random inputs are drawn anew for every request */
    struct random_source random;
};

/* The shape of one input, given by the user: "NAME:d,d". */
struct workload_shape {
    struct slice name;
    int64_t dims[INFER_TENSOR_RANK_MAX];
    size_t rank;
};

struct workload_text;
struct workload_config {
    const struct infer_model_info *model;
    const struct workload_shape *shapes;
    size_t shape_count;
    const char *const *sources; /* "zero", "random", a folder, or JSON files */
    size_t source_count;
    size_t batch_size; /* 1 for models that do not batch */
    bool refresh;      /* random data only */
    uint64_t seed;     /* of random data */
    size_t string_length;
    const char *string_data;          /* what every string is; NULL: random ones of string_length */
    const struct workload_text *text; /* in place of sources; NULL: none */
};

/* Errors: INVALID_ARGUMENT for what the user gave (a dim that is not fixed, a missing input, malformed JSON: with its
 * place); NOT_FOUND for files; RESOURCE_EXHAUSTED. */
struct status workload_create(struct arena *arena, const struct workload_config *config,
                              struct workload *ret) STATUS_MUST_CHECK;
struct status workload_parse_shape(const char *text, struct workload_shape *ret) STATUS_MUST_CHECK;

/* The entry, its random data drawn anew if the workload says so. */
const struct workload_entry *workload_take(struct workload *workload, size_t entry);
/* The times of all entries, for a fixed schedule; INVALID_ARGUMENT when one has none, or they fall. */
struct status workload_times(struct arena *arena, const struct workload *workload, const uint64_t **ret_times_ns,
                             size_t *ret_count) STATUS_MUST_CHECK;
/* OK when the outputs are what the entry expects (or it expects nothing); DATA_LOSS names the first that is not. */
struct status workload_check(const struct workload_entry *entry, const struct infer_tensor *outputs, size_t count);

/* ---- for the readers of data: workload_files.c, workload_json.c ---- */

/* The tensors of one item (without the batch dimension), one for each input of the model that has data, in its order.
 */
struct workload_item {
    struct infer_tensor *inputs; /* room for all inputs of the model; .name.data NULL: no data for it */
    const struct infer_tensor *expected;
    size_t expected_count;
    double time_ms; /* below 0: none */
};
struct workload_items {
    struct workload_item *items;
    size_t count, capacity;
    struct workload_stream *streams; /* of items */
    size_t stream_count, stream_capacity;
};

/* The fixed shape of an input by the model and --shape; an error when a dim is variable. */
struct status workload_shape_of(const struct workload_config *config, const struct infer_tensor_info *input,
                                struct arena *arena, struct infer_tensor *ret) STATUS_MUST_CHECK;
struct status workload_read_folder(struct arena *arena, const struct workload_config *config, const char *folder,
                                   struct workload_items *ret) STATUS_MUST_CHECK;
/* Appends the streams of one JSON file. */
struct status workload_read_json(struct arena *arena, const struct workload_config *config, const char *path,
                                 struct workload_items *ret) STATUS_MUST_CHECK;
/* A new item with room for all inputs at the end, in the last stream (or a new one). */
struct status workload_items_add(struct arena *arena, const struct workload_config *config,
                                 struct workload_items *items, bool new_stream,
                                 struct workload_item **ret) STATUS_MUST_CHECK;
/* Elements that a shape has; an error when they pass WORKLOAD_TENSOR_BYTES_MAX bytes. */
struct status workload_element_count(const struct infer_tensor *tensor, size_t *ret) STATUS_MUST_CHECK;
/* 0 for BYTES, -1 for an unknown datatype. */
int workload_element_size(struct slice datatype);

#endif
