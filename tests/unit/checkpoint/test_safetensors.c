/* Well-formed and hostile .safetensors files. */
#include "checkpoint/safetensors.h"

#include "scratch.h"

#define FIXTURE "tests/fixtures/hf_checkpoint/model.safetensors"

/* Writes length, header and `data_size` bytes of data. */
static const char *write_file(struct scratch *scratch, const char *header, size_t data_size) {
    struct buf file = BUF_EMPTY;
    uint64_t length = strlen(header);
    buf_append(&file, &length, sizeof length);
    buf_append_text(&file, header);
    for (size_t i = 0; i < data_size; i++)
        buf_append_char(&file, (char)i);
    const char *path = scratch_write(scratch, "x.safetensors", buf_slice(&file));
    buf_free(&file);
    return path;
}

static void reads_the_fixture(void **state) {
    (void)state;
    struct safetensors *file;
    expect_ok(safetensors_open(FIXTURE, &file));
    struct weight_set set = safetensors_tensors(file);
    assert_int_equal(set.count, 39);
    const struct weight *words = weight_find(&set, SLICE_LITERAL("bert.embeddings.word_embeddings.weight"));
    assert_non_null(words);
    assert_int_equal(words->type, WEIGHT_BF16);
    assert_int_equal(words->rank, 2);
    assert_int_equal(words->dims[0], 64);
    assert_int_equal(words->dims[1], 32);
    assert_int_equal(words->bytes.size, 64 * 32 * 2);
    safetensors_close(file);
}

static void other_types_and_empty_tensors(void **state) {
    (void)state;
    struct scratch scratch = scratch_create();
    struct safetensors *file;
    const char *path = write_file(&scratch,
                                  "{\"__metadata__\":{\"format\":\"pt\"},"
                                  "\"ids\":{\"dtype\":\"I64\",\"shape\":[2],\"data_offsets\":[4,20]},"
                                  "\"none\":{\"dtype\":\"F32\",\"shape\":[3,0],\"data_offsets\":[4,4]},"
                                  "\"one\":{\"dtype\":\"F32\",\"shape\":[],\"data_offsets\":[0,4]}}",
                                  20);
    expect_ok(safetensors_open(path, &file));
    struct weight_set set = safetensors_tensors(file);
    assert_int_equal(set.count, 3);
    assert_int_equal(weight_find(&set, SLICE_LITERAL("ids"))->type, WEIGHT_OTHER);
    assert_string_equal(weight_find(&set, SLICE_LITERAL("ids"))->type_name, "I64");
    assert_int_equal(weight_find(&set, SLICE_LITERAL("one"))->rank, 0);
    safetensors_close(file);
    expect_ok(safetensors_open(write_file(&scratch, "{}", 0), &file));
    assert_int_equal(safetensors_tensors(file).count, 0);
    safetensors_close(file);
    scratch_remove(&scratch);
}

/* Eight numbers of each type that the format has, which take as many bytes as one has bits: none of them hinders the
 * file's being read. */
static void all_types_of_the_format(void **state) {
    (void)state;
    static const struct {
        const char *name;
        int bits;
    } rows[] = {{"BOOL", 8},        {"F4", 4},          {"F6_E2M3", 6}, {"F6_E3M2", 6}, {"U8", 8},   {"I8", 8},
                {"F8_E5M2", 8},     {"F8_E4M3", 8},     {"F8_E8M0", 8}, {"I16", 16},    {"U16", 16}, {"F16", 16},
                {"F8_E4M3FNUZ", 8}, {"F8_E5M2FNUZ", 8}, {"BF16", 16},   {"I32", 32},    {"U32", 32}, {"F32", 32},
                {"C64", 64},        {"F64", 64},        {"I64", 64},    {"U64", 64}};
    struct scratch scratch = scratch_create();
    struct buf header = BUF_EMPTY;
    struct safetensors *file;
    int at = 0;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++, at += rows[i - 1].bits)
        buf_printf(&header, "%s\"%s\":{\"dtype\":\"%s\",\"shape\":[2,4],\"data_offsets\":[%d,%d]}", i ? "," : "{",
                   rows[i].name, rows[i].name, at, at + rows[i].bits);
    buf_append(&header, "}", 2);
    expect_ok(safetensors_open(write_file(&scratch, header.data, (size_t)at), &file));
    struct weight_set set = safetensors_tensors(file);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const struct weight *tensor = weight_find(&set, slice_of(rows[i].name));
        assert_string_equal(tensor->type_name, rows[i].name);
        assert_int_equal(tensor->bytes.size, rows[i].bits);
        assert_int_equal(weight_type_size(tensor->type), tensor->type == WEIGHT_OTHER ? 0 : rows[i].bits / 8);
    }
    safetensors_close(file);
    buf_free(&header);
    scratch_remove(&scratch);
}

