/* The whole engine for GPUs, emulated, against the CPU's in fp32: all results, each precision and size of head, batches
 * with and without a graph; what it refuses; and errors of every call. */
#include "engine/cuda/cuda_gemm.h"
#include "engine_pair.h"

static void equals_the_cpu(void **state) {
    static const int64_t sizes[][2] = {{32, 2}, {48, 3}, {64, 2}, {128, 2}};
    (void)state;
    for (size_t size = 0; size < sizeof sizes / sizeof sizes[0]; size += SIZE_STEP)
        for (size_t i = 0; i < sizeof precisions / sizeof precisions[0]; i++) {
            struct bert_config config = small;
            config.hidden_size = sizes[size][0];
            config.head_count = sizes[size][1];
            config.intermediate_size = 2 * config.hidden_size;
            struct pair pair = open_pair(&config, precisions[i], 320);
            struct batch batch = make_batch(sizeof mixed / sizeof mixed[0], mixed);
            compare(&pair, &batch, tolerance_of(precisions[i]));
            batch.with_segments = false;
            batch.with_positions = true;
            compare(&pair, &batch, tolerance_of(precisions[i]));
            close_pair(&pair);
        }
}

/* The more layers of an engine of fp8 are in bf16, the nearer it is, and the more memory its weights take. */
static void first_layers_may_be_in_bf16(void **state) {
    (void)state;
    struct bert_config config = small;
    struct bert_engine_options options = gpu_options(BERT_PRECISION_FP8);
    const struct batch batch = make_batch(sizeof mixed / sizeof mixed[0], mixed);
    const size_t numbers = batch.offsets[batch.sequences] * 32;
    size_t memory = 0;
    double error = 1;
    config.layer_count = 3;
    for (options.bf16_layers = 0; options.bf16_layers < 3; options.bf16_layers++) {
        struct pair pair = open_pair_as(&config, &options, 320);
        compare(&pair, &batch, tolerance_of(BERT_PRECISION_FP8));
        const double smaller = error_of(gpu_results.hidden, cpu_results.hidden, numbers);
        assert_true(smaller < error);
        assert_true(bert_engine_memory(pair.gpu) > memory);
        error = smaller;
        memory = bert_engine_memory(pair.gpu);
        close_pair(&pair);
    }
    struct pair pair = open_pair(&config, BERT_PRECISION_BF16, 320);
    compare(&pair, &batch, tolerance_of(BERT_PRECISION_BF16));
    assert_true(error_of(gpu_results.hidden, cpu_results.hidden, numbers) < 0.5 * error); /* one is still in fp8 */
    close_pair(&pair);
}

/* ---- sizes ---- */

/* One size after another, so that each finds what the one before has left. */
static void equals_the_cpu_for_all_sizes_of_batches(void **state) {
    static const uint32_t lengths[][SEQUENCES_MAX] = {{1},
                                                      {200},
                                                      {32},
                                                      {31, 2},
                                                      {224, 224, 65},
                                                      {5},
                                                      {1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1},
                                                      {224, 224, 223, 3, 1},
                                                      {3, 3},
                                                      {64, 64, 64, 64, 64, 64, 64, 64},
                                                      {64, 64, 64, 64, 64, 64, 64, 64, 1}};
    (void)state;
    for (size_t precision = FIRST_PRECISION; precision < 3; precision++) {
        struct pair pair = open_pair(&small, precisions[precision], 700);
        for (size_t turn = 0; turn < precision; turn++)
            for (size_t i = 0; i < sizeof lengths / sizeof lengths[0]; i++) {
                size_t sequences = 0;
                while (lengths[i][sequences])
                    sequences++;
                const struct batch batch = make_batch(sequences, lengths[i]);
                compare(&pair, &batch, tolerance_of(precisions[precision]));
            }
        close_pair(&pair);
    }
}

/* The exact GELU differs from the GPU's by less than bf16 does. */
static void computes_both_forms_of_gelu(void **state) {
    (void)state;
    struct bert_config config = small;
    config.activation = BERT_GELU_ERF;
    struct pair pair = open_pair(&config, BERT_PRECISION_BF16, 300);
    const struct batch batch = make_batch(sizeof mixed / sizeof mixed[0], mixed);
    compare(&pair, &batch, tolerance_of(BERT_PRECISION_BF16));
    close_pair(&pair);
}

