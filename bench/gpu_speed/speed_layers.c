/* speed_layers.c: gpu_speed layers: a model of the first layer alone, of the first two, and so on, on a device and on
 * the CPU in fp32. A layer that computes something else shows as a step. */
#include <stdio.h>

#include "speed_commands.h"
#include "speed_outputs.h"

struct layers_options {
    struct speed_common common;
    const char *lengths;
    struct speed_tolerances tolerances;
};

/* clang-format off */
static const struct option_row rows[] = {
    SPEED_COMMON_ROWS,
    {.type = OPTION_STRING, .name = "lengths", .offset = offsetof(struct layers_options, lengths),
     .default_value = "1,17,64,129,178,384", .value_name = "N,N",
     .help = "Of the sequences of the batch; those that the model has no positions for are left out."},
    SPEED_TOLERANCE_ROWS(struct layers_options, tolerances),
};

static const struct option_table table = {
    "gpu_speed layers", "--checkpoint PATH [options]",
    "Compares a device's hidden states with those of the CPU in fp32 after one layer, after two, and so on to the last: of "
    "a ragged batch of random tokens, by models that end there. Errors are relative: the root mean square of the "
    "differences over that of the reference.",
    rows, sizeof rows / sizeof rows[0], false};
/* clang-format on */

struct layers {
    const struct layers_options *options;
    struct speed_model model;
    struct arena *arena;
    struct speed_batch batch;
    struct speed_outputs reference, outputs;
    struct json_writer json;
    int failures;
};

static struct status make_batch(struct layers *layers) {
    const struct bert_config *config = bert_checkpoint_config(layers->model.checkpoint);
    size_t lengths[SPEED_NUMBERS_MAX], count;
    STATUS_TRY(speed_lengths_parse(layers->options->lengths, config, lengths, &count));
    return speed_batch_make(layers->arena, config, lengths, count, SPEED_SEGMENTS, &layers->batch);
}

/* What so many layers are in where more of them follow. */
static enum bert_precision precision_of(const struct layers *layers, int64_t count, enum bert_precision precision) {
    const bool is_left_out = precision == BERT_PRECISION_FP8 && count <= layers->model.bf16_layers;
    return is_left_out ? BERT_PRECISION_BF16 : precision;
}

/* The batch on an engine of the checkpoint's layers. The outputs are made for the first of them, and serve all. */
static struct status run(struct layers *layers, struct bert_device device, enum bert_precision precision,
                         struct speed_outputs *outputs) {
    struct bert_engine *engine;
    struct bert_session *session = NULL;
    STATUS_TRY(speed_engine_create(&layers->model, device, precision, &engine));
    struct status status = bert_session_create(engine, layers->batch.tokens, &session);
    if (status_is_ok(&status) && outputs->counts[SPEED_HIDDEN] == 0)
        status = speed_outputs_make(layers->arena, engine, &layers->batch, outputs);
    if (status_is_ok(&status))
        status = speed_outputs_run(session, &layers->batch, 1U << SPEED_HIDDEN, outputs);
    bert_session_destroy(session);
    bert_engine_destroy(engine);
    return status;
}

static void put_row(struct layers *layers, int64_t count, const char *precision, const struct speed_error *error) {
    struct json_writer *json = &layers->json;
    json_begin_object(json);
    json_key(json, "layers");
    json_double(json, (double)count);
    json_key(json, "precision");
    json_text(json, precision);
    json_key(json, "largest");
    json_double(json, error->largest);
    json_key(json, "relative");
    json_double(json, error->relative);
    json_end_object(json);
}

/* One number of the table. */
static void compare(struct layers *layers, int64_t count, enum bert_precision precision) {
    const enum bert_precision its = precision_of(layers, count, precision);
    struct status status = run(layers, layers->model.device, its, &layers->outputs);
    if (!status_is_ok(&status)) {
        layers->failures++;
        printf(" FAILED: %s\n%6s", status.message, "");
        return;
    }
    const struct speed_error error =
        speed_outputs_compare(layers->outputs.values[SPEED_HIDDEN], layers->reference.values[SPEED_HIDDEN],
                              layers->reference.counts[SPEED_HIDDEN], 0);
    const bool is_good = error.relative <= speed_tolerance(&layers->options->tolerances, its);
    layers->failures += !is_good;
    printf(" %9.2e%s", error.relative, is_good ? "" : " FAILED");
    put_row(layers, count, bert_precision_text(precision), &error);
}

static struct status compare_all(struct layers *layers) {
    const struct speed_model *model = &layers->model;
    STATUS_TRY(speed_model_open(&layers->options->common, &layers->model));
    STATUS_TRY(make_batch(layers));
    printf("%s on %s beside the CPU's fp32: hidden states of %zu tokens\nlayers", layers->options->common.checkpoint,
           layers->options->common.device, layers->batch.tokens);
    for (size_t i = 0; i < model->precision_count; i++)
        printf(" %9s", bert_precision_text(model->precisions[i]));
    const int64_t all = bert_checkpoint_config(model->checkpoint)->layer_count;
    for (int64_t count = 1; count <= all; count++) {
        bert_checkpoint_keep_layers(model->checkpoint, count);
        STATUS_TRY(run(layers, (struct bert_device){BERT_DEVICE_CPU, 0}, BERT_PRECISION_FP32, &layers->reference));
        printf("\n%6lld", (long long)count);
        for (size_t i = 0; i < model->precision_count; i++)
            compare(layers, count, model->precisions[i]);
        fflush(stdout);
    }
    printf("\n");
    return status_ok();
}

int speed_layers(int argc, char **argv) {
    struct layers_options options = {0};
    struct layers layers = {.options = &options, .arena = arena_create(0)};
    struct buf text = BUF_EMPTY;
    int code = 1;
    if (!layers.arena || !speed_options(&table, argc, argv, layers.arena, &options, &code))
        return code;
    layers.json = speed_json_begin("layers", &options.common, &text);
    struct status status = compare_all(&layers);
    struct status written = speed_json_end(&layers.json, &options.common);
    speed_model_close(&layers.model);
    arena_destroy(layers.arena);
    if (!status_is_ok(&status) || !status_is_ok(&written))
        return speed_fail("layers", status_is_ok(&status) ? &written : &status);
    printf("layers: %s\n", layers.failures ? "FAILED" : "good");
    return layers.failures ? 1 : 0;
}
