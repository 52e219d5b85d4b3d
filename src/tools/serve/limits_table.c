#include "tools/serve/limits_table.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "api/access.h"
#include "api/classification.h"
#include "api/gpu_usage.h"
#include "api/header_pattern.h"
#include "api/infer_call.h"
#include "api/infer_parameters.h"
#include "api/infer_stream.h"
#include "api/reflection.h"
#include "api/token_file.h"
#include "base/file.h"
#include "base/log.h"
#include "base/output.h"
#include "codec/json_value.h"
#include "codec/model_config_limits.h"
#include "codec/pb.h"
#include "core/core_limits.h"
#include "core/gpu_memory.h"
#include "core/shared_memory.h"
#include "core/statistics.h"
#include "core/tensor.h"
#include "grpc/metadata.h"
#include "grpc/unpacking.h"
#include "http/hpack_table.h"
#include "http/http_limits.h"
#include "net/connection.h"
#include "net/net_limits.h"
#include "net/tls_hello.h"
#include "net/tls_material.h"
#include "record/recorder.h"
#include "tools/serve/options.h"
#include "tools/serve/port.h"
#include "tools/serve/server.h"
#include "tools/serve/worker_pool.h"
#include "trace/trace.h"
#include "trace/tracer.h"

/* clang-format off */
#define COUNT(number) {LIMIT_COUNT, (number), NULL}
#define BYTES(number) {LIMIT_BYTES, (number), NULL}
#define COUNT_OF(flag) {LIMIT_COUNT, 0, flag}
#define BYTES_OF(flag) {LIMIT_BYTES, 0, flag}
/* clang-format on */

