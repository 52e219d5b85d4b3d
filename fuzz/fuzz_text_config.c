/* Model configs: config.pbtxt or, with the first byte odd, the JSON form of a load request; then all of its checks.
 * Holds: errors name the file; a config that is complete has a JSON form, and that JSON says the same config. */
#include "core/model_config.h"
#include "fuzz.h"

static const struct slice NAME = SLICE_LITERAL("fuzzed");

static struct buf to_json(const struct model_config *config) {
    struct buf json = BUF_EMPTY;
    struct status status = model_config_to_json(config, &json);
    FUZZ_CHECK(status_is_ok(&status));
    return json;
}

/* What JSON says it says again when it is read and written once more. */
static void check_json_says_the_same(const struct model_config *config) {
    struct buf first = to_json(config);
    struct model_config *again;
    struct status status = model_config_parse_json(NAME, buf_slice(&first), &again);
    FUZZ_CHECK(status_is_ok(&status));
    struct buf second = to_json(again);
    FUZZ_CHECK(slice_equal(buf_slice(&first), buf_slice(&second)));
    model_config_destroy(again);
    buf_free(&second);
    buf_free(&first);
}

/* Facts that the scheduler and the backends build upon. */
static void check_finished(const struct model_config *config) {
    FUZZ_CHECK(config->max_batch_size >= 0 && config->instance_count >= 1);
    for (size_t i = 0; i < config->input_count; i++) {
        const struct model_input *input = &config->inputs[i];
        FUZZ_CHECK(input->name.size > 0 && slice_is_utf8(input->name));
        FUZZ_CHECK(input->rank >= 0 && input->rank <= TENSOR_RANK_MAX);
        for (int d = 0; d < input->rank; d++)
            FUZZ_CHECK(input->dims[d] >= -1);
        FUZZ_CHECK(model_config_input(config, input->name) == input);
    }
    for (size_t i = 0; i < config->output_count; i++)
        FUZZ_CHECK(model_config_output(config, config->outputs[i].name) == &config->outputs[i]);
    for (size_t i = 1; i < config->batching.preferred_count; i++)
        FUZZ_CHECK(config->batching.preferred[i - 1] < config->batching.preferred[i]);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct fuzz_input input = fuzz_input_on(data, size);
    uint8_t choice = fuzz_byte(&input);
    struct slice rest = fuzz_rest(&input);
    struct slice text = {fuzz_copy(rest), rest.size};
    struct model_config *config = NULL;
    struct status status = choice & 1 ? model_config_parse_json(NAME, text, &config)
                                      : model_config_parse(NAME, text, "config.pbtxt", &config);
    free((void *)(uintptr_t)text.data); /* a config keeps nothing of its text */
    if (!status_is_ok(&status)) {
        fuzz_check_error(&status);
        return 0;
    }
    check_json_says_the_same(config);
    status = model_config_finish(config, NULL);
    if (status_is_ok(&status)) {
        check_finished(config);
        check_json_says_the_same(config);
    } else {
        fuzz_check_error(&status);
    }
    model_config_destroy(config);
    return 0;
}
