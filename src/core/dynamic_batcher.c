#include "core/dynamic_batcher.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/worker_thread.h"
#include "core/core_limits.h"
#include "core/request_queue.h"
#include "core/request_state.h"

struct instance_seat {
    struct batcher_instance options;
    pthread_cond_t wake;
    bool running;                /* has a batch, and has not asked for the next one */
    struct infer_request *batch; /* handed over, not fetched yet */
};

struct request_list {
    struct infer_request *first, *last;
};

struct dynamic_batcher {
    struct batcher_options options;
    size_t window; /* how far the decision looks into the queue: at least a batch of single items, and bounded */
    struct batch_candidate *candidates; /* these three: `window` entries of scratch for the decision */
    struct infer_request **requests;
    unsigned char *marks;

    pthread_mutex_t lock; /* of all that follows */
    struct request_queue queue;
    struct instance_seat *seats;
    int *idle; /* stack of indices: the instance that worked last has the warmest caches */
    int idle_count;
    int *running;                /* [instance_count] instances that have a batch, by their place */
    uint64_t delay_end_ns;       /* when the last decision wants to be asked again */
    struct request_list dropped; /* for the keeper to answer */
    int turns;                   /* under way */
    pthread_cond_t turns_over;
    bool stopping;

    pthread_t keeper;
    pthread_cond_t keeper_wake;
    uint64_t keeper_until_ns; /* when the keeper gets up by itself; 0 while it is up or has been woken */
    bool keeper_started;
};

/* What has to be signalled once the lock is free, so that the woken do not run into it. */
struct wakes {
    struct instance_seat *seats[4];
    int count;
    bool keeper;
};

static void add_wake(struct wakes *wakes, struct instance_seat *seat) {
    if (wakes->count < (int)(sizeof wakes->seats / sizeof wakes->seats[0]))
        wakes->seats[wakes->count++] = seat;
    else
        pthread_cond_signal(&seat->wake);
}

static void send_wakes(struct dynamic_batcher *batcher, struct wakes *wakes) {
    for (int i = 0; i < wakes->count; i++)
        pthread_cond_signal(&wakes->seats[i]->wake);
    if (wakes->keeper)
        pthread_cond_signal(&batcher->keeper_wake);
    *wakes = (struct wakes){.count = 0};
}

static void list_append(struct request_list *list, struct infer_request *request) {
    request->next = NULL;
    if (list->last)
        list->last->next = request;
    else
        list->first = request;
    list->last = request;
}

/* The request has just left the queue. */
static void drop(struct dynamic_batcher *batcher, struct infer_request *request, enum status_code why) {
    request->state->dropped = why;
    atomic_store(&request->state->stage, STAGE_BATCHED);
    list_append(&batcher->dropped, request);
}

/* Moves the marked requests out of the queue: the dropped ones to the keeper, the others into a batch. */
static struct request_list collect(struct dynamic_batcher *batcher, size_t count, uint64_t now_ns) {
    struct request_list batch = {NULL, NULL};
    for (size_t i = 0; i < count; i++) {
        struct infer_request *request = batcher->requests[i];
        if (batcher->marks[i] == BATCH_WAIT)
            continue;
        request_queue_remove(&batcher->queue, request);
        if (batcher->marks[i] == BATCH_DROP) {
            drop(batcher, request, batcher->candidates[i].cancelled ? STATUS_CANCELLED : STATUS_DEADLINE_EXCEEDED);
            continue;
        }
        request->times.batched = now_ns;
        atomic_store(&request->state->stage, STAGE_BATCHED);
        list_append(&batch, request);
    }
    return batch;
}

/* When the keeper is needed next. */
static uint64_t next_event(const struct dynamic_batcher *batcher) {
    uint64_t expiry = request_queue_next_expiry(&batcher->queue);
    return expiry < batcher->delay_end_ns ? expiry : batcher->delay_end_ns;
}

static void wake_keeper(struct dynamic_batcher *batcher, struct wakes *wakes) {
    wakes->keeper |= batcher->keeper_until_ns != 0;
    batcher->keeper_until_ns = 0; /* as good as up */
}

/* Where the stack of idle instances has the one that is next to work: in the place where the fewest do. */
static int choose_idle(const struct dynamic_batcher *batcher) {
    int best = batcher->idle_count - 1;
    for (int i = best - 1; i >= 0; i--)
        if (batcher->running[batcher->seats[batcher->idle[i]].options.place] <
            batcher->running[batcher->seats[batcher->idle[best]].options.place])
            best = i;
    return best;
}

