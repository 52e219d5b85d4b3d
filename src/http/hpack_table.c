#include "http/hpack_table.h"

#include <assert.h>
#include <stdlib.h>

#include "http/hpack_static_table.h"

enum { FIRST_ENTRIES = 8, FIRST_TEXTS = 256 };

void hpack_table_init(struct hpack_table *table, size_t limit) {
    assert(limit <= HPACK_TABLE_DEFAULT);
    *table = (struct hpack_table){.limit = limit};
}

void hpack_table_free(struct hpack_table *table) {
    free(table->entries);
    free(table->texts);
    *table = (struct hpack_table){.limit = table->limit};
}

/* Cheap, and good enough to tell the few names of a connection apart; its factors are made for static_names. */
static inline uint32_t text_hash(struct slice text) {
    if (text.size == 0)
        return 0;
    const unsigned char *at = (const unsigned char *)text.data;
    return (uint32_t)text.size * 55 + at[0] * 62u + at[text.size / 2] * 14u + at[text.size - 1];
}

/* The entry that came `age` entries ago; 1 is the newest. */
static inline struct hpack_entry *entry_of_age(const struct hpack_table *table, uint32_t age) {
    return &table->entries[(table->added - age) & table->ring_mask];
}

static inline struct hpack_field field_of(const struct hpack_table *table, const struct hpack_entry *entry) {
    const char *name = table->texts + (uint32_t)(entry->at - table->first_text);
    return (struct hpack_field){{name, entry->name_size}, {name + entry->name_size, entry->value_size}};
}

static inline size_t entry_size(const struct hpack_entry *entry) {
    return (size_t)entry->name_size + entry->value_size + HPACK_ENTRY_OVERHEAD;
}

static void evict_down_to(struct hpack_table *table, size_t size) {
    while (table->size > size) {
        table->size -= entry_size(entry_of_age(table, table->count));
        table->count--;
    }
}

void hpack_table_set_limit(struct hpack_table *table, size_t limit) {
    assert(limit <= HPACK_TABLE_DEFAULT);
    table->limit = limit;
    table->changes++;
    evict_down_to(table, limit);
}

bool hpack_table_get(const struct hpack_table *table, uint64_t index, struct hpack_field *ret) {
    uint64_t before = index - 1 - HPACK_STATIC_COUNT; /* entries newer than it */
    if (before < table->count) {
        *ret = field_of(table, entry_of_age(table, (uint32_t)before + 1));
        return true;
    }
    if (index - 1 >= HPACK_STATIC_COUNT)
        return false;
    *ret = static_rows[index - 1];
    return true;
}

static bool grow_ring(struct hpack_table *table) {
    uint32_t size = table->entries ? (table->ring_mask + 1) * 2 : FIRST_ENTRIES;
    struct hpack_entry *grown = malloc(size * sizeof *grown);
    if (!grown)
        return false;
    for (uint32_t age = 1; age <= table->count; age++)
        grown[(table->added - age) & (size - 1)] = *entry_of_age(table, age);
    free(table->entries);
    table->entries = grown;
    table->ring_mask = size - 1;
    return true;
}

static inline void append_text(struct hpack_table *table, struct slice text) {
    if (text.size > 0)
        memcpy(table->texts + table->text_size, text.data, text.size);
    table->text_size += (uint32_t)text.size;
}

/* The texts of the entries to a new place, with the field's behind them; the old place goes last, as the field may be
 * in it. */
static bool append_moving(struct hpack_table *table, struct hpack_field field) {
    uint32_t gone = table->count > 0 ? entry_of_age(table, table->count)->at - table->first_text : table->text_size;
    size_t kept = table->text_size - gone, needed = kept + field.name.size + field.value.size;
    size_t capacity = table->text_capacity > 0 ? table->text_capacity : FIRST_TEXTS;
    while (capacity < needed || (needed > capacity / 2 && capacity < table->limit))
        capacity *= 2;
    char *old = table->texts, *moved = malloc(capacity);
    if (!moved)
        return false;
    if (kept > 0)
        memcpy(moved, old + gone, kept);
    table->texts = moved;
    table->text_capacity = (uint32_t)capacity;
    table->text_size = (uint32_t)kept;
    table->first_text += gone;
    append_text(table, field.name);
    append_text(table, field.value);
    free(old);
    return true;
}

static bool append_texts(struct hpack_table *table, struct hpack_field field) {
    if (field.name.size + field.value.size > table->text_capacity - table->text_size || !table->texts)
        return append_moving(table, field);
    append_text(table, field.name);
    append_text(table, field.value);
    return true;
}

