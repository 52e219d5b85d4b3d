#include "backends/bert/request_questions.h"

#include <string.h>

#include "backends/bert/bert_model.h"
#include "backends/bert/question_settings.h"
#include "text/unicode.h"

enum { LENGTH_BYTES = 4, NO_PLACE = -1 };

static const struct bert_tensor inputs[] = {
    {"question", DATATYPE_BYTES, BERT_TENSOR_ONE, BERT_TENSOR_NEEDED},
    {"context", DATATYPE_BYTES, BERT_TENSOR_ONE, BERT_TENSOR_NEEDED},
};

enum { OUTPUT_ANSWER, OUTPUT_SCORE, OUTPUT_START, OUTPUT_END, OUTPUT_COUNT };
static const struct bert_tensor outputs[OUTPUT_COUNT] = {
    [OUTPUT_ANSWER] = {"answer", DATATYPE_BYTES, BERT_TENSOR_OPEN, BERT_TENSOR_OPTIONAL},
    [OUTPUT_SCORE] = {"score", DATATYPE_FP32, BERT_TENSOR_OPEN, BERT_TENSOR_OPTIONAL},
    [OUTPUT_START] = {"start", DATATYPE_INT32, BERT_TENSOR_OPEN, BERT_TENSOR_OPTIONAL},
    [OUTPUT_END] = {"end", DATATYPE_INT32, BERT_TENSOR_OPEN, BERT_TENSOR_OPTIONAL},
};

/* What append leaves for answer. */
struct asked {
    struct squad_dataset dataset; /* one paragraph and one question for each row */
    struct squad_windows windows;
    size_t rows, n_best;
};

static const struct question_settings *settings_of(const struct bert_model *model) {
    return model->task_data;
}

static struct status load(struct bert_model *model, const char *version_directory) {
    struct question_settings *settings;
    STATUS_TRY(question_settings_open(model->config, bert_engine_config(model->engine), version_directory, &settings));
    model->task_data = settings;
    return status_ok();
}

static void unload(struct bert_model *model) {
    question_settings_close(model->task_data);
}

static struct status no_memory(void) {
    return status_error(STATUS_RESOURCE_EXHAUSTED, "no memory for the questions of a request");
}

/* ---- the request ---- */

/* The next text of a BYTES tensor, whose lengths were checked at submission. */
static struct slice next_text(struct slice *rest) {
    uint32_t size;
    memcpy(&size, rest->data, sizeof size);
    struct slice text = {rest->data + LENGTH_BYTES, size};
    *rest = (struct slice){text.data + size, rest->size - LENGTH_BYTES - size};
    return text;
}

static struct status check_text(const char *name, size_t row, struct slice text, size_t most) {
    if (text.size > most)
        return status_error(STATUS_TOO_LARGE, "%s %zu: expected at most %zu bytes, got %zu", name, row, most,
                            text.size);
    if (!slice_is_utf8(text))
        return status_error(STATUS_INVALID_ARGUMENT, "%s %zu: the text is not valid UTF-8", name, row);
    return status_ok();
}

/* Both tensors; there is one row of each, as many as the batch has. */
static struct status find_texts(const struct infer_request *request, struct slice *ret_questions,
                                struct slice *ret_contexts, size_t *ret_rows) {
    const struct tensor *questions = infer_request_input(request, SLICE_LITERAL("question"));
    const struct tensor *contexts = infer_request_input(request, SLICE_LITERAL("context"));
    if (!questions || !contexts || questions->rank != 2 || contexts->rank != 2 ||
        questions->shape[0] != contexts->shape[0] || questions->shape[1] != 1 || contexts->shape[1] != 1)
        return status_error(STATUS_INVALID_ARGUMENT, "expected question and context of one shape, [rows,1]");
    *ret_questions = questions->data;
    *ret_contexts = contexts->data;
    *ret_rows = (size_t)questions->shape[0];
    return status_ok();
}

static struct status read_n_best(const struct question_settings *settings, const struct infer_request *request,
                                 size_t *ret) {
    *ret = settings->n_best;
    for (size_t i = 0; i < request->parameter_count; i++) {
        const struct infer_parameter *parameter = &request->parameters[i];
        if (!slice_equal_text(parameter->name, "n_best") || parameter->forwarded)
            continue;
        uint64_t number = 0; /* none of the good ones */
        if (parameter->kind == PARAMETER_UINT)
            number = parameter->value.unsigned_integer;
        else if (parameter->kind == PARAMETER_INT && parameter->value.integer > 0)
            number = (uint64_t)parameter->value.integer;
        if (number < 1 || number > QUESTION_N_BEST)
            return status_error(STATUS_INVALID_ARGUMENT, "parameter n_best: expected a whole number of 1..%d",
                                QUESTION_N_BEST);
        *ret = (size_t)number;
    }
    return status_ok();
}

