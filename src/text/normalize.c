#include "text/normalize.h"

/* What the next stretch of text turned out to be. */
enum step { STEP_END, STEP_SPACE, STEP_STARTER_STRIPPED, STEP_CHARS };

void normalizer_init(struct normalizer *normalizer, struct slice text, bool lowercase) {
    normalizer->text = text;
    normalizer->lowercase = lowercase;
    normalizer->at = 0;
    normalizer->pending_at = 0;
    normalizer->pending_count = 0;
}

/* Puts what one original character becomes into pending; how many characters that is (0: a stripped mark). */
static size_t fold_character(struct normalizer *normalizer, uint32_t code_point, size_t begin, size_t end) {
    uint32_t folded[UNICODE_MAX_MAPPING] = {code_point};
    bool cjk = unicode_flags(code_point) & UNICODE_CJK;
    size_t count = normalizer->lowercase ? unicode_bert_fold(code_point, folded) : 1;
    for (size_t i = 0; i < count; i++) {
        normalizer->pending[i] = (struct normalized_char){
            .code_point = folded[i],
            .begin = (uint32_t)begin,
            .end = (uint32_t)end,
            .combining_class = normalizer->lowercase ? unicode_combining_class(folded[i]) : 0,
            .isolated = cjk || unicode_flags(folded[i]) & UNICODE_PUNCTUATION,
        };
    }
    normalizer->pending_at = 0;
    normalizer->pending_count = count;
    return count;
}

/* Reads on until there is something to tell; STEP_CHARS leaves at least one character in pending. */
static enum step advance(struct normalizer *normalizer) {
    if (normalizer->pending_at < normalizer->pending_count)
        return STEP_CHARS;
    while (normalizer->at < normalizer->text.size) {
        size_t begin = normalizer->at;
        uint32_t code_point;
        normalizer->at +=
            utf8_decode((struct slice){normalizer->text.data + begin, normalizer->text.size - begin}, &code_point);
        unsigned flags = unicode_flags(code_point);
        if (flags & UNICODE_DROPPED)
            continue;
        if (flags & UNICODE_SPACE)
            return STEP_SPACE;
        if (fold_character(normalizer, code_point, begin, normalizer->at) > 0)
            return STEP_CHARS;
        if (unicode_combining_class(code_point) == 0)
            return STEP_STARTER_STRIPPED;
    }
    return STEP_END;
}

/* Appends a character in canonical order: marks with a lower combining class move before those with a higher one, back
 * to `run_start`. Places in the original text stay in reading order. */
static void append(struct normalized_word *word, const struct normalized_char *next, size_t run_start) {
    size_t at = word->char_count++;
    word->begin = at == 0 ? next->begin : word->begin;
    word->end = next->end;
    if (at >= NORMALIZE_MAX_WORD_CHARS)
        return;
    word->chars[at] = *next;
    if (next->combining_class == 0)
        return;
    for (; at > run_start && word->chars[at - 1].combining_class > next->combining_class; at--) {
        word->chars[at].code_point = word->chars[at - 1].code_point;
        word->chars[at].combining_class = word->chars[at - 1].combining_class;
    }
    word->chars[at].code_point = next->code_point;
    word->chars[at].combining_class = next->combining_class;
}

static void write_text(struct normalized_word *word) {
    size_t count = word->char_count < NORMALIZE_MAX_WORD_CHARS ? word->char_count : NORMALIZE_MAX_WORD_CHARS;
    word->text_size = 0;
    for (size_t i = 0; i < count; i++)
        word->text_size += utf8_encode(word->chars[i].code_point, word->text + word->text_size);
}

bool normalizer_next_word(struct normalizer *normalizer, struct normalized_word *ret) {
    ret->char_count = 0;
    size_t run_start = 0; /* marks are not reordered across this place */
    for (enum step step = advance(normalizer); step != STEP_END; step = advance(normalizer)) {
        if (step == STEP_STARTER_STRIPPED) {
            run_start = ret->char_count;
            continue;
        }
        if (step == STEP_SPACE) {
            if (ret->char_count > 0)
                break;
            continue;
        }
        const struct normalized_char *next = &normalizer->pending[normalizer->pending_at];
        if (next->isolated && ret->char_count > 0)
            break; /* it stays in pending and begins the next word */
        normalizer->pending_at++;
        run_start = next->combining_class == 0 ? ret->char_count : run_start;
        append(ret, next, run_start);
        if (next->isolated)
            break;
    }
    write_text(ret);
    return ret->char_count > 0;
}
