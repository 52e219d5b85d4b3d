/* text_squad.c: SQuAD processing as a filter, for the oracle tests in this folder.
 *
 *   text_squad normalize < texts                 normalised answers, one a line (texts as text_tokenize reads them)
 *   text_squad windows DATA LENGTH STRIDE QUERY  one line a window: id, context begin, input ids, segment ids,
 * max-context text_squad answer DATA LENGTH STRIDE QUERY N_BEST ANSWER_LENGTH null|span THRESHOLD FOLDER < logits
 *       logits: float32, for each window its start logits, then its end logits; writes the three JSON files to FOLDER
 *       and prints the scores
 *   text_squad evaluate DATA 1|2 THRESHOLD PREDICTIONS [NULL_ODDS]
 */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "text/squad/squad_evaluate.h"
#include "text/squad/squad_normalize.h"
#include "text/squad/squad_output.h"
#include "text/squad/squad_windows.h"

static struct status run_normalize(void) {
    unsigned char head[4];
    struct buf text = BUF_EMPTY, out = BUF_EMPTY;
    while (fread(head, 1, sizeof head, stdin) == sizeof head) {
        size_t size = head[0] | (size_t)head[1] << 8 | (size_t)head[2] << 16 | (size_t)head[3] << 24;
        buf_clear(&text);
        char *to = buf_reserve(&text, size + 1);
        if (!to || fread(to, 1, size, stdin) != size)
            break;
        squad_normalize_answer((struct slice){to, size}, &out);
        buf_append_char(&out, '\n');
    }
    fwrite(out.data, 1, out.size, stdout);
    buf_free(&text);
    buf_free(&out);
    return status_ok();
}

/* Arguments DATA LENGTH STRIDE QUERY. */
static struct status make_windows(struct arena *arena, char **argv, struct squad_dataset *dataset,
                                  struct squad_windows *ret) {
    uint64_t numbers[3];
    for (size_t i = 0; i < 3; i++)
        if (!slice_to_u64(slice_of(argv[i + 1]), &numbers[i]) || numbers[i] > UINT32_MAX)
            return status_error(STATUS_INVALID_ARGUMENT, "not a number: %s", argv[i + 1]);
    struct squad_window_config config = {(uint32_t)numbers[0], (uint32_t)numbers[1], (uint32_t)numbers[2], 0};
    struct vocab *vocab;
    STATUS_TRY(vocab_open_embedded(arena, &vocab));
    STATUS_TRY(squad_dataset_load(arena, argv[0], dataset));
    return squad_windows_create(arena, &(struct wordpiece){vocab, NORMALIZER_UNCASED}, &config, dataset, ret);
}

static struct status run_windows(struct arena *arena, char **argv) {
    struct squad_dataset dataset;
    struct squad_windows windows;
    STATUS_TRY(make_windows(arena, argv, &dataset, &windows));
    int32_t *ids = arena_calloc(arena, windows.longest, sizeof *ids);
    int32_t *segments = arena_calloc(arena, windows.longest, sizeof *segments);
    if (!ids || !segments)
        return status_error(STATUS_RESOURCE_EXHAUSTED, "out of memory");
    for (size_t w = 0; w < windows.window_count; w++) {
        const struct squad_window *window = &windows.windows[w];
        squad_window_fill(&windows, window, ids, segments);
        printf("%.*s\t%" PRIu32 "\t", SLICE_ARGS(dataset.questions[window->question].id), window->context_begin);
        for (uint32_t i = 0; i < squad_window_size(window); i++)
            printf("%s%" PRId32, i ? " " : "", ids[i]);
        putchar('\t');
        for (uint32_t i = 0; i < squad_window_size(window); i++)
            putchar(segments[i] ? '1' : '0');
        putchar('\t');
        for (uint32_t i = 0; i < window->context_count; i++)
            putchar(squad_window_is_max_context(&windows, window, i) ? '1' : '0');
        putchar('\n');
    }
    fprintf(stderr, "%zu windows, %" PRIu64 " tokens, longest %" PRIu32 "\n", windows.window_count, windows.token_count,
            windows.longest);
    return status_ok();
}

static void print_score(const char *prefix, struct squad_score score) {
    printf("%sexact %.12g\n%sf1 %.12g\n%stotal %zu\n", prefix, score.exact, prefix, score.f1, prefix, score.total);
}

static void print_scores(const struct squad_scores *scores) {
    print_score("", scores->all);
    printf("missing %zu\n", scores->missing);
    if (scores->version_2) {
        print_score("HasAns_", scores->has_answer);
        print_score("NoAns_", scores->no_answer);
    }
    if (scores->best_known)
        printf("best_exact %.12g\nbest_exact_thresh %.17g\nbest_f1 %.12g\nbest_f1_thresh %.17g\n", scores->best_exact,
               scores->best_exact_threshold, scores->best_f1, scores->best_f1_threshold);
}

