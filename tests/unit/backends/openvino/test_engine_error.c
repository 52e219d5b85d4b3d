/* What is left of the engine's messages. */
#include "backends/openvino/engine_error.h"
#include "engine_fixture.h"

static void test_texts(void **state) {
    (void)state;
    static const struct {
        const char *said, *left;
    } rows[] = {
        {"", ""},
        {"plain", "plain"},
        {"Exception from src/inference/src/cpp/core.cpp:84:\nonnx: Could not open the file: \"/x\"\n\n",
         "onnx: Could not open the file: \"/x\""},
        {"Check 'a(b) || c' failed at src/frontends/common/src/frontend.cpp:117:\nFrontEnd API failed with "
         "GeneralFailure:\nno model\n",
         "FrontEnd API failed with GeneralFailure:; no model"},
        {"[CPU] Add node with name '/Add' Check 'shape[j] == 1' failed at src/plugins/eltwise.cpp:52:\nmismatch",
         "[CPU] Add node with name '/Add'; mismatch"},
        {"node 'n' Exception from src/a.cpp:1:\nfailed: Check 'x' failed at src/b.cpp:106:\nshapes",
         "node 'n'; failed:; shapes"},
        {"Exception from src/a.cpp:1: said behind it", "said behind it"},
        /* What only looks like a position stays. */
        {"Exception from nowhere", "Exception from nowhere"},
        {"Check 'x' failed, alas", "Check 'x' failed, alas"},
        {"Exception from src/a.cpp:one: two", "Exception from src/a.cpp:one: two"},
        /* Nothing but positions: better than nothing. */
        {"Exception from src/a.cpp:1:\n", "Exception from src/a.cpp:1:"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char text[256];
        engine_error_text(slice_of(rows[i].said), text, sizeof text);
        assert_string_equal(text, rows[i].left);
    }
}

/* Every room, down to one byte, holds a terminated text that is a beginning of the whole. */
static void test_cut_to_the_room(void **state) {
    (void)state;
    static const char said[] = "Exception from src/a.cpp:1:\nfirst line\nsecond line";
    char whole[256];
    engine_error_text(slice_of(said), whole, sizeof whole);
    assert_string_equal(whole, "first line; second line");
    for (size_t size = 1; size < sizeof whole; size++) {
        char *text = malloc(size);
        assert_non_null(text);
        engine_error_text(slice_of(said), text, size);
        assert_true(strlen(text) < size);
        if (strncmp(text, whole, strlen(text)) != 0)
            fail_msg("room of %zu: '%s'", size, text);
        free(text);
    }
}

static void test_codes_and_context(void **state) {
    (void)state;
    ov_core_t *core = NULL;
    ov_model_t *model = NULL;
    assert_int_equal(ov_core_create(&core), OK);
    ov_status_e result = ov_core_read_model(core, "/no/such/model.onnx", NULL, &model);
    assert_int_not_equal(result, OK);
    assert_error(engine_error(result, STATUS_NOT_FOUND, "cannot read %s", "it"), STATUS_NOT_FOUND,
                 "cannot read it: OpenVINO: ");
    ov_core_free(core);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_texts),
        cmocka_unit_test(test_cut_to_the_room),
        cmocka_unit_test(test_codes_and_context),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
