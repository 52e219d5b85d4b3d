/* tensor_bundle.h: reads a TensorFlow checkpoint: PREFIX.index and its shards PREFIX.data-0000k-of-0000n.
 *
 * The data files are mapped, not copied. Opening checks the index (checksums, order) and that every tensor lies within
 * its shard; the tensors' own checksums are checked by tensor_bundle_verify, for those that are used. Source:
 * tensorflow/core/util/tensor_bundle/tensor_bundle.h.
 */
#ifndef INFERD_CHECKPOINT_TENSOR_BUNDLE_H
#define INFERD_CHECKPOINT_TENSOR_BUNDLE_H

#include "base/status.h"
#include "checkpoint/weight.h"

struct tensor_bundle;

/* Errors: NOT_FOUND for a missing index or shard; DATA_LOSS for a cut off or damaged one; INVALID_ARGUMENT, UNSUPPORTED
 * (compressed, big endian), RESOURCE_EXHAUSTED. */
struct status tensor_bundle_open(const char *prefix, struct tensor_bundle **ret) STATUS_MUST_CHECK;
void tensor_bundle_close(struct tensor_bundle *bundle); /* accepts NULL; views of its tensors end here */

/* True once bytes were read that a data file no longer has: it was cut short. */
bool tensor_bundle_is_lost(const struct tensor_bundle *bundle);

/* All tensors, those of unused types included. Borrowed from the bundle. */
struct weight_set tensor_bundle_tensors(const struct tensor_bundle *bundle);

/* Checks one of them against its checksum. UNSUPPORTED: the tensor is kept in slices (a partitioned variable) and its
 * view holds no bytes. */
struct status tensor_bundle_verify(const struct tensor_bundle *bundle, const struct weight *tensor) STATUS_MUST_CHECK;

#endif
