#include "backends/bert/request_tokens.h"

#include <stdlib.h>

#include "backends/bert/bert_backend.h"

/* The tensors of one request. All have the shape of the ids. */
struct token_tensors {
    const struct tensor *ids, *mask, *segments; /* the last two may be NULL */
    size_t rows, length;
};

static int32_t number(const struct tensor *tensor, size_t at) {
    int32_t value;
    memcpy(&value, tensor->data.data + at * sizeof value, sizeof value);
    return value;
}

static struct token_tensors find_tensors(const struct infer_request *request) {
    struct token_tensors tensors = {
        .ids = infer_request_input(request, SLICE_LITERAL("input_ids")),
        .mask = infer_request_input(request, SLICE_LITERAL("input_mask")),
        .segments = infer_request_input(request, SLICE_LITERAL("segment_ids")),
    };
    if (tensors.ids && tensors.ids->rank == 2) {
        tensors.rows = (size_t)tensors.ids->shape[0];
        tensors.length = (size_t)tensors.ids->shape[1];
    }
    return tensors;
}

static bool is_token(const struct token_tensors *tensors, size_t at) {
    return !tensors->mask || number(tensors->mask, at) != 0;
}

static bool same_shape(const struct tensor *a, const struct tensor *b) {
    return !b || (a->rank == b->rank && a->shape[0] == b->shape[0] && a->shape[1] == b->shape[1]);
}

static size_t count_row(const struct token_tensors *tensors, size_t row) {
    size_t count = 0;
    for (size_t i = 0; i < tensors->length; i++)
        count += is_token(tensors, row * tensors->length + i);
    return count;
}

uint32_t request_tokens_count(const struct infer_request *request) {
    struct token_tensors tensors = find_tensors(request);
    uint32_t count = 0;
    if (!tensors.ids || !same_shape(tensors.ids, tensors.mask))
        return 0;
    for (size_t row = 0; row < tensors.rows; row++)
        count += (uint32_t)count_row(&tensors, row);
    return count;
}

/* ---- the list ---- */

void token_list_free(struct token_list *list) {
    void *const parts[] = {list->ids, list->segments, list->positions, list->starts, list->ends, list->offsets};
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++)
        free(parts[i]);
    *list = (struct token_list){0};
}

void token_list_clear(struct token_list *list) {
    list->token_count = list->sequence_count = 0;
}

static bool grow(void *array, size_t count, size_t size) {
    void **at = array;
    void *grown = realloc(*at, count * size);
    if (grown)
        *at = grown;
    return grown != NULL;
}

static bool reserve(struct token_list *list, size_t tokens, size_t sequences) {
    size_t token_room = list->token_count + tokens, sequence_room = list->sequence_count + sequences;
    if (sequence_room > list->sequence_room || !list->offsets) {
        sequence_room *= 2;
        if (!grow(&list->offsets, sequence_room + 1, sizeof *list->offsets))
            return false;
        list->offsets[0] = 0;
        list->sequence_room = sequence_room;
    }
    if (token_room < list->token_room) /* so that there is room even for none */
        return true;
    token_room = 2 * token_room + 1;
    if (!grow(&list->ids, token_room, sizeof *list->ids) ||
        !grow(&list->segments, token_room, sizeof *list->segments) ||
        !grow(&list->positions, token_room, sizeof *list->positions) ||
        !grow(&list->starts, token_room, sizeof *list->starts) || !grow(&list->ends, token_room, sizeof *list->ends))
        return false;
    list->token_room = token_room;
    return true;
}

static void append_row(const struct token_tensors *tensors, size_t row, struct token_list *list) {
    for (size_t i = 0; i < tensors->length; i++) {
        size_t from = row * tensors->length + i;
        if (!is_token(tensors, from))
            continue;
        size_t to = list->token_count++;
        list->ids[to] = number(tensors->ids, from);
        list->segments[to] = tensors->segments ? number(tensors->segments, from) : 0;
        list->positions[to] = (int32_t)i;
    }
    list->offsets[++list->sequence_count] = (uint32_t)list->token_count;
}

static struct status check_shapes(const struct token_tensors *tensors) {
    const struct tensor *others[] = {tensors->mask, tensors->segments};
    if (!tensors->ids || tensors->ids->rank != 2)
        return status_error(STATUS_INVALID_ARGUMENT, "input 'input_ids': expected a tensor of rank 2");
    for (size_t i = 0; i < 2; i++)
        if (!same_shape(tensors->ids, others[i])) {
            char expected[64], got[64];
            shape_format(tensors->ids->shape, tensors->ids->rank, expected, sizeof expected);
            shape_format(others[i]->shape, others[i]->rank, got, sizeof got);
            return status_error(STATUS_INVALID_ARGUMENT, "input '%.*s': expected the shape %s of input_ids, got %s",
                                SLICE_ARGS(others[i]->name), expected, got);
        }
    return status_ok();
}

static struct status count_tokens(const struct token_tensors *tensors, size_t longest, size_t *ret) {
    *ret = 0;
    for (size_t row = 0; row < tensors->rows; row++) {
        size_t count = count_row(tensors, row);
        if (count > longest)
            return status_error(STATUS_INVALID_ARGUMENT, "sequence %zu: expected at most %zu tokens, got %zu", row,
                                longest, count);
        *ret += count;
    }
    return status_ok();
}

struct status request_tokens_append(const struct infer_request *request, size_t longest, struct token_list *list) {
    struct token_tensors tensors = find_tensors(request);
    size_t count;
    STATUS_TRY(check_shapes(&tensors));
    STATUS_TRY(count_tokens(&tensors, longest, &count));
    if (!reserve(list, count, tensors.rows))
        return status_error(STATUS_RESOURCE_EXHAUSTED, "no memory for the tokens of a batch");
    for (size_t row = 0; row < tensors.rows; row++)
        append_row(&tensors, row, list);
    return status_ok();
}

/* ---- answers ---- */

static void write_logits(const struct token_tensors *tensors, const struct token_list *list, size_t sequence,
                         const float *logits, char *to) {
    const float none = BERT_LOGIT_OF_PADDING;
    const float *next = logits + list->offsets[sequence];
    for (size_t at = 0; at < tensors->rows * tensors->length; at++, to += sizeof none)
        memcpy(to, is_token(tensors, at) ? next++ : &none, sizeof none);
}

struct infer_response *request_tokens_answer(const struct infer_request *request, const struct token_list *list,
                                             size_t sequence) {
    struct token_tensors tensors = find_tensors(request);
    const struct {
        struct slice name;
        const float *logits;
    } outputs[] = {{SLICE_LITERAL("end_logits"), list->ends}, {SLICE_LITERAL("start_logits"), list->starts}};
    struct infer_response *response = infer_response_create(request, 2);
    for (size_t i = 0; response && i < 2 && status_is_ok(&response->status); i++) {
        char *data;
        if (!infer_request_wants(request, outputs[i].name))
            continue;
        response->status =
            infer_response_add_output(response, outputs[i].name, DATATYPE_FP32, tensors.ids->shape, tensors.ids->rank,
                                      tensors.rows * tensors.length * sizeof(float), &data);
        if (status_is_ok(&response->status))
            write_logits(&tensors, list, sequence, outputs[i].logits, data);
    }
    if (response && !status_is_ok(&response->status))
        response->output_count = 0;
    return response;
}
