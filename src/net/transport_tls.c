/* transport_tls.c: TLS by OpenSSL over a non-blocking socket.
 *
 *   handshake --done--> established --close_notify of either side--> ended
 *        \--not TLS, too long, not acceptable--> refused: an alert (or text) is out, the rest is dropped
 *
 * OpenSSL reads and writes through a BIO of ours, which bounds what a handshake may take and looks at its first bytes.
 * Source: RFC 8446, section 6.1: data that ends without close_notify is truncated, and the connection lost. */
#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include <openssl/err.h>

#include "net/net_limits.h"
#include "net/tls_context_priv.h"
#include "net/tls_hello.h"
#include "net/transport.h"

struct tls {
    SSL *ssl;
    int fd;
    const struct tls_client_context *client; /* NULL: the server's side, which has the next two */
    struct slice text_refusal;
    struct tls_hello hello;
    const char *host; /* the client's side: whom it greets */
    size_t handshake_bytes;
    bool established;
    bool refused;
    bool broken;      /* OpenSSL forbids further calls */
    bool drained;     /* the last read of the descriptor left nothing in it */
    size_t allowance; /* bytes that the read under way may still take from it */
    bool unread;      /* that read was cut short by its own bounds */
};

/* ---- OpenSSL's way to the socket ---- */

/* True when the peer's part of the handshake goes too far. */
static bool is_unacceptable(struct tls *tls, const char *data, size_t size) {
    tls->handshake_bytes += size;
    if (tls->handshake_bytes > NET_HANDSHAKE_MAX)
        return true;
    if (tls->client)
        return false;
    if (tls->hello.complete && SSL_version(tls->ssl) != TLS1_3_VERSION)
        return false;
    return tls_hello_take(&tls->hello, (const unsigned char *)data, size) != TLS_HELLO_GOOD;
}

static int bio_read(BIO *bio, char *data, int size) {
    struct tls *tls = BIO_get_data(bio);
    size_t wanted = (size_t)size < tls->allowance ? (size_t)size : tls->allowance;
    ssize_t n;
    BIO_clear_retry_flags(bio);
    if (wanted == 0) { /* of a client that sends nothing but key updates, say: others get their turn */
        tls->unread = true;
        BIO_set_retry_read(bio);
        return -1;
    }
    do
        n = recv(tls->fd, data, wanted, 0);
    while (n < 0 && errno == EINTR);
    tls->drained = n < (ssize_t)wanted;
    if (n > 0)
        tls->allowance -= (size_t)n;
    if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
        BIO_set_retry_read(bio);
    if (n > 0 && !tls->established && is_unacceptable(tls, data, (size_t)n)) {
        tls->refused = true;
        return -1;
    }
    return (int)n;
}

static int bio_write(BIO *bio, const char *data, int size) {
    struct tls *tls = BIO_get_data(bio);
    ssize_t n;
    BIO_clear_retry_flags(bio);
    do
        n = send(tls->fd, data, (size_t)size, MSG_NOSIGNAL);
    while (n < 0 && errno == EINTR);
    if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
        BIO_set_retry_write(bio);
    return (int)n;
}

static long bio_ctrl(BIO *bio, int command, long number, void *pointer) {
    (void)bio, (void)number, (void)pointer;
    return command == BIO_CTRL_FLUSH; /* nothing is held back here; all else is not supported */
}

static int bio_create(BIO *bio) {
    BIO_set_init(bio, 1);
    return 1;
}

BIO_METHOD *transport_tls_bio_method(void) {
    BIO_METHOD *method = BIO_meth_new(BIO_TYPE_SOURCE_SINK, "inferd socket");
    if (!method)
        return NULL;
    BIO_meth_set_read(method, bio_read);
    BIO_meth_set_write(method, bio_write);
    BIO_meth_set_ctrl(method, bio_ctrl);
    BIO_meth_set_create(method, bio_create);
    return method;
}

/* ---- reading ---- */

