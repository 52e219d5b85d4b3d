/* The server on repositories of identity models: what loads, what does not and why, and what requests get. */
#include "server_fixture.h"

#include <unistd.h>

#define VECTOR                                                                                                         \
    "backend: \"identity\"\nmax_batch_size: 8\n"                                                                       \
    "input { name: \"x\" data_type: TYPE_INT32 dims: [ -1 ] }\n"                                                       \
    "output { name: \"y\" data_type: TYPE_INT32 dims: [ -1 ] }\n"

static void an_empty_repository_is_ready_after_its_load(void **state) {
    (void)state;
    struct fixture f;
    fixture_init(&f);
    create_server(&f);
    assert_true(inference_server_is_live(f.server));
    assert_false(inference_server_is_ready(f.server));
    assert_good(inference_server_load_models(f.server, &f.failed));
    assert_int_equal(f.failed, 0);
    assert_true(inference_server_is_ready(f.server));
    struct model *model = NULL;
    assert_error(inference_server_acquire_model(f.server, slice_of("m"), -1, &model), STATUS_NOT_FOUND,
                 "Request for unknown model: 'm' is not found");
    fixture_end(&f);
}

static void a_request_is_answered(void **state) {
    (void)state;
    struct fixture f;
    fixture_init(&f);
    add_model(&f, "m", VECTOR);
    start_server(&f);
    assert_int_equal(f.failed, 0);
    assert_logged(&f, "loaded 'm' version 1: backend 'identity' is run by engine 'identity'");
    struct call call;
    call_vector(&call, &f, "m", 3, 42);
    call_run(&call);
    assert_false(pthread_equal(call.thread, pthread_self()));
    assert_true(call.booked);
    assert_int_equal(call.responses, 1);
    assert_int_equal(call.last->model_version, 1);
    assert_true(slice_equal_text(call.last->model_name, "m"));
    assert_int_equal(call.last->output_count, 1);
    const struct tensor *y = &call.last->outputs[0];
    assert_true(slice_equal_text(y->name, "y"));
    assert_int_equal(y->type, DATATYPE_INT32);
    assert_int_equal(y->rank, 2);
    assert_int_equal(y->shape[1], 3);
    assert_int_equal(y->data.size, 12);
    assert_memory_equal(y->data.data, call.request->inputs[0].data.data, 12);
    const struct infer_times *times = &call.request->times;
    assert_true(times->queued > 0 && times->batched >= times->queued && times->compute_start >= times->batched);
    assert_true(times->compute_input_end >= times->compute_start && times->compute_end >= times->compute_output_start);
    call_end(&call);
    fixture_end(&f);
}

static void statistics_tell_what_happened(void **state) {
    (void)state;
    struct fixture f;
    fixture_init(&f);
    add_model(&f, "m", VECTOR);
    start_server(&f);
    struct call call;
    for (int i = 0; i < 3; i++) {
        call_vector(&call, &f, "m", 4, i);
        call_run(&call);
        call_end(&call);
    }
    int32_t rows[6] = {0};
    call_init(&call, &f, "m");
    call_add_input(&call, "x", DATATYPE_INT32, 2, (const int64_t[]){2, 3}, rows, sizeof rows);
    call_run(&call);
    call_end(&call);
    call_vector(&call, &f, "m", 4, 1);
    call.request->inputs[0].data.size--;
    struct status refused = call_submit(&call);
    assert_int_equal(refused.code, STATUS_INVALID_ARGUMENT);
    call_end(&call);

    struct model *model;
    struct model_statistics s;
    struct arena *arena = arena_create(0);
    assert_good(inference_server_acquire_model(f.server, slice_of("m"), 1, &model));
    assert_good(model_statistics_snapshot(model, arena, &s));
    assert_int_equal(s.success.count, 4);
    assert_int_equal(s.inference_count, 5);
    assert_int_equal(s.execution_count, 4);
    assert_int_equal(s.fail.count, 0); /* a refused request was never accepted */
    assert_int_equal(s.pending_count, 0);
    assert_int_equal(s.batch_count, 2);
    assert_int_equal(s.batches[1].batch_size, 2);
    assert_int_equal(s.request_batches[0].success.count, 3);
    assert_true(s.last_inference_ms > 0);
    assert_true(s.success.ns >= s.queue.ns + s.compute_input.ns + s.compute_infer.ns + s.compute_output.ns);
    model_release(model);
    arena_destroy(arena);
    fixture_end(&f);
}

