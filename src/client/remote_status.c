/* remote_status.c: status codes and error texts of servers. Used by grpc_wire.c and infer_client.c. */
#include "client/remote_status.h"

#include <yyjson.h>

#include "base/hex.h"

enum { TEXT_MAX = STATUS_MESSAGE_MAX };

/* Source: "Status codes and their use in gRPC". */
static const enum status_code grpc_codes[GRPC_STATUS_MAX + 1] = {
    [0] = STATUS_OK,
    [1] = STATUS_CANCELLED,
    [2] = STATUS_UNKNOWN,
    [3] = STATUS_INVALID_ARGUMENT,
    [4] = STATUS_DEADLINE_EXCEEDED,
    [5] = STATUS_NOT_FOUND,
    [6] = STATUS_ALREADY_EXISTS,
    [7] = STATUS_PERMISSION_DENIED,
    [8] = STATUS_RESOURCE_EXHAUSTED,
    [9] = STATUS_FAILED_PRECONDITION,
    [10] = STATUS_UNAVAILABLE,      /* ABORTED */
    [11] = STATUS_INVALID_ARGUMENT, /* OUT_OF_RANGE */
    [12] = STATUS_UNSUPPORTED,
    [13] = STATUS_INTERNAL,
    [14] = STATUS_UNAVAILABLE,
    [15] = STATUS_DATA_LOSS,
    [16] = STATUS_UNAUTHENTICATED,
};

static const struct {
    int http;
    enum status_code code;
} http_codes[] = {
    {400, STATUS_INVALID_ARGUMENT},   {401, STATUS_UNAUTHENTICATED},    {403, STATUS_PERMISSION_DENIED},
    {404, STATUS_NOT_FOUND},          {405, STATUS_METHOD_NOT_ALLOWED}, {408, STATUS_DEADLINE_EXCEEDED},
    {409, STATUS_ALREADY_EXISTS},     {413, STATUS_TOO_LARGE},          {415, STATUS_UNSUPPORTED},
    {429, STATUS_RESOURCE_EXHAUSTED}, {431, STATUS_TOO_LARGE},          {499, STATUS_CANCELLED},
    {500, STATUS_INTERNAL},           {501, STATUS_UNSUPPORTED},        {502, STATUS_UNAVAILABLE},
    {503, STATUS_UNAVAILABLE},        {504, STATUS_DEADLINE_EXCEEDED},
};

enum status_code remote_status_http_code(int code) {
    for (size_t i = 0; i < sizeof http_codes / sizeof http_codes[0]; i++) {
        if (http_codes[i].http == code)
            return http_codes[i].code;
    }
    return STATUS_UNKNOWN;
}

/* Makes a server's text fit to be shown: what is not UTF-8 becomes '?', control characters become blanks. */
static void make_printable(char *text, size_t size) {
    bool utf8 = slice_is_utf8((struct slice){text, size});
    for (size_t i = 0; i < size; i++) {
        unsigned char c = (unsigned char)text[i];
        if (c < 0x20 || c == 0x7f)
            text[i] = ' ';
        else if (c >= 0x80 && !utf8)
            text[i] = '?';
    }
}

/* Drops the bytes of a character that was cut at the end. */
static size_t whole_characters(const char *text, size_t size) {
    size_t end = size;
    while (end > 0 && size - end < 4 && ((unsigned char)text[end - 1] & 0xC0u) == 0x80u)
        end--;
    if (end > 0 && (unsigned char)text[end - 1] >= 0xC0u)
        end--;
    return slice_is_utf8((struct slice){text, size}) ? size : end;
}

static struct status make_status(enum status_code code, char *text, size_t size, bool cut) {
    if (cut)
        size = whole_characters(text, size);
    make_printable(text, size);
    return status_error(code, "%.*s%s", (int)size, text, cut ? "..." : "");
}

struct status remote_status_grpc(int code, struct slice message) {
    char text[TEXT_MAX];
    size_t size = 0, at = 0;
    while (at < message.size && size < sizeof text - 8) {
        int high = -1, low = -1;
        if (message.data[at] == '%' && message.size - at > 2) {
            high = hex_value(message.data[at + 1]);
            low = hex_value(message.data[at + 2]);
        }
        bool escaped = high >= 0 && low >= 0;
        text[size++] = escaped ? (char)(unsigned char)(high * 16 + low) : message.data[at];
        at += escaped ? 3 : 1;
    }
    enum status_code ours = code >= 0 && code <= GRPC_STATUS_MAX ? grpc_codes[code] : STATUS_UNKNOWN;
    if (ours == STATUS_OK)
        return status_ok();
    if (size == 0)
        return status_error(ours, "the server says gRPC status %d without a message", code);
    return make_status(ours, text, size, at < message.size);
}

static struct status copy_text(enum status_code code, struct slice from) {
    char text[TEXT_MAX];
    size_t size = from.size < sizeof text - 8 ? from.size : sizeof text - 8;
    for (size_t i = 0; i < size; i++)
        text[i] = from.data[i];
    return make_status(code, text, size, size < from.size);
}

struct status remote_status_http(int code, struct slice body) {
    enum status_code ours = remote_status_http_code(code);
    yyjson_doc *doc = body.size > 0 ? yyjson_read(body.data, body.size, 0) : NULL;
    yyjson_val *error = yyjson_obj_get(yyjson_doc_get_root(doc), "error");
    if (yyjson_is_str(error) && yyjson_get_len(error) > 0) {
        struct status status = copy_text(ours, (struct slice){yyjson_get_str(error), yyjson_get_len(error)});
        yyjson_doc_free(doc);
        return status;
    }
    yyjson_doc_free(doc);
    struct slice first_line, rest;
    slice_split(slice_trim(body), '\n', &first_line, &rest);
    struct status shown = copy_text(ours, slice_trim(first_line));
    if (first_line.size == 0)
        return status_error(ours, "the server says HTTP status %d without a message", code);
    return status_prefix(shown, "HTTP status %d", code);
}

struct status remote_status_v1(int code, struct slice message) {
    /* Source: request_status.proto of the inference server. */
    static const enum status_code codes[] = {
        [3] = STATUS_INTERNAL,    [4] = STATUS_NOT_FOUND,   [5] = STATUS_INVALID_ARGUMENT,
        [6] = STATUS_UNAVAILABLE, [7] = STATUS_UNSUPPORTED, [8] = STATUS_ALREADY_EXISTS,
    };
    bool known = code >= 3 && (size_t)code < sizeof codes / sizeof codes[0];
    enum status_code ours = known ? codes[code] : STATUS_UNKNOWN;
    if (message.size == 0)
        return status_error(ours, "the server says request status %d without a message", code);
    return copy_text(ours, message);
}
