#include "base/log.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"

/* Escaped bytes that a message and a field's text may take. With the prefix and the names they fit a line, and a line
 * fits what a pipe takes in one piece. */
enum { MESSAGE_MAX_BYTES = 1500, PREFIX_MAX_BYTES = 230, NAME_MAX_BYTES = 32 };
_Static_assert(PREFIX_MAX_BYTES + MESSAGE_MAX_BYTES + LOG_FIELDS_MAX * (NAME_MAX_BYTES + LOG_FIELD_MAX) <= LOG_LINE_MAX,
               "a line holds its parts");

/* What is to be told. */
struct entry {
    enum log_level level;
    const char *file;
    int line;
    long thread;
    struct timespec time;
    struct tm calendar; /* the same, UTC */
    const struct log_field *fields;
    size_t field_count;
    struct slice message;
};

struct line {
    char text[LOG_LINE_MAX + 8];
    size_t used;
};

/* ---- settings ---- */

struct log log_default(void) {
    return (struct log){.fd = STDERR_FILENO, .error = true, .warning = true, .info = true};
}

static const char *const format_names[] = {
    [LOG_FORMAT_DEFAULT] = "default",
    [LOG_FORMAT_ISO8601] = "ISO8601",
    [LOG_FORMAT_JSON] = "json",
};

const char *log_format_name(enum log_format format) {
    return format_names[format];
}

bool log_format_from_name(struct slice name, enum log_format *ret) {
    for (size_t i = 0; i < sizeof format_names / sizeof format_names[0]; i++) {
        if (slice_equal_text(name, format_names[i])) {
            *ret = (enum log_format)i;
            return true;
        }
    }
    return false;
}

bool log_wants(const struct log *log, enum log_level level) {
    switch (level) {
    case LOG_LEVEL_ERROR:
        return atomic_load_explicit(&log->error, memory_order_relaxed);
    case LOG_LEVEL_WARNING:
        return atomic_load_explicit(&log->warning, memory_order_relaxed);
    case LOG_LEVEL_INFO:
        return atomic_load_explicit(&log->info, memory_order_relaxed);
    case LOG_LEVEL_VERBOSE:
        return atomic_load_explicit(&log->verbose, memory_order_relaxed) > 0;
    }
    return true;
}

bool log_admit(struct log *log, unsigned *ret_left_out) {
    uint_fast64_t second = clock_monotonic_ns() / NS_PER_S, counted = atomic_load(&log->second);
    if (counted != second && atomic_compare_exchange_strong(&log->second, &counted, second))
        atomic_store(&log->admitted, 0);
    if (atomic_fetch_add(&log->admitted, 1) >= LOG_FLOOD_MAX) {
        atomic_fetch_add(&log->left_out, 1);
        return false;
    }
    *ret_left_out = (unsigned)atomic_exchange(&log->left_out, 0);
    return true;
}

/* ---- pieces of a line ---- */

static void put(struct line *line, const char *bytes, size_t size) {
    if (size > LOG_LINE_MAX - line->used)
        size = LOG_LINE_MAX - line->used;
    memcpy(line->text + line->used, bytes, size);
    line->used += size;
}

static void put_text(struct line *line, const char *text) {
    put(line, text, strlen(text));
}

/* Characters that are written as an escape, by the first of which the size of the escape is known. Those of two bytes
 * are the control characters U+0080 to U+009F, which some terminals obey. */
static bool is_control(struct slice c) {
    unsigned char first = (unsigned char)c.data[0];
    return c.size == 1 ? first < 0x20 || first == 0x7f
                       : c.size == 2 && first == 0xC2 && (unsigned char)c.data[1] < 0xA0;
}

/* The character `c` (its size is 0: a byte that belongs to none) as it may stand in a line; returns the size. */
static size_t escape(struct slice c, bool quoted, bool json, char to[static 16]) {
    bool valid = c.size > 0;
    size_t size = 0;
    if (valid && quoted && (c.data[0] == '"' || c.data[0] == '\\')) {
        to[0] = '\\';
        to[1] = c.data[0];
        return 2;
    }
    if (valid && !is_control(c)) {
        memcpy(to, c.data, c.size);
        return c.size;
    }
    if (json && !valid)
        return (size_t)snprintf(to, 16, "\\ufffd");
    if (json)
        return (size_t)snprintf(to, 16, "\\u%04x", (unsigned char)c.data[c.size - 1]);
    do
        size += (size_t)snprintf(to + size, 16 - size, "\\x%02x", (unsigned char)*c.data++);
    while (size / 4 < c.size);
    return size;
}

static void put_escaped(struct line *line, struct slice text, size_t max_bytes, bool quoted, bool json) {
    size_t end = line->used + max_bytes - 3; /* room for what tells that something is missing */
    while (text.size > 0) {
        char escaped[16];
        size_t length = slice_utf8_length(text);
        size_t size = escape((struct slice){text.data, length}, quoted, json, escaped);
        if (line->used + size > end) {
            put_text(line, "...");
            return;
        }
        put(line, escaped, size);
        text.data += length ? length : 1;
        text.size -= length ? length : 1;
    }
}

