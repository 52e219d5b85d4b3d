#include "backends/identity/identity.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <time.h>

#include "backends/identity/response_plan.h"
#include "backends/identity/sequence_output.h"
#include "base/clock.h"
#include "core/config_parameters.h"

/* Longest sleep between two looks at whether the requests have been cancelled. */
#define NAP_NS (2 * NS_PER_MS)
#define DELAY_MAX_MS 600000.0

struct identity_model {
    const struct model_config *config;
    uint64_t delay_ns;
    uint64_t fail_requests_every, fail_executions_every; /* 0: never */
    struct response_plan plan;                           /* of decoupled ones */
    const struct model_output *sequence_output;          /* or NULL */
};

struct identity_instance {
    const struct identity_model *model;
    uint64_t requests, executions; /* so far */
};

/* --- Load: parameters and tensors --- */

/* 0 where the config has no such parameter. */
static struct status parse_delay(const struct model_config *config, const char *parameter, uint64_t *ret_ns) {
    double ms;
    struct slice text = SLICE_LITERAL("0");
    (void)model_config_parameter(config, parameter, &text);
    if (!slice_to_double(text, &ms) || !(ms >= 0 && ms <= DELAY_MAX_MS))
        return status_error(STATUS_INVALID_ARGUMENT, "parameter %s must be a number from 0 to %.0f, got '%.*s'",
                            parameter, DELAY_MAX_MS, SLICE_ARGS(text));
    *ret_ns = (uint64_t)(ms * (double)NS_PER_MS);
    return status_ok();
}

static struct status parse_every(const char *parameter, struct slice text, uint64_t *ret) {
    struct slice word, number;
    if (!slice_split(text, ':', &word, &number) || !slice_equal_text(word, "every_n") || !slice_to_u64(number, ret) ||
        *ret == 0)
        return status_error(STATUS_INVALID_ARGUMENT, "parameter %s must be 'every_n:N' with N from 1, got '%.*s'",
                            parameter, SLICE_ARGS(text));
    return status_ok();
}

static struct status parse_parameters(struct identity_model *model) {
    static const char *const known[] = {"execute_delay_ms",      "fail_requests", "fail_executions",
                                        "load_delay_ms",         "fail_load",     SEQUENCE_OUTPUT_PARAMETER,
                                        RESPONSE_PLAN_PARAMETERS};
    STATUS_TRY(config_parameters_check(model->config, "identity", known, sizeof known / sizeof known[0]));
    struct slice value;
    STATUS_TRY(parse_delay(model->config, "execute_delay_ms", &model->delay_ns));
    if (model_config_parameter(model->config, "fail_requests", &value))
        STATUS_TRY(parse_every("fail_requests", value, &model->fail_requests_every));
    if (model_config_parameter(model->config, "fail_executions", &value))
        STATUS_TRY(parse_every("fail_executions", value, &model->fail_executions_every));
    return response_plan_parse(model->config, &model->plan);
}

/* What a load is made to be like. */
static struct status act_load(const struct model_config *config) {
    uint64_t delay_ns;
    struct slice failure;
    STATUS_TRY(parse_delay(config, "load_delay_ms", &delay_ns));
    struct timespec delay = {.tv_sec = (time_t)(delay_ns / NS_PER_S), .tv_nsec = (long)(delay_ns % NS_PER_S)};
    while (clock_nanosleep(CLOCK_MONOTONIC, 0, &delay, &delay) == EINTR)
        continue;
    if (model_config_parameter(config, "fail_load", &failure))
        return status_error(STATUS_INTERNAL, "%.*s", SLICE_ARGS(failure));
    return status_ok();
}

/* What the engine sees of a tensor: its reshape, where it has one. */
static const int64_t *input_dims(const struct model_input *input, int *ret_rank) {
    *ret_rank = input->reshaped ? input->reshape_rank : input->rank;
    return input->reshaped ? input->reshape_dims : input->dims;
}

