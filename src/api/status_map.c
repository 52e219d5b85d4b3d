#include "api/status_map.h"

#include <stddef.h>

#include "codec/trtis_v1_messages.h"

struct wire_codes {
    int http;
    enum grpc_code grpc;
    int32_t v1;
};

static const struct wire_codes table[] = {
    [STATUS_OK] = {200, GRPC_OK, PB_V1_SUCCESS},
    [STATUS_UNKNOWN] = {400, GRPC_UNKNOWN, PB_V1_UNKNOWN},
    [STATUS_INTERNAL] = {500, GRPC_INTERNAL, PB_V1_INTERNAL},
    [STATUS_NOT_FOUND] = {404, GRPC_NOT_FOUND, PB_V1_NOT_FOUND},
    [STATUS_INVALID_ARGUMENT] = {400, GRPC_INVALID_ARGUMENT, PB_V1_INVALID_ARG},
    [STATUS_UNAVAILABLE] = {503, GRPC_UNAVAILABLE, PB_V1_UNAVAILABLE},
    [STATUS_SWITCHED_OFF] = {503, GRPC_UNAVAILABLE, PB_V1_UNAVAILABLE}, /* as Triton; it does not pass by itself */
    [STATUS_UNSUPPORTED] = {501, GRPC_UNIMPLEMENTED, PB_V1_UNSUPPORTED},
    [STATUS_ALREADY_EXISTS] = {400, GRPC_ALREADY_EXISTS, PB_V1_ALREADY_EXISTS},
    [STATUS_CANCELLED] = {400, GRPC_CANCELLED, PB_V1_UNAVAILABLE},
    [STATUS_DEADLINE_EXCEEDED] = {504, GRPC_DEADLINE_EXCEEDED, PB_V1_UNAVAILABLE},
    [STATUS_RESOURCE_EXHAUSTED] = {503, GRPC_RESOURCE_EXHAUSTED, PB_V1_UNAVAILABLE},
    [STATUS_PERMISSION_DENIED] = {403, GRPC_PERMISSION_DENIED, PB_V1_UNAVAILABLE},
    [STATUS_UNAUTHENTICATED] = {401, GRPC_UNAUTHENTICATED, PB_V1_UNAVAILABLE},
    [STATUS_FAILED_PRECONDITION] = {400, GRPC_FAILED_PRECONDITION, PB_V1_INVALID_ARG},
    [STATUS_TOO_LARGE] = {413, GRPC_RESOURCE_EXHAUSTED, PB_V1_INVALID_ARG},
    [STATUS_METHOD_NOT_ALLOWED] = {405, GRPC_UNIMPLEMENTED, PB_V1_UNSUPPORTED},
    [STATUS_DATA_LOSS] = {500, GRPC_DATA_LOSS, PB_V1_INTERNAL},
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

int32_t status_map_v1(enum status_code code) {
    return row_of(code)->v1;
}
