/* trace_fixture.h: a tracer that writes into a folder of its own, and a way to read what it wrote. */
#ifndef INFERD_TESTS_TRACE_FIXTURE_H
#define INFERD_TESTS_TRACE_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "trace/tracer.h"

#define assert_good(expression)                                                                                        \
    do {                                                                                                               \
        struct status good_ = (expression);                                                                            \
        assert_string_equal(good_.message, "");                                                                        \
        assert_int_equal(good_.code, STATUS_OK);                                                                       \
    } while (0)

struct fixture {
    char folder[64], file[96];
    FILE *log_file;
    struct log log;
    struct trace_config config;
    struct tracer *tracer;
};

static inline void fixture_init(struct fixture *f) {
    *f = (struct fixture){.log = log_default()};
    snprintf(f->folder, sizeof f->folder, "/tmp/inferd-trace-test-XXXXXX");
    assert_non_null(mkdtemp(f->folder));
    snprintf(f->file, sizeof f->file, "%s/trace.json", f->folder);
    f->log_file = tmpfile();
    f->log.fd = fileno(f->log_file);
    f->config = trace_config_default();
    f->config.file = f->file;
    f->config.settings.rate = 1;
    f->config.settings.level = TRACE_TIMESTAMPS;
}

static inline void fixture_start(struct fixture *f) {
    assert_good(tracer_create(&f->config, "1.2.3", &f->log, &f->tracer));
}

/* What the tracer has written is in the files after this. */
static inline void fixture_stop(struct fixture *f) {
    tracer_destroy(f->tracer);
    f->tracer = NULL;
}

static inline void fixture_end(struct fixture *f) {
    fixture_stop(f);
    fclose(f->log_file);
    assert_good(file_remove_tree(f->folder));
}

/* The file (with a suffix), NUL-terminated; free it with buf_free. */
static inline struct buf fixture_read(struct fixture *f, const char *suffix) {
    char path[128];
    snprintf(path, sizeof path, "%s%s", f->file, suffix);
    struct buf text = BUF_EMPTY;
    assert_good(file_read(path, 1 << 24, &text));
    buf_append_char(&text, '\0');
    return text;
}

static inline bool fixture_has(struct fixture *f, const char *suffix) {
    char path[128];
    snprintf(path, sizeof path, "%s%s", f->file, suffix);
    return file_exists(path);
}

static inline size_t count_of(const char *text, const char *part) {
    size_t count = 0;
    for (const char *at = text; (at = strstr(at, part)) != NULL; at += strlen(part))
        count++;
    return count;
}

static inline struct trace *sample(struct fixture *f, const char *model) {
    return tracer_sample(f->tracer, slice_of(model), TRACE_HTTP, NULL);
}

/* How many of `requests` inferences are traced; each trace is ended at once. */
static inline size_t traced_of(struct fixture *f, const char *model, size_t requests) {
    size_t traced = 0;
    for (size_t i = 0; i < requests; i++) {
        struct trace *trace = tracer_is_on(f->tracer) ? sample(f, model) : NULL;
        traced += trace != NULL;
        trace_end(trace);
    }
    return traced;
}

#endif
