/* Requests that a config lets through and a model cannot run: each gets an error, and the model goes on. */
#include "foreign_cases.h"

#include <pthread.h>

static struct engine engine;
static struct loaded bert;

static int setup(void **state) {
    (void)state;
    engine_open(&engine);
    assert_good(load_foreign(&engine, "torch_bert", "onnxruntime", &bert));
    return 0;
}

static int teardown(void **state) {
    (void)state;
    loaded_close(&bert);
    engine_close(&engine);
    return 0;
}

static const char *const names[] = {"input_ids", "attention_mask", "token_type_ids"};
static const int64_t ones[4096] = {1, 1, 1, 1};

/* One request with rows x lengths[i] in input i; a length of -1 leaves the input out. */
static void add_lengths(struct batch *batch, int64_t rows, const int64_t *lengths) {
    struct infer_request *request = add_request(batch, (uint32_t)rows, 3);
    for (size_t i = 0; i < 3; i++) {
        int64_t shape[] = {rows, lengths[i]};
        if (lengths[i] >= 0)
            add_input(request, names[i], DATATYPE_INT64, shape, 2, ones);
    }
}

static void assert_still_serves(struct loaded *loaded) {
    yyjson_doc *doc = cases_open("torch_bert");
    struct batch batch = {.loaded = loaded};
    add_case(&batch, cases_at(doc, 1, "inputs"), true);
    assert_good(execute(&batch));
    assert_case(&batch, 0, cases_at(doc, 1, "outputs"));
    batch_close(&batch);
    yyjson_doc_free(doc);
}

static void test_lengths_that_do_not_fit_together(void **state) {
    (void)state;
    for (int round = 0; round < 20; round++) {
        struct batch batch = {.loaded = &bert};
        add_lengths(&batch, 2, (int64_t[]){8, 9 + round, 8});
        assert_error(execute(&batch), STATUS_INVALID_ARGUMENT,
                     "the model cannot run on input_ids [2,8], attention_mask [2,");
        assert_null(batch.responses[0]);
        batch_close(&batch);
        add_lengths(&batch, 1 + round % 3, (int64_t[]){8, 8, 11});
        assert_error(execute(&batch), STATUS_INVALID_ARGUMENT, "token_type_ids [");
        batch_close(&batch);
        assert_still_serves(&bert);
    }
}

static void test_empty_sequences(void **state) {
    (void)state;
    struct batch batch = {.loaded = &bert};
    add_lengths(&batch, 2, (int64_t[]){0, 0, 0});
    assert_good(execute(&batch));
    assert_int_equal(output(&batch, 0, "start_logits")->shape[1], 0);
    batch_close(&batch);
    assert_still_serves(&bert);
}

/* Ids far outside of the vocabulary read nothing that is not theirs. */
static void test_ids_out_of_range(void **state) {
    (void)state;
    static const int64_t ids[] = {INT32_MAX, INT32_MIN, 1000000000, -1, 100, -100};
    static const int64_t shape[] = {1, 6};
    struct batch batch = {.loaded = &bert};
    struct infer_request *request = add_request(&batch, 1, 3);
    for (size_t i = 0; i < 3; i++)
        add_input(request, names[i], DATATYPE_INT64, shape, 2, ids);
    struct status status = execute(&batch);
    assert_true(status.code == STATUS_OK || status.code == STATUS_INTERNAL || status.code == STATUS_INVALID_ARGUMENT);
    batch_close(&batch);
    assert_still_serves(&bert);
}

/* Longer than the 64 positions that the graph slices its table to: what only running shows. The model is compiled anew,
 * and shapes that have run before it run again. */
static void test_more_tokens_than_positions(void **state) {
    (void)state;
    static const char *const inputs[] = {"input_ids", "input_mask", "segment_ids"};
    static const int32_t tokens[4 * 65] = {1};
    struct loaded frozen;
    assert_good(load_foreign(&engine, "tf_bert_frozen", "tensorflow", &frozen));
    yyjson_doc *doc = cases_open("tf_bert_frozen");
    for (int64_t rows = 1; rows <= 4; rows++) {
        struct batch batch = {.loaded = &frozen};
        int64_t shape[] = {rows, 65};
        add_case(&batch, cases_at(doc, 1, "inputs"), false);
        assert_good(execute(&batch));
        batch_close(&batch);
        struct infer_request *request = add_request(&batch, (uint32_t)rows, 3);
        for (size_t i = 0; i < 3; i++)
            add_input(request, inputs[i], DATATYPE_INT32, shape, 2, tokens);
        assert_error(execute(&batch), STATUS_INVALID_ARGUMENT, ",65]");
        batch_close(&batch);
        add_case(&batch, cases_at(doc, 1, "inputs"), false);
        assert_good(execute(&batch));
        assert_case(&batch, 0, cases_at(doc, 1, "outputs"));
        batch_close(&batch);
    }
    yyjson_doc_free(doc);
    loaded_close(&frozen);
}

#define BERT_OPTIONAL                                                                                                  \
    "backend: \"onnxruntime\" max_batch_size: 4 "                                                                      \
    "input { name: \"input_ids\" data_type: TYPE_INT64 dims: [-1] } "                                                  \
    "input { name: \"attention_mask\" data_type: TYPE_INT64 dims: [-1] optional: true } "                              \
    "input { name: \"token_type_ids\" data_type: TYPE_INT64 dims: [-1] optional: true } "