static void errors_carry_the_request_id(void **state) {
    (void)state;
    struct fixture f;
    fixture_init(&f);
    add_model(&f, "m", VECTOR);
    start_server(&f);
    struct call call;
    call_vector(&call, &f, "m", 4, 1);
    call.request->inputs[0].type = DATATYPE_FP32;
    assert_error(call_submit(&call), STATUS_INVALID_ARGUMENT,
                 "inference input 'x' data-type is 'FP32', but model 'm' expects 'INT32'");
    call.request->id = slice_of("r-7");
    assert_error(call_submit(&call), STATUS_INVALID_ARGUMENT,
                 "[request id: r-7] inference input 'x' data-type is 'FP32', but model 'm' expects 'INT32'");
    call.request->model_name = slice_of("other");
    assert_error(call_submit(&call), STATUS_NOT_FOUND, "Request for unknown model: 'other' is not found");
    call.request->model_name = slice_of("m");
    call.request->model_version = 4;
    assert_error(call_submit(&call), STATUS_NOT_FOUND, "Request for unknown model: 'm' version 4 is not found");
    call.request->model_version = 1;
    call.request->inputs[0].type = DATATYPE_INT32;
    call.request->deadline_ns = 1;
    assert_error(call_submit(&call), STATUS_DEADLINE_EXCEEDED, "[request id: r-7] Deadline Exceeded");
    call.request->deadline_ns = 0;
    atomic_store(&call.request->cancelled, true);
    assert_error(call_submit(&call), STATUS_CANCELLED,
                 "[request id: r-7] request was cancelled before it was submitted");
    atomic_store(&call.request->cancelled, false);
    call_run(&call); /* it is still the caller's, and good now */
    call_end(&call);
    fixture_end(&f);
}

/* --- Versions and states --- */

static void assert_versions(struct fixture *f, const char *name, size_t count, const int64_t *expected) {
    struct arena *arena = arena_create(0);
    int64_t *versions;
    size_t got;
    assert_good(inference_server_model_versions(f->server, slice_of(name), arena, &versions, &got));
    assert_int_equal(got, count);
    if (count)
        assert_memory_equal(versions, expected, count * sizeof *versions);
    arena_destroy(arena);
}

static void versions_are_chosen_by_policy(void **state) {
    (void)state;
    struct fixture f;
    fixture_init(&f);
    static const char *const names[] = {"latest", "two", "four", "all", "specific"};
    static const char *const policies[] = {
        "", "version_policy { latest { num_versions: 2 } }\n",
        "version_policy { latest { num_versions: 4 } }\n", /* one more than there are */
        "version_policy { all {} }\n", "version_policy { specific { versions: [ 10, 2 ] } }\n"};
    char text[1024];
    for (size_t i = 0; i < 5; i++) {
        snprintf(text, sizeof text, "%s%s", VECTOR, policies[i]);
        add_model(&f, names[i], text);
        static const char *const folders[] = {"2", "10", "03", "0", "v4", "5.bak", "99999999999999999999"};
        for (size_t v = 0; v < sizeof folders / sizeof folders[0]; v++) {
            snprintf(text, sizeof text, "%s/%s", names[i], folders[v]);
            make_folder(&f, text);
        }
        snprintf(text, sizeof text, "%s/11", names[i]); /* a file is no version */
        write_file(&f, text, "");
    }
    make_folder(&f, ".hidden/1");
    write_file(&f, "README", "not a model");
    start_server(&f);
    assert_int_equal(f.failed, 0);
    assert_versions(&f, "latest", 1, (const int64_t[]){10});
    assert_versions(&f, "two", 2, (const int64_t[]){2, 10});
    assert_versions(&f, "four", 3, (const int64_t[]){1, 2, 10});
    assert_versions(&f, "all", 3, (const int64_t[]){1, 2, 10});
    assert_versions(&f, "specific", 2, (const int64_t[]){2, 10});
    struct model *model;
    assert_good(inference_server_acquire_model(f.server, slice_of("all"), -1, &model));
    assert_int_equal(model_version_of(model), 10);
    model_release(model);
    assert_good(inference_server_acquire_model(f.server, slice_of("all"), 2, &model));
    assert_int_equal(model_version_of(model), 2);
    assert_true(slice_equal_text(model_config_of(model)->name, "all"));
    model_release(model);
    assert_error(inference_server_acquire_model(f.server, slice_of("latest"), 2, &model), STATUS_NOT_FOUND,
                 "Request for unknown model: 'latest' version 2 is not found");
    fixture_end(&f);
}

