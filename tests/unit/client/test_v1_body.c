/* Tests of v1_http_body and v1_grpc_body: requests as TRTIS v1 wants them, its status in the client's words, and
 * hostile answers. */
#include "body_fixture.h"

#include "client/v1_body.h"

static const int64_t shape_2x1[] = {2, 1};
static const struct infer_tensor inputs[] = {
    {{"ids", 3}, {"INT32", 5}, shape_2x1, 2, {"\1\0\0\0\2\0\0\0", 8}},
    {{"text", 4}, {"BYTES", 5}, shape_2x1, 2, {"\0\0\0\0\1\0\0\0x", 9}},
};
static const struct slice wanted[] = {{"logits", 6}, {"labels", 6}};
static const struct infer_client_parameter parameters[] = {
    {.name = {"sequence_id", 11}, .kind = INFER_VALUE_INT, .integer = 77},
    {.name = {"sequence_start", 14}, .kind = INFER_VALUE_BOOL, .boolean = true},
    {.name = {"sequence_end", 12}, .kind = INFER_VALUE_BOOL, .boolean = true},
    {.name = {"priority", 8}, .kind = INFER_VALUE_UINT, .natural = 2},
    {.name = {"timeout", 7}, .kind = INFER_VALUE_UINT, .natural = 1000},
};

static struct infer_request_spec request_of(void) {
    return (struct infer_request_spec){
        .model = SLICE_LITERAL("bert x"),
        .version = SLICE_LITERAL("3"),
        .id = SLICE_LITERAL("9"),
        .inputs = inputs,
        .input_count = 2,
        .outputs = wanted,
        .output_count = 2,
        .batched = true,
        .parameters = parameters,
        .parameter_count = 5,
    };
}

static void must(struct status status) {
    assert_string_equal(status.message, "");
}

/* ---- requests ---- */

static void test_http_request(void **state) {
    struct fixture *fixture = *state;
    struct infer_request_spec request = request_of();
    must(v1_http_body_ops.write_infer(&request, "h:1", fixture->arena, &fixture->call));
    struct buf expected = BUF_EMPTY;
    buf_append_text(&expected, "POST /api/infer/bert%20x/3?format=binary HTTP/1.1\r\nHost: h:1\r\nUser-Agent: "
                               "inferd-http\r\nAccept-Encoding: identity\r\nNV-InferRequest: batch_size: 2 input { "
                               "name: \"ids\" dims: 1 } input { name: \"text\" dims: 1 batch_byte_size: 9 } output { "
                               "name: \"logits\" } output { name: \"labels\" } correlation_id: 77 id: 9 flags: 3 "
                               "priority: 2 timeout_microseconds: 1000\r\nContent-Type: application/octet-stream\r\n"
                               "Content-Length: 17\r\n\r\n");
    buf_append_slice(&expected, inputs[0].data);
    buf_append_slice(&expected, inputs[1].data);
    assert_int_equal(fixture->call.request.size, expected.size);
    assert_memory_equal(fixture->call.request.data, expected.data, expected.size);
    buf_free(&expected);
}

/* The gRPC request, as its server reads it. */
static void sent_message(struct fixture *fixture, const struct pb_message *type, void *ret) {
    struct slice bytes = {fixture->call.request.data + 5, fixture->call.request.size - 5};
    must(pb_decode(type, bytes, fixture->arena, ret));
}

static void test_grpc_request(void **state) {
    struct fixture *fixture = *state;
    struct infer_request_spec request = request_of();
    struct pb_v1_infer_request message;
    must(v1_grpc_body_ops.write_infer(&request, "h:1", fixture->arena, &fixture->call));
    assert_string_equal(fixture->call.grpc_path, "/nvidia.inferenceserver.GRPCService/Infer");
    sent_message(fixture, &pb_v1_infer_request_type, &message);
    assert_true(slice_equal_text(message.model_name, "bert x") && message.model_version == 3);
    assert_int_equal(message.raw_input.count, 2);
    assert_true(slice_equal(message.raw_input.items[1], inputs[1].data));
    const struct pb_v1_infer_request_header *header = message.meta_data;
    assert_int_equal(header->batch_size, 2);
    assert_true(header->id == 9 && header->correlation_id == 77 && header->flags == 3);
    assert_int_equal(header->input.items[0].dims.count, 1);
    assert_int_equal(header->input.items[0].dims.items[0], 1);
    assert_int_equal(header->output.count, 2);
}

