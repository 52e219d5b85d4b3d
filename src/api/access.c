#include "api/access.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/crypto.h>
#include <openssl/evp.h>

#include "api/token_file.h"
#include "base/file.h"

enum { DIGEST_SIZE = 32 };

struct token {
    unsigned char digest[DIGEST_SIZE];
    unsigned classes;
};

struct token_list {
    size_t count;
    struct token tokens[ACCESS_TOKENS_MAX];
};

struct access {
    const struct access_rule *rules;
    size_t rule_count;
    unsigned public, restricted; /* classes; what is in neither is nobody's */
    EVP_MD *sha256;
    pthread_rwlock_t lock; /* of the tokens */
    struct token_list *list;
};

/* ---- rules ---- */

static const struct {
    const char *name;
    unsigned class;
} class_names[] = {
    {"health", API_HEALTH},
    {"metadata", API_METADATA},
    {"inference", API_INFERENCE},
    {"model-config", API_MODEL_CONFIG},
    {"statistics", API_STATISTICS},
    {"metrics", API_METRICS},
    {"model-repository", API_MODEL_REPOSITORY},
    {"shared-memory", API_SHARED_MEMORY},
    {"trace", API_TRACE},
    {"logging", API_LOGGING},
};

enum { CLASS_COUNT = sizeof class_names / sizeof class_names[0] };

static unsigned class_of(struct slice name) {
    for (size_t i = 0; i < CLASS_COUNT; i++)
        if (slice_equal_text(name, class_names[i].name))
            return class_names[i].class;
    return slice_equal_text(name, "all") ? API_ALL : 0;
}

struct status access_rule_parse(const char *text, struct access_rule *ret) {
    struct slice names, file, name;
    if (!slice_split(slice_of(text), ':', &names, &file) || names.size == 0 || file.size == 0)
        return status_error(STATUS_INVALID_ARGUMENT, "expected APIS:FILE or APIS:public, got \"%.200s\"", text);
    *ret = (struct access_rule){.file = slice_equal_text(file, "public") ? NULL : file.data};
    do {
        bool more = slice_split(names, ',', &name, &names);
        unsigned class = class_of(slice_trim(name));
        if (!class)
            return status_error(
                STATUS_INVALID_ARGUMENT,
                "unknown API \"%.*s\": expected all, health, metadata, inference, model-config, statistics, "
                "metrics, model-repository, shared-memory, trace or logging",
                SLICE_ARGS(name));
        ret->classes |= class;
        if (!more)
            return status_ok();
    } while (true);
}

static const char *first_name(unsigned classes) {
    for (size_t i = 0; i < CLASS_COUNT; i++)
        if (class_names[i].class & classes)
            return class_names[i].name;
    return "";
}

static void sum_up(const struct access_rule *rules, size_t count, unsigned *ret_public, unsigned *ret_restricted) {
    *ret_public = *ret_restricted = 0;
    for (size_t i = 0; i < count; i++)
        *(rules[i].file ? ret_restricted : ret_public) |= rules[i].classes;
}

struct status access_rules_check(const struct access_rule *rules, size_t count) {
    unsigned public, restricted;
    sum_up(rules, count, &public, &restricted);
    if (public & restricted)
        return status_error(STATUS_INVALID_ARGUMENT, "%s is public by one rule and needs a token by another",
                            first_name(public & restricted));
    return status_ok();
}

/* ---- tokens ---- */

struct reading {
    const struct access *access;
    unsigned classes;
    struct token_list *list;
};

static bool digest_of(const struct access *access, struct slice token, unsigned char ret[static DIGEST_SIZE]) {
    return EVP_Digest(token.data, token.size, ret, NULL, access->sha256, NULL) == 1;
}

static struct status add_token(void *user, struct slice text) {
    struct reading *reading = user;
    struct token_list *list = reading->list;
    if (list->count == ACCESS_TOKENS_MAX)
        return status_error(STATUS_TOO_LARGE, "more than %d tokens in all files together", (int)ACCESS_TOKENS_MAX);
    struct token *token = &list->tokens[list->count];
    token->classes = reading->classes;
    if (!digest_of(reading->access, text, token->digest))
        return status_error(STATUS_RESOURCE_EXHAUSTED, "no memory for a token");
    list->count++;
    return status_ok();
}

static struct status read_file(struct reading *reading, const char *path) {
    struct buf text = BUF_EMPTY;
    struct status status = file_read_secret(path, TOKEN_FILE_MAX, &text);
    if (status_is_ok(&status))
        status = token_file_parse(path, buf_slice(&text), add_token, reading);
    if (text.data)
        OPENSSL_cleanse(text.data, text.capacity);
    buf_free(&text);
    return status;
}

static struct status read_tokens(const struct access *access, struct token_list *list) {
    for (size_t i = 0; i < access->rule_count; i++) {
        struct reading reading = {.access = access, .classes = access->rules[i].classes, .list = list};
        if (access->rules[i].file)
            STATUS_TRY(read_file(&reading, access->rules[i].file));
    }
    return status_ok();
}