static void begin_running(struct dynamic_batcher *batcher, int idle, struct infer_request *batch) {
    struct instance_seat *seat = &batcher->seats[batcher->idle[idle]];
    batcher->idle_count--;
    memmove(batcher->idle + idle, batcher->idle + idle + 1,
            (size_t)(batcher->idle_count - idle) * sizeof *batcher->idle);
    batcher->running[seat->options.place]++;
    seat->running = true;
    seat->batch = batch;
}

/* The instance has done what it had. */
static void become_idle(struct dynamic_batcher *batcher, int index) {
    struct instance_seat *seat = &batcher->seats[index];
    if (seat->running)
        batcher->running[seat->options.place]--;
    seat->running = false;
    batcher->idle[batcher->idle_count++] = index;
}

/* What to do for that instance now; fills candidates, requests and marks. */
static struct batch_decision decide(struct dynamic_batcher *batcher, const struct instance_seat *seat, uint64_t now_ns,
                                    size_t *ret_viewed) {
    struct batch_policy policy = batcher->options.policy;
    policy.token_budget = seat->options.token_budget;
    policy.gather_ns = seat->options.gather_ns;
    policy.gather_tokens = seat->options.gather_tokens;
    struct batch_view view = {.candidates = batcher->candidates, .instance_idle = true};
    view.count = request_queue_view(&batcher->queue, batcher->candidates, batcher->requests, batcher->window);
    view.truncated = view.count < batcher->queue.count;
    view.computing = batcher->running[seat->options.place] > 0;
    *ret_viewed = view.count;
    return batch_decide(&policy, &view, now_ns, batcher->marks);
}

/* Gives batches to idle instances as long as the decision finds any. `own` (or NULL) is the caller's seat: not woken.
 */
static void dispatch(struct dynamic_batcher *batcher, uint64_t now_ns, struct instance_seat *own, struct wakes *wakes) {
    batcher->delay_end_ns = BATCH_NEVER;
    while (batcher->idle_count > 0 && batcher->queue.count > 0 && !batcher->stopping) {
        size_t viewed;
        int idle = choose_idle(batcher);
        struct instance_seat *seat = &batcher->seats[batcher->idle[idle]];
        struct batch_decision decision = decide(batcher, seat, now_ns, &viewed);
        struct request_list batch = collect(batcher, viewed, now_ns);
        if (!batch.first && decision.drop_count == 0) {
            batcher->delay_end_ns = decision.wake_ns;
            break;
        }
        if (!batch.first)
            continue;
        begin_running(batcher, idle, batch.first);
        if (seat != own)
            add_wake(wakes, seat);
    }
    if (batcher->dropped.first || next_event(batcher) < batcher->keeper_until_ns)
        wake_keeper(batcher, wakes);
}

/* The same for a caller that offers a turn (or NULL): what falls to the idle instance that is next is for it to run. */
static void dispatch_turn(struct dynamic_batcher *batcher, uint64_t now_ns, struct batcher_turn *ret_turn,
                          struct wakes *wakes) {
    struct instance_seat *own = NULL;
    if (ret_turn && batcher->idle_count > 0)
        own = &batcher->seats[batcher->idle[choose_idle(batcher)]];
    dispatch(batcher, now_ns, own, wakes);
    if (!own || !own->batch)
        return;
    *ret_turn = (struct batcher_turn){.instance = (int)(own - batcher->seats), .batch = own->batch};
    own->batch = NULL;
    batcher->turns++;
}

/* Makes the requests fall out of the queue that must: expired ones, and all when stopping. */
static void drop_overdue(struct dynamic_batcher *batcher, uint64_t now_ns) {
    struct infer_request *request;
    while ((request = request_queue_pop_expired(&batcher->queue, now_ns)) != NULL)
        drop(batcher, request, STATUS_DEADLINE_EXCEEDED);
    while (batcher->stopping && (request = batcher->queue.first) != NULL) {
        request_queue_remove(&batcher->queue, request);
        drop(batcher, request, STATUS_UNAVAILABLE);
    }
}

static void answer_dropped(struct dynamic_batcher *batcher, struct infer_request *request) {
    while (request) {
        struct infer_request *next = request->next;
        request->next = NULL;
        batcher->options.on_dropped(batcher->options.user, request);
        request = next;
    }
}

