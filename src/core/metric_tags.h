/* metric_tags.h: the config's metric_tags as Prometheus labels. */
#ifndef INFERD_CORE_METRIC_TAGS_H
#define INFERD_CORE_METRIC_TAGS_H

#include "core/model_config.h"

/* ",_key=\"value\",_other=\"...\"" (empty without tags) in memory of config->arena, values escaped as the text format
 * asks. INVALID_ARGUMENT for a key that cannot be a label name. */
struct status metric_tags_format(const struct model_config *config, struct slice *ret) STATUS_MUST_CHECK;

#endif
