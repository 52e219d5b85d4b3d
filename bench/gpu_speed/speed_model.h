/* speed_model.h: what the parts of gpu_speed share: a checkpoint and its engines, batches of random tokens, the
 * floating point operations of a sequence, medians.
 *
 * Errors: of the engine's and the readers' calls, and RESOURCE_EXHAUSTED. Thread: the main one. */
#ifndef INFERD_BENCH_SPEED_MODEL_H
#define INFERD_BENCH_SPEED_MODEL_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/options.h"
#include "codec/json_write.h"
#include "engine/bert_engine.h"

enum { SPEED_PRECISIONS_MAX = 8, SPEED_NUMBERS_MAX = 64 };

/* Rows for the table of options of every subcommand; their fields are in `struct speed_common`, which comes first. */
struct speed_common {
    const char *checkpoint, *config; /* config NULL: the one beside the weights */
    const char *device;              /* "cpu", "cuda" or "cuda:N" */
    const char *precisions;          /* "bf16,fp16,fp8" */
    const char *short_batches;       /* "graphs", "auto", "persistent" */
    const char *json;                /* a file for the numbers, or NULL */
    int64_t threads;                 /* of the CPU; 0: all */
    int64_t bf16_layers;             /* of fp8, on a GPU */
};
/* clang-format off */
#define SPEED_COMMON_ROWS                                                                                              \
    {.type = OPTION_STRING, .name = "checkpoint", .offset = offsetof(struct speed_common, checkpoint),                 \
     .value_name = "PATH", .help = "A folder, a file, or random:SEED."},                                               \
    {.type = OPTION_STRING, .name = "bert-config", .offset = offsetof(struct speed_common, config),                    \
     .value_name = "FILE", .help = "The configuration, in place of the one beside the weights."},                      \
    {.type = OPTION_STRING, .name = "device", .offset = offsetof(struct speed_common, device),                         \
     .default_value = "cuda:0", .value_name = "DEVICE", .help = "cpu, cuda or cuda:N."},                               \
    {.type = OPTION_STRING, .name = "precisions", .offset = offsetof(struct speed_common, precisions),                 \
     .default_value = "bf16,fp16,fp8", .value_name = "P,P", .help = "What to compute in, one after the other."},       \
    {.type = OPTION_STRING, .name = "short-batches", .offset = offsetof(struct speed_common, short_batches),           \
     .default_value = "auto", .value_name = "WAY",                                                                     \
     .help = "How a GPU computes batches of up to 256 tokens: graphs (of many kernels), persistent (one), or auto."},  \
    {.type = OPTION_STRING, .name = "json", .offset = offsetof(struct speed_common, json), .value_name = "FILE",       \
     .help = "Write the numbers there as JSON."},                                                                      \
    {.type = OPTION_INT, .name = "threads", .offset = offsetof(struct speed_common, threads), .default_value = "0",    \
     .value_name = "N", .help = "Threads of the CPU; 0: as many as CPUs.", .min = 0, .max = 1024},                     \
    {.type = OPTION_INT, .name = "bf16-layers", .offset = offsetof(struct speed_common, bf16_layers),                  \
     .default_value = "0", .value_name = "N", .min = 0, .max = 1000,                                                   \
     .help = "How many layers, from the first on, fp8 leaves in bf16."}
/* clang-format on */

struct speed_model {
    struct bert_checkpoint *checkpoint;
    struct bert_pool *pool;
    struct bert_device device;
    enum bert_short_batches short_batches; /* of engines on a GPU */
    int64_t bf16_layers;                   /* of engines in fp8 */
    size_t precision_count;
    enum bert_precision precisions[SPEED_PRECISIONS_MAX];
};

struct status speed_model_open(const struct speed_common *options, struct speed_model *ret) STATUS_MUST_CHECK;
void speed_model_close(struct speed_model *model);
struct status speed_engine_create(const struct speed_model *model, struct bert_device device,
                                  enum bert_precision precision, struct bert_engine **ret) STATUS_MUST_CHECK;
struct status speed_device_parse(const char *text, struct bert_device *ret) STATUS_MUST_CHECK;

/* "1,2,384": numbers of 1 .. 1,000,000, at most SPEED_NUMBERS_MAX. */
struct status speed_numbers_parse(const char *text, size_t *ret, size_t *ret_count) STATUS_MUST_CHECK;

/* The same, less those that the model has no positions for. */
struct status speed_lengths_parse(const char *text, const struct bert_config *config, size_t *ret,
                                  size_t *ret_count) STATUS_MUST_CHECK;

/* A batch that owns what it points to, by the arena. */
struct speed_batch {
    struct bert_batch batch;
    size_t tokens;
    double operations; /* of all its sequences */
};
enum speed_filling { SPEED_PLAIN, SPEED_SEGMENTS, SPEED_POSITIONS }; /* each has what the one before it has */

/* Random tokens; SEGMENTS: the second half of each sequence has segment 1; POSITIONS: random ones. */
struct status speed_batch_make(struct arena *arena, const struct bert_config *config, const size_t *lengths,
                               size_t count, enum speed_filling filling, struct speed_batch *ret) STATUS_MUST_CHECK;

/* Floating point operations of one sequence: of the matrices of the layers and of attention at its real length,
 * layers * (2 n (4 h^2 + 2 h f) + 4 n^2 h). Embeddings, norms, softmax, GELU and heads are not counted. */
double speed_operations(const struct bert_config *config, size_t length);

/* The value below which the share `share` of the sorted values lies. */
double speed_percentile(const double *sorted, size_t count, double share);
void speed_sort(double *values, size_t count);

/* {"command", "checkpoint", "device", "rows": [ ...: the caller writes objects, then ends. */
struct json_writer speed_json_begin(const char *command, const struct speed_common *options, struct buf *out);
/* Completes the text, frees it, and writes it to options->json where that is given. */
struct status speed_json_end(struct json_writer *writer, const struct speed_common *options) STATUS_MUST_CHECK;

#endif
