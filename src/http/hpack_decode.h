/* hpack_decode.h: header blocks of HTTP/2 to fields (RFC 7541). Only http/ and its tests include this.
 *
 * Owner: the session, one decoder a connection. Thread: the session's. */
#ifndef INFERD_HTTP_HPACK_DECODE_H
#define INFERD_HTTP_HPACK_DECODE_H

#include "base/buf.h"
#include "http/hpack_table.h"

struct hpack_decoder {
    struct hpack_table table;
    struct buf name, value; /* texts that were Huffman-coded */
    bool field_seen;        /* in this block: the table's size can no longer be changed in it */
};

enum hpack_outcome {
    HPACK_FIELD,    /* *ret is the next one */
    HPACK_END,      /* the block holds no more */
    HPACK_BROKEN,   /* against RFC 7541: the tables of both sides differ from now on, the connection is lost */
    HPACK_NO_MEMORY /* as bad */
};

void hpack_decoder_init(struct hpack_decoder *decoder);
void hpack_decoder_free(struct hpack_decoder *decoder);
/* Before the first field of each block. */
void hpack_decode_begin(struct hpack_decoder *decoder);
/* Takes the next field off the front of *block, which begins as the whole block (of HEADERS and all CONTINUATION
 * frames). The field's texts are good until the next call. Bounds: a text is no longer than what its Huffman code can
 * hold, and as the block is bounded by the session, so are the texts. */
enum hpack_outcome hpack_decode_next(struct hpack_decoder *decoder, struct slice *block, struct hpack_field *ret);

#endif
