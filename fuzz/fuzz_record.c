/* A file of records. Holds: every record that is read can be written, reads back, and is the same line again; all lines
 * before a cut are what they are without it; the reader goes no further than its bytes. */
#include "fuzz.h"
#include "record/record_reader.h"

static struct buf line_of(const struct record *record) {
    struct buf line = BUF_EMPTY;
    record_write(record, &line);
    FUZZ_CHECK(!buf_failed(&line) && memchr(line.data, '\n', line.size) == line.data + line.size - 1);
    return line;
}

static void check_record(const struct record *record) {
    struct arena *arena = fuzz_arena(0);
    struct record read;
    struct buf first = line_of(record);
    struct status status = record_parse((struct slice){first.data, first.size - 1}, arena, &read);
    FUZZ_CHECK(status_is_ok(&status));
    struct buf second = line_of(&read);
    FUZZ_CHECK(slice_equal(buf_slice(&first), buf_slice(&second)));
    FUZZ_CHECK(read.at_ns == record->at_ns && read.input_count == record->input_count);
    for (size_t i = 0; i < record->input_count; i++)
        FUZZ_CHECK(slice_equal(read.inputs[i].data, record->inputs[i].data) &&
                   (!read.inputs[i].has_data || read.inputs[i].data.size == read.inputs[i].size));
    buf_free(&first);
    buf_free(&second);
    arena_destroy(arena);
}

/* How many records there are before the end or the first error. */
static size_t read_all(struct slice bytes) {
    struct arena *arena = fuzz_arena(0);
    struct record_reader reader;
    struct record record;
    size_t count = 0;
    bool found = true;
    struct status status = record_reader_open(bytes, arena, &reader);
    while (status_is_ok(&status) && found) {
        status = record_reader_next(&reader, arena, &record, &found);
        if (status_is_ok(&status) && found) {
            check_record(&record);
            count++;
        }
    }
    if (!status_is_ok(&status))
        fuzz_check_error(&status);
    else
        FUZZ_CHECK(reader.cut_bytes < bytes.size || bytes.size == 0);
    arena_destroy(arena);
    return count;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct fuzz_input input = fuzz_input_on(data, size);
    size_t cut = fuzz_u16(&input);
    struct slice bytes = fuzz_rest(&input);
    char *copy = fuzz_copy(bytes);
    size_t all = read_all((struct slice){copy, bytes.size});
    free(copy);
    bytes.size = cut < bytes.size ? cut : bytes.size;
    copy = fuzz_copy(bytes);
    FUZZ_CHECK(read_all((struct slice){copy, bytes.size}) <= all);
    free(copy);
    return 0;
}
