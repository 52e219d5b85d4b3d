/* Loads with a configuration and files of their own, and that nothing of them is left. */
#include "control_fixture.h"

/* ---- overrides ---- */

static struct status load_config(struct fixture *f, const char *name, const char *json) {
    struct model_override override = {.has_config = true, .config = slice_of(json)};
    return inference_server_load_model(f->server, slice_of(name), &override);
}

static int32_t batch_size_of(struct fixture *f, const char *name) {
    struct model *model;
    assert_good(inference_server_acquire_model(f->server, slice_of(name), -1, &model));
    int32_t size = model_config_of(model)->max_batch_size;
    model_release(model);
    return size;
}

static void a_config_stands_in_for_that_of_the_folder(void **state) {
    (void)state;
    struct fixture f;
    control_begin(&f);
    add_model(&f, "m", GATE_CONFIG);
    start_server(&f);
    assert_good(load_config(&f, "m", GATE_JSON(",\"max_batch_size\":3")));
    assert_int_equal(batch_size_of(&f, "m"), 3);
    write_file(&f, "m/config.pbtxt", "nonsense"); /* is not even read */
    assert_good(load_config(&f, "m", GATE_JSON(",\"max_batch_size\":4,\"name\":\"m\"")));
    assert_int_equal(batch_size_of(&f, "m"), 4);
    write_file(&f, "m/config.pbtxt", GATE_CONFIG);
    assert_good(load(&f, "m")); /* an override holds for its own load only */
    assert_int_equal(batch_size_of(&f, "m"), 8);
    control_end(&f);
}

