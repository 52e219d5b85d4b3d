#include "api/status_map.h"

#include <stddef.h>

struct wire_codes {
    int http;
    enum grpc_code grpc;
};

static const struct wire_codes table[] = {
    [STATUS_OK] = {200, GRPC_OK},
    [STATUS_UNKNOWN] = {400, GRPC_UNKNOWN},
    [STATUS_INTERNAL] = {500, GRPC_INTERNAL},
    [STATUS_NOT_FOUND] = {404, GRPC_NOT_FOUND},
    [STATUS_INVALID_ARGUMENT] = {400, GRPC_INVALID_ARGUMENT},
    [STATUS_UNAVAILABLE] = {503, GRPC_UNAVAILABLE},
    [STATUS_UNSUPPORTED] = {501, GRPC_UNIMPLEMENTED},
    [STATUS_ALREADY_EXISTS] = {400, GRPC_ALREADY_EXISTS},
    [STATUS_CANCELLED] = {400, GRPC_CANCELLED},
    [STATUS_DEADLINE_EXCEEDED] = {504, GRPC_DEADLINE_EXCEEDED},
    [STATUS_RESOURCE_EXHAUSTED] = {503, GRPC_RESOURCE_EXHAUSTED},
    [STATUS_PERMISSION_DENIED] = {403, GRPC_PERMISSION_DENIED},
    [STATUS_UNAUTHENTICATED] = {401, GRPC_UNAUTHENTICATED},
    [STATUS_FAILED_PRECONDITION] = {400, GRPC_FAILED_PRECONDITION},
    [STATUS_TOO_LARGE] = {413, GRPC_RESOURCE_EXHAUSTED},
    [STATUS_METHOD_NOT_ALLOWED] = {405, GRPC_UNIMPLEMENTED},
    [STATUS_DATA_LOSS] = {500, GRPC_DATA_LOSS},
};

static const struct wire_codes *row_of(enum status_code code) {
    size_t row = (size_t)code;
    if (row >= sizeof table / sizeof table[0] || table[row].http == 0)
        row = STATUS_INTERNAL;
    return &table[row];
}

int status_map_http(enum status_code code) {
    return row_of(code)->http;
}

uint32_t status_map_retry_ms(enum status_code code) {
    return code == STATUS_UNAVAILABLE || code == STATUS_RESOURCE_EXHAUSTED ? 1000 : 0;
}

enum grpc_code status_map_grpc(enum status_code code) {
    return row_of(code)->grpc;
}
