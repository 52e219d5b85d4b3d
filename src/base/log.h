/* log.h: lines for the person who runs the server. Only tools/, core/ and api/ log; libraries return status.
 *
 * Thread: a logger may be used from any thread, and its settings changed by any; each line is one write(2). What
 * clients send cannot break a line or steer a terminal: control characters and bytes that are no UTF-8 are written as
 * \xNN (in JSON as \u00NN and U+FFFD). A line has at most LOG_LINE_MAX bytes; longer texts are cut and end in "...".
 *
 *   default  I1122 20:03:25.829575 3355 serve.c:41] "message" name=value
 *   ISO8601  2026-11-22T20:03:25Z I 3355 serve.c:41] "message" name=value
 *   json     {"time":"2026-11-22T20:03:25.829575Z","level":"info","thread":3355,"file":"serve.c","line":41,
 *             "message":"message","name":"value"}
 *
 * Times are UTC. The first two forms are Triton's, but for the fields behind the message. */
#ifndef INFERD_BASE_LOG_H
#define INFERD_BASE_LOG_H

#include <stdatomic.h>

#include "base/slice.h"

enum { LOG_LINE_MAX = 4096, LOG_FIELDS_MAX = 10, LOG_FIELD_MAX = 200, LOG_FLOOD_MAX = 20 };

enum log_level { LOG_LEVEL_ERROR, LOG_LEVEL_WARNING, LOG_LEVEL_INFO, LOG_LEVEL_VERBOSE };
enum log_format { LOG_FORMAT_DEFAULT, LOG_FORMAT_ISO8601, LOG_FORMAT_JSON };

struct log {
    int fd;           /* where lines go; borrowed */
    const char *path; /* of the file behind it, for those who ask; NULL: stderr */
    /* Which kinds are written, and how; may be changed while others write. */
    atomic_bool error, warning, info;
    atomic_int verbose; /* highest verbose level that is written; 0 for none */
    atomic_int format;  /* enum log_format */
    /* Of log_admit. */
    atomic_uint_fast64_t second; /* the one that is being counted */
    atomic_uint_fast32_t admitted, left_out;
};

/* A fact beside the message: text, or a number where text.data is NULL. */
struct log_field {
    const char *name; /* an identifier */
    struct slice text;
    int64_t number;
};

/* A logger for stderr with errors, warnings and info. */
struct log log_default(void);
/* "default", "ISO8601", "json", and back; false for other names. */
const char *log_format_name(enum log_format format);
bool log_format_from_name(struct slice name, enum log_format *ret);

/* True when lines of this level are written: for those who would have to prepare what they say. */
bool log_wants(const struct log *log, enum log_level level);
/* For lines that clients can cause at will: false when LOG_FLOOD_MAX of them were written in this second already.
 * *ret_left_out: how many were refused so since the last that was not. */
bool log_admit(struct log *log, unsigned *ret_left_out);

/* Up to LOG_FIELDS_MAX fields; those with an empty text that is not NULL are left out. */
void log_write(const struct log *log, enum log_level level, const char *file, int line, const struct log_field *fields,
               size_t field_count, const char *format, ...) __attribute__((format(printf, 7, 8)));

#define LOG_ERROR(log, ...) log_write((log), LOG_LEVEL_ERROR, __FILE__, __LINE__, NULL, 0, __VA_ARGS__)
#define LOG_WARNING(log, ...) log_write((log), LOG_LEVEL_WARNING, __FILE__, __LINE__, NULL, 0, __VA_ARGS__)
#define LOG_INFO(log, ...) log_write((log), LOG_LEVEL_INFO, __FILE__, __LINE__, NULL, 0, __VA_ARGS__)
#define LOG_VERBOSE(log, ...) log_write((log), LOG_LEVEL_VERBOSE, __FILE__, __LINE__, NULL, 0, __VA_ARGS__)
#define LOG_FIELDS(log, level, fields, count, ...)                                                                     \
    log_write((log), (level), __FILE__, __LINE__, (fields), (count), __VA_ARGS__)

#endif
