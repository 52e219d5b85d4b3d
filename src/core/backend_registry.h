/* backend_registry.h: which engine runs a config's backend: one that is compiled in, or a plug-in that is loaded when
 * the first model needs it. Thread: any; a plug-in is loaded and initialised once. */
#ifndef INFERD_CORE_BACKEND_REGISTRY_H
#define INFERD_CORE_BACKEND_REGISTRY_H

#include "core/backend.h"

struct backend_registry;

struct backend_registry_options {
    const struct backend_ops *const *builtin; /* the array is copied, the tables are borrowed */
    size_t builtin_count;
    const char *plugin_directory; /* copied; NULL or "": no plug-ins */
};

struct status backend_registry_create(const struct backend_registry_options *options,
                                      struct backend_registry **ret) STATUS_MUST_CHECK;
/* Finalizes every backend that was used. Plug-ins stay mapped: engines leave threads and thread-local destructors
 * behind that would run into unmapped code. Accepts NULL. */
void backend_registry_destroy(struct backend_registry *registry);

/* The engine for backend `name` (as configs call it), and its handle. INVALID_ARGUMENT when there is no such engine,
 * naming those that are; UNAVAILABLE when its plug-in cannot be loaded. */
struct status backend_registry_get(struct backend_registry *registry, struct slice name,
                                   const struct backend_ops **ret_ops, void **ret_backend) STATUS_MUST_CHECK;

#endif
