/* What strangers send before they are let in, and the files that say who is. Input: which one, a seed for the cuts,
 * then the bytes. Holds: the verdict on a ClientHello does not depend on how its bytes are cut, and bounds what it may
 * claim; a TLS server that is sent the bytes refuses them or waits for more, and takes no end of them for a good one;
 * tokens are within their bounds; a rule names kinds of calls. */
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <openssl/ec.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

#include "api/access.h"
#include "api/token_file.h"
#include "fuzz.h"
#include "net/tls_context.h"
#include "net/tls_hello.h"
#include "net/transport.h"

static void try_hello(struct slice bytes, uint8_t seed) {
    struct fuzz_cutter cutter = fuzz_cutter_of(seed);
    struct tls_hello whole = {0}, cut = {0};
    enum tls_hello_verdict verdict = tls_hello_take(&whole, (const unsigned char *)bytes.data, bytes.size);
    for (size_t at = 0, piece; at < bytes.size; at += piece) {
        piece = fuzz_cut(&cutter, bytes.size - at);
        tls_hello_take(&cut, (const unsigned char *)bytes.data + at, piece);
        FUZZ_CHECK(cut.verdict != TLS_HELLO_GOOD || cut.message_left <= TLS_HELLO_MAX);
    }
    FUZZ_CHECK(cut.verdict == verdict && cut.complete == whole.complete);
    FUZZ_CHECK(!whole.complete || bytes.size >= 9);
}

/* ---- a TLS server ---- */

/* Writes a self-signed certificate and its key. */
static void write_files(const char *certificate_file, const char *key_file) {
    EVP_PKEY *key = EVP_EC_gen("P-256");
    X509 *certificate = X509_new();
    FUZZ_CHECK(key && certificate);
    X509_gmtime_adj(X509_getm_notBefore(certificate), 0);
    X509_gmtime_adj(X509_getm_notAfter(certificate), 86400);
    X509_set_pubkey(certificate, key);
    FUZZ_CHECK(X509_sign(certificate, key, EVP_sha256()) > 0);
    FILE *file = fopen(certificate_file, "w");
    FUZZ_CHECK(file && PEM_write_X509(file, certificate));
    fclose(file);
    file = fopen(key_file, "w");
    FUZZ_CHECK(file && fchmod(fileno(file), 0600) == 0);
    FUZZ_CHECK(PEM_write_PrivateKey(file, key, NULL, NULL, 0, NULL, NULL));
    fclose(file);
    EVP_PKEY_free(key);
    X509_free(certificate);
}

/* One for the whole run. */
static struct tls_context *the_context(void) {
    static struct tls_context *context;
    if (context)
        return context;
    char folder[] = "/tmp/inferd-fuzz-XXXXXX", certificate[64], key[64];
    FUZZ_CHECK(mkdtemp(folder));
    snprintf(certificate, sizeof certificate, "%s/c", folder);
    snprintf(key, sizeof key, "%s/k", folder);
    write_files(certificate, key);
    const struct tls_options options = {
        .certificate_file = certificate, .key_file = key, .protocols = SLICE_LITERAL("\x02h2")};
    struct status status = tls_context_create(&options, &context);
    FUZZ_CHECK(status_is_ok(&status));
    unlink(certificate);
    unlink(key);
    rmdir(folder);
    return context;
}

/* Without the key of a session nobody gets a byte to the application. */
static void try_transport(struct slice bytes, uint8_t seed) {
    struct fuzz_cutter cutter = fuzz_cutter_of(seed);
    struct transport server;
    int fds[2];
    char got[4096];
    FUZZ_CHECK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds) == 0);
    FUZZ_CHECK(transport_tls(the_context(), fds[0], SLICE_LITERAL("speak TLS"), &server));
    bool refused = false, ended = false;
    for (size_t at = 0, piece; at < bytes.size && !ended; at += piece) {
        piece = fuzz_cut(&cutter, bytes.size - at);
        FUZZ_CHECK(send(fds[1], bytes.data + at, piece, 0) == (ssize_t)piece);
        size_t n = 0;
        enum transport_outcome outcome = server.ops->read(&server, got, sizeof got, &n);
        FUZZ_CHECK(outcome != TRANSPORT_DONE || refused); /* what is dropped */
        refused = refused || outcome == TRANSPORT_REFUSED;
        ended = outcome == TRANSPORT_LOST || outcome == TRANSPORT_END;
        FUZZ_CHECK(!ended || !refused);
    }
    (void)server.ops->end(&server);
    server.ops->close(&server);
    close(fds[1]);
}

/* ---- files and rules ---- */

static struct status check_token(void *user, struct slice token) {
    size_t *count = user;
    FUZZ_CHECK(token.size >= TOKEN_MIN && token.size <= TOKEN_MAX && token_is_well_formed(token));
    return ++*count < 100 ? status_ok() : status_error(STATUS_TOO_LARGE, "enough");
}

static void try_tokens(struct slice text) {
    size_t count = 0;
    struct status status = token_file_parse("file", text, check_token, &count);
    if (!status_is_ok(&status))
        fuzz_check_error(&status);
    FUZZ_CHECK(count <= text.size / TOKEN_MIN);
}

static void try_rule(struct slice bytes, struct arena *arena) {
    struct access_rule rule;
    const char *text = arena_strdup(arena, bytes);
    FUZZ_CHECK(text);
    struct status status = access_rule_parse(text, &rule);
    if (!status_is_ok(&status)) {
        fuzz_check_error(&status);
        return;
    }
    FUZZ_CHECK(rule.classes != 0 && (rule.classes & ~(unsigned)API_ALL) == 0);
    FUZZ_CHECK(!rule.file || (rule.file > text && rule.file < text + strlen(text)));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct fuzz_input input = fuzz_input_on(data, size);
    uint8_t which = fuzz_byte(&input), seed = fuzz_byte(&input);
    struct slice rest = fuzz_rest(&input);
    char *copy = fuzz_copy(rest);
    rest.data = copy;
    struct arena *arena = fuzz_arena(0);
    switch (which % 4) {
    case 0:
        try_hello(rest, seed);
        break;
    case 1:
        try_transport(rest, seed);
        break;
    case 2:
        try_tokens(rest);
        break;
    default:
        try_rule(rest, arena);
        break;
    }
    arena_destroy(arena);
    free(copy);
    return 0;
}
