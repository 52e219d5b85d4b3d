#include "backends/identity/response_plan.h"

#include "base/clock.h"

enum { RESPONSES_MAX = 100000, DELAY_MAX_MS = 600000 };

static struct status bad_value(const char *name, const char *expected) {
    return status_error(STATUS_INVALID_ARGUMENT, "parameter %s must be %s", name, expected);
}

static struct status set_responses(struct response_plan *plan, double value) {
    if (!(value >= 0 && value <= RESPONSES_MAX) || value != (double)(uint32_t)value)
        return bad_value("responses", "a whole number from 0 to 100000");
    plan->responses = (uint32_t)value;
    return status_ok();
}

static struct status set_delay(struct response_plan *plan, double value) {
    if (!(value >= 0 && value <= DELAY_MAX_MS))
        return bad_value("response_delay_ms", "a number from 0 to 600000");
    plan->delay_ns = (uint64_t)(value * (double)NS_PER_MS);
    return status_ok();
}

static struct status set_fail_after(struct response_plan *plan, double value) {
    if (!(value >= 0 && value <= RESPONSES_MAX) || value != (double)(uint32_t)value)
        return bad_value("fail_after_responses", "a whole number from 0 to 100000");
    plan->fails = true;
    plan->fail_after = (uint32_t)value;
    return status_ok();
}

static struct status set_separate_final(struct response_plan *plan, double value) {
    if (value != 0 && value != 1)
        return bad_value("separate_final", "true or false");
    plan->separate_final = value == 1;
    return status_ok();
}

static const struct {
    const char *name;
    struct status (*set)(struct response_plan *plan, double value);
} parameters[] = {
    {"responses", set_responses},
    {"response_delay_ms", set_delay},
    {"fail_after_responses", set_fail_after},
    {"separate_final", set_separate_final},
};

enum { PARAMETER_COUNT = sizeof parameters / sizeof parameters[0] };

/* Values that are no number become one that no setter takes. */
static double number_of_text(struct slice text) {
    double number;
    if (slice_equal_text(text, "true") || slice_equal_text(text, "false"))
        return slice_equal_text(text, "true");
    return slice_to_double(text, &number) ? number : -1;
}

static double number_of(const struct infer_parameter *parameter) {
    switch (parameter->kind) {
    case PARAMETER_BOOL:
        return parameter->value.boolean;
    case PARAMETER_INT:
        return (double)parameter->value.integer;
    case PARAMETER_UINT:
        return (double)parameter->value.unsigned_integer;
    case PARAMETER_DOUBLE:
        return parameter->value.real;
    case PARAMETER_STRING:
        return number_of_text(parameter->value.string);
    }
    return -1;
}

struct status response_plan_parse(const struct model_config *config, struct response_plan *ret) {
    *ret = (struct response_plan){.responses = 1};
    for (size_t i = 0; i < PARAMETER_COUNT; i++) {
        struct slice text;
        if (!model_config_parameter(config, parameters[i].name, &text))
            continue;
        if (!config->decoupled)
            return status_error(STATUS_INVALID_ARGUMENT,
                                "parameter %s needs model_transaction_policy { decoupled: true }", parameters[i].name);
        STATUS_TRY(parameters[i].set(ret, number_of_text(text)));
    }
    return status_ok();
}

struct status response_plan_adapt(struct response_plan *plan, const struct infer_request *request) {
    for (size_t k = 0; k < request->parameter_count; k++)
        for (size_t i = 0; i < PARAMETER_COUNT; i++)
            if (slice_equal_text(request->parameters[k].name, parameters[i].name))
                STATUS_TRY(parameters[i].set(plan, number_of(&request->parameters[k])));
    return status_ok();
}
