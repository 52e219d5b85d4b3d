#include "grpc/metadata.h"

#include "base/clock.h"

bool grpc_is_content_type(struct slice value) {
    static const struct slice names[] = {{"application/grpc", 16}, {"application/grpc+proto", 22}};
    struct slice type, parameters;
    if (slice_equal(value, names[0]))
        return true; /* as it mostly comes */
    slice_split(value, ';', &type, &parameters);
    type = slice_trim(type);
    return slice_equal_nocase(type, names[0]) || slice_equal_nocase(type, names[1]);
}

bool grpc_parse_timeout(struct slice value, uint64_t *ret_ns) {
    static const struct {
        char unit;
        uint64_t ns;
    } units[] = {
        {'H', 3600 * NS_PER_S}, {'M', 60 * NS_PER_S}, {'S', NS_PER_S}, {'m', NS_PER_MS}, {'u', NS_PER_US}, {'n', 1},
    };
    uint64_t number;
    if (value.size < 2 || value.size > GRPC_TIMEOUT_DIGITS_MAX + 1 ||
        !slice_to_u64((struct slice){value.data, value.size - 1}, &number))
        return false;
    for (size_t i = 0; i < sizeof units / sizeof units[0]; i++) {
        if (value.data[value.size - 1] != units[i].unit)
            continue;
        if (__builtin_mul_overflow(number, units[i].ns, ret_ns))
            *ret_ns = UINT64_MAX;
        return true;
    }
    return false;
}

static const struct {
    struct slice name;
    enum grpc_encoding encoding;
} encodings[] = {
    {{"identity", 8}, GRPC_ENCODING_IDENTITY},
    {{"deflate", 7}, GRPC_ENCODING_DEFLATE},
    {{"gzip", 4}, GRPC_ENCODING_GZIP},
};

bool grpc_parse_encoding(struct slice value, enum grpc_encoding *ret) {
    for (size_t i = 0; i < sizeof encodings / sizeof encodings[0]; i++) {
        if (slice_equal_nocase(value, encodings[i].name)) {
            *ret = encodings[i].encoding;
            return true;
        }
    }
    return false;
}

struct slice grpc_accepted_encodings(void) {
    return SLICE_LITERAL("identity,deflate,gzip");
}

static bool is_plain(unsigned char c) {
    return c >= 0x20 && c <= 0x7e && c != '%';
}

struct slice grpc_encode_message(struct arena *arena, struct slice message) {
    static const char digits[] = "0123456789ABCDEF";
    size_t size = message.size;
    for (size_t i = 0; i < message.size; i++)
        if (!is_plain((unsigned char)message.data[i]))
            size += 2;
    if (size == message.size)
        return arena_copy(arena, message);
    char *text = arena_alloc(arena, size);
    if (!text)
        return (struct slice){NULL, 0};
    size_t at = 0;
    for (size_t i = 0; i < message.size; i++) {
        unsigned char c = (unsigned char)message.data[i];
        if (is_plain(c)) {
            text[at++] = (char)c;
        } else {
            text[at++] = '%';
            text[at++] = digits[c >> 4];
            text[at++] = digits[c & 15];
        }
    }
    return (struct slice){text, size};
}
