/* weight_stream.h: the bytes of a model file with holes where weights go; they are read from the checkpoint, converted
 * and laid out only while the file is written, so that a file of a gigabyte takes a megabyte of memory.
 *
 * The graph writers append structure to `bytes` and weights as holes; since a hole's size is known beforehand, so is
 * every length that protobuf wants in front. Owner: borrows the weights from the checkpoint.
 */
#ifndef INFERD_TOOLS_EXPORT_WEIGHT_STREAM_H
#define INFERD_TOOLS_EXPORT_WEIGHT_STREAM_H

#include "base/buf.h"
#include "base/status.h"
#include "checkpoint/bert_weight.h"

struct weight_stream {
    struct buf bytes;    /* all but the weights */
    struct buf holes;    /* struct weight_hole, ascending */
    uint64_t hole_bytes; /* of all weights, as floats */
};

#define WEIGHT_STREAM_EMPTY ((struct weight_stream){BUF_EMPTY, BUF_EMPTY, 0})

void weight_stream_free(struct weight_stream *stream);
/* Appends a weight, as floats in `layout`. What stands before it in `bytes` must not move any more. */
void weight_stream_add(struct weight_stream *stream, const struct bert_weight *weight, enum bert_layout layout);
/* Bytes that a weight takes. */
uint64_t weight_stream_weight_size(const struct bert_weight *weight);
/* Bytes of the whole, holes filled. */
uint64_t weight_stream_size(const struct weight_stream *stream);

/* Writes head, stream and tail to a new file, and syncs it. Errors: RESOURCE_EXHAUSTED when an append failed before;
 * ALREADY_EXISTS; INTERNAL for a full disk and the like, with the path. */
struct status weight_stream_write(const struct weight_stream *stream, struct slice head, struct slice tail,
                                  const char *path) STATUS_MUST_CHECK;

#endif
