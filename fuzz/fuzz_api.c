/* The whole server but its sockets: requests of strangers to all routes and methods, with identity models behind them.
 * Input: how to cut the stream, flags (1 gRPC), then HTTP/1.1 bytes, or up to four calls: the method (its index, or 255
 * and a path behind its length), flags (1: no half-close, 2: reset afterwards), the count of messages, and each with
 * its length (two bytes). Holds: every exchange ends, nothing stays booked, and the server goes on. */
#include <fcntl.h>
#include <pthread.h>
#include <unistd.h>

#include "api/grpc_front.h"
#include "api/load_report.h"
#include "api/metrics_text.h"
#include "api/readiness.h"
#include "api/v1_state.h"
#include "backends/identity/identity.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/session.h"
#include "core/inference_server.h"
#include "fuzz.h"
#include "fuzz_output.h"
#include "tests/unit/http/given.h"
#include "tools/serve/port_front.h"
#include "trace/tracer.h"

enum { FLAG_GRPC = 1, CALLS_MAX = 4, MESSAGES_MAX = 4, TASKS_MAX = 64, ROUNDS_MAX = 200 };
/* For an answer of a model, which another thread gives. */
#define PATIENCE_NS (5 * NS_PER_MS)

struct served {
    struct api_loop loop; /* first */
    struct api_workers workers;
    struct api_task *jobs[TASKS_MAX]; /* for worker threads; run here */
    size_t job_count;
    pthread_mutex_t lock;
    pthread_cond_t posted;
    struct api_task *tasks, **last_task;

    struct log log; /* to nowhere */
    char directory[64];
    struct http_budget budget;
    struct http_limits limits;
    struct inference_server *core;
    struct v1_state v1;
    atomic_bool exiting;
    struct port_front front;
    struct http_handler handler; /* counts, and passes on to the front's */
    size_t open;
    bool models_changed;
    struct buf out;
};

static const struct {
    const char *name, *config;
} models[] = {
    {"id", "backend: \"identity\" max_batch_size: 8 input { name: \"IN\" data_type: TYPE_INT32 dims: -1 } "
           "output { name: \"OUT\" data_type: TYPE_INT32 dims: -1 label_filename: \"labels.txt\" } "
           "version_policy { all {} }"},
    {"text", "backend: \"identity\" input { name: \"IN\" data_type: TYPE_STRING dims: 1 } "
             "output { name: \"OUT\" data_type: TYPE_STRING dims: 1 }"},
    {"several", "backend: \"identity\" max_batch_size: 4 dynamic_batching { max_queue_delay_microseconds: 100 } "
                "input { name: \"A\" data_type: TYPE_FP32 dims: [-1, 2] reshape { shape: [-1, 2, 1] } } "
                "input { name: \"B\" data_type: TYPE_STRING dims: -1 optional: true } "
                "output { name: \"X\" data_type: TYPE_FP32 dims: [-1, 2] reshape { shape: [-1, 2, 1] } } "
                "output { name: \"Y\" data_type: TYPE_STRING dims: -1 }"},
    {"decoupled", "backend: \"identity\" model_transaction_policy { decoupled: true } "
                  "input { name: \"IN\" data_type: TYPE_INT32 dims: -1 } "
                  "output { name: \"OUT\" data_type: TYPE_INT32 dims: -1 }"},
};
enum { MODEL_COUNT = sizeof models / sizeof models[0] };

/* ---- threads ---- */

static void post(struct api_loop *loop, struct api_task *task) {
    struct served *served = (struct served *)loop;
    pthread_mutex_lock(&served->lock);
    task->next = NULL;
    *served->last_task = task;
    served->last_task = &task->next;
    pthread_cond_signal(&served->posted);
    pthread_mutex_unlock(&served->lock);
}

static struct served *the_served(void);

static bool submit(struct api_workers *workers, struct api_task *task) {
    struct served *served = the_served();
    FUZZ_CHECK(workers == &served->workers);
    if (served->job_count == TASKS_MAX)
        return false;
    served->jobs[served->job_count++] = task;
    return true;
}

/* Takes one posted task, waiting for it for a while if asked to. */
static struct api_task *take_task(struct served *served, bool wait) {
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    uint64_t ns = (uint64_t)until.tv_nsec + PATIENCE_NS;
    until.tv_sec += (time_t)(ns / NS_PER_S);
    until.tv_nsec = (long)(ns % NS_PER_S);
    pthread_mutex_lock(&served->lock);
    while (wait && !served->tasks && pthread_cond_timedwait(&served->posted, &served->lock, &until) == 0)
        ;
    struct api_task *task = served->tasks;
    if (task) {
        served->tasks = task->next;
        if (!served->tasks)
            served->last_task = &served->tasks;
    }
    pthread_mutex_unlock(&served->lock);
    return task;
}

