/* foreign_cases.h: reads tests/fixtures/foreign/cases/<model>.json. */
#ifndef INFERD_TESTS_OPENVINO_FOREIGN_CASES_H
#define INFERD_TESTS_OPENVINO_FOREIGN_CASES_H

#include <math.h>
#include <yyjson.h>

#include "codec/half.h"
#include "engine_fixture.h"

static inline yyjson_doc *cases_open(const char *model) {
    char path[256];
    snprintf(path, sizeof path, FOREIGN "cases/%s.json", model);
    yyjson_doc *doc = yyjson_read_file(path, 0, NULL, NULL);
    assert_non_null(doc);
    return doc;
}

static inline yyjson_val *cases_at(yyjson_doc *doc, size_t index, const char *side) {
    return yyjson_obj_get(yyjson_arr_get(yyjson_obj_get(yyjson_doc_get_root(doc), "cases"), index), side);
}

static inline size_t cases_count(yyjson_doc *doc) {
    return yyjson_arr_size(yyjson_obj_get(yyjson_doc_get_root(doc), "cases"));
}

static inline void store(char *to, enum datatype type, yyjson_val *value) {
    double real = yyjson_is_bool(value) ? yyjson_get_bool(value) : yyjson_get_num(value);
    int64_t whole = (int64_t)real;
    float single = (float)real;
    uint16_t half = half_from_float(single);
    switch (type) {
    case DATATYPE_FP16:
        memcpy(to, &half, sizeof half);
        break;
    case DATATYPE_FP32:
        memcpy(to, &single, sizeof single);
        break;
    case DATATYPE_FP64:
        memcpy(to, &real, sizeof real);
        break;
    case DATATYPE_INVALID:
    case DATATYPE_BYTES:
    case DATATYPE_BF16:
        fail();
        break;
    case DATATYPE_BOOL:
    case DATATYPE_UINT8:
    case DATATYPE_UINT16:
    case DATATYPE_UINT32:
    case DATATYPE_UINT64:
    case DATATYPE_INT8:
    case DATATYPE_INT16:
    case DATATYPE_INT32:
    case DATATYPE_INT64:
        memcpy(to, &whole, datatype_size(type)); /* little-endian */
        break;
    }
}

/* The tensor of a case as bytes of the arena. */
static inline struct tensor case_tensor(yyjson_val *value, struct arena *arena) {
    struct tensor tensor = {.name = slice_of(yyjson_get_str(yyjson_obj_get(value, "name")))};
    tensor.type = datatype_from_name(slice_of(yyjson_get_str(yyjson_obj_get(value, "datatype"))));
    yyjson_val *shape = yyjson_obj_get(value, "shape"), *data = yyjson_obj_get(value, "data"), *item;
    size_t index, count;
    yyjson_arr_foreach(shape, index, count, item) {
        tensor.shape[tensor.rank++] = yyjson_get_sint(item);
    }
    size_t element = datatype_size(tensor.type);
    char *bytes = arena_alloc(arena, yyjson_arr_size(data) * element);
    yyjson_arr_foreach(data, index, count, item) {
        store(bytes + index * element, tensor.type, item);
    }
    tensor.data = (struct slice){bytes, yyjson_arr_size(data) * element};
    return tensor;
}

static inline void add_case(struct batch *batch, yyjson_val *inputs, bool with_optional) {
    yyjson_val *item;
    size_t index, count;
    struct infer_request *request = add_request(batch, 1, yyjson_arr_size(inputs));
    yyjson_arr_foreach(inputs, index, count, item) {
        struct tensor tensor = case_tensor(item, request->arena);
        const struct model_input *input = model_config_input(batch->loaded->config, tensor.name);
        assert_non_null(input);
        if (batch->loaded->config->max_batch_size > 0)
            request->cost.items = (uint32_t)tensor.shape[0];
        if (with_optional || !input->optional)
            request->inputs[request->input_count++] = tensor;
    }
}

/* Bytes for whole numbers, 1e-4 for others. */
static inline void assert_tensors_close(const struct tensor *got, const struct tensor *expected) {
    assert_non_null(got);
    assert_int_equal(got->type, expected->type);
    assert_int_equal(got->rank, expected->rank);
    for (int i = 0; i < got->rank; i++)
        assert_int_equal(got->shape[i], expected->shape[i]);
    assert_int_equal(got->data.size, expected->data.size);
    size_t element = datatype_size(got->type);
    for (size_t i = 0; i < got->data.size; i += element) {
        float single[2];
        double real[2];
        memcpy(&single[0], got->data.data + i, element < sizeof single[0] ? element : sizeof single[0]);
        memcpy(&single[1], expected->data.data + i, element < sizeof single[0] ? element : sizeof single[0]);
        if (got->type == DATATYPE_FP64) {
            memcpy(&real[0], got->data.data + i, element);
            memcpy(&real[1], expected->data.data + i, element);
            assert_true(fabs(real[0] - real[1]) < 1e-4);
        } else if (got->type == DATATYPE_FP32) {
            assert_true(fabsf(single[0] - single[1]) < 1e-4F);
        } else {
            assert_memory_equal(got->data.data + i, expected->data.data + i, element);
        }
    }
}

static inline void assert_case(const struct batch *batch, size_t request, yyjson_val *outputs) {
    yyjson_val *item;
    size_t index, count;
    struct arena *arena = arena_create(0);
    assert_int_equal(batch->responses[request]->output_count, yyjson_arr_size(outputs));
    yyjson_arr_foreach(outputs, index, count, item) {
        struct tensor expected = case_tensor(item, arena);
        assert_tensors_close(output(batch, request, yyjson_get_str(yyjson_obj_get(item, "name"))), &expected);
    }
    arena_destroy(arena);
}

#endif
