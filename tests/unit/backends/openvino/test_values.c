/* What the values of one request do to others, in models in which a shape follows from them; and values that the engine
 * would take for others. */
#include "engine_fixture.h"

#include <math.h>
#include <pthread.h>

#define FIXED FOREIGN "repository/openvino_reshape_fixed/1"
#define ROWS FOREIGN "repository/openvino_reshape_rows/1"
#define TYPES FOREIGN "repository/openvino_types/1"

enum { LOADS = 8, ROUNDS = 40, WORKERS = 4, ANSWER = 1 };

static struct engine engine;
static const float twelve[12] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12};

static int setup(void **state) {
    (void)state;
    engine_open(&engine);
    return 0;
}

static int teardown(void **state) {
    (void)state;
    engine_close(&engine);
    return 0;
}

/* ---- fixed shapes ---- */

/* Runs x cut into rows of k, alone; copies the answer, and behind it its size, where it succeeds. */
static struct status run_fixed(struct loaded *loaded, int instance, int64_t k, float answer[ANSWER + 1]) {
    static const int64_t x_shape[] = {1, 12}, k_shape[] = {1};
    struct batch batch = {.loaded = loaded};
    struct backend_times times = {0};
    struct infer_request *request = add_request(&batch, 0, 2);
    add_input(request, "x", DATATYPE_FP32, x_shape, 2, twelve);
    add_input(request, "k", DATATYPE_INT64, k_shape, 1, &k);
    const struct backend_batch view = {batch.requests, 1, 0};
    struct status status = engine.ops->execute(loaded->instances[instance], &view, &times);
    if (status_is_ok(&status))
        status = batch.responses[0]->status;
    if (status_is_ok(&status)) {
        const struct slice y = batch.responses[0]->outputs[0].data;
        memcpy(answer, y.data, y.size < ANSWER * sizeof(float) ? y.size : ANSWER * sizeof(float));
        answer[ANSWER] = (float)y.size;
    }
    batch_close(&batch);
    return status;
}

static struct loaded load_fixed(void) {
    struct loaded loaded;
    assert_good(load(&engine, FIXED, "backend: \"openvino\" max_batch_size: 0 instance_group { count: 4 }", &loaded));
    return loaded;
}

static void test_a_failed_inference_changes_no_later_one(void **state) {
    (void)state;
    struct loaded loaded = load_fixed();
    float first[ANSWER + 1], later[ANSWER + 1], none[ANSWER + 1];
    assert_good(run_fixed(&loaded, 0, 4, first));
    assert_int_equal((int)first[ANSWER], ANSWER * sizeof(float));
    assert_true(first[0] > 1 && first[0] < 3);
    for (int round = 0; round < 3; round++) {
        assert_error(run_fixed(&loaded, 0, 5, none), STATUS_INVALID_ARGUMENT,
                     "the model cannot run on x [1,12], k [1]");
        struct status status = run_fixed(&loaded, 0, 3, none);
        assert_false(status_is_ok(&status));
        for (int instance = 0; instance < WORKERS; instance++) {
            assert_good(run_fixed(&loaded, instance, 4, later));
            assert_memory_equal(first, later, sizeof first);
        }
    }
    loaded_close(&loaded);
}

struct worker {
    pthread_t thread;
    struct loaded *loaded;
    const float *wanted; /* NULL: of one whose inferences fail */
    int instance, wrong;
};

static void *hammer(void *user) {
    struct worker *worker = user;
    for (int round = 0; round < ROUNDS; round++) {
        float answer[ANSWER + 1] = {0};
        const int64_t k = worker->wanted ? 4 : 3 + round % 2 * 2;
        struct status status = run_fixed(worker->loaded, worker->instance, k, answer);
        const bool is_right = worker->wanted
                                  ? status_is_ok(&status) && memcmp(answer, worker->wanted, sizeof answer) == 0
                                  : !status_is_ok(&status);
        worker->wrong += !is_right;
    }
    return NULL;
}

