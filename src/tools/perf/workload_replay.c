#include "tools/perf/workload_replay.h"

#include <inttypes.h>
#include <math.h>

#include "client/client_tensor.h"
#include "record/record_reader.h"
#include "tools/perf/workload_values.h"

static struct status out_of_memory(void) {
    return status_error(STATUS_RESOURCE_EXHAUSTED, "out of memory for a record");
}

/* ---- data that were not recorded ---- */

/* Random data for all tensors of one datatype and size. */
struct made_data {
    struct slice datatype;
    size_t count, size; /* elements, bytes */
    struct slice data;
    struct made_data *next;
};

enum { MADE_SLOTS = 1024 };

struct maker {
    struct arena *arena;
    const struct workload_replay *config;
    struct random_source *random;
    struct made_data *slots[MADE_SLOTS];
};

/* Strings whose lengths add up to what was recorded, and differ by one at most. */
static struct status make_strings(struct maker *maker, struct made_data *ret) {
    size_t letters = ret->size - ret->count * sizeof(uint32_t);
    char *at = arena_alloc(maker->arena, ret->size);
    if (!at)
        return out_of_memory();
    ret->data = (struct slice){at, ret->size};
    for (size_t i = 0; i < ret->count; i++) {
        uint32_t length = (uint32_t)(letters / ret->count + (i < letters % ret->count ? 1 : 0));
        memcpy(at, &length, sizeof length);
        at += sizeof length + length;
    }
    struct infer_tensor tensor = {.datatype = ret->datatype, .data = ret->data};
    workload_values_refresh(maker->random, &tensor);
    return status_ok();
}

static struct status make_data(struct maker *maker, struct made_data *ret) {
    const struct workload_values values = {.random = maker->random};
    if (client_tensor_element_size(ret->datatype) == 0)
        return make_strings(maker, ret);
    return workload_values_fill(maker->arena, &values, ret->datatype, ret->count, &ret->data);
}

/* Bytes of `count` strings: those recorded, if they can be strings at all. */
static size_t size_of_strings(const struct maker *maker, const struct record_tensor *tensor, size_t count) {
    bool known = !tensor->shared && tensor->size >= count * sizeof(uint32_t) &&
                 tensor->size <= WORKLOAD_TENSOR_BYTES_MAX && (count > 0 || tensor->size == 0);
    return known ? (size_t)tensor->size : count * (sizeof(uint32_t) + maker->config->string_length);
}

/* Tensors that are alike share their data; `--fresh-data` draws them anew anyway. */
static struct status find_data(struct maker *maker, const struct record_tensor *from, struct infer_tensor *ret) {
    size_t count;
    STATUS_TRY(workload_element_count(ret, &count));
    int element = client_tensor_element_size(from->datatype);
    size_t size = element > 0 ? count * (size_t)element : size_of_strings(maker, from, count);
    struct made_data **slot = &maker->slots[(size * 31 + count) % MADE_SLOTS];
    for (struct made_data *made = *slot; made; made = made->next)
        if (made->size == size && made->count == count && slice_equal(made->datatype, from->datatype)) {
            ret->data = made->data;
            return status_ok();
        }
    struct made_data *made = arena_calloc(maker->arena, 1, sizeof *made);
    if (!made)
        return out_of_memory();
    *made = (struct made_data){.datatype = from->datatype, .count = count, .size = size, .next = *slot};
    STATUS_TRY(make_data(maker, made));
    *slot = made;
    ret->data = made->data;
    return status_ok();
}

/* ---- one request ---- */

static struct status take_inputs(struct maker *maker, const struct record *record, struct workload_entry *ret) {
    ret->inputs = arena_calloc(maker->arena, record->input_count, sizeof *ret->inputs);
    if (!ret->inputs)
        return out_of_memory();
    ret->input_count = record->input_count;
    for (size_t i = 0; i < record->input_count; i++) {
        const struct record_tensor *from = &record->inputs[i];
        ret->inputs[i] = (struct infer_tensor){from->name, from->datatype, from->shape, from->rank, from->data};
        if (!from->has_data)
            STATUS_TRY(find_data(maker, from, &ret->inputs[i]));
        STATUS_TRY(client_tensor_check(&ret->inputs[i]));
    }
    return status_ok();
}

