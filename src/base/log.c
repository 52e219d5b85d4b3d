#include "base/log.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

enum { LINE_MAX_BYTES = 2048 };

struct log log_default(void) {
    return (struct log){.fd = STDERR_FILENO, .error = true, .warning = true, .info = true};
}

static bool is_wanted(const struct log *log, enum log_level level) {
    switch (level) {
    case LOG_LEVEL_ERROR:
        return log->error;
    case LOG_LEVEL_WARNING:
        return log->warning;
    case LOG_LEVEL_INFO:
        return log->info;
    case LOG_LEVEL_VERBOSE:
        return log->verbose > 0;
    }
    return true;
}

static size_t write_prefix(const struct log *log, enum log_level level, const char *file, int line, char *text,
                           size_t size) {
    struct timespec now;
    struct tm calendar;
    clock_gettime(CLOCK_REALTIME, &now);
    gmtime_r(&now.tv_sec, &calendar);
    const char *base_name = strrchr(file, '/');
    char stamp[40];
    strftime(stamp, sizeof stamp, log->iso8601 ? "%Y-%m-%dT%H:%M:%SZ" : "%m%d %H:%M:%S", &calendar);
    long thread = syscall(SYS_gettid);
    int length;
    if (log->iso8601)
        length = snprintf(text, size, "%s %c %ld %s:%d] ", stamp, "EWIV"[level], thread,
                          base_name ? base_name + 1 : file, line);
    else
        length = snprintf(text, size, "%c%s.%06ld %ld %s:%d] ", "EWIV"[level], stamp, now.tv_nsec / 1000, thread,
                          base_name ? base_name + 1 : file, line);
    return length < 0 ? 0 : (size_t)length < size ? (size_t)length : size - 1;
}

/* Copies the message with control characters made visible; returns the new length of `line`. */
static size_t append_escaped(char *line, size_t used, size_t size, const char *message) {
    for (const char *c = message; *c && used + 5 < size; c++) {
        unsigned char byte = (unsigned char)*c;
        if (byte >= 0x20 && byte != 0x7f)
            line[used++] = *c;
        else
            used += (size_t)snprintf(line + used, size - used, "\\x%02x", byte);
    }
    return used;
}

void log_write(const struct log *log, enum log_level level, const char *file, int line, const char *format, ...) {
    if (!is_wanted(log, level))
        return;
    char message[LINE_MAX_BYTES];
    va_list args;
    va_start(args, format);
    vsnprintf(message, sizeof message, format, args);
    va_end(args);

    char text[LINE_MAX_BYTES + 128];
    size_t used = write_prefix(log, level, file, line, text, sizeof text);
    used = append_escaped(text, used, sizeof text - 1, message);
    text[used++] = '\n';
    ssize_t written = write(log->fd, text, used); /* a log that cannot be written has nobody to be told to */
    (void)written;
}
