#include "text/squad/squad_answer.h"

#include <float.h>
#include <math.h>

/* A span that may become an entry. Scores are sums in double, as the original computes them. */
struct candidate {
    struct slice text; /* empty: "no answer" */
    float start_logit;
    float end_logit;
    double score;
};

/* The best candidates with distinct texts so far, best first; of equal scores the one found first. */
struct ranking {
    struct candidate *items;
    size_t count;
    size_t limit;
};

/* Positions of the highest logits of a window, best first; of equals the leftmost. */
struct best_positions {
    uint32_t items[SQUAD_MAX_N_BEST];
    size_t count;
};

struct status squad_answer_check_config(const struct squad_answer_config *config) {
    if (config->n_best_size < 1 || config->n_best_size > SQUAD_MAX_N_BEST)
        return status_error(STATUS_INVALID_ARGUMENT, "n_best_size %u: expected 1 .. %d", config->n_best_size,
                            SQUAD_MAX_N_BEST);
    if (config->max_answer_length < 1)
        return status_error(STATUS_INVALID_ARGUMENT, "max_answer_length 0: expected at least 1 token");
    if (isnan(config->null_score_diff_threshold))
        return status_error(STATUS_INVALID_ARGUMENT, "null_score_diff_threshold is not a number");
    return status_ok();
}

/* Models that mask positions by negative infinity are taken at their word, in numbers that can be added and printed. */
static float clamp_logit(float logit) {
    return logit < -FLT_MAX ? -FLT_MAX : logit;
}

static struct status check_logits(const struct squad_windows *windows, const struct squad_window *window,
                                  const struct squad_logits *logits) {
    uint32_t size = squad_window_size(window);
    for (uint32_t i = 0; i < size; i++) {
        float start = clamp_logit(logits->start[i]), end = clamp_logit(logits->end[i]);
        if (!isfinite(start) || !isfinite(end))
            return status_error(STATUS_INVALID_ARGUMENT,
                                "question %.*s: the %s logit of token %u of %u is %f: expected a finite number",
                                SLICE_ARGS(windows->dataset->questions[window->question].id),
                                isfinite(start) ? "end" : "start", i, size, (double)(isfinite(start) ? end : start));
    }
    return status_ok();
}

static void find_best_positions(const float *logits, uint32_t size, size_t limit, struct best_positions *ret) {
    ret->count = 0;
    for (uint32_t position = 0; position < size; position++) {
        size_t at = ret->count;
        while (at > 0 && logits[ret->items[at - 1]] < logits[position])
            at--;
        if (at == limit)
            continue;
        if (ret->count < limit)
            ret->count++;
        for (size_t i = ret->count - 1; i > at; i--)
            ret->items[i] = ret->items[i - 1];
        ret->items[at] = position;
    }
}

/* Keeps one candidate per text, the best; drops what falls off the end. */
static void ranking_add(struct ranking *ranking, const struct candidate *candidate) {
    if (ranking->count == ranking->limit && candidate->score <= ranking->items[ranking->count - 1].score)
        return;
    size_t hole = 0; /* where the others shift to: the same text with a lower score, or the end */
    while (hole < ranking->count && !slice_equal(ranking->items[hole].text, candidate->text))
        hole++;
    if (hole < ranking->count && candidate->score <= ranking->items[hole].score)
        return;
    if (hole == ranking->limit)
        hole--;
    else if (hole == ranking->count)
        ranking->count++;
    for (; hole > 0 && ranking->items[hole - 1].score < candidate->score; hole--)
        ranking->items[hole] = ranking->items[hole - 1];
    ranking->items[hole] = *candidate;
}

/* The paragraph's text from the first to the last token of a span (indexes into the window's context). */
static struct slice span_text(const struct squad_windows *windows, const struct squad_window *window, uint32_t first,
                              uint32_t last) {
    const struct squad_dataset *dataset = windows->dataset;
    struct slice context = dataset->paragraphs[dataset->questions[window->question].paragraph].context;
    uint32_t begin = window->context[first].begin, end = window->context[last].end;
    return (struct slice){context.data + begin, end - begin};
}

static void add_spans_from(const struct squad_windows *windows, const struct squad_window *window,
                           const struct squad_logits *logits, uint32_t start, const struct best_positions *ends,
                           uint32_t max_answer_length, struct ranking *ranking) {
    uint32_t offset = squad_window_context_offset(window);
    for (size_t i = 0; i < ends->count; i++) {
        uint32_t end = ends->items[i];
        if (end < start || end - start >= max_answer_length || end - offset >= window->context_count)
            continue;
        struct candidate candidate = {.text = span_text(windows, window, start - offset, end - offset),
                                      .start_logit = clamp_logit(logits->start[start]),
                                      .end_logit = clamp_logit(logits->end[end])};
        candidate.score = (double)candidate.start_logit + (double)candidate.end_logit;
        ranking_add(ranking, &candidate);
    }
}