#define TENSOR(dtype, shape, offsets) "{\"t\":{\"dtype\":" dtype ",\"shape\":" shape ",\"data_offsets\":" offsets "}}"
#define TWO(first, second)                                                                                             \
    "{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":" first "},\"b\":{\"dtype\":\"F32\",\"shape\":[1],"      \
    "\"data_offsets\":" second "}}"

static void malformed_headers(void **state) {
    (void)state;
    static const struct {
        const char *header;
        size_t data_size;
        enum status_code code;
        const char *part;
    } rows[] = {
        {"", 0, STATUS_INVALID_ARGUMENT, "not JSON"},
        {"{\"t\":", 8, STATUS_INVALID_ARGUMENT, "not JSON: byte"},
        {"[1]", 0, STATUS_INVALID_ARGUMENT, "must be a JSON object"},
        {"{\"t\":3}", 0, STATUS_INVALID_ARGUMENT, "tensor \"t\": expected an object"},
        {"{\"t\":{}}", 0, STATUS_INVALID_ARGUMENT, "\"dtype\" must be a type such as F32, F16 or BF16, got nothing"},
        {TENSOR("\"F31\"", "[1]", "[0,4]"), 4, STATUS_INVALID_ARGUMENT, "got F31"},
        {TENSOR("7", "[1]", "[0,4]"), 4, STATUS_INVALID_ARGUMENT, "BF16, got uint"},
        {TENSOR("\"F32\"", "1", "[0,4]"), 4, STATUS_INVALID_ARGUMENT, "\"shape\" must be an array"},
        {TENSOR("\"F32\"", "[-1]", "[0,4]"), 4, STATUS_INVALID_ARGUMENT, "whole numbers"},
        {TENSOR("\"F32\"", "[1.0]", "[0,4]"), 4, STATUS_INVALID_ARGUMENT, "whole numbers"},
        {TENSOR("\"F32\"", "[1,1,1,1,1,1,1,1,1]", "[0,4]"), 4, STATUS_INVALID_ARGUMENT, "at most 8"},
        {TENSOR("\"F32\"", "[1]", "[0]"), 4, STATUS_INVALID_ARGUMENT, "two whole numbers"},
        {TENSOR("\"F32\"", "[1]", "[0,4,4]"), 4, STATUS_INVALID_ARGUMENT, "two whole numbers"},
        {TENSOR("\"F32\"", "[1]", "[-4,4]"), 4, STATUS_INVALID_ARGUMENT, "two whole numbers"},
        {TENSOR("\"F32\"", "[1]", "[4,0]"), 4, STATUS_INVALID_ARGUMENT, "end before they begin"},
        {TENSOR("\"F32\"", "[1]", "[0,8]"), 4, STATUS_DATA_LOSS, "holds only 4"},
        {TENSOR("\"F32\"", "[1]", "[18446744073709551612,18446744073709551615]"), 4, STATUS_DATA_LOSS, "cut off"},
        {TENSOR("\"F32\"", "[2]", "[0,4]"), 4, STATUS_INVALID_ARGUMENT, "shape [2] cannot have 4 bytes"},
        {TENSOR("\"F32\"", "[4611686018427387905]", "[0,4]"), 4, STATUS_INVALID_ARGUMENT, "cannot have 4 bytes"},
        {TENSOR("\"F32\"", "[4294967296,4294967296]", "[0,0]"), 0, STATUS_INVALID_ARGUMENT, "cannot have 0 bytes"},
        {TENSOR("\"F4\"", "[3]", "[0,2]"), 2, STATUS_INVALID_ARGUMENT, "type F4 and shape [3] cannot have 2 bytes"},
        {TENSOR("\"F4\"", "[3]", "[0,1]"), 1, STATUS_INVALID_ARGUMENT, "type F4 and shape [3] cannot have 1 bytes"},
        {TENSOR("\"F6_E2M3\"", "[4]", "[0,4]"), 4, STATUS_INVALID_ARGUMENT, "cannot have 4 bytes"},
        {TENSOR("\"F4\"", "[4611686018427387904]", "[0,0]"), 0, STATUS_INVALID_ARGUMENT, "cannot have 0 bytes"},
        {TENSOR("\"I4\"", "[2]", "[0,1]"), 1, STATUS_INVALID_ARGUMENT, "got I4"},
        {TENSOR("\"F32\"", "[1]", "[0,4]"), 5, STATUS_INVALID_ARGUMENT, "left over"},
        {TENSOR("\"F32\"", "[1]", "[1,5]"), 5, STATUS_INVALID_ARGUMENT, "a gap before"},
        {TWO("[0,4]", "[0,4]"), 4, STATUS_INVALID_ARGUMENT, "overlap"},
        {TWO("[0,4]", "[2,6]"), 6, STATUS_INVALID_ARGUMENT, "overlap"},
        {TWO("[0,4]", "[8,12]"), 12, STATUS_INVALID_ARGUMENT, "tensor \"b\": there is a gap"},
        {"{\"t\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[0,1]},"
         "\"t\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[1,2]}}",
         2, STATUS_INVALID_ARGUMENT, "tensor \"t\": the name appears twice"},
    };
    struct scratch scratch = scratch_create();
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct safetensors *file = NULL;
        const char *path = write_file(&scratch, rows[i].header, rows[i].data_size);
        expect_error(safetensors_open(path, &file), rows[i].code, rows[i].part);
        assert_null(file);
    }
    scratch_remove(&scratch);
}

