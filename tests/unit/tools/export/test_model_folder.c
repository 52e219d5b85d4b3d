/* Putting versions into a repository: new, beside others, over old ones, refused ones; nothing is left behind. */
#include "tools/export/model_folder.h"

#include "../../checkpoint/scratch.h"

struct fixture {
    struct scratch scratch;
    struct arena *arena;
    const char *repository;
};

static int set_up(void **state) {
    struct fixture *fixture = calloc(1, sizeof *fixture);
    assert_non_null(fixture);
    fixture->scratch = scratch_create();
    fixture->arena = arena_create(0);
    fixture->repository = path_join(fixture->arena, fixture->scratch.folder, "deep/repository");
    *state = fixture;
    return 0;
}

static int tear_down(void **state) {
    struct fixture *fixture = *state;
    scratch_remove(&fixture->scratch);
    arena_destroy(fixture->arena);
    free(fixture);
    return 0;
}

static struct status plan(struct fixture *fixture, int64_t version, bool overwrite, struct model_folder *ret) {
    return model_folder_plan(fixture->repository, "bert", version, overwrite, fixture->arena, ret);
}

static void put_file(struct model_folder *folder, const char *content) {
    const char *path = path_join(folder->arena, folder->staged_version, "model");
    expect_ok(file_write_atomic(path, slice_of(content)));
}

/* A whole export: `content` in the version's file, `config` as the configuration. */
static struct status put(struct fixture *fixture, int64_t version, bool overwrite, const char *config,
                         const char *content) {
    struct model_folder folder;
    STATUS_TRY(plan(fixture, version, overwrite, &folder));
    struct status status = model_folder_stage(&folder, slice_of(config));
    if (status_is_ok(&status)) {
        put_file(&folder, content);
        status = model_folder_commit(&folder);
    }
    model_folder_close(&folder);
    return status;
}

static void expect_content(struct fixture *fixture, const char *name, const char *expected) {
    struct buf content = BUF_EMPTY;
    expect_ok(file_read(path_join(fixture->arena, fixture->repository, name), 1000, &content));
    assert_true(slice_equal_text(buf_slice(&content), expected));
    buf_free(&content);
}

static void expect_names(struct fixture *fixture, const char *folder, const char *expected) {
    const char *const *names;
    size_t count;
    char text[200] = "";
    expect_ok(file_list(folder, fixture->arena, &names, &count));
    for (size_t i = 0; i < count; i++) {
        strncat(text, names[i], sizeof text - strlen(text) - 1);
        strncat(text, " ", sizeof text - strlen(text) - 1);
    }
    assert_string_equal(text, expected);
}

static void new_model_and_second_version(void **state) {
    struct fixture *fixture = *state;
    expect_ok(put(fixture, 1, false, "c\n", "one"));
    expect_ok(put(fixture, 7, false, "c\n", "seven"));
    expect_content(fixture, "bert/1/model", "one");
    expect_content(fixture, "bert/7/model", "seven");
    expect_content(fixture, "bert/config.pbtxt", "c\n");
    expect_names(fixture, fixture->repository, "bert ");
    expect_names(fixture, path_join(fixture->arena, fixture->repository, "bert"), "1 7 config.pbtxt ");
}

static void existing_version(void **state) {
    struct fixture *fixture = *state;
    expect_ok(put(fixture, 1, false, "c\n", "one"));
    expect_error(put(fixture, 1, false, "c\n", "two"), STATUS_ALREADY_EXISTS,
                 "deep/repository/bert/1 exists; give --overwrite");
    expect_content(fixture, "bert/1/model", "one");
    expect_ok(put(fixture, 1, true, "d\n", "two"));
    expect_content(fixture, "bert/1/model", "two");
    expect_content(fixture, "bert/config.pbtxt", "d\n");
    expect_names(fixture, fixture->repository, "bert ");
    expect_names(fixture, path_join(fixture->arena, fixture->repository, "bert/1"), "model ");
}

static void configurations_must_agree(void **state) {
    struct fixture *fixture = *state;
    expect_ok(put(fixture, 1, false, "a: 1\nb: 2\n", "one"));
    expect_error(put(fixture, 2, false, "a: 1\nb: 3\n", "two"), STATUS_FAILED_PRECONDITION,
                 "config.pbtxt:2: the model's configuration has \"b: 2\", this export would write \"b: 3\"");
    expect_error(put(fixture, 2, false, "a: 1\nb: 2\nc: 4\n", "two"), STATUS_FAILED_PRECONDITION, "config.pbtxt:3:");
    expect_error(put(fixture, 2, false, "a: 1\n", "two"), STATUS_FAILED_PRECONDITION, "config.pbtxt:2:");
    expect_names(fixture, fixture->repository, "bert ");
    expect_names(fixture, path_join(fixture->arena, fixture->repository, "bert"), "1 config.pbtxt ");
    expect_ok(put(fixture, 2, true, "a: 1\nb: 3\n", "two"));
    expect_content(fixture, "bert/config.pbtxt", "a: 1\nb: 3\n");
    expect_content(fixture, "bert/1/model", "one");
}

