/* Tests of grpc_body and http_body: requests as the protocol wants them, answers taken apart, and hostile answers. */
#include "body_fixture.h"

#include "client/client_tensor.h"
#include "codec/inference_messages.h"
#include "codec/pb_wire.h"

static const int64_t shape_2x1[] = {2, 1}, shape_empty[] = {0};
static const struct infer_tensor inputs[] = {
    {{"ids", 3}, {"INT32", 5}, shape_2x1, 2, {"\1\0\0\0\2\0\0\0", 8}},
    {{"none", 4}, {"FP32", 4}, shape_empty, 1, {NULL, 0}},
};
static const struct slice wanted[] = {{"logits", 6}};

static struct infer_request_spec request_of(const char *model) {
    return (struct infer_request_spec){
        .model = slice_of(model),
        .version = SLICE_LITERAL("3"),
        .id = SLICE_LITERAL("r\"1"),
        .inputs = inputs,
        .input_count = 2,
        .outputs = wanted,
        .output_count = 1,
    };
}

/* The request over HTTP, as text behind which a zero byte stands. */
static const char *http_text(struct fixture *fixture, const struct infer_request_spec *request) {
    buf_clear(&fixture->call.request);
    struct status status = http_body_ops.write_infer(request, "h:1", fixture->arena, &fixture->call);
    assert_string_equal(status.message, "");
    buf_append_char(&fixture->call.request, '\0');
    return fixture->call.request.data;
}

/* The request over gRPC, as its server reads it. */
static struct pb_model_infer_request grpc_message(struct fixture *fixture, const struct infer_request_spec *request) {
    struct pb_model_infer_request message;
    buf_clear(&fixture->call.request);
    struct status status = grpc_body_ops.write_infer(request, "h:1", fixture->arena, &fixture->call);
    assert_string_equal(status.message, "");
    struct slice bytes = {fixture->call.request.data + 5, fixture->call.request.size - 5};
    status = pb_decode(&pb_model_infer_request_type, bytes, fixture->arena, &message);
    assert_string_equal(status.message, "");
    return message;
}

static void test_grpc_request(void **state) {
    struct fixture *fixture = *state;
    struct infer_request_spec request = request_of("bert");
    struct pb_model_infer_request message = grpc_message(fixture, &request);
    const struct buf *bytes = &fixture->call.request;
    assert_int_equal(bytes->data[0], 0);
    assert_int_equal((unsigned char)bytes->data[4], bytes->size - 5);
    assert_true(slice_equal_text(message.model_name, "bert") && slice_equal_text(message.model_version, "3"));
    assert_true(slice_equal_text(message.id, "r\"1"));
    assert_int_equal(message.inputs.count, 2);
    assert_int_equal(message.raw_input_contents.count, 2);
    assert_int_equal(message.raw_input_contents.items[1].size, 0); /* keeps its place */
    assert_true(slice_equal(message.raw_input_contents.items[0], inputs[0].data));
    assert_int_equal(message.inputs.items[0].shape.items[0], 2);
    assert_true(slice_equal_text(message.outputs.items[0].name, "logits"));
    assert_string_equal(fixture->call.grpc_path, "/inference.GRPCInferenceService/ModelInfer");
}

static void test_http_request(void **state) {
    struct fixture *fixture = *state;
    struct infer_request_spec request = request_of("my model/x");
    struct status status = http_body_ops.write_infer(&request, "[::1]:8000", fixture->arena, &fixture->call);
    assert_string_equal(status.message, "");
    static const char json[] =
        "{\"id\":\"r\\\"1\",\"inputs\":[{\"name\":\"ids\",\"datatype\":\"INT32\",\"shape\":[2,1],\"parameters\":"
        "{\"binary_data_size\":8}},{\"name\":\"none\",\"datatype\":\"FP32\",\"shape\":[0],\"parameters\":"
        "{\"binary_data_size\":0}}],\"outputs\":[{\"name\":\"logits\",\"parameters\":{\"binary_data\":true}}]}";
    struct buf expected = BUF_EMPTY;
    buf_printf(&expected,
               "POST /v2/models/my%%20model%%2Fx/versions/3/infer HTTP/1.1\r\nHost: [::1]:8000\r\nUser-Agent: "
               "inferd-http\r\nAccept-Encoding: identity\r\nContent-Type: application/octet-stream\r\n"
               "Inference-Header-Content-Length: %zu\r\nContent-Length: %zu\r\n\r\n%s",
               sizeof json - 1, sizeof json - 1 + 8, json);
    buf_append_slice(&expected, inputs[0].data);
    assert_int_equal(fixture->call.request.size, expected.size);
    assert_memory_equal(fixture->call.request.data, expected.data, expected.size);
    buf_free(&expected);
}

