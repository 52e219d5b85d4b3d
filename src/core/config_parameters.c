#include "core/config_parameters.h"

#include "base/options.h"
#include "codec/model_config_messages.h"

static bool is_known(struct slice key, const char *const *known, size_t count) {
    for (size_t i = 0; i < count; i++)
        if (slice_equal_text(key, known[i]))
            return true;
    return false;
}

struct status config_parameters_check(const struct model_config *config, const char *backend, const char *const *known,
                                      size_t count) {
    const struct pb_model_config *message = config->message;
    for (size_t i = 0; i < message->parameters.count; i++) {
        struct slice key = message->parameters.items[i].key;
        if (is_known(key, known, count))
            continue;
        const char *near = nearest_name(key, known, count);
        return status_error(STATUS_INVALID_ARGUMENT, "backend '%s' has no parameter '%.*s'%s%s%s", backend,
                            SLICE_ARGS(key), near ? "; did you mean '" : "", near ? near : "", near ? "'?" : "");
    }
    return status_ok();
}
