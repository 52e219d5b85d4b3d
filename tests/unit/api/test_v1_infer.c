/* InferRequestHeader of TRTIS v1: the shapes of inputs. */
#include "api/v1_infer.h"
#include "served_models.h"

static struct status decode(const struct served *served, const char *model, int64_t *dims, size_t rank, int *ret_rank) {
    struct pb_v1_infer_request_header_input input = {.name = SLICE_LITERAL("x"),
                                                     .dims = {.items = dims, .count = rank}};
    const struct pb_v1_infer_request_header header = {.batch_size = 1, .input = {.items = &input, .count = 1}};
    struct infer_request *request = infer_request_create(0);
    assert_non_null(request);
    request->model_name = slice_of(model);
    request->model_version = -1;
    size_t *sizes = NULL;
    struct status status = v1_infer_decode(&served->context, &header, request, &sizes);
    *ret_rank = status_is_ok(&status) ? request->inputs[0].rank : -1;
    infer_request_destroy(request);
    return status;
}

/* The batch dimension, which a client of v1 does not tell among the dims, counts too. */
static void a_shape_has_no_more_dims_than_a_tensor(void **state) {
    (void)state;
    struct served served;
    int64_t dims[TENSOR_RANK_MAX + 1];
    int rank;
    for (size_t i = 0; i < sizeof dims / sizeof dims[0]; i++)
        dims[i] = 1;
    served_init(&served);
    served_add_model(&served, "single",
                     "backend: \"identity\" input { name: \"x\" data_type: TYPE_INT32 dims: [ 1 ] } "
                     "output { name: \"y\" data_type: TYPE_INT32 dims: [ 1 ] }");
    served_add_model(&served, "batched",
                     "backend: \"identity\" max_batch_size: 4 input { name: \"x\" data_type: TYPE_INT32 dims: [ 1 ] } "
                     "output { name: \"y\" data_type: TYPE_INT32 dims: [ 1 ] }");
    served_start(&served);
    assert_good(decode(&served, "single", dims, TENSOR_RANK_MAX, &rank));
    assert_int_equal(rank, TENSOR_RANK_MAX);
    assert_good(decode(&served, "batched", dims, TENSOR_RANK_MAX - 1, &rank));
    assert_int_equal(rank, TENSOR_RANK_MAX);
    struct status status = decode(&served, "single", dims, TENSOR_RANK_MAX + 1, &rank);
    assert_int_equal(status.code, STATUS_INVALID_ARGUMENT);
    assert_string_equal(status.message, "input 'x': expected at most 16 dims, got 17");
    status = decode(&served, "batched", dims, TENSOR_RANK_MAX, &rank);
    assert_int_equal(status.code, STATUS_INVALID_ARGUMENT);
    assert_string_equal(status.message, "input 'x': expected at most 15 dims, got 16");
    served_end(&served);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_shape_has_no_more_dims_than_a_tensor),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
