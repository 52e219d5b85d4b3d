/* A config as clients of TRTIS v1 are shown it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "api/v1_config.h"
#include "codec/pb_text_write.h"

/* The text of what v1 is shown of a config. */
static void assert_shown(const char *config_text, const char *expected) {
    struct model_config *config;
    struct pb_model_config *shown;
    struct buf text = BUF_EMPTY;
    struct arena *arena = arena_create(0);
    struct status status = model_config_parse(SLICE_LITERAL("m"), slice_of(config_text), "config.pbtxt", &config);
    if (!status_is_ok(&status))
        fail_msg("%s", status.message);
    config->backend = model_config_backend(config);
    status = v1_config_render(config, arena, &shown);
    assert_true(status_is_ok(&status));
    status = pb_text_write(&pb_model_config_type, shown, PB_TEXT_ONE_LINE, &text);
    assert_true(status_is_ok(&status));
    if (!slice_equal_text(buf_slice(&text), expected))
        fail_msg("expected %s, got %.*s", expected, (int)text.size, text.data);
    buf_free(&text);
    arena_destroy(arena);
    model_config_destroy(config);
}

static void platforms(void **state) {
    (void)state;
    assert_shown("backend: \"identity\"", "platform: \"custom\"");
    assert_shown("backend: \"openvino\"", "platform: \"custom\"");
    assert_shown("platform: \"onnxruntime_onnx\"", "platform: \"onnxruntime_onnx\"");
    assert_shown("backend: \"tensorflow\"", "platform: \"tensorflow_savedmodel\"");
}

static void later_fields_are_left_out(void **state) {
    (void)state;
    assert_shown("backend: \"identity\" max_batch_size: 8 "
                 "input { name: \"a\" data_type: TYPE_INT32 dims: [-1, 2] optional: true } "
                 "output { name: \"b\" data_type: TYPE_FP32 dims: 1 label_filename: \"l\" } "
                 "dynamic_batching { preferred_batch_size: [4, 8] preserve_ordering: true priority_levels: 2 "
                 "default_queue_policy { max_queue_size: 3 } } "
                 "instance_group { count: 2 kind: KIND_CPU passive: true host_policy: \"h\" } "
                 "model_transaction_policy { decoupled: true } response_cache { enable: true } "
                 "model_warmup { name: \"w\" batch_size: 1 count: 5 }",
                 "platform: \"custom\" max_batch_size: 8 "
                 "input { name: \"a\" data_type: TYPE_INT32 dims: -1 dims: 2 } "
                 "output { name: \"b\" data_type: TYPE_FP32 dims: 1 label_filename: \"l\" } "
                 "dynamic_batching { preferred_batch_size: 4 preferred_batch_size: 8 preserve_ordering: true } "
                 "instance_group { kind: KIND_CPU count: 2 } model_warmup { name: \"w\" batch_size: 1 }");
}

static void unknown_datatypes(void **state) {
    (void)state;
    assert_shown("backend: \"identity\" input { name: \"a\" data_type: TYPE_BF16 dims: 1 } "
                 "output { name: \"b\" data_type: TYPE_BF16 dims: 1 }",
                 "platform: \"custom\" input { name: \"a\" dims: 1 } output { name: \"b\" dims: 1 }");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(platforms),
        cmocka_unit_test(later_fields_are_left_out),
        cmocka_unit_test(unknown_datatypes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
