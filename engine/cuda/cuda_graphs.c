#include "engine/cuda/cuda_graphs.h"

#include "engine/cuda/cuda_status.h"

enum { SPARE_TILES = 16 }; /* of a graph, besides two for each that its tokens fill: for sequences that fill none */

static struct cuda_plan bucket_plan(unsigned bucket) {
    const unsigned tokens = cuda_bucket_tokens(bucket), tiles = 2 * tokens / CUDA_QUERY_TILE + SPARE_TILES;
    return (struct cuda_plan){tokens, tiles, tiles};
}

bool cuda_graphs_plan(const struct cuda_room *room, const struct cuda_plan *batch, struct cuda_plan *ret) {
    if (batch->tokens > CUDA_SMALL_TOKENS)
        return false;
    const struct cuda_plan plan = bucket_plan(cuda_bucket_of(batch->tokens));
    if (plan.tokens > room->capacity || plan.tile_count < batch->tile_count)
        return false;
    *ret = plan;
    return true;
}

static struct status record(const struct cuda_forward *forward, cudaGraph_t *ret) {
    CUDA_TRY(cudaStreamBeginCapture(forward->stream, cudaStreamCaptureModeThreadLocal));
    struct status status = cuda_forward_run(forward);
    cudaError_t error = cudaStreamEndCapture(forward->stream, ret);
    return status_is_ok(&status) && error ? cuda_status(error, "cudaStreamEndCapture") : status;
}

static struct status make_graph(const struct cuda_forward *forward, cudaGraphExec_t *ret) {
    cudaGraph_t graph = NULL;
    cudaGraphExec_t made = NULL;
    struct status status = record(forward, &graph);
    if (status_is_ok(&status))
        status = cuda_status(cudaGraphInstantiate(&made, graph, 0), "cudaGraphInstantiate");
    if (status_is_ok(&status)) {
        *ret = made;
        status = cuda_status(cudaGraphUpload(made, forward->stream), "cudaGraphUpload");
    }
    if (graph)
        cudaGraphDestroy(graph);
    return status;
}

/* The graph of what a forward pass computes; NULL: it cannot be had, and takes longer without, no more. */
static cudaGraphExec_t graph_of(struct cuda_graphs *graphs, const struct cuda_forward *forward) {
    const int kind = (forward->with_spans ? 1 : 0) + (forward->with_hidden ? 2 : 0);
    struct cuda_small_graph *small = &graphs->graphs[cuda_bucket_of(forward->plan.tokens)][kind];
    if (!small->graph && !small->cannot_be) {
        struct status status = make_graph(forward, &small->graph);
        small->cannot_be = !status_is_ok(&status);
        if (small->cannot_be)
            (void)cudaGetLastError();
    }
    return small->cannot_be ? NULL : small->graph;
}

void cuda_graphs_make(struct cuda_graphs *graphs, const struct cuda_forward *forward) {
    struct cuda_forward one = *forward;
    for (unsigned bucket = 0; bucket < CUDA_SMALL_BUCKETS; bucket++) {
        one.plan = bucket_plan(bucket);
        if (one.plan.tokens <= forward->room->capacity)
            (void)graph_of(graphs, &one);
    }
}

struct status cuda_graphs_run(struct cuda_graphs *graphs, const struct cuda_forward *forward) {
    cudaGraphExec_t graph = graph_of(graphs, forward);
    if (!graph)
        return cuda_forward_run(forward);
    CUDA_TRY(cudaGraphLaunch(graph, forward->stream));
    return status_ok();
}

void cuda_graphs_free(struct cuda_graphs *graphs) {
    for (int bucket = 0; bucket < CUDA_SMALL_BUCKETS; bucket++)
        for (int kind = 0; kind < 4; kind++)
            if (graphs->graphs[bucket][kind].graph)
                cudaGraphExecDestroy(graphs->graphs[bucket][kind].graph);
    *graphs = (struct cuda_graphs){0};
}
