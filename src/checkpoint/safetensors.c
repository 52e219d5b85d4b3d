#include "checkpoint/safetensors.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <yyjson.h>

#include "base/arena.h"
#include "base/file.h"

/* A BERT's header takes under 100 kB; JSON of 16 MiB parses within 200 MB of memory. */
enum { LENGTH_BYTES = 8, HEADER_MAX = 1 << 24 };

struct safetensors {
    struct file_map map;
    struct arena *arena; /* names and the table */
    struct weight *tensors;
    size_t count;
};

struct type_row {
    const char *name;
    int64_t bits;
    enum weight_type type;
};

/* All that the format knows (enum Dtype of safetensors 0.8, src/tensor.rs). */
static const struct type_row type_rows[] = {
    {"F32", 32, WEIGHT_F32},          {"F16", 16, WEIGHT_F16},      {"BF16", 16, WEIGHT_BF16},
    {"F64", 64, WEIGHT_OTHER},        {"C64", 64, WEIGHT_OTHER},    {"I64", 64, WEIGHT_OTHER},
    {"U64", 64, WEIGHT_OTHER},        {"I32", 32, WEIGHT_OTHER},    {"U32", 32, WEIGHT_OTHER},
    {"I16", 16, WEIGHT_OTHER},        {"U16", 16, WEIGHT_OTHER},    {"I8", 8, WEIGHT_OTHER},
    {"U8", 8, WEIGHT_OTHER},          {"BOOL", 8, WEIGHT_OTHER},    {"F8_E4M3", 8, WEIGHT_OTHER},
    {"F8_E5M2", 8, WEIGHT_OTHER},     {"F8_E8M0", 8, WEIGHT_OTHER}, {"F8_E4M3FNUZ", 8, WEIGHT_OTHER},
    {"F8_E5M2FNUZ", 8, WEIGHT_OTHER}, {"F6_E2M3", 6, WEIGHT_OTHER}, {"F6_E3M2", 6, WEIGHT_OTHER},
    {"F4", 4, WEIGHT_OTHER},
};

/* What reading the header needs at hand. */
struct reader {
    const char *path;
    struct safetensors *file;
    struct slice data; /* the bytes behind the header */
};

static struct status bad_tensor(const struct reader *reader, struct slice name, const char *problem) {
    return status_error(STATUS_INVALID_ARGUMENT, "%s: tensor \"%.*s\": %s", reader->path, SLICE_ARGS(name), problem);
}

static struct status read_type(const struct reader *reader, yyjson_val *value, struct weight *tensor,
                               int64_t *ret_bits) {
    for (size_t i = 0; i < sizeof type_rows / sizeof type_rows[0]; i++)
        if (yyjson_equals_str(value, type_rows[i].name)) {
            tensor->type = type_rows[i].type;
            tensor->type_name = type_rows[i].name;
            *ret_bits = type_rows[i].bits;
            return status_ok();
        }
    return status_error(STATUS_INVALID_ARGUMENT,
                        "%s: tensor \"%.*s\": \"dtype\" must be a type such as F32, F16 or BF16, got %.60s",
                        reader->path, SLICE_ARGS(tensor->name),
                        !value                 ? "nothing"
                        : yyjson_is_str(value) ? yyjson_get_str(value)
                                               : yyjson_get_type_desc(value));
}

static struct status read_shape(const struct reader *reader, yyjson_val *value, struct weight *tensor) {
    if (!yyjson_is_arr(value) || yyjson_arr_size(value) > WEIGHT_RANK_MAX)
        return bad_tensor(reader, tensor->name, "\"shape\" must be an array of at most 8 numbers");
    size_t index, count;
    yyjson_val *dimension;
    yyjson_arr_foreach(value, index, count, dimension) {
        if (!yyjson_is_uint(dimension) || yyjson_get_uint(dimension) > INT64_MAX)
            return bad_tensor(reader, tensor->name, "\"shape\" holds something else than whole numbers from 0");
        tensor->dims[tensor->rank++] = (int64_t)yyjson_get_uint(dimension);
    }
    return status_ok();
}