static void a_bad_config_is_refused_with_its_reason(void **state) {
    (void)state;
    struct fixture f;
    control_begin(&f);
    add_model(&f, "m", GATE_CONFIG);
    start_server(&f);
    assert_good(load(&f, "m"));
    static const struct {
        const char *json, *text;
    } rows[] = {
        {"", "load failed for model 'm': "},
        {"{", "load failed for model 'm': "},
        {"[]", "load failed for model 'm': "},
        {GATE_JSON(",\"max_bach_size\":3"), "max_batch_size"},
        {GATE_JSON(",\"max_batch_size\":\"many\""), "max_batch_size"},
        {GATE_JSON(",\"max_batch_size\":-1"), "max_batch_size"},
        {GATE_JSON(",\"name\":\"other\""), "the config is named 'other'"},
        {GATE_JSON(",\"sequence_batching\":{}"), "sequence_batching"},
        {"{\"backend\":\"nothing\"}", "there is no engine 'nothing'"},
        {"{\"backend\":\"../gate\"}", "'../gate' cannot be the name of a backend"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct status status = load_config(&f, "m", rows[i].json);
        assert_int_equal(status.code, STATUS_INVALID_ARGUMENT);
        if (!strstr(status.message, rows[i].text))
            fail_msg("expected \"%s\" in \"%s\"", rows[i].text, status.message);
    }
    assert_int_equal(gate_ask(&f, "m"), 1);
    assert_int_equal(gate_live(), 1);
    control_end(&f);
}

static void given_files_are_the_folder(void **state) {
    (void)state;
    struct fixture f;
    char temporary[96];
    control_begin(&f);
    use_temporary_folder(&f, temporary);
    add_model(&f, "m", GATE_CONFIG);
    write_file(&f, "m/1/data", "of the repository");
    start_server(&f);
    const struct model_file files[] = {{slice_of("7/data"), slice_of("given")},
                                       {slice_of("7/deep/er/one"), slice_of("1")},
                                       {slice_of("labels.txt"), slice_of("")}};
    assert_good(load_files(&f, "m", files, 3));
    assert_index(&f, "m 7 READY\n");
    assert_string_equal(gate.content, "given");
    assert_memory_equal(gate.seen, temporary, strlen(temporary));
    struct stat info;
    char path[1200];
    snprintf(path, sizeof path, "%s/../", gate.seen);
    assert_int_equal(stat(path, &info), 0);
    assert_int_equal(info.st_mode & 0777, 0700);
    snprintf(path, sizeof path, "%s/data", gate.seen);
    assert_int_equal(stat(path, &info), 0);
    assert_int_equal(info.st_mode & 0777, 0600);
    assert_good(load(&f, "m")); /* the repository's again */
    assert_index(&f, "m 1 READY\n");
    assert_string_equal(gate.content, "of the repository");
    assert_int_equal(count_children(temporary), 0);
    assert_good(file_remove_tree(temporary));
    control_end(&f);
}

static void given_files_make_a_model_that_is_in_no_repository(void **state) {
    (void)state;
    struct fixture f;
    char temporary[96];
    control_begin(&f);
    use_temporary_folder(&f, temporary);
    start_server(&f);
    const struct model_file file = {slice_of("1/data"), slice_of("given")};
    assert_good(load_files(&f, "m", &file, 1));
    assert_int_equal(gate_ask(&f, "m"), 1);
    assert_index(&f, "m 1 READY\n");
    assert_good(inference_server_rescan(f.server));
    assert_index(&f, "m 1 READY\n");
    assert_good(unload(&f, "m"));
    assert_index(&f, "");
    assert_not_served(&f, "m", STATUS_NOT_FOUND, "Request for unknown model: 'm' is not found");
    assert_int_equal(count_children(temporary), 0);
    assert_good(load_files(&f, "m", &file, 1)); /* and its files go with the server too */
    control_end(&f);
    assert_int_equal(count_children(temporary), 0);
    assert_good(file_remove_tree(temporary));
}

static void bad_files_leave_nothing_behind(void **state) {
    (void)state;
    struct fixture f;
    char temporary[96], long_part[300], deep[64] = "1", long_path[1400] = "1";
    control_begin(&f);
    use_temporary_folder(&f, temporary);
    start_server(&f);
    memset(long_part, 'a', 256);
    long_part[256] = '\0';
    for (int i = 0; i < 16; i++)
        strcat(deep, "/a");
    for (int i = 0; i < 5; i++) {
        strcat(long_path, "/");
        memcpy(long_path + strlen(long_path), long_part, 250);
    }
    const struct {
        struct slice path;
        const char *text;
    } rows[] = {
        {slice_of(""), "expected a path below the model's folder"},
        {slice_of("/etc/passwd"), "expected a path below the model's folder"},
        {slice_of("../data"), "expected a path below the model's folder"},
        {slice_of("1/../../data"), "expected a path below the model's folder"},
        {slice_of("1/./data"), "expected a path below the model's folder"},
        {slice_of("1//data"), "expected a path below the model's folder"},
        {slice_of("1/data/"), "expected a path below the model's folder"},
        {slice_of("1/.."), "expected a path below the model's folder"},
        {slice_of("1/a\nb"), "expected a path below the model's folder"},
        {(struct slice){"1/a\0b", 5}, "expected a path below the model's folder"},
        {slice_of(long_part), "expected a path below the model's folder"},
        {slice_of(long_path), "expected a path of at most 1024 bytes"},
        {slice_of(deep), "expected at most 16 names"},
        {slice_of("config.pbtxt"), "that of the parameter 'config'"},
        {slice_of("1/data"), "another file has this path"},
        {slice_of("1/data/x"), "another file has this path, or one that leads through it"},
        {slice_of("1"), "another file has this path"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const struct model_file files[] = {{slice_of("1/data"), slice_of("x")}, {rows[i].path, slice_of("y")}};
        struct status status = load_files(&f, "m", files, 2);
        assert_int_equal(status.code, STATUS_INVALID_ARGUMENT);
        if (!strstr(status.message, rows[i].text))
            fail_msg("%zu: expected \"%s\" in \"%s\"", i, rows[i].text, status.message);
        assert_int_equal(count_children(temporary), 0);
        assert_index(&f, "");
    }
    const struct model_file versionless = {slice_of("data"), slice_of("x")};
    struct status status = load_files(&f, "m", &versionless, 1);
    assert_int_equal(status.code, STATUS_INVALID_ARGUMENT);
    assert_non_null(strstr(status.message, "no version folder"));
    struct model_override configless = {.files = &versionless, .file_count = 1};
    assert_error(inference_server_load_model(f.server, slice_of("m"), &configless), STATUS_INVALID_ARGUMENT,
                 "files were given for model 'm' without the configuration that goes with them");
    assert_int_equal(count_children(temporary), 0);
    control_end(&f);
    assert_good(file_remove_tree(temporary));
}

static void files_of_a_load_that_fails_are_removed(void **state) {
    (void)state;
    struct fixture f;
    char temporary[96];
    control_begin(&f);
    use_temporary_folder(&f, temporary);
    add_model(&f, "m", GATE_CONFIG);
    start_server(&f);
    const struct model_file file = {slice_of("1/data"), slice_of("given")};
    static const char *const names[] = {"m", "foreign", "m"}; /* a reason that is kept, one that is not, and a reload */
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (i == 2)
            assert_good(load(&f, "m"));
        struct status status = load_files_that_fail(&f, names[i], &file, 1);
        assert_int_equal(status.code, STATUS_INVALID_ARGUMENT);
        assert_string_equal(gate.content, "given");
        assert_int_equal(count_children(temporary), 0);
    }
    assert_index(&f, "m 1 READY\n");
    control_end(&f);
    assert_good(file_remove_tree(temporary));
}

static void a_temporary_folder_that_is_missing_is_told(void **state) {
    (void)state;
    struct fixture f;
    control_begin(&f);
    f.temporary_directory = "/nonexistent/folder";
    start_server(&f);
    const struct model_file file = {slice_of("1/data"), slice_of("x")};
    struct status status = load_files(&f, "m", &file, 1);
    assert_non_null(strstr(status.message, "cannot make a folder in /nonexistent/folder: No such file or directory"));
    assert_index(&f, "");
    control_end(&f);
}

static void many_loads_and_unloads_leave_nothing(void **state) {
    (void)state;
    struct fixture f;
    char temporary[96];
    control_begin(&f);
    use_temporary_folder(&f, temporary);
    add_model(&f, "m", GATE_CONFIG);
    start_server(&f);
    const struct model_file file = {slice_of("1/data"), slice_of("given")};
    for (int i = 0; i < 200; i++) {
        assert_good(i % 2 ? load(&f, "m") : load_files(&f, "m", &file, 1));
        char name[32];
        snprintf(name, sizeof name, "foreign%d", i);
        assert_good(load_files(&f, name, &file, 1));
        assert_int_equal(gate_live(), 2);
        assert_good(unload(&f, "m"));
        assert_good(unload(&f, name));
        assert_int_equal(gate_live(), 0);
    }
    assert_index(&f, "m 1 UNAVAILABLE unloaded\n");
    assert_int_equal(count_children(temporary), 0);
    assert_good(file_remove_tree(temporary));
    control_end(&f);
}

static void models_of_no_repository_are_bounded(void **state) {
    (void)state;
    struct fixture f;
    char name[32];
    control_begin(&f);
    add_model(&f, "m", GATE_CONFIG);
    start_server(&f);
    const struct model_file file = {slice_of("1/data"), slice_of("given")};
    for (int i = 0; i < 256; i++) {
        snprintf(name, sizeof name, "foreign%d", i);
        assert_good(load_files(&f, name, &file, 1));
    }
    assert_error(load_files(&f, "one more", &file, 1), STATUS_RESOURCE_EXHAUSTED,
                 "no room for model 'one more': memory is short, or there are 256 models that are in no repository "
                 "already");
    assert_good(load(&f, "m"));
    assert_good(load_files(&f, "foreign7", &file, 1));
    assert_good(unload(&f, "foreign8"));
    assert_good(load_files(&f, "one more", &file, 1));
    control_end(&f);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_config_stands_in_for_that_of_the_folder),
        cmocka_unit_test(a_bad_config_is_refused_with_its_reason),
        cmocka_unit_test(given_files_are_the_folder),
        cmocka_unit_test(given_files_make_a_model_that_is_in_no_repository),
        cmocka_unit_test(bad_files_leave_nothing_behind),
        cmocka_unit_test(files_of_a_load_that_fails_are_removed),
        cmocka_unit_test(a_temporary_folder_that_is_missing_is_told),
        cmocka_unit_test(many_loads_and_unloads_leave_nothing),
        cmocka_unit_test(models_of_no_repository_are_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
