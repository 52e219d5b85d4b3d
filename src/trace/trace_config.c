#include "trace/trace_config.h"

#include <inttypes.h>
#include <string.h>

struct trace_config trace_config_default(void) {
    return (struct trace_config){
        .settings = {.level = TRACE_OFF, .rate = 1000, .count = -1, .log_frequency = 0},
        .mode = TRACE_MODE_TRITON,
        .otlp = {.url = "http://localhost:4318/v1/traces",
                 .host = "localhost",
                 .port = "4318",
                 .path = "/v1/traces",
                 .max_queue_size = 2048,
                 .schedule_delay_ms = 5000,
                 .max_export_batch_size = 512},
    };
}

bool trace_level_from_name(struct slice name, unsigned *ret) {
    static const struct {
        const char *name;
        unsigned bit;
    } levels[] = {{"OFF", TRACE_OFF}, {"TIMESTAMPS", TRACE_TIMESTAMPS}, {"TENSORS", TRACE_TENSORS}};
    for (size_t i = 0; i < sizeof levels / sizeof levels[0]; i++) {
        if (slice_equal_text(name, levels[i].name)) {
            *ret = levels[i].bit;
            return true;
        }
    }
    return false;
}

const char *trace_mode_name(enum trace_mode mode) {
    return mode == TRACE_MODE_TRITON ? "triton" : "opentelemetry";
}

static struct status no_memory(void) {
    return status_error(STATUS_RESOURCE_EXHAUSTED, "no memory for the trace settings");
}

static struct status read_number(const char *name, struct slice text, uint32_t min, uint32_t *ret) {
    uint64_t number;
    if (!slice_to_u64(text, &number) || number < min || number > UINT32_MAX)
        return status_error(STATUS_INVALID_ARGUMENT,
                            "%s: expected a whole number from %" PRIu32 " to %" PRIu32 ", got '%.*s'", name, min,
                            UINT32_MAX, SLICE_ARGS(text));
    *ret = (uint32_t)number;
    return status_ok();
}

static struct status read_text(struct slice text, struct arena *arena, const char **ret) {
    *ret = arena_strdup(arena, text);
    return *ret ? status_ok() : no_memory();
}

/* ---- settings of both modes ---- */

static struct status set_level(struct trace_config *config, struct slice value, struct arena *arena) {
    (void)arena;
    unsigned bit;
    if (!trace_level_from_name(value, &bit))
        return status_error(STATUS_INVALID_ARGUMENT, "level: expected OFF, TIMESTAMPS or TENSORS, got '%.*s'",
                            SLICE_ARGS(value));
    config->settings.level = bit == TRACE_OFF ? TRACE_OFF : config->settings.level | bit;
    return status_ok();
}

static struct status set_rate(struct trace_config *config, struct slice value, struct arena *arena) {
    (void)arena;
    return read_number("rate", value, 0, &config->settings.rate);
}

static struct status set_count(struct trace_config *config, struct slice value, struct arena *arena) {
    (void)arena;
    int64_t number;
    if (!slice_to_i64(value, &number) || number < -1 || number > INT32_MAX)
        return status_error(STATUS_INVALID_ARGUMENT,
                            "count: expected a whole number from -1 to %" PRId32 ", got '%.*s'", INT32_MAX,
                            SLICE_ARGS(value));
    config->settings.count = (int32_t)number;
    return status_ok();
}

static struct status set_mode(struct trace_config *config, struct slice value, struct arena *arena) {
    (void)arena;
    for (int mode = TRACE_MODE_TRITON; mode <= TRACE_MODE_OPENTELEMETRY; mode++) {
        if (slice_equal_text(value, trace_mode_name((enum trace_mode)mode))) {
            config->mode = (enum trace_mode)mode;
            return status_ok();
        }
    }
    return status_error(STATUS_INVALID_ARGUMENT, "mode: expected triton or opentelemetry, got '%.*s'",
                        SLICE_ARGS(value));
}

/* ---- triton ---- */

static struct status set_file(struct trace_config *config, struct slice value, struct arena *arena) {
    if (value.size == 0)
        return status_error(STATUS_INVALID_ARGUMENT, "file: expected a path, got nothing");
    return read_text(value, arena, &config->file);
}

static struct status set_log_frequency(struct trace_config *config, struct slice value, struct arena *arena) {
    (void)arena;
    return read_number("log-frequency", value, 0, &config->settings.log_frequency);
}