static struct status read_offsets(const struct reader *reader, yyjson_val *value, struct weight *tensor) {
    yyjson_val *first = yyjson_arr_get(value, 0), *second = yyjson_arr_get(value, 1);
    if (yyjson_arr_size(value) != 2 || !yyjson_is_uint(first) || !yyjson_is_uint(second))
        return bad_tensor(reader, tensor->name, "\"data_offsets\" must be two whole numbers from 0");
    uint64_t begin = yyjson_get_uint(first), end = yyjson_get_uint(second);
    if (begin > end)
        return bad_tensor(reader, tensor->name, "\"data_offsets\" end before they begin");
    if (end > reader->data.size)
        return status_error(STATUS_DATA_LOSS,
                            "%s: tensor \"%.*s\" ends at byte %" PRIu64
                            " of the data, but the file holds only %zu; it is cut off or damaged",
                            reader->path, SLICE_ARGS(tensor->name), end, reader->data.size);
    tensor->bytes = (struct slice){reader->data.data + begin, (size_t)(end - begin)};
    return status_ok();
}

static struct status read_tensor(const struct reader *reader, struct slice name, yyjson_val *value,
                                 struct weight *tensor) {
    *tensor = (struct weight){.name = arena_copy(reader->file->arena, name)};
    if (name.size > 0 && !tensor->name.data)
        return status_error(STATUS_RESOURCE_EXHAUSTED, "no memory to read %s", reader->path);
    if (!yyjson_is_obj(value))
        return bad_tensor(reader, name, "expected an object");
    int64_t element_bits, elements, bits;
    STATUS_TRY(read_type(reader, yyjson_obj_get(value, "dtype"), tensor, &element_bits));
    STATUS_TRY(read_shape(reader, yyjson_obj_get(value, "shape"), tensor));
    STATUS_TRY(read_offsets(reader, yyjson_obj_get(value, "data_offsets"), tensor));
    if (!weight_element_count(tensor->dims, tensor->rank, &elements) ||
        __builtin_mul_overflow(elements, element_bits, &bits) || bits % 8 != 0 ||
        (uint64_t)bits / 8 != tensor->bytes.size) {
        char shape[WEIGHT_SHAPE_TEXT_SIZE];
        weight_shape_text(tensor->dims, tensor->rank, shape);
        return status_error(STATUS_INVALID_ARGUMENT,
                            "%s: tensor \"%.*s\" of type %s and shape %s cannot have %zu bytes", reader->path,
                            SLICE_ARGS(name), tensor->type_name, shape, tensor->bytes.size);
    }
    return status_ok();
}

static int order_by_place(const void *a, const void *b) {
    const struct weight *x = a, *y = b;
    if (x->bytes.data != y->bytes.data)
        return x->bytes.data < y->bytes.data ? -1 : 1;
    return (x->bytes.size > y->bytes.size) - (x->bytes.size < y->bytes.size);
}

/* The format allows neither gaps nor overlaps: bytes that two tensors claim, or none, are a sign of tampering or
 * damage. */
static struct status check_places(const struct reader *reader) {
    struct safetensors *file = reader->file;
    if (file->count > 0)
        qsort(file->tensors, file->count, sizeof *file->tensors, order_by_place);
    const char *expected = reader->data.data;
    for (size_t i = 0; i < file->count; i++) {
        struct weight *tensor = &file->tensors[i];
        if (tensor->bytes.data < expected)
            return bad_tensor(reader, tensor->name, "its bytes overlap those of another tensor");
        if (tensor->bytes.data > expected)
            return bad_tensor(reader, tensor->name, "there is a gap before its bytes");
        expected = tensor->bytes.data + tensor->bytes.size;
    }
    if (expected != reader->data.data + reader->data.size)
        return status_error(STATUS_INVALID_ARGUMENT, "%s: bytes are left over behind the last tensor", reader->path);
    return status_ok();
}