static void gives_only_what_is_wanted(void **state) {
    (void)state;
    struct pair pair = open_pair(&small, BERT_PRECISION_FP16, 300);
    const struct batch batch = make_batch(sizeof mixed / sizeof mixed[0], mixed);
    const size_t tokens = batch.offsets[batch.sequences], rows = batch.sequences * 32;
    struct bert_results wanted = places(&cpu_results);
    expect_ok(run(pair.cpu_session, &batch, &wanted));
    places(&gpu_results);
    const struct {
        struct bert_results results;
        const float *got, *wanted;
        size_t count;
    } cases[] = {
        {{.starts = gpu_results.starts, .ends = gpu_results.ends}, gpu_results.ends, wanted.ends, tokens},
        {{.hidden = gpu_results.hidden}, gpu_results.hidden, wanted.hidden, tokens * 32},
        {{.mean = gpu_results.mean}, gpu_results.mean, wanted.mean, rows},
        {{.first = gpu_results.first}, gpu_results.first, wanted.first, rows},
        {{.pooled = gpu_results.pooled}, gpu_results.pooled, wanted.pooled, rows},
        {{.labels = gpu_results.labels}, gpu_results.labels, wanted.labels, batch.sequences * MADE_LABELS},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        assert_true(isnan(cases[i].got[0]));
        expect_ok(run(pair.gpu_session, &batch, &cases[i].results));
        expect_alike("alone", cases[i].got, cases[i].wanted, cases[i].count, 0.008f);
    }
    close_pair(&pair);
}

static void small_batches_are_graphs(void **state) {
    static const uint32_t lengths[] = {30, 2}, long_ones[] = {224, 224, 65};
    static const uint32_t many[20] = {1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1};
    (void)state;
    struct pair pair = open_pair(&small, BERT_PRECISION_BF16, 600);
    const struct batch batch = make_batch(2, lengths), large = make_batch(3, long_ones),
                       short_ones = make_batch(20, many);
    const struct bert_results spans = {.starts = gpu_results.starts, .ends = gpu_results.ends};
    const struct bert_results all = {.starts = spans.starts, .ends = spans.ends, .hidden = gpu_results.hidden};
    const int before = emulator_graph_launches(), live = emulator_live();
    float first[32];
    for (int i = 0; i < 3; i++) {
        expect_ok(run(pair.gpu_session, &batch, &spans));
        if (i > 0)
            assert_memory_equal(first, spans.starts, sizeof first);
        memcpy(first, spans.starts, sizeof first);
    }
    assert_int_equal(emulator_graph_launches() - before, 3);
    assert_int_equal(emulator_live(), live); /* it was there before the first batch came */
    expect_ok(run(pair.gpu_session, &large, &spans));
    assert_int_equal(emulator_graph_launches() - before, 4);
    expect_ok(run(pair.gpu_session, &short_ones, &spans)); /* more tiles than the graph of 32 tokens has */
    assert_int_equal(emulator_graph_launches() - before, 4);
    for (int i = 0; i < 2; i++)
        expect_ok(run(pair.gpu_session, &batch, &all));
    assert_int_equal(emulator_graph_launches() - before, 6);
    assert_int_equal(emulator_live() - live, 1); /* that of other results was made for the first */
    close_pair(&pair);
}

/* Up to the largest that is one, and one token more. */
static void larger_batches_are_graphs_too(void **state) {
    static const uint32_t tokens[] = {1100, 2049, CUDA_SMALL_TOKENS, CUDA_SMALL_TOKENS + 1};
    (void)state;
    if (CALL_STEP > 1)
        skip(); /* too slow for a sanitized build */
    struct pair pair = open_pair(&small, BERT_PRECISION_BF16, TOKENS_MAX);
    for (size_t i = 0; i < sizeof tokens / sizeof tokens[0]; i++) {
        uint32_t lengths[SEQUENCES_MAX], count = 0;
        for (uint32_t left = tokens[i]; left > 0; left -= lengths[count++])
            lengths[count] = left < POSITIONS ? left : POSITIONS;
        const struct batch batch = make_batch(count, lengths);
        const int before = emulator_graph_launches();
        compare(&pair, &batch, tolerance_of(BERT_PRECISION_BF16));
        assert_int_equal(emulator_graph_launches() - before, tokens[i] <= CUDA_SMALL_TOKENS);
    }
    close_pair(&pair);
}

/* Of the emulated algorithms the second takes half of the first one's time; the kernels take nearly none. */
static void takes_the_fastest_algorithm(void **state) {
    static const uint32_t lengths[] = {30, 2};
    (void)state;
    struct pair pair = open_pair(&small, BERT_PRECISION_BF16, 100);
    const struct batch batch = make_batch(2, lengths);
    const float before = emulator_time();
    expect_ok(
        run(pair.gpu_session, &batch, &(struct bert_results){.starts = gpu_results.starts, .ends = gpu_results.ends}));
    const float products = 2 * 4, taken = emulator_time() - before;
    assert_true(taken >= products && taken < products + 1);
    close_pair(&pair);
}

/* ---- errors ---- */