/* ---- opentelemetry ---- */

static struct status bad_url(struct slice url, const char *why) {
    return status_error(STATUS_INVALID_ARGUMENT, "url: expected http://host:port/v1/traces, got '%.*s': %s",
                        SLICE_ARGS(url), why);
}

/* "host", "host:port", "[address]:port" */
static bool split_authority(struct slice authority, struct slice *ret_host, struct slice *ret_port) {
    if (slice_starts_with(authority, SLICE_LITERAL("["))) {
        struct slice rest;
        *ret_port = SLICE_LITERAL("80");
        if (!slice_split((struct slice){authority.data + 1, authority.size - 1}, ']', ret_host, &rest))
            return false;
        if (rest.size > 0 && rest.data[0] != ':')
            return false;
        if (rest.size > 0)
            *ret_port = (struct slice){rest.data + 1, rest.size - 1};
    } else {
        if (!slice_split(authority, ':', ret_host, ret_port))
            *ret_port = SLICE_LITERAL("80");
    }
    uint64_t port;
    return ret_host->size > 0 && slice_to_u64(*ret_port, &port) && port >= 1 && port <= 65535;
}

static struct status set_url(struct trace_config *config, struct slice value, struct arena *arena) {
    static const struct slice http = {"http://", 7};
    struct slice rest = value, authority, path, host, port;
    if (slice_starts_with(value, SLICE_LITERAL("https://")))
        return bad_url(value, "there is no TLS to collectors: put one beside the server");
    if (slice_starts_with(value, http))
        rest = (struct slice){value.data + http.size, value.size - http.size};
    for (size_t i = 0; i < rest.size; i++)
        if ((unsigned char)rest.data[i] <= ' ' || (unsigned char)rest.data[i] >= 0x7f)
            return bad_url(value, "it holds a blank or a character that is not ASCII");
    bool has_path = slice_split(rest, '/', &authority, &path) && path.size > 0;
    if (memchr(authority.data ? authority.data : "", '@', authority.size))
        return bad_url(value, "a user's name has no place in it");
    if (!split_authority(authority, &host, &port))
        return bad_url(value, "it needs a host, and a port from 1 to 65535");
    struct otlp_config *otlp = &config->otlp;
    STATUS_TRY(read_text(value, arena, &otlp->url));
    STATUS_TRY(read_text(host, arena, &otlp->host));
    STATUS_TRY(read_text(port, arena, &otlp->port));
    otlp->path = has_path ? arena_printf(arena, "/%.*s", (int)path.size, path.data) : "/v1/traces";
    return otlp->path ? status_ok() : no_memory();
}

static struct status set_resource(struct trace_config *config, struct slice value, struct arena *arena) {
    struct otlp_config *otlp = &config->otlp;
    struct slice name, text;
    if (!slice_split(value, '=', &name, &text) || name.size == 0 || !slice_is_utf8(value))
        return status_error(STATUS_INVALID_ARGUMENT, "resource: expected <key>=<value>, got '%.*s'", SLICE_ARGS(value));
    size_t i = 0;
    while (i < otlp->resource_count && !slice_equal(otlp->resources[i][0], name))
        i++;
    if (i == TRACE_RESOURCES_MAX)
        return status_error(STATUS_INVALID_ARGUMENT, "resource: given for more than %d keys", TRACE_RESOURCES_MAX);
    otlp->resources[i][0] = arena_copy(arena, name);
    otlp->resources[i][1] = arena_copy(arena, text);
    if (i == otlp->resource_count)
        otlp->resource_count++;
    return otlp->resources[i][0].data ? status_ok() : no_memory();
}

static struct status set_queue_size(struct trace_config *config, struct slice value, struct arena *arena) {
    (void)arena;
    return read_number("bsp_max_queue_size", value, 1, &config->otlp.max_queue_size);
}

static struct status set_delay(struct trace_config *config, struct slice value, struct arena *arena) {
    (void)arena;
    return read_number("bsp_schedule_delay", value, 1, &config->otlp.schedule_delay_ms);
}

static struct status set_batch_size(struct trace_config *config, struct slice value, struct arena *arena) {
    (void)arena;
    return read_number("bsp_max_export_batch_size", value, 1, &config->otlp.max_export_batch_size);
}

