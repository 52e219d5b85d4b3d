/* engine_speed: runs what bench/engine asks for, one line in, one line out, so that its rounds can be interleaved with
 * those of other engines:
 *
 *   peak FORMAT                     -> operations a second, all threads at once (0: none of that format)
 *   gemm FORMAT ROWS INPUTS OUTPUTS -> operations a second; FORMAT is fp32, bf16 or int8
 *   load CHECKPOINT CONFIG|- PRECISION TOKENS  -> ok
 *   run LENGTH ...                  -> seconds, for one batch of sequences of those lengths
 *
 * Arguments: THREADS (0: all) and INSTRUCTION_SET. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "engine/bert_engine.h"
#include "engine/cpu_features.h"
#include "engine/model/block_memory.h"
#include "engine/model/forward.h"
#include "engine/thread_pool.h"
#include "peak.h"

enum { SEQUENCES_MAX = 256, LINE_MAX_BYTES = 8192, COLD_BYTES = 96 << 20, COPIES_MAX = 512 };

struct speed {
    const struct kernels *kernels;
    struct bert_pool *pool;
    enum bert_isa isa;
    struct bert_engine *engine;
    struct bert_session *session;
    size_t tokens;
};

static void fail(const struct status *status) {
    fprintf(stderr, "engine_speed: %s\n", status->message);
    exit(1);
}

static void *room(size_t size) {
    void *block = block_alloc(size);
    if (!block) {
        struct status status = status_error(STATUS_RESOURCE_EXHAUSTED, "no memory for %zu bytes", size);
        fail(&status);
    }
    return block;
}

static double seconds_since(uint64_t begin_ns) {
    return (double)(clock_monotonic_ns() - begin_ns) / (double)NS_PER_S;
}

static enum kernel_format format_of(const char *text) {
    return strcmp(text, "int8") == 0 ? KERNEL_INT8 : strcmp(text, "bf16") == 0 ? KERNEL_BF16 : KERNEL_F32;
}

/* ---- peak ---- */

struct peak_job {
    const char *kernels;
    enum kernel_format format;
};

static void peak_item(void *pointer, size_t item, int worker) {
    const struct peak_job *job = pointer;
    (void)item;
    (void)worker;
    peak_run(job->kernels, job->format);
}

static double measure_peak(const struct speed *speed, enum kernel_format format) {
    struct peak_job job = {speed->kernels->name, format};
    size_t threads = (size_t)bert_pool_threads(speed->pool);
    uint64_t begin = clock_monotonic_ns();
    thread_pool_run(speed->pool, peak_item, &job, 4 * threads);
    return 4 * (double)threads * peak_operations(job.kernels, format) / seconds_since(begin);
}

/* ---- GEMM ---- */

struct gemm_job {
    const struct kernels *kernels;
    struct kernel_gemm gemm;
    size_t block_rows;
};

static void gemm_item(void *pointer, size_t item, int worker) {
    const struct gemm_job *job = pointer;
    struct kernel_gemm gemm = job->gemm;
    size_t first = item * job->block_rows;
    (void)worker;
    gemm.a = kernel_rows_from(&gemm.a, first);
    gemm.c = kernel_rows_from(&gemm.c, first);
    gemm.rows = gemm.rows - first < job->block_rows ? gemm.rows - first : job->block_rows;
    job->kernels->gemm[gemm.b->format](&gemm);
}

struct shape {
    enum kernel_format format;
    size_t rows, inputs, outputs;
};

static struct kernel_rows rows_room(enum kernel_format format, size_t rows, size_t columns) {
    struct kernel_rows made = {.format = format, .stride = block_stride(kernel_word_count(format, columns) * 4)};
    made.data = room(rows * made.stride);
    made.quant = room(rows * sizeof *made.quant);
    return made;
}

/* What the model asks of the widening matrix (GELU, rounded), of the narrowing one (added), and of all others. */
static enum kernel_epilogue epilogue_of(const struct shape *shape) {
    if (shape->outputs == 4 * shape->inputs)
        return KERNEL_GELU_ERF;
    return shape->outputs > shape->inputs ? KERNEL_STORE : KERNEL_ADD;
}

/* Zeros multiply as fast as other numbers. The weights change from call to call, as they do from layer to layer: they
 * come from memory, not from a cache that holds them since the last time. */
static double measure_gemm(const struct speed *speed, const struct shape *shape) {
    size_t words = kernel_word_count(shape->format, shape->inputs), size = kernel_panels_size(shape->outputs, words);
    size_t copies = COLD_BYTES / size + 1, vector = kernel_panel_count(shape->outputs) * KERNEL_PANEL * sizeof(float);
    enum kernel_epilogue epilogue = epilogue_of(shape);
    enum kernel_format result = epilogue == KERNEL_ADD || shape->format == KERNEL_F32 ? KERNEL_F32 : KERNEL_BF16;
    char *panels = room(copies * size);
    memset(panels, 0, copies * size);
    struct kernel_matrix b = {NULL, words, shape->outputs, shape->format, room(vector), room(vector), room(vector)};
    struct gemm_job job = {speed->kernels, {.b = &b, .rows = shape->rows, .epilogue = epilogue}, 0};
    job.gemm.a = rows_room(shape->format, shape->rows, shape->inputs);
    job.gemm.c = rows_room(result, shape->rows, kernel_panel_count(shape->outputs) * KERNEL_PANEL);
    job.block_rows = forward_block_rows(shape->rows, (size_t)bert_pool_threads(speed->pool));
    uint64_t begin = 0;
    for (size_t i = 0; i <= copies; i++) {
        if (i == 1) /* the first warms the activations */
            begin = clock_monotonic_ns();
        b.panels = panels + i % copies * size;
        thread_pool_run(speed->pool, gemm_item, &job, (shape->rows + job.block_rows - 1) / job.block_rows);
    }
    double seconds = seconds_since(begin);
    block_free(panels, copies * size);
    const void *const vectors[] = {b.bias, b.column_scale, b.column_sum};
    for (size_t i = 0; i < 3; i++)
        block_free((void *)(uintptr_t)vectors[i], vector);
    block_free(job.gemm.a.data, shape->rows * job.gemm.a.stride);
    block_free(job.gemm.c.data, shape->rows * job.gemm.c.stride);
    block_free(job.gemm.a.quant, shape->rows * sizeof *job.gemm.a.quant);
    block_free(job.gemm.c.quant, shape->rows * sizeof *job.gemm.c.quant);
    return 2.0 * (double)copies * (double)shape->rows * (double)shape->inputs * (double)shape->outputs / seconds;
}