static const int64_t *output_dims(const struct model_output *output, int *ret_rank) {
    *ret_rank = output->reshaped ? output->reshape_rank : output->rank;
    return output->reshaped ? output->reshape_dims : output->dims;
}

static struct status check_pair(const struct model_input *input, const struct model_output *output) {
    if (input->type != output->type)
        return status_error(STATUS_INVALID_ARGUMENT, "output '%.*s' must be %s, as input '%.*s' that it copies, not %s",
                            SLICE_ARGS(output->name), datatype_config_name(input->type), SLICE_ARGS(input->name),
                            datatype_config_name(output->type));
    int from_rank, to_rank;
    const int64_t *from = input_dims(input, &from_rank), *to = output_dims(output, &to_rank);
    bool fits = from_rank == to_rank;
    for (int i = 0; i < from_rank && fits; i++)
        fits = to[i] == from[i] || to[i] == -1;
    if (fits)
        return status_ok();
    char expected[128], got[128];
    shape_format(from, from_rank, expected, sizeof expected);
    shape_format(to, to_rank, got, sizeof got);
    return status_error(STATUS_INVALID_ARGUMENT,
                        "output '%.*s' must have the dims %s of input '%.*s' that it copies, not %s",
                        SLICE_ARGS(output->name), expected, SLICE_ARGS(input->name), got);
}

static struct status check_tensors(const struct model_config *config, const struct model_output *sequence) {
    if (config->input_count + (sequence ? 1 : 0) != config->output_count)
        return status_error(STATUS_INVALID_ARGUMENT,
                            "backend 'identity' needs as many outputs as inputs%s: the config has %zu inputs and %zu "
                            "outputs",
                            sequence ? ", and the one that " SEQUENCE_OUTPUT_PARAMETER " names" : "",
                            config->input_count, config->output_count);
    for (size_t i = 0; i < config->input_count; i++)
        STATUS_TRY(check_pair(&config->inputs[i], &config->outputs[i]));
    return status_ok();
}

static struct status identity_load(void *backend, const struct backend_model_args *args, void **ret_model) {
    (void)backend;
    struct identity_model model = {.config = args->config};
    STATUS_TRY(sequence_output_find(args->config, &model.sequence_output));
    STATUS_TRY(check_tensors(args->config, model.sequence_output));
    STATUS_TRY(parse_parameters(&model));
    STATUS_TRY(act_load(args->config));
    struct identity_model *copy = malloc(sizeof *copy);
    if (!copy)
        return status_error(STATUS_RESOURCE_EXHAUSTED, "no memory for an identity model");
    *copy = model;
    *ret_model = copy;
    return status_ok();
}

static void identity_unload(void *model) {
    free(model);
}

/* Copying is quick, sleeping is not; the requests of a decoupled model may ask for that, and for many responses. */
static bool identity_is_quick(const void *model) {
    const struct identity_model *identity = model;
    return identity->delay_ns == 0 && !identity->config->decoupled;
}

static struct status identity_instance_create(void *model, int index, void **ret_instance) {
    (void)index;
    struct identity_instance *instance = calloc(1, sizeof *instance);
    if (!instance)
        return status_error(STATUS_RESOURCE_EXHAUSTED, "no memory for an identity instance");
    instance->model = model;
    *ret_instance = instance;
    return status_ok();
}

static void identity_instance_destroy(void *instance) {
    free(instance);
}

/* --- Execution --- */

/* Sleeps the delay, in naps; false when all of the requests have been cancelled meanwhile. */
static bool sleep_delay(uint64_t delay_ns, struct infer_request *const *requests, size_t count) {
    uint64_t now_ns = clock_monotonic_ns(), end_ns = now_ns + delay_ns;
    while (now_ns < end_ns) {
        size_t cancelled = 0;
        for (size_t i = 0; i < count; i++)
            cancelled += atomic_load(&requests[i]->cancelled);
        if (cancelled == count)
            return false;
        uint64_t until_ns = end_ns - now_ns > NAP_NS ? now_ns + NAP_NS : end_ns;
        struct timespec until = {.tv_sec = (time_t)(until_ns / NS_PER_S), .tv_nsec = (long)(until_ns % NS_PER_S)};
        clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, NULL);
        now_ns = clock_monotonic_ns();
    }
    return true;
}

