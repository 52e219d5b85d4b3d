#include "grpc/ending.h"

#include "grpc/metadata.h"

const struct http_header ending_content_type = {{"content-type", 12}, {"application/grpc", 16}};

struct http_header ending_accept_encoding(void) {
    return (struct http_header){SLICE_LITERAL("grpc-accept-encoding"), grpc_accepted_encodings()};
}

size_t ending_fields(struct http_exchange *exchange, const struct ending *ending,
                     struct http_header fields[static ENDING_FIELDS_MAX]) {
    struct arena *arena = http_exchange_arena(exchange);
    size_t count = 0;
    http_exchange_set_inner_status(exchange, (int)ending->code);
    fields[count++] = (struct http_header){SLICE_LITERAL("grpc-status"), arena_u64(arena, ending->code)};
    struct slice text = grpc_encode_message(arena, slice_of(ending->message));
    if (text.size > 0)
        fields[count++] = (struct http_header){SLICE_LITERAL("grpc-message"), text};
    const char *retry = ending->retry_ms ? arena_printf(arena, "%u", (unsigned)ending->retry_ms) : NULL;
    if (retry)
        fields[count++] = (struct http_header){SLICE_LITERAL("grpc-retry-pushback-ms"), slice_of(retry)};
    return count;
}

void ending_answer(struct http_exchange *exchange, int http_status, const struct ending *ending) {
    struct http_header fields[2 + ENDING_FIELDS_MAX] = {ending_content_type, ending_accept_encoding()};
    size_t count = 2 + ending_fields(exchange, ending, fields + 2);
    http_respond(exchange, http_status, fields, count, NULL);
}
