/* cuda_graphs.h: forward passes of small batches, recorded.
 *
 * The launches of a small batch take longer than what they start. So what a batch of up to CUDA_SMALL_TOKENS tokens
 * puts on the stream is recorded once for each bucket (cuda_gemm.h), which it is rounded up to, and then launched as
 * one graph, unless it has so many short sequences that the graph has no tiles for them all (some 30 tokens each are
 * enough). Thread: as the session's.
 */
#ifndef INFERD_ENGINE_CUDA_CUDA_GRAPHS_H
#define INFERD_ENGINE_CUDA_CUDA_GRAPHS_H

#include "engine/cuda/cuda_forward.h"

struct cuda_small_graph {
    cudaGraphExec_t graph; /* NULL: not made yet */
    bool cannot_be;        /* it was tried, in vain */
};

/* Of one session. All zero: none are made yet. */
struct cuda_graphs {
    struct cuda_small_graph graphs[CUDA_SMALL_BUCKETS][4]; /* by with_spans, with_hidden */
};

/* The plan of the graph that holds a batch; false: the batch is none for graphs. */
bool cuda_graphs_plan(const struct cuda_room *room, const struct cuda_plan *batch, struct cuda_plan *ret);

/* Makes the graphs of all buckets that the room has space for, with the results that `forward` asks for, so that no
 * request waits for them; its plan is of no account. What cannot be made is left out. */
void cuda_graphs_make(struct cuda_graphs *graphs, const struct cuda_forward *forward);

/* As cuda_forward_run, of a graph's plan; kernel by kernel where there can be no graph. */
struct status cuda_graphs_run(struct cuda_graphs *graphs, const struct cuda_forward *forward) STATUS_MUST_CHECK;

void cuda_graphs_free(struct cuda_graphs *graphs); /* accepts zeroed ones */

#endif