static void add_parameter(struct infer_response *response, struct infer_parameter parameter) {
    response->parameters[response->parameter_count++] = parameter;
}

/* A number goes back as the signed one that it came as, where it fits. */
static struct infer_parameter sequence_parameter(struct infer_response *response, const struct sequence_id *id) {
    struct infer_parameter parameter = {.name = SLICE_LITERAL("sequence_id"), .kind = PARAMETER_STRING};
    if (id->kind == SEQUENCE_STRING) {
        parameter.value.string = arena_copy(response->arena, id->string);
    } else if (id->number <= INT64_MAX) {
        parameter.kind = PARAMETER_INT;
        parameter.value.integer = (int64_t)id->number;
    } else {
        parameter.kind = PARAMETER_UINT;
        parameter.value.unsigned_integer = id->number;
    }
    return parameter;
}

static void echo_sequence(const struct infer_request *request, struct infer_response *response) {
    if (request->sequence.kind == SEQUENCE_NONE)
        return;
    add_parameter(response, sequence_parameter(response, &request->sequence));
    add_parameter(response, (struct infer_parameter){.name = SLICE_LITERAL("sequence_start"),
                                                     .kind = PARAMETER_BOOL,
                                                     .value.boolean = request->sequence_flags & SEQUENCE_START});
    add_parameter(response, (struct infer_parameter){.name = SLICE_LITERAL("sequence_end"),
                                                     .kind = PARAMETER_BOOL,
                                                     .value.boolean = request->sequence_flags & SEQUENCE_END});
}

static struct status no_memory_for_parameters(void) {
    return status_error(STATUS_RESOURCE_EXHAUSTED, "no memory for response parameters");
}

/* A copy with memory of its own, for a response may outlive its request. */
static struct status echo_parameter(const struct infer_parameter *from, struct infer_response *response) {
    struct infer_parameter copy = *from;
    copy.name = arena_copy(response->arena, from->name);
    bool copied = copy.name.size == from->name.size;
    if (from->kind == PARAMETER_STRING) {
        copy.value.string = arena_copy(response->arena, from->value.string);
        copied &= copy.value.string.size == from->value.string.size;
    }
    if (!copied)
        return no_memory_for_parameters();
    add_parameter(response, copy);
    return status_ok();
}

static struct status echo_parameters(const struct infer_request *request, struct infer_response *response) {
    enum { OF_SEQUENCE = 3 };
    if (request->parameter_count == 0 && request->sequence.kind == SEQUENCE_NONE)
        return status_ok();
    response->parameters =
        arena_calloc(response->arena, request->parameter_count + OF_SEQUENCE, sizeof *response->parameters);
    if (!response->parameters)
        return no_memory_for_parameters();
    echo_sequence(request, response);
    for (size_t i = 0; i < request->parameter_count; i++)
        STATUS_TRY(echo_parameter(&request->parameters[i], response));
    return status_ok();
}

static struct status fill_response(const struct identity_model *model, struct infer_request *request,
                                   struct infer_response *response) {
    const struct model_config *config = model->config;
    for (size_t i = 0; i < config->input_count; i++) {
        const struct tensor *input = infer_request_input(request, config->inputs[i].name);
        if (!input || !infer_request_wants(request, config->outputs[i].name))
            continue;
        STATUS_TRY(infer_response_add_copy(response, request, config->outputs[i].name, input));
    }
    STATUS_TRY(echo_parameters(request, response));
    if (!model->sequence_output)
        return status_ok();
    return sequence_output_add(config, model->sequence_output, request, response);
}

