/* slice.h: a borrowed run of bytes (often text, never NUL-terminated). Whoever made the bytes owns them. */
#ifndef INFERD_BASE_SLICE_H
#define INFERD_BASE_SLICE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct slice {
    const char *data; /* may be NULL when size is 0 */
    size_t size;      /* bytes */
};

/* Of a literal: as an initializer, and as a value. */
#define SLICE_INIT(text)                                                                                               \
    { (text), sizeof(text) - 1 }
#define SLICE_LITERAL(text) ((struct slice)SLICE_INIT(text))
/* For printf: "%.*s", SLICE_ARGS(s). Long slices are cut at 200 bytes so that messages stay readable. */
#define SLICE_ARGS(s) (int)((s).size > 200 ? 200 : (s).size), ((s).data ? (s).data : "")

enum { SLICE_SHOWN_BYTES = 4 * 200 };
/* At most 200 bytes of a text as printf shows them whole, with "\x00" for a NUL, which would end it; in `room`. */
struct slice slice_shown(struct slice s, char room[static SLICE_SHOWN_BYTES]);

/* Borrows; NULL gives an empty slice. Inline, as the next two, so that a literal's size is known to the compiler. */
static inline struct slice slice_of(const char *text) {
    return (struct slice){text, text ? strlen(text) : 0};
}
static inline bool slice_equal(struct slice a, struct slice b) {
    return a.size == b.size && (a.size == 0 || memcmp(a.data, b.data, a.size) == 0);
}
/* Most texts that are looked for in a table differ in the first byte: their length is not asked for. */
static inline bool slice_equal_text(struct slice a, const char *text) {
    if (a.size > 0 && a.data[0] != text[0])
        return false;
    return slice_equal(a, slice_of(text));
}
/* ASCII case is ignored. */
bool slice_equal_nocase(struct slice a, struct slice b);
bool slice_starts_with(struct slice s, struct slice prefix);
bool slice_ends_with(struct slice s, struct slice suffix);
/* Without leading and trailing space, tab, CR, LF. */
struct slice slice_trim(struct slice s);
/* Splits at the first `separator`: true and both parts, or false (then *ret_head is all of s, *ret_tail empty). */
bool slice_split(struct slice s, char separator, struct slice *ret_head, struct slice *ret_tail);

/* Whole-slice decimal numbers: false (and *ret untouched) on an empty slice, other characters or overflow. */
bool slice_to_u64(struct slice s, uint64_t *ret);
bool slice_to_i64(struct slice s, int64_t *ret);
bool slice_to_double(struct slice s, double *ret); /* C locale, no hexadecimal, no surrounding blanks */

enum { SLICE_U64_DIGITS = 20 };
/* The number in decimal, somewhere in `room`. */
struct slice slice_from_u64(uint64_t value, char room[static SLICE_U64_DIGITS]);

/* Bytes of the UTF-8 character that `s` begins with; 0 when it is empty or begins with something else. */
size_t slice_utf8_length(struct slice s);
/* True when the bytes are valid UTF-8 (no surrogates, nothing above U+10FFFF, shortest form). */
bool slice_is_utf8(struct slice s);
/* How many bytes of it are that, from the start. */
size_t slice_utf8_prefix(struct slice s);

#endif