bool hpack_table_add(struct hpack_table *table, struct hpack_field field) {
    size_t texts = field.name.size + field.value.size, size = texts + HPACK_ENTRY_OVERHEAD;
    table->changes++;
    if (size > table->limit) {
        evict_down_to(table, 0);
        return true;
    }
    evict_down_to(table, table->limit - size);
    if ((!table->entries || table->count > table->ring_mask) && !grow_ring(table))
        return false;
    if (!append_texts(table, field))
        return false;
    struct hpack_entry *entry = &table->entries[table->added & table->ring_mask];
    const char *name = table->texts + table->text_size - texts; /* the field's own may be gone */
    uint32_t name_hash = text_hash((struct slice){name, field.name.size});
    uint32_t *bucket = &table->buckets[name_hash % HPACK_BUCKETS];
    *entry = (struct hpack_entry){.at = table->first_text + table->text_size - (uint32_t)texts,
                                  .name_size = (uint16_t)field.name.size,
                                  .value_size = (uint16_t)field.value.size,
                                  .name_hash = name_hash,
                                  .older = table->added - *bucket};
    if (entry->older == 0)
        entry->older = UINT32_MAX; /* a bucket that nothing was ever in */
    *bucket = table->added++;
    table->count++;
    table->size += size;
    return true;
}

/* Of its bucket; more than there are entries: there is none. */
static inline uint32_t age_of_newest(const struct hpack_table *table, uint32_t name_hash) {
    return table->added - table->buckets[name_hash % HPACK_BUCKETS];
}

/* The age of the next older entry of its bucket; 0, or more than there are entries: there is none. */
static inline uint32_t age_of_next(const struct hpack_entry *entry, uint32_t age) {
    return entry->older > UINT32_MAX - age ? 0 : age + entry->older;
}

static inline uint64_t eight_bytes(const char *at) {
    uint64_t bytes;
    memcpy(&bytes, at, sizeof bytes);
    return bytes;
}

static inline uint32_t four_bytes(const char *at) {
    uint32_t bytes;
    memcpy(&bytes, at, sizeof bytes);
    return bytes;
}

/* Texts here are short: this is done before memcmp() is reached. The last step may look at some bytes again. */
static inline bool equal_bytes(const char *a, const char *b, size_t size) {
    if (size >= 8) {
        for (size_t at = 0; at + 8 < size; at += 8)
            if (eight_bytes(a + at) != eight_bytes(b + at))
                return false;
        return eight_bytes(a + size - 8) == eight_bytes(b + size - 8);
    }
    if (size >= 4)
        return four_bytes(a) == four_bytes(b) && four_bytes(a + size - 4) == four_bytes(b + size - 4);
    return size == 0 || (a[0] == b[0] && a[size / 2] == b[size / 2] && a[size - 1] == b[size - 1]);
}

static inline bool equal(struct slice a, struct slice b) {
    return a.size == b.size && equal_bytes(a.data, b.data, a.size);
}

/* Where there is no equal entry: in the static table, and by the name alone. */
__attribute__((noinline)) static struct hpack_match
find_but_equal_entry(const struct hpack_table *table, const struct hpack_field *field, uint32_t name_hash) {
    struct static_name known = static_names[name_hash % 128];
    if (known.count > 0 && equal(static_rows[known.first - 1].name, field->name)) {
        for (uint32_t index = known.first; index < (uint32_t)known.first + known.count; index++)
            if (equal(static_rows[index - 1].value, field->value))
                return (struct hpack_match){index, index};
        return (struct hpack_match){0, known.first};
    }
    for (uint32_t age = age_of_newest(table, name_hash); age - 1 < table->count;) {
        const struct hpack_entry *entry = entry_of_age(table, age);
        if (equal(field_of(table, entry).name, field->name))
            return (struct hpack_match){0, HPACK_STATIC_COUNT + age};
        age = age_of_next(entry, age);
    }
    return (struct hpack_match){0, 0};
}

struct hpack_match hpack_table_find(const struct hpack_table *table, const struct hpack_field *field) {
    uint32_t name_hash = text_hash(field->name);
    for (uint32_t age = age_of_newest(table, name_hash); age - 1 < table->count;) {
        const struct hpack_entry *entry = entry_of_age(table, age);
        struct hpack_field found = field_of(table, entry);
        if (entry->name_hash == name_hash && equal(found.value, field->value) && equal(found.name, field->name))
            return (struct hpack_match){HPACK_STATIC_COUNT + age, HPACK_STATIC_COUNT + age};
        age = age_of_next(entry, age);
    }
    return find_but_equal_entry(table, field, name_hash);
}
