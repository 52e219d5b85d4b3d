/* Models of the same files have one engine: by links too, at the same time too; and another once a file is another. */
#include "backends/bert/shared_engines.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <unistd.h>

#include <cmocka.h>

#include "../../engine/fake_cuda_device.h"
#include "base/file.h"

#define HF "tests/fixtures/hf_checkpoint"

#define assert_good(expression)                                                                                        \
    do {                                                                                                               \
        struct status good_ = (expression);                                                                            \
        assert_string_equal(good_.message, "");                                                                        \
    } while (0)

struct table {
    struct bert_pool *pool;
    struct shared_engines *engines;
    struct arena *arena;
    char *folder, *first, *second;
};

static void copy(struct arena *arena, const char *name, const char *folder) {
    struct buf content = BUF_EMPTY;
    assert_good(file_read(path_join(arena, HF, name), 1 << 24, &content));
    assert_good(file_write_atomic(path_join(arena, folder, name), buf_slice(&content)));
    buf_free(&content);
}

/* A folder with the checkpoint, and one with links to its files. */
static void open_table(struct table *table) {
    static const char *const files[] = {"model.safetensors", "config.json"};
    table->arena = arena_create(0);
    assert_good(file_make_temporary_directory("/tmp", "inferd-test-", table->arena, &table->folder));
    table->first = path_join(table->arena, table->folder, "first");
    table->second = path_join(table->arena, table->folder, "second");
    assert_good(file_make_directories(table->first));
    assert_good(file_make_directories(table->second));
    for (size_t i = 0; i < 2; i++) {
        copy(table->arena, files[i], table->first);
        assert_int_equal(symlink(arena_printf(table->arena, "../first/%s", files[i]),
                                 path_join(table->arena, table->second, files[i])),
                         0);
    }
    assert_good(bert_pool_create(1, &table->pool));
    assert_good(shared_engines_create(table->pool, &table->engines));
}

static void close_table(struct table *table) {
    shared_engines_destroy(table->engines);
    bert_pool_destroy(table->pool);
    assert_good(file_remove_tree(table->folder));
    arena_destroy(table->arena);
}

static const struct bert_engine_options fp32 = {.precision = BERT_PRECISION_FP32, .isa = BERT_ISA_AUTO};

static void same_files_share(void **state) {
    (void)state;
    struct table table;
    struct shared_engine *a, *b, *c;
    const struct bert_engine_options int8 = {.precision = BERT_PRECISION_INT8, .isa = BERT_ISA_AUTO};
    open_table(&table);
    assert_good(shared_engines_get(table.engines, table.first, &fp32, &a));
    assert_good(shared_engines_get(table.engines, table.second, &fp32, &b));
    assert_good(shared_engines_get(table.engines, table.second, &int8, &c));
    assert_ptr_equal(shared_engine_engine(a), shared_engine_engine(b));
    assert_ptr_not_equal(shared_engine_engine(a), shared_engine_engine(c));
    shared_engines_release(table.engines, a); /* the others go on */
    assert_int_equal(bert_engine_config(shared_engine_engine(b))->hidden_size, 32);
    shared_engines_release(table.engines, b);
    shared_engines_release(table.engines, c);
    close_table(&table);
}

static void auto_is_what_it_becomes(void **state) {
    (void)state;
    struct table table;
    struct shared_engine *a, *b;
    const struct bert_engine_options automatic = {.precision = BERT_PRECISION_AUTO, .isa = BERT_ISA_AUTO};
    struct bert_engine_options resolved = automatic;
    assert_good(bert_engine_resolve(&resolved));
    assert_int_not_equal(resolved.precision, BERT_PRECISION_AUTO);
    assert_int_not_equal(resolved.isa, BERT_ISA_AUTO);
    open_table(&table);
    assert_good(shared_engines_get(table.engines, table.first, &automatic, &a));
    assert_good(shared_engines_get(table.engines, table.second, &resolved, &b));
    assert_ptr_equal(shared_engine_engine(a), shared_engine_engine(b));
    shared_engines_release(table.engines, a);
    shared_engines_release(table.engines, b);
    close_table(&table);
}

