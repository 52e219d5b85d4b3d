#include "core/metric_tags.h"

#include "codec/model_config_messages.h"

static bool is_label_name(struct slice name) {
    for (size_t i = 0; i < name.size; i++) {
        char c = name.data[i];
        if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_'))
            return false;
    }
    return name.size > 0;
}

static void append_escaped(struct buf *out, struct slice value) {
    for (size_t i = 0; i < value.size; i++) {
        char c = value.data[i];
        if (c == '\n')
            buf_append_text(out, "\\n");
        else if (c == '"' || c == '\\')
            buf_append(out, (char[2]){'\\', c}, 2);
        else
            buf_append_char(out, c);
    }
}

struct status metric_tags_format(const struct model_config *config, struct slice *ret) {
    const struct pb_model_config *message = config->message;
    struct buf text = BUF_EMPTY;
    for (size_t i = 0; i < message->metric_tags.count; i++) {
        const struct pb_model_config_metric_tags_entry *tag = &message->metric_tags.items[i];
        if (!is_label_name(tag->key)) {
            buf_free(&text);
            return status_error(STATUS_INVALID_ARGUMENT,
                                "metric_tags key '%.*s' cannot be a Prometheus label: use letters, digits and '_'",
                                SLICE_ARGS(tag->key));
        }
        buf_append_text(&text, ",_");
        buf_append_slice(&text, tag->key);
        buf_append_text(&text, "=\"");
        append_escaped(&text, tag->value);
        buf_append_char(&text, '"');
    }
    struct slice copy = arena_copy(config->arena, buf_slice(&text));
    bool failed = buf_failed(&text) || copy.size != text.size;
    buf_free(&text);
    if (failed)
        return status_error(STATUS_RESOURCE_EXHAUSTED, "no memory for metric tags");
    *ret = copy;
    return status_ok();
}