static void a_failing_model_leaves_the_others_up(void **state) {
    (void)state;
    struct fixture f;
    fixture_init(&f);
    f.lax = true;
    add_model(&f, "bad", VECTOR "parameters { key: \"fail_load\" value { string_value: \"no luck\" } }\n");
    add_model(&f, "good", VECTOR);
    write_file(&f, "syntax/config.pbtxt", "max_bach_size: 8\n");
    make_folder(&f, "syntax/1");
    write_file(&f, "versionless/config.pbtxt", VECTOR);
    add_model(&f, "engineless",
              "backend: \"pytorch\" input { name: \"x\" data_type: TYPE_INT32 dims: [ 1 ] } "
              "output { name: \"y\" data_type: TYPE_INT32 dims: [ 1 ] }");
    add_model(&f, "missing", VECTOR "version_policy { specific { versions: [ 1, 7 ] } }\n");
    make_folder(&f, "bare/1");
    start_server(&f);
    assert_int_equal(f.failed, 6);
    assert_true(inference_server_is_ready(f.server));
    assert_logged(&f, "failed to load 'bad' version 1: no luck");
    struct model *model;
    assert_error(inference_server_acquire_model(f.server, slice_of("bad"), -1, &model), STATUS_UNAVAILABLE,
                 "Request for unknown model: 'bad' version 1 is not at ready state: no luck");
    char expected[256];
    snprintf(
        expected, sizeof expected,
        "Request for unknown model: 'missing' version 7 is not at ready state: version_policy asks for it, but there "
        "is no folder %s/missing/7",
        f.directory);
    assert_error(inference_server_acquire_model(f.server, slice_of("missing"), 7, &model), STATUS_UNAVAILABLE,
                 expected);
    assert_good(inference_server_acquire_model(f.server, slice_of("missing"), -1, &model));
    assert_int_equal(model_version_of(model), 1);
    model_release(model);
    struct status status = inference_server_acquire_model(f.server, slice_of("versionless"), 1, &model);
    assert_int_equal(status.code, STATUS_UNAVAILABLE);
    assert_non_null(strstr(status.message, "'versionless' is not at ready state: no version folder"));
    status = inference_server_acquire_model(f.server, slice_of("engineless"), -1, &model);
    assert_non_null(strstr(status.message, "there is no engine 'pytorch': compiled in are identity"));
    status = inference_server_acquire_model(f.server, slice_of("bare"), -1, &model);
    assert_non_null(strstr(status.message, "cannot tell which backend runs the model"));
    status = inference_server_acquire_model(f.server, slice_of("syntax"), -1, &model);
    assert_non_null(strstr(status.message, "config.pbtxt:1:1"));
    struct call call;
    call_vector(&call, &f, "good", 1, 1);
    call_run(&call);
    call_end(&call);
    fixture_end(&f);
}

static void refused_with(struct fixture *f, const char *name, const char *part) {
    struct model *model;
    struct status status = inference_server_acquire_model(f->server, slice_of(name), -1, &model);
    assert_int_equal(status.code, STATUS_UNAVAILABLE);
    if (!strstr(status.message, part))
        fail_msg("expected \"%s\", got \"%s\"", part, status.message);
}

static void odd_folders_are_refused_with_their_reason(void **state) {
    (void)state;
    struct fixture f;
    fixture_init(&f);
    add_model(&f, "two\nlines", VECTOR);
    add_model(&f, "bytes\xFF", VECTOR);
    add_model(&f, "platform",
              "platform: \"caffe2_netdef\" input { name: \"x\" data_type: TYPE_INT32 dims: [ 1 ] } "
              "output { name: \"y\" data_type: TYPE_INT32 dims: [ 1 ] }");
    add_model(&f, "twice", VECTOR "version_policy { specific { versions: [ 1, 1 ] } }\n");
    add_model(&f, "none", VECTOR "version_policy { latest { } }\n");
    make_folder(&f, "dangling/1");
    char link[256];
    snprintf(link, sizeof link, "%s/dangling/config.pbtxt", f.directory);
    assert_int_equal(symlink("nowhere", link), 0);
    start_server(&f);
    refused_with(&f, "two\nlines", "expected UTF-8 without control characters");
    refused_with(&f, "bytes\xFF", "expected UTF-8 without control characters");
    refused_with(&f, "platform", "unknown platform 'caffe2_netdef'; expected one of onnxruntime_onnx");
    refused_with(&f, "twice", "config.pbtxt:5: version_policy.specific.versions: version 1 is there twice");
    refused_with(&f, "none", "version_policy.latest: expected num_versions of 1 or more");
    refused_with(&f, "dangling", "config.pbtxt: No such file or directory");
    assert_int_equal(f.failed, 6); /* one reason for each model, not for each version asked for */
    fixture_end(&f);
}

