/* output_scatter.h: the engine's outputs -> one response for each request of the batch. */
#ifndef INFERD_BACKENDS_OPENVINO_OUTPUT_SCATTER_H
#define INFERD_BACKENDS_OPENVINO_OUTPUT_SCATTER_H

#include "backends/openvino/port_binding.h"
#include "core/backend.h"

/* One output as the engine has computed it; the bytes are the engine's until its next inference. */
struct output_view {
    const struct output_binding *binding;
    ov_tensor_t *tensor; /* owned; NULL: no request wants this output */
    int rank;
    int64_t shape[TENSOR_RANK_MAX];
    struct slice data;
};

/* Takes the output out of the engine's request if any request of the batch wants it, and checks type and shape against
 * the config and, where the model batches, the `rows` of the batch. INTERNAL tells expected and got. */
struct status output_view_take(const struct output_binding *binding, const struct backend_batch *batch, bool batches,
                               int64_t rows, const ov_infer_request_t *engine,
                               struct output_view *ret) STATUS_MUST_CHECK;
void output_view_release(struct output_view *view); /* accepts a zeroed one */

/* The response for the request whose first row is `row` of `rows`, with the outputs that it wants. NULL or an error
 * status in the response are what a shortage of memory leads to. */
struct infer_response *output_scatter(const struct infer_request *request, const struct output_view *views,
                                      size_t count, bool batches, int64_t row, int64_t rows);

#endif
