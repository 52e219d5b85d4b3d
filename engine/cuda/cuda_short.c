#include "engine/cuda/cuda_short.h"

#include <math.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "engine/cuda/cuda_status.h"

/* What is found for the most tokens of a level goes for all of it. */
enum { LEVELS = 4, RUNS = 7 };
static const unsigned level_tokens[LEVELS] = {32, 64, 128, CUDA_SHORT_TOKENS};

/* Relative errors that only what is wrong exceeds: the rounding of either way stays far below. */
static const double TOLERANCE_BF16 = 0.1, TOLERANCE_FP16 = 0.02;

struct cuda_short {
    enum bert_short_batches wanted;
    unsigned blocks;      /* 0: one kernel cannot be used */
    pthread_mutex_t lock; /* of what follows while it is measured; it does not change once a level is known */
    bool is_known[LEVELS], is_persistent[LEVELS];
};

static int level_of(unsigned tokens) {
    int level = 0;
    while (level < LEVELS && tokens > level_tokens[level])
        level++;
    return level;
}

unsigned cuda_short_blocks(const struct cuda_short *shorts, unsigned tokens) {
    const int level = level_of(tokens);
    if (level == LEVELS || !shorts->blocks)
        return 0;
    return shorts->wanted == BERT_SHORT_PERSISTENT || shorts->is_persistent[level] ? shorts->blocks : 0;
}

struct status cuda_short_create(const struct cuda_weights *weights, enum bert_short_batches wanted,
                                struct cuda_short **ret) {
    unsigned blocks = 0;
    if (wanted != BERT_SHORT_GRAPHS)
        STATUS_TRY(cuda_forward_persistent_blocks(weights, &blocks));
    if (wanted == BERT_SHORT_PERSISTENT && !blocks)
        return status_error(STATUS_UNSUPPORTED,
                            "short batches of this model, precision and GPU are not for one kernel");
    struct cuda_short *shorts = calloc(1, sizeof *shorts);
    if (!shorts)
        return status_error(STATUS_RESOURCE_EXHAUSTED, "no memory for an engine");
    shorts->wanted = wanted;
    shorts->blocks = blocks;
    pthread_mutex_init(&shorts->lock, NULL);
    *ret = shorts;
    return status_ok();
}

void cuda_short_destroy(struct cuda_short *shorts) {
    if (!shorts)
        return;
    pthread_mutex_destroy(&shorts->lock);
    free(shorts);
}

/* ---- one way beside the other ---- */

struct trial {
    struct cuda_graphs *graphs;
    struct cuda_forward forward; /* its plan is that of the way that runs */
    unsigned blocks, tokens;
    cudaEvent_t begin, end;
    size_t count;      /* numbers of a result */
    float *results[2]; /* [count], of graphs and of one kernel */
    float least[2];    /* milliseconds */
};

/* Sequences as long as the model takes them, of any tokens. */
static struct bert_batch made_batch(const struct trial *trial, int32_t *ids, int32_t *positions, uint32_t *offsets) {
    const struct bert_config *config = &trial->forward.weights->config;
    const uint32_t longest = (uint32_t)config->position_count;
    size_t count = 0;
    for (uint32_t i = 0; i < trial->tokens; i++) {
        ids[i] = (int32_t)(i * 7919 % (uint64_t)config->vocab_size);
        positions[i] = (int32_t)(i % longest);
        if (i % longest == 0)
            offsets[count++] = i;
    }
    offsets[count] = trial->tokens;
    return (struct bert_batch){
        .sequence_count = count, .offsets = offsets, .token_ids = ids, .position_ids = positions};
}

/* Lays the batch out for a way. False: graphs have no place for it. */
static bool stage(struct trial *trial, bool is_persistent) {
    int32_t ids[CUDA_SHORT_TOKENS], positions[CUDA_SHORT_TOKENS];
    uint32_t offsets[CUDA_SHORT_TOKENS + 1];
    const struct bert_batch batch = made_batch(trial, ids, positions, offsets);
    const struct cuda_plan plan = {trial->tokens, cuda_room_tile_count(&batch), (unsigned)batch.sequence_count};
    trial->forward.plan = plan;
    if (!is_persistent && !cuda_graphs_plan(trial->forward.room, &plan, &trial->forward.plan))
        return false;
    const struct cuda_staged staged = cuda_room_staged(trial->forward.room->host_staged, &trial->forward.plan);
    cuda_room_stage(&batch, &trial->forward.plan, &staged);
    return true;
}