static void strict_readiness_wants_every_model(void **state) {
    (void)state;
    struct fixture f;
    fixture_init(&f);
    add_model(&f, "bad", VECTOR "parameters { key: \"fail_load\" value { string_value: \"no luck\" } }\n");
    add_model(&f, "good", VECTOR);
    start_server(&f);
    assert_int_equal(f.failed, 1);
    assert_false(inference_server_is_ready(f.server));
    fixture_end(&f);
}

static void the_index_has_a_row_for_each_version(void **state) {
    (void)state;
    struct fixture f;
    fixture_init(&f);
    add_model(&f, "b",
              VECTOR "version_policy { all {} }\n"
                     "metric_tags { key: \"team\" value: \"a \\\"b\\\"\\\\\\n\" }\n");
    make_folder(&f, "b/2");
    add_model(&f, "a", "nonsense");
    start_server(&f);
    struct arena *arena = arena_create(0);
    struct model_index_row *rows;
    size_t count;
    assert_good(inference_server_index(f.server, arena, &rows, &count));
    assert_int_equal(count, 3);
    assert_true(slice_equal_text(rows[0].name, "a"));
    assert_int_equal(rows[0].version, -1);
    assert_int_equal(rows[0].state, MODEL_UNAVAILABLE);
    assert_true(rows[0].reason.size > 0);
    assert_true(slice_equal_text(rows[1].name, "b"));
    assert_int_equal(rows[1].version, 1);
    assert_int_equal(rows[1].state, MODEL_READY);
    assert_int_equal(rows[1].reason.size, 0);
    assert_true(slice_equal_text(rows[1].metric_tags, ",_team=\"a \\\"b\\\"\\\\\\n\""));
    assert_int_equal(rows[2].version, 2);
    arena_destroy(arena);
    fixture_end(&f);
}

static void a_name_in_two_repositories_is_served_by_neither(void **state) {
    (void)state;
    struct fixture f;
    fixture_init(&f);
    add_model(&f, "one/m", VECTOR);
    add_model(&f, "two/m", VECTOR);
    add_model(&f, "two/n", VECTOR);
    char one[80], two[80], expected[400];
    snprintf(one, sizeof one, "%s/one", f.directory);
    snprintf(two, sizeof two, "%s/two", f.directory);
    const char *repositories[] = {two, one};
    struct inference_server_options options = {.repositories = repositories,
                                               .repository_count = 2,
                                               .builtin_backends = f.backends,
                                               .builtin_backend_count = 1,
                                               .max_queue_size = 1};
    assert_good(inference_server_create(&options, &f.server));
    assert_good(inference_server_load_models(f.server, &f.failed));
    assert_int_equal(f.failed, 1);
    struct model *model;
    snprintf(
        expected, sizeof expected,
        "Request for unknown model: 'm' is not at ready state: two repositories have a model of this name: %s/m and "
        "%s/m",
        one, two);
    assert_error(inference_server_acquire_model(f.server, slice_of("m"), -1, &model), STATUS_UNAVAILABLE, expected);
    assert_good(inference_server_acquire_model(f.server, slice_of("n"), -1, &model));
    model_release(model);
    fixture_end(&f);
}

static void a_repository_may_be_given_twice(void **state) {
    (void)state;
    struct fixture f;
    fixture_init(&f);
    add_model(&f, "one/m", VECTOR);
    char one[80], again[80], link[80];
    snprintf(one, sizeof one, "%s/one", f.directory);
    snprintf(again, sizeof again, "%s/one/", f.directory);
    snprintf(link, sizeof link, "%s/link", f.directory);
    assert_int_equal(symlink(one, link), 0);
    const char *repositories[] = {one, again, link, one};
    struct inference_server_options options = {.repositories = repositories,
                                               .repository_count = 4,
                                               .builtin_backends = f.backends,
                                               .builtin_backend_count = 1,
                                               .max_queue_size = 1};
    assert_good(inference_server_create(&options, &f.server));
    assert_good(inference_server_load_models(f.server, &f.failed));
    assert_int_equal(f.failed, 0);
    struct model *model;
    assert_good(inference_server_acquire_model(f.server, slice_of("m"), -1, &model));
    model_release(model);
    fixture_end(&f);
}