/* The request as a data set: row i is paragraph i with question i. */
static struct status read_rows(const struct infer_request *request, struct arena *arena, struct asked *asked) {
    struct slice question_rest, context_rest;
    STATUS_TRY(find_texts(request, &question_rest, &context_rest, &asked->rows));
    struct squad_paragraph *paragraphs = arena_calloc(arena, asked->rows, sizeof *paragraphs);
    struct squad_question *questions = arena_calloc(arena, asked->rows, sizeof *questions);
    if (!paragraphs || !questions)
        return no_memory();
    for (size_t row = 0; row < asked->rows; row++) {
        struct slice question = next_text(&question_rest), context = next_text(&context_rest);
        STATUS_TRY(check_text("question", row, question, QUESTION_TEXT_BYTES_MAX));
        STATUS_TRY(check_text("context", row, context, QUESTION_CONTEXT_BYTES_MAX));
        paragraphs[row] = (struct squad_paragraph){.context = context, .first_question = row, .question_count = 1};
        questions[row] =
            (struct squad_question){.id = arena_u64(arena, row), .text = question, .paragraph = (uint32_t)row};
        if (!questions[row].id.data)
            return no_memory();
    }
    asked->dataset = (struct squad_dataset){.paragraphs = paragraphs,
                                            .paragraph_count = asked->rows,
                                            .questions = questions,
                                            .question_count = asked->rows};
    return status_ok();
}

static void append_window(const struct squad_windows *windows, const struct squad_window *window,
                          struct token_list *list) {
    uint32_t size = squad_window_size(window);
    size_t at = list->token_count;
    squad_window_fill(windows, window, list->ids + at, list->segments + at);
    for (uint32_t i = 0; i < size; i++)
        list->positions[at + i] = (int32_t)i;
    list->token_count += size;
    token_list_end_sequence(list);
}

static struct status append(const struct bert_model *model, const struct infer_request *request, struct arena *arena,
                            struct token_list *list, void **ret_work) {
    const struct question_settings *settings = settings_of(model);
    struct asked *asked = arena_calloc(arena, 1, sizeof *asked);
    if (!asked)
        return no_memory();
    STATUS_TRY(read_n_best(settings, request, &asked->n_best));
    STATUS_TRY(read_rows(request, arena, asked));
    STATUS_TRY(squad_windows_create(arena, &settings->tokenizer, &settings->windows, &asked->dataset, &asked->windows));
    STATUS_TRY(token_list_reserve(list, (size_t)asked->windows.token_count, asked->windows.window_count));
    for (size_t i = 0; i < asked->windows.window_count; i++)
        append_window(&asked->windows, &asked->windows.windows[i], list);
    *ret_work = asked;
    return status_ok();
}

/* ---- cost ---- */

/* Tokens of a row by the bytes of its texts: English has some four to a token. The batch is cut by the true number. */
static uint64_t guess_tokens(const struct question_settings *settings, size_t question_bytes, size_t context_bytes) {
    enum { BYTES_A_TOKEN = 4 };
    const struct squad_window_config *windows = &settings->windows;
    uint64_t query = question_bytes / BYTES_A_TOKEN, context = context_bytes / BYTES_A_TOKEN;
    if (query > windows->max_query_length)
        query = windows->max_query_length;
    uint64_t room = windows->max_seq_length - query - SQUAD_SPECIAL_TOKENS;
    if (context <= room)
        return query + SQUAD_SPECIAL_TOKENS + context;
    uint64_t step = windows->doc_stride < room ? windows->doc_stride : room;
    return step == 0 ? windows->max_seq_length : (1 + (context - room) / step) * windows->max_seq_length;
}

static struct infer_cost cost(const struct bert_model *model, const struct infer_request *request) {
    struct slice questions, contexts;
    size_t rows;
    struct status status = find_texts(request, &questions, &contexts, &rows);
    struct infer_cost cost = {.items = 1};
    if (!status_is_ok(&status))
        return cost;
    uint64_t tokens = 0;
    for (size_t row = 0; row < rows; row++)
        tokens += guess_tokens(settings_of(model), next_text(&questions).size, next_text(&contexts).size);
    cost.items = (uint32_t)rows;
    cost.tokens = tokens < UINT32_MAX ? (uint32_t)tokens : UINT32_MAX;
    return cost;
}

/* ---- answers ---- */

/* One place of the outputs, [row][rank]. */
struct told {
    struct slice text;
    float score;
    int32_t start, end; /* code points */
};

static struct told tell(struct slice context, const struct squad_answer_entry *entry) {
    struct told told = {entry->text, (float)entry->probability, NO_PLACE, NO_PLACE};
    if (entry->text.size > 0) {
        told.start = (int32_t)utf8_count((struct slice){context.data, (size_t)(entry->text.data - context.data)});
        told.end = told.start + (int32_t)utf8_count(entry->text);
    }
    return told;
}

