/* v2_logging.c: the logging extension: what the log writes, told and changed while the server runs. */
#include "api/v2_service.h"
#include "codec/inference_messages.h"

/* Numbers of the members of a setting's oneof, the same in request and response. */
enum { BOOL_PARAM = 1, UINT32_PARAM, STRING_PARAM };

enum setting { LOG_FILE, LOG_INFO_LINES, LOG_WARNING_LINES, LOG_ERROR_LINES, LOG_VERBOSE_LEVEL, LOG_FORMAT };

/* In the order of the answer. */
static const struct {
    const char *name;
    uint32_t kind;
    const char *expected; /* for messages */
} settings[] = {
    [LOG_FILE] = {"log_file", STRING_PARAM, "a string"},
    [LOG_INFO_LINES] = {"log_info", BOOL_PARAM, "true or false"},
    [LOG_WARNING_LINES] = {"log_warning", BOOL_PARAM, "true or false"},
    [LOG_ERROR_LINES] = {"log_error", BOOL_PARAM, "true or false"},
    [LOG_VERBOSE_LEVEL] = {"log_verbose_level", UINT32_PARAM, "an integer from 0 to 2147483647"},
    [LOG_FORMAT] = {"log_format", STRING_PARAM, "default, ISO8601 or json"},
};
enum { SETTING_COUNT = sizeof settings / sizeof settings[0] };

/* False for a name that is none of the settings: those are ignored, as the protocol wants. */
static bool find_setting(struct slice name, enum setting *ret) {
    for (size_t i = 0; i < SETTING_COUNT; i++) {
        if (slice_equal_text(name, settings[i].name)) {
            *ret = (enum setting)i;
            return true;
        }
    }
    return false;
}

static struct status check(enum setting setting, const struct pb_log_settings_request_setting_value *value) {
    enum log_format format;
    if (setting == LOG_FILE)
        return status_error(STATUS_UNSUPPORTED, "log file location can not be updated through network protocol");
    if (value->which_parameter_choice != settings[setting].kind ||
        (setting == LOG_VERBOSE_LEVEL && value->uint32_param > INT32_MAX))
        return status_error(STATUS_INVALID_ARGUMENT, "%s: expected %s", settings[setting].name,
                            settings[setting].expected);
    if (setting == LOG_FORMAT && !log_format_from_name(value->string_param, &format))
        return status_error(STATUS_INVALID_ARGUMENT, "log_format: expected %s, got '%.*s'", settings[setting].expected,
                            SLICE_ARGS(value->string_param));
    return status_ok();
}

/* The value has been checked. */
static void apply(struct log *log, enum setting setting, const struct pb_log_settings_request_setting_value *value) {
    enum log_format format = LOG_FORMAT_DEFAULT;
    switch (setting) {
    case LOG_FILE:
        break;
    case LOG_INFO_LINES:
        atomic_store(&log->info, value->bool_param);
        break;
    case LOG_WARNING_LINES:
        atomic_store(&log->warning, value->bool_param);
        break;
    case LOG_ERROR_LINES:
        atomic_store(&log->error, value->bool_param);
        break;
    case LOG_VERBOSE_LEVEL:
        atomic_store(&log->verbose, (int)value->uint32_param);
        break;
    case LOG_FORMAT:
        if (log_format_from_name(value->string_param, &format))
            atomic_store(&log->format, (int)format);
        break;
    }
}

/* All or nothing: a wrong value changes none of the others. */
static struct status update(struct log *log, const struct pb_log_settings_request *request) {
    enum setting setting;
    for (size_t i = 0; i < request->settings.count; i++)
        if (find_setting(request->settings.items[i].key, &setting))
            STATUS_TRY(check(setting, request->settings.items[i].value));
    for (size_t i = 0; i < request->settings.count; i++)
        if (find_setting(request->settings.items[i].key, &setting))
            apply(log, setting, request->settings.items[i].value);
    return status_ok();
}

static void describe(const struct log *log, enum setting setting, struct pb_log_settings_response_setting_value *ret) {
    ret->which_parameter_choice = settings[setting].kind;
    switch (setting) {
    case LOG_FILE:
        ret->string_param = slice_of(log->path);
        break;
    case LOG_INFO_LINES:
        ret->bool_param = atomic_load(&log->info);
        break;
    case LOG_WARNING_LINES:
        ret->bool_param = atomic_load(&log->warning);
        break;
    case LOG_ERROR_LINES:
        ret->bool_param = atomic_load(&log->error);
        break;
    case LOG_VERBOSE_LEVEL:
        ret->uint32_param = (uint32_t)atomic_load(&log->verbose);
        break;
    case LOG_FORMAT:
        ret->string_param = slice_of(log_format_name((enum log_format)atomic_load(&log->format)));
        break;
    }
}

struct status v2_call_log_settings(const struct api_context *context, const void *request, struct arena *arena,
                                   void *response, struct model **ret_pinned) {
    (void)ret_pinned;
    struct pb_log_settings_response *answer = response;
    STATUS_TRY(update(context->log, request));
    struct pb_log_settings_response_setting_value *values = arena_calloc(arena, SETTING_COUNT, sizeof *values);
    answer->settings.items = arena_calloc(arena, SETTING_COUNT, sizeof *answer->settings.items);
    if (!values || !answer->settings.items)
        return status_error(STATUS_RESOURCE_EXHAUSTED, "out of memory for the log settings");
    answer->settings.count = SETTING_COUNT;
    for (size_t i = 0; i < SETTING_COUNT; i++) {
        describe(context->log, (enum setting)i, &values[i]);
        answer->settings.items[i].key = slice_of(settings[i].name);
        answer->settings.items[i].value = &values[i];
    }
    return status_ok();
}
