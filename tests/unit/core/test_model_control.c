/* Loading and unloading models while the server runs: who answers, and what is told. */
#include "control_fixture.h"

/* ---- start ---- */

static void only_named_models_are_loaded_at_start(void **state) {
    (void)state;
    struct fixture f;
    control_begin(&f);
    add_model(&f, "a", GATE_CONFIG);
    add_model(&f, "b", GATE_CONFIG);
    add_model(&f, "c", GATE_CONFIG);
    f.startup[f.startup_count++] = "b";
    start_server(&f);
    assert_int_equal(f.failed, 0);
    assert_true(inference_server_is_ready(f.server));
    assert_index(&f, "a - UNKNOWN\nb 1 READY\nc - UNKNOWN\n");
    assert_not_served(&f, "a", STATUS_NOT_FOUND,
                      "Request for unknown model: 'a' is not found: it is in the repository, but has not been loaded");
    assert_int_equal(gate_ask(&f, "b"), 1);
    control_end(&f);
}

static void a_star_loads_all_at_start(void **state) {
    (void)state;
    struct fixture f;
    control_begin(&f);
    add_model(&f, "a", GATE_CONFIG);
    add_model(&f, "b", GATE_CONFIG);
    f.startup[f.startup_count++] = "*";
    start_server(&f);
    assert_index(&f, "a 1 READY\nb 1 READY\n");
    control_end(&f);
}

static void a_name_that_is_nowhere_fails_at_start(void **state) {
    (void)state;
    struct fixture f;
    control_begin(&f);
    f.startup[f.startup_count++] = "nowhere";
    start_server(&f);
    assert_int_equal(f.failed, 1);
    assert_false(inference_server_is_ready(f.server));
    assert_index(&f, "nowhere - UNAVAILABLE no model repository has a folder 'nowhere'\n");
    assert_logged(&f, "failed to load 'nowhere': no model repository has a folder 'nowhere'");
    assert_good(unload(&f, "nowhere"));
    assert_index(&f, "");
    assert_true(inference_server_is_ready(f.server));
    control_end(&f);
}

static void what_clients_load_meanwhile_is_no_failure_of_the_start(void **state) {
    (void)state;
    struct fixture f;
    control_begin(&f);
    add_model(&f, "bad", GATE_CONFIG GATE_FAILURE("out of luck"));
    add_model(&f, "m", GATE_CONFIG);
    f.startup[f.startup_count++] = "m";
    create_server(&f);
    assert_int_equal(load(&f, "bad").code, STATUS_INVALID_ARGUMENT);
    assert_good(load(&f, "m"));
    assert_good(inference_server_load_models(f.server, &f.failed));
    assert_int_equal(f.failed, 0);
    assert_index(&f, "bad 1 UNAVAILABLE out of luck\nm 1 READY\n");
    assert_int_equal(gate_ask(&f, "m"), 2);
    control_end(&f);
}

static void without_explicit_control_nothing_is_loaded_later(void **state) {
    (void)state;
    struct fixture f;
    control_begin(&f);
    f.control = MODEL_CONTROL_NONE;
    add_model(&f, "m", GATE_CONFIG);
    start_server(&f);
    static const char text[] = "explicit model load / unload is not allowed: the model control mode is 'none'; start "
                               "the server with --model-control-mode=explicit";
    assert_error(load(&f, "m"), STATUS_SWITCHED_OFF, text);
    assert_error(unload(&f, "m"), STATUS_SWITCHED_OFF, text);
    make_folder(&f, "new/1");
    assert_good(inference_server_rescan(f.server));
    assert_index(&f, "m 1 READY\n");
    control_end(&f);
}

/* ---- load ---- */

static void a_model_is_loaded_and_loaded_again(void **state) {
    (void)state;
    struct fixture f;
    control_begin(&f);
    add_model(&f, "m", GATE_CONFIG);
    start_server(&f);
    assert_good(load(&f, "m"));
    assert_int_equal(gate_ask(&f, "m"), 1);
    assert_good(load(&f, "m"));
    assert_int_equal(gate_ask(&f, "m"), 2);
    assert_int_equal(gate_live(), 1);
    make_folder(&f, "m/2");
    assert_good(load(&f, "m")); /* the policy is the latest version */
    assert_index(&f, "m 2 READY\n");
    assert_int_equal(gate_ask(&f, "m"), 3);
    assert_int_equal(gate_live(), 1);
    control_end(&f);
}

static void a_folder_that_was_not_there_at_start_is_loaded(void **state) {
    (void)state;
    struct fixture f;
    control_begin(&f);
    start_server(&f);
    add_model(&f, "m", GATE_CONFIG);
    assert_index(&f, "");
    assert_good(load(&f, "m"));
    assert_index(&f, "m 1 READY\n");
    control_end(&f);
}

