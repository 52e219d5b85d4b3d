/* Tests of the questions that wait for their answer: readiness, metadata, config. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>
#include <sys/wait.h>

#include "codec/inference_messages.h"
#include "infer_client_fixture.h"

/* As a newer server may answer: with members that are not known here. */
static void http_config(struct fake_server *server, struct fake_connection *connection, struct slice request) {
    (void)server;
    static const char config[] =
        "{\"name\":\"bert\",\"platform\":\"onnxruntime_onnx\",\"backend\":\"openvino\",\"max_batch_size\":8,"
        "\"something_new\":{\"a\":[1]},\"input\":[{\"newer\":true,\"name\":\"ids\",\"data_type\":\"TYPE_INT32\","
        "\"dims\":[-1],\"optional\":true}],\"output\":[{\"name\":\"out\","
        "\"data_type\":\"TYPE_STRING\",\"dims\":[1,2]}],\"parameters\":{\"max_seq_length\":{\"string_value\":\"384\"}}"
        "}";
    static const char metadata[] =
        "{\"name\":\"bert\",\"versions\":[\"1\",\"3\"],\"platform\":\"p\",\"inputs\":[{\"name\":"
        "\"ids\",\"datatype\":\"INT32\",\"shape\":[-1,384]}],\"outputs\":[]}";
    const char *body = "";
    int code = 200;
    if (memmem(request.data, request.size, "/config ", 8) != NULL)
        body = config;
    else if (memmem(request.data, request.size, "GET /v2/models/bert/versions/3 ", 31) != NULL)
        body = metadata;
    else if (memmem(request.data, request.size, "/ready ", 7) == NULL)
        code = 500;
    buf_printf(&connection->out, "HTTP/1.1 %d X\r\nContent-Length: %zu\r\n\r\n%s", code, strlen(body), body);
}

static void grpc_config(struct fake_grpc *grpc, int32_t stream_id) {
    struct buf message = BUF_EMPTY;
    if (strcmp(grpc->path, "/inference.GRPCInferenceService/ModelConfig") == 0) {
        static int64_t any[] = {-1}, two[] = {1, 2};
        struct pb_model_parameter length = {.string_value = SLICE_LITERAL("384")};
        struct pb_model_config_parameters_entry entry = {.key = SLICE_LITERAL("max_seq_length"), .value = &length};
        struct pb_model_input input = {.name = SLICE_LITERAL("ids"), .data_type = PB_TYPE_INT32, .optional = true};
        struct pb_model_output output = {.name = SLICE_LITERAL("out"), .data_type = PB_TYPE_STRING};
        input.dims.items = any;
        input.dims.count = 1;
        output.dims.items = two;
        output.dims.count = 2;
        struct pb_model_config config = {.name = SLICE_LITERAL("bert"),
                                         .platform = SLICE_LITERAL("onnxruntime_onnx"),
                                         .backend = SLICE_LITERAL("openvino"),
                                         .max_batch_size = 8};
        config.input.items = &input;
        config.output.items = &output;
        config.parameters.items = &entry;
        config.input.count = config.output.count = config.parameters.count = 1;
        struct pb_model_config_response response = {.config = &config};
        struct status status = pb_encode(&pb_model_config_response_type, &response, &message);
        assert_string_equal(status.message, "");
    } else if (strcmp(grpc->path, "/inference.GRPCInferenceService/ModelMetadata") == 0) {
        static int64_t shape[] = {-1, 384};
        struct slice versions[] = {SLICE_LITERAL("1"), SLICE_LITERAL("3")};
        struct pb_model_metadata_response_tensor_metadata input = {.name = SLICE_LITERAL("ids"),
                                                                   .datatype = SLICE_LITERAL("INT32")};
        input.shape.items = shape;
        input.shape.count = 2;
        struct pb_model_metadata_response response = {.name = SLICE_LITERAL("bert"), .platform = SLICE_LITERAL("p")};
        response.versions.items = versions;
        response.versions.count = 2;
        response.inputs.items = &input;
        response.inputs.count = 1;
        struct status status = pb_encode(&pb_model_metadata_response_type, &response, &message);
        assert_string_equal(status.message, "");
    } else {
        pb_write_uint64(&message, 1, 1);
    }
    fake_grpc_good_answer(grpc, stream_id, buf_slice(&message));
    buf_free(&message);
}

