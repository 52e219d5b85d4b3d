#include "tools/perf/workload_text.h"

#include "text/squad/squad_windows.h"

enum { SEQUENCE_DEFAULT = 384 };

/* What the inputs of a BERT model are called, and what is put into them. */
enum text_part { PART_IDS, PART_MASK, PART_SEGMENTS, PART_UNIQUE, PART_COUNT };
static const char *const part_names[PART_COUNT] = {"input_ids", "input_mask", "segment_ids", "unique_ids"};

struct text_reader {
    struct arena *arena;
    const struct workload_config *config;
    struct squad_windows windows;
    uint32_t length; /* max_seq_length */
    bool pad;
    size_t inputs[PART_COUNT]; /* index of the part among the model's inputs */
    bool has_unique;
};

static struct status out_of_memory(void) {
    return status_error(STATUS_RESOURCE_EXHAUSTED, "out of memory for the texts");
}

bool workload_text_suits(const struct infer_model_info *model) {
    return infer_tensor_info_find(model->inputs, model->input_count, slice_of(part_names[PART_IDS])) != NULL;
}

static struct status find_inputs(struct text_reader *reader) {
    const struct infer_model_info *model = reader->config->model;
    for (size_t part = 0; part < PART_COUNT; part++) {
        const struct infer_tensor_info *info =
            infer_tensor_info_find(model->inputs, model->input_count, slice_of(part_names[part]));
        bool good = info != NULL && slice_equal_text(info->datatype, "INT32") && info->rank == 1;
        if (!good && (part != PART_UNIQUE || info != NULL))
            return status_error(
                STATUS_FAILED_PRECONDITION,
                "--text: model %.*s is no BERT question-answering model: expected an INT32 input '%s' of one "
                "dim",
                SLICE_ARGS(model->name), part_names[part]);
        if (good)
            reader->inputs[part] = (size_t)(info - model->inputs);
        if (part == PART_UNIQUE)
            reader->has_unique = good;
    }
    return status_ok();
}

/* The length of the option, of a fixed input, of the model's config, or the recipe's. */
static struct status settle_length(struct text_reader *reader) {
    const struct infer_model_info *model = reader->config->model;
    const struct workload_text *text = reader->config->text;
    int64_t fixed = model->inputs[reader->inputs[PART_IDS]].shape[0], length = text->max_seq_length;
    struct slice said = infer_model_parameter_find(model, "max_seq_length");
    if (length == 0 && fixed > 0)
        length = fixed;
    else if (length == 0 && !slice_to_i64(said, &length))
        length = SEQUENCE_DEFAULT;
    if (length < 1 || length > SQUAD_MAX_SEQUENCE || (fixed > 0 && length != fixed))
        return status_error(STATUS_FAILED_PRECONDITION,
                            "--text: windows of %lld tokens do not suit model %.*s; give --max-seq-length",
                            (long long)length, SLICE_ARGS(model->name));
    reader->length = (uint32_t)length;
    reader->pad = text->pad || fixed > 0;
    return status_ok();
}

/* Accents go with the case where the config does not tell of them. */
static struct status settle_tokenizer(const struct infer_model_info *model, struct normalizer_options *ret) {
    *ret = NORMALIZER_UNCASED;
    STATUS_TRY(infer_model_parameter_boolean(model, "do_lower_case", &ret->lowercase));
    ret->strip_accents = ret->lowercase;
    STATUS_TRY(infer_model_parameter_boolean(model, "strip_accents", &ret->strip_accents));
    return infer_model_parameter_boolean(model, "tokenize_chinese_chars", &ret->split_cjk);
}

static struct status make_windows(struct text_reader *reader) {
    const struct workload_text *text = reader->config->text;
    struct squad_dataset *dataset = arena_calloc(reader->arena, 1, sizeof *dataset);
    struct wordpiece tokenizer = {0};
    struct vocab *vocab = NULL;
    if (dataset == NULL)
        return out_of_memory();
    STATUS_TRY(settle_tokenizer(reader->config->model, &tokenizer.options));
    if (text->vocab != NULL)
        STATUS_TRY(vocab_load(reader->arena, text->vocab, &vocab));
    else
        STATUS_TRY(vocab_open_embedded(reader->arena, &vocab));
    tokenizer.vocab = vocab;
    STATUS_TRY(squad_dataset_load(reader->arena, text->path, dataset));
    const struct squad_window_config config = {reader->length, text->doc_stride, text->max_query_length, 0};
    return squad_windows_create(reader->arena, &tokenizer, &config, dataset, &reader->windows);
}

/* One part of a window as a tensor of `length` numbers. */
static struct status set_part(const struct text_reader *reader, enum text_part part, const int32_t *values,
                              uint32_t length, struct workload_item *item) {
    const struct infer_tensor_info *info = &reader->config->model->inputs[reader->inputs[part]];
    int64_t *shape = arena_calloc(reader->arena, 1, sizeof *shape);
    if (shape == NULL)
        return out_of_memory();
    *shape = length;
    item->inputs[reader->inputs[part]] =
        (struct infer_tensor){info->name, info->datatype, shape, 1, {(const char *)values, length * sizeof *values}};
    return status_ok();
}

static struct status add_window(const struct text_reader *reader, size_t number, struct workload_item *item) {
    const struct squad_window *window = &reader->windows.windows[number];
    uint32_t size = squad_window_size(window), length = reader->pad ? reader->length : size;
    int32_t *values[PART_UNIQUE], *unique = arena_calloc(reader->arena, 1, sizeof *unique);
    for (size_t part = 0; part < PART_UNIQUE; part++) {
        values[part] = arena_calloc(reader->arena, length, sizeof **values);
        if (values[part] == NULL || unique == NULL)
            return out_of_memory();
    }
    squad_window_fill(&reader->windows, window, values[PART_IDS], values[PART_SEGMENTS]);
    for (uint32_t i = 0; i < length; i++) {
        values[PART_MASK][i] = i < size;
        if (i >= size)
            values[PART_IDS][i] = reader->windows.special.pad;
    }
    for (size_t part = 0; part < PART_UNIQUE; part++)
        STATUS_TRY(set_part(reader, (enum text_part)part, values[part], length, item));
    *unique = (int32_t)number;
    return reader->has_unique ? set_part(reader, PART_UNIQUE, unique, 1, item) : status_ok();
}

struct status workload_read_text(struct arena *arena, const struct workload_config *config,
                                 struct workload_items *ret) {
    struct text_reader reader = {.arena = arena, .config = config};
    STATUS_TRY(find_inputs(&reader));
    STATUS_TRY(settle_length(&reader));
    if (config->batch_size > 1 && !reader.pad)
        return status_error(STATUS_INVALID_ARGUMENT,
                            "--text: windows differ in length: a batch of them needs --pad max");
    STATUS_TRY(make_windows(&reader));
    for (size_t i = 0; i < reader.windows.window_count; i++) {
        struct workload_item *item;
        STATUS_TRY(workload_items_add(arena, config, ret, i == 0, &item));
        STATUS_TRY(add_window(&reader, i, item));
    }
    return reader.windows.window_count > 0
               ? status_ok()
               : status_error(STATUS_INVALID_ARGUMENT, "%s has no questions", config->text->path);
}
