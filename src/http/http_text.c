#include "http/http_text.h"

#include <string.h>
#include <time.h>

/* Made from the grammars of RFC 9110 (token, field-value) and RFC 3986 (host); sixteen bytes a row. */
/* clang-format off */
const unsigned char http_char_class[256] = {
     0,  0,  0,  0,  0,  0,  0,  0,  0,  2,  0,  0,  0,  0,  0,  0, /* 00 */
     0,  0,  0,  0,  0,  0,  0,  0,  0,  0,  0,  0,  0,  0,  0,  0, /* 10 */
     2, 31,  6, 19, 31, 31, 31, 31, 14, 14, 31, 31,  6, 31, 31,  6, /* 20 */
    31, 31, 31, 31, 31, 31, 31, 31, 31, 31, 14, 14,  6, 14,  6,  6, /* 30 */
     6, 15, 15, 15, 15, 15, 15, 15, 15, 15, 15, 15, 15, 15, 15, 15, /* 40 */
    15, 15, 15, 15, 15, 15, 15, 15, 15, 15, 15, 14,  6, 14, 23, 31, /* 50 */
    23, 31, 31, 31, 31, 31, 31, 31, 31, 31, 31, 31, 31, 31, 31, 31, /* 60 */
    31, 31, 31, 31, 31, 31, 31, 31, 31, 31, 31,  6, 23,  6, 31,  0, /* 70 */
     2,  2,  2,  2,  2,  2,  2,  2,  2,  2,  2,  2,  2,  2,  2,  2, /* 80 */
     2,  2,  2,  2,  2,  2,  2,  2,  2,  2,  2,  2,  2,  2,  2,  2, /* 90 */
     2,  2,  2,  2,  2,  2,  2,  2,  2,  2,  2,  2,  2,  2,  2,  2, /* a0 */
     2,  2,  2,  2,  2,  2,  2,  2,  2,  2,  2,  2,  2,  2,  2,  2, /* b0 */
     2,  2,  2,  2,  2,  2,  2,  2,  2,  2,  2,  2,  2,  2,  2,  2, /* c0 */
     2,  2,  2,  2,  2,  2,  2,  2,  2,  2,  2,  2,  2,  2,  2,  2, /* d0 */
     2,  2,  2,  2,  2,  2,  2,  2,  2,  2,  2,  2,  2,  2,  2,  2, /* e0 */
     2,  2,  2,  2,  2,  2,  2,  2,  2,  2,  2,  2,  2,  2,  2,  2, /* f0 */
};
/* clang-format on */

bool http_all_chars(struct slice text, int char_class) {
    const unsigned char *at = (const unsigned char *)text.data;
    size_t left = text.size;
    int classes = char_class;             /* those that all have: few texts are refused, so none is left early */
    for (; left >= 4; left -= 4, at += 4) /* the names and paths of all requests and answers pass here */
        classes &= http_char_class[at[0]] & http_char_class[at[1]] & http_char_class[at[2]] & http_char_class[at[3]];
    for (; left > 0; left--, at++)
        classes &= http_char_class[*at];
    return classes != 0;
}

bool http_is_token(struct slice text) {
    return text.size > 0 && http_all_chars(text, HTTP_CHAR_TOKEN);
}

/* Whether some of eight bytes may be control characters: all that are less than a blank, or DEL. */
static bool has_control(uint64_t bytes) {
    const uint64_t ones = UINT64_MAX / 255, highs = ones * 128;
    uint64_t del = bytes ^ ones * 0x7f;
    return (((bytes - ones * ' ') & ~bytes) | ((del - ones) & ~del)) & highs;
}

bool http_is_value(struct slice text) {
    uint64_t bytes;
    size_t left = text.size;
    if (left < sizeof bytes)
        return http_all_chars(text, HTTP_CHAR_VALUE);
    for (const char *at = text.data; left > 0; at += sizeof bytes, left -= sizeof bytes) {
        if (left < sizeof bytes) { /* the last ones, some of them once more */
            at -= sizeof bytes - left;
            left = sizeof bytes;
        }
        memcpy(&bytes, at, sizeof bytes);
        if (has_control(bytes))
            return http_all_chars(text, HTTP_CHAR_VALUE); /* it may be a tab, which is allowed */
    }
    return true;
}

/* "http://host/path?query" -> authority and the rest; an empty path stands for "/". */
static bool split_absolute(struct slice target, struct http_request *request, struct slice *ret_rest) {
    static const struct slice schemes[] = {{"http://", 7}, {"https://", 8}};
    for (size_t i = 0; i < 2; i++) {
        struct slice scheme = schemes[i];
        if (target.size <= scheme.size || !slice_equal_nocase((struct slice){target.data, scheme.size}, scheme))
            continue;
        struct slice rest = {target.data + scheme.size, target.size - scheme.size};
        size_t end = 0;
        while (end < rest.size && rest.data[end] != '/' && rest.data[end] != '?')
            end++;
        request->authority = (struct slice){rest.data, end};
        *ret_rest = (struct slice){rest.data + end, rest.size - end};
        return end > 0 && http_all_chars(request->authority, HTTP_CHAR_HOST);
    }
    return false;
}