static void add_window(const struct squad_windows *windows, const struct squad_window *window,
                       const struct squad_logits *logits, const struct squad_answer_config *config,
                       struct ranking *ranking) {
    struct best_positions starts, ends;
    uint32_t size = squad_window_size(window), offset = squad_window_context_offset(window);
    find_best_positions(logits->start, size, config->n_best_size, &starts);
    find_best_positions(logits->end, size, config->n_best_size, &ends);
    for (size_t i = 0; i < starts.count; i++) {
        uint32_t start = starts.items[i];
        if (start >= offset && start - offset < window->context_count &&
            squad_window_is_max_context(windows, window, start - offset))
            add_spans_from(windows, window, logits, start, &ends, config->max_answer_length, ranking);
    }
}

/* "No answer" is scored at [CLS]: the lowest over the windows, each of which may simply not show the answer. */
static void lower_null(struct candidate *null, const struct squad_logits *logits, bool first) {
    struct candidate here = {
        .text = {"", 0}, .start_logit = clamp_logit(logits->start[0]), .end_logit = clamp_logit(logits->end[0])};
    here.score = (double)here.start_logit + (double)here.end_logit;
    if (first || here.score < null->score)
        *null = here;
}

/* The ranking has room for one more than its limit: "no answer" always gets a place. */
static void append_null_if_missing(struct ranking *ranking, const struct candidate *null) {
    for (size_t i = 0; i < ranking->count; i++)
        if (ranking->items[i].text.size == 0)
            return;
    ranking->items[ranking->count++] = *null;
}

static void fill_entries(const struct ranking *ranking, struct squad_answer_entry *entries) {
    double sum = 0;
    for (size_t i = 0; i < ranking->count; i++) {
        const struct candidate *from = &ranking->items[i];
        entries[i] = (struct squad_answer_entry){.text = from->text,
                                                 .probability = exp(from->score - ranking->items[0].score),
                                                 .start_logit = from->start_logit,
                                                 .end_logit = from->end_logit};
        sum += entries[i].probability;
    }
    for (size_t i = 0; i < ranking->count; i++)
        entries[i].probability /= sum;
}

/* Decides between the best span and, under 2.0 rules, "no answer". */
static void decide(const struct ranking *ranking, const struct candidate *null,
                   const struct squad_answer_config *config, struct squad_answer *ret) {
    size_t best = 0;
    while (best < ranking->count && ranking->items[best].text.size == 0)
        best++;
    bool found = best < ranking->count;
    ret->prediction = found ? ranking->items[best].text : (struct slice){"", 0};
    ret->null_odds = 0;
    if (!config->version_2)
        return;
    ret->null_odds = null->score;
    if (found)
        ret->null_odds =
            null->score - (double)ranking->items[best].start_logit - (double)ranking->items[best].end_logit;
    if (ret->null_odds > config->null_score_diff_threshold)
        ret->prediction = (struct slice){"", 0};
}

struct status squad_answer_question(const struct squad_windows *windows, uint32_t question,
                                    const struct squad_logits *logits, const struct squad_answer_config *config,
                                    struct arena *arena, struct squad_answer *ret) {
    STATUS_TRY(squad_answer_check_config(config));
    struct ranking ranking = {.limit = config->n_best_size};
    ranking.items = arena_calloc(arena, ranking.limit + 1, sizeof *ranking.items);
    struct squad_answer_entry *entries = arena_calloc(arena, ranking.limit + 1, sizeof *entries);
    if (!ranking.items || !entries)
        return status_error(STATUS_RESOURCE_EXHAUSTED, "SQuAD answers: out of memory");
    uint32_t first = windows->first_window[question], end = windows->first_window[question + 1];
    struct candidate null = {.text = {"", 0}};
    for (uint32_t w = first; w < end; w++) {
        STATUS_TRY(check_logits(windows, &windows->windows[w], &logits[w - first]));
        add_window(windows, &windows->windows[w], &logits[w - first], config, &ranking);
        lower_null(&null, &logits[w - first], w == first);
    }
    if (config->version_2)
        ranking_add(&ranking, &null);
    if (config->version_2 || ranking.count == 0)
        append_null_if_missing(&ranking, &null);
    fill_entries(&ranking, entries);
    decide(&ranking, &null, config, ret);
    ret->entries = entries;
    ret->entry_count = ranking.count;
    return status_ok();
}
