/* v2_trace.c: the trace extension: which inferences are traced, told and changed while the server runs. */
#include <inttypes.h>

#include "api/v2_service.h"
#include "codec/inference_messages.h"
#include "trace/tracer.h"

/* ---- update ---- */

struct values {
    const struct slice *items;
    size_t count;
};

static struct status expected(const char *name, const char *what, struct values values) {
    if (values.count != 1)
        return status_error(STATUS_INVALID_ARGUMENT, "%s: expected %s, got %zu values", name, what, values.count);
    return status_error(STATUS_INVALID_ARGUMENT, "%s: expected %s, got '%.*s'", name, what,
                        SLICE_ARGS(values.items[0]));
}

/* No value clears a setting. */
static enum trace_change change_of(struct values values) {
    return values.count > 0 ? TRACE_SET : TRACE_CLEAR;
}

static struct status read_level(struct values values, struct trace_update *update) {
    update->level = change_of(values);
    update->values.level = TRACE_OFF;
    for (size_t i = 0; i < values.count; i++) {
        unsigned bit;
        if (!trace_level_from_name(values.items[i], &bit))
            return status_error(STATUS_INVALID_ARGUMENT, "trace_level: expected OFF, TIMESTAMPS or TENSORS, got '%.*s'",
                                SLICE_ARGS(values.items[i]));
        if (bit == TRACE_OFF && values.count > 1)
            return status_error(STATUS_INVALID_ARGUMENT, "Expect only one trace level 'OFF' is specified");
        update->values.level |= bit;
    }
    return status_ok();
}

static struct status read_u32(const char *name, struct values values, uint32_t *ret) {
    uint64_t number;
    if (values.count == 0)
        return status_ok();
    if (values.count != 1 || !slice_to_u64(values.items[0], &number) || number > UINT32_MAX)
        return expected(name, "one whole number from 0 to 4294967295", values);
    *ret = (uint32_t)number;
    return status_ok();
}

static struct status read_rate(struct values values, struct trace_update *update) {
    update->rate = change_of(values);
    return read_u32("trace_rate", values, &update->values.rate);
}

static struct status read_count(struct values values, struct trace_update *update) {
    int64_t number;
    update->count = change_of(values);
    if (values.count == 0)
        return status_ok();
    if (values.count != 1 || !slice_to_i64(values.items[0], &number) || number < -1 || number > INT32_MAX)
        return expected("trace_count", "one whole number from -1 to 2147483647", values);
    update->values.count = (int32_t)number;
    return status_ok();
}

static struct status read_log_frequency(struct values values, struct trace_update *update) {
    update->log_frequency = change_of(values);
    return read_u32("log_frequency", values, &update->values.log_frequency);
}

static struct status refuse_file(struct values values, struct trace_update *update) {
    (void)values, (void)update;
    return status_error(STATUS_UNSUPPORTED, "trace file location can not be updated through network protocol");
}

static struct status refuse_mode(struct values values, struct trace_update *update) {
    (void)values, (void)update;
    return status_error(STATUS_UNSUPPORTED, "trace mode can not be updated through network protocol");
}

/* Whether the values are the mode as it is, or none: what a client sends back of what it was told changes nothing. */
static bool is_same_mode(const struct trace_config *config, struct values values) {
    return values.count == 0 || (values.count == 1 && slice_equal_text(values.items[0], trace_mode_name(config->mode)));
}

static const struct setting {
    const char *name;
    struct status (*read)(struct values values, struct trace_update *update);
    bool (*changes_nothing)(const struct trace_config *config, struct values values); /* or NULL: always read */
} settings[] = {
    {"trace_level", read_level, NULL}, {"trace_rate", read_rate, NULL},
    {"trace_count", read_count, NULL}, {"log_frequency", read_log_frequency, NULL},
    {"trace_file", refuse_file, NULL}, {"trace_mode", refuse_mode, is_same_mode},
};

static const struct setting *find_setting(struct slice name) {
    for (size_t i = 0; i < sizeof settings / sizeof settings[0]; i++)
        if (slice_equal_text(name, settings[i].name))
            return &settings[i];
    return NULL;
}

bool v2_is_trace_setting(struct slice name) {
    return find_setting(name) != NULL;
}

