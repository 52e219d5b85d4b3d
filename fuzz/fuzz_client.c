/* Our client against a hostile server. Input: how to cut, flags (1 gRPC, 2 and 4 which query, 8 frames as in http2, 16
 * two calls at once, 32 TRTIS v1, 64 calls share a stream), the server's bytes. Holds: each call that was started
 * completes once; an answer that is taken for good can be read, and its tensors are as large as they say. */
#include "client/client_body.h"
#include "client/client_tensor.h"
#include "codec/inference_messages.h"
#include "fuzz.h"

enum { FLAG_GRPC = 1, FLAG_FRAMES = 8, FLAG_TWO = 16, FLAG_V1 = 32, FLAG_STREAM = 64, CALLS = 2, ANSWER_MAX = 1 << 16 };

enum { ASK_INFER, ASK_READY, ASK_STATISTICS, ASK_CONFIG };

struct asked {
    struct client_call call;
    bool started;
    int completed;
};

/* An answer that is not the last, which is read as the client would. */
static void on_partial(struct client_call *call) {
    const struct asked *asked = call->owner;
    FUZZ_CHECK(asked->started && asked->completed == 0 && call->on_stream);
    free(fuzz_copy(buf_slice(&call->answer)));
}

static void on_complete(struct client_call *call) {
    struct asked *asked = call->owner;
    FUZZ_CHECK(asked->started && ++asked->completed == 1);
}

static void write_request(const struct client_body_ops *body, unsigned what, struct arena *arena,
                          struct client_call *call) {
    static const int64_t shape[] = {1, 1};
    static const struct infer_tensor input = {{"IN", 2}, {"INT32", 5}, shape, 2, {"\1\0\0\0", 4}};
    const struct infer_request_spec request = {.model = SLICE_LITERAL("m"), .inputs = &input, .input_count = 1};
    static const enum client_query_kind kinds[] = {QUERY_KIND_COUNT, QUERY_MODEL_READY, QUERY_MODEL_STATISTICS,
                                                   QUERY_MODEL_CONFIG};
    const struct client_query query = {.kind = kinds[what], .model = SLICE_LITERAL("m")};
    struct status status =
        what == ASK_INFER ? body->write_infer(&request, "h:1", arena, call) : body->write_query(&query, "h:1", call);
    FUZZ_CHECK(status_is_ok(&status));
}

static void read_answer(const struct client_body_ops *body, unsigned what, struct arena *arena,
                        const struct client_call *call) {
    struct client_infer_answer answer;
    struct pb_model_statistics_response counted;
    struct infer_statistics *items;
    size_t count;
    struct pb_model_config config;
    bool ready;
    struct status status = status_ok();
    if (what == ASK_INFER) {
        status = body->read_infer(call, arena, &answer);
        for (size_t i = 0; status_is_ok(&status) && i < answer.output_count; i++)
            free(fuzz_copy(answer.outputs[i].data)); /* reads all of it */
    } else if (what == ASK_READY) {
        const struct client_query query = {.kind = QUERY_MODEL_READY, .model = SLICE_LITERAL("m")};
        status = body->read_ready(call, &query, arena, &ready);
    } else if (what == ASK_STATISTICS && body->read_statistics) {
        status = body->read_statistics(call, arena, &items, &count);
        for (size_t i = 0; status_is_ok(&status) && i < count; i++)
            free(fuzz_copy(items[i].version));
    } else if (what == ASK_STATISTICS) {
        const struct client_query query = {.kind = QUERY_MODEL_STATISTICS, .model = SLICE_LITERAL("m")};
        status = body->read_message(call, &query, arena, &pb_model_statistics_response_type, &counted);
    } else {
        const struct client_query query = {.kind = QUERY_MODEL_CONFIG, .model = SLICE_LITERAL("m")};
        status = body->read_message(call, &query, arena, &pb_model_config_type, &config);
    }
    if (!status_is_ok(&status))
        fuzz_check_error(&status);
}

