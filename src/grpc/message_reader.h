/* message_reader.h: takes length-prefixed messages out of a byte stream (PROTOCOL-HTTP2.md: flag, 32-bit length,
 * message); compressed ones are message_unpack's to unpack. */
#ifndef INFERD_GRPC_MESSAGE_READER_H
#define INFERD_GRPC_MESSAGE_READER_H

#include "base/buf.h"
#include "base/status.h"
#include "grpc/metadata.h"

enum { MESSAGE_PREFIX_BYTES = 5 };

struct message_reader {
    enum grpc_encoding encoding;
    size_t max_bytes; /* of a message as it comes */
    unsigned char prefix[MESSAGE_PREFIX_BYTES];
    size_t prefix_size;
    size_t wanted;      /* size of the message, once the prefix is complete */
    size_t used;        /* of the message's memory, by message_reader_misplaced */
    struct buf message; /* as far as it has come; its memory grows with what comes, not with what is promised */
};

/* Takes bytes up to the end of the message under way; *ret_taken of them. *ret_complete: reader->message is a whole
 * message, as it came; take it out or leave it, then call message_reader_next. Errors: INTERNAL for framing that cannot
 * be, RESOURCE_EXHAUSTED for messages over the limit. */
struct status message_reader_take(struct message_reader *reader, const char *data, size_t n, size_t *ret_taken,
                                  bool *ret_complete) STATUS_MUST_CHECK;
/* Where the next bytes of the message under way may be put before they are taken, *ret_room of them: they need not be
 * copied then. NULL: nowhere. */
char *message_reader_place(struct message_reader *reader, size_t *ret_room);
/* Other bytes were put there, up to `end`. */
void message_reader_misplaced(struct message_reader *reader, const char *end);
/* Bytes of memory that the message under way uses: as many as have come, or more where others were put there. */
static inline size_t message_reader_used(const struct message_reader *reader) {
    return reader->used > reader->message.size ? reader->used : reader->message.size;
}
/* Whether the message, which is complete, came compressed. */
bool message_reader_is_packed(const struct message_reader *reader);
void message_reader_next(struct message_reader *reader);
/* True between messages. */
bool message_reader_is_empty(const struct message_reader *reader);
void message_reader_free(struct message_reader *reader);

#endif
