#include "engine/cuda/cuda_short.h"

#include <math.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "engine/cuda/cuda_status.h"

/* What is found for the most tokens of a level goes for all of it. */
enum { LEVELS = 4, RUNS = 9, RAGGED_LESS = 15 };
static const unsigned level_tokens[LEVELS] = {32, 64, 128, CUDA_SHORT_TOKENS};

/* The relative error of a token's numbers that only what is wrong exceeds: the rounding of either way stays far below.
 */
static const double TOLERANCE_BF16 = 0.2, TOLERANCE_FP16 = 0.04;

struct cuda_short {
    enum bert_short_batches wanted;
    unsigned blocks; /* 0: one kernel cannot be used */
    atomic_bool has_given_up;
    pthread_mutex_t lock; /* of what follows while it is measured; it does not change once a level is known */
    bool is_known[LEVELS], is_persistent[LEVELS];
};

static int level_of(unsigned tokens) {
    int level = 0;
    while (level < LEVELS && tokens > level_tokens[level])
        level++;
    return level;
}

size_t cuda_short_room(const struct cuda_short *shorts, size_t max_tokens) {
    const bool is_tried = shorts->blocks && shorts->wanted == BERT_SHORT_AUTO && max_tokens <= CUDA_SHORT_TOKENS;
    return is_tried ? level_tokens[level_of((unsigned)max_tokens)] : max_tokens;
}

unsigned cuda_short_blocks(const struct cuda_short *shorts, unsigned tokens) {
    const int level = level_of(tokens);
    if (level == LEVELS || !shorts->blocks)
        return 0;
    if (shorts->wanted == BERT_SHORT_PERSISTENT)
        return shorts->blocks;
    return shorts->is_persistent[level] && !atomic_load(&shorts->has_given_up) ? shorts->blocks : 0;
}

void cuda_short_give_up(struct cuda_short *shorts) {
    atomic_store(&shorts->has_given_up, true);
}

/* 0 too where AUTO meets an error: graphs are there for it. */
static struct status count_blocks(const struct cuda_weights *weights, enum bert_short_batches wanted, unsigned *ret) {
    *ret = 0;
    if (wanted == BERT_SHORT_GRAPHS)
        return status_ok();
    struct status status = cuda_forward_persistent_blocks(weights, ret);
    if (status_is_ok(&status) || wanted == BERT_SHORT_PERSISTENT)
        return status;
    (void)cudaGetLastError();
    *ret = 0;
    return status_ok();
}

struct status cuda_short_create(const struct cuda_weights *weights, enum bert_short_batches wanted,
                                struct cuda_short **ret) {
    unsigned blocks;
    STATUS_TRY(count_blocks(weights, wanted, &blocks));
    if (wanted == BERT_SHORT_PERSISTENT && !blocks)
        return status_error(STATUS_UNSUPPORTED,
                            "one kernel for short batches does not go with this model, precision and GPU");
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
    bool is_ragged;
    uint32_t longest; /* sequence of the batch */
    cudaEvent_t begin, end;
    size_t count;      /* numbers of a result */
    float *results[2]; /* [count], of graphs and of one kernel */
    float least[2];    /* milliseconds */
};

/* A batch of all the tokens of a level, or one that fills neither its tiles nor the model's positions. */
static void choose_batch(struct trial *trial, unsigned tokens, bool is_ragged) {
    const struct bert_config *config = &trial->forward.weights->config;
    const uint32_t longest = is_ragged ? 1 + tokens / 3 : tokens;
    trial->is_ragged = is_ragged;
    trial->tokens = is_ragged ? tokens - RAGGED_LESS : tokens;
    trial->longest = longest < (uint32_t)config->position_count ? longest : (uint32_t)config->position_count;
    trial->count = trial->tokens * (trial->forward.with_spans ? 2 : (size_t)config->hidden_size);
}