static struct status read_update(const struct trace_config *config, const struct pb_trace_setting_request *request,
                                 struct trace_update *ret) {
    for (size_t i = 0; i < request->settings.count; i++) {
        const struct pb_trace_setting_request_settings_entry *entry = &request->settings.items[i];
        const struct setting *setting = find_setting(entry->key);
        const struct values values = {entry->value->value.items, entry->value->value.count};
        if (!setting || (setting->changes_nothing && setting->changes_nothing(config, values)))
            continue;
        STATUS_TRY(setting->read(values, ret));
    }
    return status_ok();
}

/* ---- answer ---- */

/* Builds the map of an answer; a failed allocation shows at the end. */
struct answer {
    struct arena *arena;
    struct pb_trace_setting_response *message;
    bool failed;
};

enum { ANSWER_MAX = 10 };

static void add(struct answer *answer, const char *name, const struct slice *values, size_t count) {
    struct pb_trace_setting_response_setting_value *value = arena_calloc(answer->arena, 1, sizeof *value);
    struct slice *copies = arena_calloc(answer->arena, count, sizeof *copies);
    if (!value || !copies) {
        answer->failed = true;
        return;
    }
    for (size_t i = 0; i < count; i++)
        copies[i] = values[i];
    value->value.items = copies;
    value->value.count = count;
    answer->message->settings.items[answer->message->settings.count].key = slice_of(name);
    answer->message->settings.items[answer->message->settings.count++].value = value;
}

static void add_text(struct answer *answer, const char *name, const char *text) {
    struct slice value = slice_of(text);
    add(answer, name, &value, 1);
}

static void add_number(struct answer *answer, const char *name, int64_t number) {
    const char *digits = arena_printf(answer->arena, "%" PRId64, number);
    answer->failed |= !digits;
    add_text(answer, name, digits);
}

static void add_level(struct answer *answer, unsigned level) {
    struct slice names[2];
    size_t count = 0;
    if (level == TRACE_OFF)
        names[count++] = SLICE_LITERAL("OFF");
    if (level & TRACE_TIMESTAMPS)
        names[count++] = SLICE_LITERAL("TIMESTAMPS");
    if (level & TRACE_TENSORS)
        names[count++] = SLICE_LITERAL("TENSORS");
    add(answer, "trace_level", names, count);
}

static struct status describe(const struct trace_config *config, const struct trace_settings *values,
                              struct arena *arena, struct pb_trace_setting_response *message) {
    struct answer answer = {arena, message, false};
    message->settings.items = arena_calloc(arena, ANSWER_MAX, sizeof *message->settings.items);
    if (!message->settings.items)
        return status_error(STATUS_RESOURCE_EXHAUSTED, "out of memory for the trace settings");
    add_level(&answer, values->level);
    add_number(&answer, "trace_rate", values->rate);
    add_number(&answer, "trace_count", values->count);
    if (config->mode == TRACE_MODE_TRITON) {
        add_number(&answer, "log_frequency", values->log_frequency);
        add_text(&answer, "trace_file", config->file);
    }
    add_text(&answer, "trace_mode", trace_mode_name(config->mode));
    if (config->mode == TRACE_MODE_OPENTELEMETRY) {
        add_text(&answer, "url", config->otlp.url);
        add_number(&answer, "bsp_max_queue_size", config->otlp.max_queue_size);
        add_number(&answer, "bsp_schedule_delay", config->otlp.schedule_delay_ms);
        add_number(&answer, "bsp_max_export_batch_size", config->otlp.max_export_batch_size);
    }
    if (answer.failed)
        return status_error(STATUS_RESOURCE_EXHAUSTED, "out of memory for the trace settings");
    return status_ok();
}

struct status v2_call_trace_setting(const struct api_context *context, const void *request, struct arena *arena,
                                    void *response, struct model **ret_pinned) {
    const struct pb_trace_setting_request *call = request;
    if (!context->tracer)
        return status_error(STATUS_SWITCHED_OFF, "the server does not support tracing");
    if (call->model_name.size > 0)
        STATUS_TRY(inference_server_acquire_model(context->server, call->model_name, -1, ret_pinned));
    struct trace_update update = {0};
    STATUS_TRY(read_update(tracer_config(context->tracer), call, &update));
    if (call->settings.count > 0)
        STATUS_TRY(tracer_update(context->tracer, call->model_name, &update));
    struct trace_settings values = tracer_settings(context->tracer, call->model_name);
    return describe(tracer_config(context->tracer), &values, arena, response);
}
