#include "text/normalize.h"

/* What the next stretch of text turned out to be. */
enum step { STEP_END, STEP_SPACE, STEP_STARTER_STRIPPED, STEP_CHARS };

void normalizer_init(struct normalizer *normalizer, struct slice text, struct normalizer_options options) {
    normalizer->text = text;
    normalizer->options = options;
    normalizer->fold = (options.strip_accents ? UNICODE_STRIP : 0u) | (options.lowercase ? UNICODE_LOWER : 0u);
    normalizer->at = 0;
    normalizer->pending_at = 0;
    normalizer->pending_count = 0;
}

/* Puts what the original character before normalizer->at becomes into pending; how many characters that is (0: a
 * stripped mark). */
static size_t fold_character(struct normalizer *normalizer, uint32_t code_point, unsigned flags, size_t begin) {
    uint32_t folded[UNICODE_MAX_MAPPING];
    bool cjk = normalizer->options.split_cjk && flags & UNICODE_CJK;
    size_t count = unicode_bert_fold(code_point, normalizer->fold, folded);
    for (size_t i = 0; i < count; i++) {
        normalizer->pending[i] = (struct normalized_char){
            .code_point = folded[i],
            .begin = (uint32_t)begin,
            .end = (uint32_t)normalizer->at,
            .combining_class = normalizer->options.strip_accents ? unicode_combining_class(folded[i]) : 0,
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
        if (fold_character(normalizer, code_point, flags, begin) > 0)
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

/* ---- ASCII, which is most of English text ---- */

/* Letters and digits: nothing happens to them but the lower case. */
static bool is_plain(unsigned char c) {
    return (unsigned char)((c | 0x20) - 'a') < 26 || (unsigned char)(c - '0') < 10;
}

/* Punctuation, a word of its own. */
static bool is_ascii_mark(unsigned char c) {
    return c > ' ' && c < 0x7F && !is_plain(c);
}

/* Appends the plain characters that come next, as the general way would do it. */
static void append_plain(struct normalizer *normalizer, struct normalized_word *word) {
    const char *text = normalizer->text.data;
    size_t at = normalizer->at, count = word->char_count;
    while (at < normalizer->text.size && count < NORMALIZE_MAX_WORD_CHARS && is_plain((unsigned char)text[at])) {
        unsigned char c = (unsigned char)text[at];
        bool is_capital = (unsigned char)(c - 'A') < 26;
        c = normalizer->options.lowercase && is_capital ? c | 0x20 : c;
        word->text[count] = (char)c; /* right while all of the word is plain */
        word->chars[count++] =
            (struct normalized_char){.code_point = c, .begin = (uint32_t)at, .end = (uint32_t)(at + 1)};
        at++;
    }
    if (count == word->char_count)
        return;
    word->begin = word->chars[0].begin;
    word->end = (uint32_t)at;
    word->char_count = count;
    normalizer->at = at;
}

static void take_mark(struct normalizer *normalizer, struct normalized_word *word) {
    uint32_t at = (uint32_t)normalizer->at++;
    char mark = normalizer->text.data[at];
    word->text[0] = mark;
    word->text_size = word->char_count = 1;
    word->begin = at;
    word->end = at + 1;
    word->chars[0] =
        (struct normalized_char){.code_point = (unsigned char)mark, .begin = at, .end = at + 1, .isolated = true};
}

/* Begins the next word. True when it is complete: a mark, or plain characters behind which a word cannot go on. */
static bool take_ascii(struct normalizer *normalizer, struct normalized_word *word) {
    const unsigned char *text = (const unsigned char *)normalizer->text.data;
    size_t size = normalizer->text.size;
    word->char_count = 0;
    if (normalizer->pending_at < normalizer->pending_count)
        return false;
    while (normalizer->at < size && text[normalizer->at] == ' ')
        normalizer->at++;
    if (normalizer->at < size && is_ascii_mark(text[normalizer->at])) {
        take_mark(normalizer, word);
        return true;
    }
    append_plain(normalizer, word);
    word->text_size = word->char_count;
    bool ends = normalizer->at == size || text[normalizer->at] == ' ' || is_ascii_mark(text[normalizer->at]);
    return word->char_count > 0 && ends;
}

bool normalizer_next_word(struct normalizer *normalizer, struct normalized_word *ret) {
    if (take_ascii(normalizer, ret))
        return true;
    /* Marks are not reordered across this place. */
    size_t run_start = ret->char_count > 0 ? ret->char_count - 1 : 0;
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