static void refuses_what_a_device_cannot_do(void **state) {
    (void)state;
    struct bert_config config = small;
    struct pair pair = open_checkpoint(&config);
    struct bert_engine_options options = gpu_options(BERT_PRECISION_FP32);
    struct bert_engine *engine = NULL;
    expect_error(bert_engine_create(pair.checkpoint, &options, pair.pool, &engine), STATUS_UNSUPPORTED, "bf16, fp16");
    options = gpu_options(BERT_PRECISION_FP8);
    emulator_set_capability(80);
    expect_error(bert_engine_create(pair.checkpoint, &options, pair.pool, &engine), STATUS_UNSUPPORTED, "fp8");
    emulator_set_capability(90);
    options.bf16_layers = 2;
    expect_error(bert_engine_create(pair.checkpoint, &options, pair.pool, &engine), STATUS_INVALID_ARGUMENT,
                 "2 layers in bf16: of the model's 2 at least one must be left for fp8");
    options.precision = BERT_PRECISION_BF16;
    expect_error(bert_engine_create(pair.checkpoint, &options, pair.pool, &engine), STATUS_INVALID_ARGUMENT,
                 "2 layers in bf16 of an engine in bf16");
    options = (struct bert_engine_options){.isa = BERT_ISA_AVX2, .device = {BERT_DEVICE_CUDA, 0}};
    expect_error(bert_engine_create(pair.checkpoint, &options, pair.pool, &engine), STATUS_INVALID_ARGUMENT, "avx2");
    options = (struct bert_engine_options){.device = {BERT_DEVICE_CUDA, 7}};
    expect_error(bert_engine_create(pair.checkpoint, &options, pair.pool, &engine), STATUS_UNSUPPORTED, "device 7");
    close_pair(&pair);
    static const struct {
        int64_t hidden, heads, intermediate;
        const char *text;
    } cases[] = {{32, 4, 64, "heads"}, {48, 3, 72, "multiples"}, {2064, 129, 64, "at most"}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        config.hidden_size = cases[i].hidden;
        config.head_count = cases[i].heads;
        config.intermediate_size = cases[i].intermediate;
        config.layer_count = 1;
        pair = open_checkpoint(&config);
        options = gpu_options(BERT_PRECISION_BF16);
        expect_error(bert_engine_create(pair.checkpoint, &options, pair.pool, &engine), STATUS_UNSUPPORTED,
                     cases[i].text);
        close_pair(&pair);
    }
}

/* fp8 scales its matrices, so it takes any weight of them. */
static void refuses_weights_too_large_for_the_precision(void **state) {
    static const struct {
        float weight;
        enum bert_precision precision;
        const char *text; /* NULL: it is taken */
    } cases[] = {
        {70000, BERT_PRECISION_FP16, "holds 70000, which is too large to compute in fp16"},
        {70000, BERT_PRECISION_BF16, NULL},
        {0x1.fep127f, BERT_PRECISION_BF16, NULL}, /* the largest that bf16 has */
        {3.4e38f, BERT_PRECISION_BF16, "holds 3.4e+38, which is too large to compute in bf16"},
        {3.4e38f, BERT_PRECISION_FP8, NULL},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct pair pair = {.scratch = scratch_create()};
        struct bert_engine *engine = NULL;
        char text[128];
        made_model_write(&pair.scratch, &small, cases[i].weight);
        expect_ok(bert_checkpoint_open(pair.scratch.folder, NULL, &pair.checkpoint));
        struct bert_engine_options options = gpu_options(cases[i].precision);
        struct status status = bert_engine_create(pair.checkpoint, &options, NULL, &engine);
        snprintf(text, sizeof text, "bert.encoder.layer.1.output.dense.weight\" %s", cases[i].text);
        if (cases[i].text)
            expect_error(status, STATUS_INVALID_ARGUMENT, text);
        else
            expect_ok(status);
        bert_engine_destroy(engine);
        close_pair(&pair);
    }
}

/* Every call of the runtime and of cuBLASLt fails once; nothing is left behind, and what is there still works. */
static void survives_errors_of_every_call(void **state) {
    static const uint32_t lengths[] = {20, 13}, many[20] = {1, 1, 1, 1, 1, 2, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 2};
    (void)state;
    struct pair pair = open_pair(&small, BERT_PRECISION_FP8, 64);
    const struct batch batches[] = {make_batch(2, lengths), make_batch(20, many)}; /* a graph, and none */
    const struct bert_engine_options options = gpu_options(BERT_PRECISION_FP8);
    const int live = emulator_live();
    bool is_engine = true;
    for (int n = 1; is_engine; n += CALL_STEP) {
        struct bert_engine *engine = NULL;
        emulator_fail_call(n);
        struct status status = bert_engine_create(pair.checkpoint, &options, pair.pool, &engine);
        is_engine = emulator_has_failed();
        emulator_fail_call(0);
        assert_int_equal(status_is_ok(&status), !is_engine);
        bert_engine_destroy(engine);
        assert_int_equal(emulator_live(), live);
    }
    const int graphs = emulator_graph_launches();
    for (int i = 0; i < 2; i++)
        for (int n = 1, fails = 1; fails; n += CALL_STEP) {
            const struct bert_results results = places(&gpu_results);
            emulator_fail_call(n);
            struct status status = run(pair.gpu_session, &batches[i], &results);
            fails = emulator_has_failed();
            emulator_fail_call(0);
            assert_int_equal(status_is_ok(&status), !fails);
            compare(&pair, &batches[i], tolerance_of(BERT_PRECISION_FP8));
        }
    assert_true(emulator_graph_launches() > graphs);
    close_pair(&pair);
}