/* Runs the waiting calls against a server that is a child process, since they do not return in between. */
static pid_t serve_in_child(struct fake_server *server) {
    pid_t child = fork();
    if (child != 0)
        return child;
    for (;;) {
        fake_server_step(server);
        if (server->connection_count > 0 && server->connections[0].fd < 0)
            _exit(0); /* the client has gone */
    }
}

static void check_info(struct infer_client *client) {
    struct arena *arena = arena_create(0);
    struct infer_model_info info;
    struct slice model = SLICE_LITERAL("bert"), none = {NULL, 0};
    bool ready = false;
    struct status status = infer_client_server_ready(client, &ready);
    assert_string_equal(status.message, "");
    assert_true(ready);
    status = infer_client_model_ready(client, model, none, &ready);
    assert_string_equal(status.message, "");
    status = infer_client_model_config(client, model, none, arena, &info);
    assert_string_equal(status.message, "");
    assert_int_equal(info.max_batch_size, 8);
    assert_true(slice_equal_text(info.platform, "onnxruntime_onnx") && slice_equal_text(info.backend, "openvino"));
    assert_true(slice_equal_text(infer_model_parameter_find(&info, "max_seq_length"), "384"));
    assert_null(infer_model_parameter_find(&info, "other").data);
    const struct infer_tensor_info *ids = infer_tensor_info_find(info.inputs, info.input_count, SLICE_LITERAL("ids"));
    assert_non_null(ids);
    assert_true(ids->optional && ids->rank == 1 && ids->shape[0] == -1 && slice_equal_text(ids->datatype, "INT32"));
    assert_true(slice_equal_text(info.outputs[0].datatype, "BYTES"));
    status = infer_client_model_metadata(client, model, SLICE_LITERAL("3"), arena, &info);
    assert_string_equal(status.message, "");
    assert_int_equal(info.version_count, 2);
    assert_true(slice_equal_text(info.versions[1], "3"));
    assert_int_equal(info.inputs[0].shape[1], 384);
    arena_destroy(arena);
}

static void test_questions(void **state) {
    (void)state;
    for (int is_grpc = 0; is_grpc < 2; is_grpc++) {
        static struct fake_server server;
        fake_server_open(&server, is_grpc != 0);
        server.on_http = http_config;
        server.on_grpc = grpc_config;
        pid_t child = serve_in_child(&server);
        struct infer_client *client = open_client(&server, (struct infer_client_options){0});
        check_info(client);
        infer_client_close(client);
        int state_of_child = 0;
        assert_int_equal(waitpid(child, &state_of_child, 0), child);
        fake_server_close(&server);
    }
}

struct patience {
    size_t asked, lasts;
};

static bool is_patient(void *user, uint64_t asked_ns) {
    struct patience *patience = user;
    assert_in_range(asked_ns, 1, clock_monotonic_ns());
    return ++patience->asked < patience->lasts;
}

/* The server takes connections, since it listens, and says nothing. */
static void test_patience_ends(void **state) {
    (void)state;
    for (int is_grpc = 0; is_grpc < 2; is_grpc++) {
        static struct fake_server server;
        struct patience patience = {0, 3};
        bool ready = false;
        fake_server_open(&server, is_grpc != 0);
        struct infer_client *client = open_client(&server, (struct infer_client_options){0});
        infer_client_set_patience(client, is_patient, &patience);
        struct status status = infer_client_server_ready(client, &ready);
        assert_int_equal(status.code, STATUS_CANCELLED);
        assert_non_null(strstr(status.message, "not waited for any longer"));
        assert_int_equal(patience.asked, 3);
        assert_int_equal(infer_client_in_flight(client), 0);
        status = infer_client_memory_unregister(client, SLICE_LITERAL("r")); /* there is none left */
        assert_int_equal(status.code, STATUS_CANCELLED);
        assert_int_equal(patience.asked, 4);
        infer_client_close(client);
        fake_server_close(&server);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_questions),
        cmocka_unit_test(test_patience_ends),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