static void take_output(struct client_wire *wire) {
    struct buf out = BUF_EMPTY;
    struct status status = wire->ops->output(wire, &out, 1 << 16);
    if (!status_is_ok(&status))
        fuzz_check_error(&status);
    wire->ops->sent(wire, 1);
    buf_free(&out);
}

static void give_answers(struct client_wire *wire, struct slice bytes, uint8_t seed) {
    struct fuzz_cutter cutter = fuzz_cutter_of(seed);
    struct status why = status_ok();
    for (size_t at = 0; at < bytes.size && status_is_ok(&why) && !wire->ops->finished(wire);) {
        size_t n = fuzz_cut(&cutter, bytes.size - at);
        char *copy = fuzz_copy((struct slice){bytes.data + at, n});
        why = wire->ops->input(wire, copy, n);
        free(copy);
        at += n;
        take_output(wire);
    }
    if (!status_is_ok(&why))
        fuzz_check_error(&why);
    wire->ops->closed(wire, &why);
}

static struct buf server_bytes(struct fuzz_input *input, bool frames) {
    struct buf bytes = BUF_EMPTY;
    while (frames && fuzz_left(input) > 0) {
        uint8_t kind = fuzz_byte(input), flags = fuzz_byte(input), stream = fuzz_byte(input);
        size_t size = fuzz_u16(input);
        struct slice payload = fuzz_take(input, size);
        const unsigned char head[] = {
            0, (unsigned char)(payload.size >> 8), (unsigned char)payload.size, kind, flags, 0, 0, 0, stream};
        buf_append(&bytes, head, sizeof head);
        buf_append_slice(&bytes, payload);
    }
    buf_append_slice(&bytes, fuzz_rest(input));
    return bytes;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct fuzz_input input = fuzz_input_on(data, size);
    uint8_t seed = fuzz_byte(&input);
    unsigned flags = fuzz_byte(&input), what = flags >> 1 & 3;
    bool grpc = flags & FLAG_GRPC;
    const struct client_body_ops *body =
        client_body_of(flags & FLAG_V1 ? INFER_API_V1 : INFER_API_V2, grpc ? INFER_PROTOCOL_GRPC : INFER_PROTOCOL_HTTP);
    struct client_wire *wire = grpc ? grpc_wire_create("h:1", ANSWER_MAX, body->stream) : http_wire_create(ANSWER_MAX);
    struct arena *arena = fuzz_arena(0);
    struct asked asked[CALLS] = {0};
    FUZZ_CHECK(wire);
    for (int i = 0; i < (flags & FLAG_TWO ? 2 : 1) && wire->ops->can_start(wire); i++) {
        struct client_call *call = &asked[i].call;
        call_list_init(&call->on_wire);
        call_list_init(&call->in_client);
        call->on_complete = on_complete;
        call->on_partial = on_partial;
        call->owner = &asked[i];
        call->batched = true;
        call->on_stream = grpc && flags & FLAG_STREAM && what == ASK_INFER;
        call->stream_number = (uint64_t)i + 1;
        write_request(body, what, arena, call);
        asked[i].started = true;
        struct status status = wire->ops->start(wire, call);
        FUZZ_CHECK(status_is_ok(&status));
    }
    take_output(wire);
    struct buf bytes = server_bytes(&input, grpc && flags & FLAG_FRAMES);
    give_answers(wire, buf_slice(&bytes), seed);
    wire->ops->destroy(wire);
    for (int i = 0; i < CALLS; i++) {
        FUZZ_CHECK(asked[i].completed == asked[i].started);
        if (asked[i].started && status_is_ok(&asked[i].call.status))
            read_answer(body, what, arena, &asked[i].call);
        client_call_free(&asked[i].call);
    }
    arena_destroy(arena);
    buf_free(&bytes);
    return 0;
}
