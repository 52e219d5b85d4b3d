#include "hpack_blocks.h"

/* RFC 7541 section 2.3, the slow way: fields in an array, the newest first. */
struct model {
    size_t limit, size, count;
    struct {
        struct buf name, value;
    } entries[128];
};

static struct hpack_field model_field(const struct model *model, size_t i) {
    return (struct hpack_field){buf_slice(&model->entries[i].name), buf_slice(&model->entries[i].value)};
}

static size_t counted(struct hpack_field field) {
    return field.name.size + field.value.size + HPACK_ENTRY_OVERHEAD;
}

static void model_fit(struct model *model, size_t size) {
    while (model->size > size) {
        model->size -= counted(model_field(model, --model->count));
        buf_free(&model->entries[model->count].name);
        buf_free(&model->entries[model->count].value);
    }
}

static void model_add(struct model *model, struct hpack_field field) {
    struct buf name = BUF_EMPTY, value = BUF_EMPTY;
    buf_append_slice(&name, field.name);
    buf_append_slice(&value, field.value);
    size_t size = counted(field);
    model_fit(model, size > model->limit ? 0 : model->limit - size);
    if (size > model->limit) {
        buf_free(&name);
        buf_free(&value);
        return;
    }
    memmove(model->entries + 1, model->entries, model->count * sizeof *model->entries);
    model->entries[0].name = name;
    model->entries[0].value = value;
    model->count++;
    model->size += size;
}

static void assert_same(const struct model *model, const struct hpack_table *table) {
    struct hpack_field field;
    assert_int_equal(table->size, model->size);
    assert_int_equal(table->count, model->count);
    for (size_t i = 0; i < model->count; i++) {
        assert_true(hpack_table_get(table, HPACK_STATIC_COUNT + 1 + i, &field));
        assert_text_equal(field.name, model_field(model, i).name);
        assert_text_equal(field.value, model_field(model, i).value);
    }
    assert_false(hpack_table_get(table, HPACK_STATIC_COUNT + 1 + model->count, &field));
}

/* What find must tell: an index of an equal field if there is one, of an equal name if there is one. */
static void assert_finds(const struct hpack_table *table, struct hpack_field wanted) {
    bool equal = false, named = false;
    struct hpack_field field;
    for (uint64_t index = 1; hpack_table_get(table, index, &field); index++) {
        named |= slice_equal(field.name, wanted.name);
        equal |= slice_equal(field.name, wanted.name) && slice_equal(field.value, wanted.value);
    }
    struct hpack_match match = hpack_table_find(table, &wanted);
    assert_int_equal(match.index != 0, equal);
    assert_int_equal(match.name != 0, named);
    if (equal) {
        assert_true(hpack_table_get(table, match.index, &field));
        assert_text_equal(field.name, wanted.name);
        assert_text_equal(field.value, wanted.value);
    }
    if (named) {
        assert_true(hpack_table_get(table, match.name, &field));
        assert_text_equal(field.name, wanted.name);
    }
}

static void test_static_rows(void **state) {
    (void)state;
    struct hpack_table table;
    struct hpack_field field;
    hpack_table_init(&table, HPACK_TABLE_DEFAULT);
    assert_false(hpack_table_get(&table, 0, &field));
    assert_false(hpack_table_get(&table, HPACK_STATIC_COUNT + 1, &field));
    assert_false(hpack_table_get(&table, UINT64_MAX, &field));
    for (uint32_t index = 1; index <= HPACK_STATIC_COUNT; index++) {
        assert_true(hpack_table_get(&table, index, &field));
        assert_int_equal(hpack_table_find(&table, &field).index, index);
        field.value = SLICE_LITERAL("none has this");
        struct hpack_match match = hpack_table_find(&table, &field);
        assert_int_equal(match.index, 0);
        assert_true(match.name >= 1 && match.name <= index);
    }
    assert_true(hpack_table_get(&table, HPACK_STATIC_COUNT, &field));
    assert_text_equal(field.name, SLICE_LITERAL("www-authenticate"));
    struct hpack_match none = hpack_table_find(&table, &(struct hpack_field){{NULL, 0}, {NULL, 0}});
    assert_int_equal(none.index, 0);
    assert_int_equal(none.name, 0);
    hpack_table_free(&table);
}

static void test_nothing_is_allocated_before_an_entry(void **state) {
    (void)state;
    struct hpack_table table;
    hpack_table_init(&table, HPACK_TABLE_DEFAULT);
    assert_null(table.entries);
    assert_null(table.texts);
    assert_true(hpack_table_add(&table, (struct hpack_field){SLICE_LITERAL("a"), SLICE_LITERAL("b")}));
    assert_true(table.text_capacity <= 256 && table.ring_mask < 8);
    hpack_table_free(&table);
    hpack_table_free(&table);
}

