#include "base/slice.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

bool slice_equal_nocase(struct slice a, struct slice b) {
    return a.size == b.size && (a.size == 0 || strncasecmp(a.data, b.data, a.size) == 0);
}

bool slice_starts_with(struct slice s, struct slice prefix) {
    return s.size >= prefix.size && (prefix.size == 0 || memcmp(s.data, prefix.data, prefix.size) == 0);
}

bool slice_ends_with(struct slice s, struct slice suffix) {
    return s.size >= suffix.size &&
           (suffix.size == 0 || memcmp(s.data + s.size - suffix.size, suffix.data, suffix.size) == 0);
}

static bool is_blank(char c) {
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

struct slice slice_trim(struct slice s) {
    while (s.size > 0 && is_blank(s.data[0])) {
        s.data++;
        s.size--;
    }
    while (s.size > 0 && is_blank(s.data[s.size - 1]))
        s.size--;
    return s;
}

bool slice_split(struct slice s, char separator, struct slice *ret_head, struct slice *ret_tail) {
    const char *at = s.size ? memchr(s.data, separator, s.size) : NULL;
    if (!at) {
        *ret_head = s;
        *ret_tail = (struct slice){NULL, 0};
        return false;
    }
    size_t head = (size_t)(at - s.data);
    *ret_head = (struct slice){s.data, head};
    *ret_tail = (struct slice){at + 1, s.size - head - 1};
    return true;
}

struct slice slice_from_u64(uint64_t value, char room[static SLICE_U64_DIGITS]) {
    char *end = room + SLICE_U64_DIGITS, *at = end;
    do
        *--at = (char)('0' + value % 10);
    while (value /= 10);
    return (struct slice){at, (size_t)(end - at)};
}

struct slice slice_shown(struct slice s, char room[static SLICE_SHOWN_BYTES]) {
    size_t size = 0;
    for (size_t i = 0; i < s.size && i < SLICE_SHOWN_BYTES / 4; i++) {
        struct slice shown = s.data[i] ? (struct slice){&s.data[i], 1} : SLICE_LITERAL("\\x00");
        memcpy(room + size, shown.data, shown.size);
        size += shown.size;
    }
    return (struct slice){room, size};
}

bool slice_to_u64(struct slice s, uint64_t *ret) {
    uint64_t value = 0;
    if (s.size == 0)
        return false;
    for (size_t i = 0; i < s.size; i++) {
        unsigned digit = (unsigned)(unsigned char)s.data[i] - '0';
        if (digit > 9 || __builtin_mul_overflow(value, (uint64_t)10, &value) ||
            __builtin_add_overflow(value, (uint64_t)digit, &value))
            return false;
    }
    *ret = value;
    return true;
}

bool slice_to_i64(struct slice s, int64_t *ret) {
    bool negative = s.size > 0 && s.data[0] == '-';
    struct slice digits = negative ? (struct slice){s.data + 1, s.size - 1} : s;
    uint64_t value;
    if (!slice_to_u64(digits, &value) || value > (uint64_t)INT64_MAX + (negative ? 1u : 0u))
        return false;
    *ret = negative ? (int64_t)(0 - value) : (int64_t)value;
    return true;
}

bool slice_to_double(struct slice s, double *ret) {
    char text[64];
    if (s.size == 0 || s.size >= sizeof text)
        return false;
    for (size_t i = 0; i < s.size; i++)
        if (!strchr("0123456789+-.eE", s.data[i]))
            return false;
    memcpy(text, s.data, s.size);
    text[s.size] = '\0';
    char *end;
    errno = 0;
    double value = strtod(text, &end);
    if (*end != '\0' || errno == ERANGE)
        return false;
    *ret = value;
    return true;
}

/* Ranges are those of Unicode table 3-7. */
size_t slice_utf8_length(struct slice s) {
    const unsigned char *p = (const unsigned char *)s.data;
    if (s.size == 0)
        return 0;
    if (p[0] < 0x80)
        return 1;
    if (p[0] < 0xC2 || p[0] > 0xF4)
        return 0;
    size_t length = p[0] < 0xE0 ? 2 : p[0] < 0xF0 ? 3 : 4;
    if (s.size < length)
        return 0;
    unsigned char low = p[0] == 0xE0 ? 0xA0 : p[0] == 0xF0 ? 0x90 : 0x80;
    unsigned char high = p[0] == 0xED ? 0x9F : p[0] == 0xF4 ? 0x8F : 0xBF;
    if (p[1] < low || p[1] > high)
        return 0;
    for (size_t i = 2; i < length; i++)
        if ((p[i] & 0xC0) != 0x80)
            return 0;
    return length;
}

/* How many whole words from the start are ASCII, in bytes. */
static size_t ascii_words(struct slice s) {
    uint64_t word;
    size_t at = 0;
    for (; s.size - at >= sizeof word; at += sizeof word) {
        memcpy(&word, s.data + at, sizeof word);
        if (word & UINT64_C(0x8080808080808080))
            break;
    }
    return at;
}

size_t slice_utf8_prefix(struct slice s) {
    size_t at = ascii_words(s);
    while (at < s.size) {
        size_t length = slice_utf8_length((struct slice){s.data + at, s.size - at});
        if (length == 0)
            break;
        at += length;
    }
    return at;
}

bool slice_is_utf8(struct slice s) {
    return slice_utf8_prefix(s) == s.size;
}
