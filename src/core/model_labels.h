/* model_labels.h: names of classes, one line each, from the files that outputs name by label_filename. Read once at
 * load. */
#ifndef INFERD_CORE_MODEL_LABELS_H
#define INFERD_CORE_MODEL_LABELS_H

#include "core/model_config.h"

struct model_labels;

/* Reads <model_directory>/<label_filename> of every output that has one; memory of config->arena. Errors name the file.
 */
struct status model_labels_load(const struct model_config *config, const char *model_directory,
                                struct model_labels **ret) STATUS_MUST_CHECK;
/* The label of class `index` of an output; empty when there is none. */
struct slice model_labels_get(const struct model_labels *labels, struct slice output, uint32_t index);

#endif