/* Each time with a model that nothing has failed in yet. */
static void test_nor_one_beside_it(void **state) {
    (void)state;
    for (int round = 0; round < LOADS; round++) {
        struct loaded loaded = load_fixed();
        float wanted[ANSWER + 1];
        struct worker workers[WORKERS];
        assert_good(run_fixed(&loaded, 0, 4, wanted));
        for (int i = 0; i < WORKERS; i++) {
            workers[i] = (struct worker){.loaded = &loaded, .instance = i, .wanted = i > 0 ? wanted : NULL};
            assert_int_equal(pthread_create(&workers[i].thread, NULL, hammer, &workers[i]), 0);
        }
        for (int i = 0; i < WORKERS; i++)
            pthread_join(workers[i].thread, NULL);
        for (int i = 0; i < WORKERS; i++)
            assert_int_equal(workers[i].wrong, 0);
        loaded_close(&loaded);
    }
}

/* ---- a batch ---- */

static struct loaded load_rows(void) {
    struct loaded loaded;
    assert_good(load(&engine, ROWS,
                     "backend: \"openvino\" max_batch_size: 8 "
                     "input { name: \"x\" data_type: TYPE_FP32 dims: [4] } "
                     "input { name: \"k\" data_type: TYPE_INT64 dims: [1] } "
                     "output { name: \"y\" data_type: TYPE_FP32 dims: [-1] }",
                     &loaded));
    return loaded;
}

static void add_row(struct batch *batch, const float *x, const int64_t *k) {
    static const int64_t x_shape[] = {1, 4}, k_shape[] = {1, 1};
    struct infer_request *request = add_request(batch, 1, 2);
    add_input(request, "x", DATATYPE_FP32, x_shape, 2, x);
    add_input(request, "k", DATATYPE_INT64, k_shape, 2, k);
}

static void test_one_request_fails_and_not_its_batch(void **state) {
    static const int64_t k[] = {4, 7, 2};
    (void)state;
    struct loaded loaded = load_rows();
    struct batch batch = {.loaded = &loaded};
    for (size_t i = 0; i < 3; i++)
        add_row(&batch, twelve + 4 * i, &k[i]);
    assert_good(execute(&batch));
    assert_memory_equal(output(&batch, 0, "y")->data.data, twelve, 4 * sizeof *twelve);
    assert_int_equal(batch.responses[1]->status.code, STATUS_INVALID_ARGUMENT);
    assert_non_null(strstr(batch.responses[1]->status.message, "the model cannot run on x [1,4], k [1,1]"));
    assert_int_equal(batch.responses[2]->status.code, STATUS_INVALID_ARGUMENT); /* its answer has two rows for one */
    batch_close(&batch);
    loaded_close(&loaded);
}

/* A model of variable shapes is compiled anew as it was loaded: what it cannot run it cannot run later either. */
static void test_the_same_model_after_a_failure(void **state) {
    static const int64_t k[] = {4, 7, 7, 4, 7};
    (void)state;
    struct loaded loaded = load_rows();
    for (size_t i = 0; i < sizeof k / sizeof k[0]; i++) {
        struct batch batch = {.loaded = &loaded};
        add_row(&batch, twelve, &k[i]);
        if (k[i] == 7)
            assert_error(execute(&batch), STATUS_INVALID_ARGUMENT, "the model cannot run on x [1,4], k [1,1]");
        else
            assert_good(execute(&batch));
        batch_close(&batch);
    }
    loaded_close(&loaded);
}

/* ---- values that the engine would take for others ---- */

