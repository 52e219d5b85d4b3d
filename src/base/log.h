/* log.h: lines on stderr for the person who runs the server. Only tools/ and core/ log; libraries return status.
 *
 * Thread: a logger may be used from any thread; each line is one write(2). Line form (the default is Triton's):
 *   I1122 20:03:25.829575 3355 serve.c:41] message
 */
#ifndef INFERD_BASE_LOG_H
#define INFERD_BASE_LOG_H

#include <stdbool.h>

enum log_level { LOG_LEVEL_ERROR, LOG_LEVEL_WARNING, LOG_LEVEL_INFO, LOG_LEVEL_VERBOSE };

struct log {
    int fd;     /* where lines go; borrowed */
    bool error; /* which kinds are written */
    bool warning;
    bool info;
    int verbose;  /* highest verbose level that is written; 0 for none */
    bool iso8601; /* 2026-11-22T20:03:25Z in place of 1122 20:03:25.829575 */
};

/* A logger for stderr with errors, warnings and info. */
struct log log_default(void);
/* Control characters in the message are written as \xNN, so that a client's text cannot forge lines. */
void log_write(const struct log *log, enum log_level level, const char *file, int line, const char *format, ...)
    __attribute__((format(printf, 5, 6)));

#define LOG_ERROR(log, ...) log_write((log), LOG_LEVEL_ERROR, __FILE__, __LINE__, __VA_ARGS__)
#define LOG_WARNING(log, ...) log_write((log), LOG_LEVEL_WARNING, __FILE__, __LINE__, __VA_ARGS__)
#define LOG_INFO(log, ...) log_write((log), LOG_LEVEL_INFO, __FILE__, __LINE__, __VA_ARGS__)
#define LOG_VERBOSE(log, ...) log_write((log), LOG_LEVEL_VERBOSE, __FILE__, __LINE__, __VA_ARGS__)

#endif
