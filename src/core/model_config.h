/* model_config.h: a model's configuration: parsed from config.pbtxt, completed by its backend, checked, then read-only.
 *
 * `message` is the whole ModelConfig message (codec/model_config.def) and is what the config calls show. The other
 * fields are the same facts in the form the scheduler and the backends use; model_config_finish fills them. Source of
 * names and rules: Triton's model_config.proto and model_configuration documentation. */
#ifndef INFERD_CORE_MODEL_CONFIG_H
#define INFERD_CORE_MODEL_CONFIG_H

#include "base/arena.h"
#include "base/buf.h"
#include "core/tensor.h"

struct pb_model_config; /* codec/model_config_messages.h */
struct pb_text_marks;   /* codec/pb_text.h */

struct model_input {
    struct slice name;
    enum datatype type;
    int rank;
    int64_t dims[TENSOR_RANK_MAX]; /* without the batch dimension; -1: variable */
    bool reshaped;                 /* the engine sees reshape_dims in place of dims */
    int reshape_rank;
    int64_t reshape_dims[TENSOR_RANK_MAX];
    bool optional;
    bool ragged; /* allow_ragged_batch */
};

struct model_output {
    struct slice name;
    enum datatype type;
    int rank;
    int64_t dims[TENSOR_RANK_MAX];
    bool reshaped;
    int reshape_rank;
    int64_t reshape_dims[TENSOR_RANK_MAX];
    struct slice label_filename; /* empty: none */
};

enum version_policy { VERSIONS_LATEST, VERSIONS_ALL, VERSIONS_SPECIFIC };

struct batching_policy {
    bool enabled;        /* dynamic_batching is in the config */
    uint32_t *preferred; /* ascending; empty: max_batch_size */
    size_t preferred_count;
    uint64_t max_delay_ns;
    bool preserve_ordering;
};

/* Where an instance computes. */
struct instance_place {
    bool on_gpu;
    int32_t gpu; /* its number, where on_gpu */
};

struct model_config;

/* The GPUs that instances of a model may compute on; its backend knows. */
struct model_gpus {
    /* Their number: 0 .. count - 1. Costs nothing: it is asked for every model. */
    int (*count)(void *backend);
    /* Whether instances may compute on this one; the error tells what is missing. For models that ask for it. */
    struct status (*check)(void *backend, int32_t gpu);
    /* Whether this one, which is there, computes what the config asks for (also before model_config_finish) and the
     * model in that folder: one that does not is not chosen by KIND_AUTO. NULL: each does. */
    bool (*suits)(void *backend, int32_t gpu, const struct model_config *config, const char *version_directory);
    void *backend;
    const char *version_directory; /* for `suits` */
};

struct model_config {
    struct arena *arena; /* owned */
    struct pb_model_config *message;
    struct slice name, platform;
    struct slice backend;   /* as configured or derived from platform: "openvino", "identity", "onnxruntime", ... */
    int32_t max_batch_size; /* 0: the model does not batch and dims are whole shapes */
    struct model_input *inputs;
    size_t input_count;
    struct model_output *outputs;
    size_t output_count;
    enum version_policy version_policy;
    uint32_t latest_versions; /* for VERSIONS_LATEST */
    const int64_t *specific_versions;
    size_t specific_version_count;
    int instance_count; /* over all groups and their GPUs; >= 1 */
    const struct instance_place *instances;
    struct batching_policy batching;
    bool decoupled; /* a request may have any number of responses (model_transaction_policy) */
    struct slice default_model_filename;

    /* For messages of model_config_finish: the parsed file's name and where in it each field stands; NULL without a
     * file. */
    const char *file_name;
    const struct pb_text_marks *marks;
};

/* An empty config for model `name` (no config.pbtxt). */
struct status model_config_create(struct slice name, struct model_config **ret) STATUS_MUST_CHECK;
/* Parses text protobuf. `file_name` is for messages: "config.pbtxt:12:3: unknown field 'max_bach_size' in ModelConfig;
 * did you mean 'max_batch_size'?". Known fields that inferd does not implement are refused by name in
 * model_config_finish. */
struct status model_config_parse(struct slice name, struct slice text, const char *file_name,
                                 struct model_config **ret) STATUS_MUST_CHECK;
/* The JSON form instead, as given with a load request. */
struct status model_config_parse_json(struct slice name, struct slice json,
                                      struct model_config **ret) STATUS_MUST_CHECK;
/* Checks everything and fills the derived fields; call after the backend has completed `message`. `gpus` decides
 * KIND_AUTO and KIND_GPU; NULL: the backend computes on the CPU alone. INVALID_ARGUMENT names the field, the value and
 * what to change. */
struct status model_config_finish(struct model_config *config, const struct model_gpus *gpus) STATUS_MUST_CHECK;
/* The part of it that chooses versions, before one of them is loaded: version_policy, latest_versions and
 * specific_versions. */
struct status model_config_finish_versions(struct model_config *config) STATUS_MUST_CHECK;
/* The name of the backend that the config asks for: backend, else derived from platform or default_model_filename;
 * empty when the config does not tell. Usable before model_config_finish. */
struct slice model_config_backend(const struct model_config *config);
/* Whether no instance before it computes in the same place: for what there is once in each place. After
 * model_config_finish. */
bool model_config_is_first_in_place(const struct model_config *config, int instance);
void model_config_destroy(struct model_config *config); /* accepts NULL */
/* The JSON form that the v2 config endpoint gives: every field with its default, snake_case, 64-bit integers as
 * numbers. */
struct status model_config_to_json(const struct model_config *config, struct buf *ret) STATUS_MUST_CHECK;
/* config.parameters[key].string_value; false when absent. */
bool model_config_parameter(const struct model_config *config, const char *key, struct slice *ret);
/* For backends' complete_config: adds an input or output to `message` (copies all). dims without the batch dimension;
 * rank 0 becomes dims [1] with an empty reshape. */
struct status model_config_add_input(struct model_config *config, struct slice name, enum datatype type,
                                     const int64_t *dims, int rank) STATUS_MUST_CHECK;
struct status model_config_add_optional_input(struct model_config *config, struct slice name, enum datatype type,
                                              const int64_t *dims, int rank) STATUS_MUST_CHECK;
struct status model_config_add_output(struct model_config *config, struct slice name, enum datatype type,
                                      const int64_t *dims, int rank) STATUS_MUST_CHECK;
/* What complete_config may look at and set before the derived fields exist. */
size_t model_config_message_inputs(const struct model_config *config);
size_t model_config_message_outputs(const struct model_config *config);
int32_t model_config_max_batch_size(const struct model_config *config);
void model_config_set_max_batch_size(struct model_config *config, int32_t size);
/* Whether instances of it will be on GPUs, if it can be loaded. */
bool model_config_wants_gpu(const struct model_config *config, const struct model_gpus *gpus);
/* Dynamic batching by the defaults, if the config chooses no scheduler. */
struct status model_config_batch_by_default(struct model_config *config) STATUS_MUST_CHECK;
/* RESOURCE_EXHAUSTED when memory is short (the text is copied). */
struct status model_config_set_backend(struct model_config *config, struct slice backend) STATUS_MUST_CHECK;
struct status model_config_set_default_model_filename(struct model_config *config, struct slice name) STATUS_MUST_CHECK;
/* As in the message: empty when the config does not say. */
struct slice model_config_message_default_model_filename(const struct model_config *config);
/* The derived form of one input or output, by name; NULL when the config has none. After model_config_finish. */
const struct model_input *model_config_input(const struct model_config *config, struct slice name);
const struct model_output *model_config_output(const struct model_config *config, struct slice name);

#endif
