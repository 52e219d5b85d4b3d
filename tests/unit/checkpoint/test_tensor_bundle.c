/* TensorFlow checkpoints: the fixture, damage in every file, and hostile entries behind right checksums. */
#include "checkpoint/tensor_bundle.h"

#include "scratch.h"
#include "table_builder.h"

#define FIXTURE "tests/fixtures/tf_checkpoint/model.ckpt"
#define SHARD_0 ".data-00000-of-00002"
#define SHARD_1 ".data-00001-of-00002"

static void copy_fixture(struct scratch *scratch) {
    scratch_copy(scratch, "m.index", FIXTURE ".index");
    scratch_copy(scratch, "m" SHARD_0, FIXTURE SHARD_0);
    scratch_copy(scratch, "m" SHARD_1, FIXTURE SHARD_1);
}

static void reads_the_fixture(void **state) {
    (void)state;
    struct tensor_bundle *bundle;
    expect_ok(tensor_bundle_open(FIXTURE, &bundle));
    struct weight_set set = tensor_bundle_tensors(bundle);
    assert_int_equal(set.count, 44);
    for (size_t i = 0; i < set.count; i++)
        expect_ok(tensor_bundle_verify(bundle, &set.items[i]));
    const struct weight *kernel = weight_find(&set, SLICE_LITERAL("bert/encoder/layer_1/intermediate/dense/kernel"));
    assert_non_null(kernel);
    assert_int_equal(kernel->type, WEIGHT_F32);
    assert_int_equal(kernel->rank, 2);
    assert_int_equal(kernel->dims[0], 32);
    assert_int_equal(kernel->dims[1], 64);
    assert_int_equal(kernel->bytes.size, 32 * 64 * 4);
    const struct weight *step = weight_find(&set, SLICE_LITERAL("global_step"));
    int64_t value;
    assert_int_equal(step->type, WEIGHT_OTHER);
    assert_string_equal(step->type_name, "DT_INT64");
    memcpy(&value, step->bytes.data, sizeof value);
    assert_int_equal(value, 1000);
    tensor_bundle_close(bundle);
}

static void missing_files(void **state) {
    (void)state;
    struct scratch scratch = scratch_create();
    struct tensor_bundle *bundle;
    expect_error(tensor_bundle_open(scratch_path(&scratch, "m"), &bundle), STATUS_NOT_FOUND, "m.index");
    scratch_copy(&scratch, "m.index", FIXTURE ".index");
    scratch_copy(&scratch, "m" SHARD_0, FIXTURE SHARD_0);
    expect_error(tensor_bundle_open(scratch_path(&scratch, "m"), &bundle), STATUS_NOT_FOUND, "m" SHARD_1);
    scratch_remove(&scratch);
}

static void cut_off_data(void **state) {
    (void)state;
    static const size_t kept[] = {0, 1, 4095, 83463};
    struct scratch scratch = scratch_create();
    struct buf data = BUF_EMPTY;
    struct tensor_bundle *bundle;
    copy_fixture(&scratch);
    expect_ok(file_read(FIXTURE SHARD_0, 1 << 20, &data));
    assert_int_equal(data.size, 83464);
    for (size_t i = 0; i < sizeof kept / sizeof kept[0]; i++) {
        scratch_write(&scratch, "m" SHARD_0, (struct slice){data.data, kept[i]});
        expect_error(tensor_bundle_open(scratch_path(&scratch, "m"), &bundle), STATUS_DATA_LOSS, "does not lie within");
    }
    buf_free(&data);
    scratch_remove(&scratch);
}

static void damaged_data_is_noticed(void **state) {
    (void)state;
    struct scratch scratch = scratch_create();
    struct buf data = BUF_EMPTY;
    copy_fixture(&scratch);
    expect_ok(file_read(FIXTURE SHARD_0, 1 << 20, &data));
    for (size_t at = 0; at < data.size; at += 4999) {
        struct tensor_bundle *bundle;
        size_t wrong = 0;
        data.data[at] = (char)((unsigned char)data.data[at] ^ 0x20u);
        scratch_write(&scratch, "m" SHARD_0, buf_slice(&data));
        expect_ok(tensor_bundle_open(scratch_path(&scratch, "m"), &bundle));
        struct weight_set set = tensor_bundle_tensors(bundle);
        for (size_t i = 0; i < set.count; i++) {
            struct status status = tensor_bundle_verify(bundle, &set.items[i]);
            if (status_is_ok(&status))
                continue;
            expect_error(status, STATUS_DATA_LOSS, "its checksum is wrong");
            wrong++;
        }
        assert_int_equal(wrong, 1);
        tensor_bundle_close(bundle);
        data.data[at] = (char)((unsigned char)data.data[at] ^ 0x20u);
    }
    buf_free(&data);
    scratch_remove(&scratch);
}

