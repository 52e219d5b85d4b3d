#include "core/statistics.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

/* A growing table of rows that begin with a uint32_t batch size, ascending. */
struct size_table {
    char *rows;
    size_t count, capacity, row_size;
};

struct statistics {
    pthread_mutex_t lock;
    struct model_statistics totals; /* its table pointers are not used */
    struct size_table batches;      /* struct batch_stat */
    struct size_table requests;     /* struct request_batch_stat */
    struct response_stat *responses;
    size_t response_count;
};

static uint32_t row_size_of(const struct size_table *table, size_t index) {
    uint32_t size;
    memcpy(&size, table->rows + index * table->row_size, sizeof size);
    return size;
}

/* The row of a batch size, made when it is new. NULL when memory is short: then that row alone misses a booking, which
 * is better than to fail a request that has been computed. */
static void *find_row(struct size_table *table, uint32_t batch_size) {
    size_t low = 0, high = table->count;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (row_size_of(table, middle) < batch_size)
            low = middle + 1;
        else
            high = middle;
    }
    if (low < table->count && row_size_of(table, low) == batch_size)
        return table->rows + low * table->row_size;
    if (table->count == table->capacity) {
        size_t capacity = table->capacity ? table->capacity * 2 : 16;
        char *grown = reallocarray(table->rows, capacity, table->row_size);
        if (!grown)
            return NULL;
        table->rows = grown;
        table->capacity = capacity;
    }
    char *row = table->rows + low * table->row_size;
    memmove(row + table->row_size, row, (table->count++ - low) * table->row_size);
    memset(row, 0, table->row_size);
    memcpy(row, &batch_size, sizeof batch_size);
    return row;
}

struct statistics *statistics_create(void) {
    struct statistics *statistics = calloc(1, sizeof *statistics);
    if (!statistics)
        return NULL;
    if (pthread_mutex_init(&statistics->lock, NULL) != 0) {
        free(statistics);
        return NULL;
    }
    statistics->batches.row_size = sizeof(struct batch_stat);
    statistics->requests.row_size = sizeof(struct request_batch_stat);
    return statistics;
}

void statistics_destroy(struct statistics *statistics) {
    if (!statistics)
        return;
    free(statistics->batches.rows);
    free(statistics->requests.rows);
    free(statistics->responses);
    pthread_mutex_destroy(&statistics->lock);
    free(statistics);
}

static void add(struct duration_stat *stat, uint64_t ns) {
    stat->count++;
    stat->ns += ns;
}

static void book_batch(struct statistics *statistics, const struct batch_outcome *batch) {
    statistics->totals.execution_count++;
    statistics->totals.last_inference_ms = batch->ended_ms;
    struct batch_stat *row = find_row(&statistics->batches, batch->items);
    if (!row)
        return;
    add(&row->compute_input, batch->compute_input_ns);
    add(&row->compute_infer, batch->compute_infer_ns);
    add(&row->compute_output, batch->compute_output_ns);
}

static void book_success(struct model_statistics *totals, struct request_batch_stat *row,
                         const struct request_outcome *request) {
    totals->inference_count += request->items;
    add(&totals->success, request->total_ns);
    add(&totals->queue, request->queue_ns);
    add(&totals->compute_input, request->compute_input_ns);
    add(&totals->compute_infer, request->compute_infer_ns);
    add(&totals->compute_output, request->compute_output_ns);
    uint64_t compute_ns = request->compute_input_ns + request->compute_infer_ns + request->compute_output_ns;
    latency_histogram_add(&totals->request_latency, request->total_ns);
    latency_histogram_add(&totals->queue_latency, request->queue_ns);
    latency_histogram_add(&totals->compute_latency, compute_ns);
    if (!row)
        return;
    add(&row->success, request->total_ns);
    add(&row->queue, request->queue_ns);
    add(&row->compute, compute_ns);
}

