#include "backends/openvino/output_scatter.h"

#include <string.h>

#include "backends/openvino/element_type.h"
#include "backends/openvino/engine_error.h"

void output_view_release(struct output_view *view) {
    ov_tensor_free(view->tensor);
    view->tensor = NULL;
}

static bool is_wanted(const struct output_binding *binding, const struct backend_batch *batch) {
    for (size_t i = 0; i < batch->count; i++)
        if (infer_request_wants(batch->requests[i], binding->name))
            return true;
    return false;
}

/* The C API has no shape to give for a scalar and answers with INVALID_C_PARAM; a scalar's one element tells it apart.
 */
static struct status read_shape(struct output_view *view) {
    ov_shape_t shape = {0, NULL};
    size_t elements = 0;
    ov_status_e result = ov_tensor_get_shape(view->tensor, &shape);
    if (result == INVALID_C_PARAM && ov_tensor_get_size(view->tensor, &elements) == OK && elements == 1) {
        view->rank = 0;
        return status_ok();
    }
    if (result != OK)
        return engine_error(result, STATUS_INTERNAL, "cannot read the shape of output '%.*s'",
                            SLICE_ARGS(view->binding->name));
    bool fits = shape.rank >= 0 && shape.rank <= TENSOR_RANK_MAX;
    view->rank = fits ? (int)shape.rank : 0;
    if (view->rank > 0)
        memcpy(view->shape, shape.dims, (size_t)view->rank * sizeof *view->shape);
    ov_shape_free(&shape);
    if (!fits)
        return status_error(STATUS_INTERNAL, "output '%.*s' has more than %d dimensions",
                            SLICE_ARGS(view->binding->name), TENSOR_RANK_MAX);
    return status_ok();
}

static struct status read_view(const ov_infer_request_t *engine, struct output_view *view) {
    const struct output_binding *binding = view->binding;
    ov_element_type_e type = DYNAMIC;
    size_t size = 0;
    void *data = NULL;
    ov_status_e result = ov_infer_request_get_output_tensor_by_index(engine, binding->index, &view->tensor);
    if (result == OK)
        result = ov_tensor_get_element_type(view->tensor, &type);
    if (result == OK)
        result = ov_tensor_get_byte_size(view->tensor, &size);
    if (result == OK)
        result = ov_tensor_data(view->tensor, &data);
    if (result != OK)
        return engine_error(result, STATUS_INTERNAL, "cannot read output '%.*s'", SLICE_ARGS(binding->name));
    if (element_type_to_datatype(type) != binding->type)
        return status_error(STATUS_INTERNAL, "output '%.*s': the config says %s, the engine gave '%s'",
                            SLICE_ARGS(binding->name), datatype_config_name(binding->type), element_type_name(type));
    view->data = (struct slice){data, size};
    STATUS_TRY(read_shape(view));
    if (binding->scalar && view->rank == 0)
        view->shape[view->rank++] = 1;
    return status_ok();
}

static bool shape_fits(const struct output_view *view, bool batches, int64_t rows) {
    const struct output_binding *binding = view->binding;
    if (view->rank != binding->rank)
        return false;
    for (int i = 0; i < view->rank; i++) {
        int64_t expected = batches && i == 0 ? rows : binding->shape[i];
        if (expected >= 0 && view->shape[i] != expected)
            return false;
    }
    return true;
}

static struct status check_shape(const struct output_view *view, bool batches, int64_t rows) {
    if (shape_fits(view, batches, rows))
        return status_ok();
    int64_t shape[TENSOR_RANK_MAX + 1];
    char expected[160], got[160];
    memcpy(shape, view->binding->shape, sizeof shape);
    if (batches)
        shape[0] = rows;
    shape_format(shape, view->binding->rank, expected, sizeof expected);
    shape_format(view->shape, view->rank, got, sizeof got);
    return status_error(STATUS_INTERNAL, "output '%.*s': expected the shape %s after the config%s, the model gave %s",
                        SLICE_ARGS(view->binding->name), expected, batches ? " and the batch" : "", got);
}

struct status output_view_take(const struct output_binding *binding, const struct backend_batch *batch, bool batches,
                               int64_t rows, const ov_infer_request_t *engine, struct output_view *ret) {
    *ret = (struct output_view){.binding = binding};
    if (!is_wanted(binding, batch))
        return status_ok();
    STATUS_TRY(read_view(engine, ret));
    return check_shape(ret, batches, rows);
}

static struct status add_output(struct infer_response *response, const struct output_view *view, int64_t share,
                                bool batches, int64_t row, int64_t rows) {
    int64_t shape[TENSOR_RANK_MAX];
    size_t row_size = rows > 0 ? view->data.size / (size_t)rows : 0;
    size_t offset = batches ? row_size * (size_t)row : 0, size = batches ? row_size * (size_t)share : view->data.size;
    char *data;
    memcpy(shape, view->shape, sizeof shape);
    if (batches)
        shape[0] = share;
    STATUS_TRY(
        infer_response_add_output(response, view->binding->name, view->binding->type, shape, view->rank, size, &data));
    if (size > 0)
        memcpy(data, view->data.data + offset, size);
    return status_ok();
}

struct infer_response *output_scatter(const struct infer_request *request, const struct output_view *views,
                                      size_t count, bool batches, int64_t row, int64_t rows) {
    struct infer_response *response = infer_response_create(request, count);
    for (size_t i = 0; response && i < count && status_is_ok(&response->status); i++)
        if (views[i].tensor && infer_request_wants(request, views[i].binding->name))
            response->status = add_output(response, &views[i], (int64_t)request->cost.items, batches, row, rows);
    if (response && !status_is_ok(&response->status))
        response->output_count = 0;
    return response;
}
