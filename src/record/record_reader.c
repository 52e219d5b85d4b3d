#include "record/record_reader.h"

#include <inttypes.h>
#include <stdlib.h>

#include "base/file.h"

/* The next whole line; false when there is none. */
static bool next_line(struct record_reader *reader, struct slice *ret) {
    if (!memchr(reader->rest.data ? reader->rest.data : "", '\n', reader->rest.size))
        return false;
    slice_split(reader->rest, '\n', ret, &reader->rest);
    reader->line++;
    return true;
}

struct status record_reader_open(struct slice bytes, struct arena *arena, struct record_reader *ret) {
    *ret = (struct record_reader){.rest = bytes};
    struct slice line;
    if (!next_line(ret, &line))
        return status_error(STATUS_INVALID_ARGUMENT, "expected a record of inferd, got %s",
                            bytes.size > 0 ? "a file without a first line" : "an empty file");
    struct status status = record_head_parse(line, arena, &ret->head);
    return status_is_ok(&status) ? status : status_prefix(status, "line 1");
}

struct status record_reader_next(struct record_reader *reader, struct arena *arena, struct record *ret,
                                 bool *ret_found) {
    struct slice line;
    *ret_found = false;
    if (!next_line(reader, &line)) {
        reader->cut_bytes = reader->rest.size;
        return status_ok();
    }
    if (reader->ended)
        return status_error(STATUS_INVALID_ARGUMENT, "line %" PRIu64 ": expected nothing behind the end of the record",
                            reader->line);
    if (record_end_parse(line, arena, &reader->end)) {
        reader->ended = true;
        return record_reader_next(reader, arena, ret, ret_found); /* to see that it was the last line */
    }
    struct status status = record_parse(line, arena, ret);
    if (!status_is_ok(&status))
        return status_prefix(status, "line %" PRIu64, reader->line);
    ret->line = reader->line;
    *ret_found = true;
    return status_ok();
}

/* ---- whole files ---- */

static size_t count_lines(struct slice bytes) {
    size_t count = 0;
    for (const char *at = bytes.data, *end = at + bytes.size; at < end; count++) {
        const char *feed = memchr(at, '\n', (size_t)(end - at));
        if (!feed)
            break;
        at = feed + 1;
    }
    return count;
}

static int by_arrival(const void *a, const void *b) {
    const struct record *left = a, *right = b;
    int order = (left->at_ns > right->at_ns) - (left->at_ns < right->at_ns);
    return order != 0 ? order : (left->line > right->line) - (left->line < right->line);
}

static struct status describe(const struct record_reader *reader, struct arena *arena, struct slice *ret) {
    const char *text = "";
    if (reader->cut_bytes > 0)
        text = arena_printf(arena, "the last record is cut off (%zu bytes) and left out", reader->cut_bytes);
    else if (!reader->ended)
        text = arena_printf(arena, "the record has no end: its server still runs, or was killed");
    else if (reader->end.dropped + reader->end.failed > 0)
        text = arena_printf(arena, "%" PRIu64 " inferences are missing: the server could not write them as they came",
                            reader->end.dropped + reader->end.failed);
    *ret = slice_of(text);
    return text ? status_ok() : status_error(STATUS_RESOURCE_EXHAUSTED, "no memory for a record");
}

static struct status read_all(struct slice bytes, struct arena *arena, struct record_file *ret) {
    struct record_reader reader;
    STATUS_TRY(record_reader_open(bytes, arena, &reader));
    ret->head = reader.head;
    struct record *records = arena_calloc(arena, count_lines(bytes), sizeof *records);
    if (!records)
        return status_error(STATUS_RESOURCE_EXHAUSTED, "no memory for the records of a file");
    for (bool found = true; found;) {
        STATUS_TRY(record_reader_next(&reader, arena, &records[ret->count], &found));
        ret->count += found ? 1 : 0;
    }
    qsort(records, ret->count, sizeof *records, by_arrival);
    ret->records = records;
    return describe(&reader, arena, &ret->notice);
}

struct status record_file_read(const char *path, struct arena *arena, struct record_file *ret) {
    *ret = (struct record_file){0};
    struct file_map map;
    STATUS_TRY(file_map_open(path, &map));
    struct status status = read_all(map.bytes, arena, ret);
    if (file_map_is_lost(&map))
        status = status_error(STATUS_DATA_LOSS, "the file was cut while it was read");
    file_unmap(&map);
    return status_is_ok(&status) ? status : status_prefix(status, "%s", path);
}