static void book_failure(struct model_statistics *totals, struct request_batch_stat *row,
                         const struct request_outcome *request) {
    add(&totals->fail, request->total_ns);
    totals->failures[request->reason]++;
    if (row)
        add(&row->failed, request->total_ns);
}

void statistics_book(struct statistics *statistics, const struct batch_outcome *batch,
                     const struct request_outcome *requests, size_t request_count) {
    pthread_mutex_lock(&statistics->lock);
    if (batch)
        book_batch(statistics, batch);
    for (size_t i = 0; i < request_count; i++) {
        struct request_batch_stat *row = find_row(&statistics->requests, requests[i].items);
        if (requests[i].failed)
            book_failure(&statistics->totals, row, &requests[i]);
        else
            book_success(&statistics->totals, row, &requests[i]);
    }
    pthread_mutex_unlock(&statistics->lock);
}

/* NULL for an index beyond the bound, or when memory is short: as find_row. */
static struct response_stat *find_response(struct statistics *statistics, size_t index) {
    if (index >= RESPONSE_STATS_MAX)
        return NULL;
    if (index >= statistics->response_count) {
        struct response_stat *grown = reallocarray(statistics->responses, index + 1, sizeof *grown);
        if (!grown)
            return NULL;
        memset(grown + statistics->response_count, 0, (index + 1 - statistics->response_count) * sizeof *grown);
        statistics->responses = grown;
        statistics->response_count = index + 1;
    }
    return &statistics->responses[index];
}

/* Of which kinds a response has a compute time is Triton's rule. */
static void book_response(struct response_stat *row, const struct response_outcome *response) {
    uint64_t total_ns = response->compute_infer_ns + response->compute_output_ns;
    if (response->kind == RESPONSE_CANCEL) {
        add(&row->cancel, total_ns);
        return;
    }
    add(&row->compute_infer, response->compute_infer_ns);
    if (response->kind == RESPONSE_SUCCESS || response->compute_output_ns > 0)
        add(&row->compute_output, response->compute_output_ns);
    add(response->kind == RESPONSE_SUCCESS ? &row->success
        : response->kind == RESPONSE_FAIL  ? &row->fail
                                           : &row->empty_response,
        total_ns);
}

void statistics_book_response(struct statistics *statistics, const struct response_outcome *response) {
    pthread_mutex_lock(&statistics->lock);
    struct response_stat *row = find_response(statistics, response->index);
    if (row)
        book_response(row, response);
    pthread_mutex_unlock(&statistics->lock);
}

static bool copy_responses(const struct statistics *statistics, struct arena *arena, struct model_statistics *ret) {
    ret->response_count = statistics->response_count;
    ret->responses = arena_calloc(arena, ret->response_count, sizeof *ret->responses);
    if (ret->responses && ret->response_count)
        memcpy(ret->responses, statistics->responses, ret->response_count * sizeof *ret->responses);
    return ret->responses != NULL;
}

static bool copy_table(const struct size_table *table, struct arena *arena, void **ret_rows, size_t *ret_count) {
    *ret_count = table->count;
    *ret_rows = arena_calloc(arena, table->count, table->row_size);
    if (*ret_rows && table->count)
        memcpy(*ret_rows, table->rows, table->count * table->row_size);
    return *ret_rows != NULL;
}

struct status statistics_snapshot(struct statistics *statistics, struct arena *arena, struct model_statistics *ret) {
    void *batches = NULL, *requests = NULL;
    pthread_mutex_lock(&statistics->lock);
    struct model_statistics copy = statistics->totals;
    bool copied = copy_table(&statistics->batches, arena, &batches, &copy.batch_count) &&
                  copy_table(&statistics->requests, arena, &requests, &copy.request_batch_count) &&
                  copy_responses(statistics, arena, &copy);
    pthread_mutex_unlock(&statistics->lock);
    if (!copied)
        return status_error(STATUS_RESOURCE_EXHAUSTED, "no memory for a copy of the statistics");
    copy.batches = batches;
    copy.request_batches = requests;
    *ret = copy;
    return status_ok();
}