/* ---- all of them ---- */

static const struct trace_option {
    const char *mode; /* "" for both */
    const char *name;
    struct status (*set)(struct trace_config *config, struct slice value, struct arena *arena);
} trace_options[] = {
    {"", "level", set_level},
    {"", "rate", set_rate},
    {"", "count", set_count},
    {"", "mode", set_mode},
    {"triton", "file", set_file},
    {"triton", "log-frequency", set_log_frequency},
    {"opentelemetry", "url", set_url},
    {"opentelemetry", "resource", set_resource},
    {"opentelemetry", "bsp_max_queue_size", set_queue_size},
    {"opentelemetry", "bsp_schedule_delay", set_delay},
    {"opentelemetry", "bsp_max_export_batch_size", set_batch_size},
};

struct status trace_config_apply(struct trace_config *config, struct slice setting, struct arena *arena) {
    struct slice name, value, mode = {NULL, 0}, rest;
    if (!slice_split(setting, '=', &name, &value))
        return status_error(STATUS_INVALID_ARGUMENT, "expected [<mode>,]<setting>=<value>, got '%.*s'",
                            SLICE_ARGS(setting));
    struct slice head = name;
    if (slice_split(head, ',', &mode, &rest))
        name = rest;
    else
        mode = (struct slice){NULL, 0};
    for (size_t i = 0; i < sizeof trace_options / sizeof trace_options[0]; i++)
        if (slice_equal_text(mode, trace_options[i].mode) && slice_equal_text(name, trace_options[i].name))
            return trace_options[i].set(config, value, arena);
    return status_error(STATUS_INVALID_ARGUMENT,
                        "unknown setting '%.*s': expected level, rate, count, mode, triton,file, triton,log-frequency, "
                        "opentelemetry,url, opentelemetry,resource, opentelemetry,bsp_max_queue_size, "
                        "opentelemetry,bsp_schedule_delay or opentelemetry,bsp_max_export_batch_size",
                        SLICE_ARGS(head));
}

struct status trace_config_copy(const struct trace_config *config, struct arena *arena, struct trace_config *ret) {
    *ret = *config;
    if (config->file)
        STATUS_TRY(read_text(slice_of(config->file), arena, &ret->file));
    STATUS_TRY(read_text(slice_of(config->otlp.url), arena, &ret->otlp.url));
    STATUS_TRY(read_text(slice_of(config->otlp.host), arena, &ret->otlp.host));
    STATUS_TRY(read_text(slice_of(config->otlp.port), arena, &ret->otlp.port));
    STATUS_TRY(read_text(slice_of(config->otlp.path), arena, &ret->otlp.path));
    for (size_t i = 0; i < config->otlp.resource_count; i++)
        for (size_t k = 0; k < 2; k++) {
            ret->otlp.resources[i][k] = arena_copy(arena, config->otlp.resources[i][k]);
            if (ret->otlp.resources[i][k].size != config->otlp.resources[i][k].size)
                return no_memory();
        }
    return status_ok();
}

struct status trace_settings_check(const struct trace_config *config, const struct trace_settings *settings) {
    if (settings->level == TRACE_OFF)
        return status_ok();
    if (config->mode == TRACE_MODE_OPENTELEMETRY) {
        if (settings->level & TRACE_TENSORS)
            return status_error(STATUS_INVALID_ARGUMENT, "tensors are traced in triton mode only: level TENSORS has no "
                                                         "place in opentelemetry mode");
        return status_ok(); /* a rate of 0 leaves the requests whose clients trace them */
    }
    if (settings->rate == 0)
        return status_error(STATUS_INVALID_ARGUMENT, "sample rate must be non-zero");
    if (!config->file)
        return status_error(STATUS_INVALID_ARGUMENT, "trace file name is not given: start the server with "
                                                     "--trace-config=triton,file=<path>");
    return status_ok();
}

struct status trace_config_check(const struct trace_config *config) {
    if (config->otlp.max_export_batch_size > config->otlp.max_queue_size)
        return status_error(STATUS_INVALID_ARGUMENT,
                            "bsp_max_export_batch_size: expected at most bsp_max_queue_size, %" PRIu32 ", got %" PRIu32,
                            config->otlp.max_queue_size, config->otlp.max_export_batch_size);
    return trace_settings_check(config, &config->settings);
}