static struct status read_header(const struct reader *reader, yyjson_val *root) {
    struct safetensors *file = reader->file;
    if (!yyjson_is_obj(root))
        return status_error(STATUS_INVALID_ARGUMENT, "%s: the header must be a JSON object", reader->path);
    file->tensors = arena_calloc(file->arena, yyjson_obj_size(root), sizeof *file->tensors);
    if (!file->tensors)
        return status_error(STATUS_RESOURCE_EXHAUSTED, "no memory to read %s", reader->path);
    size_t index, count;
    yyjson_val *key, *value;
    yyjson_obj_foreach(root, index, count, key, value) {
        struct slice name = {yyjson_get_str(key), yyjson_get_len(key)};
        if (slice_equal_text(name, "__metadata__"))
            continue;
        STATUS_TRY(read_tensor(reader, name, value, &file->tensors[file->count]));
        file->count++;
    }
    STATUS_TRY(check_places(reader));
    const struct weight *twice = weight_sort(file->tensors, file->count);
    return twice ? bad_tensor(reader, twice->name, "the name appears twice") : status_ok();
}

/* Finds header and data part, parses the header. */
static struct status read_file(const char *path, struct safetensors *file) {
    struct slice bytes = file->map.bytes;
    uint64_t length;
    if (bytes.size < LENGTH_BYTES)
        return status_error(STATUS_DATA_LOSS,
                            "%s has %zu bytes; a safetensors file begins with 8 bytes of header length", path,
                            bytes.size);
    memcpy(&length, bytes.data, sizeof length);
    if (length > HEADER_MAX)
        return status_error(STATUS_INVALID_ARGUMENT,
                            "%s is no safetensors file: its header would have %" PRIu64
                            " bytes, more than the %d allowed",
                            path, length, HEADER_MAX);
    if (length > bytes.size - LENGTH_BYTES)
        return status_error(STATUS_DATA_LOSS, "%s is cut off: its header has %" PRIu64 " bytes, the whole file %zu",
                            path, length, bytes.size);
    char *header = (char *)(uintptr_t)(bytes.data + LENGTH_BYTES); /* read only: no in-situ parsing */
    yyjson_read_err error = {0};
    yyjson_doc *document = yyjson_read_opts(header, (size_t)length, 0, NULL, &error);
    if (!document && error.code == YYJSON_READ_ERROR_MEMORY_ALLOCATION)
        return status_error(STATUS_RESOURCE_EXHAUSTED, "no memory to read %s", path);
    if (!document)
        return status_error(STATUS_INVALID_ARGUMENT, "%s: the header is not JSON: byte %zu: %s", path,
                            error.pos + LENGTH_BYTES, error.msg ? error.msg : "empty");
    size_t begin = LENGTH_BYTES + (size_t)length;
    struct reader reader = {path, file, {bytes.data + begin, bytes.size - begin}};
    struct status status = read_header(&reader, yyjson_doc_get_root(document));
    yyjson_doc_free(document);
    return status;
}

struct status safetensors_open(const char *path, struct safetensors **ret) {
    struct safetensors *file = calloc(1, sizeof *file);
    struct arena *arena = arena_create(0);
    if (!file || !arena) {
        free(file);
        arena_destroy(arena);
        return status_error(STATUS_RESOURCE_EXHAUSTED, "no memory to read %s", path);
    }
    file->arena = arena;
    struct status status = file_map_open(path, &file->map);
    if (status_is_ok(&status))
        status = read_file(path, file);
    if (status_is_ok(&status))
        *ret = file;
    else
        safetensors_close(file);
    return status;
}

void safetensors_close(struct safetensors *file) {
    if (!file)
        return;
    file_unmap(&file->map);
    arena_destroy(file->arena);
    free(file);
}

bool safetensors_is_lost(const struct safetensors *file) {
    return file_map_is_lost(&file->map);
}

struct weight_set safetensors_tensors(const struct safetensors *file) {
    return (struct weight_set){file->tensors, file->count};
}
