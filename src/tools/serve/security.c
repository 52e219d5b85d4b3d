#include "tools/serve/security.h"

#include <unistd.h>

#include "tools/serve/file_watch.h"

/* Before they are read: what changes behind that is seen. */
static void watch_files(struct security *security) {
    const char *files[SECURITY_FILES_MAX];
    size_t count = settings_security_files(security->settings, files);
    if (security->watch_fd >= 0)
        close(security->watch_fd);
    security->watch_fd = -1;
    if (count == 0)
        return;
    struct status status = file_watch_open(files, count, &security->watch_fd);
    if (!status_is_ok(&status))
        LOG_WARNING(security->log, "%s; SIGHUP makes the server read them again", status.message);
}

static void log_access(const struct security *security, const char *what) {
    struct buf text = BUF_EMPTY;
    access_describe(security->access, &text);
    LOG_INFO(security->log, "%s: %.*s", what, (int)text.size, text.data ? text.data : "");
    buf_free(&text);
}

static bool uses_tokens(const struct serve_settings *settings) {
    for (size_t i = 0; i < settings->access_rule_count; i++)
        if (settings->access_rules[i].file)
            return true;
    return false;
}

static struct status open_access(struct security *security) {
    const struct serve_settings *settings = security->settings;
    if (settings->access_rule_count == 0)
        return status_ok();
    STATUS_TRY(access_create(settings->access_rules, settings->access_rule_count, &security->access));
    log_access(security, "permissions");
    if (uses_tokens(settings) && (settings->tls.plain_http || settings->tls.plain_grpc))
        LOG_WARNING(security->log, "tokens are sent in clear over ports without TLS: see --tls-cert-file");
    return status_ok();
}

struct status security_open(struct security *security, const struct serve_settings *settings, struct log *log) {
    *security = (struct security){.settings = settings, .log = log, .watch_fd = -1};
    watch_files(security);
    STATUS_TRY(tls_ports_open(&settings->tls, log, &security->tls));
    return open_access(security);
}

static void reload_access(struct security *security) {
    bool changed = false;
    if (!security->access)
        return;
    struct status status = access_reload(security->access, &changed);
    if (!status_is_ok(&status))
        LOG_ERROR(security->log, "the tokens stay as they were: %s", status.message);
    else if (changed)
        log_access(security, "permissions have changed");
}

void security_reload(struct security *security) {
    watch_files(security); /* links may lead elsewhere now */
    tls_ports_reload(&security->tls, security->log);
    reload_access(security);
}

void security_close(struct security *security) {
    tls_ports_close(&security->tls);
    access_destroy(security->access);
    security->access = NULL;
    if (security->watch_fd >= 0)
        close(security->watch_fd);
    security->watch_fd = -1;
}
