/* bert_engine.c: what is the same on every device: names, checks, the tables of the devices (device.h). */
#include "engine/bert_engine.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/cpu_device.h"
#include "engine/cuda/cuda_device.h"

enum { SESSION_TOKENS_MAX = 1000000, PRECISION_LIST_MAX = 64, DEVICE_TEXT_MAX = 32 };

static const char *const precision_texts[BERT_PRECISION_COUNT] = {"auto", "fp32", "bf16", "int8", "fp16", "fp8"};
static const char *const isa_texts[] = {"auto", "reference", "avx2", "avx512", "avx512_bf16"};
static const char *const short_batches_texts[] = {"graphs", "auto", "persistent"};

struct bert_engine {
    const struct device_ops *device;
    struct bert_engine_options options; /* resolved */
    struct bert_config config;
    bool has[BERT_HEAD_COUNT];
    void *made; /* of device->engine_create */
};

struct bert_session {
    const struct bert_engine *engine;
    size_t max_tokens;
    int32_t *positions; /* [max_tokens] */
    void *made;         /* of device->session_create */
};

/* ---- names ---- */

const char *bert_precision_text(enum bert_precision precision) {
    return precision_texts[precision];
}

const char *bert_isa_text(enum bert_isa isa) {
    return isa_texts[isa];
}

static int find_text(const char *const *texts, size_t count, const char *text) {
    for (size_t i = 0; i < count; i++)
        if (strcmp(texts[i], text) == 0)
            return (int)i;
    return -1;
}

bool bert_precision_parse(const char *text, enum bert_precision *ret) {
    int found = find_text(precision_texts, BERT_PRECISION_COUNT, text);
    if (found >= 0)
        *ret = (enum bert_precision)found;
    return found >= 0;
}

bool bert_isa_parse(const char *text, enum bert_isa *ret) {
    int found = find_text(isa_texts, sizeof isa_texts / sizeof isa_texts[0], text);
    if (found >= 0)
        *ret = (enum bert_isa)found;
    return found >= 0;
}

bool bert_short_batches_parse(const char *text, enum bert_short_batches *ret) {
    int found = find_text(short_batches_texts, sizeof short_batches_texts / sizeof short_batches_texts[0], text);
    if (found >= 0)
        *ret = (enum bert_short_batches)found;
    return found >= 0;
}

/* Those of `wanted`, bits 1 << enum bert_precision. */
static void list_precisions(unsigned wanted, char *text, size_t size) {
    size_t used = 0;
    text[0] = '\0';
    for (int i = 0; i < BERT_PRECISION_COUNT && used < size; i++)
        if (wanted & 1U << i)
            used += (size_t)snprintf(text + used, size - used, "%s%s", used ? ", " : "", precision_texts[i]);
}

void bert_precision_list(char *text, size_t size) {
    list_precisions(~0U, text, size);
}

/* ---- devices ---- */

static const struct device_ops *device_of(enum bert_device_kind kind) {
    return kind == BERT_DEVICE_CUDA ? cuda_device() : cpu_device();
}

int bert_device_count(enum bert_device_kind kind) {
    return device_of(kind)->count();
}

struct status bert_device_check(const struct bert_device *device) {
    return device_of(device->kind)->check(device->index);
}

struct status bert_device_suits(const struct bert_device *device, const struct bert_config *config) {
    STATUS_TRY(bert_device_check(device));
    return device_of(device->kind)->suits(config);
}

static struct status check_precision(const struct bert_engine_options *options) {
    char has[PRECISION_LIST_MAX], name[DEVICE_TEXT_MAX] = "the CPU";
    unsigned precisions = device_of(options->device.kind)->precisions(options->device.index);
    if (precisions & 1U << options->precision)
        return status_ok();
    list_precisions(precisions, has, sizeof has);
    if (options->device.kind == BERT_DEVICE_CUDA)
        snprintf(name, sizeof name, "CUDA device %d", options->device.index);
    return status_error(STATUS_UNSUPPORTED, "%s does not compute in %s: it has %s", name,
                        bert_precision_text(options->precision), has);
}