/* A field of an entry's texts, added again while that entry makes room for it. */
static void test_borrowed_from_what_is_evicted(void **state) {
    (void)state;
    static char longer[300];
    memset(longer, 'v', sizeof longer);
    struct hpack_table table;
    struct hpack_field field;
    hpack_table_init(&table, 340);
    assert_true(
        hpack_table_add(&table, (struct hpack_field){SLICE_LITERAL("borrowed"), SLICE_LITERAL("of the first")}));
    for (size_t size = 260; size <= sizeof longer; size += 10) {
        assert_true(hpack_table_get(&table, HPACK_STATIC_COUNT + 1, &field));
        field.value = (struct slice){longer, size};
        assert_true(hpack_table_add(&table, field));
        assert_int_equal(table.count, 1);
        assert_true(hpack_table_get(&table, HPACK_STATIC_COUNT + 1, &field));
        assert_text_equal(field.name, SLICE_LITERAL("borrowed"));
        assert_text_equal(field.value, ((struct slice){longer, size}));
    }
    hpack_table_free(&table);
}

static void test_too_large_a_field_empties_the_table(void **state) {
    (void)state;
    struct hpack_table table;
    struct hpack_field field = {SLICE_LITERAL("name"), SLICE_LITERAL("value")};
    hpack_table_init(&table, 9 + HPACK_ENTRY_OVERHEAD);
    assert_true(hpack_table_add(&table, field));
    assert_int_equal(table.count, 1);
    field.value = SLICE_LITERAL("values");
    assert_true(hpack_table_add(&table, field));
    assert_int_equal(table.count, 0);
    assert_int_equal(table.size, 0);
    hpack_table_set_limit(&table, 0);
    assert_true(hpack_table_add(&table, (struct hpack_field){{NULL, 0}, {NULL, 0}}));
    assert_int_equal(table.count, 0);
    hpack_table_free(&table);
}

/* Thousands of additions, limits and searches; `added` and `first_text` are what came before, as they wrap around. */
static void run_against_model(uint32_t added, uint32_t first_text) {
    static struct model model;
    static char room[RANDOM_TEXT];
    uint32_t seed = 7;
    struct hpack_table table;
    model = (struct model){.limit = HPACK_TABLE_DEFAULT};
    hpack_table_init(&table, HPACK_TABLE_DEFAULT);
    table.added = added;
    table.first_text = first_text;
    for (int step = 0; step < 6000; step++) {
        struct hpack_field field = random_field(&seed, room);
        uint32_t what = next_random(&seed) % 64;
        if (what == 0) {
            model.limit = next_random(&seed) % (HPACK_TABLE_DEFAULT + 1);
            model_fit(&model, model.limit);
            hpack_table_set_limit(&table, model.limit);
        } else if (what < 16 && model.count > 0) {
            /* its name from the table, often from the entry that is the next to go */
            size_t i = what < 8 ? model.count - 1 : next_random(&seed) % model.count;
            struct hpack_field again = {model_field(&model, i).name, field.value};
            assert_true(hpack_table_get(&table, HPACK_STATIC_COUNT + 1 + i, &field));
            field.value = again.value;
            assert_true(hpack_table_add(&table, field));
            model_add(&model, again);
        } else {
            assert_true(hpack_table_add(&table, field));
            model_add(&model, field);
        }
        assert_same(&model, &table);
        assert_finds(&table, random_field(&seed, room));
        assert_true(table.text_capacity <= HPACK_TABLE_DEFAULT && table.ring_mask < 128);
    }
    model_fit(&model, 0);
    hpack_table_free(&table);
}

static void test_against_model(void **state) {
    (void)state;
    run_against_model(0, 0);
}

static void test_numbers_wrap_around(void **state) {
    (void)state;
    run_against_model(UINT32_MAX - 1000, UINT32_MAX - 20000);
}

/* As many entries as there can be, all of one bucket or of many. */
static void test_smallest_entries(void **state) {
    (void)state;
    static const char bytes[] = "abcdefghijklmnopqrstuvwxyz";
    struct hpack_table table;
    hpack_table_init(&table, HPACK_TABLE_DEFAULT);
    for (int i = 0; i < 1000; i++)
        assert_true(hpack_table_add(&table, (struct hpack_field){{NULL, 0}, {NULL, 0}}));
    assert_int_equal(table.count, HPACK_TABLE_DEFAULT / HPACK_ENTRY_OVERHEAD);
    for (size_t i = 0; i < 26; i++)
        assert_true(hpack_table_add(&table, (struct hpack_field){{bytes + i, 1}, {NULL, 0}}));
    for (size_t i = 0; i < 26; i++)
        assert_int_equal(hpack_table_find(&table, &(struct hpack_field){{bytes + i, 1}, {NULL, 0}}).index,
                         HPACK_STATIC_COUNT + 26 - i);
    hpack_table_free(&table);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_static_rows),
        cmocka_unit_test(test_nothing_is_allocated_before_an_entry),
        cmocka_unit_test(test_borrowed_from_what_is_evicted),
        cmocka_unit_test(test_too_large_a_field_empties_the_table),
        cmocka_unit_test(test_against_model),
        cmocka_unit_test(test_numbers_wrap_around),
        cmocka_unit_test(test_smallest_entries),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
