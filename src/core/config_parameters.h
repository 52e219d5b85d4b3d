/* config_parameters.h: for backends that know all of their parameters: nothing in the config may be accepted and
 * ignored. */
#ifndef INFERD_CORE_CONFIG_PARAMETERS_H
#define INFERD_CORE_CONFIG_PARAMETERS_H

#include "core/model_config.h"

/* INVALID_ARGUMENT when config.parameters has a key that is not among the `count` known ones; says which are known, and
 * which one may be meant. `backend` is for the message. */
struct status config_parameters_check(const struct model_config *config, const char *backend, const char *const *known,
                                      size_t count) STATUS_MUST_CHECK;

#endif
