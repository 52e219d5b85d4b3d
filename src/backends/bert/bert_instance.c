#include "backends/bert/bert_instance.h"

#include <stdio.h>
#include <stdlib.h>

#include "backends/bert/bert_model.h"
#include "backends/bert/request_sequences.h"
#include "base/clock.h"

/* A request of the batch that is computed. */
struct taken_request {
    struct infer_request *request;
    size_t first, end; /* its sequences in the list */
    void *work;        /* the task's own, in the arena */
    bool left_out;     /* nobody wanted it any more when its turn came */
};

struct bert_instance {
    const struct bert_model *model;
    struct bert_session *session;
    size_t session_tokens;
    struct token_list tokens;
    struct arena *arena; /* of one batch */
    /* The engine's view of some sequences in a row: those without a token are left out. */
    uint32_t *offsets;
    size_t offset_room;
    struct taken_request *taken; /* in the order of the list */
    size_t taken_count, taken_room;
};

/* What a user can do about it. */
static struct status no_room(size_t tokens, const struct instance_place *place, struct status status) {
    char where[32] = "memory";
    if (place->on_gpu)
        snprintf(where, sizeof where, "CUDA device %d", (int)place->gpu);
    return status_error(status.code,
                        "a session for batches of %zu tokens in %s: %s; parameter max_batch_tokens, and fewer "
                        "instances, take less",
                        tokens, where, status.message);
}

struct status bert_instance_create(void *pointer, int index, void **ret_instance) {
    const struct bert_model *model = pointer;
    const struct instance_place *place = &model->config->instances[index];
    const struct bert_engine *engine = bert_model_engine(model, place);
    struct bert_instance *instance = calloc(1, sizeof *instance);
    if (!instance || !(instance->arena = arena_create(0))) {
        free(instance);
        return status_error(STATUS_RESOURCE_EXHAUSTED, "no memory for instance %d", index);
    }
    size_t longest = (size_t)bert_engine_config(engine)->position_count;
    size_t budget = (size_t)bert_model_token_budget(model, place), room = budget > longest ? budget : longest;
    instance->model = model;
    instance->session_tokens = room;
    struct status status = bert_session_create(engine, instance->session_tokens, &instance->session);
    if (status_is_ok(&status))
        *ret_instance = instance;
    else
        bert_instance_destroy(instance);
    return status.code == STATUS_RESOURCE_EXHAUSTED ? no_room(room, place, status) : status;
}

void bert_instance_destroy(void *pointer) {
    struct bert_instance *instance = pointer;
    if (!instance)
        return;
    bert_session_destroy(instance->session);
    token_list_free(&instance->tokens);
    arena_destroy(instance->arena);
    free(instance->offsets);
    free(instance->taken);
    free(instance);
}

/* ---- from requests to tokens ---- */

/* The sequences first .. end - 1 that have tokens, as a batch whose first token is the list's token `*ret_token`. */
static struct bert_batch view(const struct bert_instance *instance, size_t first, size_t end, uint32_t *ret_token) {
    const struct token_list *list = &instance->tokens;
    uint32_t begin = list->offsets[first];
    size_t count = 0;
    instance->offsets[0] = 0;
    for (size_t i = first; i < end; i++)
        if (list->offsets[i + 1] > list->offsets[i])
            instance->offsets[++count] = list->offsets[i + 1] - begin;
    *ret_token = begin;
    return (struct bert_batch){count, instance->offsets, list->ids + begin, list->segments + begin,
                               list->positions + begin};
}

static struct status reserve_offsets(struct bert_instance *instance) {
    size_t needed = instance->tokens.sequence_count + 1;
    if (needed <= instance->offset_room)
        return status_ok();
    uint32_t *grown = realloc(instance->offsets, needed * 2 * sizeof *grown);
    if (!grown)
        return status_error(STATUS_RESOURCE_EXHAUSTED, "no memory for %zu sequences", needed);
    instance->offsets = grown;
    instance->offset_room = needed * 2;
    return status_ok();
}

/* Appends one request's tokens; a request that cannot be computed leaves the list as it was. */
static struct status take_request(struct bert_instance *instance, struct infer_request *request,
                                  struct taken_request *ret) {
    const struct bert_model *model = instance->model;
    struct token_list *list = &instance->tokens;
    size_t sequences = list->sequence_count, tokens = list->token_count;
    uint32_t begin;
    *ret = (struct taken_request){.request = request, .first = sequences};
    struct status status = model->task->append(model, request, instance->arena, list, &ret->work);
    if (status_is_ok(&status))
        status = reserve_offsets(instance);
    if (status_is_ok(&status)) {
        struct bert_batch batch = view(instance, sequences, list->sequence_count, &begin);
        status = bert_engine_check(model->engine, &batch);
    }
    if (!status_is_ok(&status)) {
        list->sequence_count = sequences;
        list->token_count = tokens;
    }
    ret->end = list->sequence_count;
    return status;
}

/* ---- computing ---- */

/* Sequences from `first` on as the next piece, none from `limit` on. What does not fit the session in one piece is cut
 * evenly: a last piece of few tokens would take a GPU little less time than a whole one. */
static size_t cut(const struct bert_instance *instance, size_t first, size_t limit) {
    const uint32_t *offsets = instance->tokens.offsets;
    const size_t room = instance->session_tokens, left = offsets[limit] - offsets[first];
    const size_t pieces = (left + room - 1) / room;
    size_t end = first + 1;
    while (end < limit && (offsets[end] - offsets[first]) * pieces < left && offsets[end + 1] - offsets[first] <= room)
        end++;
    return end;
}