static struct status make_response(const struct identity_model *model, struct infer_request *request,
                                   struct infer_response **ret) {
    struct infer_response *response = infer_response_create(request, model->config->output_count);
    if (!response)
        return status_error(STATUS_RESOURCE_EXHAUSTED, "no memory for a response");
    struct status status = fill_response(model, request, response);
    if (!status_is_ok(&status)) {
        infer_response_destroy(response);
        return status;
    }
    *ret = response;
    return status_ok();
}

/* The responses of a decoupled model, up to an error or to the last; *ret_ended: with the last, the end was told. */
static struct status respond_as_planned(const struct identity_model *model, struct infer_request *request,
                                        bool *ret_ended) {
    struct response_plan plan = model->plan;
    STATUS_TRY(response_plan_adapt(&plan, request));
    for (uint32_t i = 0; i < plan.responses && !(plan.fails && i == plan.fail_after); i++) {
        if (!sleep_delay(plan.delay_ns, &request, 1) || atomic_load(&request->cancelled))
            return status_error(STATUS_CANCELLED, "request was cancelled during its execution");
        struct infer_response *response = NULL;
        STATUS_TRY(make_response(model, request, &response));
        *ret_ended = i + 1 == plan.responses && !plan.fails && !plan.separate_final;
        backend_respond(request, response, *ret_ended); /* nothing may touch an ended request */
    }
    if (plan.fails)
        return status_error(STATUS_INTERNAL, "identity fails after %u responses, as fail_after_responses asks",
                            (unsigned)plan.fail_after);
    return status_ok();
}

static void answer_decoupled(const struct identity_model *model, struct infer_request *request) {
    bool ended = false;
    struct status status = respond_as_planned(model, request, &ended);
    if (!status_is_ok(&status))
        backend_respond_error(request, status);
    else if (!ended)
        backend_finish(request);
}

static void answer(struct identity_instance *instance, struct infer_request *request) {
    const struct identity_model *model = instance->model;
    instance->requests++;
    if (model->fail_requests_every && instance->requests % model->fail_requests_every == 0) {
        backend_respond_error(request, status_error(STATUS_INTERNAL,
                                                    "identity fails every request number N * %" PRIu64
                                                    " of an instance, as fail_requests asks; this was number %" PRIu64,
                                                    model->fail_requests_every, instance->requests));
        return;
    }
    if (model->config->decoupled) {
        answer_decoupled(model, request);
        return;
    }
    struct infer_response *response = NULL;
    struct status status = make_response(model, request, &response);
    if (status_is_ok(&status))
        backend_respond(request, response, true);
    else
        backend_respond_error(request, status);
}

static struct status identity_execute(void *handle, const struct backend_batch *batch,
                                      struct backend_times *ret_times) {
    struct identity_instance *instance = handle;
    const struct identity_model *model = instance->model;
    instance->executions++;
    if (model->delay_ns && !sleep_delay(model->delay_ns, batch->requests, batch->count))
        return status_error(STATUS_CANCELLED, "request was cancelled during its execution");
    if (model->fail_executions_every && instance->executions % model->fail_executions_every == 0)
        return status_error(STATUS_INTERNAL,
                            "identity fails every execution number N * %" PRIu64
                            " of an instance, as fail_executions asks; this was number %" PRIu64,
                            model->fail_executions_every, instance->executions);
    /* Without a delay the copy is the model's work, and all of it. So is what a decoupled one does: between its
     * responses nothing can be told apart. */
    if (model->delay_ns && !model->config->decoupled)
        ret_times->output_start = clock_monotonic_ns();
    for (size_t i = 0; i < batch->count; i++)
        answer(instance, batch->requests[i]);
    return status_ok();
}

const struct backend_ops *identity_backend(void) {
    static const struct backend_ops ops = {
        .api_version = BACKEND_API_VERSION,
        .name = "identity",
        .description = "copies inputs to outputs",
        .load = identity_load,
        .unload = identity_unload,
        .instance_create = identity_instance_create,
        .instance_destroy = identity_instance_destroy,
        .ragged = true,
        .inputs_may_change = true, /* bytes are bytes */
        .is_quick = identity_is_quick,
        .execute = identity_execute,
    };
    return &ops;
}
