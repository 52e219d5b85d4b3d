#include "api/infer_parameters.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/clock.h"
#include "codec/json_write.h"

struct status infer_parameters_reserve(struct infer_request *request, size_t count) {
    request->parameter_count = 0;
    if (count == 0)
        return status_ok();
    request->parameters = arena_calloc(request->arena, count, sizeof *request->parameters);
    if (!request->parameters)
        return status_error(STATUS_RESOURCE_EXHAUSTED, "out of memory for %zu request parameters", count);
    return status_ok();
}

void infer_parameter_describe(const struct infer_parameter *parameter, char *text, size_t size) {
    char digits[JSON_NUMBER_MAX];
    switch (parameter->kind) {
    case PARAMETER_BOOL:
        snprintf(text, size, "the bool %s", parameter->value.boolean ? "true" : "false");
        break;
    case PARAMETER_INT:
        snprintf(text, size, "the integer %" PRId64, parameter->value.integer);
        break;
    case PARAMETER_UINT:
        snprintf(text, size, "the integer %" PRIu64, parameter->value.unsigned_integer);
        break;
    case PARAMETER_DOUBLE:
        snprintf(text, size, "the number %.*s", (int)json_format_double(digits, parameter->value.real), digits);
        break;
    case PARAMETER_STRING:
        snprintf(text, size, "the string '%.*s'", SLICE_ARGS(parameter->value.string));
        break;
    }
}

bool infer_parameter_as_u64(const struct infer_parameter *parameter, uint64_t *ret) {
    if (parameter->kind == PARAMETER_UINT) {
        *ret = parameter->value.unsigned_integer;
        return true;
    }
    if (parameter->kind == PARAMETER_INT && parameter->value.integer >= 0) {
        *ret = (uint64_t)parameter->value.integer;
        return true;
    }
    return false;
}

static struct status wrong_kind(const struct infer_parameter *parameter, const char *expected) {
    char got[128];
    infer_parameter_describe(parameter, got, sizeof got);
    return status_error(STATUS_INVALID_ARGUMENT, "parameter '%.*s': expected %s, got %s", SLICE_ARGS(parameter->name),
                        expected, got);
}

static struct status set_sequence_text(struct infer_request *request, struct slice text) {
    if (text.size > SEQUENCE_ID_MAX) /* in Triton's words */
        return status_error(STATUS_UNSUPPORTED, "string correlation ID cannot be longer than %d characters, got %zu",
                            SEQUENCE_ID_MAX, text.size);
    if (text.size > 0) {
        request->sequence.kind = SEQUENCE_STRING;
        request->sequence.string = text;
    }
    return status_ok();
}

/* A negative number stands for its 64 bits: gRPC's clients have a signed field for what is an unsigned id. */
static struct status set_sequence_id(struct infer_request *request, const struct infer_parameter *p, uint64_t now_ns) {
    (void)now_ns;
    if (p->kind == PARAMETER_STRING)
        return set_sequence_text(request, p->value.string);
    if (p->kind != PARAMETER_INT && p->kind != PARAMETER_UINT)
        return wrong_kind(p, "a string or an integer");
    uint64_t number = p->kind == PARAMETER_INT ? (uint64_t)p->value.integer : p->value.unsigned_integer;
    if (number > 0) {
        request->sequence.kind = SEQUENCE_NUMBER;
        request->sequence.number = number;
    }
    return status_ok();
}

static struct status set_sequence_flag(struct infer_request *request, const struct infer_parameter *p, uint32_t flag) {
    if (p->kind != PARAMETER_BOOL)
        return wrong_kind(p, "true or false");
    if (p->value.boolean)
        request->sequence_flags |= flag;
    return status_ok();
}

static struct status set_sequence_start(struct infer_request *request, const struct infer_parameter *p,
                                        uint64_t now_ns) {
    (void)now_ns;
    return set_sequence_flag(request, p, SEQUENCE_START);
}

static struct status set_sequence_end(struct infer_request *request, const struct infer_parameter *p, uint64_t now_ns) {
    (void)now_ns;
    return set_sequence_flag(request, p, SEQUENCE_END);
}

static struct status set_priority(struct infer_request *request, const struct infer_parameter *p, uint64_t now_ns) {
    (void)now_ns;
    if (!infer_parameter_as_u64(p, &request->priority))
        return wrong_kind(p, "an integer of 0 or more");
    return status_ok();
}

static struct status set_timeout(struct infer_request *request, const struct infer_parameter *p, uint64_t now_ns) {
    uint64_t microseconds, deadline;
    if (p->kind == PARAMETER_INT && p->value.integer < 0)
        return status_ok(); /* none, as with Triton, to which it is a number of microseconds beyond any clock */
    if (!infer_parameter_as_u64(p, &microseconds))
        return wrong_kind(p, "microseconds, an integer");
    request->timeout_us = microseconds;
    if (microseconds == 0)
        return status_ok();
    /* So far away that it cannot be told in nanoseconds: no deadline. */
    if (__builtin_mul_overflow(microseconds, NS_PER_US, &deadline) ||
        __builtin_add_overflow(deadline, now_ns, &deadline))
        return status_ok();
    if (request->deadline_ns == 0 || deadline < request->deadline_ns) {
        request->deadline_ns = deadline;
        request->deadline_code = STATUS_UNAVAILABLE;
    }
    return status_ok();
}

static struct status refuse_reserved(struct infer_request *request, const struct infer_parameter *p, uint64_t now_ns) {
    (void)request, (void)now_ns;
    return status_error(STATUS_INVALID_ARGUMENT, "parameter '%.*s' is reserved and must not be given by a client",
                        SLICE_ARGS(p->name));
}