static void test_http_request_for_all_outputs(void **state) {
    struct fixture *fixture = *state;
    struct infer_request_spec request = {.model = SLICE_LITERAL("m"), .inputs = inputs, .input_count = 1};
    const char *text = http_text(fixture, &request);
    assert_non_null(strstr(text, "POST /v2/models/m/infer HTTP/1.1\r\n"));
    assert_non_null(strstr(text, "\"parameters\":{\"binary_data_output\":true}"));
    assert_null(strstr(text, "\"outputs\""));
}

static const struct infer_client_parameter parameters[] = {
    {.name = {"b", 1}, .kind = INFER_VALUE_BOOL, .boolean = true},
    {.name = {"i", 1}, .kind = INFER_VALUE_INT, .integer = -7},
    {.name = {"d", 1}, .kind = INFER_VALUE_DOUBLE, .number = 0.5},
    {.name = {"t", 1}, .kind = INFER_VALUE_TEXT, .text = {"x\"y", 3}},
    {.name = {"u", 1}, .kind = INFER_VALUE_UINT, .natural = UINT64_MAX},
};

static void test_parameters(void **state) {
    struct fixture *fixture = *state;
    struct infer_request_spec request = {.model = SLICE_LITERAL("m"), .parameters = parameters, .parameter_count = 5};
    const char *text = http_text(fixture, &request);
    assert_non_null(strstr(text,
                           "\"parameters\":{\"binary_data_output\":true,\"b\":true,\"i\":-7,\"d\":0.5,\"t\":\"x\\\"y\","
                           "\"u\":18446744073709551615}"));
    struct pb_model_infer_request message = grpc_message(fixture, &request);
    assert_int_equal(message.parameters.count, 5);
    assert_true(message.parameters.items[4].value->uint64_param == UINT64_MAX);
    assert_true(message.parameters.items[0].value->bool_param);
    assert_int_equal(message.parameters.items[1].value->int64_param, -7);
    assert_true(message.parameters.items[2].value->double_param == 0.5);
    assert_true(slice_equal_text(message.parameters.items[3].value->string_param, "x\"y"));
}

static void test_memory(void **state) {
    struct fixture *fixture = *state;
    const struct client_query query = {
        .kind = QUERY_MEMORY_REGISTER, .region = {"a b", 3}, .key = {"/k", 2}, .byte_size = 64};
    struct status status = http_body_ops.write_query(&query, "h:1", &fixture->call);
    assert_string_equal(status.message, "");
    assert_true(slice_starts_with(buf_slice(&fixture->call.request),
                                  SLICE_LITERAL("POST /v2/systemsharedmemory/region/a%20b/register HTTP/1.1\r\n")));
    assert_true(slice_ends_with(buf_slice(&fixture->call.request),
                                SLICE_LITERAL("Content-Length: 27\r\n\r\n{\"key\":\"/k\",\"byte_size\":64}")));
    const struct infer_region in[] = {{{"r", 1}, 8, 8}, {{"r", 1}, 0, 0}}, out[] = {{{"o", 1}, 0, 99}};
    struct infer_request_spec request = request_of("m");
    request.input_regions = in;
    request.output_regions = out;
    const char *text = http_text(fixture, &request);
    assert_non_null(strstr(text, "\"parameters\":{\"shared_memory_region\":\"r\",\"shared_memory_offset\":8,"
                                 "\"shared_memory_byte_size\":8}"));
    assert_true(slice_ends_with(buf_slice(&fixture->call.request), (struct slice){"}]}", 4})); /* no data behind */
    struct pb_model_infer_request message = grpc_message(fixture, &request);
    assert_int_equal(message.raw_input_contents.count, 0);
    assert_int_equal(message.inputs.items[0].parameters.count, 3);
    assert_int_equal(message.outputs.items[0].parameters.items[2].value->int64_param, 99);
}

