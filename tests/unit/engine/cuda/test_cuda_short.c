/* How short batches are computed: in one kernel or as graphs, as was asked for or found out; and what becomes of a
 * kernel that is wrong, gives up, or cannot be tried. */
#include <pthread.h>

#include "engine/cuda/cuda_kernels.h"
#include "engine_pair.h"

/* Which of them one kernel has computed is seen by launches. */
static void equals_the_cpu_in_one_kernel(void **state) {
    static const uint32_t many[20] = {1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1}, one[] = {7},
                          longest[] = {128, 128}, longer[] = {128, 128, 1};
    static const struct {
        const uint32_t *lengths;
        size_t count;
        bool is_short;
    } cases[] = {{one, 1, true},     {mixed, sizeof mixed / sizeof mixed[0], true},
                 {many, 20, true},   {longest, 2, true},
                 {longer, 3, false}, {one, 1, true}};
    (void)state;
    for (size_t i = 0; i < 2; i++) {
        struct bert_engine_options options = gpu_options(precisions[i]);
        const struct bert_config config = wide();
        options.short_batches = i ? BERT_SHORT_AUTO : BERT_SHORT_PERSISTENT;
        struct pair pair = open_pair_as(&config, &options, 320);
        for (size_t k = 0; k < sizeof cases / sizeof cases[0]; k++) {
            struct batch batch = make_batch(cases[k].count, cases[k].lengths);
            const int before = emulator_cooperative_launches();
            batch.with_positions = k % 2;
            compare(&pair, &batch, tolerance_of(precisions[i]));
            assert_int_equal(emulator_cooperative_launches() - before, cases[k].is_short);
        }
        close_pair(&pair);
    }
}

/* It can be asked for where it cannot be had, and not be asked for where it can. */
static void one_kernel_is_for_some(void **state) {
    static const uint32_t lengths[] = {20, 13};
    (void)state;
    const struct bert_config config = wide();
    const struct batch batch = make_batch(2, lengths);
    struct bert_engine *engine = NULL;
    struct bert_engine_options options = gpu_options(BERT_PRECISION_FP8);
    struct pair pair = open_checkpoint(&config);
    options.short_batches = BERT_SHORT_PERSISTENT;
    expect_error(bert_engine_create(pair.checkpoint, &options, pair.pool, &engine), STATUS_UNSUPPORTED, "one kernel");
    options.precision = BERT_PRECISION_BF16;
    emulator_set_shared_memory(100 << 10);
    expect_error(bert_engine_create(pair.checkpoint, &options, pair.pool, &engine), STATUS_UNSUPPORTED, "one kernel");
    emulator_set_shared_memory(227 << 10);
    options.device.kind = BERT_DEVICE_CPU;
    expect_error(bert_engine_create(pair.checkpoint, &options, pair.pool, &engine), STATUS_INVALID_ARGUMENT,
                 "like all others");
    close_pair(&pair);
    for (int i = 0; i < 3; i++) {
        options = gpu_options(BERT_PRECISION_BF16);
        options.short_batches = i == 1 ? BERT_SHORT_GRAPHS : BERT_SHORT_AUTO;
        emulator_set_shared_memory(i == 2 ? 100 << 10 : 227 << 10);
        pair = open_pair_as(&config, &options, 100);
        const int before = emulator_cooperative_launches();
        compare(&pair, &batch, tolerance_of(BERT_PRECISION_BF16));
        assert_int_equal(emulator_cooperative_launches() - before, i == 0);
        close_pair(&pair);
    }
    emulator_set_shared_memory(227 << 10);
}

/* What is found out for sizes up to 128 tokens goes for a session that has room for 70. */
static void sessions_of_all_sizes_compute_alike(void **state) {
    static const uint32_t lengths[] = {40, 30};
    (void)state;
    const struct bert_config config = wide();
    const struct batch batch = make_batch(2, lengths);
    struct bert_engine_options options = gpu_options(BERT_PRECISION_BF16);
    options.short_batches = BERT_SHORT_AUTO;
    struct pair pair = open_pair_as(&config, &options, 70);
    const int before = emulator_cooperative_launches();
    compare(&pair, &batch, tolerance_of(BERT_PRECISION_BF16));
    assert_int_equal(emulator_cooperative_launches() - before, 1);
    close_pair(&pair);
}