/* The same for a session. What an algorithm makes of an error while it is measured is another one's chance, and without
 * a graph a batch is launched kernel by kernel. */
static void sessions_survive_errors(void **state) {
    static const uint32_t lengths[] = {12, 3};
    (void)state;
    struct pair pair = open_pair(&small, BERT_PRECISION_BF16, 20);
    const struct batch batch = make_batch(2, lengths);
    const struct bert_engine_options options = gpu_options(BERT_PRECISION_BF16);
    const struct bert_results wanted = {.starts = cpu_results.starts, .ends = cpu_results.ends},
                              got = {.starts = gpu_results.starts, .ends = gpu_results.ends};
    const int others = emulator_live();
    int without_graph = 0;
    bool fails = true;
    expect_ok(run(pair.cpu_session, &batch, &wanted));
    for (int n = 1; fails; n += CALL_STEP) {
        struct bert_engine *engine = NULL;
        struct bert_session *session = NULL;
        expect_ok(bert_engine_create(pair.checkpoint, &options, pair.pool, &engine));
        const int live = emulator_live();
        emulator_fail_call(n);
        struct status status = bert_session_create(engine, 20, &session);
        fails = emulator_has_failed();
        emulator_fail_call(0);
        assert_true(status_is_ok(&status) == (session != NULL));
        const int graphs = emulator_graph_launches();
        for (int i = 0; session && i < 2; i++) {
            expect_ok(run(session, &batch, &got));
            expect_alike("starts", got.starts, wanted.starts, 15, tolerance_of(BERT_PRECISION_BF16));
        }
        without_graph += session && emulator_graph_launches() == graphs;
        bert_session_destroy(session);
        assert_int_equal(emulator_live(), live);
        bert_engine_destroy(engine);
        assert_int_equal(emulator_live(), others);
    }
    assert_true(without_graph > 0);
    close_pair(&pair);
}

/* An error is the batch's; a fault of the device is that of all that come after it, and the engine tells. */
static void tells_that_the_device_is_lost(void **state) {
    static const uint32_t lengths[] = {12, 3};
    (void)state;
    struct pair pair = open_pair(&small, BERT_PRECISION_BF16, 20);
    const struct batch batch = make_batch(2, lengths);
    const struct bert_results spans = {.starts = gpu_results.starts, .ends = gpu_results.ends};
    for (int n = 1; n < 4; n++) {
        emulator_fail_call(n);
        expect_error(run(pair.gpu_session, &batch, &spans), STATUS_UNAVAILABLE, "cuda");
        assert_false(bert_engine_is_lost(pair.gpu));
    }
    emulator_fail_call(0);
    expect_ok(run(pair.gpu_session, &batch, &spans));
    assert_false(bert_engine_is_lost(pair.gpu));
    emulator_break(true);
    expect_error(run(pair.gpu_session, &batch, &spans), STATUS_UNAVAILABLE, "cuda");
    assert_true(bert_engine_is_lost(pair.gpu) && !bert_engine_is_lost(pair.cpu));
    emulator_break(false);
    close_pair(&pair);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(equals_the_cpu),
                                       cmocka_unit_test(first_layers_may_be_in_bf16),
                                       cmocka_unit_test(equals_the_cpu_for_all_sizes_of_batches),
                                       cmocka_unit_test(computes_both_forms_of_gelu),
                                       cmocka_unit_test(gives_only_what_is_wanted),
                                       cmocka_unit_test(small_batches_are_graphs),
                                       cmocka_unit_test(larger_batches_are_graphs_too),
                                       cmocka_unit_test(refuses_what_a_device_cannot_do),
                                       cmocka_unit_test(takes_the_fastest_algorithm),
                                       cmocka_unit_test(refuses_weights_too_large_for_the_precision),
                                       cmocka_unit_test(survives_errors_of_every_call),
                                       cmocka_unit_test(sessions_survive_errors),
                                       cmocka_unit_test(tells_that_the_device_is_lost)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
