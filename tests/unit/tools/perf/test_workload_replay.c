/* Tests of workload_replay: from a file of records to requests and the times at which they are due. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "client/client_tensor.h"
#include "tools/perf/workload_replay.h"

#define HEAD "{\"inferd_record\":1,\"bodies\":true}\n"
#define START(at, model) "{\"at_ns\":" #at ",\"protocol\":\"v2-http\",\"model\":\"" model "\""
#define END "{\"end\":\"stopped\",\"records\":9,\"dropped\":0,\"failed\":0}\n"

static int set_up(void **state) {
    *state = arena_create(0);
    return 0;
}

static int tear_down(void **state) {
    arena_destroy(*state);
    return 0;
}

static struct status replay_of(struct arena *arena, const char *text, struct workload_replay config,
                               struct replay *ret) {
    char path[] = "/tmp/inferd-replay-test-XXXXXX";
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), strlen(text));
    close(fd);
    config.path = path;
    struct status status = workload_replay_create(arena, &config, ret);
    unlink(path);
    return status;
}

static struct replay good(struct arena *arena, const char *text, struct workload_replay config) {
    struct replay replay;
    struct status status = replay_of(arena, text, config, &replay);
    assert_string_equal(status.message, "");
    return replay;
}

static const struct workload_replay plain = {.speed = 1, .string_length = 10};

static void test_times(void **state) {
    static const char text[] = HEAD START(3000, "b") "}\n" START(1000, "a") "}\n" START(2000, "a") "}\n" END;
    struct replay replay = good(*state, text, plain);
    assert_int_equal(replay.workload.entry_count, 3);
    assert_int_equal(replay.workload.stream_count, 1);
    assert_int_equal(replay.workload.streams[0].count, 3);
    assert_true(replay.times_ns[0] == 0 && replay.times_ns[1] == 1000 && replay.times_ns[2] == 2000);
    assert_true(slice_equal_text(replay.workload.entries[0].request->model, "a"));
    assert_true(slice_equal_text(replay.workload.entries[2].request->model, "b"));
    assert_int_equal(replay.model_count, 2);
    assert_int_equal(replay.notice.size, 0);
    replay = good(*state, text, (struct workload_replay){.speed = 4});
    assert_true(replay.times_ns[1] == 250 && replay.times_ns[2] == 500);
    replay = good(*state, text, (struct workload_replay){.speed = 1, .model = "b"});
    assert_true(replay.workload.entry_count == 1 && replay.times_ns[0] == 0 && replay.model_count == 1);
    replay = good(*state, HEAD START(0, "a") "}\n" START(18446744073709551615, "a") "}\n" END,
                  (struct workload_replay){.speed = 0.001});
    assert_true(replay.times_ns[1] == (uint64_t)1 << 62);
}

static const struct infer_client_parameter *find(const struct infer_request_spec *request, const char *name) {
    for (size_t i = 0; i < request->parameter_count; i++)
        if (slice_equal_text(request->parameters[i].name, name))
            return &request->parameters[i];
    return NULL;
}

static void test_what_was_asked(void **state) {
    struct replay replay =
        good(*state,
             HEAD START(0, "m") ",\"version\":\"3\",\"id\":\"i\",\"priority\":2,\"timeout_us\":18446744073709551615,"
                                "\"sequence\":{\"id\":\"s\",\"end\":true},"
                                "\"parameters\":{\"b\":true,\"n\":-1,\"d\":1.5,\"t\":\"x\"},"
                                "\"outputs\":[{\"name\":\"O\",\"classification\":2},{\"name\":\"P\"}]}\n" START(
                                    0, "m") ",\"sequence\":{\"id\":7,\"start\":true}}\n" END,
             plain);
    const struct infer_request_spec *request = replay.workload.entries[0].request;
    assert_true(slice_equal_text(request->version, "3") && slice_equal_text(request->id, "i"));
    assert_int_equal(request->parameter_count, 8);
    assert_true(find(request, "b")->boolean && find(request, "n")->integer == -1 && find(request, "d")->number == 1.5);
    assert_true(slice_equal_text(find(request, "t")->text, "x"));
    assert_int_equal(find(request, "priority")->kind, INFER_VALUE_INT);
    assert_true(find(request, "timeout")->kind == INFER_VALUE_UINT && find(request, "timeout")->natural == UINT64_MAX);
    assert_true(slice_equal_text(find(request, "sequence_id")->text, "s") && find(request, "sequence_end")->boolean);
    assert_null(find(request, "sequence_start"));
    assert_int_equal(request->output_count, 2);
    assert_true(request->output_classes[0] == 2 && request->output_classes[1] == 0);
    request = replay.workload.entries[1].request;
    assert_int_equal(request->parameter_count, 2);
    assert_true(find(request, "sequence_id")->integer == 7 && find(request, "sequence_start")->boolean);
}

/* A stream tells the end of a decoupled model's answers to those who ask for it. */
static void test_streaming(void **state) {
    static const char text[] = HEAD START(0, "m") ",\"parameters\":{\"n\":1}}\n" END;
    struct replay replay = good(*state, text, (struct workload_replay){.speed = 1, .streaming = true});
    const struct infer_request_spec *request = replay.workload.entries[0].request;
    assert_int_equal(request->parameter_count, 2);
    assert_true(find(request, "triton_enable_empty_final_response")->boolean);
    replay = good(*state, text, plain);
    assert_null(find(replay.workload.entries[0].request, "triton_enable_empty_final_response"));
}

