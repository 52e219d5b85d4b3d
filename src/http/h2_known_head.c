/* h2_known_head.c: heads that come again and again. A client of gRPC says the same about each of its calls, and with a
 * table that does not change any more it says it in the same bytes. What the last head was is kept in one piece of
 * memory, from the second time on that it came, and copied for those that follow: it is not decoded, and its fields are
 * not checked, once more. */
#include <stdlib.h>

#include "http/h2_priv.h"
#include "http/http_limits.h"

struct h2_known_head {
    uint64_t table_changes; /* of the decoder's table: with another one the block may mean something else */
    size_t block_size;
    size_t size; /* of rows and texts; 0: it came once, and is not kept */
    size_t capacity;
    size_t row_count;
    struct slice method, authority, target; /* among the texts, as what the rows name */
    int64_t content_length;
    size_t bytes;
    unsigned seen;
    bool expects_continue, incremental;
    struct http_header memory[]; /* the rows, the texts; then the block */
};

static char *start_of(const struct h2_known_head *known) {
    return (char *)(uintptr_t)known->memory;
}

static bool is_known(const struct h2_session *h2, struct slice block) {
    const struct h2_known_head *known = h2->known_head;
    return known && known->table_changes == h2->decoder.table.changes && known->block_size == block.size &&
           memcmp(start_of(known) + known->size, block.data, block.size) == 0;
}

/* ---- recalling ---- */

static struct slice moved(struct slice text, const char *from, char *to) {
    return (struct slice){to + (text.data - from), text.size};
}

bool h2_known_head_recall(const struct h2_session *h2, struct slice block, struct h2_head *head) {
    const struct h2_known_head *known = h2->known_head;
    if (!is_known(h2, block) || known->size == 0)
        return false;
    struct http_exchange *exchange = &head->stream->exchange;
    struct http_request *request = &exchange->request;
    const char *from = start_of(known);
    char *to = arena_alloc(exchange->arena, known->size);
    if (!to)
        return false;
    memcpy(to, from, known->size);
    request->headers = (struct http_header *)(void *)to;
    request->header_count = known->row_count;
    for (size_t i = 0; i < known->row_count; i++) {
        struct http_header *row = &request->headers[i];
        *row = (struct http_header){moved(row->name, from, to), moved(row->value, from, to)};
    }
    request->method = moved(known->method, from, to);
    request->authority = moved(known->authority, from, to);
    request->content_length = known->content_length;
    head->target = moved(known->target, from, to);
    head->stream->incremental = known->incremental;
    head->bytes = known->bytes;
    head->seen = known->seen;
    head->expects_continue = known->expects_continue;
    return true;
}

/* ---- keeping ---- */

/* With room for so many bytes; NULL when memory is short. */
static struct h2_known_head *make_room(struct h2_session *h2, size_t size) {
    struct h2_known_head *known = h2->known_head;
    if (known && known->capacity >= size)
        return known;
    known = realloc(known, sizeof *known + size);
    if (!known)
        return NULL;
    known->capacity = size;
    h2->known_head = known;
    return known;
}

static size_t text_size(const struct h2_head *head) {
    const struct http_request *request = &head->stream->exchange.request;
    size_t size = request->method.size + request->authority.size + head->target.size;
    for (size_t i = 0; i < request->header_count; i++)
        size += request->headers[i].name.size + request->headers[i].value.size;
    return size;
}

static struct slice copied(char **to, struct slice text) {
    const struct slice copy = {*to, text.size};
    if (text.size > 0)
        memcpy(*to, text.data, text.size);
    *to += text.size;
    return copy;
}

static void copy_head(struct h2_known_head *known, const struct h2_head *head) {
    const struct http_request *request = &head->stream->exchange.request;
    char *to = (char *)&known->memory[request->header_count];
    for (size_t i = 0; i < request->header_count; i++)
        known->memory[i] = (struct http_header){.name = copied(&to, request->headers[i].name),
                                                .value = copied(&to, request->headers[i].value)};
    known->row_count = request->header_count;
    known->method = copied(&to, request->method);
    known->authority = copied(&to, request->authority);
    known->target = copied(&to, head->target);
    known->content_length = request->content_length;
    known->bytes = head->bytes;
    known->seen = head->seen;
    known->expects_continue = head->expects_continue;
    known->incremental = head->stream->incremental;
    known->size = (size_t)(to - start_of(known));
}

void h2_known_head_keep(struct h2_session *h2, struct slice block, const struct h2_head *head) {
    size_t rows = head->stream->exchange.request.header_count;
    bool again = is_known(h2, block);
    bool fine = !head->malformed && !head->too_large && !head->flooded && !head->no_memory;
    if (!fine || block.size == 0 || block.size > HTTP_H2_KNOWN_HEAD_MAX)
        return;
    size_t texts = again ? text_size(head) : 0, size = again ? texts + rows * sizeof(struct http_header) : 0;
    if (texts > HTTP_H2_KNOWN_TEXT_MAX || rows > HTTP_H2_KNOWN_FIELDS_MAX)
        return;
    struct h2_known_head *known = make_room(h2, size + block.size);
    if (!known)
        return;
    known->size = 0;
    if (again)
        copy_head(known, head);
    known->table_changes = h2->decoder.table.changes;
    known->block_size = block.size;
    memcpy(start_of(known) + known->size, block.data, block.size);
}