/* ---- built indexes ---- */

/* A protobuf varint field; the number's tag comes before it. */
static void put_number(struct buf *out, uint64_t field, uint64_t value) {
    put_varint(out, field << 3);
    put_varint(out, value);
}

static void put_message(struct buf *out, uint64_t field, struct slice content) {
    put_varint(out, field << 3 | 2);
    put_varint(out, content.size);
    buf_append_slice(out, content);
}

struct entry_fields {
    uint64_t type, shard, offset, size;
    size_t rank;
    int64_t dims[10];
    bool sliced;
};

static void put_entry_fields(struct buf *out, const struct entry_fields *fields) {
    struct buf shape = BUF_EMPTY, dimension = BUF_EMPTY;
    for (size_t i = 0; i < fields->rank; i++) {
        buf_clear(&dimension);
        put_number(&dimension, 1, (uint64_t)fields->dims[i]);
        put_message(&shape, 2, buf_slice(&dimension));
    }
    put_number(out, 1, fields->type);
    put_message(out, 2, buf_slice(&shape));
    put_number(out, 3, fields->shard);
    put_number(out, 4, fields->offset);
    put_number(out, 5, fields->size);
    put_varint(out, 6 << 3 | 5);
    put_u32(out, 0);
    if (fields->sliced)
        put_message(out, 7, (struct slice){NULL, 0});
    buf_free(&shape);
    buf_free(&dimension);
}

/* Writes m.index with this header and one entry "t" (none when its bytes are NULL), and a data file of 16 bytes. */
static void write_bundle(struct scratch *scratch, struct slice header, struct slice entry) {
    struct buf entries = BUF_EMPTY, file = BUF_EMPTY;
    put_entry(&entries, 0, (struct slice){NULL, 0}, header);
    if (entry.data)
        put_entry(&entries, 0, SLICE_LITERAL("t"), entry);
    put_table(&file, buf_slice(&entries), 0);
    scratch_write(scratch, "m.index", buf_slice(&file));
    scratch_write(scratch, "m.data-00000-of-00001", SLICE_LITERAL("0123456789abcdef"));
    buf_free(&entries);
    buf_free(&file);
}

#define ONE_SHARD SLICE_LITERAL("\x08\x01")

static void hostile_headers(void **state) {
    (void)state;
    static const struct {
        struct slice header;
        enum status_code code;
        const char *part;
    } rows[] = {
        {{"", 0}, STATUS_INVALID_ARGUMENT, "1 to 1024 data files, got 0"},
        {{"\x08\x80\x80\x80\x80\x08", 6}, STATUS_INVALID_ARGUMENT, "1 to 1024 data files, got 2147483648"},
        {{"\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", 11}, STATUS_INVALID_ARGUMENT, "got -1"},
        {{"\x08\x01\x10\x01", 4}, STATUS_UNSUPPORTED, "big endian"},
        {{"\x08", 1}, STATUS_INVALID_ARGUMENT, "no checkpoint header"},
        {{"\x0b\x01", 2}, STATUS_INVALID_ARGUMENT, "no checkpoint header"}, /* a group */
        {{"\x1a\x7f", 2}, STATUS_INVALID_ARGUMENT, "no checkpoint header"}, /* bytes that are not there */
        {{"\x08\x02", 2}, STATUS_NOT_FOUND, "m.data-00000-of-00002"},
    };
    struct scratch scratch = scratch_create();
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct tensor_bundle *bundle;
        write_bundle(&scratch, rows[i].header, (struct slice){NULL, 0});
        expect_error(tensor_bundle_open(scratch_path(&scratch, "m"), &bundle), rows[i].code, rows[i].part);
    }
    scratch_remove(&scratch);
}