static void bad_options_are_refused(void **state) {
    (void)state;
    struct inference_server *server;
    const char *repositories[] = {"/nonexistent/models"};
    struct inference_server_options options = {
        .repositories = repositories, .repository_count = 1, .max_queue_size = 1};
    assert_error(inference_server_create(&options, &server), STATUS_NOT_FOUND,
                 "model repository '/nonexistent/models' is not a folder");
    options.repository_count = 0;
    options.max_queue_size = 0;
    assert_error(inference_server_create(&options, &server), STATUS_INVALID_ARGUMENT,
                 "max_queue_size must be at least 1");
}

static void labels_are_read_at_load(void **state) {
    (void)state;
    struct fixture f;
    fixture_init(&f);
    static const char config[] = "backend: \"identity\"\nmax_batch_size: 8\n"
                                 "input { name: \"x\" data_type: TYPE_FP32 dims: [ 3 ] }\n"
                                 "output { name: \"y\" data_type: TYPE_FP32 dims: [ 3 ] label_filename: \"%s\" }\n";
    char text[512];
    snprintf(text, sizeof text, config, "labels.txt");
    add_model(&f, "m", text);
    write_file(&f, "m/labels.txt", "cat\r\nwild dog\n\nbird");
    snprintf(text, sizeof text, config, "../m/labels.txt");
    add_model(&f, "outside", text);
    snprintf(text, sizeof text, config, "nothing.txt");
    add_model(&f, "absent", text);
    start_server(&f);
    assert_int_equal(f.failed, 2);
    struct model *model;
    assert_good(inference_server_acquire_model(f.server, slice_of("m"), -1, &model));
    assert_true(slice_equal_text(model_label(model, slice_of("y"), 0), "cat"));
    assert_true(slice_equal_text(model_label(model, slice_of("y"), 1), "wild dog"));
    assert_true(slice_equal_text(model_label(model, slice_of("y"), 2), ""));
    assert_true(slice_equal_text(model_label(model, slice_of("y"), 3), "bird"));
    assert_int_equal(model_label(model, slice_of("y"), 4).size, 0);
    assert_int_equal(model_label(model, slice_of("z"), 0).size, 0);
    model_release(model);
    assert_logged(&f, "failed to load 'outside' version 1: label_filename '../m/labels.txt' of output 'y' must name a "
                      "file in the model's folder");
    assert_logged(&f, "failed to load 'absent' version 1: labels of output 'y'");
    fixture_end(&f);
}

/* --- The end --- */

static void draining_refuses_new_requests(void **state) {
    (void)state;
    struct fixture f;
    fixture_init(&f);
    add_model(&f, "m", VECTOR "parameters { key: \"execute_delay_ms\" value { string_value: \"20\" } }\n");
    start_server(&f);
    struct call under_way, late;
    call_vector(&under_way, &f, "m", 1, 1);
    assert_good(call_submit(&under_way));
    assert_good(inference_server_drain(f.server, clock_monotonic_ns() + 60 * NS_PER_S));
    assert_true(under_way.releases == 1);
    assert_int_equal(under_way.status.code, STATUS_OK);
    assert_false(inference_server_is_ready(f.server));
    assert_true(inference_server_is_live(f.server));
    call_vector(&late, &f, "m", 1, 1);
    assert_error(call_submit(&late), STATUS_UNAVAILABLE, "Server exiting: it takes no more requests");
    call_end(&late);
    call_end(&under_way);
    fixture_end(&f);
}

static void a_pinned_model_outlives_the_server(void **state) {
    (void)state;
    struct fixture f;
    fixture_init(&f);
    add_model(&f, "m", VECTOR);
    start_server(&f);
    struct call call;
    call_vector(&call, &f, "m", 1, 1);
    call_run(&call);
    fixture_end(&f);
    assert_true(slice_equal_text(model_config_of(call.request->model)->name, "m"));
    call_end(&call);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_empty_repository_is_ready_after_its_load),
        cmocka_unit_test(a_request_is_answered),
        cmocka_unit_test(statistics_tell_what_happened),
        cmocka_unit_test(errors_carry_the_request_id),
        cmocka_unit_test(versions_are_chosen_by_policy),
        cmocka_unit_test(a_failing_model_leaves_the_others_up),
        cmocka_unit_test(odd_folders_are_refused_with_their_reason),
        cmocka_unit_test(strict_readiness_wants_every_model),
        cmocka_unit_test(the_index_has_a_row_for_each_version),
        cmocka_unit_test(a_name_in_two_repositories_is_served_by_neither),
        cmocka_unit_test(a_repository_may_be_given_twice),
        cmocka_unit_test(bad_options_are_refused),
        cmocka_unit_test(labels_are_read_at_load),
        cmocka_unit_test(draining_refuses_new_requests),
        cmocka_unit_test(a_pinned_model_outlives_the_server),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
