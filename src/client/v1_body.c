#include "client/v1_body.h"

#include "client/client_tensor.h"
#include "client/remote_status.h"

static struct status out_of_memory(void) {
    return status_error(STATUS_RESOURCE_EXHAUSTED, "out of memory for a message");
}

/* ---- requests ---- */

static struct status not_in_v1(const char *what, struct slice name) {
    return status_error(STATUS_INVALID_ARGUMENT, "TRTIS v1 has no %s: '%.*s'", what, SLICE_ARGS(name));
}

/* The batch of all inputs; 1 where there is none. */
static struct status take_batch(const struct infer_request_spec *request, uint32_t *ret) {
    *ret = 1;
    for (size_t i = 0; i < request->input_count && request->batched; i++) {
        const struct infer_tensor *input = &request->inputs[i];
        bool good = input->rank > 0 && input->shape[0] > 0 && input->shape[0] <= UINT32_MAX;
        if (!good || (i > 0 && input->shape[0] != request->inputs[0].shape[0]))
            return status_error(STATUS_INVALID_ARGUMENT,
                                "input '%.*s': expected a first dimension that is the batch, of 1 or more and the same "
                                "for all inputs",
                                SLICE_ARGS(input->name));
        *ret = (uint32_t)input->shape[0];
    }
    return status_ok();
}

/* NULL when memory is short, or there is no region. */
static struct pb_v1_infer_shared_memory *make_region(const struct infer_region *regions, size_t i,
                                                     struct arena *arena) {
    if (regions == NULL)
        return NULL;
    struct pb_v1_infer_shared_memory *region = arena_calloc(arena, 1, sizeof *region);
    if (region != NULL)
        *region = (struct pb_v1_infer_shared_memory){
            .name = regions[i].name, .offset = regions[i].offset, .byte_size = regions[i].byte_size};
    return region;
}

/* Only strings have to tell their size; the dims are lent by the request. */
static struct status fill_inputs(const struct infer_request_spec *request, struct arena *arena,
                                 struct pb_v1_infer_request_header *ret) {
    size_t batch = request->batched ? 1 : 0;
    ret->input.items = arena_calloc(arena, request->input_count, sizeof *ret->input.items);
    ret->input.count = request->input_count;
    if (ret->input.items == NULL)
        return out_of_memory();
    for (size_t i = 0; i < request->input_count; i++) {
        const struct infer_tensor *from = &request->inputs[i];
        struct pb_v1_infer_request_header_input *to = &ret->input.items[i];
        to->name = from->name;
        to->dims.count = from->rank - batch;
        to->dims.items = arena_calloc(arena, to->dims.count, sizeof *to->dims.items);
        to->shared_memory = make_region(request->input_regions, i, arena);
        if (to->dims.items == NULL || (request->input_regions != NULL && to->shared_memory == NULL))
            return out_of_memory();
        for (size_t d = 0; d < to->dims.count; d++)
            to->dims.items[d] = from->shape[d + batch];
        if (client_tensor_element_size(from->datatype) == 0)
            to->batch_byte_size = from->data.size;
    }
    return status_ok();
}

static struct status fill_outputs(const struct infer_request_spec *request, struct arena *arena,
                                  struct pb_v1_infer_request_header *ret) {
    ret->output.items = arena_calloc(arena, request->output_count, sizeof *ret->output.items);
    ret->output.count = request->output_count;
    if (ret->output.items == NULL)
        return out_of_memory();
    for (size_t i = 0; i < request->output_count; i++) {
        struct pb_v1_infer_request_header_output *to = &ret->output.items[i];
        if (request->output_classes != NULL && request->output_classes[i] > 0)
            return not_in_v1("classes as a tensor", request->outputs[i]);
        to->name = request->outputs[i];
        to->shared_memory = make_region(request->output_regions, i, arena);
        if (request->output_regions != NULL && to->shared_memory == NULL)
            return out_of_memory();
    }
    return status_ok();
}

/* A parameter's value as a number of 0 or more. */
static bool number_of(const struct infer_client_parameter *parameter, uint64_t *ret) {
    bool given = parameter->kind == INFER_VALUE_INT && parameter->integer >= 0;
    *ret = parameter->kind == INFER_VALUE_UINT ? parameter->natural : given ? (uint64_t)parameter->integer : 0;
    return given || parameter->kind == INFER_VALUE_UINT;
}

