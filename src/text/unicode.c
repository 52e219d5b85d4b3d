#include "text/unicode.h"

enum { FOLDS = UNICODE_STRIP | UNICODE_LOWER };

/* One row of the table, shared by all code points that agree in everything. A mapping is a run of unicode_pool. Rows
 * are 16 bytes apart, so that a shift finds them: tokenizing what is not ASCII is faster for it. */
struct unicode_record {
    _Alignas(16) uint8_t flags;
    uint8_t combining_class;
    uint8_t fold_count[FOLDS]; /* of enum unicode_fold less 1: code points, or a mark, FOLD_SELF or FOLD_HANGUL */
    uint8_t lower_count;       /* code points; 0: itself */
    uint16_t fold[FOLDS];      /* where the mappings begin in the pool */
    uint16_t lower;
};

#include "text/unicode_tables.inc"

static const struct unicode_record *record_of(uint32_t code_point) {
    if (code_point > 0x10FFFF)
        code_point = UNICODE_REPLACEMENT;
    uint32_t page = unicode_page_of[code_point >> UNICODE_PAGE_BITS];
    uint32_t in_page = code_point & ((1u << UNICODE_PAGE_BITS) - 1);
    return &unicode_records[unicode_pages[(page << UNICODE_PAGE_BITS) + in_page]];
}

unsigned unicode_flags(uint32_t code_point) {
    return record_of(code_point)->flags;
}

uint8_t unicode_combining_class(uint32_t code_point) {
    return record_of(code_point)->combining_class;
}

static size_t copy_from_pool(size_t at, size_t count, uint32_t *ret) {
    for (size_t i = 0; i < count; i++)
        ret[i] = unicode_pool[at + i];
    return count;
}

/* Hangul syllables decompose by arithmetic (The Unicode Standard, section 3.12). */
static size_t decompose_hangul(uint32_t syllable, uint32_t *ret) {
    enum { SYLLABLES = 0xAC00, LEADS = 0x1100, VOWELS = 0x1161, TAILS = 0x11A7, VOWEL_COUNT = 21, TAIL_COUNT = 28 };
    uint32_t index = syllable - SYLLABLES;
    ret[0] = LEADS + index / (VOWEL_COUNT * TAIL_COUNT);
    ret[1] = VOWELS + index / TAIL_COUNT % VOWEL_COUNT;
    ret[2] = TAILS + index % TAIL_COUNT;
    return index % TAIL_COUNT ? 3 : 2;
}

size_t unicode_bert_fold(uint32_t code_point, unsigned how, uint32_t ret[UNICODE_MAX_MAPPING]) {
    const struct unicode_record *record = record_of(code_point);
    if (how == 0 || record->fold_count[how - 1] == FOLD_SELF) {
        ret[0] = code_point;
        return 1;
    }
    if (record->fold_count[how - 1] == FOLD_HANGUL)
        return decompose_hangul(code_point, ret);
    return copy_from_pool(record->fold[how - 1], record->fold_count[how - 1], ret);
}

size_t unicode_python_lower(uint32_t code_point, uint32_t ret[UNICODE_MAX_MAPPING]) {
    const struct unicode_record *record = record_of(code_point);
    if (record->lower_count == 0) {
        ret[0] = code_point;
        return 1;
    }
    return copy_from_pool(record->lower, record->lower_count, ret);
}

/* Length of the character that begins with this byte by Unicode's table 3-7, and the range its second byte must lie in;
 * 0 for a byte that begins none. */
static size_t utf8_lead(unsigned char lead, unsigned char *ret_low, unsigned char *ret_high) {
    *ret_low = lead == 0xE0 ? 0xA0 : lead == 0xF0 ? 0x90 : 0x80;
    *ret_high = lead == 0xED ? 0x9F : lead == 0xF4 ? 0x8F : 0xBF;
    if (lead < 0xC2 || lead > 0xF4)
        return 0;
    return lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : 4;
}

size_t utf8_decode(struct slice text, uint32_t *ret) {
    const unsigned char *p = (const unsigned char *)text.data;
    if (p[0] < 0x80) {
        *ret = p[0];
        return 1;
    }
    unsigned char low, high;
    size_t length = utf8_lead(p[0], &low, &high);
    *ret = UNICODE_REPLACEMENT;
    if (length == 0 || text.size < length || p[1] < low || p[1] > high)
        return 1;
    uint32_t code_point = p[0] & (0x7Fu >> length);
    for (size_t i = 1; i < length; i++) {
        if ((p[i] & 0xC0) != 0x80)
            return 1;
        code_point = code_point << 6 | (p[i] & 0x3Fu);
    }
    *ret = code_point;
    return length;
}

size_t utf8_encode(uint32_t code_point, char ret[UTF8_MAX_BYTES]) {
    if (code_point < 0x80) {
        ret[0] = (char)code_point;
        return 1;
    }
    size_t length = code_point < 0x800 ? 2 : code_point < 0x10000 ? 3 : 4;
    for (size_t i = length - 1; i > 0; i--) {
        ret[i] = (char)(0x80 | (code_point & 0x3F));
        code_point >>= 6;
    }
    ret[0] = (char)((0xF00u >> length & 0xF0u) | code_point);
    return length;
}

size_t utf8_count(struct slice text) {
    size_t count = 0;
    for (size_t i = 0; i < text.size; i++)
        count += (text.data[i] & 0xC0) != 0x80;
    return count;
}