static void header_lengths(void **state) {
    (void)state;
    struct scratch scratch = scratch_create();
    struct safetensors *file;
    const uint64_t lengths[] = {9, 1 << 24, (1 << 24) + 1, UINT64_C(1) << 40, UINT64_MAX - 7, UINT64_MAX};
    for (size_t i = 0; i < sizeof lengths / sizeof lengths[0]; i++) {
        char bytes[16] = {0};
        memcpy(bytes, &lengths[i], sizeof lengths[i]);
        const char *path = scratch_write(&scratch, "x", (struct slice){bytes, sizeof bytes});
        enum status_code code = lengths[i] > 1 << 24 ? STATUS_INVALID_ARGUMENT : STATUS_DATA_LOSS;
        expect_error(safetensors_open(path, &file), code, "header");
    }
    expect_error(safetensors_open(scratch_path(&scratch, "absent"), &file), STATUS_NOT_FOUND, "absent");
    expect_error(safetensors_open(scratch.folder, &file), STATUS_INVALID_ARGUMENT, "not a regular file");
    scratch_remove(&scratch);
}

/* Every byte of the header, and a sample of places in the data. */
static void cut_off_anywhere(void **state) {
    (void)state;
    struct scratch scratch = scratch_create();
    struct buf whole = BUF_EMPTY;
    expect_ok(file_read(FIXTURE, 1 << 20, &whole));
    uint64_t header;
    memcpy(&header, whole.data, sizeof header);
    for (size_t size = 0; size < whole.size; size += size < header + 16 ? 1 : 997) {
        struct safetensors *file;
        const char *path = scratch_write(&scratch, "cut", (struct slice){whole.data, size});
        struct status status = safetensors_open(path, &file);
        assert_true(status.code == STATUS_DATA_LOSS);
    }
    buf_free(&whole);
    scratch_remove(&scratch);
}

/* Each header byte replaced by several others: an error or a sound table, never a fault. */
static void damaged_header_bytes(void **state) {
    (void)state;
    static const unsigned char changes[] = {0x01, 0x04, 0x10, 0x80, 0xff};
    struct scratch scratch = scratch_create();
    struct buf whole = BUF_EMPTY;
    size_t refused = 0;
    expect_ok(file_read(FIXTURE, 1 << 20, &whole));
    for (size_t at = 0; at < 1200; at++) {
        struct safetensors *file = NULL;
        unsigned char change = changes[at % sizeof changes];
        whole.data[at] = (char)((unsigned char)whole.data[at] ^ change);
        struct status status = safetensors_open(scratch_write(&scratch, "bad", buf_slice(&whole)), &file);
        refused += !status_is_ok(&status);
        safetensors_close(file);
        whole.data[at] = (char)((unsigned char)whole.data[at] ^ change);
    }
    assert_true(refused > 600); /* most; a change inside of a name goes unnoticed here */
    buf_free(&whole);
    scratch_remove(&scratch);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_the_fixture),       cmocka_unit_test(other_types_and_empty_tensors),
        cmocka_unit_test(all_types_of_the_format), cmocka_unit_test(malformed_headers),
        cmocka_unit_test(header_lengths),          cmocka_unit_test(cut_off_anywhere),
        cmocka_unit_test(damaged_header_bytes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
