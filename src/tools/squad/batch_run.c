/* batch_run.c: the sending and receiving of `inferd squad`. See batch_run.h. */
#include "tools/squad/batch_run.h"

#include <string.h>

#include "base/clock.h"

#define POLL_NS (50 * NS_PER_MS) /* so that the bars move while the server thinks */

enum { INPUTS_MAX = 4, OUTPUT_COUNT = 2 };

struct runner;

/* What a callback is given: which request it is about. */
struct ticket {
    struct runner *runner;
    uint32_t batch;
};

struct runner {
    struct infer_client *client;
    const struct batch_run_config *config;
    const struct squad_windows *windows;
    const struct batch_plan *plan;
    struct batch_run *run;
    struct ticket *tickets; /* one per request */
    float *values;          /* room for all logits: start and end of a window one behind the other */
    size_t *value_offsets;  /* of each window in `values` */
    int32_t *tensors;       /* scratch for the inputs of one request */
    size_t next;            /* request to be sent */
    uint64_t sent_windows;
    uint64_t last_ns; /* when the last answer was complete */
};

/* ---- answers ---- */

static void note_failure(struct runner *runner, uint32_t batch, struct status status) {
    struct batch_run *run = runner->run;
    run->failed++;
    if (status_is_ok(&run->first_error))
        run->first_error = status_prefix(status, "request %u of %zu", (unsigned)batch + 1, runner->plan->batch_count);
}

static struct status find_logits(const struct infer_result *result, const char *name, const struct planned_batch *batch,
                                 const char **ret) {
    for (size_t i = 0; i < result->output_count; i++) {
        const struct infer_tensor *output = &result->outputs[i];
        if (!slice_equal_text(output->name, name))
            continue;
        bool fits = slice_equal_text(output->datatype, "FP32") && output->rank == 2 &&
                    output->shape[0] == batch->count && output->shape[1] == batch->sequence;
        if (!fits)
            return status_error(
                STATUS_DATA_LOSS, "output '%s' of the answer: expected FP32 [%u,%u], got %.*s of %zu dims", name,
                (unsigned)batch->count, (unsigned)batch->sequence, SLICE_ARGS(output->datatype), output->rank);
        *ret = output->data.data;
        return status_ok();
    }
    return status_error(STATUS_DATA_LOSS, "the answer has no output '%s'", name);
}

/* Copies the logits of real tokens; those of padding are dropped. */
static struct status take_logits(struct runner *runner, const struct planned_batch *batch,
                                 const struct infer_result *result) {
    const char *start = NULL, *end = NULL;
    STATUS_TRY(find_logits(result, "start_logits", batch, &start));
    STATUS_TRY(find_logits(result, "end_logits", batch, &end));
    for (size_t row = 0; row < batch->count; row++) {
        uint32_t window = runner->plan->order[batch->first + row];
        size_t size = squad_window_size(&runner->windows->windows[window]);
        float *to = runner->values + runner->value_offsets[window];
        size_t from = row * batch->sequence * sizeof(float);
        memcpy(to, start + from, size * sizeof(float));
        memcpy(to + size, end + from, size * sizeof(float));
        runner->run->logits[window] = (struct squad_logits){to, to + size};
    }
    return status_ok();
}

static void keep_version(struct batch_run *run, struct slice version) {
    size_t n = version.size < sizeof run->model_version - 1 ? version.size : sizeof run->model_version - 1;
    if (run->model_version[0] == '\0' && n > 0)
        memcpy(run->model_version, version.data, n);
}

static void on_answer(void *user, const struct infer_result *result) {
    struct ticket *ticket = user;
    struct runner *runner = ticket->runner;
    const struct planned_batch *batch = &runner->plan->batches[ticket->batch];
    struct status status = result->status;
    if (status_is_ok(&status))
        status = take_logits(runner, batch, result);
    if (!status_is_ok(&status)) {
        note_failure(runner, ticket->batch, status);
        return;
    }
    struct batch_run *run = runner->run;
    keep_version(run, result->model_version);
    run->latencies[run->answered++] = result->timing.end_ns - result->timing.start_ns;
    run->answered_windows += batch->count;
    runner->last_ns = result->timing.end_ns;
}

/* ---- requests ---- */

static struct infer_tensor tensor(const char *name, const int64_t *shape, const int32_t *data, size_t count) {
    return (struct infer_tensor){
        slice_of(name), SLICE_LITERAL("INT32"), shape, 2, {(const char *)data, count * sizeof *data}};
}

/* Rows of ids, mask and segments, padded with [PAD], 0 and 0. */
static void fill_tensors(struct runner *runner, const struct planned_batch *batch, int32_t *ids, int32_t *mask,
                         int32_t *segments) {
    size_t sequence = batch->sequence;
    for (size_t row = 0; row < batch->count; row++) {
        const struct squad_window *window = &runner->windows->windows[runner->plan->order[batch->first + row]];
        size_t size = squad_window_size(window), at = row * sequence;
        squad_window_fill(runner->windows, window, ids + at, segments + at);
        for (size_t i = 0; i < sequence; i++)
            mask[at + i] = i < size ? 1 : 0;
        for (size_t i = size; i < sequence; i++) {
            ids[at + i] = runner->windows->special.pad;
            segments[at + i] = 0;
        }
    }
}