#define INPUT(datatype, shape, rest)                                                                                   \
    START(0, "m")                                                                                                      \
    ",\"inputs\":[{\"name\":\"I\",\"datatype\":\"" datatype "\",\"shape\":" shape rest "}]}\n"

static const struct infer_tensor *input(const struct replay *replay, size_t entry) {
    return &replay->workload.entries[entry].inputs[0];
}

static void test_data(void **state) {
    struct replay replay = good(*state,
                                HEAD INPUT("UINT8", "[3]", ",\"size\":3,\"b64\":\"AQID\"")
                                    INPUT("FP32", "[2,2]", ",\"size\":16") INPUT("FP32", "[4]", ",\"size\":16")
                                        INPUT("INT32", "[4]", ",\"size\":16") INPUT("FP32", "[0]", ",\"size\":0") END,
                                plain);
    assert_memory_equal(input(&replay, 0)->data.data, "\1\2\3", 3);
    assert_int_equal(input(&replay, 1)->data.size, 16);
    assert_ptr_equal(input(&replay, 1)->data.data, input(&replay, 2)->data.data); /* alike */
    assert_ptr_not_equal(input(&replay, 1)->data.data, input(&replay, 3)->data.data);
    assert_int_equal(input(&replay, 4)->data.size, 0);
    assert_false(replay.workload.refresh);
}

/* So many bytes as were recorded, in strings that differ by one at most; where that cannot be, of the given length. */
static void test_strings(void **state) {
    struct replay replay = good(*state,
                                HEAD INPUT("BYTES", "[3]", ",\"size\":23") INPUT("BYTES", "[2]", ",\"size\":7")
                                    INPUT("BYTES", "[1]", ",\"size\":99,\"shared\":true")
                                        INPUT("BYTES", "[0]", ",\"size\":5") INPUT("BYTES", "[1,1]", ",\"size\":4") END,
                                plain);
    const size_t sizes[] = {23, 28, 14, 0, 4};
    for (size_t i = 0; i < 5; i++) {
        struct status status = client_tensor_check(input(&replay, i));
        assert_string_equal(status.message, "");
        assert_int_equal(input(&replay, i)->data.size, sizes[i]);
    }
    assert_memory_equal(input(&replay, 0)->data.data, "\4\0\0", 3);
    assert_memory_equal(input(&replay, 0)->data.data + 8, "\4\0\0", 3);
    assert_memory_equal(input(&replay, 0)->data.data + 16, "\3\0\0", 3);
}

static void test_fresh_data(void **state) {
    const struct workload_replay fresh = {.speed = 1, .refresh = true};
    struct replay replay = good(*state, "{\"inferd_record\":1}\n" INPUT("INT64", "[4]", ",\"size\":32") END, fresh);
    char before[32];
    memcpy(before, input(&replay, 0)->data.data, sizeof before);
    const struct workload_entry *entry = workload_take(&replay.workload, 0);
    assert_memory_not_equal(before, entry->inputs[0].data.data, sizeof before);
    replay = good(*state, HEAD INPUT("UINT8", "[3]", ",\"size\":3,\"b64\":\"AQID\"") END, fresh);
    assert_memory_equal(workload_take(&replay.workload, 0)->inputs[0].data.data, "\1\2\3", 3); /* what was recorded */
}

static void test_what_cannot_be_sent(void **state) {
    static const struct {
        const char *text, *part;
    } rows[] = {
        {HEAD END, " holds no inference"},
        {HEAD INPUT("FP31", "[1]", ""), ": line 2: "},
        {HEAD INPUT("FP32", "[9223372036854775807,9]", ""), ": line 2: "},
        {HEAD INPUT("BYTES", "[9223372036854775807]", ""), ": line 2: "},
        {HEAD INPUT("UINT8", "[4]", ",\"size\":3,\"b64\":\"AQID\""), ": line 2: "},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct replay replay;
        struct status status = replay_of(*state, rows[i].text, plain, &replay);
        assert_int_equal(status.code, STATUS_INVALID_ARGUMENT);
        assert_non_null(strstr(status.message, rows[i].part));
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_times, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_what_was_asked, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_streaming, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_data, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_strings, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_fresh_data, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_what_cannot_be_sent, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
