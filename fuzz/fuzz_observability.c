/* What tells of requests: the traceparent header, --trace-config, log lines, and the records of traces. Input: which
 * one, then its text. Holds: a context that is known has ids, and they are the header's; a config that was taken can be
 * copied; a line of the log is one line of bounded length, and its JSON form is JSON that gives the field back; records
 * are a JSON array, and spans well-formed protobuf, whatever a client's id is. */
#include <sys/mman.h>
#include <unistd.h>

#include <yyjson.h>

#include "base/log.h"
#include "codec/pb_wire.h"
#include "fuzz.h"
#include "trace/otlp_spans.h"
#include "trace/trace_config.h"
#include "trace/trace_json.h"
#include "trace/trace_priv.h"

static void try_traceparent(struct slice text) {
    struct trace_context context = traceparent_parse(text);
    unsigned char sum = 0;
    for (size_t i = 0; i < TRACE_ID_SIZE; i++)
        sum |= context.trace_id[i];
    FUZZ_CHECK(context.known == (sum != 0) && (context.known || !context.sampled));
    if (!context.known)
        return;
    char digits[2 * TRACE_ID_SIZE + 1];
    for (size_t i = 0; i < TRACE_ID_SIZE; i++)
        snprintf(digits + 2 * i, 3, "%02x", context.trace_id[i]);
    FUZZ_CHECK(memcmp(slice_trim(text).data + 3, digits, 2 * TRACE_ID_SIZE) == 0);
}

/* A setting a line. */
static void try_config(struct slice text, struct arena *arena) {
    struct trace_config config = trace_config_default(), copy;
    while (text.size > 0) {
        struct slice line;
        slice_split(text, '\n', &line, &text);
        struct status status = trace_config_apply(&config, line, arena);
        if (!status_is_ok(&status))
            fuzz_check_error(&status);
    }
    struct status status = trace_config_check(&config);
    if (!status_is_ok(&status))
        fuzz_check_error(&status);
    status = trace_config_copy(&config, arena, &copy);
    FUZZ_CHECK(status_is_ok(&status) && strcmp(copy.otlp.path, config.otlp.path) == 0 && copy.otlp.path[0] == '/');
    uint64_t port;
    FUZZ_CHECK(slice_to_u64(slice_of(copy.otlp.port), &port) && port >= 1 && port <= 65535);
}

static void check_line(const char *line, size_t size, enum log_format format, struct slice field) {
    FUZZ_CHECK(size > 0 && size <= LOG_LINE_MAX && line[size - 1] == '\n');
    FUZZ_CHECK(slice_is_utf8((struct slice){line, size}));
    for (size_t i = 0; i + 1 < size; i++)
        FUZZ_CHECK((unsigned char)line[i] >= ' ' && line[i] != 0x7f);
    if (format != LOG_FORMAT_JSON)
        return;
    yyjson_doc *doc = yyjson_read(line, size, YYJSON_READ_NOFLAG);
    yyjson_val *id = yyjson_obj_get(yyjson_doc_get_root(doc), "request_id");
    FUZZ_CHECK(doc && (field.size == 0) == !id);
    if (id && field.size < 30 && slice_is_utf8(field))
        FUZZ_CHECK(yyjson_equals_strn(id, field.data, field.size));
    yyjson_doc_free(doc);
}

static void try_log(struct fuzz_input *input, struct arena *arena) {
    static char line[LOG_LINE_MAX + 2];
    static int fd = -1;
    if (fd < 0)
        fd = memfd_create("log", MFD_CLOEXEC);
    enum log_format format = fuzz_byte(input) % 3;
    struct slice field = fuzz_take(input, fuzz_byte(input));
    const char *message = arena_strdup(arena, fuzz_rest(input));
    const struct log_field fields[] = {{"request_id", {field.data ? field.data : "", field.size}, 0},
                                       {"status", {NULL, 0}, 200}};
    struct log log = log_default();
    log.fd = fd;
    log.format = (int)format;
    FUZZ_CHECK(message && ftruncate(fd, 0) == 0 && lseek(fd, 0, SEEK_SET) == 0);
    LOG_FIELDS(&log, LOG_LEVEL_INFO, fields, 2, "%s", message);
    ssize_t size = pread(fd, line, sizeof line, 0);
    FUZZ_CHECK(size >= 0);
    check_line(line, (size_t)size, format, field);
}

static void check_wire(struct slice bytes) {
    struct pb_reader reader = pb_reader_on(bytes);
    uint32_t number;
    enum pb_wire_type wire;
    while (!pb_reader_done(&reader))
        FUZZ_CHECK(pb_read_tag(&reader, &number, &wire) && pb_skip(&reader, number, wire, 10));
}

static void fill_trace(struct fuzz_input *input, struct trace *trace) {
    trace->level = TRACE_TIMESTAMPS | TRACE_TENSORS;
    trace->protocol = fuzz_byte(input) % 2 ? TRACE_GRPC : TRACE_HTTP;
    trace_set_request_id(trace, fuzz_take(input, fuzz_u16(input)));
    trace_set_error(trace, fuzz_take(input, fuzz_byte(input)));
    const struct trace_tensor tensor = {.name = fuzz_take(input, fuzz_byte(input)),
                                        .datatype = "BYTES",
                                        .shape = (const int64_t[]){INT64_MIN, INT64_MAX},
                                        .rank = 2,
                                        .data = fuzz_take(input, fuzz_byte(input))};
    trace_add_tensor(trace, TRACE_QUEUE_INPUT, &tensor);
    while (fuzz_left(input) > 0)
        trace_stamp(trace, fuzz_byte(input) % TRACE_POINT_COUNT, fuzz_u16(input));
}

static void try_trace(struct fuzz_input *input) {
    struct trace *trace = trace_create(fuzz_take(input, fuzz_byte(input)));
    FUZZ_CHECK(trace);
    fill_trace(input, trace);
    struct buf json = BUF_EMPTY, spans = BUF_EMPTY;
    buf_append_char(&json, '[');
    trace_json_write(trace, &json);
    buf_append_char(&json, ']');
    yyjson_doc *doc = yyjson_read(json.data, json.size, YYJSON_READ_NOFLAG);
    FUZZ_CHECK(doc && yyjson_arr_size(yyjson_doc_get_root(doc)) == 2 + trace->stamp_count);
    for (size_t i = 1; i < trace->stamp_count; i++)
        FUZZ_CHECK(trace->stamps[i - 1].ns <= trace->stamps[i].ns);
    const struct otlp_config config = trace_config_default().otlp;
    otlp_spans_encode(trace, &config, "1.0", &spans);
    check_wire(buf_slice(&spans));
    yyjson_doc_free(doc);
    buf_free(&json);
    buf_free(&spans);
    trace_destroy(trace);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct fuzz_input input = fuzz_input_on(data, size);
    struct arena *arena = fuzz_arena(0);
    char *copy;
    switch (fuzz_byte(&input) % 4) {
    case 0: {
        struct slice text = fuzz_rest(&input);
        copy = fuzz_copy(text);
        try_traceparent((struct slice){copy, text.size});
        free(copy);
        break;
    }
    case 1:
        try_config(fuzz_rest(&input), arena);
        break;
    case 2:
        try_log(&input, arena);
        break;
    default:
        try_trace(&input);
        break;
    }
    arena_destroy(arena);
    return 0;
}