static const struct well_known {
    const char *name;
    struct status (*set)(struct infer_request *request, const struct infer_parameter *parameter, uint64_t now_ns);
} well_known[] = {
    {"sequence_id", set_sequence_id},   {"sequence_start", set_sequence_start},
    {"sequence_end", set_sequence_end}, {"priority", set_priority},
    {"timeout", set_timeout},           {"headers", refuse_reserved},
};

static const struct well_known *find_well_known(struct slice name) {
    for (size_t i = 0; i < sizeof well_known / sizeof well_known[0]; i++)
        if (slice_equal_text(name, well_known[i].name))
            return &well_known[i];
    return NULL;
}

bool infer_parameter_is_reserved(struct slice name) {
    return find_well_known(name) || slice_starts_with(name, SLICE_LITERAL("triton_")) ||
           slice_equal_text(name, "binary_data_output");
}

struct status infer_parameters_apply(struct infer_request *request, const struct infer_parameter *parameter,
                                     uint64_t now_ns) {
    const struct well_known *known = find_well_known(parameter->name);
    if (known)
        return known->set(request, parameter, now_ns);
    if (slice_starts_with(parameter->name, SLICE_LITERAL("triton_")))
        return refuse_reserved(request, parameter, now_ns);
    request->parameters[request->parameter_count++] = *parameter;
    return status_ok();
}

static const char *list_of(const struct tensor_parameters *parameters) {
    return parameters->of_output ? "outputs" : "inputs";
}

static struct status wrong_member(const struct tensor_parameters *parameters, const struct infer_parameter *parameter,
                                  size_t index, const char *expected) {
    char got[128];
    infer_parameter_describe(parameter, got, sizeof got);
    return status_error(STATUS_INVALID_ARGUMENT, "%s[%zu].parameters.%.*s: expected %s, got %s", list_of(parameters),
                        index, SLICE_ARGS(parameter->name), expected, got);
}

static struct status set_classification(struct tensor_parameters *parameters, const struct infer_parameter *p,
                                        size_t index) {
    uint64_t count;
    if (!infer_parameter_as_u64(p, &count) || count == 0 || count > UINT32_MAX)
        return wrong_member(parameters, p, index, "an integer in 1..4294967295");
    parameters->classification = count;
    return status_ok();
}

static struct status set_region(struct tensor_parameters *parameters, const struct infer_parameter *p, size_t index) {
    if (p->kind != PARAMETER_STRING || p->value.string.size == 0)
        return wrong_member(parameters, p, index, "the name of a region, a string that is not empty");
    parameters->part.region = p->value.string;
    return status_ok();
}

static struct status set_offset(struct tensor_parameters *parameters, const struct infer_parameter *p, size_t index) {
    if (!infer_parameter_as_u64(p, &parameters->part.offset))
        return wrong_member(parameters, p, index, "bytes, an integer of 0 or more");
    parameters->has_offset = true;
    return status_ok();
}

static struct status set_size(struct tensor_parameters *parameters, const struct infer_parameter *p, size_t index) {
    if (!infer_parameter_as_u64(p, &parameters->part.size))
        return wrong_member(parameters, p, index, "bytes, an integer of 0 or more");
    parameters->has_size = true;
    return status_ok();
}

static const struct tensor_row {
    const char *name;
    bool of_inputs; /* not of outputs alone */
    struct status (*set)(struct tensor_parameters *parameters, const struct infer_parameter *parameter, size_t index);
} tensor_rows[] = {
    {"classification", false, set_classification},
    {"shared_memory_region", true, set_region},
    {"shared_memory_offset", true, set_offset},
    {"shared_memory_byte_size", true, set_size},
};

static const struct tensor_row *find_tensor_row(const struct tensor_parameters *parameters, struct slice name) {
    for (size_t i = 0; i < sizeof tensor_rows / sizeof tensor_rows[0]; i++)
        if (slice_equal_text(name, tensor_rows[i].name))
            return parameters->of_output || tensor_rows[i].of_inputs ? &tensor_rows[i] : NULL;
    return NULL;
}

bool tensor_parameter_is_known(const struct tensor_parameters *parameters, struct slice name) {
    return find_tensor_row(parameters, name) != NULL;
}

struct status tensor_parameters_apply(struct tensor_parameters *parameters, const struct infer_parameter *parameter,
                                      size_t index) {
    const struct tensor_row *row = find_tensor_row(parameters, parameter->name);
    return row ? row->set(parameters, parameter, index) : status_ok();
}

struct status tensor_parameters_check(const struct tensor_parameters *parameters, size_t index) {
    const char *list = list_of(parameters);
    bool region = parameters->part.region.size > 0;
    if (!region && (parameters->has_offset || parameters->has_size))
        return status_error(STATUS_INVALID_ARGUMENT,
                            "%s[%zu].parameters.%s: expected shared_memory_region with it, got none", list, index,
                            parameters->has_size ? "shared_memory_byte_size" : "shared_memory_offset");
    if (region && !parameters->has_size)
        return status_error(STATUS_INVALID_ARGUMENT,
                            "%s[%zu].parameters.shared_memory_region: expected shared_memory_byte_size with it, got "
                            "none",
                            list, index);
    if (region && parameters->classification > 0)
        return status_error(STATUS_INVALID_ARGUMENT,
                            "%s[%zu].parameters: classification and shared_memory_region exclude each other", list,
                            index);
    return status_ok();
}