static struct status send_next(struct runner *runner) {
    const struct planned_batch *batch = &runner->plan->batches[runner->next];
    const struct slice outputs[OUTPUT_COUNT] = {SLICE_LITERAL("start_logits"), SLICE_LITERAL("end_logits")};
    const int64_t shape[] = {batch->count, batch->sequence}, unique_shape[] = {batch->count, 1};
    size_t count = (size_t)batch->count * batch->sequence;
    int32_t *ids = runner->tensors, *mask = ids + count, *segments = mask + count, *unique = segments + count;
    fill_tensors(runner, batch, ids, mask, segments);
    for (size_t row = 0; row < batch->count; row++)
        unique[row] = (int32_t)runner->plan->order[batch->first + row];
    const struct infer_tensor inputs[INPUTS_MAX] = {
        tensor("segment_ids", shape, segments, count),
        tensor("input_ids", shape, ids, count),
        tensor("input_mask", shape, mask, count),
        tensor("unique_ids", unique_shape, unique, batch->count),
    };
    struct infer_request_spec request = {.model = runner->config->model,
                                         .version = runner->config->model_version,
                                         .inputs = inputs,
                                         .input_count = runner->config->takes_unique_ids ? INPUTS_MAX : INPUTS_MAX - 1,
                                         .outputs = outputs,
                                         .output_count = OUTPUT_COUNT};
    struct ticket *ticket = &runner->tickets[runner->next];
    *ticket = (struct ticket){runner, (uint32_t)runner->next};
    STATUS_TRY(infer_client_infer(runner->client, &request, on_answer, ticket));
    runner->next++;
    runner->sent_windows += batch->count;
    return status_ok();
}

/* Fills the flight up; after a failure nothing more is sent. */
static void send_some(struct runner *runner) {
    while (status_is_ok(&runner->run->first_error) && runner->next < runner->plan->batch_count &&
           infer_client_in_flight(runner->client) < runner->config->concurrency) {
        struct status status = send_next(runner);
        if (!status_is_ok(&status))
            note_failure(runner, (uint32_t)runner->next, status);
    }
}

/* ---- the run ---- */

static struct status prepare(struct runner *runner, struct arena *arena) {
    const struct squad_windows *windows = runner->windows;
    const struct batch_plan *plan = runner->plan;
    size_t largest = 0, offset = 0;
    for (size_t i = 0; i < plan->batch_count; i++) {
        size_t size = (size_t)plan->batches[i].count * ((size_t)plan->batches[i].sequence * 3 + 1);
        largest = size > largest ? size : largest;
    }
    runner->tickets = arena_calloc(arena, plan->batch_count, sizeof *runner->tickets);
    runner->tensors = arena_calloc(arena, largest, sizeof *runner->tensors);
    runner->values = arena_calloc(arena, (size_t)windows->token_count, 2 * sizeof *runner->values);
    runner->value_offsets = arena_calloc(arena, windows->window_count, sizeof *runner->value_offsets);
    runner->run->logits = arena_calloc(arena, windows->window_count, sizeof *runner->run->logits);
    runner->run->latencies = arena_calloc(arena, plan->batch_count, sizeof *runner->run->latencies);
    if (runner->tickets == NULL || runner->tensors == NULL || runner->values == NULL || runner->value_offsets == NULL ||
        runner->run->logits == NULL || runner->run->latencies == NULL)
        return status_error(STATUS_RESOURCE_EXHAUSTED, "out of memory for %zu windows", windows->window_count);
    for (size_t i = 0; i < windows->window_count; i++) {
        runner->value_offsets[i] = offset;
        offset += 2 * (size_t)squad_window_size(&windows->windows[i]);
    }
    return status_ok();
}

struct status batch_run_execute(struct infer_client *client, const struct batch_run_config *config,
                                const struct squad_windows *windows, const struct batch_plan *plan, struct arena *arena,
                                FILE *out, struct batch_run *ret) {
    *ret = (struct batch_run){.first_error = status_ok()};
    struct runner runner = {.client = client, .config = config, .windows = windows, .plan = plan, .run = ret};
    struct progress progress;
    STATUS_TRY(prepare(&runner, arena));
    uint64_t start_ns = clock_monotonic_ns();
    runner.last_ns = start_ns;
    progress_begin(&progress, out, config->style, "windows", windows->window_count, start_ns);
    send_some(&runner);
    while (infer_client_in_flight(client) > 0) {
        infer_client_poll(client, POLL_NS);
        send_some(&runner);
        progress_update(&progress, runner.sent_windows, ret->answered_windows, clock_monotonic_ns());
    }
    progress_end(&progress, runner.sent_windows, ret->answered_windows, clock_monotonic_ns());
    ret->seconds = (double)(runner.last_ns - start_ns) / (double)NS_PER_S;
    return ret->first_error;
}

size_t batch_run_count_lost(const struct batch_run *run, const struct squad_windows *windows, uint32_t *ret_first) {
    size_t lost = 0;
    for (uint32_t q = 0; run->logits != NULL && q < windows->dataset->question_count; q++) {
        bool complete = true;
        for (uint32_t w = windows->first_window[q]; w < windows->first_window[q + 1]; w++)
            complete = complete && run->logits[w].start != NULL;
        if (!complete && lost++ == 0)
            *ret_first = q;
    }
    return lost;
}