static struct status take_parameter(const struct infer_client_parameter *parameter,
                                    struct pb_v1_infer_request_header *ret) {
    uint64_t number = 0;
    bool is_number = number_of(parameter, &number), is_bool = parameter->kind == INFER_VALUE_BOOL;
    if (is_number && slice_equal_text(parameter->name, "sequence_id"))
        ret->correlation_id = number;
    else if (is_number && slice_equal_text(parameter->name, "timeout"))
        ret->timeout_microseconds = number;
    else if (is_number && number <= UINT32_MAX && slice_equal_text(parameter->name, "priority"))
        ret->priority = (uint32_t)number;
    else if (is_bool && slice_equal_text(parameter->name, "sequence_start"))
        ret->flags |= parameter->boolean ? PB_V1_FLAG_SEQUENCE_START : 0;
    else if (is_bool && slice_equal_text(parameter->name, "sequence_end"))
        ret->flags |= parameter->boolean ? PB_V1_FLAG_SEQUENCE_END : 0;
    else
        return not_in_v1("such parameter, or none of this type", parameter->name);
    return status_ok();
}

struct status v1_body_describe(const struct infer_request_spec *request, struct arena *arena,
                               struct pb_v1_infer_request_header *ret) {
    *ret = (struct pb_v1_infer_request_header){0};
    if (request->id.size > 0 && !slice_to_u64(request->id, &ret->id))
        return not_in_v1("ids but numbers", request->id);
    STATUS_TRY(take_batch(request, &ret->batch_size));
    STATUS_TRY(fill_inputs(request, arena, ret));
    STATUS_TRY(fill_outputs(request, arena, ret));
    for (size_t i = 0; i < request->parameter_count; i++)
        STATUS_TRY(take_parameter(&request->parameters[i], ret));
    return status_ok();
}

struct status v1_body_version(struct slice version, int64_t *ret) {
    *ret = -1;
    if (version.size == 0 || (slice_to_i64(version, ret) && *ret >= 0))
        return status_ok();
    return not_in_v1("versions but numbers", version);
}

struct status v1_body_check_query(const struct client_query *query) {
    if (query->kind == QUERY_SERVER_METADATA || query->kind == QUERY_MODEL_METADATA)
        return status_error(STATUS_UNSUPPORTED, "TRTIS v1 has no metadata: ask for a model's config");
    return status_ok();
}

/* ---- answers ---- */

static struct status malformed(const char *expected, struct slice output) {
    return status_error(STATUS_DATA_LOSS, "the server's answer, output '%.*s': expected %s", SLICE_ARGS(output),
                        expected);
}

static struct status read_output(const struct client_call *call, uint32_t batch_size,
                                 const struct pb_v1_infer_response_header_output *from, struct slice raw,
                                 struct arena *arena, struct infer_tensor *ret) {
    size_t batch = call->batched ? 1 : 0;
    if (from->raw == NULL || from->raw->dims.count + batch > INFER_TENSOR_RANK_MAX)
        return malformed("its dims, at most 64", from->name);
    int64_t *shape = arena_calloc(arena, from->raw->dims.count + batch, sizeof *shape);
    if (shape == NULL)
        return out_of_memory();
    if (batch > 0)
        shape[0] = batch_size;
    for (size_t d = 0; d < from->raw->dims.count; d++) {
        shape[d + batch] = from->raw->dims.items[d];
        if (shape[d + batch] < 0)
            return malformed("dims of 0 or more", from->name);
    }
    if (!call->outputs_in_memory && from->raw->batch_byte_size != raw.size)
        return malformed("as many bytes as batch_byte_size says", from->name);
    *ret = (struct infer_tensor){from->name, SLICE_LITERAL(""), shape, from->raw->dims.count + batch, raw};
    return status_ok();
}

struct status v1_body_read(const struct client_call *call, const struct pb_v1_infer_response_header *header,
                           const struct slice *raw, struct arena *arena, struct client_infer_answer *ret) {
    char version[SLICE_U64_DIGITS], id[SLICE_U64_DIGITS];
    *ret = (struct client_infer_answer){.output_count = header->output.count};
    ret->outputs = arena_calloc(arena, header->output.count, sizeof *ret->outputs);
    if (ret->outputs == NULL)
        return out_of_memory();
    for (size_t i = 0; i < header->output.count; i++)
        STATUS_TRY(read_output(call, header->batch_size, &header->output.items[i], raw[i], arena, &ret->outputs[i]));
    if (header->model_version >= 0)
        ret->model_version = arena_copy(arena, slice_from_u64((uint64_t)header->model_version, version));
    if (header->id > 0)
        ret->id = arena_copy(arena, slice_from_u64(header->id, id));
    return status_ok();
}

struct status v1_body_outcome(const struct pb_v1_request_status *status) {
    if (status == NULL || status->code == PB_V1_INVALID)
        return status_error(STATUS_DATA_LOSS, "the server's answer has no request status");
    return status->code == PB_V1_SUCCESS ? status_ok() : remote_status_v1(status->code, status->msg);
}

/* ---- status of the server ---- */