static struct status run(struct trial *trial, bool is_persistent) {
    const struct cuda_forward *forward = &trial->forward;
    float milliseconds;
    CUDA_TRY(cudaEventRecord(trial->begin, forward->stream));
    STATUS_TRY(is_persistent ? cuda_forward_run_persistent(forward, trial->blocks)
                             : cuda_graphs_run(trial->graphs, forward));
    CUDA_TRY(cudaEventRecord(trial->end, forward->stream));
    CUDA_TRY(cudaEventSynchronize(trial->end));
    CUDA_TRY(cudaEventElapsedTime(&milliseconds, trial->begin, trial->end));
    trial->least[is_persistent] = fminf(trial->least[is_persistent], milliseconds);
    return status_ok();
}

static struct status take(struct trial *trial, bool is_persistent) {
    const struct cuda_forward *forward = &trial->forward;
    float *to = trial->results[is_persistent];
    if (is_persistent && !*forward->room->host_is_done)
        return status_error(STATUS_UNAVAILABLE, "the blocks waited for each other in vain");
    if (forward->with_spans) {
        memcpy(to, forward->room->host_spans, trial->tokens * sizeof *to);
        memcpy(to + trial->tokens, forward->room->host_spans + forward->plan.tokens, trial->tokens * sizeof *to);
        return status_ok();
    }
    CUDA_TRY(
        cudaMemcpyAsync(to, forward->room->hidden, trial->count * sizeof *to, cudaMemcpyDeviceToHost, forward->stream));
    CUDA_TRY(cudaStreamSynchronize(forward->stream));
    return status_ok();
}

static bool is_alike(const struct trial *trial) {
    const double tolerance = trial->forward.weights->number == CUDA_BF16 ? TOLERANCE_BF16 : TOLERANCE_FP16;
    double error = 0, size = 0;
    for (size_t i = 0; i < trial->count; i++) {
        const double wanted = (double)trial->results[0][i], off = (double)trial->results[1][i] - wanted;
        error += off * off;
        size += wanted * wanted;
    }
    return sqrt(error / size) <= tolerance;
}

static struct status try_both(struct trial *trial, bool *ret_is_persistent) {
    for (int turn = 0; turn < RUNS; turn++)
        for (int way = 0; way < 2; way++) {
            if (!stage(trial, way))
                return status_ok();
            STATUS_TRY(run(trial, way));
            if (turn == 0)
                STATUS_TRY(take(trial, way));
        }
    *ret_is_persistent = is_alike(trial) && trial->least[1] < trial->least[0];
    return status_ok();
}

static struct status make_events(struct trial *trial) {
    CUDA_TRY(cudaEventCreate(&trial->begin));
    CUDA_TRY(cudaEventCreate(&trial->end));
    return status_ok();
}

/* Whether one kernel is the better way. */
static bool find_out(const struct cuda_short *shorts, struct cuda_graphs *graphs, const struct cuda_forward *forward,
                     unsigned tokens) {
    const size_t hidden = (size_t)forward->weights->config.hidden_size;
    struct trial trial = {.graphs = graphs,
                          .forward = *forward,
                          .blocks = shorts->blocks,
                          .tokens = tokens,
                          .count = tokens * (forward->with_spans ? 2 : hidden),
                          .least = {INFINITY, INFINITY}};
    bool is_persistent = false;
    for (int way = 0; way < 2; way++)
        trial.results[way] = calloc(trial.count, sizeof(float));
    struct status status = trial.results[0] && trial.results[1] ? make_events(&trial) : status_ok();
    if (trial.end && status_is_ok(&status))
        status = try_both(&trial, &is_persistent);
    if (!status_is_ok(&status))
        (void)cudaGetLastError(); /* graphs are there for it */
    for (int way = 0; way < 2; way++)
        free(trial.results[way]);
    if (trial.begin)
        cudaEventDestroy(trial.begin);
    if (trial.end)
        cudaEventDestroy(trial.end);
    return is_persistent && status_is_ok(&status);
}

void cuda_short_measure(struct cuda_short *shorts, struct cuda_graphs *graphs, const struct cuda_forward *forward) {
    const unsigned capacity = forward->room->capacity;
    if (!shorts->blocks || shorts->wanted != BERT_SHORT_AUTO)
        return;
    pthread_mutex_lock(&shorts->lock);
    for (int level = 0; level < LEVELS && (level == 0 || capacity > level_tokens[level - 1]); level++) {
        const unsigned tokens = level_tokens[level] < capacity ? level_tokens[level] : capacity;
        if (!shorts->is_known[level])
            shorts->is_persistent[level] = find_out(shorts, graphs, forward, tokens);
        shorts->is_known[level] = true;
    }
    pthread_mutex_unlock(&shorts->lock);
}
