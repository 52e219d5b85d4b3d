#include "tools/serve/settings.h"

#include <string.h>

#include "base/clock.h"

static struct status parse_metrics(const struct serve_options *options, struct metrics_options *ret) {
    *ret = metrics_options_default();
    ret->interval_ns = (uint64_t)options->metrics_interval_ms * NS_PER_MS;
    ret->cpu = options->allow_cpu_metrics;
    ret->gpus = options->allow_gpu_metrics && options->allow_metrics; /* nobody else asks for them */
    for (size_t i = 0; i < options->metrics_config.count; i++) {
        struct status status = metrics_options_apply(ret, slice_of(options->metrics_config.items[i]));
        if (!status_is_ok(&status))
            return status_prefix(status, "--metrics-config");
    }
    return status_ok();
}

static struct status parse_control(const struct serve_options *options, enum model_control *ret) {
    const struct option_list *models = &options->load_models;
    if (strcmp(options->model_control_mode, "poll") == 0)
        return status_error(STATUS_INVALID_ARGUMENT,
                            "--model-control-mode=poll is not implemented; with 'explicit' models are loaded anew by "
                            "calls of the model repository extension");
    *ret = strcmp(options->model_control_mode, "explicit") == 0 ? MODEL_CONTROL_EXPLICIT : MODEL_CONTROL_NONE;
    if (models->count > 0 && *ret != MODEL_CONTROL_EXPLICIT)
        return status_error(STATUS_INVALID_ARGUMENT,
                            "--load-model: expected only with --model-control-mode=explicit; with '%s' all models are "
                            "loaded",
                            options->model_control_mode);
    for (size_t i = 0; models->count > 1 && i < models->count; i++)
        if (strcmp(models->items[i], "*") == 0)
            return status_error(STATUS_INVALID_ARGUMENT, "--load-model: expected '*', for all models, or names, got "
                                                         "both");
    return status_ok();
}

/* It goes into JSON, protobuf and a header of HTTP. */
static struct status check_id(const char *id) {
    if (!id)
        return status_ok();
    bool good = *id && slice_is_utf8(slice_of(id));
    for (const char *at = id; *at && good; at++)
        good = (unsigned char)*at >= ' ' && *at != 0x7f;
    return good ? status_ok()
                : status_error(STATUS_INVALID_ARGUMENT, "--id: expected a name in UTF-8, without control characters");
}

static struct status check_protocols(const struct serve_options *options) {
    if (!options->allow_http && !options->allow_grpc)
        return status_error(STATUS_INVALID_ARGUMENT, "--allow-http=false and --allow-grpc=false: expected at most one "
                                                     "of them; without both nobody could ask for anything");
    return status_ok();
}

/* An empty expression forwards nothing. */
static struct status parse_pattern(const char *flag, const char *expression, struct header_pattern **ret) {
    if (!expression || !*expression)
        return status_ok();
    struct status status = header_pattern_create(expression, ret);
    return status_is_ok(&status) ? status : status_prefix(status, "%s", flag);
}

static struct status parse_restrictions(const struct serve_options *options, struct serve_settings *ret) {
    struct status status = status_ok();
    for (size_t i = 0; i < options->restrictions.count && status_is_ok(&status); i++)
        status = access_rule_parse(options->restrictions.items[i], &ret->access_rules[ret->access_rule_count++]);
    if (status_is_ok(&status))
        status = access_rules_check(ret->access_rules, ret->access_rule_count);
    return status_is_ok(&status) ? status : status_prefix(status, "--restrict");
}

static struct status parse_trace(const struct serve_options *options, struct arena *arena, struct trace_config *ret) {
    *ret = trace_config_default();
    struct status status = status_ok();
    for (size_t i = 0; i < options->trace_config.count && status_is_ok(&status); i++)
        status = trace_config_apply(ret, slice_of(options->trace_config.items[i]), arena);
    if (status_is_ok(&status))
        status = trace_config_check(ret);
    return status_is_ok(&status) ? status : status_prefix(status, "--trace-config");
}

struct status settings_parse(const struct serve_options *options, struct arena *arena, struct serve_settings *ret) {
    STATUS_TRY(parse_control(options, &ret->control));
    STATUS_TRY(check_id(options->id));
    STATUS_TRY(check_protocols(options));
    if (options->record_bodies && !options->record_file)
        return status_error(STATUS_INVALID_ARGUMENT, "--record-bodies: expected only with --record=FILE");
    STATUS_TRY(parse_metrics(options, &ret->metrics));
    STATUS_TRY(parse_trace(options, arena, &ret->trace));
    STATUS_TRY(parse_pattern("--http-header-forward-pattern", options->http_forward_pattern, &ret->http_forwarded));
    STATUS_TRY(parse_pattern("--grpc-header-forward-pattern", options->grpc_forward_pattern, &ret->grpc_forwarded));
    STATUS_TRY(tls_settings_parse(options, &ret->tls));
    return parse_restrictions(options, ret);
}

void settings_free(struct serve_settings *settings) {
    header_pattern_destroy(settings->http_forwarded);
    header_pattern_destroy(settings->grpc_forwarded);
}

size_t settings_security_files(const struct serve_settings *settings, const char *ret[SECURITY_FILES_MAX]) {
    const struct tls_options *ports[] = {&settings->tls.http, &settings->tls.grpc, &settings->tls.metrics};
    size_t count = 0;
    for (size_t i = 0; i < sizeof ports / sizeof ports[0]; i++) {
        const char *files[] = {ports[i]->certificate_file, ports[i]->key_file, ports[i]->client_ca_file};
        for (size_t k = 0; k < sizeof files / sizeof files[0] && ports[i]->certificate_file; k++)
            if (files[k])
                ret[count++] = files[k];
    }
    for (size_t i = 0; i < settings->access_rule_count; i++)
        if (settings->access_rules[i].file)
            ret[count++] = settings->access_rules[i].file;
    return count;
}
