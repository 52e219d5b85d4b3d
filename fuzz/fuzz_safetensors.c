/* Safetensors files. Input: the file. With the top bit of the eighth byte set, the length of the header is put right,
 * so that changes to the header's size get past the first check.
 * Holds: tensors lie in the file, cover its data part exactly, are sorted and found by name, and can be read. */
#include "checkpoint/safetensors.h"
#include "fuzz_file.h"

static void check_tensors(struct weight_set set, size_t file_size) {
    size_t covered = 0;
    volatile char sum = 0;
    for (size_t i = 0; i < set.count; i++) {
        const struct weight *tensor = &set.items[i];
        int64_t elements;
        FUZZ_CHECK(weight_find(&set, tensor->name) == tensor);
        FUZZ_CHECK(tensor->rank >= 0 && tensor->rank <= WEIGHT_RANK_MAX);
        FUZZ_CHECK(weight_element_count(tensor->dims, tensor->rank, &elements));
        size_t one = weight_type_size(tensor->type);
        FUZZ_CHECK(one == 0 || (size_t)elements * one == tensor->bytes.size);
        covered += tensor->bytes.size;
        if (tensor->bytes.size > 0)
            sum = (char)(sum ^ tensor->bytes.data[0] ^ tensor->bytes.data[tensor->bytes.size - 1]);
        if (one > 0 && elements > 0) {
            float last;
            weight_to_float(tensor->type, tensor->bytes.data + tensor->bytes.size - one, 1, &last);
        }
        char text[WEIGHT_SHAPE_TEXT_SIZE];
        weight_shape_text(tensor->dims, tensor->rank, text);
    }
    FUZZ_CHECK(covered < file_size);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static struct fuzz_file file;
    if (!file.path[0])
        file = fuzz_file_create();
    struct slice bytes = {(const char *)data, size};
    char *copy = fuzz_copy(bytes);
    if (size >= 8 && data[7] & 0x80) {
        /* The header ends behind the last '}'. */
        const char *brace = memrchr(copy + 8, '}', size - 8);
        uint64_t header = brace ? (uint64_t)(brace + 1 - (copy + 8)) : 0;
        memcpy(copy, &header, sizeof header);
    }
    fuzz_file_fill(&file, (struct slice){copy, size});
    struct safetensors *opened;
    struct status status = safetensors_open(file.path, &opened);
    if (status_is_ok(&status)) {
        check_tensors(safetensors_tensors(opened), size);
        safetensors_close(opened);
    } else {
        fuzz_check_error(&status);
    }
    free(copy);
    return 0;
}