/* Two exports that both found nothing there: the second must not replace the first. */
static void the_second_of_two_at_once_fails(void **state) {
    struct fixture *fixture = *state;
    struct model_folder first, second;
    expect_ok(plan(fixture, 1, false, &first));
    expect_ok(plan(fixture, 1, false, &second));
    expect_ok(model_folder_stage(&first, SLICE_LITERAL("c\n")));
    expect_ok(model_folder_stage(&second, SLICE_LITERAL("c\n")));
    put_file(&first, "first");
    put_file(&second, "second");
    expect_ok(model_folder_commit(&first));
    expect_error(model_folder_commit(&second), STATUS_INTERNAL, "cannot make");
    model_folder_close(&first);
    model_folder_close(&second);
    expect_content(fixture, "bert/1/model", "first");
    expect_names(fixture, fixture->repository, "bert ");
}

static void given_up_exports_leave_nothing(void **state) {
    struct fixture *fixture = *state;
    struct model_folder folder;
    expect_ok(plan(fixture, 1, false, &folder));
    expect_ok(model_folder_stage(&folder, SLICE_LITERAL("c\n")));
    put_file(&folder, "half");
    model_folder_close(&folder);
    expect_names(fixture, fixture->repository, "");
}

/* What a killed export leaves is a staging folder that nobody holds; one that is being filled stays. */
static void the_next_export_removes_what_a_killed_one_left(void **state) {
    struct fixture *fixture = *state;
    struct model_folder alive;
    expect_ok(model_folder_plan(fixture->repository, "other", 1, false, fixture->arena, &alive));
    expect_ok(model_folder_stage(&alive, SLICE_LITERAL("c\n")));
    const char *dead = path_join(fixture->arena, fixture->repository, ".inferd-export-dead00/1");
    expect_ok(file_make_directories(dead));
    expect_ok(file_make_directories(path_join(fixture->arena, fixture->repository, ".other-hidden")));
    expect_ok(put(fixture, 1, false, "c\n", "one"));
    assert_false(file_exists(dead));
    assert_true(file_exists(alive.staging));
    put_file(&alive, "two");
    expect_ok(model_folder_commit(&alive));
    model_folder_close(&alive);
    expect_names(fixture, fixture->repository, ".other-hidden bert other ");
    expect_content(fixture, "other/1/model", "two");
}

static void names(void **state) {
    struct fixture *fixture = *state;
    static const char *const bad[] = {"", ".", "..", ".hidden", "a/b", "../up", "a\nb", "\xff\xfe"};
    struct model_folder folder;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        expect_error(model_folder_plan(fixture->repository, bad[i], 1, true, fixture->arena, &folder),
                     STATUS_INVALID_ARGUMENT, "cannot be a model's name");
}

static void repository_that_cannot_be_made(void **state) {
    struct fixture *fixture = *state;
    const char *file = scratch_write(&fixture->scratch, "file", SLICE_LITERAL("x"));
    fixture->repository = path_join(fixture->arena, file, "repository");
    struct status status = put(fixture, 1, false, "c\n", "one");
    assert_false(status_is_ok(&status));
    assert_non_null(strstr(status.message, "/file"));
}

#define CASE(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

/* Other versions keep the model; its last one takes it along. */
static void retired(void **state) {
    struct fixture *fixture = *state;
    const char *model = path_join(fixture->arena, fixture->repository, "bert");
    struct model_folder folder;
    expect_ok(put(fixture, 1, false, "c\n", "one"));
    expect_ok(put(fixture, 2, false, "c\n", "two"));
    expect_ok(plan(fixture, 1, true, &folder));
    expect_ok(model_folder_retire(&folder));
    model_folder_close(&folder);
    expect_names(fixture, model, "2 config.pbtxt ");
    expect_names(fixture, fixture->repository, "bert ");
    expect_ok(plan(fixture, 2, true, &folder));
    expect_ok(model_folder_retire(&folder));
    model_folder_close(&folder);
    expect_names(fixture, fixture->repository, "");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        CASE(new_model_and_second_version),
        CASE(existing_version),
        CASE(configurations_must_agree),
        CASE(the_second_of_two_at_once_fails),
        CASE(given_up_exports_leave_nothing),
        CASE(the_next_export_removes_what_a_killed_one_left),
        CASE(retired),
        CASE(names),
        CASE(repository_that_cannot_be_made),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