/* The model's inputs, of which one has the bytes of `number` in its last place, and the others zeros. */
static struct status run_types(struct loaded *loaded, const char *changed, const void *number) {
    static const struct {
        const char *name;
        enum datatype type;
    } inputs[] = {{"in_bool", DATATYPE_BOOL},     {"in_int8", DATATYPE_INT8},     {"in_int16", DATATYPE_INT16},
                  {"in_int32", DATATYPE_INT32},   {"in_int64", DATATYPE_INT64},   {"in_uint8", DATATYPE_UINT8},
                  {"in_uint16", DATATYPE_UINT16}, {"in_uint32", DATATYPE_UINT32}, {"in_uint64", DATATYPE_UINT64},
                  {"in_float16", DATATYPE_FP16},  {"in_float32", DATATYPE_FP32},  {"in_float64", DATATYPE_FP64}};
    enum { COUNT = sizeof inputs / sizeof inputs[0], NUMBERS = 600 };
    static const int64_t shape[] = {NUMBERS / 3, 3};
    static const char zeros[NUMBERS * sizeof(uint64_t)];
    char bytes[NUMBERS * sizeof(uint64_t)] = {0};
    struct batch batch = {.loaded = loaded};
    struct infer_request *request = add_request(&batch, NUMBERS / 3, COUNT);
    for (size_t i = 0; i < COUNT; i++) {
        const size_t size = datatype_size(inputs[i].type);
        const bool is = strcmp(inputs[i].name, changed) == 0;
        if (is)
            memcpy(bytes + (NUMBERS - 1) * size, number, size);
        add_input(request, inputs[i].name, inputs[i].type, shape, 2, is ? bytes : zeros);
    }
    struct status status = execute(&batch);
    batch_close(&batch);
    return status;
}

static void test_values_that_the_engine_does_not_have(void **state) {
    static const int64_t good[] = {INT32_MAX, INT32_MIN, -1}, bad[] = {(int64_t)INT32_MAX + 1, (int64_t)INT32_MIN - 1,
                                                                       INT64_MAX, INT64_MIN, (int64_t)1 << 32};
    static const uint64_t good_bits[] = {0, INT32_MAX}, bad_bits[] = {(uint64_t)INT32_MAX + 1, UINT64_MAX};
    static const double good_numbers[] = {3.4e38, -3.4e38, 1e-300, (double)INFINITY, (double)NAN},
                        bad_numbers[] = {3.5e38, -1e300};
    (void)state;
    struct loaded loaded;
    assert_good(load(&engine, TYPES, "backend: \"openvino\" max_batch_size: 0", &loaded));
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++)
        assert_good(run_types(&loaded, "in_int64", &good[i]));
    for (size_t i = 0; i < sizeof good_bits / sizeof good_bits[0]; i++)
        assert_good(run_types(&loaded, "in_uint64", &good_bits[i]));
    for (size_t i = 0; i < sizeof good_numbers / sizeof good_numbers[0]; i++)
        assert_good(run_types(&loaded, "in_float64", &good_numbers[i]));
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_error(
            run_types(&loaded, "in_int64", &bad[i]), STATUS_INVALID_ARGUMENT,
            "input 'in_int64': the engine computes with INT64 as INT32: expected -2147483648 to 2147483647, got ");
    assert_error(run_types(&loaded, "in_int64", &bad[0]), STATUS_INVALID_ARGUMENT, "got 2147483648 in place 599");
    for (size_t i = 0; i < sizeof bad_bits / sizeof bad_bits[0]; i++)
        assert_error(run_types(&loaded, "in_uint64", &bad_bits[i]), STATUS_INVALID_ARGUMENT,
                     "expected 0 to 2147483647, got ");
    for (size_t i = 0; i < sizeof bad_numbers / sizeof bad_numbers[0]; i++)
        assert_error(run_types(&loaded, "in_float64", &bad_numbers[i]), STATUS_INVALID_ARGUMENT,
                     "expected -3.4e38 to 3.4e38, got ");
    assert_good(run_types(&loaded, "in_uint32", &(uint32_t){INT32_MAX}));
    assert_error(run_types(&loaded, "in_uint32", &(uint32_t){UINT32_MAX}), STATUS_INVALID_ARGUMENT,
                 "the engine computes with UINT32 as INT32: expected 0 to 2147483647, got 4294967295 in place 599");
    loaded_close(&loaded);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_failed_inference_changes_no_later_one),
        cmocka_unit_test(test_nor_one_beside_it),
        cmocka_unit_test(test_one_request_fails_and_not_its_batch),
        cmocka_unit_test(test_the_same_model_after_a_failure),
        cmocka_unit_test(test_values_that_the_engine_does_not_have),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
