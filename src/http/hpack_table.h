/* hpack_table.h: the two tables of fields that HPACK names by number (RFC 7541 section 2.3): the static one, and the
 * dynamic one of a connection, one for each direction. Only http/ and its tests include this.
 *
 * Owner: a decoder or an encoder. Thread: its session's. */
#ifndef INFERD_HTTP_HPACK_TABLE_H
#define INFERD_HTTP_HPACK_TABLE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/slice.h"

enum {
    HPACK_STATIC_COUNT = 61,
    HPACK_ENTRY_OVERHEAD = 32,  /* bytes that an entry counts beyond its texts (section 4.1) */
    HPACK_TABLE_DEFAULT = 4096, /* bytes of a dynamic table unless something else is agreed (RFC 9113 section 6.5.2) */
};

struct hpack_field {
    struct slice name, value;
};

/* Indices, 0 when there is none. */
struct hpack_match {
    uint32_t index; /* of an equal field */
    uint32_t name;  /* of a field of that name */
};

enum { HPACK_BUCKETS = 32 }; /* of names, to find entries by */

struct hpack_entry {
    uint32_t at; /* of the name among the texts, with the value right behind it; see hpack_table.first_text */
    uint16_t name_size, value_size;
    uint32_t name_hash;
    uint32_t older; /* how many entries before this one the next older one of its bucket came */
};

/* Memory is taken when the first entry comes, and grows with the entries up to about the limit.
 * Entries come and go in order, and so do their texts: both are told by how many came before, modulo 2^32. */
struct hpack_table {
    size_t limit, size;          /* bytes as section 4.1 counts them */
    uint64_t changes;            /* entries that ever came, and limits: no number comes twice */
    struct hpack_entry *entries; /* owned: a ring; NULL until the first one comes */
    uint32_t ring_mask;          /* its size less one */
    uint32_t count;              /* entries in the table */
    uint32_t added;              /* entries that ever came; the newest stands at (added - 1) & ring_mask */
    char *texts;                 /* owned */
    uint32_t text_capacity, text_size;
    uint32_t first_text;             /* what `at` is of the byte that texts[0] is */
    uint32_t buckets[HPACK_BUCKETS]; /* what `added` was when the newest entry of each came, which may have gone */
};

/* An empty table that holds at most `limit` bytes as RFC 7541 section 4.1 counts them, no more than
 * HPACK_TABLE_DEFAULT; nothing is allocated. */
void hpack_table_init(struct hpack_table *table, size_t limit);
void hpack_table_free(struct hpack_table *table);
/* A new limit; entries that are too much go, the oldest first. */
void hpack_table_set_limit(struct hpack_table *table, size_t limit);
/* The field of that index (1 to 61: static; 62: the newest dynamic entry, ...). False: there is none. The texts are
 * borrowed and good until the next hpack_table_add or hpack_table_set_limit. */
bool hpack_table_get(const struct hpack_table *table, uint64_t index, struct hpack_field *ret);
/* Copies a field in as the newest entry, after the oldest have made room (section 4.4: one larger than the table
 * empties it, which is no error). Its texts may be borrowed from the table itself. False when memory is short. */
bool hpack_table_add(struct hpack_table *table, struct hpack_field field);
/* Where a field like the given one is, in either table. */
struct hpack_match hpack_table_find(const struct hpack_table *table, const struct hpack_field *field);

#endif
