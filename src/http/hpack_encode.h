/* hpack_encode.h: fields to header blocks of HTTP/2 (RFC 7541). Only http/ and its tests include this.
 *
 * Owner: the session, one encoder a connection. Thread: the session's. */
#ifndef INFERD_HTTP_HPACK_ENCODE_H
#define INFERD_HTTP_HPACK_ENCODE_H

#include "base/buf.h"
#include "http/hpack_table.h"

struct hpack_encoder {
    struct hpack_table table;
    size_t limit;        /* of the table, as the next block has to tell if update_due */
    size_t lowest_limit; /* that was set since the last block (section 4.2) */
    bool update_due;
};

void hpack_encoder_init(struct hpack_encoder *encoder);
void hpack_encoder_free(struct hpack_encoder *encoder);
/* The peer's SETTINGS_HEADER_TABLE_SIZE; more than HPACK_TABLE_DEFAULT is not made use of. */
void hpack_encoder_set_limit(struct hpack_encoder *encoder, uint32_t bytes);
/* Begins a block at the end of `out`: the table's new size, if the peer has to be told. */
void hpack_encode_begin(struct hpack_encoder *encoder, struct buf *out);
/* Appends a field, whose name is in lower case. index: it is likely to come again, so that the peer is to remember it;
 * otherwise it leaves the tables alone. When memory is short the buffer fails (buf_failed) and the connection is lost.
 */
void hpack_encode(struct hpack_encoder *encoder, struct hpack_field field, bool index, struct buf *out);

#endif
