/* workload.c: from a model and the user's choice of data to entries that can be sent. See workload.h. */
#include "tools/perf/workload.h"

#include "base/clock.h"
#include "base/file.h"
#include "client/client_tensor.h"
#include "tools/perf/workload_text.h"
#include "tools/perf/workload_values.h"

static struct status out_of_memory(void) {
    return status_error(STATUS_RESOURCE_EXHAUSTED, "out of memory for input data");
}

/* ---- shapes ---- */

struct status workload_parse_shape(const char *text, struct workload_shape *ret) {
    struct slice whole = slice_of(text), dims, one;
    size_t colon = whole.size;
    while (colon > 0 && whole.data[colon - 1] != ':') /* names may hold colons, dims do not */
        colon--;
    if (colon < 2 || colon == whole.size)
        return status_error(STATUS_INVALID_ARGUMENT, "--shape: expected NAME:d,d..., got \"%.100s\"", text);
    *ret = (struct workload_shape){.name = {text, colon - 1}};
    dims = (struct slice){text + colon, whole.size - colon};
    while (dims.size > 0) {
        slice_split(dims, ',', &one, &dims);
        int64_t dim = 0;
        if (!slice_to_i64(one, &dim) || dim < 0 || ret->rank == INFER_TENSOR_RANK_MAX)
            return status_error(STATUS_INVALID_ARGUMENT, "--shape: expected up to %d dims of 0 or more, got \"%.100s\"",
                                INFER_TENSOR_RANK_MAX, text);
        ret->dims[ret->rank++] = dim;
    }
    return status_ok();
}

static const struct workload_shape *find_shape(const struct workload_config *config, struct slice name) {
    for (size_t i = 0; i < config->shape_count; i++) {
        if (slice_equal(config->shapes[i].name, name))
            return &config->shapes[i];
    }
    return NULL;
}

static bool fits(const struct infer_tensor_info *input, const int64_t *dims, size_t rank) {
    bool good = input->rank == rank;
    for (size_t i = 0; good && i < rank; i++)
        good = input->shape[i] < 0 || input->shape[i] == dims[i];
    return good;
}

struct status workload_shape_of(const struct workload_config *config, const struct infer_tensor_info *input,
                                struct arena *arena, struct infer_tensor *ret) {
    const struct workload_shape *given = find_shape(config, input->name);
    size_t rank = given != NULL ? given->rank : input->rank;
    int64_t *dims = arena_calloc(arena, rank, sizeof *dims);
    if (dims == NULL)
        return out_of_memory();
    for (size_t i = 0; i < rank; i++)
        dims[i] = given != NULL ? given->dims[i] : input->shape[i];
    if (given != NULL && !fits(input, dims, rank))
        return status_error(STATUS_INVALID_ARGUMENT, "--shape %.*s: does not fit the model's shape of this input",
                            SLICE_ARGS(input->name));
    for (size_t i = 0; i < rank; i++) {
        if (dims[i] < 0)
            return status_error(
                STATUS_INVALID_ARGUMENT, "input %.*s has a variable dim: give its shape with --shape %.*s:d,d...%s",
                SLICE_ARGS(input->name), SLICE_ARGS(input->name),
                workload_text_suits(config->model) ? ", or send a BERT model the questions of a file with --text FILE"
                                                   : "");
    }
    *ret = (struct infer_tensor){input->name, input->datatype, dims, rank, {NULL, 0}};
    return status_ok();
}

int workload_element_size(struct slice datatype) {
    return client_tensor_element_size(datatype);
}

struct status workload_element_count(const struct infer_tensor *tensor, size_t *ret) {
    size_t count = 1, element = (size_t)workload_element_size(tensor->datatype);
    for (size_t i = 0; i < tensor->rank; i++) {
        if (__builtin_mul_overflow(count, (size_t)tensor->shape[i], &count) ||
            count > WORKLOAD_TENSOR_BYTES_MAX / (element > 0 ? element : 4))
            return status_error(STATUS_INVALID_ARGUMENT, "input %.*s: a shape of more than 1 GiB",
                                SLICE_ARGS(tensor->name));
    }
    *ret = count;
    return status_ok();
}

/* ---- items ---- */

