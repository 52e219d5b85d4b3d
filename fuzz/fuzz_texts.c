/* The small texts of the protocols. Input: which one, then the text.
 * Holds: base64 comes back; an encoded grpc-message is visible ASCII; time-outs fit; a matched route is of the table
 * and its names are what was encoded; a body that inflates stays within its limit and comes back after deflating. */
#include "api/body_coding.h"
#include "api/router.h"
#include "base/options.h"
#include "codec/base64.h"
#include "fuzz.h"
#include "grpc/metadata.h"
#include "http/http_text.h"

enum { BODY_MAX = 1 << 16 };

static void try_base64(struct slice text, struct arena *arena) {
    struct slice bytes;
    struct status status = base64_decode(text, arena, &bytes);
    if (!status_is_ok(&status))
        fuzz_check_error(&status);
    else
        text = bytes; /* and else any bytes are encoded */
    struct buf out = BUF_EMPTY;
    base64_append(&out, text);
    status = base64_decode(buf_slice(&out), arena, &bytes);
    FUZZ_CHECK(status_is_ok(&status) && slice_equal(bytes, text));
    buf_free(&out);
}

static void try_grpc(struct slice text, struct arena *arena) {
    uint64_t ns;
    enum grpc_encoding encoding;
    if (grpc_parse_timeout(text, &ns))
        FUZZ_CHECK(text.size >= 2 && text.size <= 9);
    (void)grpc_parse_encoding(text, &encoding);
    (void)grpc_is_content_type(text);
    struct slice encoded = grpc_encode_message(arena, text);
    FUZZ_CHECK(encoded.size >= text.size);
    for (size_t i = 0; i < encoded.size; i++)
        FUZZ_CHECK(encoded.data[i] >= ' ' && encoded.data[i] <= '~');
}

static void try_route(struct slice text, struct arena *arena) {
    struct slice method, path;
    struct route_match match;
    slice_split(text, ' ', &method, &path);
    struct status status = router_match(api_routes, api_route_count, API_ALL, method, path, arena, &match);
    if (status_is_ok(&status)) {
        FUZZ_CHECK(match.route >= api_routes && match.route < api_routes + api_route_count);
        FUZZ_CHECK(slice_equal_text(method, match.route->method) && match.version >= -1);
        FUZZ_CHECK(match.model.size <= path.size && match.name.size <= path.size);
    } else {
        fuzz_check_error(&status);
        FUZZ_CHECK(status.code != STATUS_METHOD_NOT_ALLOWED || strlen(match.allow) > 0);
    }
}

static void try_target(struct slice text) {
    struct http_request request = {.method = SLICE_LITERAL("GET")};
    if (http_split_target(text, &request))
        FUZZ_CHECK(request.path.size > 0 &&
                   request.path.size + request.query.size + request.authority.size <= text.size + 1);
}

static void try_body(enum body_coding coding, struct slice text) {
    struct buf body = BUF_EMPTY, plain = BUF_EMPTY;
    buf_append_slice(&body, text);
    struct status status = body_inflate(coding, BODY_MAX, (struct inflate_gate){.take = NULL}, &body);
    if (status_is_ok(&status)) {
        FUZZ_CHECK(body.size <= BODY_MAX);
        buf_append_slice(&plain, buf_slice(&body));
        status = body_deflate(coding, &body);
        FUZZ_CHECK(status_is_ok(&status));
        status = body_inflate(coding, BODY_MAX, (struct inflate_gate){.take = NULL}, &body);
        FUZZ_CHECK(status_is_ok(&status) && slice_equal(buf_slice(&body), buf_slice(&plain)));
    } else {
        fuzz_check_error(&status);
    }
    buf_free(&body);
    buf_free(&plain);
}

static void try_codings(struct slice text) {
    static const char *const names[] = {"model-repository", "http-port", "grpc-port", "log-level"};
    enum body_coding coding;
    struct status status = body_coding_parse(text, &coding);
    if (!status_is_ok(&status))
        fuzz_check_error(&status);
    FUZZ_CHECK(body_coding_choose(text) <= BODY_DEFLATE);
    (void)nearest_name(text, names, sizeof names / sizeof names[0]);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct fuzz_input input = fuzz_input_on(data, size);
    uint8_t choice = fuzz_byte(&input);
    struct slice rest = fuzz_rest(&input);
    struct slice text = {fuzz_copy(rest), rest.size};
    struct arena *arena = fuzz_arena(0);
    switch (choice % 7) {
    case 0:
        try_base64(text, arena);
        break;
    case 1:
        try_grpc(text, arena);
        break;
    case 2:
        try_route(text, arena);
        break;
    case 3:
        try_target(text);
        break;
    case 4:
        try_body(BODY_GZIP, text);
        break;
    case 5:
        try_body(BODY_DEFLATE, text);
        break;
    default:
        try_codings(text);
        break;
    }
    arena_destroy(arena);
    free((void *)(uintptr_t)text.data);
    return 0;
}