static void test_classes(void **state) {
    struct fixture *fixture = *state;
    static const struct slice names[] = {{"A", 1}, {"B", 1}};
    static const uint32_t classes[] = {0, 3};
    struct infer_request_spec request = {
        .model = SLICE_LITERAL("m"), .outputs = names, .output_count = 2, .output_classes = classes};
    const char *text = http_text(fixture, &request);
    assert_non_null(strstr(text, "[{\"name\":\"A\",\"parameters\":{\"binary_data\":true}},{\"name\":\"B\","
                                 "\"parameters\":{\"binary_data\":true,\"classification\":3}}]"));
    struct pb_model_infer_request message = grpc_message(fixture, &request);
    assert_int_equal(message.outputs.items[0].parameters.count, 0);
    assert_int_equal(message.outputs.items[1].parameters.count, 1);
    assert_true(slice_equal_text(message.outputs.items[1].parameters.items[0].key, "classification"));
    assert_int_equal(message.outputs.items[1].parameters.items[0].value->int64_param, 3);
    const struct infer_region regions[] = {{{"r", 1}, 0, 9}, {{"r", 1}, 9, 7}};
    request.output_regions = regions;
    assert_non_null(strstr(http_text(fixture, &request), "\"shared_memory_byte_size\":7,\"classification\":3}}]"));
    message = grpc_message(fixture, &request);
    assert_int_equal(message.outputs.items[0].parameters.count, 3);
    assert_int_equal(message.outputs.items[1].parameters.count, 4);
    assert_int_equal(message.outputs.items[1].parameters.items[2].value->int64_param, 7);
    assert_int_equal(message.outputs.items[1].parameters.items[3].value->int64_param, 3);
}

static void test_headers(void **state) {
    struct fixture *fixture = *state;
    const struct infer_header headers[] = {{{"X-One", 5}, {"1", 1}}, {{"Two", 3}, {"a: b", 4}}};
    struct infer_request_spec request = {.model = SLICE_LITERAL("m")};
    fixture->call.headers = headers;
    fixture->call.header_count = 2;
    const char *text = http_text(fixture, &request);
    assert_non_null(strstr(text, "\r\nX-One: 1\r\nTwo: a: b\r\n"));
}

