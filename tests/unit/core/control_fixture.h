/* control_fixture.h: a server whose models are loaded and unloaded by the test, on engine "gate". */
#ifndef INFERD_TESTS_CORE_CONTROL_FIXTURE_H
#define INFERD_TESTS_CORE_CONTROL_FIXTURE_H

#include <sys/stat.h>

#include "gate_backend.h"

static inline void control_begin(struct fixture *f) {
    gate_reset();
    fixture_init(f);
    f->control = MODEL_CONTROL_EXPLICIT;
    f->backends[f->backend_count++] = &gate_backend;
}

static inline void control_end(struct fixture *f) {
    gate_set(false, 0);
    fixture_end(f);
    assert_int_equal(gate.live, 0);
}

static inline struct status load(struct fixture *f, const char *name) {
    return inference_server_load_model(f->server, slice_of(name), NULL);
}

static inline struct status unload(struct fixture *f, const char *name) {
    return inference_server_unload_model(f->server, slice_of(name));
}

/* "name version state reason" of each row of the index, each on a line; no version: -. */
static inline void assert_index(struct fixture *f, const char *expected) {
    static const char *const states[] = {"UNKNOWN", "LOADING", "READY", "UNLOADING", "UNAVAILABLE"};
    struct arena *arena = arena_create(0);
    struct model_index_row *rows;
    size_t count;
    struct buf text = BUF_EMPTY;
    assert_good(inference_server_index(f->server, arena, &rows, &count));
    for (size_t i = 0; i < count; i++) {
        buf_printf(&text, "%.*s ", SLICE_ARGS(rows[i].name));
        if (rows[i].version < 0)
            buf_append_text(&text, "-");
        else
            buf_printf(&text, "%d", (int)rows[i].version);
        buf_printf(&text, " %s%s%.*s\n", states[rows[i].state], rows[i].reason.size ? " " : "",
                   SLICE_ARGS(rows[i].reason));
    }
    buf_append_char(&text, '\0');
    assert_string_equal(text.data, expected);
    buf_free(&text);
    arena_destroy(arena);
}

static inline void assert_not_served(struct fixture *f, const char *name, enum status_code code, const char *text) {
    struct call call;
    call_vector(&call, f, name, 1, 0);
    assert_error(call_submit(&call), code, text);
    call_end(&call);
}

/* A load or unload on a thread of its own. */
struct work {
    struct fixture *f;
    const char *name;
    struct status (*run)(struct fixture *f, const char *name);
    struct status status;
    atomic_bool done;
    pthread_t thread;
};

static inline void *work_run(void *argument) {
    struct work *work = argument;
    work->status = work->run(work->f, work->name);
    atomic_store(&work->done, true);
    return NULL;
}

static inline void work_start(struct work *work, struct fixture *f, const char *name,
                              struct status (*run)(struct fixture *f, const char *name)) {
    *work = (struct work){.f = f, .name = name, .run = run};
    assert_int_equal(pthread_create(&work->thread, NULL, work_run, work), 0);
}

static inline void work_end(struct work *work) {
    pthread_join(work->thread, NULL);
    assert_string_equal(work->status.message, "");
}

#define GATE_JSON(more)                                                                                                \
    "{\"backend\":\"gate\",\"input\":[{\"name\":\"x\",\"data_type\":\"TYPE_INT32\",\"dims\":[-1]}],"                   \
    "\"output\":[{\"name\":\"y\",\"data_type\":\"TYPE_INT32\",\"dims\":[-1]}]" more "}"

static inline size_t count_children(const char *path) {
    struct arena *arena = arena_create(0);
    const char *const *names;
    size_t count;
    assert_good(file_list(path, arena, &names, &count));
    arena_destroy(arena);
    return count;
}

/* A folder of the test for the files that come with loads. */
static inline void use_temporary_folder(struct fixture *f, char path[static 96]) {
    snprintf(path, 96, "%s.files", f->directory);
    assert_int_equal(mkdir(path, 0755), 0);
    f->temporary_directory = path;
}

static inline struct status load_files_as(struct fixture *f, const char *name, const char *json,
                                          const struct model_file *files, size_t count) {
    struct model_override override = {
        .has_config = true, .config = slice_of(json), .files = files, .file_count = count};
    return inference_server_load_model(f->server, slice_of(name), &override);
}

static inline struct status load_files(struct fixture *f, const char *name, const struct model_file *files,
                                       size_t count) {
    return load_files_as(f, name, GATE_JSON(",\"max_batch_size\":8"), files, count);
}

/* The files are good, but the engine fails: "out of luck". */
static inline struct status load_files_that_fail(struct fixture *f, const char *name, const struct model_file *files,
                                                 size_t count) {
    static const char json[] = GATE_JSON(",\"parameters\":{\"fail\":{\"string_value\":\"out of luck\"}}");
    return load_files_as(f, name, json, files, count);
}

#endif
