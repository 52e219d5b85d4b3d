/* Tables: TensorFlow's own, built ones of several blocks, and hostile ones behind right checksums. */
#include "checkpoint/sstable.h"

#include "scratch.h"
#include "table_builder.h"

#define FIXTURE "tests/fixtures/tf_checkpoint/model.ckpt.index"

/* Reads with an arena of `limit` bytes from memory of the exact size. */
static struct status read_limited(struct slice bytes, size_t limit, struct arena **ret_arena, struct sstable *ret) {
    struct crc32c tables;
    crc32c_init(&tables);
    *ret_arena = arena_create(limit);
    assert_non_null(*ret_arena);
    return sstable_read(bytes, "t.index", &tables, *ret_arena, ret);
}

static void expect_read_error(struct slice bytes, enum status_code code, const char *part) {
    struct arena *arena;
    struct sstable table;
    expect_error(read_limited(bytes, 0, &arena, &table), code, part);
    arena_destroy(arena);
}

static void expect_entries_error(struct buf *entries, enum status_code code, const char *part) {
    struct buf file = BUF_EMPTY;
    put_table(&file, buf_slice(entries), 0);
    expect_read_error(buf_slice(&file), code, part);
    buf_free(&file);
    buf_clear(entries);
}

static void reads_what_tensorflow_wrote(void **state) {
    (void)state;
    struct buf file = BUF_EMPTY;
    struct arena *arena;
    struct sstable table;
    expect_ok(file_read(FIXTURE, 1 << 20, &file));
    expect_ok(read_limited(buf_slice(&file), 0, &arena, &table));
    assert_int_equal(table.count, 1 + 39 + 5); /* header, model, slots and global_step */
    assert_int_equal(table.entries[0].key.size, 0);
    assert_true(slice_equal_text(table.entries[1].key, "bert/embeddings/LayerNorm/beta"));
    assert_true(slice_equal_text(table.entries[table.count - 1].key, "global_step"));
    arena_destroy(arena);
    buf_free(&file);
}

static void several_blocks_and_shared_prefixes(void **state) {
    (void)state;
    struct buf file = BUF_EMPTY, block = BUF_EMPTY, index = BUF_EMPTY, handle = BUF_EMPTY, index_handle = BUF_EMPTY;
    struct arena *arena;
    struct sstable table;
    put_entry(&block, 0, SLICE_LITERAL("apple"), SLICE_LITERAL("1"));
    put_entry(&block, 3, SLICE_LITERAL("ly"), SLICE_LITERAL(""));
    put_block(&file, buf_slice(&block), 0, &handle);
    put_entry(&index, 0, SLICE_LITERAL("b"), buf_slice(&handle));
    buf_clear(&block);
    buf_clear(&handle);
    put_entry(&block, 0, SLICE_LITERAL("cat"), SLICE_LITERAL("33"));
    put_block(&file, buf_slice(&block), 0, &handle);
    put_entry(&index, 0, SLICE_LITERAL("d"), buf_slice(&handle));
    put_block(&file, buf_slice(&index), 0, &index_handle);
    put_footer(&file, buf_slice(&index_handle));
    expect_ok(read_limited(buf_slice(&file), 0, &arena, &table));
    assert_int_equal(table.count, 3);
    assert_true(slice_equal_text(table.entries[1].key, "apply"));
    assert_int_equal(table.entries[1].value.size, 0);
    assert_true(slice_equal_text(table.entries[2].key, "cat"));
    assert_true(slice_equal_text(table.entries[2].value, "33"));
    arena_destroy(arena);
    buf_free(&file);
    buf_free(&block);
    buf_free(&index);
    buf_free(&handle);
    buf_free(&index_handle);
}

