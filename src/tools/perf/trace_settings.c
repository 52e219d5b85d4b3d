#include "tools/perf/trace_settings.h"

/* Adds a setting whose value is a number. */
static struct status add_number(struct arena *arena, const char *name, int64_t value, struct infer_setting *changes,
                                size_t *count) {
    struct slice *text = arena_calloc(arena, 1, sizeof *text);
    char *digits = arena_printf(arena, "%lld", (long long)value);
    if (text == NULL || digits == NULL)
        return status_error(STATUS_RESOURCE_EXHAUSTED, "out of memory");
    *text = slice_of(digits);
    changes[(*count)++] = (struct infer_setting){slice_of(name), text, 1};
    return status_ok();
}

static struct status take_changes(const struct perf_options *options, struct arena *arena,
                                  struct infer_setting changes[static TRACE_SETTINGS_MAX], size_t *count) {
    struct slice *levels = arena_calloc(arena, options->trace_levels.count, sizeof *levels);
    if (levels == NULL)
        return status_error(STATUS_RESOURCE_EXHAUSTED, "out of memory");
    for (size_t i = 0; i < options->trace_levels.count; i++)
        levels[i] = slice_of(options->trace_levels.items[i]);
    if (options->trace_levels.count > 0)
        changes[(*count)++] = (struct infer_setting){SLICE_LITERAL("trace_level"), levels, options->trace_levels.count};
    if (options->trace_rate_given)
        STATUS_TRY(add_number(arena, "trace_rate", options->trace_rate, changes, count));
    if (options->trace_count_given)
        STATUS_TRY(add_number(arena, "trace_count", options->trace_count, changes, count));
    if (options->log_frequency_given)
        STATUS_TRY(add_number(arena, "log_frequency", options->log_frequency, changes, count));
    return status_ok();
}

static const struct infer_setting *find(const struct infer_setting *settings, size_t count, struct slice name) {
    for (size_t i = 0; i < count; i++) {
        if (slice_equal(settings[i].name, name) && settings[i].value_count > 0)
            return &settings[i];
    }
    return NULL;
}

struct status trace_settings_change(const struct perf_options *options, struct driver *driver, struct arena *arena,
                                    struct trace_settings *ret) {
    struct infer_setting changes[TRACE_SETTINGS_MAX];
    const struct infer_setting *now;
    size_t count = 0, now_count = 0;
    *ret = (struct trace_settings){0};
    STATUS_TRY(take_changes(options, arena, changes, &count));
    if (count == 0)
        return status_ok();
    if (driver->ops->trace_settings == NULL)
        return status_error(STATUS_UNSUPPORTED, "--trace-level: this kind of server has no trace settings");
    STATUS_TRY(driver->ops->trace_settings(driver, NULL, 0, arena, &now, &now_count));
    for (size_t i = 0; i < count; i++) {
        const struct infer_setting *before = find(now, now_count, changes[i].name);
        if (before != NULL)
            ret->before[ret->count++] = *before;
    }
    ret->driver = driver; /* an answer that is lost does not mean that nothing has changed */
    return driver->ops->trace_settings(driver, changes, count, arena, &now, &now_count);
}

struct status trace_settings_restore(struct trace_settings *settings, struct arena *arena) {
    const struct infer_setting *now;
    size_t count;
    struct driver *driver = settings->driver;
    settings->driver = NULL;
    if (driver == NULL || settings->count == 0)
        return status_ok();
    struct status status = driver->ops->trace_settings(driver, settings->before, settings->count, arena, &now, &count);
    return status_is_ok(&status) ? status : status_prefix(status, "the trace settings could not be put back");
}
