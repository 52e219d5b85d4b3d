/* hpack_huffman.h: texts in the Huffman code of HPACK (RFC 7541 section 5.2). Only http/ and its tests include this.
 *
 * Thread: any. */
#ifndef INFERD_HTTP_HPACK_HUFFMAN_H
#define INFERD_HTTP_HPACK_HUFFMAN_H

#include "base/buf.h"

/* Appends the text that the coded bytes stand for, which is at most 8/5 of their size. False: they are no such code
 * (the end symbol within, padding of eight bits or more or with a zero in it), or memory is short (buf_failed). */
bool hpack_huffman_decode(struct slice coded, struct buf *text);

#endif
