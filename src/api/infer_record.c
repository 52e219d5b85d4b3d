#include "api/infer_record.h"

/* Names of parameters whose values are not written: in any case, with '-' or '_', and behind "x_" too. */
static const char *const secret_names[] = {
    "authorization", "proxy_authorization",
    "cookie",        "token",
    "access_token",  "auth_token",
    "id_token",      "refresh_token",
    "session_token", "api_key",
    "apikey",        "access_key",
    "secret_key",    "private_key",
    "password",      "passwd",
    "secret",        "client_secret",
    "credentials",   "bearer",
    "jwt",
};

static bool is_secret(struct slice name) {
    char text[32];
    if (name.size >= sizeof text)
        return false;
    for (size_t i = 0; i < name.size; i++)
        text[i] = name.data[i] == '-' ? '_' : name.data[i];
    struct slice plain = {text, name.size};
    if (name.size > 2 && slice_equal_nocase((struct slice){text, 2}, SLICE_LITERAL("x_")))
        plain = (struct slice){text + 2, name.size - 2};
    for (size_t i = 0; i < sizeof secret_names / sizeof secret_names[0]; i++)
        if (slice_equal_nocase(plain, slice_of(secret_names[i])))
            return true;
    return false;
}

/* A copy that failed shows in `good`, which is looked at once, at the end. */
struct copier {
    struct arena *arena;
    bool good;
};

static struct slice copy(struct copier *copier, struct slice text) {
    struct slice result = arena_copy(copier->arena, text);
    copier->good &= result.data || text.size == 0;
    return result;
}

static void *make_array(struct copier *copier, size_t count, size_t size) {
    void *array = arena_calloc(copier->arena, count, size);
    copier->good &= array != NULL;
    return array;
}

static bool is_shared(const struct memory_part *part) {
    return part->region.size > 0;
}

static const int64_t *copy_shape(struct copier *copier, const struct tensor *tensor) {
    int64_t *shape = make_array(copier, (size_t)tensor->rank, sizeof *shape);
    for (int i = 0; shape && i < tensor->rank; i++)
        shape[i] = tensor->shape[i];
    return shape;
}

static void copy_input(struct copier *copier, const struct tensor *tensor, bool body, struct record_tensor *ret) {
    ret->name = copy(copier, tensor->name);
    ret->datatype = slice_of(datatype_name(tensor->type));
    ret->shape = copy_shape(copier, tensor);
    ret->rank = (size_t)tensor->rank;
    ret->shared = is_shared(&tensor->part);
    ret->size = ret->shared ? tensor->part.size : tensor->data.size;
    ret->has_data = body && !ret->shared;
    if (ret->has_data)
        ret->data = copy(copier, tensor->data);
}

static void copy_inputs(struct copier *copier, const struct infer_request *request, bool bodies, struct record *ret) {
    struct record_tensor *inputs = make_array(copier, request->input_count, sizeof *inputs);
    for (size_t i = 0; inputs && i < request->input_count; i++)
        copy_input(copier, &request->inputs[i], bodies, &inputs[i]);
    ret->inputs = inputs;
    ret->input_count = request->input_count;
}

static void copy_outputs(struct copier *copier, const struct infer_request *request, struct record *ret) {
    struct record_output *outputs = make_array(copier, request->output_count, sizeof *outputs);
    for (size_t i = 0; outputs && i < request->output_count; i++)
        outputs[i] = (struct record_output){.name = copy(copier, request->outputs[i].name),
                                            .classification = request->outputs[i].classification,
                                            .shared = is_shared(&request->outputs[i].part)};
    ret->outputs = outputs;
    ret->output_count = request->output_count;
}

static struct record_parameter copy_parameter(struct copier *copier, const struct infer_parameter *from) {
    struct record_parameter to = {.name = copy(copier, from->name)};
    switch (from->kind) {
    case PARAMETER_BOOL:
        to.kind = RECORD_BOOL;
        to.value.boolean = from->value.boolean;
        break;
    case PARAMETER_INT:
        to.kind = RECORD_INT;
        to.value.integer = from->value.integer;
        break;
    case PARAMETER_UINT:
        to.kind = RECORD_UINT;
        to.value.unsigned_integer = from->value.unsigned_integer;
        break;
    case PARAMETER_DOUBLE:
        to.kind = RECORD_DOUBLE;
        to.value.real = from->value.real;
        break;
    case PARAMETER_STRING:
        to.kind = RECORD_STRING;
        to.value.string = copy(copier, from->value.string);
        break;
    }
    return to;
}

static void copy_parameters(struct copier *copier, const struct infer_request *request, struct record *ret) {
    struct record_parameter *parameters = make_array(copier, request->parameter_count, sizeof *parameters);
    for (size_t i = 0; parameters && i < request->parameter_count; i++) {
        const struct infer_parameter *parameter = &request->parameters[i];
        if (!parameter->forwarded && !is_secret(parameter->name))
            parameters[ret->parameter_count++] = copy_parameter(copier, parameter);
    }
    ret->parameters = parameters;
}

static void copy_request(struct copier *copier, const struct infer_call *call, const struct recorder *recorder,
                         struct record *ret) {
    const struct infer_request *request = call->request;
    uint64_t received_ns = request->times.received;
    ret->at_ns = received_ns > recorder->started_ns ? received_ns - recorder->started_ns : 0;
    ret->protocol = slice_of(call->protocol);
    ret->model = copy(copier, request->model_name);
    if (request->model_version >= 0)
        ret->version = arena_u64(copier->arena, (uint64_t)request->model_version);
    ret->id = copy(copier, request->id);
    ret->priority = request->priority;
    ret->timeout_us = request->timeout_us;
    ret->sequence = (struct record_sequence){.number = request->sequence.number,
                                             .text = copy(copier, request->sequence.string),
                                             .start = request->sequence_flags & SEQUENCE_START,
                                             .end = request->sequence_flags & SEQUENCE_END};
    copy_inputs(copier, request, recorder->options.bodies, ret);
    copy_outputs(copier, request, ret);
    copy_parameters(copier, request, ret);
}

static size_t data_size(const struct infer_request *request) {
    size_t size = 0;
    for (size_t i = 0; i < request->input_count; i++)
        size += request->inputs[i].data.size; /* together they are parts of the body, or decoded from it */
    return size;
}

struct recorded *infer_record_make(const struct infer_call *call) {
    struct recorder *recorder = call->context->recorder;
    size_t data_bytes = recorder->options.bodies ? data_size(call->request) : 0;
    struct recorded *recorded = recorder_begin(recorder, data_bytes);
    if (!recorded)
        return NULL;
    struct copier copier = {.arena = recorded->arena, .good = true};
    copy_request(&copier, call, recorder, &recorded->record);
    if (copier.good)
        return recorded;
    recorder_discard(recorded);
    return NULL;
}