struct status workload_items_add(struct arena *arena, const struct workload_config *config,
                                 struct workload_items *items, bool new_stream, struct workload_item **ret) {
    if (items->count == items->capacity) {
        size_t capacity = items->capacity > 0 ? 2 * items->capacity : 16;
        struct workload_item *more = arena_calloc(arena, capacity, sizeof *more);
        if (more == NULL)
            return out_of_memory();
        for (size_t i = 0; i < items->count; i++)
            more[i] = items->items[i];
        items->items = more;
        items->capacity = capacity;
    }
    if (new_stream && items->stream_count == items->stream_capacity) {
        size_t capacity = items->stream_capacity > 0 ? 2 * items->stream_capacity : 16;
        struct workload_stream *more = arena_calloc(arena, capacity, sizeof *more);
        if (more == NULL)
            return out_of_memory();
        for (size_t i = 0; i < items->stream_count; i++)
            more[i] = items->streams[i];
        items->streams = more;
        items->stream_capacity = capacity;
    }
    if (new_stream)
        items->streams[items->stream_count++] = (struct workload_stream){items->count, 0};
    items->streams[items->stream_count - 1].count++;
    *ret = &items->items[items->count++];
    (*ret)->time_ms = -1;
    (*ret)->inputs = arena_calloc(arena, config->model->input_count, sizeof *(*ret)->inputs);
    return (*ret)->inputs != NULL ? status_ok() : out_of_memory();
}

/* One item of zeros or random values, for every input that is not optional. */
static struct status generate_items(struct arena *arena, const struct workload_config *config, bool zero,
                                    struct random_source *random, struct workload_items *items) {
    struct workload_item *item;
    STATUS_TRY(workload_items_add(arena, config, items, true, &item));
    for (size_t i = 0; i < config->model->input_count; i++) {
        const struct infer_tensor_info *input = &config->model->inputs[i];
        struct infer_tensor *tensor = &item->inputs[i];
        size_t count = 0;
        if (input->optional && find_shape(config, input->name) == NULL)
            continue;
        STATUS_TRY(workload_shape_of(config, input, arena, tensor));
        STATUS_TRY(workload_element_count(tensor, &count));
        struct workload_values values = {zero, random, config->string_length, config->string_data};
        STATUS_TRY(workload_values_fill(arena, &values, input->datatype, count, &tensor->data));
    }
    return status_ok();
}

static struct status read_items(struct arena *arena, const struct workload_config *config, struct random_source *random,
                                struct workload_items *items) {
    if (config->text != NULL)
        return workload_read_text(arena, config, items);
    const char *first = config->sources[0];
    bool zero = strcmp(first, "zero") == 0, drawn = strcmp(first, "random") == 0;
    if (config->source_count > 1 && (zero || drawn || file_is_directory(first)))
        return status_error(STATUS_INVALID_ARGUMENT, "--input-data: only JSON files may be given more than once");
    if (config->refresh && !drawn)
        return status_error(STATUS_INVALID_ARGUMENT,
                            "--fresh-data draws random values: use it with --input-data random");
    if (zero || drawn)
        return generate_items(arena, config, zero, random, items);
    if (file_is_directory(first))
        return workload_read_folder(arena, config, first, items);
    for (size_t i = 0; i < config->source_count; i++)
        STATUS_TRY(workload_read_json(arena, config, config->sources[i], items));
    return status_ok();
}

/* ---- entries: batches of items ---- */

/* Puts the batch dimension in front and the data of `count` items one behind the other. */
static struct status join(struct arena *arena, const struct infer_tensor *const *parts, size_t count,
                          struct infer_tensor *ret) {
    const struct infer_tensor *first = parts[0];
    int64_t *dims = arena_calloc(arena, first->rank + 1, sizeof *dims);
    size_t size = 0, at = 0;
    for (size_t i = 0; i < count; i++) {
        bool same = parts[i]->rank == first->rank && parts[i]->name.data != NULL &&
                    memcmp(parts[i]->shape, first->shape, first->rank * sizeof *first->shape) == 0;
        if (!same)
            return status_error(STATUS_INVALID_ARGUMENT, "input %.*s: the items of a batch differ in shape",
                                SLICE_ARGS(first->name));
        if (__builtin_add_overflow(size, parts[i]->data.size, &size))
            return out_of_memory();
    }
    char *data = arena_alloc(arena, size);
    if (dims == NULL || data == NULL)
        return out_of_memory();
    dims[0] = (int64_t)count;
    for (size_t d = 0; d < first->rank; d++)
        dims[d + 1] = first->shape[d];
    for (size_t i = 0; i < count; i++) {
        if (parts[i]->data.size > 0)
            memcpy(data + at, parts[i]->data.data, parts[i]->data.size);
        at += parts[i]->data.size;
    }
    *ret = (struct infer_tensor){first->name, first->datatype, dims, first->rank + 1, {data, size}};
    return status_ok();
}