static void test_queries(void **state) {
    struct fixture *fixture = *state;
    static const struct {
        struct client_query query;
        const char *line;
    } cases[] = {
        {{.kind = QUERY_SERVER_READY, .model = {NULL, 0}, .version = {NULL, 0}},
         "GET /v2/health/ready HTTP/1.1\r\nHost: h:1\r\n"},
        {{.kind = QUERY_MODEL_READY, .model = {"m", 1}, .version = {NULL, 0}}, "GET /v2/models/m/ready HTTP/1.1\r\n"},
        {{.kind = QUERY_MODEL_METADATA, .model = {"m", 1}, .version = {"12", 2}},
         "GET /v2/models/m/versions/12 HTTP/1.1\r\n"},
        {{.kind = QUERY_MODEL_CONFIG, .model = {"a%b", 3}, .version = {NULL, 0}},
         "GET /v2/models/a%25b/config HTTP/1.1\r\n"},
        {{.kind = QUERY_SERVER_METADATA, .model = {NULL, 0}, .version = {NULL, 0}}, "GET /v2 HTTP/1.1\r\n"},
        {{.kind = QUERY_MODEL_STATISTICS, .model = {"m", 1}, .version = {"2", 1}},
         "GET /v2/models/m/versions/2/stats HTTP/1.1\r\n"},
        {{.kind = QUERY_MODEL_STATISTICS, .model = {NULL, 0}, .version = {NULL, 0}},
         "GET /v2/models/stats HTTP/1.1\r\n"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        buf_clear(&fixture->call.request);
        struct status status = http_body_ops.write_query(&cases[i].query, "h:1", &fixture->call);
        assert_true(status_is_ok(&status));
        assert_true(slice_starts_with(buf_slice(&fixture->call.request), slice_of(cases[i].line)));
        assert_true(slice_ends_with(buf_slice(&fixture->call.request), SLICE_LITERAL("\r\n\r\n")));
        buf_clear(&fixture->call.request);
        status = grpc_body_ops.write_query(&cases[i].query, "h:1", &fixture->call);
        assert_true(status_is_ok(&status));
        size_t strings = cases[i].query.model.size + cases[i].query.version.size;
        size_t fields = (cases[i].query.model.size > 0 ? 1U : 0U) + (cases[i].query.version.size > 0 ? 1U : 0U);
        assert_int_equal(fixture->call.request.size, 5 + strings + 2 * fields);
    }
}

/* A gRPC answer with one FP32 output [1,2] "logits" and an empty one, as bytes. */
static void write_grpc_answer(struct buf *out) {
    static const int64_t shape[] = {1, 2}, empty[] = {0};
    const char values[8] = {0, 0, 0, 0, 0, 0, (char)0x80, 0x3f};
    buf_append(out, "\0\0\0\0\0", 5);
    pb_write_text(out, 1, "bert");
    pb_write_text(out, 2, "3");
    pb_write_text(out, 3, "r1");
    size_t mark = pb_write_begin(out, 5);
    pb_write_text(out, 1, "logits");
    pb_write_text(out, 2, "FP32");
    pb_write_packed_int64(out, 3, shape, 2);
    pb_write_end(out, mark);
    mark = pb_write_begin(out, 5);
    pb_write_text(out, 1, "none");
    pb_write_text(out, 2, "BYTES");
    pb_write_packed_int64(out, 3, empty, 1);
    pb_write_end(out, mark);
    pb_write_bytes(out, 6, (struct slice){values, 8});
    pb_write_bytes(out, 6, (struct slice){NULL, 0});
    out->data[4] = (char)(out->size - 5);
}

/* The same over HTTP. Returns the size of its JSON. */
static size_t write_http_answer(struct buf *out) {
    buf_append_text(out,
                    "{\"id\":\"r1\",\"model_name\":\"bert\",\"model_version\":\"3\",\"outputs\":[{\"name\":\"logits\","
                    "\"datatype\":\"FP32\",\"shape\":[1,2],\"parameters\":{\"binary_data_size\":8}},{\"name\":"
                    "\"none\",\"datatype\":\"BYTES\",\"shape\":[0],\"parameters\":{\"binary_data_size\":0}}]}");
    size_t json_size = out->size;
    const char values[8] = {0, 0, 0, 0, 0, 0, (char)0x80, 0x3f};
    buf_append(out, values, 8);
    return json_size;
}

static void check_answer(const struct client_infer_answer *answer) {
    assert_true(slice_equal_text(answer->model_version, "3") && slice_equal_text(answer->id, "r1"));
    assert_int_equal(answer->output_count, 2);
    assert_true(slice_equal_text(answer->outputs[0].name, "logits"));
    assert_true(slice_equal_text(answer->outputs[0].datatype, "FP32"));
    assert_int_equal(answer->outputs[0].rank, 2);
    assert_int_equal(answer->outputs[0].shape[1], 2);
    float value;
    memcpy(&value, answer->outputs[0].data.data + 4, sizeof value);
    assert_true(value == 1.0F);
    assert_int_equal(answer->outputs[1].data.size, 0);
    for (size_t i = 0; i < 2; i++)
        assert_int_equal(client_tensor_check(&answer->outputs[i]).code, STATUS_OK);
}

static void test_grpc_answer(void **state) {
    struct fixture *fixture = *state;
    struct client_infer_answer answer;
    write_grpc_answer(&fixture->call.answer);
    struct status status = grpc_body_ops.read_infer(&fixture->call, fixture->arena, &answer);
    assert_string_equal(status.message, "");
    check_answer(&answer);
    /* An output without its raw entry. */
    fixture->call.answer.size -= 2;
    status = grpc_body_ops.read_infer(&fixture->call, fixture->arena, &answer);
    assert_int_equal(status.code, STATUS_DATA_LOSS);
}

static void http_good(struct client_call *call, size_t json_size) {
    call->status = status_ok();
    call->answered = call->plain = call->has_json_size = true;
    call->http_status = 200;
    call->json_size = json_size;
}

static void test_http_answer(void **state) {
    struct fixture *fixture = *state;
    struct client_infer_answer answer;
    http_good(&fixture->call, write_http_answer(&fixture->call.answer));
    struct status status = http_body_ops.read_infer(&fixture->call, fixture->arena, &answer);
    assert_string_equal(status.message, "");
    check_answer(&answer);
    fixture->call.plain = false;
    assert_int_equal(http_body_ops.read_infer(&fixture->call, fixture->arena, &answer).code, STATUS_DATA_LOSS);
}

/* Takes a copy of exactly `size` bytes apart and checks the tensors as infer_client.c does. */
static enum status_code read_copy(const struct client_body_ops *ops, const struct client_call *like, size_t size,
                                  struct arena *arena) {
    struct client_call call = *like;
    struct client_infer_answer answer;
    char *exact = test_malloc(size > 0 ? size : 1);
    memcpy(exact, like->answer.data, size);
    call.answer = (struct buf){exact, size, size, false};
    struct status status = ops->read_infer(&call, arena, &answer);
    for (size_t i = 0; status_is_ok(&status) && i < answer.output_count; i++)
        status = client_tensor_check(&answer.outputs[i]);
    test_free(exact);
    arena_reset(arena);
    return status.code;
}

static void test_hostile_grpc_answers(void **state) {
    struct fixture *fixture = *state;
    struct buf *answer = &fixture->call.answer;
    write_grpc_answer(answer);
    assert_int_equal(read_copy(&grpc_body_ops, &fixture->call, answer->size, fixture->arena), STATUS_OK);
    /* A prefix is a message of its own only where it ends with a whole field and has no output yet: empty, name,
     * version, id. (That the message is shorter than its prefix says is the wire's to find.) */
    int good = 0;
    for (size_t size = 5; size < answer->size; size++)
        good += read_copy(&grpc_body_ops, &fixture->call, size, fixture->arena) == STATUS_OK;
    assert_int_equal(good, 4);
    for (size_t at = 5; at < answer->size; at++) {
        for (unsigned change = 1; change < 256; change += 2) {
            answer->data[at] = (char)(answer->data[at] ^ (char)change);
            read_copy(&grpc_body_ops, &fixture->call, answer->size, fixture->arena); /* the sanitizers watch */
            answer->data[at] = (char)(answer->data[at] ^ (char)change);
        }
    }
}

static void test_hostile_http_answers(void **state) {
    struct fixture *fixture = *state;
    struct buf *answer = &fixture->call.answer;
    http_good(&fixture->call, write_http_answer(answer));
    for (size_t size = 0; size < answer->size; size++) {
        assert_int_not_equal(read_copy(&http_body_ops, &fixture->call, size, fixture->arena), STATUS_OK);
    }
    for (size_t at = 0; at < answer->size; at++) {
        for (unsigned change = 1; change < 256; change += 6) {
            answer->data[at] = (char)(answer->data[at] ^ (char)change);
            read_copy(&http_body_ops, &fixture->call, answer->size, fixture->arena);
            answer->data[at] = (char)(answer->data[at] ^ (char)change);
        }
    }
}

static void test_malformed_http_answers(void **state) {
    struct fixture *fixture = *state;
    static const char *const cases[] = {
        "",
        "[]",
        "5",
        "{}",
        "{\"outputs\":{}}",
        "{\"outputs\":[5]}",
        "{\"model_version\":3,\"outputs\":[]}",
        "{\"id\":[],\"outputs\":[]}",
        "{\"outputs\":[{\"name\":1,\"datatype\":\"FP32\",\"shape\":[],\"parameters\":{\"binary_data_size\":0}}]}",
        "{\"outputs\":[{\"name\":\"x\",\"datatype\":null,\"shape\":[],\"parameters\":{\"binary_data_size\":0}}]}",
        "{\"outputs\":[{\"name\":\"x\",\"datatype\":\"FP32\",\"shape\":5,\"parameters\":{\"binary_data_size\":0}}]}",
        "{\"outputs\":[{\"name\":\"x\",\"datatype\":\"FP32\",\"shape\":[-1],\"parameters\":{\"binary_data_size\":0}}]}",
        "{\"outputs\":[{\"name\":\"x\",\"datatype\":\"FP32\",\"shape\":[1.5],\"parameters\":{\"binary_data_size\":0}}]"
        "}",
        "{\"outputs\":[{\"name\":\"x\",\"datatype\":\"FP32\",\"shape\":[18446744073709551615],\"parameters\":{"
        "\"binary_data_size\":0}}]}",
        "{\"outputs\":[{\"name\":\"x\",\"datatype\":\"FP32\",\"shape\":[1],\"data\":[1.0]}]}",
        "{\"outputs\":[{\"name\":\"x\",\"datatype\":\"FP32\",\"shape\":[1],\"parameters\":{\"binary_data_size\":-4}}]}",
        "{\"outputs\":[{\"name\":\"x\",\"datatype\":\"FP32\",\"shape\":[1],\"parameters\":{\"binary_data_size\":4}}]}",
        "{\"outputs\":[{\"name\":\"x\",\"datatype\":\"FP32\",\"shape\":[1],\"parameters\":{\"binary_data_size\":"
        "18446744073709551615}}]}",
        "{\"outputs\":[]} x",
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct client_infer_answer answer;
        buf_clear(&fixture->call.answer);
        buf_append_text(&fixture->call.answer, cases[i]);
        http_good(&fixture->call, 0);
        fixture->call.has_json_size = false;
        struct status status = http_body_ops.read_infer(&fixture->call, fixture->arena, &answer);
        if (status.code != STATUS_DATA_LOSS)
            print_error("%s\n", cases[i]);
        assert_int_equal(status.code, STATUS_DATA_LOSS);
    }
}

static void test_http_sizes_that_disagree(void **state) {
    struct fixture *fixture = *state;
    struct client_infer_answer answer;
    size_t json_size = write_http_answer(&fixture->call.answer);
    static const int64_t off[] = {1, -1};
    for (size_t i = 0; i < 2; i++) { /* the JSON's size is wrong by one */
        http_good(&fixture->call, (uint64_t)((int64_t)json_size + off[i]));
        assert_int_equal(http_body_ops.read_infer(&fixture->call, fixture->arena, &answer).code, STATUS_DATA_LOSS);
    }
    http_good(&fixture->call, UINT64_MAX);
    assert_int_equal(http_body_ops.read_infer(&fixture->call, fixture->arena, &answer).code, STATUS_DATA_LOSS);
    http_good(&fixture->call, json_size);
    buf_append_char(&fixture->call.answer, 'x'); /* surplus */
    assert_int_equal(http_body_ops.read_infer(&fixture->call, fixture->arena, &answer).code, STATUS_DATA_LOSS);
}

static void test_http_errors(void **state) {
    struct fixture *fixture = *state;
    struct client_infer_answer answer;
    http_good(&fixture->call, 0);
    fixture->call.http_status = 404;
    buf_append_text(&fixture->call.answer, "{\"error\":\"no such model\"}");
    struct status status = http_body_ops.read_infer(&fixture->call, fixture->arena, &answer);
    assert_int_equal(status.code, STATUS_NOT_FOUND);
    assert_string_equal(status.message, "no such model");
}

static void test_ready(void **state) {
    struct fixture *fixture = *state;
    static const struct {
        int http_status;
        enum client_query_kind kind;
        bool ready;
        enum status_code code;
    } cases[] = {
        {200, QUERY_SERVER_READY, true, STATUS_OK},  {400, QUERY_SERVER_READY, false, STATUS_OK},
        {503, QUERY_SERVER_READY, false, STATUS_OK}, {404, QUERY_SERVER_READY, false, STATUS_NOT_FOUND},
        {404, QUERY_MODEL_READY, false, STATUS_OK},  {401, QUERY_MODEL_READY, false, STATUS_UNAUTHENTICATED},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        bool ready = !cases[i].ready;
        http_good(&fixture->call, 0);
        fixture->call.http_status = cases[i].http_status;
        assert_int_equal(
            http_body_ops
                .read_ready(&fixture->call, &(struct client_query){.kind = cases[i].kind}, fixture->arena, &ready)
                .code,
            cases[i].code);
        assert_int_equal(ready, cases[i].ready);
    }
    bool ready = true;
    http_good(&fixture->call, 0);
    fixture->call.http_status = 400;
    buf_append_text(&fixture->call.answer, "{\"error\":\"this port speaks TLS\"}");
    const struct client_query server = {.kind = QUERY_SERVER_READY}, model = {.kind = QUERY_MODEL_READY};
    struct status status = http_body_ops.read_ready(&fixture->call, &server, fixture->arena, &ready);
    assert_int_equal(status.code, STATUS_INVALID_ARGUMENT);
    buf_clear(&fixture->call.answer);
    buf_append_text(&fixture->call.answer, "{\"ready\":false}");
    status = http_body_ops.read_ready(&fixture->call, &server, fixture->arena, &ready);
    assert_true(status_is_ok(&status) && !ready);
    buf_clear(&fixture->call.answer);
    buf_append_text(&fixture->call.answer, "{\"error\":\"this port speaks TLS\"}");
    status = http_body_ops.read_ready(&fixture->call, &server, fixture->arena, &ready);
    assert_string_equal(status.message, "this port speaks TLS");
    status = http_body_ops.read_ready(&fixture->call, &model, fixture->arena, &ready);
    assert_true(status_is_ok(&status) && !ready);
    ready = true;
    buf_clear(&fixture->call.answer);
    fixture->call.status = status_error(STATUS_NOT_FOUND, "x");
    assert_int_equal(
        grpc_body_ops
            .read_ready(&fixture->call, &(struct client_query){.kind = QUERY_MODEL_READY}, fixture->arena, &ready)
            .code,
        STATUS_OK);
    assert_false(ready);
    assert_int_equal(
        grpc_body_ops
            .read_ready(&fixture->call, &(struct client_query){.kind = QUERY_SERVER_READY}, fixture->arena, &ready)
            .code,
        STATUS_NOT_FOUND);
    fixture->call.status = status_error(STATUS_UNAVAILABLE, "x");
    fixture->call.answered = false; /* the connection failed: nobody has said no */
    assert_int_equal(
        grpc_body_ops
            .read_ready(&fixture->call, &(struct client_query){.kind = QUERY_MODEL_READY}, fixture->arena, &ready)
            .code,
        STATUS_UNAVAILABLE);
    fixture->call.status = status_ok();
    buf_append(&fixture->call.answer, "\0\0\0\0\2\x08\1", 7);
    assert_int_equal(
        grpc_body_ops
            .read_ready(&fixture->call, &(struct client_query){.kind = QUERY_SERVER_READY}, fixture->arena, &ready)
            .code,
        STATUS_OK);
    assert_true(ready);
}

#define WITH_FIXTURE(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void) {
    const struct CMUnitTest tests[] = {
        WITH_FIXTURE(test_grpc_request),
        WITH_FIXTURE(test_http_request),
        WITH_FIXTURE(test_http_request_for_all_outputs),
        WITH_FIXTURE(test_parameters),
        WITH_FIXTURE(test_memory),
        WITH_FIXTURE(test_classes),
        WITH_FIXTURE(test_headers),
        WITH_FIXTURE(test_queries),
        WITH_FIXTURE(test_grpc_answer),
        WITH_FIXTURE(test_http_answer),
        WITH_FIXTURE(test_hostile_grpc_answers),
        WITH_FIXTURE(test_hostile_http_answers),
        WITH_FIXTURE(test_malformed_http_answers),
        WITH_FIXTURE(test_http_sizes_that_disagree),
        WITH_FIXTURE(test_http_errors),
        WITH_FIXTURE(test_ready),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