static struct status answer_rows(const struct question_settings *settings, const struct asked *asked,
                                 struct arena *arena, const struct token_list *list, size_t sequence,
                                 struct told *told) {
    const struct squad_windows *windows = &asked->windows;
    struct squad_logits *logits = arena_calloc(arena, windows->window_count, sizeof *logits);
    if (!logits)
        return no_memory();
    for (size_t i = 0; i < windows->window_count; i++)
        logits[i] =
            (struct squad_logits){list->starts + list->offsets[sequence + i], list->ends + list->offsets[sequence + i]};
    for (uint32_t row = 0; row < asked->rows; row++) {
        struct squad_answer answer;
        struct status status = squad_answer_question(windows, row, logits + windows->first_window[row],
                                                     &settings->answers, arena, &answer);
        if (status.code == STATUS_INVALID_ARGUMENT) /* logits that are no numbers: not the client's doing */
            status.code = STATUS_INTERNAL;
        STATUS_TRY(status);
        for (size_t i = 0; i < asked->n_best; i++)
            told[row * asked->n_best + i] = i < answer.entry_count
                                                ? tell(asked->dataset.paragraphs[row].context, &answer.entries[i])
                                                : (struct told){{"", 0}, 0, NO_PLACE, NO_PLACE};
    }
    return status_ok();
}

static size_t output_size(int output, const struct told *told, size_t count) {
    size_t size = count * sizeof(int32_t); /* also of a float, and of a text's length */
    for (size_t i = 0; output == OUTPUT_ANSWER && i < count; i++)
        size += told[i].text.size;
    return size;
}

static void write_output(int output, const struct told *told, size_t count, char *to) {
    for (size_t i = 0; i < count; i++) {
        const uint32_t length = (uint32_t)told[i].text.size;
        const void *const values[OUTPUT_COUNT] = {&length, &told[i].score, &told[i].start, &told[i].end};
        memcpy(to, values[output], sizeof length);
        to += sizeof length;
        if (output == OUTPUT_ANSWER && length > 0) {
            memcpy(to, told[i].text.data, length);
            to += length;
        }
    }
}

/* A word may be a megabyte long and one token, and stands in each of the best answers. */
static struct status check_answer_size(const struct told *told, size_t count) {
    size_t size = output_size(OUTPUT_ANSWER, told, count);
    if (size > QUESTION_ANSWER_BYTES_MAX)
        return status_error(STATUS_TOO_LARGE,
                            "the answers have %zu bytes, at most %d are given; ask for fewer (n_best)", size,
                            QUESTION_ANSWER_BYTES_MAX);
    return status_ok();
}

static struct status add_outputs(const struct infer_request *request, const struct asked *asked,
                                 const struct told *told, struct infer_response *response) {
    const int64_t shape[] = {(int64_t)asked->rows, (int64_t)asked->n_best};
    size_t count = asked->rows * asked->n_best;
    STATUS_TRY(check_answer_size(told, count));
    for (int i = 0; i < OUTPUT_COUNT; i++) {
        struct slice name = slice_of(outputs[i].name);
        char *data;
        if (!infer_request_wants(request, name))
            continue;
        STATUS_TRY(
            infer_response_add_output(response, name, outputs[i].type, shape, 2, output_size(i, told, count), &data));
        write_output(i, told, count, data);
    }
    return status_ok();
}

static struct infer_response *answer(const struct bert_model *model, const struct infer_request *request,
                                     struct arena *arena, const struct token_list *list, size_t sequence, void *work) {
    const struct asked *asked = work;
    struct infer_response *response = infer_response_create(request, OUTPUT_COUNT);
    if (!response)
        return NULL;
    struct told *told = arena_calloc(arena, asked->rows * asked->n_best, sizeof *told);
    response->status = told ? answer_rows(settings_of(model), asked, arena, list, sequence, told) : no_memory();
    if (status_is_ok(&response->status))
        response->status = add_outputs(request, asked, told, response);
    if (!status_is_ok(&response->status))
        response->output_count = 0;
    return response;
}

const struct bert_task request_questions_task = {
    .name = "question_answering",
    .inputs = inputs,
    .outputs = outputs,
    .input_count = sizeof inputs / sizeof inputs[0],
    .default_input_count = sizeof inputs / sizeof inputs[0],
    .output_count = OUTPUT_COUNT,
    .default_output_count = OUTPUT_COUNT,
    .head = BERT_HEAD_SPAN,
    .parameters = question_settings_names,
    .parameter_count = QUESTION_SETTINGS_NAMES,
    .load = load,
    .unload = unload,
    .cost = cost,
    .append = append,
    .answer = answer,
};
