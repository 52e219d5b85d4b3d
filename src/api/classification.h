/* classification.h: the classification extension: an output as its k best classes instead of as a tensor.
 *
 * The result has datatype BYTES and shape [batch, k'] where the model batches, else [k'], with k' = min(k, elements of
 * a batch entry); elements are "value:index" or "value:index:label", highest value first, equal ones by index, NaN
 * last. Floats have six decimals. Source: Triton's classification extension. Thread: none of its own. */
#ifndef INFERD_API_CLASSIFICATION_H
#define INFERD_API_CLASSIFICATION_H

#include "core/inference_server.h"

/* Most classes that one answer holds: over its outputs, the rows of each times the classes of a row. They are chosen
 * and written on the thread of a connection, which others wait for. */
enum { CLASSIFICATION_CLASSES_MAX = 65536 };

struct class_score {
    uint32_t index;    /* within the batch entry's flat tensor */
    float value;       /* for readers of numbers */
    struct slice text; /* exact, as it is shown; memory of the arena */
    struct slice label;
};

struct classification {
    bool batched;
    int64_t entries;            /* of the batch; 1 where the model does not batch */
    uint32_t kept;              /* classes of each entry */
    struct class_score *scores; /* entries * kept, the best of an entry first */
};

/* The k best classes of `scores`, with memory of the arena. `model` gives the labels and tells whether there is a batch
 * dimension (NULL: no labels, no batch). `left`, at first CLASSIFICATION_CLASSES_MAX, is what the answer may still
 * hold; what is chosen is taken off. INVALID_ARGUMENT for more than that, and for the types that cannot be ordered:
 * BOOL, FP16, BF16, BYTES. */
struct status classification_select(const struct model *model, const struct tensor *scores, uint32_t k, uint32_t *left,
                                    struct arena *arena, struct classification *ret) STATUS_MUST_CHECK;
/* The same as the BYTES tensor that the extension sends. */
struct status classification_encode(const struct model *model, const struct tensor *scores, uint32_t k, uint32_t *left,
                                    struct arena *arena, struct tensor *ret) STATUS_MUST_CHECK;

#endif
