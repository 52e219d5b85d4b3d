/* core_limits.h: the fixed bounds of models and of what is loaded; docs/limits.md tells what is seen when one is
 * passed. */
#ifndef INFERD_CORE_CORE_LIMITS_H
#define INFERD_CORE_CORE_LIMITS_H

enum {
    CORE_CONFIG_FILE_MAX = 16 << 20,   /* bytes of a config.pbtxt */
    CORE_CONFIG_MEMORY_MAX = 64 << 20, /* and of what it is parsed to */
    CORE_LABEL_FILE_MAX = 64 << 20,
    CORE_TENSORS_MAX = 1024,   /* inputs of a model, and outputs */
    CORE_VERSIONS_MAX = 1024,  /* that a version policy lists */
    CORE_INSTANCES_MAX = 1024, /* of a model, over all groups */
    CORE_ENGINE_NAME_MAX = 64, /* bytes */
    CORE_LOADERS = 4,          /* models loaded at once at start, unless told otherwise */
    CORE_LOADERS_MAX = 64,
    CORE_LOAD_FILES_MAX = 4096,    /* that come with a load */
    CORE_LOAD_PATH_MAX = 1024,     /* bytes of the path of one */
    CORE_LOAD_PATH_NAMES_MAX = 16, /* names in it */
    CORE_FOREIGN_MODELS_MAX = 256, /* models that are in no repository, with those being loaded */
    CORE_BATCH_WINDOW_MIN = 256,   /* requests that one batch decision looks at: max_batch_size, but at least these */
    CORE_BATCH_WINDOW_MAX = 4096,  /* and at most these */
    CORE_GATHER_US = 1000,         /* that requests for a GPU at work may wait for others */
    CORE_GATHER_PART = 4           /* of the token budget: so much does not wait */
};

#endif