static void test_without_a_batch_or_a_version(void **state) {
    struct fixture *fixture = *state;
    struct infer_request_spec request = {.model = SLICE_LITERAL("m"), .inputs = inputs, .input_count = 1};
    struct pb_v1_infer_request message;
    must(v1_grpc_body_ops.write_infer(&request, "h:1", fixture->arena, &fixture->call));
    sent_message(fixture, &pb_v1_infer_request_type, &message);
    assert_int_equal(message.model_version, -1);
    assert_int_equal(message.meta_data->batch_size, 1);
    assert_int_equal(message.meta_data->input.items[0].dims.count, 2);
    buf_clear(&fixture->call.request);
    must(v1_http_body_ops.write_infer(&request, "h:1", fixture->arena, &fixture->call));
    assert_true(slice_starts_with(buf_slice(&fixture->call.request),
                                  SLICE_LITERAL("POST /api/infer/m?format=binary HTTP/1.1\r\n")));
}

static void test_what_v1_has_no_words_for(void **state) {
    struct fixture *fixture = *state;
    static const int64_t other_batch[] = {3, 1};
    static const uint32_t classes[] = {0, 2};
    static const struct infer_tensor uneven[] = {
        {{"ids", 3}, {"INT32", 5}, shape_2x1, 2, {"\1\0\0\0\2\0\0\0", 8}},
        {{"more", 4}, {"UINT8", 5}, other_batch, 2, {"abc", 3}},
    };
    static const struct infer_client_parameter unknown = {.name = {"p", 1}, .kind = INFER_VALUE_INT};
    static const struct infer_client_parameter negative = {
        .name = {"sequence_id", 11}, .kind = INFER_VALUE_INT, .integer = -1};
    struct infer_request_spec cases[6];
    for (size_t i = 0; i < 6; i++)
        cases[i] = request_of();
    cases[0].id = SLICE_LITERAL("r1");
    cases[1].version = SLICE_LITERAL("new");
    cases[2].output_classes = classes;
    cases[3].inputs = uneven;
    cases[4].parameters = &unknown;
    cases[5].parameters = &negative;
    cases[4].parameter_count = cases[5].parameter_count = 1;
    for (size_t i = 0; i < 6; i++) {
        assert_int_equal(v1_http_body_ops.write_infer(&cases[i], "h:1", fixture->arena, &fixture->call).code,
                         STATUS_INVALID_ARGUMENT);
        assert_int_equal(v1_grpc_body_ops.write_infer(&cases[i], "h:1", fixture->arena, &fixture->call).code,
                         STATUS_INVALID_ARGUMENT);
    }
    const struct client_query metadata = {.kind = QUERY_MODEL_METADATA, .model = {"m", 1}};
    assert_int_equal(v1_http_body_ops.write_query(&metadata, "h:1", &fixture->call).code, STATUS_UNSUPPORTED);
    assert_int_equal(v1_grpc_body_ops.write_query(&metadata, "h:1", &fixture->call).code, STATUS_UNSUPPORTED);
}

static void test_memory(void **state) {
    struct fixture *fixture = *state;
    const struct infer_region in[] = {{{"r", 1}, 8, 8}, {{"r", 1}, 16, 9}},
                              out[] = {{{"o", 1}, 0, 99}, {{"o", 1}, 99, 1}};
    struct infer_request_spec request = request_of();
    request.parameter_count = 0;
    request.input_regions = in;
    request.output_regions = out;
    must(v1_http_body_ops.write_infer(&request, "h:1", fixture->arena, &fixture->call));
    buf_append_char(&fixture->call.request, '\0');
    assert_non_null(strstr(fixture->call.request.data, "input { name: \"ids\" dims: 1 shared_memory { name: \"r\" "
                                                       "offset: 8 byte_size: 8 } }"));
    assert_non_null(strstr(fixture->call.request.data, "output { name: \"logits\" shared_memory { name: \"o\" "
                                                       "byte_size: 99 } }"));
    assert_non_null(strstr(fixture->call.request.data, "Content-Length: 0\r\n\r\n"));
    buf_clear(&fixture->call.request);
    struct pb_v1_infer_request message;
    must(v1_grpc_body_ops.write_infer(&request, "h:1", fixture->arena, &fixture->call));
    sent_message(fixture, &pb_v1_infer_request_type, &message);
    assert_int_equal(message.raw_input.count, 0);
    assert_true(message.meta_data->output.items[1].shared_memory->offset == 99);
}