static void hostile_entries(void **state) {
    (void)state;
    struct buf entries = BUF_EMPTY;
    char long_key[3000];
    memset(long_key, 'k', sizeof long_key);
    put_entry(&entries, 1, SLICE_LITERAL("a"), SLICE_LITERAL(""));
    expect_entries_error(&entries, STATUS_DATA_LOSS, "does not fit");
    put_varint(&entries, 0);
    put_varint(&entries, 1000); /* a key longer than the block */
    put_varint(&entries, 0);
    expect_entries_error(&entries, STATUS_DATA_LOSS, "does not fit");
    put_varint(&entries, 0);
    put_varint(&entries, 0);
    put_varint(&entries, UINT64_MAX);
    expect_entries_error(&entries, STATUS_DATA_LOSS, "does not fit");
    for (int i = 0; i < 11; i++)
        buf_append_char(&entries, (char)0xff); /* no varint */
    expect_entries_error(&entries, STATUS_DATA_LOSS, "does not fit");
    put_entry(&entries, 0, SLICE_LITERAL("b"), SLICE_LITERAL(""));
    put_entry(&entries, 0, SLICE_LITERAL("a"), SLICE_LITERAL(""));
    expect_entries_error(&entries, STATUS_DATA_LOSS, "not in order");
    put_entry(&entries, 0, SLICE_LITERAL("a"), SLICE_LITERAL(""));
    put_entry(&entries, 1, SLICE_LITERAL(""), SLICE_LITERAL(""));
    expect_entries_error(&entries, STATUS_DATA_LOSS, "not in order");
    put_entry(&entries, 0, (struct slice){long_key, sizeof long_key}, SLICE_LITERAL(""));
    put_entry(&entries, sizeof long_key, (struct slice){long_key, sizeof long_key}, SLICE_LITERAL(""));
    expect_entries_error(&entries, STATUS_INVALID_ARGUMENT, "longer than 4096");
    put_entry(&entries, 0, (struct slice){long_key, sizeof long_key}, SLICE_LITERAL(""));
    put_entry(&entries, sizeof long_key, (struct slice){long_key, 4097 - sizeof long_key}, SLICE_LITERAL(""));
    expect_entries_error(&entries, STATUS_INVALID_ARGUMENT, "longer than 4096");
    buf_free(&entries);
}

/* A few bytes per entry that unfold to 3,000 of key each. */
static void prefixes_cannot_fill_the_memory(void **state) {
    (void)state;
    struct buf entries = BUF_EMPTY, file = BUF_EMPTY;
    struct arena *arena;
    struct sstable table;
    char key[3000];
    memset(key, 'k', sizeof key);
    put_entry(&entries, 0, (struct slice){key, sizeof key}, SLICE_LITERAL(""));
    for (unsigned i = 1; i < 2000; i++) {
        char suffix[2] = {(char)(i >> 8), (char)i};
        put_entry(&entries, sizeof key, (struct slice){suffix, 2}, SLICE_LITERAL(""));
    }
    put_table(&file, buf_slice(&entries), 0);
    assert_true(file.size < 20000);
    expect_error(read_limited(buf_slice(&file), 1 << 20, &arena, &table), STATUS_RESOURCE_EXHAUSTED, "no memory");
    arena_destroy(arena);
    buf_free(&entries);
    buf_free(&file);
}

static void compressed_blocks(void **state) {
    (void)state;
    struct buf file = BUF_EMPTY;
    put_table(&file, SLICE_LITERAL(""), 1);
    expect_read_error(buf_slice(&file), STATUS_UNSUPPORTED, "snappy");
    buf_clear(&file);
    put_table(&file, SLICE_LITERAL(""), 9);
    expect_read_error(buf_slice(&file), STATUS_UNSUPPORTED, "unknown compression type 9");
    buf_free(&file);
}