static bool is_unwanted(const struct taken_request *taken) {
    return atomic_load(&taken->request->cancelled);
}

/* Where the sequences end that belong to requests from `taken` on which are still wanted. */
static size_t wanted_end(const struct bert_instance *instance, size_t taken) {
    while (taken < instance->taken_count && !is_unwanted(&instance->taken[taken]))
        taken++;
    return taken < instance->taken_count ? instance->taken[taken].first : instance->tokens.sequence_count;
}

/* Room for what the task answers with for each sequence. */
static struct status reserve_vectors(struct bert_instance *instance) {
    const struct bert_model *model = instance->model;
    struct token_list *list = &instance->tokens;
    for (int i = 0; i < TOKEN_VECTOR_COUNT; i++) {
        size_t size = request_sequences_vector_size(model->engine, (enum token_vector)i);
        list->vectors[i] = NULL;
        if (!model->wants[i] || list->sequence_count == 0)
            continue;
        list->vectors[i] = arena_calloc(instance->arena, list->sequence_count, size * sizeof(float));
        if (!list->vectors[i])
            return status_error(STATUS_RESOURCE_EXHAUSTED, "no memory for the answers of a batch");
    }
    return status_ok();
}

/* Where the results of the sequences from `first` on go, whose first token is `begin`. */
static struct bert_results results_of(const struct bert_instance *instance, size_t first, uint32_t begin) {
    const struct token_list *list = &instance->tokens;
    float *from[TOKEN_VECTOR_COUNT];
    for (int i = 0; i < TOKEN_VECTOR_COUNT; i++)
        from[i] = list->vectors[i] ? list->vectors[i] + first * request_sequences_vector_size(instance->model->engine,
                                                                                              (enum token_vector)i)
                                   : NULL;
    bool spans = instance->model->task->head == BERT_HEAD_SPAN;
    return (struct bert_results){
        .starts = spans ? list->starts + begin : NULL,
        .ends = spans ? list->ends + begin : NULL,
        .labels = from[TOKEN_VECTOR_LABELS],
        .mean = from[TOKEN_VECTOR_MEAN],
        .pooled = from[TOKEN_VECTOR_POOLED],
    };
}

/* Piece by piece. Before each one it is looked at who still waits: the rest of a request that nobody wants any more is
 * left out. */
static struct status compute(struct bert_instance *instance) {
    struct token_list *list = &instance->tokens;
    size_t owner = 0;
    STATUS_TRY(reserve_vectors(instance));
    for (size_t first = 0; first < list->sequence_count;) {
        while (instance->taken[owner].end <= first)
            owner++;
        struct taken_request *taken = &instance->taken[owner];
        if (is_unwanted(taken)) {
            taken->left_out = true;
            first = taken->end;
            continue;
        }
        uint32_t begin;
        size_t end = cut(instance, first, wanted_end(instance, owner));
        struct bert_batch batch = view(instance, first, end, &begin);
        const struct bert_results results = results_of(instance, first, begin);
        STATUS_TRY(bert_session_run(instance->session, &batch, &results));
        first = end;
    }
    return status_ok();
}

/* ---- one batch ---- */

static struct status reserve_taken(struct bert_instance *instance, size_t count) {
    instance->taken_count = 0;
    if (count <= instance->taken_room)
        return status_ok();
    struct taken_request *grown = realloc(instance->taken, count * sizeof *grown);
    if (!grown)
        return status_error(STATUS_RESOURCE_EXHAUSTED, "no memory for a batch of %zu requests", count);
    instance->taken = grown;
    instance->taken_room = count;
    return status_ok();
}

/* What cannot be taken is answered at once, and changes nothing for the others. */
static void take_batch(struct bert_instance *instance, const struct backend_batch *batch) {
    token_list_clear(&instance->tokens);
    arena_reset(instance->arena);
    for (size_t i = 0; i < batch->count; i++) {
        struct status status = take_request(instance, batch->requests[i], &instance->taken[instance->taken_count]);
        if (status_is_ok(&status))
            instance->taken_count++;
        else
            backend_respond_error(batch->requests[i], status);
    }
}

static void answer(struct bert_instance *instance, struct status status) {
    const struct bert_model *model = instance->model;
    for (size_t i = 0; i < instance->taken_count; i++) {
        const struct taken_request *taken = &instance->taken[i];
        if (!status_is_ok(&status))
            backend_respond_error(taken->request, status);
        else if (taken->left_out)
            backend_respond_error(taken->request, status_error(STATUS_CANCELLED, "nobody waits for the answer"));
        else
            backend_respond(taken->request,
                            model->task->answer(model, taken->request, instance->arena, &instance->tokens, taken->first,
                                                taken->work),
                            true);
    }
}

struct status bert_instance_execute(void *pointer, const struct backend_batch *batch, struct backend_times *ret_times) {
    struct bert_instance *instance = pointer;
    ret_times->compute_start = clock_monotonic_ns();
    STATUS_TRY(reserve_taken(instance, batch->count));
    take_batch(instance, batch);
    ret_times->input_end = clock_monotonic_ns();
    struct status status = compute(instance);
    ret_times->output_start = clock_monotonic_ns();
    answer(instance, status);
    ret_times->compute_end = clock_monotonic_ns();
    return status_ok();
}