static void hostile_entries(void **state) {
    (void)state;
    enum { FLOAT = 1, STRING = 7 };
    static const struct {
        struct entry_fields fields;
        enum status_code code;
        const char *part;
    } rows[] = {
        {{FLOAT, 1, 0, 16, 1, {4}, false}, STATUS_INVALID_ARGUMENT, "does not exist"},
        {{FLOAT, UINT64_MAX, 0, 16, 1, {4}, false}, STATUS_INVALID_ARGUMENT, "does not exist"},
        {{FLOAT, 0, 0, 16, 1, {5}, false}, STATUS_INVALID_ARGUMENT, "does not fit its type and shape"},
        {{FLOAT, 0, 0, 16, 1, {-4}, false}, STATUS_INVALID_ARGUMENT, "negative dimension"},
        {{FLOAT, 0, 0, 16, 3, {INT64_C(1) << 40, INT64_C(1) << 40, 4}, false}, STATUS_INVALID_ARGUMENT, "too many"},
        {{FLOAT, 0, 0, 16, 1, {INT64_C(1) << 62}, false}, STATUS_INVALID_ARGUMENT, "does not fit its type"},
        {{FLOAT, 0, 0, 4, 9, {1, 1, 1, 1, 1, 1, 1, 1, 1}, false}, STATUS_INVALID_ARGUMENT, "more than 8"},
        {{FLOAT, 0, 4, 16, 1, {4}, false}, STATUS_DATA_LOSS, "does not lie within"},
        {{FLOAT, 0, UINT64_MAX, 16, 1, {4}, false}, STATUS_DATA_LOSS, "does not lie within"},
        {{FLOAT, 0, INT64_MAX, 16, 1, {4}, false}, STATUS_DATA_LOSS, "does not lie within"},
        {{STRING, 0, 0, UINT64_MAX, 0, {0}, false}, STATUS_DATA_LOSS, "does not lie within"},
        {{STRING, 0, 8, INT64_MAX, 0, {0}, false}, STATUS_DATA_LOSS, "does not lie within"},
    };
    struct scratch scratch = scratch_create();
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct buf entry = BUF_EMPTY;
        struct tensor_bundle *bundle;
        put_entry_fields(&entry, &rows[i].fields);
        write_bundle(&scratch, ONE_SHARD, buf_slice(&entry));
        expect_error(tensor_bundle_open(scratch_path(&scratch, "m"), &bundle), rows[i].code, rows[i].part);
        buf_free(&entry);
    }
    scratch_remove(&scratch);
}

static void entry_cut_at_every_byte(void **state) {
    (void)state;
    const struct entry_fields fields = {1, 0, 0, 16, 2, {2, 2}, false};
    struct scratch scratch = scratch_create();
    struct buf entry = BUF_EMPTY;
    struct tensor_bundle *bundle;
    put_entry_fields(&entry, &fields);
    write_bundle(&scratch, ONE_SHARD, buf_slice(&entry));
    expect_ok(tensor_bundle_open(scratch_path(&scratch, "m"), &bundle));
    expect_error(tensor_bundle_verify(bundle, tensor_bundle_tensors(bundle).items), STATUS_DATA_LOSS, "checksum");
    tensor_bundle_close(bundle);
    for (size_t size = 0; size < entry.size - 5;
         size++) { /* without the checksum, the last field, it is a whole entry */
        bundle = NULL;
        write_bundle(&scratch, ONE_SHARD, (struct slice){entry.data, size});
        struct status status = tensor_bundle_open(scratch_path(&scratch, "m"), &bundle);
        assert_true(status.code == STATUS_INVALID_ARGUMENT);
        assert_null(bundle);
    }
    buf_free(&entry);
    scratch_remove(&scratch);
}

static void sliced_tensors_are_refused_when_used(void **state) {
    (void)state;
    const struct entry_fields fields = {1, 0, 0, 0, 1, {4}, true};
    struct scratch scratch = scratch_create();
    struct buf entry = BUF_EMPTY;
    struct tensor_bundle *bundle;
    put_entry_fields(&entry, &fields);
    write_bundle(&scratch, ONE_SHARD, buf_slice(&entry));
    expect_ok(tensor_bundle_open(scratch_path(&scratch, "m"), &bundle));
    expect_error(tensor_bundle_verify(bundle, tensor_bundle_tensors(bundle).items), STATUS_UNSUPPORTED, "slices");
    tensor_bundle_close(bundle);
    buf_free(&entry);
    scratch_remove(&scratch);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_the_fixture),
        cmocka_unit_test(missing_files),
        cmocka_unit_test(cut_off_data),
        cmocka_unit_test(damaged_data_is_noticed),
        cmocka_unit_test(hostile_headers),
        cmocka_unit_test(hostile_entries),
        cmocka_unit_test(entry_cut_at_every_byte),
        cmocka_unit_test(sliced_tensors_are_refused_when_used),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