struct status access_reload(struct access *access, bool *ret_changed) {
    *ret_changed = false;
    struct token_list *list = calloc(1, sizeof *list);
    if (!list)
        return status_error(STATUS_RESOURCE_EXHAUSTED, "no memory for tokens");
    struct status status = read_tokens(access, list);
    if (status_is_ok(&status)) {
        *ret_changed = !access->list || memcmp(access->list, list, sizeof *list) != 0;
        pthread_rwlock_wrlock(&access->lock);
        struct token_list *old = access->list;
        access->list = list;
        pthread_rwlock_unlock(&access->lock);
        list = old;
    }
    free(list);
    return status;
}

/* ---- life ---- */

struct status access_create(const struct access_rule *rules, size_t count, struct access **ret) {
    bool changed;
    STATUS_TRY(access_rules_check(rules, count));
    struct access *access = calloc(1, sizeof *access);
    if (!access)
        return status_error(STATUS_RESOURCE_EXHAUSTED, "no memory for permissions");
    access->rules = rules;
    access->rule_count = count;
    sum_up(rules, count, &access->public, &access->restricted);
    pthread_rwlock_init(&access->lock, NULL);
    access->sha256 = EVP_MD_fetch(NULL, "SHA256", NULL);
    struct status status =
        access->sha256 ? access_reload(access, &changed) : status_error(STATUS_INTERNAL, "OpenSSL has no SHA-256");
    if (status_is_ok(&status))
        *ret = access;
    else
        access_destroy(access);
    return status;
}

void access_destroy(struct access *access) {
    if (!access)
        return;
    EVP_MD_free(access->sha256);
    pthread_rwlock_destroy(&access->lock);
    free(access->list);
    free(access);
}

static void append_names(struct buf *out, unsigned classes) {
    const char *separator = "";
    for (size_t i = 0; i < CLASS_COUNT; i++) {
        if (!(class_names[i].class & classes))
            continue;
        buf_printf(out, "%s%s", separator, class_names[i].name);
        separator = ", ";
    }
}

void access_describe(struct access *access, struct buf *out) {
    if (access->public) {
        append_names(out, access->public);
        buf_append_text(out, ": everybody; ");
    }
    if (access->restricted) {
        append_names(out, access->restricted);
        buf_printf(out, ": %zu token%s; ", access->list->count, access->list->count == 1 ? "" : "s");
    }
    buf_append_text(out, "the rest: nobody");
}

/* ---- the check ---- */

/* The token of the request's one Authorization field; false when there is none, several or another scheme. */
static bool find_token(const struct http_request *request, struct slice *ret) {
    struct slice scheme, token, value = {NULL, 0};
    size_t count = 0;
    for (size_t i = 0; i < request->header_count; i++) {
        if (!slice_equal_text(request->headers[i].name, "authorization"))
            continue;
        value = request->headers[i].value;
        count++;
    }
    if (count != 1 || !slice_split(value, ' ', &scheme, &token) || !slice_equal_nocase(scheme, SLICE_LITERAL("Bearer")))
        return false;
    *ret = slice_trim(token);
    return token_is_well_formed(*ret) && ret->size <= TOKEN_MAX;
}

/* The classes that a token is good for: all are compared, whichever it is. */
static unsigned classes_of(struct access *access, struct slice token) {
    unsigned char digest[DIGEST_SIZE];
    unsigned classes = 0;
    if (!digest_of(access, token, digest))
        return 0;
    pthread_rwlock_rdlock(&access->lock);
    for (size_t i = 0; i < access->list->count; i++) {
        unsigned differs = CRYPTO_memcmp(digest, access->list->tokens[i].digest, DIGEST_SIZE) != 0;
        classes |= access->list->tokens[i].classes & (differs - 1);
    }
    pthread_rwlock_unlock(&access->lock);
    return classes;
}

struct status access_check(struct access *access, unsigned classes, const struct http_request *request) {
    struct slice token;
    if (!access)
        return status_ok();
    /* What stands for "no such path" is everything that is not public: a token for any of it will do. */
    unsigned needed = (classes ? classes : API_ALL) & ~access->public;
    if (!needed)
        return status_ok();
    if (classes ? needed & ~access->restricted : !access->restricted)
        return status_error(STATUS_PERMISSION_DENIED, "this server does not offer such calls");
    if (!find_token(request, &token))
        return status_error(STATUS_UNAUTHENTICATED, "this call needs a token: Authorization: Bearer TOKEN");
    unsigned granted = classes_of(access, token);
    if (!granted)
        return status_error(STATUS_UNAUTHENTICATED, "the token is not valid");
    if (classes && needed & ~granted)
        return status_error(STATUS_PERMISSION_DENIED, "the token is not good for calls of this kind");
    return status_ok();
}