static void *keeper_run(void *argument) {
    struct dynamic_batcher *batcher = argument;
    pthread_mutex_lock(&batcher->lock);
    for (;;) {
        struct wakes wakes = {.count = 0};
        batcher->keeper_until_ns = 0; /* up: nobody needs to wake it */
        uint64_t now_ns = clock_monotonic_ns();
        drop_overdue(batcher, now_ns);
        dispatch(batcher, now_ns, NULL, &wakes);
        struct infer_request *dropped = batcher->dropped.first;
        batcher->dropped = (struct request_list){NULL, NULL};
        if (dropped || wakes.count) {
            pthread_mutex_unlock(&batcher->lock);
            send_wakes(batcher, &wakes);
            answer_dropped(batcher, dropped);
            pthread_mutex_lock(&batcher->lock);
            continue;
        }
        if (batcher->stopping)
            break;
        batcher->keeper_until_ns = next_event(batcher);
        monotonic_cond_wait(&batcher->keeper_wake, &batcher->lock, batcher->keeper_until_ns);
    }
    pthread_mutex_unlock(&batcher->lock);
    return NULL;
}

static struct batcher_instance options_of(const struct batcher_options *options, size_t instance) {
    const struct batch_policy *policy = &options->policy;
    if (options->instances)
        return options->instances[instance];
    return (struct batcher_instance){0, policy->token_budget, policy->gather_ns, policy->gather_tokens};
}

static struct status allocate(struct dynamic_batcher *batcher) {
    size_t window = batcher->options.policy.enabled ? batcher->options.policy.max_items : 1;
    if (batcher->options.policy.enabled && window < CORE_BATCH_WINDOW_MIN)
        window = CORE_BATCH_WINDOW_MIN;
    batcher->window = window > CORE_BATCH_WINDOW_MAX ? CORE_BATCH_WINDOW_MAX : window;
    size_t instances = (size_t)batcher->options.instance_count;
    batcher->candidates = calloc(batcher->window, sizeof *batcher->candidates);
    batcher->requests = calloc(batcher->window, sizeof(struct infer_request *));
    batcher->marks = calloc(batcher->window, sizeof *batcher->marks);
    batcher->seats = calloc(instances, sizeof *batcher->seats);
    batcher->idle = calloc(instances, sizeof *batcher->idle);
    batcher->running = calloc(instances, sizeof *batcher->running);
    if (!batcher->candidates || !batcher->requests || !batcher->marks || !batcher->seats || !batcher->idle ||
        !batcher->running)
        return status_error(STATUS_RESOURCE_EXHAUSTED, "no memory for a batcher of %zu instances", instances);
    for (size_t i = 0; i < instances; i++) {
        batcher->seats[i].options = options_of(&batcher->options, i);
        pthread_cond_init(&batcher->seats[i].wake, NULL);
    }
    return status_ok();
}

struct status dynamic_batcher_create(const struct batcher_options *options, struct dynamic_batcher **ret) {
    struct dynamic_batcher *batcher = calloc(1, sizeof *batcher);
    if (!batcher)
        return status_error(STATUS_RESOURCE_EXHAUSTED, "no memory for a batcher");
    batcher->options = *options;
    batcher->delay_end_ns = BATCH_NEVER;
    /* glibc's initialisers of mutexes and condition variables allocate nothing and cannot fail with these attributes.
     */
    pthread_mutex_init(&batcher->lock, NULL);
    pthread_cond_init(&batcher->turns_over, NULL);
    monotonic_cond_init(&batcher->keeper_wake);
    struct status status = allocate(batcher);
    if (status_is_ok(&status))
        status = worker_thread_start(&batcher->keeper, keeper_run, batcher, options->name);
    batcher->keeper_started = status_is_ok(&status);
    if (!batcher->keeper_started) {
        dynamic_batcher_destroy(batcher);
        return status;
    }
    *ret = batcher;
    return status_ok();
}

void dynamic_batcher_stop(struct dynamic_batcher *batcher) {
    pthread_mutex_lock(&batcher->lock);
    batcher->stopping = true;
    for (int i = 0; i < batcher->options.instance_count; i++)
        pthread_cond_signal(&batcher->seats[i].wake);
    pthread_cond_signal(&batcher->keeper_wake);
    while (batcher->turns > 0)
        pthread_cond_wait(&batcher->turns_over, &batcher->lock);
    bool join = batcher->keeper_started;
    batcher->keeper_started = false;
    pthread_mutex_unlock(&batcher->lock);
    if (join)
        pthread_join(batcher->keeper, NULL);
}