/* Every option makes another engine of a GPU. */
static void other_options_are_another(void **state) {
    (void)state;
    struct table table;
    static const struct bert_device gpus[] = {{BERT_DEVICE_CUDA, 0}, {BERT_DEVICE_CUDA, 1}};
    const struct bert_engine_options rows[] = {
        {.precision = BERT_PRECISION_FP16, .device = gpus[0]},
        {.precision = BERT_PRECISION_FP16, .device = gpus[1]},
        {.precision = BERT_PRECISION_FP16, .short_batches = BERT_SHORT_AUTO, .device = gpus[0]},
        {.precision = BERT_PRECISION_FP8, .device = gpus[0]},
        {.precision = BERT_PRECISION_FP8, .bf16_layers = 1, .device = gpus[0]},
    };
    enum { COUNT = sizeof rows / sizeof rows[0] };
    struct shared_engine *engines[COUNT], *again;
    open_table(&table);
    for (size_t i = 0; i < COUNT; i++) {
        assert_good(shared_engines_get(table.engines, table.first, &rows[i], &engines[i]));
        for (size_t k = 0; k < i; k++)
            assert_ptr_not_equal(engines[k], engines[i]);
        assert_good(shared_engines_get(table.engines, table.second, &rows[i], &again));
        assert_ptr_equal(again, engines[i]);
        shared_engines_release(table.engines, again);
    }
    for (size_t i = 0; i < COUNT; i++)
        shared_engines_release(table.engines, engines[i]);
    close_table(&table);
}

/* Whether letters keep their case may be told by a file that only one of the folders has. */
static void another_tokenizer_is_another(void **state) {
    (void)state;
    struct table table;
    struct shared_engine *a, *b;
    open_table(&table);
    const char *tokenizer = path_join(table.arena, table.second, "tokenizer_config.json");
    assert_good(file_write_atomic(tokenizer, SLICE_LITERAL("{\"do_lower_case\": false}")));
    assert_good(shared_engines_get(table.engines, table.first, &fp32, &a));
    assert_good(shared_engines_get(table.engines, table.second, &fp32, &b));
    assert_ptr_not_equal(shared_engine_engine(a), shared_engine_engine(b));
    shared_engines_release(table.engines, a);
    shared_engines_release(table.engines, b);
    close_table(&table);
}

static void a_new_file_is_another(void **state) {
    (void)state;
    struct table table;
    struct shared_engine *a, *b;
    open_table(&table);
    assert_good(shared_engines_get(table.engines, table.first, &fp32, &a));
    copy(table.arena, "model.safetensors", table.first);
    assert_good(shared_engines_get(table.engines, table.first, &fp32, &b));
    assert_ptr_not_equal(shared_engine_engine(a), shared_engine_engine(b));
    shared_engines_release(table.engines, a);
    shared_engines_release(table.engines, b);
    close_table(&table);
}

/* The failure is told to all, and kept for nobody: with the file put right the next one gets its engine. */
static void a_failure_is_not_kept(void **state) {
    (void)state;
    struct table table;
    struct shared_engine *engine;
    open_table(&table);
    const char *config = path_join(table.arena, table.first, "config.json");
    assert_good(file_write_atomic(config, SLICE_LITERAL("{}")));
    assert_int_equal(shared_engines_get(table.engines, table.first, &fp32, &engine).code, STATUS_INVALID_ARGUMENT);
    assert_int_equal(unlink(config), 0);
    assert_int_equal(shared_engines_get(table.engines, table.second, &fp32, &engine).code, STATUS_NOT_FOUND);
    copy(table.arena, "config.json", table.first);
    assert_good(shared_engines_get(table.engines, table.second, &fp32, &engine));
    shared_engines_release(table.engines, engine);
    close_table(&table);
}

struct getter {
    struct table *table;
    struct shared_engine *engine;
    struct status status;
};

static void *get(void *user) {
    struct getter *getter = user;
    getter->status = shared_engines_get(getter->table->engines, getter->table->first, &fp32, &getter->engine);
    return NULL;
}

static void many_at_once_make_one(void **state) {
    (void)state;
    enum { THREADS = 8 };
    struct table table;
    struct getter getters[THREADS];
    pthread_t threads[THREADS];
    open_table(&table);
    for (int i = 0; i < THREADS; i++) {
        getters[i] = (struct getter){.table = &table};
        assert_int_equal(pthread_create(&threads[i], NULL, get, &getters[i]), 0);
    }
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    for (int i = 0; i < THREADS; i++) {
        assert_string_equal(getters[i].status.message, "");
        assert_ptr_equal(getters[i].engine, getters[0].engine);
    }
    for (int i = 0; i < THREADS; i++)
        shared_engines_release(table.engines, getters[i].engine);
    close_table(&table);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(same_files_share),          cmocka_unit_test(auto_is_what_it_becomes),
        cmocka_unit_test(other_options_are_another), cmocka_unit_test(another_tokenizer_is_another),
        cmocka_unit_test(a_new_file_is_another),     cmocka_unit_test(a_failure_is_not_kept),
        cmocka_unit_test(many_at_once_make_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