const struct limit_row limit_rows[] = {
    {"Connections and HTTP", NULL, {{0}}},
    {"connections of a port", "#, --max-connections", {COUNT_OF("max-connections")}},
    {"connections beyond those, which are told so", "# for # s", {COUNT(PORT_CROWD), COUNT(NET_CROWD_TIMEOUT_S)}},
    {"time until the protocol can be told, TLS handshake included",
     "# s (or the request timeout, if shorter); #, --request-timeout-secs",
     {COUNT(HTTP_HEAD_TIMEOUT_S), BYTES(NET_FIRST_BYTES_MAX)}},
    {"request line and headers together", "#", {BYTES(HTTP_HEAD_MAX)}},
    {"header fields", "#", {COUNT(HTTP_FIELDS_MAX)}},
    {"time for the head",
     "# s (or the request timeout, if shorter), --request-timeout-secs",
     {COUNT(HTTP_HEAD_TIMEOUT_S)}},
    {"request body, also after decompression", "#, --max-request-size", {BYTES_OF("max-request-size")}},
    {"requests (heads, bodies, gRPC messages, what they were decoded to) and answers that wait, of all connections",
     "# (or half of the memory, if less), --max-inflight-size",
     {BYTES_OF("max-inflight-size")}},
    {"of it for each connection, whatever the others hold",
     "a quarter of it, divided by --max-connections of the three ports, but at least #",
     {BYTES(SERVER_SHARE_MIN)}},
    {"what answers on the metrics port, beside those", "#", {BYTES(SERVER_METRICS_INFLIGHT)}},
    {"silence in a body, in a message of a stream (not between two), or in taking an answer",
     "# s, --request-timeout-secs",
     {COUNT_OF("request-timeout-secs")}},
    {"silence in a request, or in taking an answer, after SIGTERM", "# s", {COUNT(HTTP_DRAIN_TIMEOUT_S)}},
    {"time without a request", "# s, --idle-timeout-secs", {COUNT_OF("idle-timeout-secs")}},
    {"extensions and trailers of chunks, in a body", "#", {BYTES(HTTP_HEAD_MAX)}},
    {"digits of a chunk's size", "#", {COUNT(HTTP_CHUNK_SIZE_DIGITS)}},
    {"pipelined bytes that are read ahead", "#", {BYTES(HTTP_READ_AHEAD_PAUSE)}},
    {"answer that a connection has taken to write it",
     "# copied, # of large pieces, as they lie",
     {BYTES(NET_OUTPUT_MAX), BYTES(OUTPUT_LENT_MAX)}},
    {"rest of a body after an early answer",
     "HTTP/1.1 #; HTTP/2 # or # s",
     {BYTES(HTTP_H1_DROP_MAX), BYTES(HTTP_H2_DROP_MAX), COUNT(HTTP_H2_STOP_SENDING_S)}},
    {"work on requests that came together on one connection, before others get their turn",
     "# ms and what the coarse clock is behind, some 4, for each # read and each buffer written, of which # are done "
     "at a time, until # are read and # written; and the request that is begun then",
     {COUNT(HTTP_TURN_MS), BYTES(CONNECTION_SCRATCH_BYTES), COUNT(NET_TURN_ROUNDS), BYTES(NET_TURN_INPUT_BYTES),
      BYTES(NET_TURN_BYTES)}},
    {"rest of a body that is received to where it lies, at a time",
     "from # to about #",
     {BYTES(HTTP_MIN_PLACED_BYTES), BYTES(SESSION_PLACES_BYTES)}},
    {"freed memory that stays with the process for the next requests",
     "#; what is more goes back to the system within # s of quiet (requests and answers hold less than # at a time)",
     {BYTES(SERVER_KEPT_MEMORY), COUNT(2 * SERVER_MEMORY_LOOK_MS / 1000), BYTES(SERVER_KEPT_MEMORY)}},

    {"HTTP/2 and gRPC", NULL, {{0}}},
    {"streams of a connection", "#, --max-streams", {COUNT_OF("max-streams")}},
    {"bytes sent ahead",
     "# a stream, # a connection",
     {BYTES(HTTP_H2_STREAM_WINDOW), BYTES(HTTP_H2_CONNECTION_WINDOW)}},
    {"frame", "#", {BYTES(HTTP_H2_FRAME_MAX)}},
    {"answer, before others of the connection have their turn",
     "#; one frame where the request's priority is incremental",
     {BYTES(HTTP_H2_TURN_BYTES)}},
    {"head of a request that is kept in case the next is the same",
     "# as it comes, # and # fields when it is decoded",
     {BYTES(HTTP_H2_KNOWN_HEAD_MAX), BYTES(HTTP_H2_KNOWN_TEXT_MAX), COUNT(HTTP_H2_KNOWN_FIELDS_MAX)}},
    {"headers, when above the limit by far",
     "# times #; # times",
     {COUNT(HTTP_H2_HEAD_FLOOD_FACTOR), BYTES(HTTP_HEAD_MAX), COUNT(HTTP_H2_HEAD_BOMB_FACTOR)}},
    {"headers, beyond their block and a full table", "# times", {COUNT(HTTP_H2_HEAD_INFLATED_FACTOR)}},
    {"frames of one head, compressed",
     "#, the first and # more",
     {BYTES(HTTP_H2_BLOCK_MAX), COUNT(HTTP_H2_CONTINUATIONS_MAX)}},
    {"table of fields, of each direction", "#", {BYTES(HPACK_TABLE_DEFAULT)}},
    {"rows of a SETTINGS frame", "#", {COUNT(HTTP_H2_SETTINGS_MAX)}},
    {"answers to SETTINGS and PING that wait to be taken", "#", {COUNT(HTTP_H2_ACKS_MAX)}},
    {"all frames but DATA that wait to be taken", "#", {BYTES(HTTP_H2_CONTROL_PAUSE)}},
    {"resets and other frames that only cost", "# a second", {COUNT(HTTP_H2_RESETS_PER_SECOND)}},
    {"streams refused for want of room",
     "# a second and 2 for each of --max-streams",
     {COUNT(HTTP_H2_REFUSALS_PER_SECOND)}},
    {"message, also after decompression", "#, --max-request-size", {BYTES_OF("max-request-size")}},
    {"messages of a unary call", "1", {{0}}},
    {"request to server reflection; answers that wait for its client",
     "#; #, and one more",
     {BYTES(REFLECTION_REQUEST_MAX), BYTES(REFLECTION_WAITING_MAX)}},
    {"calls of Health/Watch open at once", "#", {COUNT(SERVER_WATCHES_MAX)}},
    {"requests pending on a stream of inferences", "#, --max-stream-requests", {COUNT_OF("max-stream-requests")}},
    {"answers of such a stream that its client has not taken", "#", {BYTES(INFER_STREAM_UNREAD_MAX)}},
    {"grpc-timeout", "# digits", {COUNT(GRPC_TIMEOUT_DIGITS_MAX)}},

    {"TLS", NULL, {{0}}},
    {"a peer's part of a handshake", "#", {BYTES(NET_HANDSHAKE_MAX)}},
    {"ClientHello", "#", {BYTES(TLS_HELLO_MAX)}},
    {"chain of a client's certificates", "#, depth #", {BYTES(NET_CLIENT_CHAIN_MAX), COUNT(NET_VERIFY_DEPTH)}},
    {"bytes that one read may take beyond what it gives (key updates)", "#", {BYTES(NET_TLS_OVERHEAD_MAX)}},
    {"tickets", "# s", {COUNT(NET_TICKET_TIMEOUT_S)}},
    {"files: certificates, key, authorities",
     "# each; # issuers; # authorities",
     {BYTES(TLS_MATERIAL_MAX), COUNT(NET_ISSUERS_MAX), COUNT(NET_AUTHORITIES_MAX)}},

    {"Permissions", NULL, {{0}}},
    {"--restrict", "# rules", {COUNT(OPTION_LIST_MAX)}},
    {"file of tokens", "#", {BYTES(TOKEN_FILE_MAX)}},
    {"token", "# to # characters", {COUNT(TOKEN_MIN), COUNT(TOKEN_MAX)}},
    {"tokens in all files", "#", {COUNT(ACCESS_TOKENS_MAX)}},

    {"Requests", NULL, {{0}}},
    {"nesting of JSON", "# in a value", {COUNT(JSON_NESTING_MAX)}},
    {"nesting of protobuf (messages, groups)", "#", {COUNT(PB_DEPTH_MAX)}},
    {"dimensions of a tensor", "#", {COUNT(TENSOR_RANK_MAX)}},
    {"elements, bytes of a shape", "what 64 bits count", {{0}}},
    {"numbers in JSON", "the range of the datatype", {{0}}},
    {"a string sequence_id", "#, as Triton", {BYTES(SEQUENCE_ID_MAX)}},
    {"responses of a request that response_stats tells apart", "#", {COUNT(RESPONSE_STATS_MAX)}},
    {"batch", "the model's max_batch_size", {{0}}},
    {"classes of an answer: over its outputs, rows times the classes of a row",
     "#",
     {COUNT(CLASSIFICATION_CLASSES_MAX)}},
    {"requests that wait for a version", "#, --max-queue-size", {COUNT_OF("max-queue-size")}},
    {"requests that one batch decision looks at",
     "#, or max_batch_size up to #",
     {COUNT(CORE_BATCH_WINDOW_MIN), COUNT(CORE_BATCH_WINDOW_MAX)}},
    {"regions of shared memory registered at once", "#, --max-shm-regions", {COUNT_OF("max-shm-regions")}},
    {"memory of all regions together", "#, --max-shm-size", {BYTES_OF("max-shm-size")}},
    {"inputs in system shared memory of all requests at once", "as --max-inflight-size", {{0}}},
    {"inputs in memory of GPUs", "booked like bodies, --max-inflight-size", {{0}}},
    {"CUDA IPC handle of a region; the wait for a driver that is at work on another",
     "#; # s",
     {BYTES(CUDA_IPC_HANDLE_BYTES), COUNT(GPU_MEMORY_PATIENCE_S)}},
    {"name of a region; key of an object",
     "1 to #; 1 to # bytes, UTF-8 without NUL",
     {COUNT(SHARED_MEMORY_NAME_MAX), COUNT(SHARED_MEMORY_KEY_MAX)}},
    {"text of an error", "# bytes", {COUNT(STATUS_MESSAGE_MAX - 1)}},
    {"traces that wait to be written",
     "# and #; opentelemetry mode: bsp_max_queue_size spans",
     {COUNT(TRACE_QUEUE_MAX), BYTES(TRACE_QUEUE_MAX_BYTES)}},
    {"of a trace: times; tensors; text of a tensor; names, id and messages",
     "#; #; #; #",
     {COUNT(TRACE_STAMPS_MAX), COUNT(TRACE_TENSORS_MAX), BYTES(TRACE_TENSOR_TEXT_MAX), BYTES(TRACE_TEXT_MAX)}},
    {"inferences that wait to be recorded", "# and #", {COUNT(RECORDER_QUEUE_MAX), BYTES(RECORDER_QUEUE_MAX_BYTES)}},
    {"file of records", "#, --record-max-size", {BYTES_OF("record-max-size")}},
    {"GPUs that metrics tell of; figures of a driver that hangs; the wait for it at the end",
     "#; # s; # s",
     {COUNT(NVML_GPUS_MAX), COUNT(GPU_USAGE_PATIENCE_S), COUNT(GPU_USAGE_END_WAIT_S)}},
    {"models with trace settings of their own", "#", {COUNT(TRACE_MODELS_MAX)}},
    {"time for a collector to take spans; at the end of the server, for all",
     "# s; # s",
     {COUNT(TRACE_EXPORT_TIMEOUT_S), COUNT(TRACE_FLUSH_S)}},
    {"name of a header that becomes a parameter", "#", {BYTES(HEADER_NAME_MAX)}},
    {"line of the log; a field in it (request id, path)", "# bytes; #", {COUNT(LOG_LINE_MAX), COUNT(LOG_FIELD_MAX)}},
    {"warnings about failed inferences", "# a second", {COUNT(LOG_FLOOD_MAX)}},
    {"decoded by the thread of the connection",
     "# of JSON, a gRPC message of #, a compressed body of #",
     {BYTES(INFER_WEIGHT_LIGHT), BYTES(INFER_WEIGHT_LIGHT *INFER_WEIGHT_OF_MESSAGE),
      BYTES(INFER_WEIGHT_LIGHT / INFER_WEIGHT_OF_PACKED)}},
    {"unpacked by the thread of the connection",
     "a compressed gRPC message of #; of several that come together what becomes #, and one more",
     {BYTES(UNPACKING_HERE_PACKED), BYTES(UNPACKING_HERE_BYTES)}},
    {"inputs of a quick model that is run by the thread of the connection, which also encodes the answer",
     "#",
     {BYTES(INFER_INSIDE_BYTES)}},
    {"time from SIGTERM", "# s, --exit-timeout-secs", {COUNT_OF("exit-timeout-secs")}},

    {"Models", NULL, {{0}}},
    {"repositories", "#", {COUNT(OPTION_LIST_MAX)}},
    {"config.pbtxt", "#, # when parsed", {BYTES(CORE_CONFIG_FILE_MAX), BYTES(CORE_CONFIG_MEMORY_MAX)}},
    {"label file", "#", {BYTES(CORE_LABEL_FILE_MAX)}},
    {"inputs, outputs", "# each", {COUNT(CORE_TENSORS_MAX)}},
    {"max_batch_size; sizes of batches that a version's statistics tell apart",
     "#; as many",
     {COUNT(MODEL_CONFIG_BATCH_MAX)}},
    {"versions that specific lists", "#", {COUNT(CORE_VERSIONS_MAX)}},
    {"instances, over all groups and their gpus", "#", {COUNT(CORE_INSTANCES_MAX)}},
    {"names of files", "# bytes, no / and no control characters", {COUNT(FILE_NAME_BYTES_MAX)}},
    {"name of an engine", "# letters, digits, _, -", {COUNT(CORE_ENGINE_NAME_MAX)}},
    {"models loaded at once at start",
     "#, at most one a CPU; --model-load-thread-count, to #",
     {COUNT(CORE_LOADERS), COUNT(CORE_LOADERS_MAX)}},
    {"loads, unloads and index calls at once",
     "# run, # wait",
     {COUNT(WORKER_POOL_THREADS), COUNT(SERVER_CALLS_WAITING_MAX)}},
    {"config and files that come with a load", "one request's, --max-request-size; over HTTP in base64", {{0}}},
    {"files of a load",
     "#, paths of # bytes and # names",
     {COUNT(CORE_LOAD_FILES_MAX), COUNT(CORE_LOAD_PATH_MAX), COUNT(CORE_LOAD_PATH_NAMES_MAX)}},
    {"models that are in no repository", "#", {COUNT(CORE_FOREIGN_MODELS_MAX)}},
    {"--load-model", "#", {COUNT(OPTION_LIST_MAX)}},
};
const size_t limit_row_count = sizeof limit_rows / sizeof limit_rows[0];

