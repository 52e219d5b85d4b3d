/* The text and JSON forms of messages. Input: which message, how it comes (0 wire, 1 text, 2 JSON, 3 JSON of a newer
 * peer), then its bytes. Holds: what was read can be written in every form, and a written form read again is written
 * the same. */
#include "codec/pb_json.h"
#include "codec/pb_text.h"
#include "codec/pb_text_write.h"
#include "fuzz_messages.h"

enum form { FORM_LINES, FORM_ONE_LINE, FORM_JSON, FORM_CANONICAL, FORM_COUNT };

static struct buf write_form(enum form form, const struct pb_message *type, const void *message) {
    struct buf out = BUF_EMPTY;
    struct status status = status_ok();
    switch (form) {
    case FORM_LINES:
        status = pb_text_write(type, message, PB_TEXT_LINES, &out);
        break;
    case FORM_ONE_LINE:
        status = pb_text_write(type, message, PB_TEXT_ONE_LINE, &out);
        FUZZ_CHECK(!out.data || !memchr(out.data, '\n', out.size));
        break;
    case FORM_JSON:
        status = pb_to_json(type, message, &out);
        break;
    case FORM_CANONICAL:
    case FORM_COUNT:
        status = pb_to_canonical_json(type, message, &out);
        break;
    }
    FUZZ_CHECK(status_is_ok(&status));
    return out;
}

static void check_form(enum form form, const struct pb_message *type, const void *message, struct arena *arena) {
    void *again = arena_alloc(arena, type->size);
    FUZZ_CHECK(again);
    struct buf first = write_form(form, type, message);
    struct status status = form <= FORM_ONE_LINE ? pb_text_parse(type, buf_slice(&first), "written", arena, again, NULL)
                                                 : pb_json_parse(type, buf_slice(&first), arena, again);
    FUZZ_CHECK(status_is_ok(&status) || status.code == STATUS_RESOURCE_EXHAUSTED);
    if (status_is_ok(&status)) {
        struct buf second = write_form(form, type, again);
        FUZZ_CHECK(slice_equal(buf_slice(&first), buf_slice(&second)));
        buf_free(&second);
    }
    buf_free(&first);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct fuzz_input input = fuzz_input_on(data, size);
    const struct pb_message *type = fuzz_message(fuzz_byte(&input));
    uint8_t how = fuzz_byte(&input) & 3;
    struct slice rest = fuzz_rest(&input);
    struct slice bytes = {fuzz_copy(rest), rest.size};
    struct arena *arena = fuzz_arena(64 << 20);
    void *message = arena_alloc(arena, type->size);
    FUZZ_CHECK(message);
    struct status status = how == 0   ? pb_decode(type, bytes, arena, message)
                           : how == 1 ? pb_text_parse(type, bytes, "input", arena, message, NULL)
                           : how == 2 ? pb_json_parse(type, bytes, arena, message)
                                      : pb_json_parse_lenient(type, bytes, arena, message);
    if (status_is_ok(&status))
        for (int form = 0; form < FORM_COUNT; form++)
            check_form((enum form)form, type, message, arena);
    else
        fuzz_check_error(&status);
    arena_destroy(arena);
    free((void *)(uintptr_t)bytes.data);
    return 0;
}