static void test_queries(void **state) {
    struct fixture *fixture = *state;
    static const struct {
        struct client_query query;
        const char *line, *path;
    } cases[] = {
        {{.kind = QUERY_SERVER_READY}, "GET /api/health/ready HTTP/1.1\r\n", "Health"},
        {{.kind = QUERY_MODEL_READY, .model = {"m", 1}}, "GET /api/status/m?format=binary HTTP/1.1\r\n", "Status"},
        {{.kind = QUERY_MODEL_CONFIG, .model = {"a/b", 3}},
         "GET /api/status/a%2Fb?format=binary HTTP/1.1\r\n",
         "Status"},
        {{.kind = QUERY_MODEL_STATISTICS}, "GET /api/status?format=binary HTTP/1.1\r\n", "Status"},
        {{.kind = QUERY_MEMORY_REGISTER, .region = {"r s", 3}, .key = {"/k", 2}, .byte_size = 64},
         "POST /api/sharedmemorycontrol/register/r%20s//k/0/64 HTTP/1.1\r\n",
         "SharedMemoryControl"},
        {{.kind = QUERY_MEMORY_UNREGISTER, .region = {"r", 1}},
         "POST /api/sharedmemorycontrol/unregister/r HTTP/1.1\r\n",
         "SharedMemoryControl"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        buf_clear(&fixture->call.request);
        must(v1_http_body_ops.write_query(&cases[i].query, "h:1", &fixture->call));
        assert_true(slice_starts_with(buf_slice(&fixture->call.request), slice_of(cases[i].line)));
        assert_true(slice_ends_with(buf_slice(&fixture->call.request), SLICE_LITERAL("\r\n\r\n")));
        buf_clear(&fixture->call.request);
        must(v1_grpc_body_ops.write_query(&cases[i].query, "h:1", &fixture->call));
        assert_true(slice_ends_with(slice_of(fixture->call.grpc_path), slice_of(cases[i].path)));
    }
    struct pb_v1_shared_memory_control_request message;
    buf_clear(&fixture->call.request);
    must(v1_grpc_body_ops.write_query(&cases[4].query, "h:1", &fixture->call));
    sent_message(fixture, &pb_v1_shared_memory_control_request_type, &message);
    assert_int_equal(message.which_shared_memory_control, pb_v1_shared_memory_control_request_register_region_number);
    assert_true(slice_equal_text(message.register_region->system_shared_memory->shared_memory_key, "/k"));
    assert_true(message.register_region->byte_size == 64);
}

/* ---- answers to inferences ---- */

static const char values[] = {0, 0, 0, 0, 0, 0, (char)0x80, 0x3f, 5, 6};

static void http_answer(struct client_call *call, int status, const char *nv_status, const char *header) {
    buf_clear(&call->v1_status);
    buf_clear(&call->v1_header);
    call->status = status_ok();
    call->answered = call->plain = true;
    call->http_status = status;
    buf_append_text(&call->v1_status, nv_status);
    buf_append_text(&call->v1_header, header);
}

#define GOOD "code: SUCCESS server_id: \"inference:0\" request_id: 7"
#define TWO_OUTPUTS                                                                                                    \
    "model_name: \"bert\" model_version: 3 batch_size: 2 output { name: \"logits\" raw { dims: 1 batch_byte_size: 8 "  \
    "} } output { name: \"labels\" raw { dims: 1 batch_byte_size: 2 } } id: 9"

static void check_answer(const struct client_infer_answer *answer) {
    assert_true(slice_equal_text(answer->model_version, "3") && slice_equal_text(answer->id, "9"));
    assert_int_equal(answer->output_count, 2);
    assert_true(slice_equal_text(answer->outputs[0].name, "logits"));
    assert_int_equal(answer->outputs[0].datatype.size, 0);
    assert_int_equal(answer->outputs[0].rank, 2);
    assert_true(answer->outputs[0].shape[0] == 2 && answer->outputs[0].shape[1] == 1);
    assert_memory_equal(answer->outputs[0].data.data, values, 8);
    assert_int_equal(answer->outputs[1].data.size, 2);
    assert_memory_equal(answer->outputs[1].data.data, values + 8, 2);
}

static void test_http_answer(void **state) {
    struct fixture *fixture = *state;
    struct client_infer_answer answer;
    fixture->call.batched = true;
    buf_append(&fixture->call.answer, values, sizeof values);
    buf_append_text(&fixture->call.answer, "the header once more");
    http_answer(&fixture->call, 200, GOOD, TWO_OUTPUTS);
    must(v1_http_body_ops.read_infer(&fixture->call, fixture->arena, &answer));
    check_answer(&answer);
}

static void test_bad_http_answers(void **state) {
    struct fixture *fixture = *state;
    static const struct {
        int http;
        const char *status, *header;
        enum status_code code;
    } cases[] = {
        {400, "code: UNAVAILABLE msg: \"no model \\\"x\\\"\"", "", STATUS_UNAVAILABLE},
        {200, "code: 5 msg: \"wrong\"", TWO_OUTPUTS, STATUS_INVALID_ARGUMENT}, /* NV-Status decides */
        {400, GOOD, TWO_OUTPUTS, STATUS_DATA_LOSS},
        {200, "", TWO_OUTPUTS, STATUS_DATA_LOSS},
        {200, "code: INVALID", TWO_OUTPUTS, STATUS_DATA_LOSS},
        {200, "code: SUCCESS what: 1", TWO_OUTPUTS, STATUS_DATA_LOSS},
        {503, "", "", STATUS_UNAVAILABLE},
        {200, GOOD, "", STATUS_DATA_LOSS},
        {200, GOOD, "model_name: ", STATUS_DATA_LOSS},
        {200, GOOD, "output { name: \"o\" raw { dims: 1 batch_byte_size: 11 } }", STATUS_DATA_LOSS},
        {200, GOOD, "output { name: \"o\" raw { dims: 1 batch_byte_size: 10 } }",
         STATUS_DATA_LOSS}, /* no header behind */
        {200, GOOD, "output { name: \"o\" raw { dims: 1 batch_byte_size: 18446744073709551615 } }", STATUS_DATA_LOSS},
        {200, GOOD, "output { name: \"o\" raw { dims: -1 batch_byte_size: 1 } }", STATUS_DATA_LOSS},
        {200, GOOD, "output { name: \"o\" }", STATUS_DATA_LOSS},
    };
    buf_append(&fixture->call.answer, values, sizeof values);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct client_infer_answer answer;
        http_answer(&fixture->call, cases[i].http, cases[i].status, cases[i].header);
        struct status status = v1_http_body_ops.read_infer(&fixture->call, fixture->arena, &answer);
        if (status.code != cases[i].code)
            print_error("case %zu: %s\n", i, status.message);
        assert_int_equal(status.code, cases[i].code);
    }
    http_answer(&fixture->call, 200, GOOD, TWO_OUTPUTS);
    fixture->call.plain = false;
    struct client_infer_answer answer;
    assert_int_equal(v1_http_body_ops.read_infer(&fixture->call, fixture->arena, &answer).code, STATUS_DATA_LOSS);
}

