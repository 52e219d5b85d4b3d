/* Regions of clients' memory, and requests that use them, down to a client that takes his memory back. */
#include "server_fixture.h"

#include <dirent.h>
#include <signal.h>
#include <sys/mman.h>

#define PAIR(type) MODEL("identity", type)
#define CAREFUL(type) MODEL("careful", type)
#define MODEL(backend, type)                                                                                           \
    "backend: \"" backend "\"\ninput { name: \"x\" data_type: " type " dims: [ -1 ] }\n"                               \
    "output { name: \"y\" data_type: " type " dims: [ -1 ] }\n"
#define SLOW "parameters { key: \"execute_delay_ms\" value { string_value: \"200\" } }\n"

enum { LARGE = 4 * SHARED_MEMORY_COPY_MAX, OBJECT = 16 * SHARED_MEMORY_COPY_MAX };

/* The handler for SIGBUS that the first region has installed: cmocka puts one of its own in its place for each test. */
static struct sigaction guard;

/* A server, an object of a client, and that client's map of it. */
struct memory_fixture {
    struct fixture f;
    struct backend_ops careful; /* identity, but for what it bears */
    struct shared_memory *memory;
    char key[64];
    char *bytes;
    int fd;
};

static void begin(struct memory_fixture *m, struct shared_memory_options options) {
    sigaction(SIGBUS, &guard, NULL);
    fixture_init(&m->f);
    m->f.shared_memory = options;
    m->careful = *identity_backend();
    m->careful.name = "careful";
    m->careful.inputs_may_change = false;
    m->f.backends[m->f.backend_count++] = &m->careful;
    add_model(&m->f, "careful_int", CAREFUL("TYPE_INT32"));
    add_model(&m->f, "careful_float", CAREFUL("TYPE_FP32"));
    add_model(&m->f, "careful_string", CAREFUL("TYPE_STRING"));
    add_model(&m->f, "int", PAIR("TYPE_INT32"));
    add_model(&m->f, "float", PAIR("TYPE_FP32"));
    add_model(&m->f, "string", PAIR("TYPE_STRING"));
    add_model(&m->f, "slow_int", PAIR("TYPE_INT32") SLOW);
    add_model(&m->f, "slow_float", PAIR("TYPE_FP32") SLOW);
    add_model(&m->f, "slow_string", PAIR("TYPE_STRING") SLOW);
    start_server(&m->f);
    assert_int_equal(m->f.failed, 0);
    m->memory = inference_server_shared_memory(m->f.server);
    snprintf(m->key, sizeof m->key, "/inferd-test-%d", (int)getpid());
    m->fd = shm_open(m->key, O_CREAT | O_RDWR | O_TRUNC, 0600);
    assert_true(m->fd >= 0);
    assert_int_equal(ftruncate(m->fd, OBJECT), 0);
    m->bytes = mmap(NULL, OBJECT, PROT_READ | PROT_WRITE, MAP_SHARED, m->fd, 0);
    assert_true(m->bytes != MAP_FAILED);
}

static void end(struct memory_fixture *m) {
    munmap(m->bytes, OBJECT);
    close(m->fd);
    shm_unlink(m->key);
    fixture_end(&m->f);
}

static const struct shared_memory_options generous = {
    .allowed = true, .max_regions = 100, .max_mapped_bytes = 1 << 30, .max_input_bytes = 1 << 30};

static struct status add(struct memory_fixture *m, const char *name, uint64_t offset, uint64_t size) {
    return shared_memory_register(m->memory, slice_of(name), slice_of(m->key), offset, size);
}

static size_t count_regions(struct memory_fixture *m) {
    struct arena *arena = arena_create(0);
    struct shared_memory_row *rows;
    size_t count;
    assert_good(shared_memory_list(m->memory, SHARED_MEMORY_SYSTEM, slice_of(""), arena, &rows, &count));
    arena_destroy(arena);
    return count;
}

/* A call whose input is a part of region "r", and whose output goes to one, or into the response when `to` is -1. */
struct part_call {
    struct call call;
    struct requested_output output;
};

