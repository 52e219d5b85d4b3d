#include "text/squad/squad_windows.h"

#include <string.h>

/* What a window can hold of a paragraph, and how far the next one is moved on. */
struct layout {
    uint32_t room;
    uint32_t step;
};

struct token_run {
    const struct wordpiece_token *tokens;
    uint32_t count;
};

static struct status out_of_memory(void) {
    return status_error(STATUS_RESOURCE_EXHAUSTED, "SQuAD windows: out of memory");
}

struct status squad_window_config_check(const struct squad_window_config *config) {
    if (config->max_query_length < 1 || config->max_query_length > SQUAD_MAX_SEQUENCE)
        return status_error(STATUS_INVALID_ARGUMENT, "max_query_length %u: expected 1 .. %d", config->max_query_length,
                            SQUAD_MAX_SEQUENCE);
    if (config->max_seq_length > SQUAD_MAX_SEQUENCE)
        return status_error(STATUS_INVALID_ARGUMENT, "max_seq_length %u: the most is %d", config->max_seq_length,
                            SQUAD_MAX_SEQUENCE);
    if (config->max_seq_length <= config->max_query_length + SQUAD_SPECIAL_TOKENS)
        return status_error(STATUS_INVALID_ARGUMENT,
                            "max_seq_length %u leaves no room for the paragraph: a question may take %u tokens and the "
                            "separators take %d; raise max_seq_length or lower max_query_length",
                            config->max_seq_length, config->max_query_length, SQUAD_SPECIAL_TOKENS);
    if (config->doc_stride < 1)
        return status_error(STATUS_INVALID_ARGUMENT, "doc_stride 0: expected the distance of two windows, at least 1");
    return status_ok();
}

/* The tokens of a text, at most `limit` of them, copied into the arena. `scratch` is reused from text to text. */
static struct status tokenize(struct arena *arena, const struct wordpiece *tokenizer, struct slice text, size_t limit,
                              struct wordpiece_tokens *scratch, struct token_run *ret) {
    scratch->count = 0;
    STATUS_TRY(wordpiece_tokenize(tokenizer, text, scratch));
    size_t count = scratch->count < limit ? scratch->count : limit;
    struct wordpiece_token *tokens = arena_calloc(arena, count, sizeof *tokens);
    if (!tokens)
        return out_of_memory();
    if (count > 0)
        memcpy(tokens, scratch->items, count * sizeof *tokens);
    *ret = (struct token_run){tokens, (uint32_t)count};
    return status_ok();
}

static struct layout layout_of(const struct squad_window_config *config, uint32_t query_count) {
    uint32_t room = config->max_seq_length - query_count - SQUAD_SPECIAL_TOKENS;
    return (struct layout){room, config->doc_stride < room ? config->doc_stride : room};
}

static uint64_t count_windows(struct layout layout, uint32_t context_count) {
    if (context_count <= layout.room)
        return 1;
    return 1 + ((uint64_t)context_count - layout.room + layout.step - 1) / layout.step;
}

static uint32_t most_windows(const struct squad_window_config *config) {
    bool given = config->max_windows > 0 && config->max_windows < SQUAD_MAX_WINDOWS;
    return given ? config->max_windows : SQUAD_MAX_WINDOWS;
}

/* Tokenizes each paragraph and question once; fills first_window. */
static struct status tokenize_all(struct arena *arena, const struct wordpiece *tokenizer,
                                  const struct squad_window_config *config, const struct squad_dataset *dataset,
                                  struct wordpiece_tokens *scratch, struct token_run *contexts,
                                  struct token_run *queries, uint32_t *first_window) {
    uint64_t windows = 0;
    for (size_t p = 0; p < dataset->paragraph_count; p++) {
        const struct squad_paragraph *paragraph = &dataset->paragraphs[p];
        if (paragraph->question_count == 0)
            continue;
        STATUS_TRY(tokenize(arena, tokenizer, paragraph->context, SIZE_MAX, scratch, &contexts[p]));
        for (size_t q = paragraph->first_question; q < paragraph->first_question + paragraph->question_count; q++) {
            STATUS_TRY(
                tokenize(arena, tokenizer, dataset->questions[q].text, config->max_query_length, scratch, &queries[q]));
            first_window[q] = (uint32_t)windows;
            windows += count_windows(layout_of(config, queries[q].count), contexts[p].count);
            if (windows > most_windows(config))
                return status_error(STATUS_TOO_LARGE, "more than %u windows at max_seq_length %u and doc_stride %u",
                                    most_windows(config), config->max_seq_length, config->doc_stride);
        }
    }
    first_window[dataset->question_count] = (uint32_t)windows;
    return status_ok();
}

/* Lays out the windows of one question, as many as count_windows said. */
static void place_windows(struct layout layout, uint32_t question, struct token_run query, struct token_run context,
                          struct squad_window *to, size_t count) {
    uint32_t begin = 0;
    for (size_t i = 0; i < count; i++, begin += layout.step) {
        uint32_t left = context.count - begin;
        to[i] = (struct squad_window){.question = question,
                                      .context_begin = begin,
                                      .context_count = left < layout.room ? left : layout.room,
                                      .query_count = query.count,
                                      .query = query.tokens,
                                      .context = context.tokens + begin};
    }
}

