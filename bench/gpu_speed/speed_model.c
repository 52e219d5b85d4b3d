#include "speed_model.h"

#include <stdlib.h>
#include <string.h>

#include "base/file.h"

enum { NUMBER_MAX = 1000000 };

/* ---- names ---- */

struct status speed_device_parse(const char *text, struct bert_device *ret) {
    char *end = NULL;
    long index = 0;
    bool is_cuda = strncmp(text, "cuda", 4) == 0;
    if (is_cuda && text[4] == ':')
        index = strtol(text + 5, &end, 10);
    bool good = is_cuda ? text[4] == '\0' || (end && end > text + 5 && !*end) : strcmp(text, "cpu") == 0;
    if (!good || index < 0 || index > 1023)
        return status_error(STATUS_INVALID_ARGUMENT, "--device: expected cpu, cuda or cuda:N, got '%s'", text);
    *ret = (struct bert_device){is_cuda ? BERT_DEVICE_CUDA : BERT_DEVICE_CPU, (int)index};
    return status_ok();
}

static struct status parse_precisions(const char *text, struct speed_model *model) {
    char word[16], list[128];
    for (size_t length; *text; text += length + (text[length] == ',')) {
        length = strcspn(text, ",");
        snprintf(word, sizeof word, "%.*s", (int)length, text);
        bert_precision_list(list, sizeof list);
        if (model->precision_count == SPEED_PRECISIONS_MAX ||
            !bert_precision_parse(word, &model->precisions[model->precision_count++]))
            return status_error(STATUS_INVALID_ARGUMENT, "--precisions: expected up to %d of %s, got '%s'",
                                SPEED_PRECISIONS_MAX, list, word);
    }
    if (model->precision_count == 0)
        return status_error(STATUS_INVALID_ARGUMENT, "--precisions: expected one at least");
    return status_ok();
}

struct status speed_numbers_parse(const char *text, size_t *ret, size_t *ret_count) {
    *ret_count = 0;
    for (const char *at = text; *at;) {
        char *end;
        unsigned long value = strtoul(at, &end, 10);
        if (end == at || (*end && *end != ',') || value < 1 || value > NUMBER_MAX || *ret_count == SPEED_NUMBERS_MAX)
            return status_error(STATUS_INVALID_ARGUMENT, "expected up to %d numbers of 1..%d, got '%s'",
                                SPEED_NUMBERS_MAX, NUMBER_MAX, text);
        ret[(*ret_count)++] = value;
        at = *end ? end + 1 : end;
    }
    return status_ok();
}

struct status speed_lengths_parse(const char *text, const struct bert_config *config, size_t *ret, size_t *ret_count) {
    size_t count, kept = 0;
    STATUS_TRY(speed_numbers_parse(text, ret, &count));
    for (size_t i = 0; i < count; i++)
        if (ret[i] <= (size_t)config->position_count)
            ret[kept++] = ret[i];
    if (kept == 0)
        return status_error(STATUS_INVALID_ARGUMENT, "the model has %lld positions, too few for any of --lengths",
                            (long long)config->position_count);
    *ret_count = kept;
    return status_ok();
}

/* ---- models ---- */

static bool has_precision(const struct speed_model *model, enum bert_precision precision) {
    for (size_t i = 0; i < model->precision_count; i++)
        if (model->precisions[i] == precision)
            return true;
    return false;
}

struct status speed_model_open(const struct speed_common *options, struct speed_model *ret) {
    if (!options->checkpoint)
        return status_error(STATUS_INVALID_ARGUMENT, "--checkpoint is missing");
    STATUS_TRY(speed_device_parse(options->device, &ret->device));
    STATUS_TRY(parse_precisions(options->precisions, ret));
    if (!bert_short_batches_parse(options->short_batches, &ret->short_batches))
        return status_error(STATUS_INVALID_ARGUMENT, "--short-batches: expected graphs, auto or persistent, got '%s'",
                            options->short_batches);
    ret->bf16_layers = options->bf16_layers;
    if (options->bf16_layers > 0 && !has_precision(ret, BERT_PRECISION_FP8))
        return status_error(STATUS_INVALID_ARGUMENT, "--bf16-layers is for fp8, which --precisions has not");
    STATUS_TRY(bert_device_check(&ret->device));
    STATUS_TRY(bert_checkpoint_open(options->checkpoint, options->config, &ret->checkpoint));
    return bert_pool_create((int)options->threads, &ret->pool);
}

void speed_model_close(struct speed_model *model) {
    bert_pool_destroy(model->pool);
    bert_checkpoint_close(model->checkpoint);
}

struct status speed_engine_create(const struct speed_model *model, struct bert_device device,
                                  enum bert_precision precision, struct bert_engine **ret) {
    const struct bert_engine_options options = {.precision = precision,
                                                .bf16_layers = precision == BERT_PRECISION_FP8 ? model->bf16_layers : 0,
                                                .short_batches = device.kind == BERT_DEVICE_CUDA ? model->short_batches
                                                                                                 : BERT_SHORT_GRAPHS,
                                                .device = device};
    return bert_engine_create(model->checkpoint, &options, model->pool, ret);
}