/* Requests that the old version has are answered by it, also those in its queue; new ones go to the new version. */
static void a_reload_loses_nothing(void **state) {
    (void)state;
    struct fixture f;
    struct call running, queued, later;
    struct work reload;
    control_begin(&f);
    add_model(&f, "m", GATE_CONFIG);
    start_server(&f);
    assert_good(load(&f, "m"));
    gate_set(false, 1);
    call_vector(&running, &f, "m", 1, 0);
    assert_good(call_submit(&running));
    gate_wait(&gate.entered, 1);
    call_vector(&queued, &f, "m", 1, 0);
    assert_good(call_submit(&queued));
    work_start(&reload, &f, "m", load);
    do { /* until the new version has taken over */
        struct call probe;
        call_vector(&probe, &f, "m", 1, 0);
        struct model *model;
        assert_good(inference_server_acquire_model(f.server, slice_of("m"), -1, &model));
        struct arena *arena = arena_create(0);
        struct model_statistics statistics;
        assert_good(model_statistics_snapshot(model, arena, &statistics));
        bool old = statistics.pending_count > 0;
        arena_destroy(arena);
        model_release(model);
        call_end(&probe);
        if (!old)
            break;
    } while (true);
    call_vector(&later, &f, "m", 1, 0);
    call_run(&later);
    assert_int_equal(gate_number(&later), 2);
    assert_false(atomic_load(&reload.done));
    assert_false(call_is_answered(&running) || call_is_answered(&queued));
    gate_set(false, 0);
    work_end(&reload);
    assert_true(call_is_answered(&running) && call_is_answered(&queued)); /* before the old version went */
    call_wait(&running);
    call_wait(&queued);
    assert_int_equal(gate_number(&running), 1);
    assert_int_equal(gate_number(&queued), 1);
    assert_int_equal(gate_live(), 1);
    call_end(&running);
    call_end(&queued);
    call_end(&later);
    control_end(&f);
}

static void a_reload_that_fails_leaves_what_serves(void **state) {
    (void)state;
    struct fixture f;
    control_begin(&f);
    add_model(&f, "m", GATE_CONFIG);
    start_server(&f);
    assert_good(load(&f, "m"));
    write_file(&f, "m/config.pbtxt", GATE_CONFIG GATE_FAILURE("out of luck"));
    assert_error(load(&f, "m"), STATUS_INVALID_ARGUMENT,
                 "load failed for model 'm': version 1 is at UNAVAILABLE state: out of luck");
    write_file(&f, "m/config.pbtxt", "max_bach_size: 8");
    struct status status = load(&f, "m");
    assert_int_equal(status.code, STATUS_INVALID_ARGUMENT);
    assert_non_null(strstr(status.message, "load failed for model 'm': config.pbtxt:1:1: unknown field"));
    assert_index(&f, "m 1 READY\n");
    assert_true(inference_server_is_ready(f.server));
    assert_int_equal(gate_ask(&f, "m"), 1);
    char folder[80];
    snprintf(folder, sizeof folder, "%s/m", f.directory);
    assert_good(file_remove_tree(folder));
    assert_error(load(&f, "m"), STATUS_INTERNAL,
                 "failed to load 'm', failed to poll from model repository: no model repository has a folder 'm'");
    assert_int_equal(gate_ask(&f, "m"), 1);
    assert_good(unload(&f, "m"));
    assert_index(&f, ""); /* there is nothing to load it from */
    control_end(&f);
}

static void a_first_load_that_fails_leaves_its_reason(void **state) {
    (void)state;
    struct fixture f;
    control_begin(&f);
    add_model(&f, "m", GATE_CONFIG GATE_FAILURE("out of luck"));
    start_server(&f);
    assert_true(inference_server_is_ready(f.server));
    assert_error(load(&f, "m"), STATUS_INVALID_ARGUMENT,
                 "load failed for model 'm': version 1 is at UNAVAILABLE state: out of luck");
    assert_index(&f, "m 1 UNAVAILABLE out of luck\n");
    assert_false(inference_server_is_ready(f.server));
    assert_not_served(&f, "m", STATUS_UNAVAILABLE,
                      "Request for unknown model: 'm' version 1 is not at ready state: out of luck");
    assert_good(unload(&f, "m"));
    assert_index(&f, "m 1 UNAVAILABLE unloaded\n");
    assert_true(inference_server_is_ready(f.server));
    write_file(&f, "m/config.pbtxt", "nonsense");
    assert_int_equal(load(&f, "m").code, STATUS_INVALID_ARGUMENT);
    assert_false(inference_server_is_ready(f.server));
    write_file(&f, "m/config.pbtxt", GATE_CONFIG);
    assert_good(load(&f, "m"));
    assert_true(inference_server_is_ready(f.server));
    control_end(&f);
}

