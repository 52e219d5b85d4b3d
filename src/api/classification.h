/* classification.h: the classification extension: an output as its k best classes instead of as a tensor.
 *
 * The result has datatype BYTES and shape [batch, k'] where the model batches, else [k'], with k' = min(k, elements of
 * a batch entry); elements are "value:index" or "value:index:label", highest value first, equal ones by index, NaN
 * last. Floats have six decimals. Source: Triton's classification extension. Thread: none of its own. */
#ifndef INFERD_API_CLASSIFICATION_H
#define INFERD_API_CLASSIFICATION_H

#include "core/inference_server.h"

/* Turns `scores` into *ret, with memory of the arena. `model` gives the labels and tells whether there is a batch
 * dimension (NULL: no labels, no batch). INVALID_ARGUMENT for the types that cannot be ordered: BOOL, FP16, BF16,
 * BYTES. */
struct status classification_encode(const struct model *model, const struct tensor *scores, uint32_t k,
                                    struct arena *arena, struct tensor *ret) STATUS_MUST_CHECK;

#endif