bool http_split_target(struct slice target, struct http_request *request) {
    if (target.size == 0 || !http_all_chars(target, HTTP_CHAR_TARGET))
        return false;
    struct slice rest = target;
    if (slice_equal_text(target, "*")) {
        if (!slice_equal_text(request->method, "OPTIONS"))
            return false;
    } else if (target.data[0] != '/' && !split_absolute(target, request, &rest)) {
        return false;
    }
    slice_split(rest, '?', &request->path, &request->query);
    if (request->path.size == 0)
        request->path = SLICE_LITERAL("/");
    return true;
}

const char *http_reason(int status) {
    static const struct {
        int status;
        const char *reason;
    } rows[] = {
        {100, "Continue"},
        {200, "OK"},
        {201, "Created"},
        {202, "Accepted"},
        {204, "No Content"},
        {206, "Partial Content"},
        {301, "Moved Permanently"},
        {302, "Found"},
        {304, "Not Modified"},
        {307, "Temporary Redirect"},
        {308, "Permanent Redirect"},
        {400, "Bad Request"},
        {401, "Unauthorized"},
        {403, "Forbidden"},
        {404, "Not Found"},
        {405, "Method Not Allowed"},
        {406, "Not Acceptable"},
        {408, "Request Timeout"},
        {409, "Conflict"},
        {411, "Length Required"},
        {412, "Precondition Failed"},
        {413, "Content Too Large"},
        {414, "URI Too Long"},
        {415, "Unsupported Media Type"},
        {416, "Range Not Satisfiable"},
        {417, "Expectation Failed"},
        {421, "Misdirected Request"},
        {422, "Unprocessable Content"},
        {426, "Upgrade Required"},
        {429, "Too Many Requests"},
        {431, "Request Header Fields Too Large"},
        {499, "Client Closed Request"},
        {500, "Internal Server Error"},
        {501, "Not Implemented"},
        {502, "Bad Gateway"},
        {503, "Service Unavailable"},
        {504, "Gateway Timeout"},
        {505, "HTTP Version Not Supported"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        if (rows[i].status == status)
            return rows[i].reason;
    return "";
}

struct status http_join_values(const struct http_request *request, struct slice name, struct arena *arena,
                               struct slice *ret) {
    size_t size = 0, used = 0, count = 0;
    for (size_t i = 0; i < request->header_count; i++)
        if (slice_equal(request->headers[i].name, name))
            size += request->headers[i].value.size + 2;
    char *text = arena_alloc(arena, size);
    if (!text)
        return status_error(STATUS_RESOURCE_EXHAUSTED, "out of memory for the header '%.*s'", SLICE_ARGS(name));
    for (size_t i = 0; i < request->header_count; i++) {
        struct slice value = request->headers[i].value;
        if (!slice_equal(request->headers[i].name, name))
            continue;
        if (count++ > 0) {
            memcpy(text + used, ", ", 2);
            used += 2;
        }
        if (value.size)
            memcpy(text + used, value.data, value.size);
        used += value.size;
    }
    *ret = (struct slice){text, used};
    return status_ok();
}

struct slice http_date_now(struct http_date *date) {
    uint64_t second = (uint64_t)time(NULL);
    if (second != date->second) {
        /* Not strftime: its names of days and months depend on the locale. */
        static const char days[] = "SunMonTueWedThuFriSat";
        static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
        time_t clock = (time_t)second;
        struct tm tm;
        gmtime_r(&clock, &tm);
        struct buf text = BUF_EMPTY;
        buf_printf(&text, "%.3s, %02d %.3s %04d %02d:%02d:%02d GMT", days + 3 * tm.tm_wday, tm.tm_mday,
                   months + 3 * tm.tm_mon, tm.tm_year + 1900, tm.tm_hour, tm.tm_min, tm.tm_sec);
        if (!buf_failed(&text) && text.size < sizeof date->text) {
            memcpy(date->text, text.data, text.size);
            date->text[text.size] = '\0';
            date->second = second;
        }
        buf_free(&text);
    }
    return slice_of(date->text);
}

bool http_is_session_field(struct slice name) {
    static const struct slice names[] = {SLICE_INIT("content-length"), SLICE_INIT("transfer-encoding"),
                                         SLICE_INIT("connection"), SLICE_INIT("date"), SLICE_INIT("keep-alive")};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (name.size == names[i].size && slice_equal_nocase(name, names[i]))
            return true;
    return false;
}