/* Reads the logits of all windows from standard input. */
static struct status read_logits(struct arena *arena, const struct squad_windows *windows, struct squad_logits **ret) {
    struct squad_logits *logits = arena_calloc(arena, windows->window_count, sizeof *logits);
    float *values = arena_calloc(arena, windows->token_count, 2 * sizeof *values);
    if (!logits || !values)
        return status_error(STATUS_RESOURCE_EXHAUSTED, "out of memory");
    if (fread(values, 2 * sizeof *values, windows->token_count, stdin) != windows->token_count)
        return status_error(STATUS_INVALID_ARGUMENT, "expected %" PRIu64 " start and end logits", windows->token_count);
    for (size_t w = 0; w < windows->window_count; w++) {
        uint32_t size = squad_window_size(&windows->windows[w]);
        logits[w] = (struct squad_logits){values, values + size};
        values += 2 * (size_t)size;
    }
    *ret = logits;
    return status_ok();
}

static struct status write_output(struct arena *arena, const char *folder, const struct squad_output *output) {
    const struct {
        const char *name;
        const struct buf *content;
    } files[] = {{"predictions.json", &output->predictions},
                 {"nbest_predictions.json", &output->nbest},
                 {"null_odds.json", &output->null_odds}};
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++)
        STATUS_TRY(file_write_atomic(path_join(arena, folder, files[i].name), buf_slice(files[i].content)));
    return status_ok();
}

static struct status answer_all(const struct squad_windows *windows, const struct squad_logits *logits,
                                const struct squad_answer_config *config, struct squad_output *output,
                                struct squad_predictions *predictions) {
    struct arena *scratch = arena_create(0);
    struct status status = status_ok();
    for (uint32_t q = 0; q < windows->dataset->question_count && status_is_ok(&status); q++) {
        struct squad_answer answer;
        arena_reset(scratch);
        status = squad_answer_question(windows, q, logits + windows->first_window[q], config, scratch, &answer);
        if (!status_is_ok(&status))
            break;
        squad_output_add(output, windows->dataset->questions[q].id, &answer);
        predictions->texts[q] = answer.prediction;
        predictions->present[q] = true;
        if (predictions->null_odds)
            predictions->null_odds[q] = answer.null_odds;
    }
    arena_destroy(scratch);
    return status;
}

static struct status run_answer(struct arena *arena, char **argv) {
    struct squad_dataset dataset;
    struct squad_windows windows;
    struct squad_logits *logits;
    struct squad_predictions predictions;
    struct squad_scores scores;
    struct squad_answer_config config = {.n_best_size = (uint32_t)strtoul(argv[4], NULL, 10),
                                         .max_answer_length = (uint32_t)strtoul(argv[5], NULL, 10),
                                         .version_2 = strcmp(argv[6], "null") == 0,
                                         .null_score_diff_threshold = strtod(argv[7], NULL)};
    STATUS_TRY(make_windows(arena, argv, &dataset, &windows));
    STATUS_TRY(read_logits(arena, &windows, &logits));
    STATUS_TRY(squad_predictions_create(arena, &dataset, config.version_2, &predictions));
    struct squad_output output;
    squad_output_begin(&output, config.version_2);
    struct status status = answer_all(&windows, logits, &config, &output, &predictions);
    if (status_is_ok(&status))
        status = squad_output_end(&output);
    if (status_is_ok(&status))
        status = write_output(arena, argv[8], &output);
    squad_output_free(&output);
    STATUS_TRY(status);
    STATUS_TRY(squad_evaluate(&dataset, &predictions, config.version_2, INFINITY, &scores));
    print_scores(&scores);
    return status_ok();
}

static struct status run_evaluate(struct arena *arena, int argc, char **argv) {
    struct squad_dataset dataset;
    struct squad_predictions predictions;
    struct squad_scores scores;
    struct buf file = BUF_EMPTY;
    STATUS_TRY(squad_dataset_load(arena, argv[0], &dataset));
    struct status status = file_read(argv[3], SQUAD_MAX_FILE_BYTES, &file);
    if (status_is_ok(&status))
        status = squad_predictions_parse(arena, &dataset, buf_slice(&file), &predictions);
    if (status_is_ok(&status) && argc > 4)
        status = file_read(argv[4], SQUAD_MAX_FILE_BYTES, &file);
    if (status_is_ok(&status) && argc > 4)
        status = squad_predictions_parse_null_odds(arena, &dataset, buf_slice(&file), &predictions);
    buf_free(&file);
    STATUS_TRY(status);
    STATUS_TRY(squad_evaluate(&dataset, &predictions, strcmp(argv[1], "2") == 0, strtod(argv[2], NULL), &scores));
    print_scores(&scores);
    printf("unknown %zu\n", predictions.unknown_count);
    return status_ok();
}

int main(int argc, char **argv) {
    struct arena *arena = arena_create(0);
    struct status status = status_error(STATUS_INVALID_ARGUMENT, "usage: normalize | windows | answer | evaluate ...");
    if (argc == 2 && strcmp(argv[1], "normalize") == 0)
        status = run_normalize();
    else if (argc == 6 && strcmp(argv[1], "windows") == 0)
        status = run_windows(arena, argv + 2);
    else if (argc == 11 && strcmp(argv[1], "answer") == 0)
        status = run_answer(arena, argv + 2);
    else if (argc >= 6 && argc <= 7 && strcmp(argv[1], "evaluate") == 0)
        status = run_evaluate(arena, argc - 2, argv + 2);
    arena_destroy(arena);
    if (status_is_ok(&status))
        return 0;
    fprintf(stderr, "%s\n", status.message);
    return 1;
}