/* The handshake has failed on the peer's account; OpenSSL has sent an alert where there was one to send. */
static enum transport_outcome refuse(struct tls *tls) {
    tls->refused = tls->broken = true;
    if (tls->hello.verdict == TLS_HELLO_TEXT) {
        ssize_t sent = send(tls->fd, tls->text_refusal.data, tls->text_refusal.size, MSG_NOSIGNAL);
        (void)sent; /* the first bytes on a connection: they fit, or the peer is gone */
    }
    return TRANSPORT_REFUSED;
}

/* Why OpenSSL gave up, in its own words where it has some that say so; errno's otherwise. */
static const char *last_reason(void) {
    unsigned long error = ERR_peek_last_error();
    if (ERR_GET_LIB(error) == ERR_LIB_SSL && ERR_GET_REASON(error) == SSL_R_WRONG_VERSION_NUMBER)
        return "the peer does not speak TLS";
    return error && ERR_GET_LIB(error) != ERR_LIB_SYS ? ERR_reason_error_string(error) : NULL;
}

static enum transport_outcome read_error(struct transport *transport, int result) {
    struct tls *tls = transport->tls;
    switch (SSL_get_error(tls->ssl, result)) {
    case SSL_ERROR_WANT_READ:
        return TRANSPORT_BLOCKED;
    case SSL_ERROR_WANT_WRITE:
        transport->read_wants_write = true;
        return TRANSPORT_BLOCKED;
    case SSL_ERROR_ZERO_RETURN:
        return TRANSPORT_END;
    case SSL_ERROR_SSL:
        if (!tls->established)
            return refuse(tls);
        break;
    default:
        break;
    }
    if (tls->refused)
        return refuse(tls);
    tls->broken = true;
    transport->problem = last_reason();
    return TRANSPORT_LOST;
}

/* Of a peer that was refused: so that what it was told is not lost to a reset. */
static enum transport_outcome drop(const struct tls *tls, char *data, size_t size, size_t *ret_n) {
    ssize_t n = recv(tls->fd, data, size, 0);
    if (n < 0)
        return errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR ? TRANSPORT_BLOCKED : TRANSPORT_LOST;
    *ret_n = (size_t)n;
    return n == 0 ? TRANSPORT_END : TRANSPORT_DONE;
}

/* Takes record after record until `data` is full or no more is there. */
static enum transport_outcome tls_read(struct transport *transport, char *data, size_t size, size_t *ret_n) {
    struct tls *tls = transport->tls;
    enum transport_outcome outcome = TRANSPORT_DONE;
    size_t total = 0;
    if (tls->refused)
        return drop(tls, data, size, ret_n);
    if (tls->broken)
        return TRANSPORT_LOST;
    transport->read_wants_write = false;
    tls->unread = false;
    tls->allowance = size + NET_TLS_OVERHEAD_MAX;
    ERR_clear_error();
    do {
        size_t n = 0;
        int result = SSL_read_ex(tls->ssl, data + total, size - total, &n);
        tls->established = tls->established || SSL_is_init_finished(tls->ssl);
        if (result != 1)
            outcome = read_error(transport, result);
        total += n;
    } while (outcome == TRANSPORT_DONE && total < size && (!tls->drained || SSL_has_pending(tls->ssl)));
    if (total == size || (total > 0 && outcome != TRANSPORT_DONE && outcome != TRANSPORT_BLOCKED))
        tls->unread = true;
    *ret_n = total;
    return total > 0 ? TRANSPORT_DONE : outcome;
}

static bool tls_has_unread(const struct transport *transport) {
    return transport->tls->unread;
}

static struct slice tls_protocol(const struct transport *transport) {
    const unsigned char *name = NULL;
    unsigned size = 0;
    SSL_get0_alpn_selected(transport->tls->ssl, &name, &size);
    return (struct slice){(const char *)name, size};
}

/* ---- writing ---- */

/* WANT_READ cannot come: there is nothing to write before the handshake, and no handshake after it. */
static enum transport_outcome tls_write(struct transport *transport, const struct iovec *parts, size_t count,
                                        size_t *ret_n) {
    (void)count;
    struct tls *tls = transport->tls;
    if (tls->broken)
        return TRANSPORT_LOST;
    ERR_clear_error();
    int result = SSL_write_ex(tls->ssl, parts->iov_base, parts->iov_len, ret_n);
    if (result == 1)
        return TRANSPORT_DONE;
    if (SSL_get_error(tls->ssl, result) == SSL_ERROR_WANT_WRITE)
        return TRANSPORT_BLOCKED;
    tls->broken = true;
    transport->problem = last_reason();
    return TRANSPORT_LOST;
}