/* ---- batches ---- */

/* xorshift64*: Marsaglia 2003, Vigna 2016. */
static uint64_t next_random(uint64_t *state) {
    *state ^= *state >> 12;
    *state ^= *state << 25;
    *state ^= *state >> 27;
    return *state * UINT64_C(0x2545f4914f6cdd1d);
}

static int32_t random_below(uint64_t *state, int64_t limit) {
    return (int32_t)((next_random(state) >> 33) % (uint64_t)limit);
}

static void fill_sequence(const struct bert_config *config, size_t begin, size_t end, uint64_t *state,
                          const struct bert_batch *batch) {
    int32_t *ids = (int32_t *)(uintptr_t)batch->token_ids, *segments = (int32_t *)(uintptr_t)batch->segment_ids,
            *positions = (int32_t *)(uintptr_t)batch->position_ids;
    for (size_t i = begin; i < end; i++) {
        ids[i] = random_below(state, config->vocab_size);
        if (segments)
            segments[i] = config->type_count > 1 && i - begin >= (end - begin) / 2;
        if (positions)
            positions[i] = random_below(state, config->position_count);
    }
}

struct status speed_batch_make(struct arena *arena, const struct bert_config *config, const size_t *lengths,
                               size_t count, enum speed_filling filling, struct speed_batch *ret) {
    uint64_t state = UINT64_C(0x9e3779b97f4a7c15) + count;
    uint32_t *offsets = arena_calloc(arena, count + 1, sizeof *offsets);
    if (!offsets)
        return status_error(STATUS_RESOURCE_EXHAUSTED, "no memory for a batch");
    *ret = (struct speed_batch){{.sequence_count = count, .offsets = offsets}, 0, 0};
    for (size_t i = 0; i < count; i++) {
        offsets[i + 1] = offsets[i] + (uint32_t)lengths[i];
        ret->operations += speed_operations(config, lengths[i]);
    }
    size_t tokens = ret->tokens = offsets[count], size = tokens * sizeof(int32_t);
    ret->batch.token_ids = arena_alloc(arena, size);
    ret->batch.segment_ids = filling >= SPEED_SEGMENTS ? arena_alloc(arena, size) : NULL;
    ret->batch.position_ids = filling >= SPEED_POSITIONS ? arena_alloc(arena, size) : NULL;
    if (!ret->batch.token_ids || (filling >= SPEED_SEGMENTS && !ret->batch.segment_ids) ||
        (filling >= SPEED_POSITIONS && !ret->batch.position_ids))
        return status_error(STATUS_RESOURCE_EXHAUSTED, "no memory for a batch of %zu tokens", tokens);
    for (size_t i = 0; i < count; i++)
        fill_sequence(config, offsets[i], offsets[i + 1], &state, &ret->batch);
    return status_ok();
}

double speed_operations(const struct bert_config *config, size_t length) {
    double n = (double)length, h = (double)config->hidden_size, f = (double)config->intermediate_size;
    return (double)config->layer_count * (2 * n * (4 * h * h + 2 * h * f) + 4 * n * n * h);
}

/* ---- numbers ---- */

static int compare_doubles(const void *a, const void *b) {
    double left = *(const double *)a, right = *(const double *)b;
    return (left > right) - (left < right);
}

void speed_sort(double *values, size_t count) {
    qsort(values, count, sizeof *values, compare_doubles);
}

double speed_percentile(const double *sorted, size_t count, double share) {
    size_t at = (size_t)(share * (double)count);
    return count == 0 ? 0 : sorted[at < count ? at : count - 1];
}

struct json_writer speed_json_begin(const char *command, const struct speed_common *options, struct buf *out) {
    struct json_writer writer = json_writer_on(out);
    json_begin_object(&writer);
    json_key(&writer, "command");
    json_text(&writer, command);
    json_key(&writer, "checkpoint");
    json_text(&writer, options->checkpoint);
    json_key(&writer, "bert_config");
    json_text(&writer, options->config ? options->config : "");
    json_key(&writer, "device");
    json_text(&writer, options->device);
    json_key(&writer, "short_batches");
    json_text(&writer, options->short_batches);
    json_key(&writer, "bf16_layers");
    json_i64(&writer, options->bf16_layers);
    json_key(&writer, "rows");
    json_begin_array(&writer);
    return writer;
}

struct status speed_json_end(struct json_writer *writer, const struct speed_common *options) {
    json_end_array(writer);
    json_end_object(writer);
    buf_append_char(writer->out, '\n');
    struct status status = status_ok();
    if (buf_failed(writer->out))
        status = status_error(STATUS_RESOURCE_EXHAUSTED, "no memory for the JSON");
    else if (options->json)
        status = file_write_output(options->json, buf_slice(writer->out));
    buf_free(writer->out);
    return status;
}
