/* security.h: what keeps strangers out: TLS on the ports, permissions, and the files of both, which may change.
 *
 * Thread: the main thread. */
#ifndef INFERD_TOOLS_SERVE_SECURITY_H
#define INFERD_TOOLS_SERVE_SECURITY_H

#include "tools/serve/settings.h"

struct security {
    const struct serve_settings *settings;
    struct log *log;
    struct tls_ports tls;
    struct access *access; /* NULL: everybody may call everything */
    int watch_fd; /* turns readable when one of the files may have changed (file_watch.h); -1: there are none */
};

/* Reads certificates, keys and tokens, as the settings want, which are borrowed with the log until security_close. Call
 * security_close in any case. */
struct status security_open(struct security *security, const struct serve_settings *settings,
                            struct log *log) STATUS_MUST_CHECK;
/* Reads them again. What is broken is logged, and the old ones stay. watch_fd may be another one then. */
void security_reload(struct security *security);
/* After the last connection. Good for one that is zeroed but for a watch_fd of -1. */
void security_close(struct security *security);

#endif