static bool run_tasks(struct served *served, bool wait) {
    bool any = false;
    struct api_task *task;
    while (served->job_count > 0) {
        struct api_task *job = served->jobs[0];
        served->job_count--;
        memmove(served->jobs, served->jobs + 1, served->job_count * sizeof *served->jobs);
        job->run(job);
        any = true;
    }
    while ((task = take_task(served, wait && !any)) != NULL) {
        task->run(task);
        any = true;
    }
    return any;
}

/* ---- the handler ---- */

static void on_head(void *user, struct http_exchange *exchange) {
    struct served *served = user;
    struct slice path = http_exchange_request(exchange)->path;
    served->open++;
    served->models_changed |= path.size > 0 && memmem(path.data, path.size, "epository", 9) != NULL;
    served->models_changed |= path.size > 0 && memmem(path.data, path.size, "ontrol", 6) != NULL;
    served->front.handler.on_head(&served->front, exchange);
}

static size_t on_data(void *user, struct http_exchange *exchange, const char *data, size_t size) {
    return ((struct served *)user)->front.handler.on_data(&((struct served *)user)->front, exchange, data, size);
}

static char *on_place(void *user, struct http_exchange *exchange, size_t *ret_room) {
    return ((struct served *)user)->front.handler.on_place(&((struct served *)user)->front, exchange, ret_room);
}

static void on_misplaced(void *user, struct http_exchange *exchange, const char *end) {
    ((struct served *)user)->front.handler.on_misplaced(&((struct served *)user)->front, exchange, end);
}

static void on_no_room(void *user, struct http_exchange *exchange) {
    ((struct served *)user)->front.handler.on_no_room(&((struct served *)user)->front, exchange);
}

static void on_end(void *user, struct http_exchange *exchange) {
    ((struct served *)user)->front.handler.on_end(&((struct served *)user)->front, exchange);
}

static void on_deadline(void *user, struct http_exchange *exchange) {
    ((struct served *)user)->front.handler.on_deadline(&((struct served *)user)->front, exchange);
}

static void on_drain(void *user, struct http_exchange *exchange) {
    ((struct served *)user)->front.handler.on_drain(&((struct served *)user)->front, exchange);
}

static void on_shutdown(void *user, struct http_exchange *exchange) {
    ((struct served *)user)->front.handler.on_shutdown(&((struct served *)user)->front, exchange);
}

static void on_abort(void *user, struct http_exchange *exchange) {
    struct served *served = user;
    FUZZ_CHECK(served->open-- > 0);
    served->front.handler.on_abort(&served->front, exchange);
}

static void on_close(void *user, struct http_exchange *exchange) {
    struct served *served = user;
    FUZZ_CHECK(served->open-- > 0);
    served->front.handler.on_close(&served->front, exchange);
}

static void wake(void *user) {
    (void)user;
}

/* ---- the server ---- */

static void check(struct status status) {
    if (!status_is_ok(&status))
        fprintf(stderr, "%s\n", status.message);
    FUZZ_CHECK(status_is_ok(&status));
}

static void add_model(const struct served *served, const char *name, const char *config) {
    char path[256];
    snprintf(path, sizeof path, "%s/%s/1", served->directory, name);
    check(file_make_directories(path));
    snprintf(path, sizeof path, "%s/%s/config.pbtxt", served->directory, name);
    check(file_write_atomic(path, slice_of(config)));
    snprintf(path, sizeof path, "%s/%s/labels.txt", served->directory, name);
    check(file_write_atomic(path, SLICE_LITERAL("ant\nbee\n")));
}

static void remove_models(void) {
    struct status status = file_remove_tree(the_served()->directory);
    (void)status; /* at the end of the process */
}

static void start_core(struct served *served) {
    const char *repositories[] = {served->directory}, *all[] = {"*"};
    static const struct backend_ops *backends[1];
    backends[0] = identity_backend();
    const struct inference_server_options options = {
        .repositories = repositories,
        .repository_count = 1,
        .control = MODEL_CONTROL_EXPLICIT,
        .startup_models = all,
        .startup_model_count = 1,
        .backend_directory = "/nonexistent",
        .builtin_backends = backends,
        .builtin_backend_count = 1,
        .shared_memory = {.allowed = true, .max_regions = 8, .max_mapped_bytes = 1 << 20, .max_input_bytes = 1 << 20},
        .max_queue_size = 16,
        .log = &served->log};
    size_t failed;
    check(inference_server_create(&options, &served->core));
    check(inference_server_load_models(served->core, &failed));
    FUZZ_CHECK(failed == 0);
}

