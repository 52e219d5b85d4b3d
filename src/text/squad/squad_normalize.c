#include "text/squad/squad_normalize.h"

#include "text/unicode.h"

/* The output under construction. The words a, an and the are recognised when the run of word characters around them
 * ends, and then taken back. */
struct writer {
    struct buf *out;
    size_t base;       /* where this answer begins in `out` */
    bool gap;          /* white space was seen since the last character */
    bool in_word;      /* the last character is a word character */
    size_t word_mark;  /* where `out` ended before the current word and the gap before it */
    size_t word_begin; /* where the current word begins */
};

static bool is_article(struct slice word) {
    return slice_equal_text(word, "a") || slice_equal_text(word, "an") || slice_equal_text(word, "the");
}

/* A word run has ended: an article goes, and leaves a gap. */
static void end_word(struct writer *writer) {
    struct buf *out = writer->out;
    if (writer->in_word && !buf_failed(out) &&
        is_article((struct slice){out->data + writer->word_begin, out->size - writer->word_begin})) {
        out->size = writer->word_mark;
        writer->gap = true;
    }
    writer->in_word = false;
}

static void put(struct writer *writer, uint32_t code_point, bool word_character) {
    char bytes[UTF8_MAX_BYTES];
    size_t mark = writer->out->size;
    if (writer->gap && mark > writer->base)
        buf_append_char(writer->out, ' ');
    writer->gap = false;
    if (word_character && !writer->in_word) {
        writer->in_word = true;
        writer->word_mark = mark;
        writer->word_begin = writer->out->size;
    }
    buf_append(writer->out, bytes, utf8_encode(code_point, bytes));
}

/* string.punctuation */
static bool is_ascii_punctuation(uint32_t c) {
    return (c >= '!' && c <= '/') || (c >= ':' && c <= '@') || (c >= '[' && c <= '`') || (c >= '{' && c <= '~');
}

/* str.lower's rule for a capital sigma at the end of a word: a cased letter stands before it and none after it, looking
 * past characters that are case-ignorable. */
static bool cased_follows(struct slice rest) {
    while (rest.size > 0) {
        uint32_t code_point;
        size_t size = utf8_decode(rest, &code_point);
        unsigned flags = unicode_flags(code_point);
        if (!(flags & UNICODE_PY_CASE_IGNORABLE))
            return flags & UNICODE_PY_CASED;
        rest = (struct slice){rest.data + size, rest.size - size};
    }
    return false;
}

static size_t lower(uint32_t code_point, bool cased_before, struct slice rest, uint32_t ret[UNICODE_MAX_MAPPING]) {
    enum { CAPITAL_SIGMA = 0x3A3, FINAL_SIGMA = 0x3C2 };
    if (code_point == CAPITAL_SIGMA && cased_before && !cased_follows(rest)) {
        ret[0] = FINAL_SIGMA;
        return 1;
    }
    return unicode_python_lower(code_point, ret);
}

static void take(struct writer *writer, uint32_t code_point) {
    unsigned flags = unicode_flags(code_point);
    if (is_ascii_punctuation(code_point))
        return;
    if (!(flags & UNICODE_PY_ALNUM))
        end_word(writer);
    if (flags & UNICODE_PY_SPACE)
        writer->gap = true;
    else
        put(writer, code_point, flags & UNICODE_PY_ALNUM);
}

void squad_normalize_answer(struct slice text, struct buf *out) {
    struct writer writer = {.out = out, .base = out->size};
    bool cased_before = false;
    for (size_t at = 0; at < text.size;) {
        uint32_t code_point, lowered[UNICODE_MAX_MAPPING];
        at += utf8_decode((struct slice){text.data + at, text.size - at}, &code_point);
        size_t count = lower(code_point, cased_before, (struct slice){text.data + at, text.size - at}, lowered);
        for (size_t i = 0; i < count; i++)
            take(&writer, lowered[i]);
        if (!(unicode_flags(code_point) & UNICODE_PY_CASE_IGNORABLE))
            cased_before = unicode_flags(code_point) & UNICODE_PY_CASED;
    }
    end_word(&writer);
}
