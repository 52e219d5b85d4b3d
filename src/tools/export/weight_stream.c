#include "tools/export/weight_stream.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { BLOCK_FLOATS = 1 << 18 }; /* the widest row that bert_config.h allows */

struct weight_hole {
    size_t offset; /* in bytes */
    const struct bert_weight *weight;
    enum bert_layout layout;
};

/* A file being written. */
struct sink {
    int fd;
    float *block; /* BLOCK_FLOATS */
    bool failed;  /* errno of the first failure is in `error` */
    int error;
};

void weight_stream_free(struct weight_stream *stream) {
    buf_free(&stream->bytes);
    buf_free(&stream->holes);
    *stream = WEIGHT_STREAM_EMPTY;
}

uint64_t weight_stream_weight_size(const struct bert_weight *weight) {
    return (uint64_t)weight->outputs * (uint64_t)weight->inputs * sizeof(float);
}

void weight_stream_add(struct weight_stream *stream, const struct bert_weight *weight, enum bert_layout layout) {
    struct weight_hole hole = {stream->bytes.size, weight, layout};
    buf_append(&stream->holes, &hole, sizeof hole);
    stream->hole_bytes += weight_stream_weight_size(weight);
}

uint64_t weight_stream_size(const struct weight_stream *stream) {
    return stream->bytes.size + stream->hole_bytes;
}

static void sink_put(struct sink *sink, const void *data, size_t size) {
    const char *from = data;
    while (size > 0 && !sink->failed) {
        ssize_t n = write(sink->fd, from, size);
        if (n < 0 && errno != EINTR) {
            sink->failed = true;
            sink->error = errno;
        }
        if (n > 0) {
            from += n;
            size -= (size_t)n;
        }
    }
}

static void sink_put_weight(struct sink *sink, const struct weight_hole *hole) {
    const float *view = bert_weight_view(hole->weight, hole->layout);
    if (view) {
        sink_put(sink, view, (size_t)weight_stream_weight_size(hole->weight));
        return;
    }
    int64_t rows = bert_weight_rows(hole->weight, hole->layout);
    int64_t columns = bert_weight_columns(hole->weight, hole->layout);
    int64_t step = BLOCK_FLOATS / columns;
    for (int64_t row = 0; row < rows && !sink->failed; row += step) {
        int64_t count = rows - row < step ? rows - row : step;
        bert_weight_read(hole->weight, hole->layout, row, count, sink->block);
        sink_put(sink, sink->block, (size_t)(count * columns) * sizeof(float));
    }
}

static void sink_put_stream(struct sink *sink, const struct weight_stream *stream) {
    const struct weight_hole *holes = (const void *)stream->holes.data;
    size_t count = stream->holes.size / sizeof *holes, written = 0;
    for (size_t i = 0; i < count; i++) {
        sink_put(sink, stream->bytes.data + written, holes[i].offset - written);
        written = holes[i].offset;
        sink_put_weight(sink, &holes[i]);
    }
    if (stream->bytes.size > written)
        sink_put(sink, stream->bytes.data + written, stream->bytes.size - written);
}

/* All rows must fit the block; bert_config.h's limits see to it, but a wrong step would loop for ever. */
static bool rows_fit(const struct weight_stream *stream) {
    const struct weight_hole *holes = (const void *)stream->holes.data;
    for (size_t i = 0; i < stream->holes.size / sizeof *holes; i++)
        if (bert_weight_columns(holes[i].weight, holes[i].layout) > BLOCK_FLOATS)
            return false;
    return true;
}

static struct status errno_status(int error, const char *path) {
    char text[128];
    enum status_code code = error == EEXIST   ? STATUS_ALREADY_EXISTS
                            : error == EACCES ? STATUS_PERMISSION_DENIED
                                              : STATUS_INTERNAL;
    return status_error(code, "cannot write %s: %s", path, strerror_r(error, text, sizeof text));
}

struct status weight_stream_write(const struct weight_stream *stream, struct slice head, struct slice tail,
                                  const char *path) {
    if (buf_failed(&stream->bytes) || buf_failed(&stream->holes))
        return status_error(STATUS_RESOURCE_EXHAUSTED, "no memory for the structure of %s", path);
    if (!rows_fit(stream))
        return status_error(STATUS_UNSUPPORTED, "%s: a matrix is wider than %d", path, BLOCK_FLOATS);
    struct sink sink = {.block = malloc(BLOCK_FLOATS * sizeof(float))};
    if (!sink.block)
        return status_error(STATUS_RESOURCE_EXHAUSTED, "no memory to write %s", path);
    sink.fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
    if (sink.fd < 0) {
        struct status status = errno_status(errno, path);
        free(sink.block);
        return status;
    }
    sink_put(&sink, head.data, head.size);
    sink_put_stream(&sink, stream);
    sink_put(&sink, tail.data, tail.size);
    bool good = !sink.failed && fsync(sink.fd) == 0;
    int error = sink.failed ? sink.error : errno;
    if (close(sink.fd) != 0 && good) {
        good = false;
        error = errno;
    }
    free(sink.block);
    return good ? status_ok() : errno_status(error, path);
}