/* The flag is one of the options, which the unit test holds. */
static int64_t default_of(const char *flag) {
    const struct option_row *row = serve_option_table.rows;
    while (!row->name || strcmp(row->name, flag) != 0)
        row++;
    return strtoll(row->default_value, NULL, 10);
}

/* "64 KiB", "256 bytes", "16384"; returns the length. */
static size_t write_number(const struct limit_number *number, char *text, size_t size) {
    static const char *const units[] = {" bytes", " KiB", " MiB", " GiB"};
    int64_t value = number->flag ? default_of(number->flag) : number->number;
    size_t unit = 0;
    for (; number->unit == LIMIT_BYTES && unit < 3 && value % 1024 == 0 && value > 0; unit++)
        value /= 1024;
    int length = snprintf(text, size, "%" PRId64 "%s", value, number->unit == LIMIT_BYTES ? units[unit] : "");
    return (size_t)length < size ? (size_t)length : size - 1;
}

void limit_row_write(const struct limit_row *row, char *text, size_t size) {
    size_t used = 0;
    const struct limit_number *number = row->numbers;
    for (const char *at = row->value; *at && used + 1 < size; at++) {
        if (*at == '#')
            used += write_number(number++, text + used, size - used);
        else
            text[used++] = *at;
    }
    text[used] = '\0';
}

void limits_table_print(FILE *out) {
    fputs("\nLimits of the server (docs/limits.md has those of the backends too, and tells what is seen when one is "
          "passed):\n",
          out);
    for (size_t i = 0; i < limit_row_count; i++) {
        char value[256], line[512];
        if (!limit_rows[i].value) {
            fprintf(out, "\n %s:\n", limit_rows[i].what);
            continue;
        }
        limit_row_write(&limit_rows[i], value, sizeof value);
        snprintf(line, sizeof line, "%s: %s", limit_rows[i].what, value);
        options_print_text(out, line, 2, 6);
    }
}