/* The bytes of a gRPC answer, with their prefix. */
static void grpc_answer(struct client_call *call, const struct pb_message *type, const void *message) {
    buf_clear(&call->answer);
    buf_append(&call->answer, "\0\0\0\0\0", 5);
    must(pb_encode(type, message, &call->answer));
    call->status = status_ok();
    call->answered = true;
}

/* An InferResponse with the outputs of TWO_OUTPUTS. */
static void write_grpc_answer(struct fixture *fixture, size_t raw_count) {
    static int64_t dims[] = {1};
    struct pb_v1_infer_response_header_output_raw raw[] = {{.dims = {dims, 1}, .batch_byte_size = 8},
                                                           {.dims = {dims, 1}, .batch_byte_size = 2}};
    struct pb_v1_infer_response_header_output outputs[] = {{.name = wanted[0], .raw = &raw[0]},
                                                           {.name = wanted[1], .raw = &raw[1]}};
    struct pb_v1_infer_response_header header = {
        .model_name = SLICE_LITERAL("bert"), .model_version = 3, .batch_size = 2, .output = {outputs, 2}, .id = 9};
    struct pb_v1_request_status good = {.code = PB_V1_SUCCESS};
    struct slice data[] = {{values, 8}, {values + 8, 2}};
    const struct pb_v1_infer_response message = {
        .request_status = &good, .meta_data = &header, .raw_output = {data, raw_count}};
    grpc_answer(&fixture->call, &pb_v1_infer_response_type, &message);
}