static enum transport_outcome tls_end(struct transport *transport) {
    struct tls *tls = transport->tls;
    if (tls->established && !tls->broken) {
        ERR_clear_error();
        int result = SSL_shutdown(tls->ssl);
        if (result < 0 && SSL_get_error(tls->ssl, result) == SSL_ERROR_WANT_WRITE)
            return TRANSPORT_BLOCKED;
    }
    shutdown(tls->fd, SHUT_WR);
    return TRANSPORT_DONE;
}

/* ---- the client's handshake ---- */

static enum transport_outcome greet_failed(struct transport *transport, const char *problem) {
    transport->tls->broken = true;
    transport->problem = problem;
    return TRANSPORT_LOST;
}

static enum transport_outcome tls_greet(struct transport *transport) {
    struct tls *tls = transport->tls;
    if (tls->established || tls->broken)
        return tls->broken ? TRANSPORT_LOST : TRANSPORT_DONE;
    transport->read_wants_write = false;
    tls->allowance = NET_HANDSHAKE_MAX;
    ERR_clear_error();
    errno = 0;
    int result = SSL_do_handshake(tls->ssl);
    if (result != 1) {
        int error = SSL_get_error(tls->ssl, result);
        const char *refusal = tls_client_context_refusal(tls->ssl), *reason = refusal ? refusal : last_reason();
        transport->read_wants_write = error == SSL_ERROR_WANT_WRITE;
        if (error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE)
            return TRANSPORT_BLOCKED;
        if (tls->refused)
            reason = "the server's part of the handshake is too long";
        return greet_failed(transport, reason || errno ? reason : "the server has ended the connection");
    }
    tls->established = true;
    const char *objection = tls_client_context_judge(tls->client, tls->ssl, tls->host);
    return objection ? greet_failed(transport, objection) : TRANSPORT_DONE;
}

/* ---- life ---- */

static void tls_close(struct transport *transport) {
    SSL_free(transport->tls->ssl); /* and the BIO */
    free(transport->tls);
    transport->tls = NULL;
    close(transport->fd);
    transport->fd = -1;
}

/* Takes `ssl`, unless memory is short. */
static bool make(const struct tls *values, const BIO_METHOD *method, struct transport *ret) {
    static const struct transport_ops ops = {.read = tls_read,
                                             .write = tls_write,
                                             .end = tls_end,
                                             .has_unread = tls_has_unread,
                                             .protocol = tls_protocol,
                                             .greet = tls_greet,
                                             .close = tls_close};
    struct tls *tls = calloc(1, sizeof *tls);
    BIO *bio = BIO_new(method);
    if (!tls || !values->ssl || !bio) {
        free(tls);
        SSL_free(values->ssl);
        BIO_free(bio);
        ERR_clear_error();
        return false;
    }
    *tls = *values;
    BIO_set_data(bio, tls);
    SSL_set_bio(tls->ssl, bio, bio);
    *ret = (struct transport){.ops = &ops, .fd = tls->fd, .tls = tls};
    return true;
}

bool transport_tls(struct tls_context *context, int fd, struct slice text_refusal, struct transport *ret) {
    const struct tls values = {.ssl = tls_context_new_ssl(context), .fd = fd, .text_refusal = text_refusal};
    if (!make(&values, tls_context_bio_method(context), ret))
        return false;
    SSL_set_accept_state(ret->tls->ssl);
    return true;
}

bool transport_tls_client(struct tls_client_context *context, int fd, const char *host, struct transport *ret) {
    const struct tls values = {
        .ssl = tls_client_context_new_ssl(context, host), .fd = fd, .client = context, .host = host};
    if (!make(&values, tls_client_context_bio_method(context), ret))
        return false;
    SSL_set_connect_state(ret->tls->ssl);
    return true;
}
