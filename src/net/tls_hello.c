#include "net/tls_hello.h"

enum { RECORD_HANDSHAKE = 22, MESSAGE_CLIENT_HELLO = 1, RECORD_MAX = (16 << 10) + 256 };

static bool is_letter(unsigned char c) {
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
}

/* The five bytes of a record's head are there: type, version 3.x, length. */
static enum tls_hello_verdict begin_record(struct tls_hello *hello) {
    const unsigned char *head = hello->record;
    hello->record_left = (size_t)head[3] << 8 | head[4];
    if (head[1] != 3 || hello->record_left == 0 || hello->record_left > RECORD_MAX)
        return TLS_HELLO_FOREIGN;
    return !hello->complete && head[0] != RECORD_HANDSHAKE ? TLS_HELLO_FOREIGN : TLS_HELLO_GOOD;
}

/* The four bytes of a handshake message's head are there: type, length. */
static enum tls_hello_verdict begin_message(struct tls_hello *hello) {
    const unsigned char *head = hello->message;
    hello->message_left = (size_t)head[1] << 16 | (size_t)head[2] << 8 | head[3];
    if (head[0] != MESSAGE_CLIENT_HELLO)
        return TLS_HELLO_FOREIGN;
    return hello->message_left > TLS_HELLO_MAX ? TLS_HELLO_TOO_LONG : TLS_HELLO_GOOD;
}

/* Takes bytes of a record's payload; how many. */
static size_t take_payload(struct tls_hello *hello, const unsigned char *data, size_t size) {
    if (size > hello->record_left)
        size = hello->record_left;
    if (hello->record[0] == RECORD_HANDSHAKE && hello->message_at < sizeof hello->message) {
        hello->message[hello->message_at++] = data[0];
        size = 1;
        if (hello->message_at == sizeof hello->message)
            hello->verdict = begin_message(hello);
    } else if (hello->record[0] == RECORD_HANDSHAKE) {
        if (size > hello->message_left)
            size = hello->message_left;
        hello->message_left -= size;
    }
    if (hello->message_at == sizeof hello->message && hello->message_left == 0) {
        hello->message_at = 0;
        hello->complete = true;
    }
    hello->record_left -= size;
    if (hello->record_left == 0)
        hello->record_at = 0;
    return size;
}

enum tls_hello_verdict tls_hello_take(struct tls_hello *hello, const unsigned char *data, size_t size) {
    if (!hello->began && size > 0) {
        hello->began = true;
        if (is_letter(data[0]))
            hello->verdict = TLS_HELLO_TEXT;
        else if (data[0] != RECORD_HANDSHAKE)
            hello->verdict = TLS_HELLO_FOREIGN;
    }
    for (size_t at = 0; at < size && hello->verdict == TLS_HELLO_GOOD;) {
        if (hello->record_at < sizeof hello->record) {
            hello->record[hello->record_at++] = data[at++];
            if (hello->record_at == sizeof hello->record)
                hello->verdict = begin_record(hello);
        } else {
            at += take_payload(hello, data + at, size - at);
        }
    }
    return hello->verdict;
}