static void test_a_needed_optional_input_is_left_out(void **state) {
    (void)state;
    struct loaded loaded;
    assert_good(load(&engine, FOREIGN "repository/torch_bert/1", BERT_OPTIONAL, &loaded));
    for (int64_t rows = 1; rows <= 3; rows++) {
        struct batch batch = {.loaded = &loaded};
        add_lengths(&batch, rows, (int64_t[]){8, 8, -1});
        assert_error(execute(&batch), STATUS_INVALID_ARGUMENT, " without the optional input 'token_type_ids'");
        batch_close(&batch);
        add_lengths(&batch, rows, (int64_t[]){8, -1, 8});
        assert_error(execute(&batch), STATUS_INVALID_ARGUMENT, "without the optional input 'attention_mask'");
        batch_close(&batch);
    }
    assert_still_serves(&loaded);
    loaded_close(&loaded);
}

static void test_the_largest_variable_dimension(void **state) {
    (void)state;
    struct loaded loaded;
    assert_good(load(&engine, FOREIGN "repository/torch_bert/1",
                     "backend: \"onnxruntime\" parameters { key: \"max_variable_dim\" value { string_value: \"32\" } }",
                     &loaded));
    struct batch batch = {.loaded = &loaded};
    add_lengths(&batch, 2, (int64_t[]){32, 32, 32});
    assert_good(execute(&batch));
    batch_close(&batch);
    add_lengths(&batch, 2, (int64_t[]){33, 33, 33});
    assert_error(execute(&batch), STATUS_INVALID_ARGUMENT,
                 "input 'input_ids': expected at most 32 (the config's max_variable_dim) in dimension 1, got 33");
    batch_close(&batch);
    loaded_close(&loaded);
}

/* The core joins requests of equal shapes only; should it ever not, they are computed one by one, and nothing is read
 * past a tensor's end. */
static void test_a_batch_that_cannot_be_joined(void **state) {
    (void)state;
    struct batch batch = {.loaded = &bert};
    add_lengths(&batch, 1, (int64_t[]){8, 8, 8});
    add_lengths(&batch, 1, (int64_t[]){9, 9, 9});
    assert_good(execute(&batch));
    for (size_t i = 0; i < 2; i++)
        assert_int_equal(output(&batch, i, "start_logits")->shape[1], 8 + (int64_t)i);
    batch_close(&batch);
    add_lengths(&batch, 1, (int64_t[]){8, 8, 8});
    batch.requests[0]->inputs[1].data.size -= 8;
    assert_error(execute(&batch), STATUS_INVALID_ARGUMENT, "input 'attention_mask': expected 64 bytes, got 56");
    batch_close(&batch);
    add_lengths(&batch, 1, (int64_t[]){8, 8, 8});
    batch.requests[0]->inputs[0].memory = MEMORY_DEVICE;
    assert_error(execute(&batch), STATUS_UNSUPPORTED, "lies on a device");
    batch_close(&batch);
    assert_still_serves(&bert);
}

/* ---- instances beside each other ---- */

enum { ROUNDS = 60 };

struct worker {
    pthread_t thread;
    int instance;
    size_t good, bad, other;
};

static void *hammer(void *user) {
    struct worker *worker = user;
    for (int round = 0; round < ROUNDS; round++) {
        struct batch batch = {.loaded = &bert};
        struct backend_times times = {0};
        bool fits = (round + worker->instance) % 3 != 0;
        add_lengths(&batch, 1 + round % 3, (int64_t[]){4 + round % 20, fits ? 4 + round % 20 : 30, 4 + round % 20});
        const struct backend_batch view = {batch.requests, 1, batch.requests[0]->cost.items};
        struct status status = engine.ops->execute(bert.instances[worker->instance], &view, &times);
        bool as_it_should = fits ? status.code == STATUS_OK : status.code == STATUS_INVALID_ARGUMENT;
        worker->good += as_it_should && fits;
        worker->bad += as_it_should && !fits;
        worker->other += !as_it_should;
        batch_close(&batch);
    }
    return NULL;
}

static void test_instances_in_parallel(void **state) {
    (void)state;
    struct worker workers[2] = {{.instance = 0}, {.instance = 1}};
    assert_int_equal(bert.instance_count, 2);
    for (int i = 0; i < 2; i++)
        assert_int_equal(pthread_create(&workers[i].thread, NULL, hammer, &workers[i]), 0);
    for (int i = 0; i < 2; i++) {
        pthread_join(workers[i].thread, NULL);
        assert_int_equal(workers[i].other, 0);
        assert_true(workers[i].good > 0);
        assert_true(workers[i].bad > 0);
    }
    assert_still_serves(&bert);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lengths_that_do_not_fit_together),
        cmocka_unit_test(test_empty_sequences),
        cmocka_unit_test(test_ids_out_of_range),
        cmocka_unit_test(test_more_tokens_than_positions),
        cmocka_unit_test(test_a_needed_optional_input_is_left_out),
        cmocka_unit_test(test_the_largest_variable_dimension),
        cmocka_unit_test(test_a_batch_that_cannot_be_joined),
        cmocka_unit_test(test_instances_in_parallel),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
