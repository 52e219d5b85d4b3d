/* HTTP/1.1 connections. Input: how to cut the stream, flags of fuzz_session.h, the client's bytes.
 * Holds, besides what fuzz_session.c checks: the answers are HTTP/1.1, whole, in the order of the requests; and however
 * the bytes are cut the answers are the same. */
#include "fuzz_session.h"

struct answers {
    struct slice rest;
    size_t count; /* final ones */
};

static struct slice take_line(struct answers *answers, bool *ret_whole) {
    const char *end = answers->rest.size ? memchr(answers->rest.data, '\n', answers->rest.size) : NULL;
    *ret_whole = end;
    if (!end)
        return (struct slice){NULL, 0};
    struct slice line = {answers->rest.data, (size_t)(end - answers->rest.data)};
    FUZZ_CHECK(line.size > 0 && line.data[line.size - 1] == '\r');
    line.size--;
    FUZZ_CHECK(!memchr(line.data, '\r', line.size));
    answers->rest.data += line.size + 2;
    answers->rest.size -= line.size + 2;
    return line;
}

static bool skip(struct answers *answers, uint64_t size) {
    if (size > answers->rest.size)
        return false;
    answers->rest.data += size;
    answers->rest.size -= size;
    return true;
}

static bool take_chunks(struct answers *answers) {
    for (;;) {
        bool whole;
        struct slice line = take_line(answers, &whole);
        if (!whole)
            return false;
        char text[24];
        FUZZ_CHECK(line.size > 0 && line.size < sizeof text);
        memcpy(text, line.data, line.size);
        text[line.size] = '\0';
        char *end;
        unsigned long long size = strtoull(text, &end, 16);
        FUZZ_CHECK(*end == '\0');
        if (size > 0 && (!skip(answers, size) || !skip(answers, 2)))
            return false;
        FUZZ_CHECK(size == 0 || memcmp(answers->rest.data - 2, "\r\n", 2) == 0);
        for (bool trailers = size == 0; trailers; trailers = line.size > 0) {
            line = take_line(answers, &whole);
            if (!whole)
                return false;
        }
        if (size == 0)
            return true;
    }
}

/* One answer, also an interim one; false when it is not whole. */
static bool take_answer(struct answers *answers, const struct fuzz_driver *driver) {
    bool whole, chunked = false;
    uint64_t length = 0;
    bool has_length = false;
    struct slice line = take_line(answers, &whole), head, value;
    if (!whole)
        return false;
    FUZZ_CHECK(line.size > 12 && memcmp(line.data, "HTTP/1.1 ", 9) == 0);
    int status = (line.data[9] - '0') * 100 + (line.data[10] - '0') * 10 + (line.data[11] - '0');
    FUZZ_CHECK(status >= 100 && status < 600);
    do {
        line = take_line(answers, &whole);
        if (!whole)
            return false;
        FUZZ_CHECK(line.size == 0 || slice_split(line, ':', &head, &value));
        if (line.size > 0 && slice_equal_nocase(head, SLICE_LITERAL("content-length"))) {
            FUZZ_CHECK(!has_length && slice_to_u64(slice_trim(value), &length));
            has_length = true;
        }
        FUZZ_CHECK(line.size == 0 || !slice_equal_nocase(head, SLICE_LITERAL("set-cookie")));
        chunked |= line.size > 0 && slice_equal_nocase(head, SLICE_LITERAL("transfer-encoding"));
    } while (line.size > 0);
    if (status < 200)
        return true;
    bool announced = answers->count < driver->announced;
    bool to_head = announced && driver->notes[answers->count].is_head;
    answers->count++;
    if (!announced && answers->rest.size == 0)
        return true; /* what was refused as no request may yet have been a HEAD */
    FUZZ_CHECK(!(chunked && has_length));
    if (to_head || status == 204 || status == 304)
        return true;
    if (chunked)
        return take_chunks(answers);
    return skip(answers, has_length ? length : answers->rest.size);
}

static void check_answers(const struct fuzz_driver *driver) {
    struct answers answers = {buf_slice(&driver->out), 0};
    while (answers.rest.size > 0) {
        if (!take_answer(&answers, driver)) {
            FUZZ_CHECK(driver->aborted > 0 || driver->failed || driver->flags & FUZZ_GONE);
            return;
        }
    }
    size_t closed = driver->ended - driver->aborted;
    FUZZ_CHECK(answers.count >= closed);
    FUZZ_CHECK(answers.count <= driver->announced + 1); /* the last may be to what was no request */
}

/* All that depends on time, or on which bytes come together with which, taken out. */
static struct buf without_time(struct slice out) {
    struct buf plain = BUF_EMPTY;
    struct slice line;
    while (out.size > 0) {
        bool whole = slice_split(out, '\n', &line, &out);
        if (slice_starts_with(line, SLICE_LITERAL("Date: ")))
            continue;
        buf_append_slice(&plain, line);
        if (whole)
            buf_append_char(&plain, '\n');
    }
    return plain;
}

static struct buf run(struct slice stream, uint8_t seed, unsigned flags) {
    static struct fuzz_driver driver;
    fuzz_driver_init(&driver, flags);
    struct status status = h1_session_create(&driver.handler, &driver.limits, &driver.session);
    FUZZ_CHECK(status_is_ok(&status));
    fuzz_driver_run(&driver, stream, seed);
    check_answers(&driver);
    struct buf plain = without_time(buf_slice(&driver.out));
    fuzz_driver_free(&driver);
    return plain;
}

/* Whether an answer may differ with the cuts: a client that expects "100 Continue" gets none when its body is there,
 * and a streamed answer's chunks are those that came. */
static bool depends_on_cuts(struct slice stream) {
    static const char *const words[] = {"100-", "/stream"};
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
        if (memmem(stream.data, stream.size, words[i], strlen(words[i])))
            return true;
    return false;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct fuzz_input input = fuzz_input_on(data, size);
    uint8_t seed = fuzz_byte(&input);
    unsigned flags = fuzz_byte(&input);
    struct slice stream = fuzz_rest(&input);
    struct buf out = run(stream, seed, flags);
    if (stream.size > 0 && !(flags & (FUZZ_SHUTDOWN | FUZZ_TIME_PASSES | FUZZ_GONE | FUZZ_POOR)) &&
        !depends_on_cuts(stream)) {
        struct buf at_once = run(stream, 0, flags);
        if (!slice_equal(buf_slice(&out), buf_slice(&at_once)))
            fprintf(stderr, "in pieces:\n%.*s\nat once:\n%.*s\n", (int)out.size, out.data, (int)at_once.size,
                    at_once.data);
        FUZZ_CHECK(slice_equal(buf_slice(&out), buf_slice(&at_once)));
        buf_free(&at_once);
    }
    buf_free(&out);
    return 0;
}
