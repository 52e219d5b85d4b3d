#include "checkpoint/bert_names.h"

#include <stdio.h>
#include <string.h>

enum scope { SCOPE_EMBEDDINGS, SCOPE_LAYER, SCOPE_SPAN, SCOPE_POOLER, SCOPE_CLASSIFIER, SCOPE_COUNT };
enum kind { KIND_TABLE, KIND_KERNEL, KIND_OUT_IN, KIND_GAMMA, KIND_BETA, KIND_BIAS };
enum size { SIZE_ONE, SIZE_SPAN, SIZE_LABELS, SIZE_VOCAB, SIZE_POSITIONS, SIZE_TYPES, SIZE_HIDDEN, SIZE_INTERMEDIATE };

struct part_row {
    enum scope scope;
    enum kind kind;
    enum size rows, columns;
    const char *names[2]; /* by family */
};

static const struct part_row part_rows[BERT_PART_COUNT] = {
#define BERT_PART(name, scope, kind, rows, columns, hf, tf)                                                            \
    [BERT_##name] = {SCOPE_##scope, KIND_##kind, SIZE_##rows, SIZE_##columns, {hf, tf}},
#include "checkpoint/bert_parts.def"
#undef BERT_PART
};

/* What stands before the names of a scope, by family, behind the model's prefix. */
static const char *const scope_texts[2][SCOPE_COUNT] = {
    {"embeddings.", "encoder.layer.", "", "pooler.", ""},
    {"embeddings/", "encoder/layer_", "", "pooler/", ""},
};
static const char *const model_prefixes[2] = {"bert.", "bert/"};
static const char layer_separators[2] = {'.', '/'};

static int64_t size_value(const struct bert_config *config, enum size size) {
    switch (size) {
    case SIZE_ONE:
        return 1;
    case SIZE_SPAN:
        return 2; /* start and end */
    case SIZE_LABELS:
        return config->label_count;
    case SIZE_VOCAB:
        return config->vocab_size;
    case SIZE_POSITIONS:
        return config->position_count;
    case SIZE_TYPES:
        return config->type_count;
    case SIZE_HIDDEN:
        return config->hidden_size;
    case SIZE_INTERMEDIATE:
        return config->intermediate_size;
    }
    return 0;
}

static void add_name(struct bert_names *names, const char *prefix, const char *scope, const char *layer,
                     const char *name) {
    snprintf(names->items[names->count++], BERT_NAME_SIZE, "%s%s%s%s", prefix, scope, layer, name);
}

/* The name with its ending behind the last '.' replaced: what PyTorch conversions of 2018 wrote for LayerNorm. */
static void old_norm_name(const char *name, const char *ending, char text[BERT_NAME_SIZE]) {
    const char *dot = strrchr(name, '.');
    int kept = dot ? (int)(dot - name) : (int)strlen(name);
    snprintf(text, BERT_NAME_SIZE, "%.*s.%s", kept, name, ending);
}

struct bert_names bert_names_of(enum bert_family family, enum bert_part part, int64_t layer) {
    const struct part_row *row = &part_rows[part];
    const char *scope = scope_texts[family][row->scope], *name = row->names[family];
    char layer_text[32] = "", old_name[BERT_NAME_SIZE] = "";
    struct bert_names names = {0};
    if (row->scope == SCOPE_LAYER)
        snprintf(layer_text, sizeof layer_text, "%lld%c", (long long)layer, layer_separators[family]);
    if (family == BERT_HUGGING_FACE && (row->kind == KIND_GAMMA || row->kind == KIND_BETA))
        old_norm_name(name, row->kind == KIND_GAMMA ? "gamma" : "beta", old_name);
    if (row->scope == SCOPE_SPAN || row->scope == SCOPE_CLASSIFIER) { /* they are not the encoder's */
        add_name(&names, "", scope, layer_text, name);
        return names;
    }
    const char *prefixes[] = {model_prefixes[family], ""};
    for (size_t i = 0; i < 2; i++) {
        add_name(&names, prefixes[i], scope, layer_text, name);
        if (old_name[0])
            add_name(&names, prefixes[i], scope, layer_text, old_name);
    }
    return names;
}

bool bert_part_is_per_layer(enum bert_part part) {
    return part_rows[part].scope == SCOPE_LAYER;
}

enum bert_head bert_part_head(enum bert_part part) {
    static const enum bert_head heads[SCOPE_COUNT] = {BERT_HEAD_COUNT, BERT_HEAD_COUNT, BERT_HEAD_SPAN,
                                                      BERT_HEAD_POOLER, BERT_HEAD_CLASSIFIER};
    return heads[part_rows[part].scope];
}

struct bert_weight bert_part_describe(enum bert_family family, enum bert_part part, const struct bert_config *config) {
    const struct part_row *row = &part_rows[part];
    bool constant = row->kind == KIND_GAMMA || row->kind == KIND_BETA || row->kind == KIND_BIAS;
    return (struct bert_weight){
        .outputs = size_value(config, row->rows),
        .inputs = size_value(config, row->columns),
        .is_matrix = row->kind == KIND_KERNEL || row->kind == KIND_OUT_IN,
        .layout = row->kind == KIND_KERNEL && family == BERT_TENSORFLOW ? BERT_IN_OUT : BERT_OUT_IN,
        .origin = constant ? BERT_FROM_CONSTANT : BERT_FROM_RANDOM,
        .type = WEIGHT_F32,
        .constant = row->kind == KIND_GAMMA ? 1.0f : 0.0f,
        .rank = constant ? 1 : 2,
    };
}