struct status bert_engine_resolve(struct bert_engine_options *options) {
    STATUS_TRY(bert_device_check(&options->device));
    STATUS_TRY(device_of(options->device.kind)->resolve(options));
    STATUS_TRY(check_precision(options));
    if (options->bf16_layers == 0 || (options->bf16_layers > 0 && options->precision == BERT_PRECISION_FP8))
        return status_ok();
    return status_error(STATUS_INVALID_ARGUMENT, "%lld layers in bf16 of an engine in %s: fp8 may have some, 0 or more",
                        (long long)options->bf16_layers, bert_precision_text(options->precision));
}

/* ---- engines ---- */

struct status bert_engine_create(const struct bert_checkpoint *checkpoint, const struct bert_engine_options *options,
                                 struct bert_pool *pool, struct bert_engine **ret) {
    struct bert_engine_options resolved = *options;
    STATUS_TRY(bert_engine_resolve(&resolved));
    struct bert_engine *engine = calloc(1, sizeof *engine);
    if (!engine)
        return status_error(STATUS_RESOURCE_EXHAUSTED, "no memory for an engine");
    engine->device = device_of(resolved.device.kind);
    engine->options = resolved;
    engine->config = *bert_checkpoint_config(checkpoint);
    for (int head = 0; head < BERT_HEAD_COUNT; head++)
        engine->has[head] = bert_checkpoint_has(checkpoint, (enum bert_head)head);
    struct status status = engine->device->engine_create(checkpoint, &resolved, pool, &engine->made);
    if (status_is_ok(&status))
        *ret = engine;
    else
        bert_engine_destroy(engine);
    return status;
}

void bert_engine_destroy(struct bert_engine *engine) {
    if (!engine)
        return;
    if (engine->made)
        engine->device->engine_destroy(engine->made);
    free(engine);
}

const struct bert_config *bert_engine_config(const struct bert_engine *engine) {
    return &engine->config;
}

enum bert_precision bert_engine_precision(const struct bert_engine *engine) {
    return engine->options.precision;
}

int64_t bert_engine_bf16_layers(const struct bert_engine *engine) {
    return engine->options.bf16_layers;
}

struct bert_device bert_engine_device(const struct bert_engine *engine) {
    return engine->options.device;
}

bool bert_engine_is_lost(const struct bert_engine *engine) {
    return engine->device->engine_is_lost && engine->device->engine_is_lost(engine->made);
}

const char *bert_engine_kernels(const struct bert_engine *engine) {
    return engine->device->engine_kernels(engine->made);
}

bool bert_engine_has(const struct bert_engine *engine, enum bert_head head) {
    return head < BERT_HEAD_COUNT && engine->has[head];
}

size_t bert_engine_memory(const struct bert_engine *engine) {
    return engine->device->engine_memory(engine->made);
}

/* ---- sessions ---- */

struct status bert_session_create(const struct bert_engine *engine, size_t max_tokens, struct bert_session **ret) {
    if (max_tokens < 1 || max_tokens > SESSION_TOKENS_MAX)
        return status_error(STATUS_INVALID_ARGUMENT, "expected a session of 1..%d tokens, got %zu", SESSION_TOKENS_MAX,
                            max_tokens);
    struct bert_session *session = calloc(1, sizeof *session);
    if (!session)
        return status_error(STATUS_RESOURCE_EXHAUSTED, "no memory for a session");
    session->engine = engine;
    session->max_tokens = max_tokens;
    session->positions = calloc(max_tokens, sizeof *session->positions);
    struct status status = session->positions ? engine->device->session_create(engine->made, max_tokens, &session->made)
                                              : status_error(STATUS_RESOURCE_EXHAUSTED,
                                                             "no memory for a session of %zu tokens", max_tokens);
    if (status_is_ok(&status))
        *ret = session;
    else
        bert_session_destroy(session);
    return status;
}