static void put_number(struct line *line, int64_t number) {
    char text[24];
    put(line, text, (size_t)snprintf(text, sizeof text, "%" PRId64, number));
}

static const char *base_name(const char *file) {
    const char *slash = strrchr(file, '/');
    return slash ? slash + 1 : file;
}

/* ---- the forms ---- */

static bool is_left_out(const struct log_field *field) {
    return field->text.data && field->text.size == 0;
}

/* Text that would not be read back as one word stands in quotes. */
static bool needs_quotes(struct slice text) {
    for (size_t i = 0; i < text.size; i++) {
        unsigned char c = (unsigned char)text.data[i];
        if (c <= ' ' || c == '"' || c == '\\' || c == '=' || c >= 0x7f)
            return true;
    }
    return false;
}

static void put_field(struct line *line, const struct log_field *field) {
    bool quoted = field->text.data && needs_quotes(field->text);
    put_text(line, " ");
    put_text(line, field->name);
    put_text(line, quoted ? "=\"" : "=");
    if (field->text.data)
        put_escaped(line, field->text, LOG_FIELD_MAX, quoted, false);
    else
        put_number(line, field->number);
    if (quoted)
        put_text(line, "\"");
}

static void put_plain(struct line *line, enum log_format format, const struct entry *entry) {
    char stamp[40], prefix[PREFIX_MAX_BYTES];
    if (format == LOG_FORMAT_ISO8601) {
        strftime(stamp, sizeof stamp, "%Y-%m-%dT%H:%M:%SZ", &entry->calendar);
        snprintf(prefix, sizeof prefix, "%s %c %ld %.100s:%d] ", stamp, "EWIV"[entry->level], entry -> thread,
                 entry -> file, entry -> line);
    } else {
        strftime(stamp, sizeof stamp, "%m%d %H:%M:%S", &entry->calendar);
        snprintf(prefix, sizeof prefix, "%c%s.%06ld %ld %.100s:%d] ", "EWIV"[entry->level], stamp,
                 entry -> time.tv_nsec / 1000, entry->thread, entry->file, entry->line);
    }
    put_text(line, prefix);
    put_text(line, "\"");
    put_escaped(line, entry->message, MESSAGE_MAX_BYTES, true, false);
    put_text(line, "\"");
    for (size_t i = 0; i < entry->field_count; i++)
        if (!is_left_out(&entry->fields[i]))
            put_field(line, &entry->fields[i]);
}

static void put_json_field(struct line *line, const struct log_field *field) {
    put_text(line, ",\"");
    put_text(line, field->name);
    put_text(line, "\":");
    if (field->text.data) {
        put_text(line, "\"");
        put_escaped(line, field->text, LOG_FIELD_MAX, true, true);
        put_text(line, "\"");
    } else {
        put_number(line, field->number);
    }
}

static void put_json(struct line *line, const struct entry *entry) {
    static const char *const levels[] = {"error", "warning", "info", "verbose"};
    char stamp[40], prefix[PREFIX_MAX_BYTES];
    strftime(stamp, sizeof stamp, "%Y-%m-%dT%H:%M:%S", &entry->calendar);
    snprintf(prefix, sizeof prefix,
             "{\"time\":\"%s.%06ldZ\",\"level\":\"%s\",\"thread\":%ld,\"file\":\"%.60s\",\"line\":%d,", stamp,
             entry->time.tv_nsec / 1000, levels[entry->level], entry->thread, entry->file, entry->line);
    put_text(line, prefix);
    put_text(line, "\"message\":\"");
    put_escaped(line, entry->message, MESSAGE_MAX_BYTES, true, true);
    put_text(line, "\"");
    for (size_t i = 0; i < entry->field_count; i++)
        if (!is_left_out(&entry->fields[i]))
            put_json_field(line, &entry->fields[i]);
    put_text(line, "}");
}

void log_write(const struct log *log, enum log_level level, const char *file, int line_number,
               const struct log_field *fields, size_t field_count, const char *format, ...) {
    if (!log_wants(log, level))
        return;
    char message[MESSAGE_MAX_BYTES];
    va_list args;
    va_start(args, format);
    vsnprintf(message, sizeof message, format, args);
    va_end(args);
    struct entry entry = {.level = level,
                          .file = base_name(file),
                          .line = line_number,
                          .thread = syscall(SYS_gettid),
                          .fields = fields,
                          .field_count = field_count < LOG_FIELDS_MAX ? field_count : LOG_FIELDS_MAX,
                          .message = slice_of(message)};
    clock_gettime(CLOCK_REALTIME, &entry.time);
    gmtime_r(&entry.time.tv_sec, &entry.calendar);
    struct line line;
    line.used = 0;
    enum log_format form = (enum log_format)atomic_load_explicit(&log->format, memory_order_relaxed);
    if (form == LOG_FORMAT_JSON)
        put_json(&line, &entry);
    else
        put_plain(&line, form, &entry);
    line.text[line.used++] = '\n';
    ssize_t written = write(log->fd, line.text, line.used); /* a log that cannot be written has nobody to be told to */
    (void)written;
}
