/* The wire form of every message that clients and servers exchange. Input: which message, then its bytes.
 * Holds: what decodes can be encoded to the size foretold, decodes again, and then encodes to the same bytes. */
#include "fuzz_messages.h"

static struct buf encode(const struct pb_message *type, const void *message) {
    struct buf out = BUF_EMPTY;
    size_t foretold = pb_encoded_size(type, message);
    struct status status = pb_encode(type, message, &out);
    FUZZ_CHECK(status_is_ok(&status) && out.size == foretold);
    return out;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct fuzz_input input = fuzz_input_on(data, size);
    const struct pb_message *type = fuzz_message(fuzz_byte(&input));
    struct slice rest = fuzz_rest(&input);
    struct slice bytes = {fuzz_copy(rest), rest.size};
    struct arena *arena = fuzz_arena(64 << 20);
    void *message = arena_alloc(arena, type->size), *again = arena_alloc(arena, type->size);
    FUZZ_CHECK(message && again);
    struct status status = pb_decode(type, bytes, arena, message);
    if (status_is_ok(&status)) {
        struct buf first = encode(type, message);
        status = pb_decode(type, buf_slice(&first), arena, again);
        FUZZ_CHECK(status_is_ok(&status) || status.code == STATUS_RESOURCE_EXHAUSTED);
        if (status_is_ok(&status)) {
            struct buf second = encode(type, again);
            FUZZ_CHECK(slice_equal(buf_slice(&first), buf_slice(&second)));
            buf_free(&second);
        }
        buf_free(&first);
    } else {
        fuzz_check_error(&status);
    }
    arena_destroy(arena);
    free((void *)(uintptr_t)bytes.data);
    return 0;
}