static struct status take_outputs(struct arena *arena, const struct record *record, struct infer_request_spec *ret) {
    struct slice *names = arena_calloc(arena, record->output_count, sizeof *names);
    uint32_t *classes = arena_calloc(arena, record->output_count, sizeof *classes);
    if (!names || !classes)
        return out_of_memory();
    for (size_t i = 0; i < record->output_count; i++) {
        names[i] = record->outputs[i].name;
        classes[i] = record->outputs[i].classification;
    }
    ret->outputs = names;
    ret->output_classes = classes;
    ret->output_count = record->output_count;
    return status_ok();
}

static struct infer_client_parameter number(const char *name, uint64_t value) {
    if (value > INT64_MAX)
        return (struct infer_client_parameter){.name = slice_of(name), .kind = INFER_VALUE_UINT, .natural = value};
    return (struct infer_client_parameter){.name = slice_of(name), .kind = INFER_VALUE_INT, .integer = (int64_t)value};
}

static struct infer_client_parameter flag(const char *name) {
    return (struct infer_client_parameter){.name = slice_of(name), .kind = INFER_VALUE_BOOL, .boolean = true};
}

static struct infer_client_parameter take_parameter(const struct record_parameter *from) {
    struct infer_client_parameter to = {.kind = INFER_VALUE_TEXT};
    switch (from->kind) {
    case RECORD_BOOL:
        to = (struct infer_client_parameter){.kind = INFER_VALUE_BOOL, .boolean = from->value.boolean};
        break;
    case RECORD_INT:
        to = (struct infer_client_parameter){.kind = INFER_VALUE_INT, .integer = from->value.integer};
        break;
    case RECORD_UINT:
        to = number("", from->value.unsigned_integer);
        break;
    case RECORD_DOUBLE:
        to = (struct infer_client_parameter){.kind = INFER_VALUE_DOUBLE, .number = from->value.real};
        break;
    case RECORD_STRING:
        to.text = from->value.string;
        break;
    }
    to.name = from->name;
    return to;
}

enum { KNOWN_PARAMETERS = 6 }; /* priority, timeout, three of sequences, one of streams */

static struct status take_parameters(const struct maker *maker, const struct record *record,
                                     struct infer_request_spec *ret) {
    const struct record_sequence *sequence = &record->sequence;
    struct infer_client_parameter *to =
        arena_calloc(maker->arena, record->parameter_count + KNOWN_PARAMETERS, sizeof *to);
    size_t count = 0;
    if (!to)
        return out_of_memory();
    for (size_t i = 0; i < record->parameter_count; i++)
        to[count++] = take_parameter(&record->parameters[i]);
    if (record->priority > 0)
        to[count++] = number("priority", record->priority);
    if (record->timeout_us > 0)
        to[count++] = number("timeout", record->timeout_us);
    if (sequence->text.size > 0)
        to[count++] = (struct infer_client_parameter){
            .name = SLICE_LITERAL("sequence_id"), .kind = INFER_VALUE_TEXT, .text = sequence->text};
    else if (sequence->number > 0)
        to[count++] = number("sequence_id", sequence->number);
    if (sequence->start)
        to[count++] = flag("sequence_start");
    if (sequence->end)
        to[count++] = flag("sequence_end");
    if (maker->config->streaming)
        to[count++] = flag("triton_enable_empty_final_response");
    ret->parameters = to;
    ret->parameter_count = count;
    return status_ok();
}