/* ---- one kernel that is wrong ---- */

static void change_one_token(const void *arguments) {
    const struct cuda_persistent *call = arguments;
    if (call->results.starts)
        call->results.starts[call->embed.norm.tokens - 1] += 1000;
}

static void lose_results(const void *arguments) {
    const struct cuda_persistent *call = arguments;
    for (unsigned i = 0; i < call->embed.norm.tokens; i++)
        call->results.starts[i] = call->results.ends[i] = NAN;
}

static void give_up(const void *arguments) {
    ((const struct cuda_persistent *)arguments)->meeting->arrivals = 0x80000000;
}

/* While it is tried. */
static void a_wrong_kernel_is_not_used(void **state) {
    static const uint32_t lengths[] = {20, 13};
    static void (*const after[])(const void *) = {NULL, change_one_token, lose_results, NULL};
    (void)state;
    const struct bert_config config = wide();
    const struct batch batch = make_batch(2, lengths);
    struct bert_engine_options options = gpu_options(BERT_PRECISION_BF16);
    options.short_batches = BERT_SHORT_AUTO;
    for (int i = 0; i < 4; i++) {
        emulator_watch_cooperative(i == 3 ? give_up : NULL, after[i]);
        struct pair pair = open_pair_as(&config, &options, 64);
        emulator_watch_cooperative(NULL, NULL);
        const int before = emulator_cooperative_launches();
        compare(&pair, &batch, tolerance_of(BERT_PRECISION_BF16));
        assert_int_equal(emulator_cooperative_launches() - before, i == 0);
        close_pair(&pair);
    }
}

/* Later on. */
static void a_batch_that_is_given_up_is_computed_as_a_graph(void **state) {
    static const uint32_t lengths[] = {20, 13};
    (void)state;
    const struct bert_config config = wide();
    const struct batch batch = make_batch(2, lengths);
    struct bert_engine_options options = gpu_options(BERT_PRECISION_BF16);
    const struct bert_results spans = {.starts = gpu_results.starts, .ends = gpu_results.ends};
    for (int i = 0; i < 2; i++) {
        options.short_batches = i ? BERT_SHORT_PERSISTENT : BERT_SHORT_AUTO;
        struct pair pair = open_pair_as(&config, &options, 64);
        const int before = emulator_cooperative_launches();
        emulator_watch_cooperative(give_up, NULL);
        if (i)
            expect_error(run(pair.gpu_session, &batch, &spans), STATUS_UNAVAILABLE, "in vain");
        else
            compare(&pair, &batch, tolerance_of(BERT_PRECISION_BF16));
        emulator_watch_cooperative(NULL, NULL);
        compare(&pair, &batch, tolerance_of(BERT_PRECISION_BF16));
        assert_int_equal(emulator_cooperative_launches() - before, i ? 2 : 1);
        assert_false(bert_engine_is_lost(pair.gpu));
        close_pair(&pair);
    }
    options.short_batches = BERT_SHORT_PERSISTENT;
    struct pair pair = open_pair(&config, BERT_PRECISION_BF16, 64);
    struct bert_engine *engine = NULL;
    struct bert_session *session = NULL;
    expect_ok(bert_engine_create(pair.checkpoint, &options, pair.pool, &engine));
    emulator_watch_cooperative(give_up, NULL);
    expect_error(bert_session_create(engine, 64, &session), STATUS_UNAVAILABLE, "in vain");
    emulator_watch_cooperative(NULL, NULL);
    bert_engine_destroy(engine);
    close_pair(&pair);
}

/* ---- errors ---- */

