/* Instance groups: where instances compute, by what the config says and what its backend has; and what a server with
 * such a backend shows of it. */
#include <stdatomic.h>

#include "codec/model_config_messages.h"
#include "server_fixture.h"

#define TENSORS                                                                                                        \
    "input { name: \"x\" data_type: TYPE_FP32 dims: [ 4 ] } output { name: \"y\" data_type: TYPE_FP32 dims: [ 4 ] }\n"

/* ---- a backend with as many GPUs as the test wants; it has no more to do than to be loaded ---- */

static int gpu_total;
static atomic_int gpu_checks; /* models are loaded side by side */

static int gpu_count(void *backend) {
    (void)backend;
    return gpu_total;
}

static struct status gpu_check(void *backend, int32_t gpu) {
    (void)backend;
    gpu_checks++;
    return gpu >= 0 && gpu < gpu_total ? status_ok() : status_error(STATUS_UNSUPPORTED, "GPU %d is not here", gpu);
}

/* Of configs that say so, one alone. */
static bool gpu_suits(void *backend, int32_t gpu, const struct model_config *config, const char *version_directory) {
    struct slice only;
    (void)backend, (void)version_directory;
    return !model_config_parameter(config, "only", &only) || (only.data[0] - '0') == gpu;
}

static struct status load(void *backend, const struct backend_model_args *args, void **ret_model) {
    (void)backend;
    *ret_model = (void *)(uintptr_t)args->instance_count;
    return status_ok();
}

static void unload(void *model) {
    (void)model;
}

static struct status instance_create(void *model, int index, void **ret_instance) {
    (void)index;
    *ret_instance = model;
    return status_ok();
}

static void describe(const void *model, const struct instance_place *place, char *text, size_t size) {
    (void)model;
    snprintf(text, size, "%s", place->on_gpu ? "fp8, fast" : "slow");
}

static uint64_t memory(const void *model, const struct instance_place *place) {
    (void)model;
    return place->on_gpu ? 1000 + (uint64_t)place->gpu : 5;
}

static struct status execute(void *instance, const struct backend_batch *batch, struct backend_times *ret_times) {
    (void)instance, (void)batch, (void)ret_times;
    return status_error(STATUS_INTERNAL, "nothing is computed here");
}

static const struct backend_ops gpu_backend = {
    .api_version = BACKEND_API_VERSION,
    .name = "gpus",
    .gpu_count = gpu_count,
    .gpu_check = gpu_check,
    .gpu_suits = gpu_suits,
    .load = load,
    .unload = unload,
    .instance_create = instance_create,
    .instance_destroy = unload,
    .memory = memory,
    .describe = describe,
    .execute = execute,
};

/* ---- configs ---- */

#define ONLY(gpu) "parameters { key: \"only\" value { string_value: \"" gpu "\" } }"

static struct status finish(const char *groups, int gpus, struct model_config **ret) {
    const struct model_gpus supply = {gpu_count, gpu_check, gpu_suits, NULL, NULL};
    char text[2048];
    gpu_total = gpus;
    gpu_checks = 0;
    snprintf(text, sizeof text, "backend: \"gpus\" " TENSORS "%s", groups);
    STATUS_TRY(model_config_parse(SLICE_LITERAL("m"), slice_of(text), "config.pbtxt", ret));
    struct status status = model_config_finish(*ret, &supply);
    if (!status_is_ok(&status))
        model_config_destroy(*ret);
    return status;
}

/* "c 0 0 1": instances in their order, on the CPU or by the number of their GPU. */
static void places_of(const struct model_config *config, char *text, size_t size) {
    size_t used = 0;
    text[0] = '\0';
    for (int i = 0; i < config->instance_count && used < size; i++) {
        const char *space = i ? " " : "";
        used += (size_t)(config->instances[i].on_gpu
                             ? snprintf(text + used, size - used, "%s%d", space, (int)config->instances[i].gpu)
                             : snprintf(text + used, size - used, "%sc", space));
    }
}

