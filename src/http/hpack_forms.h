/* hpack_forms.h: how the forms that a field takes in a header block are told apart (RFC 7541 section 6). Only the
 * encoder, the decoder and their tests include this. */
#ifndef INFERD_HTTP_HPACK_FORMS_H
#define INFERD_HTTP_HPACK_FORMS_H

/* The highest bit set of the first byte names the form; the _BITS below begin a number. */
enum {
    HPACK_INDEXED = 0x80,
    HPACK_INDEXED_BITS = 7,
    HPACK_LITERAL_INDEXED = 0x40, /* "with incremental indexing" */
    HPACK_LITERAL_INDEXED_BITS = 6,
    HPACK_SIZE_UPDATE = 0x20,
    HPACK_SIZE_UPDATE_BITS = 5,
    HPACK_LITERAL = 0, /* "without indexing"; "never indexed", 0x10, is the same to us */
    HPACK_LITERAL_BITS = 4,
    HPACK_STRING_HUFFMAN = 0x80, /* of a text's first byte */
    HPACK_STRING_BITS = 7
};

#endif
