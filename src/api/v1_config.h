/* v1_config.h: a model's config as clients of TRTIS v1 know it: the fields, numbers and platforms of release 1.11.
 *
 * Thread: none of its own. */
#ifndef INFERD_API_V1_CONFIG_H
#define INFERD_API_V1_CONFIG_H

#include "codec/model_config_messages.h"
#include "core/model_config.h"

/* A copy in the arena without what came later: backends become platforms ("custom" where v1 has none), and a datatype
 * that it does not know TYPE_INVALID. RESOURCE_EXHAUSTED when memory is short. */
struct status v1_config_render(const struct model_config *config, struct arena *arena,
                               struct pb_model_config **ret) STATUS_MUST_CHECK;

#endif