static void make_call(struct part_call *call, struct memory_fixture *m, const char *model, enum datatype type,
                      int64_t elements, uint64_t from, uint64_t size, int64_t to, uint64_t room) {
    call_init(&call->call, &m->f, model);
    struct tensor *input = call_add_input(&call->call, "x", type, 1, &elements, NULL, 0);
    input->part = (struct memory_part){.region = slice_of("r"), .offset = from, .size = size};
    call->output = (struct requested_output){.name = slice_of("y")};
    if (to >= 0)
        call->output.part = (struct memory_part){.region = slice_of("r"), .offset = (uint64_t)to, .size = room};
    call->call.request->outputs = &call->output;
    call->call.request->output_count = 1;
}

static void assert_failed(struct call *call, enum status_code code, const char *text) {
    assert_good(call_submit(call));
    call_wait(call);
    assert_int_equal(call->status.code, code);
    if (!strstr(call->status.message, text))
        fail_msg("got: %s", call->status.message);
    call_end(call);
}

static void assert_refused(struct call *call, enum status_code code, const char *text) {
    struct status status = call_submit(call);
    assert_int_equal(status.code, code);
    if (!strstr(status.message, text))
        fail_msg("got: %s", status.message);
    call_end(call);
}

/* ---- the table ---- */

static void regions_are_listed_by_name(void **state) {
    (void)state;
    struct memory_fixture m;
    begin(&m, generous);
    assert_good(add(&m, "b", 3, 5));
    assert_good(shared_memory_register(m.memory, slice_of("a"), slice_of(m.key + 1), 0, OBJECT)); /* without slash */
    assert_good(add(&m, "c/\xc3\xa4 '\"", 0, 1));
    struct arena *arena = arena_create(0);
    struct shared_memory_row *rows;
    size_t count;
    assert_good(shared_memory_list(m.memory, SHARED_MEMORY_SYSTEM, slice_of(""), arena, &rows, &count));
    assert_int_equal(count, 3);
    assert_true(slice_equal_text(rows[0].name, "a"));
    assert_true(slice_equal_text(rows[0].key, m.key + 1)); /* as the client wrote it */
    assert_true(slice_equal_text(rows[1].name, "b"));
    assert_int_equal(rows[1].offset, 3);
    assert_int_equal(rows[1].byte_size, 5);
    assert_true(slice_equal_text(rows[2].name, "c/\xc3\xa4 '\""));
    assert_good(shared_memory_list(m.memory, SHARED_MEMORY_SYSTEM, slice_of("b"), arena, &rows, &count));
    assert_int_equal(count, 1);
    assert_true(slice_equal_text(rows[0].key, m.key));
    assert_error(shared_memory_list(m.memory, SHARED_MEMORY_SYSTEM, slice_of("bb"), arena, &rows, &count),
                 STATUS_NOT_FOUND, "Unable to find system shared memory region: 'bb'");
    arena_destroy(arena);
    shared_memory_unregister(m.memory, SHARED_MEMORY_SYSTEM, slice_of("nothing"));
    shared_memory_unregister(m.memory, SHARED_MEMORY_SYSTEM, slice_of("b"));
    assert_int_equal(count_regions(&m), 2);
    shared_memory_unregister_all(m.memory, SHARED_MEMORY_SYSTEM);
    assert_int_equal(count_regions(&m), 0);
    end(&m);
}

static void a_taken_name_is_refused(void **state) {
    (void)state;
    struct memory_fixture m;
    begin(&m, generous);
    assert_good(add(&m, "r", 0, 8));
    assert_error(add(&m, "r", 8, 8), STATUS_ALREADY_EXISTS, "shared memory region 'r' already in manager");
    shared_memory_unregister(m.memory, SHARED_MEMORY_SYSTEM, slice_of("r"));
    assert_good(add(&m, "r", 8, 8));
    end(&m);
}

static size_t count_descriptors(void) {
    size_t count = 0;
    DIR *folder = opendir("/proc/self/fd");
    assert_non_null(folder);
    while (readdir(folder))
        count++;
    closedir(folder);
    return count;
}

static void many_regions_come_and_go(void **state) {
    (void)state;
    struct memory_fixture m;
    begin(&m, generous);
    char name[16];
    const size_t descriptors = count_descriptors();
    for (int round = 0; round < 3; round++) {
        for (int i = 0; i < 100; i++) {
            snprintf(name, sizeof name, "r%d", i * 37 % 100);
            assert_good(add(&m, name, (uint64_t)i, 1000));
        }
        assert_int_equal(count_regions(&m), 100);
        for (int i = 0; i < 100; i++) {
            snprintf(name, sizeof name, "r%d", i);
            shared_memory_unregister(m.memory, SHARED_MEMORY_SYSTEM, slice_of(name));
        }
        assert_int_equal(count_regions(&m), 0);
    }
    assert_int_equal(count_descriptors(), descriptors);
    end(&m);
}

