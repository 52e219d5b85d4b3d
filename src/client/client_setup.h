/* client_setup.h: what infer_client_open does with the options before there is a connection. */
#ifndef INFERD_CLIENT_CLIENT_SETUP_H
#define INFERD_CLIENT_CLIENT_SETUP_H

#include "client/infer_client.h"
#include "net/tls_client_context.h"

/* The options without zeros that stand for a default. INVALID_ARGUMENT for those that cannot be. */
struct status client_setup_options(const struct infer_client_options *given,
                                   struct infer_client_options *ret) STATUS_MUST_CHECK;
/* NULL where connections are plain: neither options->tls nor an https:// URL (`secure`). Errors: as of
 * tls_client_context_create. */
struct status client_setup_tls(const struct infer_client_options *options, bool secure,
                               struct tls_client_context **ret) STATUS_MUST_CHECK;

#endif
