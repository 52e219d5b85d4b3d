#include "text/squad/squad_output.h"

void squad_output_begin(struct squad_output *output, bool version_2) {
    *output = (struct squad_output){
        .predictions = BUF_EMPTY, .nbest = BUF_EMPTY, .null_odds = BUF_EMPTY, .version_2 = version_2};
    buf_append_char(&output->predictions, '{');
    buf_append_char(&output->nbest, '{');
    buf_append_char(&output->null_odds, '{');
}

/* A JSON string of valid UTF-8, which stays as it is; only what JSON demands is escaped. */
static void append_string(struct buf *out, struct slice text) {
    static const char SHORT[] = "\"\"\\\\\bb\ff\nn\rr\tt"; /* pairs: character, letter behind the backslash */
    buf_append_char(out, '"');
    for (size_t i = 0; i < text.size; i++) {
        char c = text.data[i];
        size_t at = 0;
        while (SHORT[at] != '\0' && SHORT[at] != c)
            at += 2;
        if (SHORT[at] != '\0' && c != '\0')
            buf_printf(out, "\\%c", SHORT[at + 1]);
        else if ((unsigned char)c < 0x20)
            buf_printf(out, "\\u%04x", (unsigned)(unsigned char)c);
        else
            buf_append_char(out, c);
    }
    buf_append_char(out, '"');
}

static void begin_member(struct buf *out, bool first, struct slice name) {
    buf_append_text(out, first ? "\n    " : ",\n    ");
    append_string(out, name);
    buf_append_text(out, ": ");
}

/* Logits and odds have digits enough to read the same number back. */
static void append_entry(struct buf *out, bool first, const struct squad_answer_entry *entry) {
    buf_append_text(out, first ? "\n        {\n            \"text\": " : ",\n        {\n            \"text\": ");
    append_string(out, entry->text);
    buf_printf(
        out,
        ",\n            \"probability\": %.12g,\n            \"start_logit\": %.9g,\n            \"end_logit\": %.9g"
        "\n        }",
        entry->probability, (double)entry->start_logit, (double)entry->end_logit);
}

void squad_output_add(struct squad_output *output, struct slice question_id, const struct squad_answer *answer) {
    bool first = !output->any;
    output->any = true;
    begin_member(&output->predictions, first, question_id);
    append_string(&output->predictions, answer->prediction);
    begin_member(&output->nbest, first, question_id);
    buf_append_char(&output->nbest, '[');
    for (size_t i = 0; i < answer->entry_count; i++)
        append_entry(&output->nbest, i == 0, &answer->entries[i]);
    buf_append_text(&output->nbest, "\n    ]");
    if (!output->version_2)
        return;
    begin_member(&output->null_odds, first, question_id);
    buf_printf(&output->null_odds, "%.17g", answer->null_odds);
}

struct status squad_output_end(struct squad_output *output) {
    buf_append_text(&output->predictions, output->any ? "\n}\n" : "}\n");
    buf_append_text(&output->nbest, output->any ? "\n}\n" : "}\n");
    buf_append_text(&output->null_odds, output->any && output->version_2 ? "\n}\n" : "}\n");
    if (buf_failed(&output->predictions) || buf_failed(&output->nbest) || buf_failed(&output->null_odds))
        return status_error(STATUS_RESOURCE_EXHAUSTED, "SQuAD output files: out of memory");
    return status_ok();
}

void squad_output_free(struct squad_output *output) {
    buf_free(&output->predictions);
    buf_free(&output->nbest);
    buf_free(&output->null_odds);
}