static void a_load_is_of_all_versions_or_none(void **state) {
    (void)state;
    struct fixture f;
    char text[400];
    control_begin(&f);
    add_model(&f, "m", GATE_CONFIG "version_policy { specific { versions: [ 1, 2 ] } }");
    start_server(&f);
    snprintf(text, sizeof text,
             "load failed for model 'm': version 2 is at UNAVAILABLE state: version_policy asks for it, but there is "
             "no folder %s/m/2",
             f.directory);
    assert_error(load(&f, "m"), STATUS_INVALID_ARGUMENT, text);
    assert_int_equal(gate_live(), 0);
    snprintf(text, sizeof text,
             "m 1 UNAVAILABLE version 2 is at UNAVAILABLE state: version_policy asks for it, but there is no folder "
             "%s/m/2\nm 2 UNAVAILABLE version_policy asks for it, but there is no folder %s/m/2\n",
             f.directory, f.directory);
    assert_index(&f, text);
    make_folder(&f, "m/2");
    assert_good(load(&f, "m"));
    assert_index(&f, "m 1 READY\nm 2 READY\n");
    assert_good(unload(&f, "m"));
    assert_index(&f, "m 1 UNAVAILABLE unloaded\nm 2 UNAVAILABLE unloaded\n");
    assert_int_equal(gate_live(), 0);
    control_end(&f);
}

static void names_that_cannot_be_models_are_refused(void **state) {
    (void)state;
    struct fixture f;
    control_begin(&f);
    add_model(&f, "m", GATE_CONFIG);
    start_server(&f);
    static const struct slice names[] = {{"", 0},     {".", 1},    {"..", 2},         {".hidden", 7}, {"a/b", 3},
                                         {"../m", 4}, {"m\0x", 3}, {"two\nlines", 9}, {"\xFF", 1}};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        struct status status = inference_server_load_model(f.server, names[i], NULL);
        assert_int_equal(status.code, STATUS_INVALID_ARGUMENT);
        assert_non_null(strstr(status.message, "a model's name is that of its folder"));
        assert_good(inference_server_unload_model(f.server, names[i]));
    }
    assert_error(load(&f, "nothing"), STATUS_INTERNAL,
                 "failed to load 'nothing', failed to poll from model repository: no model repository has a folder "
                 "'nothing'");
    assert_index(&f, "m - UNKNOWN\n");
    control_end(&f);
}

/* ---- unload ---- */

static void an_unload_answers_what_is_queued_first(void **state) {
    (void)state;
    struct fixture f;
    struct call running, queued;
    struct work work;
    control_begin(&f);
    add_model(&f, "m", GATE_CONFIG);
    start_server(&f);
    assert_good(load(&f, "m"));
    gate_set(false, 1);
    call_vector(&running, &f, "m", 1, 0);
    assert_good(call_submit(&running));
    gate_wait(&gate.entered, 1);
    call_vector(&queued, &f, "m", 1, 0);
    assert_good(call_submit(&queued));
    work_start(&work, &f, "m", unload);
    struct model *model;
    while (inference_server_acquire_model(f.server, slice_of("m"), -1, &model).code == STATUS_OK)
        model_release(model);
    assert_not_served(&f, "m", STATUS_UNAVAILABLE,
                      "Request for unknown model: 'm' version 1 is not at ready state: it is being unloaded");
    assert_index(&f, "m 1 UNLOADING\n");
    assert_true(inference_server_is_ready(f.server));
    assert_false(call_is_answered(&queued) || atomic_load(&work.done));
    gate_set(false, 0);
    work_end(&work);
    assert_int_equal(gate_live(), 0);
    call_wait(&running);
    call_wait(&queued);
    assert_int_equal(gate_number(&running), 1);
    assert_int_equal(gate_number(&queued), 1);
    assert_index(&f, "m 1 UNAVAILABLE unloaded\n");
    assert_not_served(&f, "m", STATUS_UNAVAILABLE,
                      "Request for unknown model: 'm' version 1 is not at ready state: unloaded");
    assert_logged(&f, "unloaded 'm' version 1");
    call_end(&running);
    call_end(&queued);
    control_end(&f);
}

static void unloading_what_is_not_loaded_is_good(void **state) {
    (void)state;
    struct fixture f;
    control_begin(&f);
    add_model(&f, "m", GATE_CONFIG);
    start_server(&f);
    assert_good(unload(&f, "m"));
    assert_good(unload(&f, "unheard of"));
    assert_index(&f, "m - UNKNOWN\n");
    assert_good(load(&f, "m"));
    assert_good(unload(&f, "m"));
    assert_good(unload(&f, "m"));
    assert_index(&f, "m 1 UNAVAILABLE unloaded\n");
    assert_true(inference_server_is_ready(f.server));
    assert_good(load(&f, "m"));
    assert_int_equal(gate_ask(&f, "m"), 2);
    control_end(&f);
}

