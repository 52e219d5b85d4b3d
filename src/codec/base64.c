#include "codec/base64.h"

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

void base64_append(struct buf *out, struct slice bytes) {
    const unsigned char *in = (const unsigned char *)bytes.data;
    for (size_t i = 0; i < bytes.size; i += 3) {
        size_t have = bytes.size - i < 3 ? bytes.size - i : 3;
        unsigned group = (unsigned)in[i] << 16;
        if (have > 1)
            group |= (unsigned)in[i + 1] << 8;
        if (have > 2)
            group |= in[i + 2];
        char text[4] = {alphabet[group >> 18], alphabet[group >> 12 & 63], have > 1 ? alphabet[group >> 6 & 63] : '=',
                        have > 2 ? alphabet[group & 63] : '='};
        buf_append(out, text, 4);
    }
}

static int value_of(char c) {
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (c >= '0' && c <= '9')
        return c - '0' + 52;
    return c == '+' || c == '-' ? 62 : c == '/' || c == '_' ? 63 : -1;
}

static struct slice without_padding(struct slice text) {
    for (int i = 0; i < 2 && text.size > 0 && text.size % 4 != 1 && text.data[text.size - 1] == '='; i++)
        text.size--;
    return text;
}

struct status base64_decode(struct slice text, struct arena *arena, struct slice *ret) {
    struct slice digits = text.size % 4 == 0 ? without_padding(text) : text;
    if (digits.size % 4 == 1)
        return status_error(STATUS_INVALID_ARGUMENT, "base64 text of %zu characters is cut off", digits.size);
    unsigned char *bytes = arena_alloc(arena, digits.size / 4 * 3 + 3);
    if (!bytes)
        return status_error(STATUS_RESOURCE_EXHAUSTED, "no memory for %zu characters of base64", digits.size);
    size_t size = 0;
    unsigned bits = 0, group = 0;
    for (size_t i = 0; i < digits.size; i++) {
        int value = value_of(digits.data[i]);
        if (value < 0)
            return status_error(STATUS_INVALID_ARGUMENT, "character %zu is not base64", i);
        group = group << 6 | (unsigned)value;
        bits += 6;
        if (bits >= 8) {
            bits -= 8;
            bytes[size++] = (unsigned char)(group >> bits & 0xFF);
        }
    }
    *ret = (struct slice){(const char *)bytes, size};
    return status_ok();
}