/* What is not found out because of an error is left to graphs. */
static void errors_leave_short_batches_to_graphs(void **state) {
    static const uint32_t lengths[] = {12, 3};
    (void)state;
    const struct bert_config config = wide();
    struct pair pair = open_pair(&config, BERT_PRECISION_BF16, 20);
    const struct batch batch = make_batch(2, lengths);
    struct bert_engine_options options = gpu_options(BERT_PRECISION_BF16);
    options.short_batches = BERT_SHORT_AUTO;
    const struct bert_results spans = {.starts = gpu_results.starts, .ends = gpu_results.ends};
    int ways[2] = {0};
    bool fails = true;
    for (int n = 1; fails; n += CALL_STEP + 6) {
        struct bert_engine *engine = NULL;
        struct bert_session *session = NULL;
        expect_ok(bert_engine_create(pair.checkpoint, &options, pair.pool, &engine));
        const int live = emulator_live();
        emulator_fail_call(n);
        struct status status = bert_session_create(engine, 20, &session);
        fails = emulator_has_failed();
        emulator_fail_call(0);
        assert_true(status_is_ok(&status) == (session != NULL));
        const int before = emulator_cooperative_launches();
        if (session)
            expect_ok(run(session, &batch, &spans));
        ways[emulator_cooperative_launches() - before] += session != NULL;
        bert_session_destroy(session);
        assert_int_equal(emulator_live(), live);
        bert_engine_destroy(engine);
    }
    assert_true(ways[0] > 0 && ways[1] > 0);
    close_pair(&pair);
}

/* Any call of a batch's fails once; the batch is computed as a graph then, and so are all others. */
static void an_error_leaves_a_batch_to_graphs(void **state) {
    static const uint32_t lengths[] = {12, 3};
    (void)state;
    const struct bert_config config = wide();
    const struct batch batch = make_batch(2, lengths);
    struct bert_engine_options options = gpu_options(BERT_PRECISION_BF16);
    options.short_batches = BERT_SHORT_AUTO;
    int failed = 0;
    for (int n = 1; n == failed + 1; n++) {
        struct pair pair = open_pair_as(&config, &options, 20);
        emulator_fail_call(n);
        compare(&pair, &batch, tolerance_of(BERT_PRECISION_BF16));
        failed += emulator_has_failed();
        emulator_fail_call(0);
        assert_false(bert_engine_is_lost(pair.gpu));
        const int before = emulator_cooperative_launches();
        compare(&pair, &batch, tolerance_of(BERT_PRECISION_BF16));
        assert_int_equal(emulator_cooperative_launches() - before, failed < n);
        close_pair(&pair);
    }
    assert_true(failed > 0);
}

/* ---- threads ---- */

static void *run_often(void *argument) {
    static const uint32_t lengths[] = {5, 60, 3};
    const struct bert_engine *engine = argument;
    struct bert_session *session = NULL;
    float starts[68], ends[68], first[68];
    const struct batch batch = make_batch(3, lengths);
    expect_ok(bert_session_create(engine, 128, &session));
    for (int i = 0; i < 4; i++) {
        expect_ok(run(session, &batch, &(struct bert_results){.starts = starts, .ends = ends}));
        if (i > 0)
            assert_memory_equal(first, starts, sizeof first);
        memcpy(first, starts, sizeof first);
    }
    bert_session_destroy(session);
    return NULL;
}

static void sessions_run_beside_each_other(void **state) {
    (void)state;
    const struct bert_config config = wide();
    struct bert_engine_options options = gpu_options(BERT_PRECISION_BF16);
    options.short_batches = BERT_SHORT_AUTO;
    struct pair pair = open_pair_as(&config, &options, 32);
    pthread_t threads[3];
    const int before = emulator_cooperative_launches();
    for (int i = 0; i < 3; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, run_often, pair.gpu), 0);
    for (int i = 0; i < 3; i++)
        pthread_join(threads[i], NULL);
    assert_true(emulator_cooperative_launches() - before >= 3 * 4); /* and those that a session tries */
    close_pair(&pair);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(equals_the_cpu_in_one_kernel),
                                       cmocka_unit_test(one_kernel_is_for_some),
                                       cmocka_unit_test(sessions_of_all_sizes_compute_alike),
                                       cmocka_unit_test(a_wrong_kernel_is_not_used),
                                       cmocka_unit_test(a_batch_that_is_given_up_is_computed_as_a_graph),
                                       cmocka_unit_test(errors_leave_short_batches_to_graphs),
                                       cmocka_unit_test(an_error_leaves_a_batch_to_graphs),
                                       cmocka_unit_test(sessions_run_beside_each_other)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