static void groups_place_instances(void **state) {
    (void)state;
    static const struct {
        const char *groups;
        int gpus;
        const char *places;
    } rows[] = {
        {"", 0, "c"},
        {"", 2, "0 0 1 1"}, /* two on each GPU, where the config leaves it open */
        {"instance_group { count: 2 }", 0, "c c"},
        {"instance_group { count: 2 }", 3, "0 0 1 1 2 2"},
        {"instance_group { kind: KIND_AUTO gpus: 1 }", 2, "1 1"},
        {"instance_group { kind: KIND_GPU }", 1, "0 0"},
        {"instance_group { kind: KIND_GPU count: 1 }", 1, "0"},
        {ONLY("1"), 3, "1 1"}, /* KIND_AUTO takes the GPUs that suit, and the CPU where none does */
        {ONLY("7"), 3, "c"},
        {ONLY("1") " instance_group { gpus: 0 count: 1 }", 3, "0"}, /* as it is told */
        {ONLY("1") " instance_group { kind: KIND_GPU count: 1 }", 2, "0 1"},
        {"instance_group { kind: KIND_GPU gpus: [ 2, 0 ] count: 2 }", 3, "2 2 0 0"},
        {"instance_group { kind: KIND_CPU count: 3 }", 4, "c c c"},
        {"instance_group [ { kind: KIND_CPU }, { kind: KIND_GPU gpus: 1 count: 1 }, { gpus: 0 } ]", 2, "c 1 0 0"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct model_config *config;
        char places[128];
        assert_good(finish(rows[i].groups, rows[i].gpus, &config));
        places_of(config, places, sizeof places);
        assert_string_equal(places, rows[i].places);
        const struct model_gpus supply = {gpu_count, gpu_check, gpu_suits, NULL, NULL};
        assert_good(model_config_finish(config, &supply)); /* again, on the completed message */
        places_of(config, places, sizeof places);
        assert_string_equal(places, rows[i].places);
        model_config_destroy(config);
    }
}

static void wrong_groups_are_refused(void **state) {
    (void)state;
    static const struct {
        const char *groups;
        int gpus;
        const char *text;
    } rows[] = {
        {"instance_group { kind: KIND_GPU }", 0,
         "model 'm': config.pbtxt:2: instance_group[0].kind: GPU 0 is not here; KIND_GPU cannot be had: write 'kind: "
         "KIND_CPU' (or KIND_AUTO), without 'gpus'"},
        {"instance_group { kind: KIND_GPU gpus: 3 }", 2, "instance_group[0].gpus: GPU 3 is not here; KIND_GPU cannot"},
        {"instance_group { kind: KIND_GPU gpus: -1 }", 2, "instance_group[0].gpus: GPU -1 is not here"},
        {"instance_group { count: 1 } instance_group { gpus: [ 0, 5 ] }", 2,
         "instance_group[1].gpus: GPU 5 is not here; KIND_AUTO took the CPU: remove 'gpus'"},
        {"instance_group { gpus: 0 }", 0, "instance_group[0].gpus: GPU 0 is not here; KIND_AUTO took the CPU"},
        {"instance_group { kind: KIND_CPU gpus: 0 }", 2,
         "instance_group[0].gpus: KIND_CPU has no GPUs: remove 'gpus', or write 'kind: KIND_GPU'"},
        {"instance_group { kind: KIND_GPU gpus: [ 0, 1 ] count: 513 }", 2,
         "expected 1 to 1024 instances over all "
         "groups, got 1026 here and 0 before"},
        {"instance_group { kind: KIND_GPU count: 2147483647 }", 2, "got 4294967294 here"},
        {"instance_group { kind: KIND_GPU count: -1 }", 1, "got -1 here"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct model_config *config;
        struct status status = finish(rows[i].groups, rows[i].gpus, &config);
        assert_int_equal(status.code, STATUS_INVALID_ARGUMENT);
        if (!strstr(status.message, rows[i].text))
            fail_msg("expected '%s' in '%s'", rows[i].text, status.message);
    }
}

/* A driver need not be asked for models that can do without. */
static void only_models_that_want_a_gpu_check_it(void **state) {
    (void)state;
    struct model_config *config;
    assert_good(finish("", 0, &config));
    assert_int_equal(gpu_checks, 0);
    model_config_destroy(config);
    assert_good(finish("instance_group { kind: KIND_CPU }", 2, &config));
    assert_int_equal(gpu_checks, 0);
    model_config_destroy(config);
    assert_good(finish("", 2, &config));
    assert_int_equal(gpu_checks, 2);
    model_config_destroy(config);
}

/* ---- a server ---- */

static void a_server_shows_what_was_chosen(void **state) {
    (void)state;
    struct fixture f;
    struct model *model;
    struct buf json = BUF_EMPTY;
    size_t count;
    gpu_total = 2;
    fixture_init(&f);
    f.backends[f.backend_count++] = &gpu_backend;
    f.lax = true;
    add_model(&f, "both", "backend: \"gpus\" " TENSORS "instance_group [ { count: 2 }, { kind: KIND_CPU } ]");
    add_model(&f, "wrong", "backend: \"gpus\" " TENSORS "instance_group { kind: KIND_GPU gpus: 2 }");
    add_model(&f, "copy", "backend: \"identity\" " TENSORS);
    start_server(&f);
    assert_int_equal(f.failed, 1);
    assert_logged(&f, "engine 'gpus' (), 5 instances x ");
    assert_logged(&f, ", GPU 0: fp8, fast, 0.0 MiB, GPU 1: fp8, fast, 0.0 MiB, CPU: slow, 0.0 MiB, ");
    assert_logged(&f, "GPU 2 is not here");

    assert_good(inference_server_acquire_model(f.server, slice_of("both"), -1, &model));
    const struct model_memory *rows = model_memory_of(model, &count);
    assert_int_equal(count, 3);
    assert_true(rows[0].place.on_gpu && rows[0].place.gpu == 0 && rows[0].bytes == 1000);
    assert_true(rows[1].place.on_gpu && rows[1].place.gpu == 1 && rows[1].bytes == 1001);
    assert_true(!rows[2].place.on_gpu && rows[2].bytes == 5);
    assert_good(model_config_to_json(model_config_of(model), &json));
    buf_append_char(&json, '\0');
    assert_non_null(strstr(json.data, "\"kind\":\"KIND_GPU\",\"count\":2,\"gpus\":[0,1]"));
    assert_non_null(strstr(json.data, "\"kind\":\"KIND_CPU\",\"count\":1,\"gpus\":[]"));
    model_release(model);

    assert_good(inference_server_acquire_model(f.server, slice_of("copy"), -1, &model));
    (void)model_memory_of(model, &count);
    assert_int_equal(count, 0);
    model_release(model);
    buf_free(&json);
    fixture_end(&f);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(groups_place_instances),
        cmocka_unit_test(wrong_groups_are_refused),
        cmocka_unit_test(only_models_that_want_a_gpu_check_it),
        cmocka_unit_test(a_server_shows_what_was_chosen),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