static void a_model_that_is_pinned_is_unloaded_all_the_same(void **state) {
    (void)state;
    struct fixture f;
    struct model *model;
    control_begin(&f);
    add_model(&f, "m", GATE_CONFIG);
    start_server(&f);
    assert_good(load(&f, "m"));
    assert_good(inference_server_acquire_model(f.server, slice_of("m"), -1, &model));
    assert_good(unload(&f, "m"));
    assert_int_equal(gate_live(), 0);
    assert_true(slice_equal_text(model_config_of(model)->name, "m"));
    model_release(model);
    control_end(&f);
}

/* ---- the repositories change ---- */

static void a_rescan_sees_what_is_new_and_what_is_gone(void **state) {
    (void)state;
    struct fixture f;
    char gone[80];
    control_begin(&f);
    add_model(&f, "kept", GATE_CONFIG);
    add_model(&f, "gone", GATE_CONFIG);
    add_model(&f, "unloaded", GATE_CONFIG);
    add_model(&f, "serving", GATE_CONFIG);
    f.startup[f.startup_count++] = "serving";
    start_server(&f);
    snprintf(gone, sizeof gone, "%s/gone", f.directory);
    assert_good(file_remove_tree(gone));
    assert_good(load(&f, "unloaded"));
    assert_good(unload(&f, "unloaded"));
    snprintf(gone, sizeof gone, "%s/unloaded", f.directory);
    assert_good(file_remove_tree(gone));
    snprintf(gone, sizeof gone, "%s/serving", f.directory);
    assert_good(file_remove_tree(gone));
    add_model(&f, "new", GATE_CONFIG);
    make_folder(&f, ".hidden/1");
    write_file(&f, "file", "");
    assert_good(inference_server_rescan(f.server));
    assert_index(&f, "kept - UNKNOWN\nnew - UNKNOWN\nserving 1 READY\n");
    assert_int_equal(gate_ask(&f, "serving"), 1);
    control_end(&f);
}

static void a_name_in_two_repositories_cannot_be_loaded(void **state) {
    (void)state;
    struct fixture f;
    char one[80], two[80], text[400];
    control_begin(&f);
    add_model(&f, "one/m", GATE_CONFIG);
    make_folder(&f, "two");
    snprintf(one, sizeof one, "%s/one", f.directory);
    snprintf(two, sizeof two, "%s/two", f.directory);
    const char *repositories[] = {one, two};
    struct inference_server_options options = {.repositories = repositories,
                                               .repository_count = 2,
                                               .control = MODEL_CONTROL_EXPLICIT,
                                               .builtin_backends = f.backends,
                                               .builtin_backend_count = f.backend_count,
                                               .max_queue_size = 1};
    assert_good(inference_server_create(&options, &f.server));
    assert_good(inference_server_load_models(f.server, &f.failed));
    assert_good(load(&f, "m"));
    add_model(&f, "two/m", GATE_CONFIG);
    snprintf(text, sizeof text,
             "failed to load 'm', failed to poll from model repository: two repositories have a model of this name: "
             "%s/m and %s/m",
             one, two);
    assert_error(load(&f, "m"), STATUS_INTERNAL, text);
    assert_int_equal(gate_ask(&f, "m"), 1);
    control_end(&f);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(only_named_models_are_loaded_at_start),
        cmocka_unit_test(a_star_loads_all_at_start),
        cmocka_unit_test(a_name_that_is_nowhere_fails_at_start),
        cmocka_unit_test(what_clients_load_meanwhile_is_no_failure_of_the_start),
        cmocka_unit_test(without_explicit_control_nothing_is_loaded_later),
        cmocka_unit_test(a_model_is_loaded_and_loaded_again),
        cmocka_unit_test(a_folder_that_was_not_there_at_start_is_loaded),
        cmocka_unit_test(a_reload_loses_nothing),
        cmocka_unit_test(a_reload_that_fails_leaves_what_serves),
        cmocka_unit_test(a_first_load_that_fails_leaves_its_reason),
        cmocka_unit_test(a_load_is_of_all_versions_or_none),
        cmocka_unit_test(names_that_cannot_be_models_are_refused),
        cmocka_unit_test(an_unload_answers_what_is_queued_first),
        cmocka_unit_test(unloading_what_is_not_loaded_is_good),
        cmocka_unit_test(a_model_that_is_pinned_is_unloaded_all_the_same),
        cmocka_unit_test(a_rescan_sees_what_is_new_and_what_is_gone),
        cmocka_unit_test(a_name_in_two_repositories_cannot_be_loaded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