void bert_session_destroy(struct bert_session *session) {
    if (!session)
        return;
    if (session->made)
        session->engine->device->session_destroy(session->made);
    free(session->positions);
    free(session);
}

/* ---- one batch ---- */

static struct status check_sequences(const struct bert_batch *batch, size_t longest) {
    const uint32_t *offsets = batch->offsets;
    for (size_t i = 0; i < batch->sequence_count; i++) {
        if (offsets[i + 1] <= offsets[i])
            return status_error(STATUS_INVALID_ARGUMENT, "sequence %zu: expected 1 token or more", i);
        if (offsets[i + 1] - offsets[i] > longest)
            return status_error(STATUS_INVALID_ARGUMENT, "sequence %zu: expected at most %zu tokens, got %u", i,
                                longest, offsets[i + 1] - offsets[i]);
    }
    return status_ok();
}

static struct status check_ids(const char *what, const int32_t *ids, size_t count, int64_t limit) {
    for (size_t i = 0; i < count; i++)
        if (ids[i] < 0 || ids[i] >= limit)
            return status_error(STATUS_INVALID_ARGUMENT, "token %zu: expected a %s of 0..%lld, got %d", i, what,
                                (long long)limit - 1, ids[i]);
    return status_ok();
}

struct status bert_engine_check(const struct bert_engine *engine, const struct bert_batch *batch) {
    const struct bert_config *config = bert_engine_config(engine);
    if (batch->sequence_count == 0)
        return status_ok();
    if (batch->offsets[0] != 0)
        return status_error(STATUS_INVALID_ARGUMENT, "expected the first sequence to begin at 0, got %u",
                            batch->offsets[0]);
    STATUS_TRY(check_sequences(batch, (size_t)config->position_count));
    size_t tokens = batch->offsets[batch->sequence_count];
    STATUS_TRY(check_ids("word", batch->token_ids, tokens, config->vocab_size));
    if (batch->segment_ids)
        STATUS_TRY(check_ids("segment", batch->segment_ids, tokens, config->type_count));
    if (batch->position_ids)
        STATUS_TRY(check_ids("position", batch->position_ids, tokens, config->position_count));
    return status_ok();
}

/* The room first: a token past it may not be there to be looked at. */
static struct status check_batch(const struct bert_session *session, const struct bert_batch *batch) {
    for (size_t i = 0; i <= batch->sequence_count; i++)
        if (batch->offsets[i] > session->max_tokens)
            return status_error(STATUS_INVALID_ARGUMENT, "expected at most %zu tokens in all, got %u",
                                session->max_tokens, batch->offsets[i]);
    return bert_engine_check(session->engine, batch);
}

static void count_positions(const struct bert_batch *batch, int32_t *ret) {
    for (size_t i = 0; i < batch->sequence_count; i++)
        for (uint32_t at = batch->offsets[i]; at < batch->offsets[i + 1]; at++)
            ret[at] = (int32_t)(at - batch->offsets[i]);
}

/* Without those that no head gives. */
static struct bert_results possible(const struct bert_engine *engine, const struct bert_results *wanted) {
    struct bert_results results = *wanted;
    if (!bert_engine_has(engine, BERT_HEAD_SPAN))
        results.starts = results.ends = NULL;
    if (!bert_engine_has(engine, BERT_HEAD_POOLER))
        results.pooled = NULL;
    if (!bert_engine_has(engine, BERT_HEAD_CLASSIFIER))
        results.labels = NULL;
    return results;
}

struct status bert_session_run(struct bert_session *session, const struct bert_batch *batch,
                               const struct bert_results *results) {
    if (batch->sequence_count == 0)
        return status_ok();
    STATUS_TRY(check_batch(session, batch));
    struct bert_batch complete = *batch;
    if (!complete.position_ids) {
        count_positions(batch, session->positions);
        complete.position_ids = session->positions;
    }
    const struct bert_results wanted = possible(session->engine, results);
    return session->engine->device->session_run(session->made, &complete, &wanted);
}
