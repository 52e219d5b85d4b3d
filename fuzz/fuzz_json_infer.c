/* The JSON of an inference over HTTP with the binary tensors behind it. Input: how many bytes are binary (two bytes),
 * the JSON, the binary part. Holds: tensors of a good request have the size that type and shape say or are refused by
 * tensor_check_size; elements written as JSON and read again are the same bytes. */
#include "api/infer_json.h"
#include "api/tensor_json.h"
#include "fuzz.h"

enum { ARENA_FACTOR = 16, ARENA_BASE = 1 << 20 }; /* as a call of that size gets */

static bool is_floating(enum datatype type) {
    return type == DATATYPE_FP16 || type == DATATYPE_FP32 || type == DATATYPE_FP64 || type == DATATYPE_BF16;
}

/* The same numbers; a NaN and a true BOOL have many forms in bytes and one in JSON. */
static bool same_elements(const struct tensor *a, const struct tensor *b) {
    if (a->data.size != b->data.size)
        return false;
    for (size_t i = 0; a->type == DATATYPE_BOOL && i < a->data.size; i++)
        if (!a->data.data[i] != !b->data.data[i])
            return false;
    return a->type == DATATYPE_BOOL || is_floating(a->type) || slice_equal(a->data, b->data);
}

static void check_elements_come_back(const struct tensor *tensor) {
    struct buf json = BUF_EMPTY;
    struct status status = tensor_json_encode(tensor, &json);
    if (!status_is_ok(&status)) {
        FUZZ_CHECK(status.code == STATUS_INVALID_ARGUMENT);
        FUZZ_CHECK(tensor->type == DATATYPE_BYTES || tensor->type == DATATYPE_FP16 || tensor->type == DATATYPE_BF16);
        fuzz_check_error(&status);
        buf_free(&json);
        return;
    }
    yyjson_doc *doc = yyjson_read(json.data, json.size, YYJSON_READ_ALLOW_INF_AND_NAN);
    FUZZ_CHECK(doc);
    struct arena *arena = fuzz_arena(0);
    struct tensor again = *tensor;
    again.data = (struct slice){NULL, 0};
    status = tensor_json_decode(yyjson_doc_get_root(doc), json.size, "inputs", 0, arena, &again);
    FUZZ_CHECK(status_is_ok(&status));
    FUZZ_CHECK(same_elements(&again, tensor));
    arena_destroy(arena);
    yyjson_doc_free(doc);
    buf_free(&json);
}

static void check_request(struct infer_request *request, bool all_binary) {
    struct infer_response *response = infer_response_create(request, request->input_count);
    FUZZ_CHECK(response);
    bool good = true;
    for (size_t i = 0; i < request->input_count; i++) {
        const struct tensor *tensor = &request->inputs[i];
        FUZZ_CHECK(tensor->rank >= 0 && tensor->rank <= TENSOR_RANK_MAX);
        FUZZ_CHECK(tensor->memory == MEMORY_SHARED || tensor->memory == MEMORY_REQUEST);
        struct status status = tensor_check_size(tensor);
        if (!status_is_ok(&status)) {
            fuzz_check_error(&status);
            good = false;
            continue;
        }
        check_elements_come_back(tensor);
        response->outputs[response->output_count++] = *tensor;
    }
    if (good) {
        struct buf out = BUF_EMPTY;
        size_t json_size;
        struct status status = infer_json_encode(request, response, all_binary, &out, &json_size, NULL);
        if (status_is_ok(&status)) {
            FUZZ_CHECK(json_size <= out.size);
            yyjson_doc *doc = yyjson_read(out.data, json_size ? json_size : out.size, YYJSON_READ_ALLOW_INF_AND_NAN);
            FUZZ_CHECK(doc);
            yyjson_doc_free(doc);
        } else {
            fuzz_check_error(&status);
        }
        buf_free(&out);
    }
    infer_response_destroy(response);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct fuzz_input input = fuzz_input_on(data, size);
    size_t binary_size = fuzz_u16(&input);
    size_t json_size = fuzz_left(&input) > binary_size ? fuzz_left(&input) - binary_size : 0;
    struct slice json = fuzz_take(&input, json_size), binary = fuzz_rest(&input);
    json.data = fuzz_copy(json);
    binary.data = fuzz_copy(binary);
    struct infer_request *request = infer_request_create(size * ARENA_FACTOR + ARENA_BASE);
    FUZZ_CHECK(request);
    bool all_binary = false;
    struct status status = infer_json_decode(json, binary, binary.size > 0, 1, request, &all_binary);
    free((void *)(uintptr_t)json.data); /* a request keeps nothing of it */
    if (status_is_ok(&status))
        check_request(request, all_binary);
    else
        fuzz_check_error(&status);
    infer_request_destroy(request);
    free((void *)(uintptr_t)binary.data);
    return 0;
}