static struct bert_batch made_batch(const struct trial *trial, int32_t *ids, int32_t *positions, uint32_t *offsets) {
    const struct bert_config *config = &trial->forward.weights->config;
    const uint32_t longest = trial->longest;
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

/* What another batch left is no result of this one. */
static struct status poison(const struct trial *trial) {
    const struct cuda_room *room = trial->forward.room;
    STATUS_TRY(cuda_room_poison(room, trial->forward.weights, trial->tokens, trial->forward.stream));
    memset(room->host_spans, 0xff, 2 * (size_t)trial->forward.plan.tokens * sizeof(float));
    CUDA_TRY(cudaStreamSynchronize(trial->forward.stream)); /* a batch is alone when it comes */
    return status_ok();
}

static struct status run(struct trial *trial, bool is_persistent) {
    const struct cuda_forward *forward = &trial->forward;
    float milliseconds;
    STATUS_TRY(poison(trial));
    CUDA_TRY(cudaEventRecord(trial->begin, forward->stream));
    STATUS_TRY(is_persistent ? cuda_forward_run_persistent(forward, trial->blocks)
                             : cuda_graphs_run(trial->graphs, forward));
    CUDA_TRY(cudaEventRecord(trial->end, forward->stream));
    CUDA_TRY(cudaEventSynchronize(trial->end));
    CUDA_TRY(cudaEventElapsedTime(&milliseconds, trial->begin, trial->end));
    if (!trial->is_ragged)
        trial->least[is_persistent] = fminf(trial->least[is_persistent], milliseconds);
    return is_persistent ? cuda_forward_persistent_end(forward->room) : status_ok();
}

static struct status take(struct trial *trial, bool is_persistent) {
    const struct cuda_forward *forward = &trial->forward;
    float *to = trial->results[is_persistent];
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

/* Of a token's numbers; its spans lie apart. */
static size_t place_of(const struct trial *trial, size_t token, size_t i) {
    return trial->forward.with_spans ? i * trial->tokens + token : token * (trial->count / trial->tokens) + i;
}

/* Each token's numbers beside what is usual for one, since they may be small themselves. */
static bool is_alike(const struct trial *trial) {
    const double tolerance = trial->forward.weights->number == CUDA_BF16 ? TOLERANCE_BF16 : TOLERANCE_FP16;
    double usual = 0;
    for (size_t i = 0; i < trial->count; i++)
        usual += (double)trial->results[0][i] * (double)trial->results[0][i] / trial->tokens;
    for (size_t token = 0; token < trial->tokens; token++) {
        double error = 0;
        for (size_t i = 0; i < trial->count / trial->tokens; i++) {
            const size_t at = place_of(trial, token, i);
            const double off = (double)trial->results[1][at] - (double)trial->results[0][at];
            error += off * off;
        }
        if (!(sqrt(error / usual) <= tolerance)) /* or is no number */
            return false;
    }
    return true;
}

/* A batch of the most tokens that there may be is timed; in every other turn a ragged one is only compared. */
static struct status try_both(struct trial *trial, unsigned tokens, bool *ret_is_persistent) {
    bool is = true;
    for (int turn = 0; turn < RUNS && is; turn++) {
        choose_batch(trial, tokens, turn % 2);
        for (int way = 0; way < 2; way++) {
            if (!stage(trial, way))
                return status_ok();
            STATUS_TRY(run(trial, way));
            STATUS_TRY(take(trial, way));
        }
        is = is_alike(trial);
    }
    *ret_is_persistent = is && trial->least[1] < trial->least[0];
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
    struct trial trial = {
        .graphs = graphs, .forward = *forward, .blocks = shorts->blocks, .least = {INFINITY, INFINITY}};
    bool is_persistent = false;
    for (int way = 0; way < 2; way++)
        trial.results[way] = calloc(tokens * hidden, sizeof(float)); /* more than spans need */
    struct status status = trial.results[0] && trial.results[1] ? make_events(&trial) : status_ok();
    if (trial.end && status_is_ok(&status))
        status = try_both(&trial, tokens, &is_persistent);
    if (!status_is_ok(&status)) { /* graphs are there for it; what is on the stream still reads the room */
        (void)cudaStreamSynchronize(forward->stream);
        (void)cudaGetLastError();
    }
    for (int way = 0; way < 2; way++)
        free(trial.results[way]);
    if (trial.begin)
        cudaEventDestroy(trial.begin);
    if (trial.end)
        cudaEventDestroy(trial.end);
    return is_persistent && status_is_ok(&status);
}

static void find_out_levels(struct cuda_short *shorts, struct cuda_graphs *graphs, const struct cuda_forward *forward) {
    pthread_mutex_lock(&shorts->lock);
    for (int level = 0; level < LEVELS && level_tokens[level] <= forward->room->capacity; level++) {
        if (!shorts->is_known[level])
            shorts->is_persistent[level] = find_out(shorts, graphs, forward, level_tokens[level]);
        shorts->is_known[level] = true;
    }
    pthread_mutex_unlock(&shorts->lock);
}

static struct status try_one(const struct cuda_short *shorts, const struct cuda_forward *forward) {
    struct trial trial = {.forward = *forward, .blocks = shorts->blocks};
    choose_batch(&trial, level_tokens[0], false);
    (void)stage(&trial, true);
    STATUS_TRY(cuda_forward_run_persistent(&trial.forward, shorts->blocks));
    CUDA_TRY(cudaStreamSynchronize(forward->stream));
    return cuda_forward_persistent_end(forward->room);
}

struct status cuda_short_prepare(struct cuda_short *shorts, struct cuda_graphs *graphs,
                                 const struct cuda_forward *forward) {
    if (shorts->blocks && shorts->wanted == BERT_SHORT_PERSISTENT)
        return try_one(shorts, forward);
    if (shorts->blocks)
        find_out_levels(shorts, graphs, forward);
    return status_ok();
}