static void impossible_regions_are_refused(void **state) {
    (void)state;
    struct memory_fixture m;
    begin(&m, generous);
    const struct {
        uint64_t offset, size;
    } outside[] = {{0, OBJECT + 1},
                   {1, OBJECT},
                   {OBJECT, 1},
                   {0, 0},
                   {OBJECT + 1, 0},
                   {UINT64_MAX, 1},
                   {1, UINT64_MAX},
                   {UINT64_MAX, UINT64_MAX},
                   {UINT64_C(1) << 63, UINT64_C(1) << 63}};
    for (size_t i = 0; i < sizeof outside / sizeof outside[0]; i++) {
        struct status status = add(&m, "r", outside[i].offset, outside[i].size);
        assert_int_equal(status.code, STATUS_INVALID_ARGUMENT);
        assert_non_null(strstr(status.message, "failed to register shared memory region 'r': invalid args"));
    }
    char long_name[SHARED_MEMORY_NAME_MAX + 2], long_key[SHARED_MEMORY_KEY_MAX + 2];
    memset(long_name, 'n', sizeof long_name);
    memset(long_key, 'k', sizeof long_key);
    struct slice key = slice_of(m.key), name = slice_of("r");
    const struct {
        struct slice name, key;
        enum status_code code;
        const char *text;
    } rows[] = {
        {{"", 0}, key, STATUS_INVALID_ARGUMENT, "the name of a shared memory region: expected 1 to 1024 bytes, got 0"},
        {{long_name, SHARED_MEMORY_NAME_MAX + 1}, key, STATUS_INVALID_ARGUMENT, "got 1025"},
        {{"a\0b", 3}, key, STATUS_INVALID_ARGUMENT, "without NUL"},
        {{"\xff", 1}, key, STATUS_INVALID_ARGUMENT, "expected UTF-8 text"},
        {name, {"", 0}, STATUS_INVALID_ARGUMENT, "the key of a shared memory region: expected 1 to 255 bytes, got 0"},
        {name, {"//", 2}, STATUS_INVALID_ARGUMENT, "expected 1 to 255 bytes, got 0"},
        {name, {long_key, SHARED_MEMORY_KEY_MAX + 1}, STATUS_INVALID_ARGUMENT, "got 256"},
        {name, {"a\0b", 3}, STATUS_INVALID_ARGUMENT, "without NUL"},
        {name, slice_of("/triton_python_backend_shm_region_1"), STATUS_INVALID_ARGUMENT, "the reserved prefix"},
        {name, slice_of("//triton_python_backend_shm_region_1"), STATUS_INVALID_ARGUMENT, "the reserved prefix"},
        {name, slice_of("../etc/passwd"), STATUS_INTERNAL, "Unable to open shared memory region: '../etc/passwd'"},
        {name, slice_of("."), STATUS_INTERNAL, "Unable to open shared memory region: '.'"},
        {name, slice_of("/inferd-no-such-object"), STATUS_INTERNAL, "No such file"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct status status = shared_memory_register(m.memory, rows[i].name, rows[i].key, 0, 8);
        if (status.code != rows[i].code || !strstr(status.message, rows[i].text))
            fail_msg("row %zu: %d %s", i, (int)status.code, status.message);
    }
    assert_int_equal(count_regions(&m), 0);
    end(&m);
}

static void limits_hold_and_what_ends_makes_room(void **state) {
    (void)state;
    struct memory_fixture m;
    begin(&m, (struct shared_memory_options){true, 2, 1000, 1 << 20, NULL});
    assert_good(add(&m, "a", 0, 600));
    struct status status = add(&m, "b", 0, 401);
    assert_int_equal(status.code, STATUS_RESOURCE_EXHAUSTED);
    assert_non_null(strstr(status.message, "all regions together may have 1000 bytes, there are 600"));
    assert_good(add(&m, "b", 0, 400));
    status = add(&m, "c", 0, 1);
    assert_int_equal(status.code, STATUS_RESOURCE_EXHAUSTED);
    assert_non_null(strstr(status.message, "there are 2 regions, the most that may be"));
    shared_memory_unregister(m.memory, SHARED_MEMORY_SYSTEM, slice_of("a"));
    assert_good(add(&m, "c", 0, 600));
    end(&m);
}

static void nothing_is_allowed_unless_it_is(void **state) {
    (void)state;
    struct memory_fixture m;
    struct shared_memory_options options = generous;
    options.allowed = false;
    begin(&m, options);
    const char *text = "Client shared memory is disabled. Start the server with '--allow-client-shm=true' to enable.";
    assert_error(add(&m, "r", 0, 8), STATUS_UNSUPPORTED, text);
    struct part_call call;
    make_call(&call, &m, "int", DATATYPE_INT32, 1, 0, 4, -1, 0);
    assert_refused(&call.call, STATUS_UNSUPPORTED, text);
    call_vector(&call.call, &m.f, "int", 1, 1); /* without a part all is well but the rank */
    call.call.request->inputs[0].rank = 1;
    call.call.request->inputs[0].shape[0] = 1;
    call_run(&call.call);
    call_end(&call.call);
    shared_memory_unregister_all(m.memory, SHARED_MEMORY_SYSTEM);
    assert_int_equal(count_regions(&m), 0);
    end(&m);
}

/* ---- requests ---- */

static void tensors_go_both_ways(void **state) {
    (void)state;
    struct memory_fixture m;
    begin(&m, generous);
    uint64_t offset = 4096 + 12; /* of the region in the object: not a page's start */
    assert_good(add(&m, "r", offset, OBJECT - offset));
    for (int i = 0; i < LARGE; i++)
        m.bytes[offset + 8 + (size_t)i] = (char)(i * 7);
    const char *models[] = {"float", "int", "careful_float", "careful_int"}; /* read in place, and copied */
    const enum datatype types[] = {DATATYPE_FP32, DATATYPE_INT32, DATATYPE_FP32, DATATYPE_INT32};
    for (size_t i = 0; i < 4; i++) {
        struct part_call call;
        memset(m.bytes + offset + 16 + LARGE, 0, LARGE);
        make_call(&call, &m, models[i], types[i], LARGE / 4, 8, LARGE, 16 + LARGE, LARGE + 4);
        call_run(&call.call);
        assert_int_equal(call.call.last->output_count, 1);
        assert_int_equal(call.call.last->outputs[0].memory, MEMORY_SHARED);
        assert_int_equal(call.call.last->outputs[0].data.size, LARGE);
        assert_memory_equal(m.bytes + offset + 16 + LARGE, m.bytes + offset + 8, LARGE);
        call_end(&call.call);
    }
    end(&m);
}

static void a_result_may_go_over_its_input(void **state) {
    (void)state;
    enum { AT = 8192, OFFSET = 4096 + 12 };
    const struct {
        const char *name;
        int64_t offset;                                /* of the region in the object */
    } regions[] = {{"r", 0}, {"s", 0}, {"t", OFFSET}}; /* other regions are other maps of the same object */
    struct memory_fixture m;
    begin(&m, generous);
    for (size_t i = 0; i < sizeof regions / sizeof regions[0]; i++)
        assert_good(add(&m, regions[i].name, (uint64_t)regions[i].offset, (uint64_t)(OBJECT - regions[i].offset)));
    char *expected = malloc(LARGE);
    assert_non_null(expected);
    const int64_t shifts[] = {0, 4, -4, LARGE - 4};
    for (size_t i = 0; i < sizeof shifts / sizeof shifts[0] * 3; i++) {
        const int64_t to = AT + shifts[i / 3];
        for (int k = 0; k < LARGE; k++)
            m.bytes[AT + k] = expected[k] = (char)(k * 5 + (k >> 8) + (int)i);
        struct part_call call;
        make_call(&call, &m, "float", DATATYPE_FP32, LARGE / 4, AT, LARGE, to - regions[i % 3].offset, LARGE);
        call.output.part.region = slice_of(regions[i % 3].name);
        call_run(&call.call);
        call_end(&call.call);
        assert_memory_equal(m.bytes + to, expected, LARGE);
    }
    free(expected);
    end(&m);
}

static void parts_outside_a_region_are_refused(void **state) {
    (void)state;
    struct memory_fixture m;
    begin(&m, generous);
    assert_good(add(&m, "r", 0, 64));
    const struct {
        uint64_t from, size;
        const char *text;
    } rows[] = {
        {64, 64, "Invalid offset for shared memory region: 'r'"},
        {UINT64_MAX, 1, "Invalid offset for shared memory region: 'r'"},
        {60, 64, "Invalid offset + byte size for shared memory region: 'r'"},
        {0, 65, "Invalid offset + byte size for shared memory region: 'r'"},
        {32, UINT64_MAX - 31, "Integer overflow detected: byte_size (18446744073709551584) + offset (32)"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct part_call call;
        make_call(&call, &m, "int", DATATYPE_INT32, 16, rows[i].from, rows[i].size, -1, 0);
        assert_refused(&call.call, STATUS_INVALID_ARGUMENT, rows[i].text);
        make_call(&call, &m, "int", DATATYPE_INT32, 16, 0, 64, (int64_t)(rows[i].from & INT64_MAX), rows[i].size);
        struct status status = call_submit(&call.call);
        assert_int_equal(status.code, STATUS_INVALID_ARGUMENT);
        call_end(&call.call);
    }
    struct part_call call;
    make_call(&call, &m, "int", DATATYPE_INT32, 16, 0, 64, -1, 0);
    call.call.request->inputs[0].part.region = slice_of("s");
    assert_refused(&call.call, STATUS_NOT_FOUND, "Unable to find shared memory region: 's'");
    make_call(&call, &m, "int", DATATYPE_INT32, 15, 0, 64, -1, 0);
    assert_refused(&call.call, STATUS_INVALID_ARGUMENT,
                   "input byte size mismatch for input 'x' for model 'int'. Expected 60, got 64");
    make_call(&call, &m, "float", DATATYPE_FP32, 16, 0, 64, 0, 64);
    call.output.classification = 1;
    assert_refused(&call.call, STATUS_INVALID_ARGUMENT, "a class result cannot be put into shared memory");
    /* Nothing has kept the region. */
    shared_memory_unregister(m.memory, SHARED_MEMORY_SYSTEM, slice_of("r"));
    assert_int_equal(count_regions(&m), 0);
    end(&m);
}

static void a_result_larger_than_its_part_is_an_error(void **state) {
    (void)state;
    struct memory_fixture m;
    begin(&m, generous);
    assert_good(add(&m, "r", 0, 256));
    memset(m.bytes + 64, 'u', 192);
    struct part_call call;
    make_call(&call, &m, "int", DATATYPE_INT32, 16, 0, 64, 64, 63);
    assert_failed(&call.call, STATUS_INTERNAL,
                  "shared memory size specified with the request for output 'y' (63 bytes) should be at least 64 bytes "
                  "to hold the results");
    assert_int_equal(m.bytes[64], 'u');
    end(&m);
}

static void strings_are_checked_in_a_copy(void **state) {
    (void)state;
    struct memory_fixture m;
    begin(&m, generous);
    assert_good(add(&m, "r", 0, 256));
    memcpy(m.bytes, "\3\0\0\0one\0\0\0\0", 11);
    struct part_call call;
    make_call(&call, &m, "string", DATATYPE_BYTES, 2, 0, 11, 100, 20);
    call_run(&call.call);
    call_end(&call.call);
    assert_memory_equal(m.bytes + 100, m.bytes, 11);
    make_call(&call, &m, "string", DATATYPE_BYTES, 2, 0, 12, -1, 0);
    assert_refused(&call.call, STATUS_INVALID_ARGUMENT, "1 bytes more than they take");
    make_call(&call, &m, "string", DATATYPE_BYTES, 3, 0, 11, -1, 0);
    assert_refused(&call.call, STATUS_INVALID_ARGUMENT, "expected 3 string elements");
    make_call(&call, &m, "string", DATATYPE_BYTES, 1, 0, 0, -1, 0);
    assert_refused(&call.call, STATUS_INVALID_ARGUMENT, "expected 1 string elements");
    make_call(&call, &m, "string", DATATYPE_BYTES, 0, 256, 0, 256, 0);
    call_run(&call.call);
    assert_int_equal(call.call.last->outputs[0].data.size, 0);
    call_end(&call.call);
    end(&m);
}

/* Only large tensors of a float type are read where they lie, unless the backend bears changes. */
static void what_may_be_a_size_or_a_place_is_copied(void **state) {
    (void)state;
    struct memory_fixture m;
    begin(&m, generous);
    assert_good(add(&m, "r", 0, OBJECT));
    const struct {
        const char *model;
        enum datatype type;
        int64_t elements;
        size_t size;
        bool in_place;
    } rows[] = {{"careful_string", DATATYPE_BYTES, 1, 8, false},
                {"careful_int", DATATYPE_INT32, LARGE / 4, LARGE, false},
                {"careful_float", DATATYPE_FP32, SHARED_MEMORY_COPY_MAX / 4, SHARED_MEMORY_COPY_MAX, false},
                {"careful_float", DATATYPE_FP32, LARGE / 4, LARGE, true},
                {"string", DATATYPE_BYTES, 1, 8, false},
                {"int", DATATYPE_INT32, 2, 8, true},
                {"float", DATATYPE_FP32, 2, 8, true}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        memcpy(m.bytes, "\4\0\0\0abcd", 8);
        struct part_call call;
        make_call(&call, &m, rows[i].model, rows[i].type, rows[i].elements, 0, rows[i].size, -1, 0);
        assert_good(call_submit(&call.call));
        const struct tensor *input = &call.call.request->inputs[0];
        assert_int_equal(input->memory, rows[i].in_place ? MEMORY_SHARED : MEMORY_REQUEST);
        call_wait(&call.call);
        assert_int_equal(call.call.status.code, STATUS_OK);
        assert_memory_equal(call.call.last->outputs[0].data.data, "\4\0\0\0abcd", 8);
        call_end(&call.call);
    }
    end(&m);
}

static void inputs_of_all_requests_have_a_bound(void **state) {
    (void)state;
    struct memory_fixture m;
    struct shared_memory_options options = generous;
    options.max_input_bytes = 1000;
    begin(&m, options);
    assert_good(add(&m, "r", 0, OBJECT));
    struct part_call first, second;
    make_call(&first, &m, "slow_int", DATATYPE_INT32, 200, 0, 800, 4096, 800);
    assert_good(call_submit(&first.call));
    make_call(&second, &m, "int", DATATYPE_INT32, 100, 0, 400, -1, 0);
    assert_refused(&second.call, STATUS_UNAVAILABLE, "no room for the 400 bytes of input 'x'");
    make_call(&second, &m, "string", DATATYPE_BYTES, 1, 0, 201, -1, 0);
    assert_refused(&second.call, STATUS_UNAVAILABLE, "no room for the 201 bytes of input 'x'");
    make_call(&second, &m, "int", DATATYPE_INT32, 50, 0, 200, -1, 0);
    call_run(&second.call);
    call_end(&second.call);
    call_wait(&first.call);
    call_end(&first.call);
    make_call(&second, &m, "int", DATATYPE_INT32, 250, 0, 1000, -1, 0);
    call_run(&second.call);
    call_end(&second.call);
    end(&m);
}

static void a_region_in_use_goes_with_its_last_request(void **state) {
    (void)state;
    struct memory_fixture m;
    begin(&m, generous);
    assert_good(add(&m, "r", 0, OBJECT));
    memcpy(m.bytes, "\1\2\3\4", 4);
    struct part_call first, second;
    make_call(&first, &m, "slow_int", DATATYPE_INT32, 1, 0, 4, 100, 4);
    assert_good(call_submit(&first.call));
    shared_memory_unregister(m.memory, SHARED_MEMORY_SYSTEM, slice_of("r"));
    assert_int_equal(count_regions(&m), 1);
    assert_error(add(&m, "r", 0, 8), STATUS_ALREADY_EXISTS,
                 "shared memory region 'r' already in manager: it was unregistered, but requests still use it");
    make_call(&second, &m, "slow_int", DATATYPE_INT32, 1, 0, 4, 200, 4);
    assert_good(call_submit(&second.call));
    call_wait(&first.call);
    assert_int_equal(count_regions(&m), 1);
    call_wait(&second.call);
    assert_int_equal(count_regions(&m), 0);
    assert_memory_equal(m.bytes + 100, m.bytes, 4);
    assert_memory_equal(m.bytes + 200, m.bytes, 4);
    call_end(&first.call);
    call_end(&second.call);
    make_call(&first, &m, "int", DATATYPE_INT32, 1, 0, 4, 100, 4);
    assert_refused(&first.call, STATUS_NOT_FOUND, "Unable to find shared memory region: 'r'");
    end(&m);
}

/* ---- a client that takes his memory back ---- */

#define CUT "shared memory region 'r': its object"

static void an_object_cut_before_use_fails_the_request(void **state) {
    (void)state;
    struct memory_fixture m;
    begin(&m, generous);
    assert_good(add(&m, "r", 0, OBJECT));
    assert_int_equal(ftruncate(m.fd, 4096), 0);
    struct part_call call;
    make_call(&call, &m, "int", DATATYPE_INT32, 4, 0, 16, -1, 0); /* what is left serves */
    call_run(&call.call);
    call_end(&call.call);
    make_call(&call, &m, "careful_int", DATATYPE_INT32, LARGE / 4, 0, LARGE, -1, 0); /* copied at submission */
    assert_refused(&call.call, STATUS_INVALID_ARGUMENT, CUT);
    make_call(&call, &m, "int", DATATYPE_INT32, 4, 0, 16, -1, 0); /* the region is lost now */
    assert_refused(&call.call, STATUS_INVALID_ARGUMENT, CUT);
    shared_memory_unregister(m.memory, SHARED_MEMORY_SYSTEM, slice_of("r"));
    assert_good(add(&m, "r", 0, 4096));
    make_call(&call, &m, "int", DATATYPE_INT32, 4, 0, 16, -1, 0);
    call_run(&call.call);
    call_end(&call.call);
    end(&m);
}

static void an_object_cut_during_execution_fails_the_request(void **state) {
    (void)state;
    struct memory_fixture m;
    begin(&m, generous);
    const struct {
        const char *model;
        enum datatype type;
        int64_t elements;
        uint64_t size;
        int64_t to;
    } rows[] = {{"slow_float", DATATYPE_FP32, LARGE / 4, LARGE, -1}, /* read in place */
                {"slow_int", DATATYPE_INT32, LARGE / 4, LARGE, 0},   /* written */
                {"slow_string", DATATYPE_BYTES, 1, 4, 4096}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        assert_int_equal(ftruncate(m.fd, OBJECT), 0);
        assert_good(add(&m, "r", 0, OBJECT));
        struct part_call call, other;
        make_call(&call, &m, rows[i].model, rows[i].type, rows[i].elements, 0, rows[i].size, rows[i].to, LARGE);
        assert_good(call_submit(&call.call));
        assert_int_equal(ftruncate(m.fd, 0), 0);
        call_vector(&other.call, &m.f, "int", 1, 1); /* others go on */
        other.call.request->inputs[0].rank = 1;
        call_run(&other.call);
        call_end(&other.call);
        call_wait(&call.call);
        assert_int_equal(call.call.status.code, STATUS_INVALID_ARGUMENT);
        assert_non_null(strstr(call.call.status.message, CUT));
        assert_true(call.call.booked);
        call_end(&call.call);
        shared_memory_unregister(m.memory, SHARED_MEMORY_SYSTEM, slice_of("r"));
        assert_int_equal(count_regions(&m), 0);
    }
    end(&m);
}

/* cmocka has not put its handler in place yet. */
static void install_guard(void) {
    struct shared_memory *memory = shared_memory_create(&generous);
    const char *key = "/inferd-test-guard";
    int fd = shm_open(key, O_CREAT | O_RDWR, 0600);
    assert_true(fd >= 0 && ftruncate(fd, 1) == 0);
    assert_good(shared_memory_register(memory, slice_of("r"), slice_of(key), 0, 1));
    sigaction(SIGBUS, NULL, &guard);
    shared_memory_destroy(memory);
    shm_unlink(key);
    close(fd);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(regions_are_listed_by_name),
        cmocka_unit_test(a_taken_name_is_refused),
        cmocka_unit_test(many_regions_come_and_go),
        cmocka_unit_test(impossible_regions_are_refused),
        cmocka_unit_test(limits_hold_and_what_ends_makes_room),
        cmocka_unit_test(nothing_is_allowed_unless_it_is),
        cmocka_unit_test(tensors_go_both_ways),
        cmocka_unit_test(a_result_may_go_over_its_input),
        cmocka_unit_test(parts_outside_a_region_are_refused),
        cmocka_unit_test(a_result_larger_than_its_part_is_an_error),
        cmocka_unit_test(strings_are_checked_in_a_copy),
        cmocka_unit_test(what_may_be_a_size_or_a_place_is_copied),
        cmocka_unit_test(inputs_of_all_requests_have_a_bound),
        cmocka_unit_test(a_region_in_use_goes_with_its_last_request),
        cmocka_unit_test(an_object_cut_before_use_fails_the_request),
        cmocka_unit_test(an_object_cut_during_execution_fails_the_request),
    };
    install_guard();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