static void test_grpc_answer(void **state) {
    struct fixture *fixture = *state;
    struct client_infer_answer answer;
    fixture->call.batched = true;
    write_grpc_answer(fixture, 2);
    must(v1_grpc_body_ops.read_infer(&fixture->call, fixture->arena, &answer));
    check_answer(&answer);
    write_grpc_answer(fixture, 1);
    assert_int_equal(v1_grpc_body_ops.read_infer(&fixture->call, fixture->arena, &answer).code, STATUS_DATA_LOSS);
    struct pb_v1_request_status bad = {.code = PB_V1_INVALID_ARG, .msg = SLICE_LITERAL("not so")};
    const struct pb_v1_infer_response refused = {.request_status = &bad}, nothing = {0};
    grpc_answer(&fixture->call, &pb_v1_infer_response_type, &refused);
    struct status status = v1_grpc_body_ops.read_infer(&fixture->call, fixture->arena, &answer);
    assert_int_equal(status.code, STATUS_INVALID_ARGUMENT);
    assert_string_equal(status.message, "not so");
    grpc_answer(&fixture->call, &pb_v1_infer_response_type, &nothing);
    assert_int_equal(v1_grpc_body_ops.read_infer(&fixture->call, fixture->arena, &answer).code, STATUS_DATA_LOSS);
}

/* Every prefix of a good answer and every answer with one byte changed is read without harm. */
static void test_hostile_grpc_answers(void **state) {
    struct fixture *fixture = *state;
    struct client_infer_answer answer;
    fixture->call.batched = true;
    write_grpc_answer(fixture, 2);
    size_t whole = fixture->call.answer.size;
    for (size_t at = 5; at < whole; at++) {
        char kept = fixture->call.answer.data[at];
        for (int value = 0; value < 256; value += 5) {
            fixture->call.answer.data[at] = (char)(unsigned char)value;
            struct status status = v1_grpc_body_ops.read_infer(&fixture->call, fixture->arena, &answer);
            for (size_t i = 0; status_is_ok(&status) && i < answer.output_count; i++)
                assert_true(answer.outputs[i].data.size <= whole);
            arena_reset(fixture->arena);
        }
        fixture->call.answer.data[at] = kept;
        fixture->call.answer.size = at;
        (void)v1_grpc_body_ops.read_infer(&fixture->call, fixture->arena, &answer).code;
        fixture->call.answer.size = whole;
    }
}

/* ---- status ---- */

/* A ServerStatus of model m: version 2 ready, version 4 loading. */
static void make_status(struct fixture *fixture, bool over_http) {
    static struct pb_v1_stat_duration times[] = {{10, 1000}, {10, 300}, {10, 600}, {3, 90}};
    static struct pb_v1_infer_request_stats stats[] = {{.success = &times[0], .queue = &times[1], .compute = &times[2]},
                                                       {.success = &times[3], .failed = &times[0]}};
    struct pb_v1_model_version_status_infer_stats_entry by_batch[] = {{1, &stats[0]}, {8, &stats[1]}};
    struct pb_v1_model_version_status ready = {
        .ready_state = PB_V1_MODEL_READY, .infer_stats = {by_batch, 2}, .model_execution_count = 12};
    struct pb_v1_model_version_status loading = {.ready_state = PB_V1_MODEL_LOADING};
    struct pb_v1_model_status_version_status_entry versions[] = {{2, &ready}, {4, &loading}};
    struct pb_model_config config = {.name = SLICE_LITERAL("m"), .max_batch_size = 8};
    struct pb_v1_model_status model = {.config = &config, .version_status = {versions, 2}};
    struct pb_v1_server_status_model_status_entry entry = {SLICE_LITERAL("m"), &model};
    struct pb_v1_server_status server = {.model_status = {&entry, 1}};
    struct pb_v1_request_status good = {.code = PB_V1_SUCCESS};
    const struct pb_v1_status_response response = {.request_status = &good, .server_status = &server};
    if (!over_http) {
        grpc_answer(&fixture->call, &pb_v1_status_response_type, &response);
        return;
    }
    buf_clear(&fixture->call.answer);
    must(pb_encode(&pb_v1_server_status_type, &server, &fixture->call.answer));
    http_answer(&fixture->call, 200, GOOD, "");
}