static struct served *start(void) {
    static struct served served = {.loop = {post}, .workers = {submit}, .directory = "/tmp/inferd-fuzz-XXXXXX"};
    static const struct metrics_options metrics_options;
    served.last_task = &served.tasks;
    pthread_mutex_init(&served.lock, NULL);
    pthread_cond_init(&served.posted, NULL);
    FUZZ_CHECK(mkdtemp(served.directory));
    for (size_t i = 0; i < MODEL_COUNT; i++)
        add_model(&served, models[i].name, models[i].config);
    served.log = log_default();
    atomic_store(&served.log.info, false);
    start_core(&served);
    served.log.fd = open("/dev/null", O_WRONLY | O_CLOEXEC); /* strangers may ask for any lines */
    served.v1.server_id = "inference:0";
    served.budget.max_bytes = 8 << 20;
    served.limits = http_limits_default();
    served.limits.budget = &served.budget;
    served.limits.max_body_bytes = 1 << 20;
    served.limits.min_placed_bytes = 1;
    struct metrics_state *metrics = metrics_state_create(&metrics_options, NULL);
    struct trace_config trace = trace_config_default();
    struct tracer *tracer;
    trace.file = "/dev/null";
    check(tracer_create(&trace, "fuzz", &served.log, &tracer));
    FUZZ_CHECK(metrics);
    const struct api_context context = {.server = served.core,
                                        .workers = &served.workers,
                                        .server_name = "fuzz",
                                        .decoders = &served.workers,
                                        .version = "fuzz",
                                        .classes = API_ALL,
                                        .grpc = true,
                                        .max_body_bytes = served.limits.max_body_bytes,
                                        .max_stream_requests = 4,
                                        .exiting = &served.exiting,
                                        .readiness = readiness_create(16),
                                        .metrics = metrics,
                                        .load = load_meter_create(metrics_state_machine(metrics)),
                                        .log = &served.log,
                                        .tracer = tracer,
                                        .v1 = &served.v1};
    port_front_init(&served.front, &context, &served.loop, &served.limits);
    served.handler = (struct http_handler){.on_head = on_head,
                                           .on_data = on_data,
                                           .on_place = on_place,
                                           .on_misplaced = on_misplaced,
                                           .on_no_room = on_no_room,
                                           .on_end = on_end,
                                           .on_deadline = on_deadline,
                                           .on_drain = on_drain,
                                           .on_shutdown = on_shutdown,
                                           .on_abort = on_abort,
                                           .on_close = on_close,
                                           .user = &served};
    return &served;
}

static struct served *the_served(void) {
    static struct served *served;
    if (!served) {
        served = start();
        atexit(remove_models);
    }
    return served;
}

/* Models that an input has loaded go, those that it has unloaded come back. */
static void restore_models(struct served *served) {
    struct arena *arena = fuzz_arena(0);
    struct model_index_row *rows;
    size_t count;
    served->models_changed = false;
    check(inference_server_index(served->core, arena, &rows, &count));
    for (size_t i = 0; i < count; i++)
        check(inference_server_unload_model(served->core, rows[i].name));
    for (size_t i = 0; i < MODEL_COUNT; i++)
        check(inference_server_load_model(served->core, slice_of(models[i].name), NULL));
    arena_destroy(arena);
}

/* ---- the client ---- */

static void put_frame(struct buf *out, uint8_t kind, uint8_t flags, uint8_t stream, struct slice payload) {
    const unsigned char head[] = {
        0, (unsigned char)(payload.size >> 8), (unsigned char)payload.size, kind, flags, 0, 0, 0, stream};
    buf_append(out, head, sizeof head);
    buf_append_slice(out, payload);
}

static void put_field(struct buf *out, const char *name, struct slice value) {
    size_t size = value.size < 127 ? value.size : 126;
    buf_append_char(out, 0);
    buf_append_char(out, (char)strlen(name));
    buf_append_text(out, name);
    buf_append_char(out, (char)size);
    buf_append(out, value.data, size);
}

static void put_head(struct buf *out, uint8_t stream, struct slice path) {
    struct buf block = BUF_EMPTY;
    put_field(&block, ":method", SLICE_LITERAL("POST"));
    put_field(&block, ":scheme", SLICE_LITERAL("http"));
    put_field(&block, ":authority", SLICE_LITERAL("h"));
    put_field(&block, ":path", path);
    put_field(&block, "content-type", SLICE_LITERAL("application/grpc"));
    put_frame(out, 1, 4, stream, buf_slice(&block));
    buf_free(&block);
}