static const struct pb_v1_model_status *find_model(const struct pb_v1_server_status *status, struct slice name) {
    for (size_t i = 0; i < status->model_status.count; i++) {
        if (slice_equal(status->model_status.items[i].key, name))
            return status->model_status.items[i].value;
    }
    return NULL;
}

bool v1_body_model_ready(const struct pb_v1_server_status *status, struct slice name, struct slice version) {
    const struct pb_v1_model_status *model = find_model(status, name);
    int64_t wanted = -1;
    if (model == NULL || (version.size > 0 && !slice_to_i64(version, &wanted)))
        return false;
    for (size_t i = 0; i < model->version_status.count; i++) {
        const struct pb_v1_model_status_version_status_entry *entry = &model->version_status.items[i];
        bool meant = version.size == 0 || entry->key == wanted;
        if (meant && entry->value != NULL && entry->value->ready_state == PB_V1_MODEL_READY)
            return true;
    }
    return false;
}

struct status v1_body_config(const struct pb_v1_server_status *status, struct slice name, struct pb_model_config *ret) {
    const struct pb_v1_model_status *model = find_model(status, name);
    if (model != NULL && model->config != NULL) {
        *ret = *model->config;
        return status_ok();
    }
    for (size_t i = 0; model != NULL && i < model->version_status.count; i++) {
        const struct pb_v1_model_version_status *version = model->version_status.items[i].value;
        if (version != NULL && version->ready_state_reason != NULL)
            return status_error(STATUS_NOT_FOUND, "model '%.*s' is not ready: %.*s", SLICE_ARGS(name),
                                SLICE_ARGS(version->ready_state_reason->message));
    }
    return status_error(STATUS_NOT_FOUND, "the server tells no config of model '%.*s'", SLICE_ARGS(name));
}

static struct infer_counter counter_of(const struct pb_v1_stat_duration *from) {
    return from != NULL ? (struct infer_counter){from->count, from->total_time_ns} : (struct infer_counter){0, 0};
}

static void take_batches(const struct pb_v1_model_version_status *from, struct infer_statistics **next) {
    static const struct pb_v1_infer_request_stats none;
    const struct slice name = (*next)[-1].name, version = (*next)[-1].version;
    for (size_t i = 0; i < from->infer_stats.count; i++) {
        const struct pb_v1_model_version_status_infer_stats_entry *entry = &from->infer_stats.items[i];
        const struct pb_v1_infer_request_stats *counters = entry->value != NULL ? entry->value : &none;
        struct infer_statistics *to = (*next)++;
        *to = (struct infer_statistics){.name = name,
                                        .version = version,
                                        .batch_size = entry->key,
                                        .success = counter_of(counters->success),
                                        .fail = counter_of(counters->failed),
                                        .queue = counter_of(counters->queue),
                                        .compute_infer = counter_of(counters->compute)};
        to->inference_count = to->success.count * entry->key;
    }
}

static struct status take_version(struct slice name, const struct pb_v1_model_status_version_status_entry *from,
                                  struct arena *arena, struct infer_statistics **next) {
    char digits[SLICE_U64_DIGITS];
    if (from->value == NULL || from->key < 0)
        return status_ok();
    struct slice version = arena_copy(arena, slice_from_u64((uint64_t)from->key, digits));
    if (version.data == NULL)
        return out_of_memory();
    *(*next)++ = (struct infer_statistics){
        .name = name, .version = version, .execution_count = from->value->model_execution_count};
    take_batches(from->value, next);
    return status_ok();
}

static size_t count_items(const struct pb_v1_server_status *status) {
    size_t count = 0;
    for (size_t m = 0; m < status->model_status.count; m++) {
        const struct pb_v1_model_status *model = status->model_status.items[m].value;
        for (size_t v = 0; model != NULL && v < model->version_status.count; v++) {
            const struct pb_v1_model_version_status *version = model->version_status.items[v].value;
            count += version != NULL ? 1 + version->infer_stats.count : 0;
        }
    }
    return count;
}

struct status v1_body_statistics(const struct pb_v1_server_status *status, struct arena *arena,
                                 struct infer_statistics **ret, size_t *ret_count) {
    struct infer_statistics *items = arena_calloc(arena, count_items(status), sizeof *items), *next = items;
    if (items == NULL)
        return out_of_memory();
    for (size_t m = 0; m < status->model_status.count; m++) {
        const struct pb_v1_server_status_model_status_entry *entry = &status->model_status.items[m];
        for (size_t v = 0; entry->value != NULL && v < entry->value->version_status.count; v++)
            STATUS_TRY(take_version(entry->key, &entry->value->version_status.items[v], arena, &next));
    }
    *ret = items;
    *ret_count = (size_t)(next - items);
    return status_ok();
}
