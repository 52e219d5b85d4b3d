#include "backends/bert/request_tokens.h"

#include <string.h>

#include "backends/bert/bert_backend.h"
#include "backends/bert/bert_model.h"

const struct bert_tensor request_tokens_inputs[] = {
    {"input_ids", DATATYPE_INT32, BERT_TENSOR_MANY, BERT_TENSOR_NEEDED},
    {"input_mask", DATATYPE_INT32, BERT_TENSOR_MANY, BERT_TENSOR_OPTIONAL},
    {"segment_ids", DATATYPE_INT32, BERT_TENSOR_MANY, BERT_TENSOR_OPTIONAL},
    {"unique_ids", DATATYPE_INT32, BERT_TENSOR_ONE, BERT_TENSOR_LOOSE},
};
static const struct bert_tensor outputs[] = {
    {"start_logits", DATATYPE_FP32, BERT_TENSOR_OPEN, BERT_TENSOR_OPTIONAL},
    {"end_logits", DATATYPE_FP32, BERT_TENSOR_OPEN, BERT_TENSOR_OPTIONAL},
};

enum { OUTPUT_COUNT = sizeof outputs / sizeof outputs[0] };

/* For clients; not looked at. */
const char *const request_tokens_parameters[] = {"max_seq_length", "do_lower_case", "strip_accents",
                                                 "tokenize_chinese_chars", "vocab_hash"};

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

struct infer_cost request_tokens_cost(const struct bert_model *model, const struct infer_request *request) {
    (void)model;
    struct token_tensors tensors = find_tensors(request);
    int64_t items = tensors.ids && tensors.ids->rank > 0 ? tensors.ids->shape[0] : 1;
    struct infer_cost cost = {.items = (uint32_t)items};
    if (!tensors.ids || !same_shape(tensors.ids, tensors.mask))
        return cost;
    for (size_t row = 0; row < tensors.rows; row++)
        cost.tokens += (uint32_t)count_row(&tensors, row);
    return cost;
}

/* ---- sequences ---- */

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
    token_list_end_sequence(list);
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

/* What a refused request sends is not copied. */
struct status request_tokens_append(const struct bert_model *model, const struct infer_request *request,
                                    struct arena *arena, struct token_list *list, void **ret_work) {
    (void)arena;
    struct token_tensors tensors = find_tensors(request);
    size_t count, longest = (size_t)bert_engine_config(model->engine)->position_count;
    *ret_work = NULL;
    STATUS_TRY(check_shapes(&tensors));
    STATUS_TRY(count_tokens(&tensors, longest, &count));
    STATUS_TRY(token_list_reserve(list, count, tensors.rows));
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

static struct infer_response *answer(const struct bert_model *model, const struct infer_request *request,
                                     struct arena *arena, const struct token_list *list, size_t sequence, void *work) {
    (void)model, (void)arena, (void)work;
    struct token_tensors tensors = find_tensors(request);
    const struct {
        struct slice name;
        const float *logits;
    } rows[] = {{SLICE_LITERAL("end_logits"), list->ends}, {SLICE_LITERAL("start_logits"), list->starts}};
    struct infer_response *response = infer_response_create(request, 2);
    for (size_t i = 0; response && i < 2 && status_is_ok(&response->status); i++) {
        char *data;
        if (!infer_request_wants(request, rows[i].name))
            continue;
        response->status =
            infer_response_add_output(response, rows[i].name, DATATYPE_FP32, tensors.ids->shape, tensors.ids->rank,
                                      tensors.rows * tensors.length * sizeof(float), &data);
        if (status_is_ok(&response->status))
            write_logits(&tensors, list, sequence, rows[i].logits, data);
    }
    if (response && !status_is_ok(&response->status))
        response->output_count = 0;
    return response;
}

const struct bert_task request_tokens_task = {
    .name = "span_logits",
    .inputs = request_tokens_inputs,
    .outputs = outputs,
    .input_count = REQUEST_TOKENS_INPUTS,
    .output_count = OUTPUT_COUNT,
    .default_input_count = REQUEST_TOKENS_INPUTS, /* what inferd export writes, for clients of the recipe */
    .default_output_count = OUTPUT_COUNT,
    .head = BERT_HEAD_SPAN,
    .parameters = request_tokens_parameters,
    .parameter_count = REQUEST_TOKENS_PARAMETERS,
    .cost = request_tokens_cost,
    .append = request_tokens_append,
    .answer = answer,
};