static struct status take_record(struct maker *maker, const struct record *record, struct workload_entry *ret) {
    struct infer_request_spec *request = arena_calloc(maker->arena, 1, sizeof *request);
    if (!request)
        return out_of_memory();
    request->model = record->model;
    request->version = record->version;
    request->id = record->id;
    ret->request = request;
    ret->inferences = 1;
    ret->time_ms = -1;
    STATUS_TRY(take_outputs(maker->arena, record, request));
    STATUS_TRY(take_parameters(maker, record, request));
    return take_inputs(maker, record, ret);
}

/* ---- all of them ---- */

static bool is_wanted(const struct workload_replay *config, const struct record *record) {
    return !config->model || slice_equal_text(record->model, config->model);
}

static struct status add_model(struct arena *arena, struct slice model, struct replay *ret) {
    for (size_t i = 0; i < ret->model_count; i++)
        if (slice_equal(ret->models[i], model))
            return status_ok();
    struct slice *models = arena_calloc(arena, ret->model_count + 1, sizeof *models);
    if (!models)
        return out_of_memory();
    for (size_t i = 0; i < ret->model_count; i++)
        models[i] = ret->models[i];
    models[ret->model_count++] = model;
    ret->models = models;
    return status_ok();
}

/* An inference that is due in centuries is never sent; its time shall only not overflow. */
static uint64_t time_of(uint64_t since_ns, double speed) {
    double due_ns = (double)since_ns / speed;
    return due_ns < 0x1p62 ? (uint64_t)due_ns : (uint64_t)1 << 62;
}

static struct status take_file(struct maker *maker, const struct record_file *file, struct replay *ret) {
    struct workload *workload = &ret->workload;
    struct workload_stream *stream = arena_calloc(maker->arena, 1, sizeof *stream);
    uint64_t *times_ns = arena_calloc(maker->arena, file->count, sizeof *times_ns);
    workload->entries = arena_calloc(maker->arena, file->count, sizeof *workload->entries);
    if (!stream || !times_ns || !workload->entries)
        return out_of_memory();
    uint64_t begin_ns = 0;
    for (size_t i = 0; i < file->count; i++) {
        const struct record *record = &file->records[i];
        if (!is_wanted(maker->config, record))
            continue;
        if (workload->entry_count == 0)
            begin_ns = record->at_ns;
        times_ns[workload->entry_count] = time_of(record->at_ns - begin_ns, maker->config->speed);
        struct status status = take_record(maker, record, &workload->entries[workload->entry_count]);
        if (!status_is_ok(&status))
            return status_prefix(status, "%s: line %" PRIu64, maker->config->path, record->line);
        STATUS_TRY(add_model(maker->arena, record->model, ret));
        workload->entry_count++;
    }
    stream->count = workload->entry_count;
    workload->streams = stream;
    workload->stream_count = 1;
    ret->times_ns = times_ns;
    return status_ok();
}

void workload_replay_batched(struct replay *replay, struct slice model) {
    for (size_t i = 0; i < replay->workload.entry_count; i++) {
        struct workload_entry *entry = &replay->workload.entries[i];
        const struct infer_tensor *first = entry->inputs;
        if (slice_equal(entry->request->model, model) && entry->input_count > 0 && first->rank > 0 &&
            first->shape[0] > 0)
            entry->inferences = (uint64_t)first->shape[0];
    }
}

struct status workload_replay_create(struct arena *arena, const struct workload_replay *config, struct replay *ret) {
    struct record_file file;
    *ret = (struct replay){.workload = {.random = random_seeded(config->seed)}};
    STATUS_TRY(record_file_read(config->path, arena, &file));
    struct maker *maker = arena_calloc(arena, 1, sizeof *maker);
    if (!maker)
        return out_of_memory();
    maker->arena = arena;
    maker->config = config;
    maker->random = &ret->workload.random;
    STATUS_TRY(take_file(maker, &file, ret));
    ret->workload.refresh = config->refresh && !file.head.bodies;
    ret->notice = file.notice;
    if (ret->workload.entry_count > 0)
        return status_ok();
    return status_error(STATUS_INVALID_ARGUMENT, "%s holds no inference%s%s", config->path,
                        config->model ? " of model " : "", config->model ? config->model : "");
}