void dynamic_batcher_destroy(struct dynamic_batcher *batcher) {
    if (!batcher)
        return;
    if (batcher->keeper_started)
        dynamic_batcher_stop(batcher);
    for (int i = 0; batcher->seats && i < batcher->options.instance_count; i++)
        pthread_cond_destroy(&batcher->seats[i].wake);
    pthread_cond_destroy(&batcher->turns_over);
    pthread_cond_destroy(&batcher->keeper_wake);
    pthread_mutex_destroy(&batcher->lock);
    request_queue_destroy(&batcher->queue);
    free(batcher->candidates);
    free(batcher->requests);
    free(batcher->marks);
    free(batcher->seats);
    free(batcher->idle);
    free(batcher->running);
    free(batcher);
}

size_t dynamic_batcher_max_requests(const struct dynamic_batcher *batcher) {
    return batcher->window;
}

bool dynamic_batcher_has_room(struct dynamic_batcher *batcher) {
    return dynamic_batcher_pending(batcher) < batcher->options.max_queue_size;
}

static struct status enqueue(struct dynamic_batcher *batcher, struct infer_request *request) {
    if (batcher->stopping)
        return status_error(STATUS_UNAVAILABLE, "the model is being unloaded");
    if (batcher->queue.count >= batcher->options.max_queue_size)
        return status_error(STATUS_UNAVAILABLE, "Exceeds maximum queue size");
    return request_queue_push(&batcher->queue, request);
}

struct status dynamic_batcher_submit(struct dynamic_batcher *batcher, struct infer_request *request,
                                     void (*on_queued)(struct infer_request *request), struct batcher_turn *ret_turn) {
    struct wakes wakes = {.count = 0};
    pthread_mutex_lock(&batcher->lock);
    struct status status = enqueue(batcher, request);
    if (status_is_ok(&status)) {
        atomic_store(&request->state->stage, STAGE_QUEUED);
        if (on_queued)
            on_queued(request);
        dispatch_turn(batcher, request->times.queued, ret_turn, &wakes);
    }
    pthread_mutex_unlock(&batcher->lock);
    send_wakes(batcher, &wakes);
    return status_is_ok(&status) ? status_ok() : status;
}

void dynamic_batcher_next_turn(struct dynamic_batcher *batcher, struct batcher_turn *turn, bool more) {
    struct wakes wakes = {.count = 0};
    pthread_mutex_lock(&batcher->lock);
    become_idle(batcher, turn->instance);
    batcher->turns--;
    turn->batch = NULL;
    if (batcher->queue.count > 0)
        dispatch_turn(batcher, clock_monotonic_ns(), more ? turn : NULL, &wakes);
    if (batcher->turns == 0 && batcher->stopping)
        pthread_cond_broadcast(&batcher->turns_over);
    pthread_mutex_unlock(&batcher->lock);
    send_wakes(batcher, &wakes);
}

bool dynamic_batcher_cancel(struct dynamic_batcher *batcher, struct infer_request *request, enum status_code why) {
    struct wakes wakes = {.count = 0};
    pthread_mutex_lock(&batcher->lock);
    bool queued = atomic_load(&request->state->stage) == STAGE_QUEUED;
    if (queued) {
        request_queue_remove(&batcher->queue, request);
        drop(batcher, request, why);
        wake_keeper(batcher, &wakes);
    }
    pthread_mutex_unlock(&batcher->lock);
    send_wakes(batcher, &wakes);
    return queued;
}

struct infer_request *dynamic_batcher_take(struct dynamic_batcher *batcher, int index) {
    struct instance_seat *seat = &batcher->seats[index];
    struct wakes wakes = {.count = 0};
    uint64_t now_ns = clock_monotonic_ns();
    pthread_mutex_lock(&batcher->lock);
    become_idle(batcher, index);
    dispatch(batcher, now_ns, seat, &wakes);
    if (wakes.count || wakes.keeper) {
        pthread_mutex_unlock(&batcher->lock);
        send_wakes(batcher, &wakes);
        pthread_mutex_lock(&batcher->lock);
    }
    while (!seat->batch && !batcher->stopping)
        pthread_cond_wait(&seat->wake, &batcher->lock);
    struct infer_request *batch = seat->batch;
    seat->batch = NULL;
    pthread_mutex_unlock(&batcher->lock);
    return batch;
}

size_t dynamic_batcher_pending(struct dynamic_batcher *batcher) {
    pthread_mutex_lock(&batcher->lock);
    size_t count = batcher->queue.count;
    pthread_mutex_unlock(&batcher->lock);
    return count;
}