/* An entry of the item and those behind it in its stream, from the start again at its end. */
static struct status make_entry(struct arena *arena, const struct workload_config *config,
                                const struct workload_items *items, const struct workload_stream *stream, size_t offset,
                                struct workload_entry *ret) {
    const struct workload_item *first = &items->items[stream->first + offset];
    size_t batch = config->batch_size;
    const struct infer_tensor **parts = arena_calloc(arena, batch, sizeof *parts);
    ret->inputs = arena_calloc(arena, config->model->input_count, sizeof *ret->inputs);
    if (parts == NULL || ret->inputs == NULL)
        return out_of_memory();
    for (size_t i = 0; i < config->model->input_count; i++) {
        if (first->inputs[i].name.data == NULL)
            continue;
        for (size_t b = 0; b < batch; b++)
            parts[b] = &items->items[stream->first + (offset + b) % stream->count].inputs[i];
        if (config->model->max_batch_size > 0)
            STATUS_TRY(join(arena, parts, batch, &ret->inputs[ret->input_count]));
        else
            ret->inputs[ret->input_count] = *parts[0];
        ret->input_count++;
    }
    ret->inferences = batch;
    ret->time_ms = first->time_ms;
    if (batch == 1) { /* as of perf_analyzer: validation is for single items */
        ret->expected = first->expected;
        ret->expected_count = first->expected_count;
    }
    return status_ok();
}

/* Every --shape is of an input. */
static struct status check_shapes(const struct workload_config *config) {
    const struct infer_model_info *model = config->model;
    for (size_t i = 0; i < config->shape_count; i++) {
        if (infer_tensor_info_find(model->inputs, model->input_count, config->shapes[i].name) == NULL)
            return status_error(STATUS_INVALID_ARGUMENT, "--shape %.*s: model %.*s has no such input",
                                SLICE_ARGS(config->shapes[i].name), SLICE_ARGS(model->name));
    }
    return status_ok();
}

struct status workload_create(struct arena *arena, const struct workload_config *config, struct workload *ret) {
    struct workload_items items = {0};
    *ret = (struct workload){.refresh = config->refresh, .random = random_seeded(config->seed)};
    STATUS_TRY(check_shapes(config));
    STATUS_TRY(read_items(arena, config, &ret->random, &items));
    ret->streams = items.streams;
    ret->stream_count = items.stream_count;
    ret->entry_count = items.count;
    ret->entries = arena_calloc(arena, items.count, sizeof *ret->entries);
    if (ret->entries == NULL)
        return out_of_memory();
    for (size_t s = 0; s < items.stream_count; s++) {
        for (size_t i = 0; i < items.streams[s].count; i++)
            STATUS_TRY(
                make_entry(arena, config, &items, &items.streams[s], i, &ret->entries[items.streams[s].first + i]));
    }
    return status_ok();
}

/* ---- use ---- */

const struct workload_entry *workload_take(struct workload *workload, size_t entry) {
    struct workload_entry *taken = &workload->entries[entry];
    for (size_t i = 0; workload->refresh && i < taken->input_count; i++)
        workload_values_refresh(&workload->random, &taken->inputs[i]);
    return taken;
}

struct status workload_check(const struct workload_entry *entry, const struct infer_tensor *outputs, size_t count) {
    for (size_t e = 0; e < entry->expected_count; e++) {
        const struct infer_tensor *expected = &entry->expected[e], *found = NULL;
        for (size_t i = 0; i < count && found == NULL; i++)
            found = slice_equal(outputs[i].name, expected->name) ? &outputs[i] : NULL;
        if (found == NULL)
            return status_error(STATUS_DATA_LOSS, "the answer has no output %.*s, which validation_data names",
                                SLICE_ARGS(expected->name));
        if (!slice_equal(found->data, expected->data))
            return status_error(STATUS_DATA_LOSS, "output %.*s is not what validation_data says",
                                SLICE_ARGS(expected->name));
    }
    return status_ok();
}

struct status workload_times(struct arena *arena, const struct workload *workload, const uint64_t **ret_times_ns,
                             size_t *ret_count) {
    uint64_t *times_ns = arena_calloc(arena, workload->entry_count, sizeof *times_ns);
    if (times_ns == NULL)
        return out_of_memory();
    for (size_t i = 0; i < workload->entry_count; i++) {
        double ms = workload->entries[i].time_ms;
        bool falls = i > 0 && ms < workload->entries[i - 1].time_ms;
        if (ms < 0 || ms > 1e12 || falls)
            return status_error(
                STATUS_INVALID_ARGUMENT,
                "--fixed-schedule: item %zu of the input data has no \"timestamp\", or one before the last", i);
        times_ns[i] = (uint64_t)(ms * (double)NS_PER_MS);
    }
    *ret_times_ns = times_ns;
    *ret_count = workload->entry_count;
    return status_ok();
}
