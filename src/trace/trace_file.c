#include "trace/trace_file.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"

struct status trace_file_open(const char *path, struct trace_file *ret) {
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0640);
    if (fd < 0)
        return status_error(STATUS_INTERNAL, "cannot open trace file %s: %s", path, strerror(errno));
    if (pwrite(fd, "[]", 2, 0) != 2) {
        struct status status = status_error(STATUS_INTERNAL, "cannot write trace file %s: %s", path, strerror(errno));
        close(fd);
        return status;
    }
    *ret = (struct trace_file){.open = true, .fd = fd, .size = 1};
    return status_ok();
}

static bool write_all(int fd, struct slice bytes, uint64_t at) {
    while (bytes.size > 0) {
        ssize_t written = pwrite(fd, bytes.data, bytes.size, (off_t)at);
        if (written < 0 && errno == EINTR)
            continue;
        if (written <= 0)
            return false;
        bytes.data += written;
        bytes.size -= (size_t)written;
        at += (uint64_t)written;
    }
    return true;
}

/* Back to the array as it was. */
static void restore(struct trace_file *file) {
    (void)!ftruncate(file->fd, (off_t)file->size);
    (void)write_all(file->fd, SLICE_LITERAL("]"), file->size);
}

/* The records and the bracket behind them go out together, over the bracket that was there. */
struct status trace_file_append(struct trace_file *file, struct slice records) {
    struct buf text = BUF_EMPTY;
    if (file->size > 1)
        buf_append_text(&text, ",\n");
    buf_append_slice(&text, records);
    uint64_t added = text.size;
    buf_append_char(&text, ']');
    struct status status = status_ok();
    if (buf_failed(&text)) {
        status = status_error(STATUS_RESOURCE_EXHAUSTED, "no memory for the records of a trace");
    } else if (write_all(file->fd, buf_slice(&text), file->size)) {
        file->size += added;
        file->appends++;
    } else {
        status = status_error(STATUS_INTERNAL, "cannot write a trace file: %s", strerror(errno));
        restore(file);
    }
    buf_free(&text);
    return status;
}

void trace_file_close(struct trace_file *file) {
    if (file->open)
        close(file->fd);
    *file = (struct trace_file){0};
}