static void test_status(void **state) {
    struct fixture *fixture = *state;
    const struct client_body_ops *const bodies[] = {&v1_grpc_body_ops, &v1_http_body_ops};
    for (size_t i = 0; i < 2; i++) {
        const struct client_query of_m = {.kind = QUERY_MODEL_CONFIG, .model = {"m", 1}};
        const struct client_query of_n = {.kind = QUERY_MODEL_CONFIG, .model = {"n", 1}};
        struct pb_model_config config;
        struct infer_statistics *items;
        size_t count;
        make_status(fixture, i == 1);
        must(bodies[i]->read_message(&fixture->call, &of_m, fixture->arena, &pb_model_config_type, &config));
        assert_int_equal(config.max_batch_size, 8);
        assert_int_equal(
            bodies[i]->read_message(&fixture->call, &of_n, fixture->arena, &pb_model_config_type, &config).code,
            STATUS_NOT_FOUND);
        must(bodies[i]->read_statistics(&fixture->call, fixture->arena, &items, &count));
        assert_int_equal(count, 4); /* version 2 with two batch sizes, version 4 */
        assert_true(items[0].execution_count == 12 && items[0].batch_size == 0 && items[0].success.count == 0);
        assert_true(items[1].batch_size == 1 && items[1].inference_count == 10 && items[1].queue.ns == 300);
        assert_true(items[1].compute_infer.ns == 600 && items[1].compute_input.count == 0);
        assert_true(items[2].batch_size == 8 && items[2].inference_count == 24 && items[2].fail.count == 10);
        assert_true(slice_equal_text(items[2].version, "2") && slice_equal_text(items[3].version, "4"));
    }
}

static void test_readiness(void **state) {
    struct fixture *fixture = *state;
    const struct client_body_ops *const bodies[] = {&v1_grpc_body_ops, &v1_http_body_ops};
    static const struct {
        const char *model, *version;
        bool ready;
    } cases[] = {{"m", "", true}, {"m", "2", true}, {"m", "4", false}, {"m", "x", false}, {"n", "", false}};
    for (size_t i = 0; i < 2 * sizeof cases / sizeof cases[0]; i++) {
        const struct client_query query = {.kind = QUERY_MODEL_READY,
                                           .model = slice_of(cases[i / 2].model),
                                           .version = slice_of(cases[i / 2].version)};
        bool ready = !cases[i / 2].ready;
        make_status(fixture, i % 2 == 1);
        must(bodies[i % 2]->read_ready(&fixture->call, &query, fixture->arena, &ready));
        assert_int_equal(ready, cases[i / 2].ready);
    }
    const struct client_query model = {.kind = QUERY_MODEL_READY, .model = {"m", 1}};
    const struct client_query server = {.kind = QUERY_SERVER_READY};
    bool ready = true;
    http_answer(&fixture->call, 400, "code: INVALID_ARG msg: \"unknown model\"", "");
    must(v1_http_body_ops.read_ready(&fixture->call, &model, fixture->arena, &ready));
    assert_false(ready);
    http_answer(&fixture->call, 200, GOOD, "");
    must(v1_http_body_ops.read_ready(&fixture->call, &server, fixture->arena, &ready));
    assert_true(ready);
    http_answer(&fixture->call, 400, "", "");
    buf_clear(&fixture->call.answer);
    must(v1_http_body_ops.read_ready(&fixture->call, &server, fixture->arena, &ready));
    assert_false(ready);
    buf_append_text(&fixture->call.answer, "{\"error\":\"this port speaks TLS\"}");
    assert_int_equal(v1_http_body_ops.read_ready(&fixture->call, &server, fixture->arena, &ready).code,
                     STATUS_INVALID_ARGUMENT);
    http_answer(&fixture->call, 401, "", "");
    assert_int_equal(v1_http_body_ops.read_ready(&fixture->call, &server, fixture->arena, &ready).code,
                     STATUS_UNAUTHENTICATED);
    struct pb_v1_request_status exiting = {.code = PB_V1_UNAVAILABLE, .msg = SLICE_LITERAL("Server exiting")};
    const struct pb_v1_health_response health = {.request_status = &exiting, .health = true};
    grpc_answer(&fixture->call, &pb_v1_health_response_type, &health);
    must(v1_grpc_body_ops.read_ready(&fixture->call, &server, fixture->arena, &ready));
    assert_false(ready);
}

#define WITH_FIXTURE(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void) {
    const struct CMUnitTest tests[] = {
        WITH_FIXTURE(test_http_request),
        WITH_FIXTURE(test_grpc_request),
        WITH_FIXTURE(test_without_a_batch_or_a_version),
        WITH_FIXTURE(test_what_v1_has_no_words_for),
        WITH_FIXTURE(test_memory),
        WITH_FIXTURE(test_queries),
        WITH_FIXTURE(test_http_answer),
        WITH_FIXTURE(test_bad_http_answers),
        WITH_FIXTURE(test_grpc_answer),
        WITH_FIXTURE(test_hostile_grpc_answers),
        WITH_FIXTURE(test_status),
        WITH_FIXTURE(test_readiness),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
