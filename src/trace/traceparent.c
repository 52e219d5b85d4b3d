#include "trace/traceparent.h"

/* Lower case only, as the standard has it. */
static int hex_digit(char c) {
    if (c >= '0' && c <= '9')
        return c - '0';
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static bool read_hex(const char *text, unsigned char *to, size_t size) {
    for (size_t i = 0; i < size; i++) {
        int high = hex_digit(text[2 * i]), low = hex_digit(text[2 * i + 1]);
        if (high < 0 || low < 0)
            return false;
        to[i] = (unsigned char)(high * 16 + low);
    }
    return true;
}

static bool is_zero(const unsigned char *bytes, size_t size) {
    for (size_t i = 0; i < size; i++)
        if (bytes[i])
            return false;
    return true;
}

struct trace_context traceparent_parse(struct slice text) {
    enum { TRACE_AT = 3, PARENT_AT = 36, FLAGS_AT = 53, LENGTH = 55 };
    struct trace_context context = {0}, unknown = {0};
    unsigned char version, flags;
    text = slice_trim(text);
    if (text.size < LENGTH || !read_hex(text.data, &version, 1) || version == 0xff)
        return unknown;
    /* Later versions may have more behind a dash. */
    if (version == 0 ? text.size != LENGTH : text.size > LENGTH && text.data[LENGTH] != '-')
        return unknown;
    if (text.data[TRACE_AT - 1] != '-' || text.data[PARENT_AT - 1] != '-' || text.data[FLAGS_AT - 1] != '-' ||
        !read_hex(text.data + TRACE_AT, context.trace_id, TRACE_ID_SIZE) ||
        !read_hex(text.data + PARENT_AT, context.parent_id, SPAN_ID_SIZE) || !read_hex(text.data + FLAGS_AT, &flags, 1))
        return unknown;
    if (is_zero(context.trace_id, TRACE_ID_SIZE) || is_zero(context.parent_id, SPAN_ID_SIZE))
        return unknown;
    context.known = true;
    context.sampled = flags & 1;
    return context;
}