/* The arrays of one build-up. */
struct parts {
    struct token_run *contexts; /* by paragraph */
    struct token_run *queries;  /* by question */
    uint32_t *first_window;
};

static struct status lay_out(struct arena *arena, const struct squad_window_config *config,
                             const struct squad_dataset *dataset, const struct parts *parts,
                             struct squad_windows *ret) {
    size_t count = parts->first_window[dataset->question_count];
    struct squad_window *windows = arena_calloc(arena, count, sizeof *windows);
    if (!windows)
        return out_of_memory();
    for (size_t q = 0; q < dataset->question_count; q++) {
        struct token_run query = parts->queries[q];
        size_t first = parts->first_window[q];
        place_windows(layout_of(config, query.count), (uint32_t)q, query,
                      parts->contexts[dataset->questions[q].paragraph], windows + first,
                      parts->first_window[q + 1] - first);
    }
    ret->windows = windows;
    ret->window_count = count;
    ret->first_window = parts->first_window;
    for (size_t i = 0; i < count; i++) {
        uint32_t size = squad_window_size(&windows[i]);
        ret->token_count += size;
        ret->longest = size > ret->longest ? size : ret->longest;
    }
    return status_ok();
}

struct status squad_windows_create(struct arena *arena, const struct wordpiece *tokenizer,
                                   const struct squad_window_config *config, const struct squad_dataset *dataset,
                                   struct squad_windows *ret) {
    STATUS_TRY(squad_window_config_check(config));
    struct parts parts = {
        .contexts = arena_calloc(arena, dataset->paragraph_count, sizeof *parts.contexts),
        .queries = arena_calloc(arena, dataset->question_count, sizeof *parts.queries),
        .first_window = arena_calloc(arena, dataset->question_count + 1, sizeof *parts.first_window),
    };
    if (!parts.contexts || !parts.queries || !parts.first_window)
        return out_of_memory();
    struct wordpiece_tokens scratch = WORDPIECE_TOKENS_EMPTY;
    struct status status =
        tokenize_all(arena, tokenizer, config, dataset, &scratch, parts.contexts, parts.queries, parts.first_window);
    wordpiece_tokens_free(&scratch);
    STATUS_TRY(status);
    struct squad_windows windows = {.dataset = dataset, .special = vocab_special(tokenizer->vocab)};
    STATUS_TRY(lay_out(arena, config, dataset, &parts, &windows));
    *ret = windows;
    return status_ok();
}

uint32_t squad_window_size(const struct squad_window *window) {
    return window->query_count + window->context_count + SQUAD_SPECIAL_TOKENS;
}

uint32_t squad_window_context_offset(const struct squad_window *window) {
    return window->query_count + 2; /* [CLS] and the first [SEP] */
}

void squad_window_fill(const struct squad_windows *windows, const struct squad_window *window, int32_t *ret_input_ids,
                       int32_t *ret_segment_ids) {
    size_t at = 0, size = squad_window_size(window), context = squad_window_context_offset(window);
    ret_input_ids[at++] = windows->special.cls;
    for (uint32_t i = 0; i < window->query_count; i++)
        ret_input_ids[at++] = window->query[i].id;
    ret_input_ids[at++] = windows->special.sep;
    for (uint32_t i = 0; i < window->context_count; i++)
        ret_input_ids[at++] = window->context[i].id;
    ret_input_ids[at] = windows->special.sep;
    for (size_t i = 0; i < size; i++)
        ret_segment_ids[i] = i < context ? 0 : 1;
}

/* How well a window shows a token of the paragraph (an index it holds): the smaller side of its context, and a little
 * for the window's length. In floating point, as the original has it, so that ties fall alike. */
static double context_score(const struct squad_window *window, uint32_t token) {
    uint32_t left = token - window->context_begin;
    uint32_t right = window->context_begin + window->context_count - 1 - token;
    return (double)(left < right ? left : right) + 0.01 * (double)window->context_count;
}

static bool holds(const struct squad_window *window, uint32_t token) {
    return token >= window->context_begin && token - window->context_begin < window->context_count;
}

bool squad_window_is_max_context(const struct squad_windows *windows, const struct squad_window *window,
                                 uint32_t context_index) {
    const struct squad_window *first = windows->windows + windows->first_window[window->question];
    const struct squad_window *end = windows->windows + windows->first_window[window->question + 1];
    uint32_t token = window->context_begin + context_index;
    const struct squad_window *at = window; /* the windows that hold a token stand side by side */
    while (at > first && holds(at - 1, token))
        at--;
    const struct squad_window *best = at;
    for (at++; at < end && holds(at, token); at++)
        if (context_score(at, token) > context_score(best, token))
            best = at;
    return best == window;
}