/* ---- models ---- */

static void load_model(struct speed *speed, const char *path, const char *config, const char *precision,
                       size_t tokens) {
    struct bert_checkpoint *checkpoint;
    struct bert_engine_options options = {.isa = speed->isa};
    bert_session_destroy(speed->session);
    bert_engine_destroy(speed->engine);
    speed->session = NULL;
    speed->engine = NULL;
    struct status status = bert_checkpoint_open(path, strcmp(config, "-") == 0 ? NULL : config, &checkpoint);
    if (!status_is_ok(&status))
        fail(&status);
    if (!bert_precision_parse(precision, &options.precision))
        status = status_error(STATUS_INVALID_ARGUMENT, "no precision '%s'", precision);
    if (status_is_ok(&status))
        status = bert_engine_create(checkpoint, &options, speed->pool, &speed->engine);
    bert_checkpoint_close(checkpoint);
    if (status_is_ok(&status))
        status = bert_session_create(speed->engine, tokens, &speed->session);
    if (!status_is_ok(&status))
        fail(&status);
    speed->tokens = tokens;
}

static double run_model(const struct speed *speed, const uint32_t *offsets, size_t count) {
    size_t tokens = offsets[count];
    int32_t *ids = room(tokens * sizeof *ids);
    float *logits = room(2 * tokens * sizeof *logits);
    for (size_t i = 0; i < tokens; i++)
        ids[i] = (int32_t)(i * 7919 % (size_t)bert_engine_config(speed->engine)->vocab_size);
    const struct bert_batch batch = {.sequence_count = count, .offsets = offsets, .token_ids = ids};
    uint64_t begin = clock_monotonic_ns();
    struct status status =
        bert_session_run(speed->session, &batch, &(struct bert_results){.starts = logits, .ends = logits + tokens});
    double seconds = seconds_since(begin);
    if (!status_is_ok(&status))
        fail(&status);
    block_free(ids, tokens * sizeof *ids);
    block_free(logits, 2 * tokens * sizeof *logits);
    return seconds;
}

static double run_lengths(const struct speed *speed, char *text) {
    uint32_t offsets[SEQUENCES_MAX + 1] = {0};
    size_t count = 0;
    for (char *save = NULL, *word = strtok_r(text, " \n", &save); word && count < SEQUENCES_MAX;
         word = strtok_r(NULL, " \n", &save), count++)
        offsets[count + 1] = offsets[count] + (uint32_t)strtoul(word, NULL, 10);
    return run_model(speed, offsets, count);
}

/* ---- lines ---- */

static void obey(struct speed *speed, char *line) {
    char first[1024], config[1024], precision[16];
    struct shape shape;
    size_t tokens;
    if (sscanf(line, "peak %15s", precision) == 1)
        printf("%.0f\n", measure_peak(speed, format_of(precision)));
    else if (sscanf(line, "gemm %15s %zu %zu %zu", precision, &shape.rows, &shape.inputs, &shape.outputs) == 4) {
        shape.format = format_of(precision);
        printf("%.0f\n", measure_gemm(speed, &shape));
    } else if (sscanf(line, "load %1023s %1023s %15s %zu", first, config, precision, &tokens) == 4) {
        load_model(speed, first, config, precision, tokens);
        printf("ok\n");
    } else if (strncmp(line, "run ", 4) == 0 && speed->session)
        printf("%.9f\n", run_lengths(speed, line + 4));
    else
        printf("?\n");
    fflush(stdout);
}

int main(int argc, char **argv) {
    struct speed speed = {.isa = BERT_ISA_AUTO};
    char line[LINE_MAX_BYTES];
    if (argc > 2 && !bert_isa_parse(argv[2], &speed.isa)) {
        fprintf(stderr, "engine_speed: no instruction set '%s'\n", argv[2]);
        return 2;
    }
    struct status status = cpu_features_kernels(speed.isa, &speed.kernels);
    if (status_is_ok(&status))
        status = bert_pool_create(argc > 1 ? (int)strtol(argv[1], NULL, 10) : 0, &speed.pool);
    if (!status_is_ok(&status))
        fail(&status);
    printf("%s %d\n", speed.kernels->name, bert_pool_threads(speed.pool));
    fflush(stdout);
    while (fgets(line, sizeof line, stdin))
        obey(&speed, line);
    bert_session_destroy(speed.session);
    bert_engine_destroy(speed.engine);
    bert_pool_destroy(speed.pool);
    return 0;
}
