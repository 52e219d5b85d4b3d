#include "engine/model/session_room.h"

#include <stdlib.h>

#include "engine/model/block_memory.h"

enum { ALIGN = 4096 };

/* As the weights: the block is walked to add up, then to hand out. */
struct planner {
    char *block;
    size_t used;
};

static void *take(struct planner *planner, size_t size) {
    char *at = planner->block ? planner->block + planner->used : NULL;
    planner->used += (size + ALIGN - 1) / ALIGN * ALIGN;
    return at;
}

static struct kernel_rows take_rows(struct planner *planner, enum kernel_format format, size_t rows, size_t columns) {
    struct kernel_rows made = {.format = format, .stride = block_stride(kernel_word_count(format, columns) * 4)};
    made.data = take(planner, rows * made.stride);
    if (format == KERNEL_INT8)
        made.quant = take(planner, rows * sizeof *made.quant);
    return made;
}

/* What attention's weights and values are: bf16 where the sums of an int8 model's might not fit 32 bits. */
static enum kernel_format weights_format(const struct bert_config *config, enum kernel_format format) {
    bool fits = config->position_count <= INT32_MAX / (UINT8_MAX * INT8_MAX);
    return format == KERNEL_INT8 && !fits ? KERNEL_BF16 : format;
}

static void plan_worker(struct planner *planner, const struct bert_config *config, enum kernel_format format,
                        size_t max_length, struct worker_room *ret) {
    enum kernel_format kept = format == KERNEL_F32 ? KERNEL_F32 : KERNEL_BF16, weights = weights_format(config, format);
    size_t hidden = (size_t)config->hidden_size, head = hidden / (size_t)config->head_count;
    size_t intermediate = (size_t)config->intermediate_size;
    ret->input = take_rows(planner, format, ROW_BLOCK, hidden);
    ret->intermediate = take_rows(planner, kept, ROW_BLOCK, intermediate);
    ret->quantised = (struct kernel_rows){.format = KERNEL_INT8};
    if (format == KERNEL_INT8)
        ret->quantised = take_rows(planner, KERNEL_INT8, ROW_BLOCK, intermediate);
    ret->keys = take(planner, kernel_panels_size(max_length, kernel_word_count(kept, head)));
    ret->values = take(planner, kernel_panels_size(head, kernel_word_count(weights, max_length)));
    ret->queries = (struct kernel_rows){.format = kept};
    if (format == KERNEL_INT8) {
        ret->key_scales = take(planner, kernel_panel_count(max_length) * KERNEL_PANEL * sizeof *ret->key_scales);
        ret->key_sums = take(planner, kernel_panel_count(max_length) * KERNEL_PANEL * sizeof *ret->key_sums);
        ret->queries = take_rows(planner, KERNEL_INT8, QUERY_BLOCK, head);
    }
    ret->value_scales = take(planner, kernel_panel_count(head) * KERNEL_PANEL * sizeof *ret->value_scales);
    ret->scores = take_rows(planner, KERNEL_F32, QUERY_BLOCK, max_length);
    ret->weights = weights == KERNEL_F32 ? ret->scores : take_rows(planner, weights, QUERY_BLOCK, max_length);
    ret->inverse_sums = take(planner, QUERY_BLOCK * sizeof *ret->inverse_sums);
}

static void plan_heads(struct planner *planner, const struct bert_config *config, struct head_room *ret) {
    ret->firsts = take_rows(planner, KERNEL_F32, ROW_BLOCK, (size_t)config->hidden_size);
    ret->pooled = take_rows(planner, KERNEL_F32, ROW_BLOCK, (size_t)config->hidden_size);
    ret->labels = take_rows(planner, KERNEL_F32, ROW_BLOCK, (size_t)config->label_count);
}

static void plan_all(struct planner *planner, const struct session_plan *plan, struct session_room *room) {
    enum kernel_format kept = plan->format == KERNEL_F32 ? KERNEL_F32 : KERNEL_BF16;
    size_t hidden = (size_t)plan->config->hidden_size;
    planner->used = 0;
    room->x = take_rows(planner, KERNEL_F32, room->max_tokens, hidden);
    room->query_key_value = take_rows(planner, kept, room->max_tokens, 3 * hidden);
    room->context = take_rows(planner, kept, room->max_tokens, hidden);
    if (plan->has_pooler)
        plan_heads(planner, plan->config, &room->heads);
    for (int i = 0; i < room->worker_count; i++)
        plan_worker(planner, plan->config, plan->format, room->max_length, &room->workers[i]);
}

struct status session_room_create(const struct session_plan *plan, struct session_room *ret) {
    struct planner planner = {0};
    size_t positions = (size_t)plan->config->position_count;
    *ret = (struct session_room){.max_tokens = plan->max_tokens, .worker_count = plan->worker_count};
    ret->max_length = plan->max_tokens < positions ? plan->max_tokens : positions;
    ret->workers = calloc((size_t)plan->worker_count, sizeof *ret->workers);
    if (!ret->workers)
        return status_error(STATUS_RESOURCE_EXHAUSTED, "no memory for a session of %d threads", plan->worker_count);
    plan_all(&planner, plan, ret);
    ret->block_size = planner.used;
    ret->block = planner.block = block_alloc(planner.used);
    if (!ret->block) {
        session_room_free(ret);
        return status_error(STATUS_RESOURCE_EXHAUSTED, "no memory for a session of %zu tokens", plan->max_tokens);
    }
    plan_all(&planner, plan, ret);
    return status_ok();
}

void session_room_free(struct session_room *room) {
    block_free(room->block, room->block_size);
    free(room->workers);
    *room = (struct session_room){0};
}