static void put_call(struct buf *out, struct fuzz_input *input, uint8_t stream, const struct grpc_service *service) {
    uint8_t method = fuzz_byte(input);
    struct slice path = {NULL, 0};
    if (method == 255) {
        size_t size = fuzz_byte(input);
        path = fuzz_take(input, size);
    } else {
        path = service->methods[method % service->method_count].path;
    }
    uint8_t flags = fuzz_byte(input);
    int messages = fuzz_byte(input) % (MESSAGES_MAX + 1);
    put_head(out, stream, path);
    for (int i = 0; i < messages; i++) {
        size_t size = fuzz_u16(input) % 16384;
        struct slice message = fuzz_take(input, size);
        struct buf framed = BUF_EMPTY;
        const unsigned char prefix[] = {0, 0, 0, (unsigned char)(message.size >> 8), (unsigned char)message.size};
        buf_append(&framed, prefix, sizeof prefix);
        buf_append_slice(&framed, message);
        put_frame(out, 0, 0, stream, buf_slice(&framed));
        buf_free(&framed);
    }
    if (!(flags & 1))
        put_frame(out, 0, 1, stream, (struct slice){NULL, 0});
    if (flags & 2)
        put_frame(out, 3, 0, stream, (struct slice){"\0\0\0\x8", 4});
}

static struct buf client_bytes(struct fuzz_input *input, bool grpc, const struct grpc_service *service) {
    struct buf bytes = BUF_EMPTY;
    if (grpc) {
        buf_append_text(&bytes, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
        put_frame(&bytes, 4, 0, 0, (struct slice){"\0\4\0\x7f\xff\xff", 6}); /* windows of 8 MB */
        put_frame(&bytes, 8, 0, 0, (struct slice){"\0\x7f\xff\xff", 4});
        for (uint8_t i = 0; i < CALLS_MAX && fuzz_left(input) > 0; i++)
            put_call(&bytes, input, (uint8_t)(2 * i + 1), service);
    } else {
        buf_append_slice(&bytes, fuzz_rest(input));
    }
    return bytes;
}

/* ---- the conversation ---- */

static bool pump(struct served *served, struct session *session) {
    buf_clear(&served->out);
    struct output out = {.gathers = true};
    struct status status = session->ops->output(session, &out, 64 << 10);
    fuzz_write_output(&out, &served->out);
    output_free(&out);
    return status_is_ok(&status) && served->out.size > 0;
}

/* Gives the session the tick that it is due, as for another turn. */
static bool tick(struct session *session) {
    uint64_t deadline = session->ops->deadline(session), now = clock_monotonic_ns();
    if (deadline == 0 || deadline > now || session->ops->finished(session))
        return false;
    struct status status = session->ops->tick(session, now);
    return status_is_ok(&status);
}

/* Until nobody has anything to say any more. */
static void settle(struct served *served, struct session *session) {
    for (int round = 0; round < ROUNDS_MAX; round++) {
        bool busy = tick(session);
        busy |= pump(served, session);
        if (!busy && !run_tasks(served, served->open > 0))
            return;
    }
}

static void talk(struct served *served, struct session *session, struct slice stream, uint8_t seed) {
    struct fuzz_cutter cutter = fuzz_cutter_of(seed);
    for (size_t at = 0; at < stream.size && !session->ops->finished(session);) {
        size_t n = fuzz_cut(&cutter, stream.size - at);
        if (!session->ops->wants_input(session)) {
            settle(served, session);
            uint64_t deadline = session->ops->deadline(session);
            if (!session->ops->wants_input(session) && deadline != 0) {
                struct status status = session->ops->tick(session, deadline);
                if (!status_is_ok(&status))
                    return;
            }
        }
        struct status status = give_to(session, stream.data + at, n);
        if (!status_is_ok(&status)) {
            fuzz_check_error(&status);
            return;
        }
        at += n;
        pump(served, session);
        run_tasks(served, false);
    }
    settle(served, session);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct served *served = the_served();
    struct fuzz_input input = fuzz_input_on(data, size);
    uint8_t seed = fuzz_byte(&input);
    bool grpc = fuzz_byte(&input) & FLAG_GRPC;
    struct session *session;
    struct status status = grpc ? h2_session_create(&served->handler, &served->limits, &session)
                                : h1_session_create(&served->handler, &served->limits, &session);
    FUZZ_CHECK(status_is_ok(&status));
    session->wake = wake;
    struct log log_before = served->log;
    struct buf bytes = client_bytes(&input, grpc, &served->front.service);
    talk(served, session, buf_slice(&bytes), seed);
    session->ops->input_closed(session, true);
    session->ops->destroy(session);
    FUZZ_CHECK(served->open == 0 && atomic_load(&served->budget.held_bytes) == 0);
    while (run_tasks(served, false))
        ;
    buf_free(&bytes);
    served->log = log_before;
    shared_memory_unregister_all(inference_server_shared_memory(served->core), SHARED_MEMORY_ANY);
    if (served->models_changed)
        restore_models(served);
    return 0;
}