/* An index that names blocks which overlap, repeat, or lie outside of the file. */
static void hostile_handles(void **state) {
    (void)state;
    static const struct {
        uint64_t first[2], second[2];
        const char *part;
    } rows[] = {
        {{0, 12}, {0, 12}, "not in order"},        {{0, 12}, {11, 1}, "not in order"},
        {{UINT64_MAX, 2}, {0, 0}, "does not fit"}, {{0, UINT64_MAX}, {0, 0}, "does not fit"},
        {{1000, 5}, {0, 0}, "does not fit"},       {{0, 11}, {0, 0}, "wrong checksum"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct buf file = BUF_EMPTY, entries = BUF_EMPTY, handle = BUF_EMPTY, index_handle = BUF_EMPTY;
        put_entry(&entries, 0, SLICE_LITERAL("a"), SLICE_LITERAL(""));
        put_block(&file, buf_slice(&entries), 0, &handle);
        assert_int_equal(file.size, 12 + 5);
        buf_clear(&entries);
        for (size_t k = 0; k < 2; k++) {
            buf_clear(&handle);
            put_varint(&handle, k ? rows[i].second[0] : rows[i].first[0]);
            put_varint(&handle, k ? rows[i].second[1] : rows[i].first[1]);
            put_entry(&entries, 0, k ? SLICE_LITERAL("c") : SLICE_LITERAL("b"), buf_slice(&handle));
        }
        put_block(&file, buf_slice(&entries), 0, &index_handle);
        put_footer(&file, buf_slice(&index_handle));
        expect_read_error(buf_slice(&file), STATUS_DATA_LOSS, rows[i].part);
        buf_free(&file);
        buf_free(&entries);
        buf_free(&handle);
        buf_free(&index_handle);
    }
}

/* Behind a block stand 5 bytes more; one that ends 4 bytes before the file's end has none. */
static void block_without_trailer(void **state) {
    (void)state;
    struct buf file = BUF_EMPTY, index_handle = BUF_EMPTY;
    for (uint32_t i = 0; i < 5; i++)
        put_u32(&file, i);
    put_varint(&index_handle, 0);
    put_varint(&index_handle, 20 + 48 - 4); /* up to there with the footer */
    put_footer(&file, buf_slice(&index_handle));
    assert_int_equal(file.size, 20 + 48);
    expect_read_error(buf_slice(&file), STATUS_DATA_LOSS, "does not fit");
    buf_free(&file);
    buf_free(&index_handle);
}

static void block_without_restart_points(void **state) {
    (void)state;
    static const uint32_t counts[] = {2, 0x40000000, UINT32_MAX};
    for (size_t i = 0; i < sizeof counts / sizeof counts[0]; i++) {
        struct buf file = BUF_EMPTY, index_handle = BUF_EMPTY;
        put_u32(&file, 0);
        put_u32(&file, counts[i]); /* the index block: 8 bytes that claim more restart points */
        buf_append_char(&file, 0);
        put_u32(&file, masked_crc32c(file.data, file.size));
        put_varint(&index_handle, 0);
        put_varint(&index_handle, 8);
        put_footer(&file, buf_slice(&index_handle));
        expect_read_error(buf_slice(&file), STATUS_DATA_LOSS, "restart points");
        buf_free(&file);
        buf_free(&index_handle);
    }
}

/* The fixture's index, cut at every byte, and every byte changed: always an error, since checksums cover nearly all. */
static void cut_and_damaged_everywhere(void **state) {
    (void)state;
    struct buf file = BUF_EMPTY;
    expect_ok(file_read(FIXTURE, 1 << 20, &file));
    for (size_t size = 0; size < file.size; size++) {
        char *exact = malloc(size ? size : 1);
        assert_non_null(exact);
        memcpy(exact, file.data, size);
        expect_read_error((struct slice){exact, size}, STATUS_INVALID_ARGUMENT, "is cut off, or no index");
        free(exact);
    }
    size_t unnoticed = 0;
    for (size_t at = 0; at < file.size; at++) {
        struct arena *arena;
        struct sstable table;
        file.data[at] = (char)((unsigned char)file.data[at] ^ (1u << at % 8));
        struct status status = read_limited(buf_slice(&file), 0, &arena, &table);
        unnoticed += status_is_ok(&status);
        arena_destroy(arena);
        file.data[at] = (char)((unsigned char)file.data[at] ^ (1u << at % 8));
    }
    assert_true(unnoticed <= 60); /* only the unused metaindex block and its handle, and the footer's padding */
    buf_free(&file);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_what_tensorflow_wrote),
        cmocka_unit_test(several_blocks_and_shared_prefixes),
        cmocka_unit_test(hostile_entries),
        cmocka_unit_test(prefixes_cannot_fill_the_memory),
        cmocka_unit_test(compressed_blocks),
        cmocka_unit_test(hostile_handles),
        cmocka_unit_test(block_without_trailer),
        cmocka_unit_test(block_without_restart_points),
        cmocka_unit_test(cut_and_damaged_everywhere),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
