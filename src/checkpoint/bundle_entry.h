/* bundle_entry.h: decodes the two messages in the index of a TensorFlow checkpoint: its header and one tensor's entry.
 *
 * Source: tensorflow/core/protobuf/tensor_bundle.proto, tensorflow/core/framework/tensor_shape.proto and types.proto.
 */
#ifndef INFERD_CHECKPOINT_BUNDLE_ENTRY_H
#define INFERD_CHECKPOINT_BUNDLE_ENTRY_H

#include "base/slice.h"
#include "checkpoint/weight.h"

/* BundleHeaderProto */
struct bundle_header {
    int64_t shard_count;
    bool big_endian;
};

/* BundleEntryProto; numbers as the file has them, not yet checked against anything. */
struct bundle_entry {
    int64_t type; /* tensorflow.DataType */
    int rank;
    bool rank_too_high; /* more than WEIGHT_RANK_MAX dimensions */
    int64_t dims[WEIGHT_RANK_MAX];
    int64_t shard;
    int64_t offset, size; /* bytes, in that shard */
    uint32_t masked_crc32c;
    bool sliced; /* the tensor is kept in parts under other keys */
};

/* Both give false when the bytes are no such message. Unknown fields are skipped. */
bool bundle_header_decode(struct slice message, struct bundle_header *ret);
bool bundle_entry_decode(struct slice message, struct bundle_entry *ret);

/* The name of a tensorflow.DataType ("DT_FLOAT") and how its numbers are stored; ret_size is the bytes of one, 0 where
 * this reader does not need to know. */
const char *bundle_type_name(int64_t type, enum weight_type *ret_type, size_t *ret_size);

#endif
