/* Spans on their way to a collector: one that takes them, and those that are dead, slow, full or talk nonsense. What
 * the spans hold is checked with OpenTelemetry's own messages, by the tests with clients. */
#include "trace_fixture.h"

#include <arpa/inet.h>
#include <poll.h>
#include <pthread.h>
#include <sys/socket.h>

#include "trace/otlp_exporter.h"

/* Takes connections one after the other, reads a request from each and gives the same answer. */
struct collector {
    int listener;
    char port[8];
    const char *answer; /* NULL: never */
    pthread_t thread;
    atomic_bool stop;
    atomic_int requests;
    char last[1 << 16]; /* the last request */
};

static bool is_whole(const char *text, size_t size) {
    const char *length = strstr(text, "Content-Length: "), *body = strstr(text, "\r\n\r\n");
    return length && body && size >= (size_t)(body + 4 - text) + (size_t)atoi(length + 16);
}

static void serve(struct collector *c, int fd) {
    size_t size = 0;
    memset(c->last, 0, sizeof c->last);
    while (!is_whole(c->last, size)) {
        ssize_t got = read(fd, c->last + size, sizeof c->last - 1 - size);
        if (got <= 0)
            return;
        size += (size_t)got;
    }
    atomic_fetch_add(&c->requests, 1);
    if (c->answer && *c->answer)
        assert_int_equal(write(fd, c->answer, strlen(c->answer)), strlen(c->answer));
    while (!c->answer && !atomic_load(&c->stop))
        usleep(1000);
}

static void *collect(void *user) {
    struct collector *c = user;
    while (!atomic_load(&c->stop)) {
        struct pollfd ready = {.fd = c->listener, .events = POLLIN};
        if (poll(&ready, 1, 10) != 1)
            continue;
        int fd = accept(c->listener, NULL, NULL);
        serve(c, fd);
        close(fd);
    }
    return NULL;
}

static void collector_listen(struct collector *c, const char *answer) {
    memset(c, 0, sizeof *c);
    c->answer = answer;
    c->listener = socket(AF_INET, SOCK_STREAM, 0);
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    assert_int_equal(bind(c->listener, (struct sockaddr *)&address, size), 0);
    assert_int_equal(listen(c->listener, 8), 0);
    assert_int_equal(getsockname(c->listener, (struct sockaddr *)&address, &size), 0);
    snprintf(c->port, sizeof c->port, "%d", ntohs(address.sin_port));
}

static void collector_start(struct collector *c, const char *answer) {
    collector_listen(c, answer);
    assert_int_equal(pthread_create(&c->thread, NULL, collect, c), 0);
}

static void collector_stop(struct collector *c) {
    atomic_store(&c->stop, true);
    pthread_join(c->thread, NULL);
    close(c->listener);
}

static struct status post(const struct collector *c, struct slice body, uint64_t patience_ns) {
    struct otlp_config config = trace_config_default().otlp;
    config.host = "127.0.0.1";
    config.port = c->port;
    atomic_uint_fast64_t deadline_ns = clock_monotonic_ns() + patience_ns;
    return otlp_post(&config, body, &deadline_ns);
}

#define OK_ANSWER "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"
#define SPANS SLICE_LITERAL("spans")

static struct collector collector;

static void a_collector_that_takes_them(void **state) {
    (void)state;
    struct collector *c = &collector;
    collector_start(c, OK_ANSWER);
    assert_good(post(c, SPANS, 30 * NS_PER_S));
    assert_good(post(c, SLICE_LITERAL(""), 30 * NS_PER_S));
    assert_good(post(c, SPANS, 30 * NS_PER_S));
    collector_stop(c);
    assert_int_equal(c->requests, 3);
    assert_int_equal(strncmp(c->last, "POST /v1/traces HTTP/1.1\r\nHost: 127.0.0.1:", 41), 0);
    assert_non_null(strstr(c->last, "\r\nContent-Type: application/x-protobuf\r\n"));
    assert_non_null(strstr(c->last, "\r\n\r\nspans"));
}

static void answers_that_are_none(void **state) {
    (void)state;
    static const struct {
        const char *answer, *message;
    } cases[] = {
        {"HTTP/1.1 503 Service Unavailable\r\n\r\n", "answered: HTTP/1.1 503 Service Unavailable"},
        {"HTTP/1.1 404 x\r\n\r\n", "answered: HTTP/1.1 404 x"},
        {"SSH-2.0-OpenSSH\r\n", "does not speak HTTP/1.1"},
        {"HTTP/1.1 two hundred\r\n", "does not speak HTTP/1.1"},
        {"\n", "does not speak HTTP/1.1"},
        {"HTTP/1.1 200", "did not take spans: Connection reset by peer"},
        {"", "did not take spans: Connection reset by peer"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct collector *c = &collector;
        collector_start(c, cases[i].answer);
        struct status status = post(c, SPANS, 30 * NS_PER_S);
        collector_stop(c);
        assert_int_equal(status.code, STATUS_UNAVAILABLE);
        if (!strstr(status.message, cases[i].message))
            fail_msg("expected '%s' in '%s'", cases[i].message, status.message);
    }
}

static void nobody_there(void **state) {
    (void)state;
    struct collector *c = &collector;
    collector_listen(c, NULL);
    close(c->listener);
    struct status status = post(c, SPANS, 30 * NS_PER_S);
    assert_non_null(strstr(status.message, "no connection to the collector"));
    assert_non_null(strstr(status.message, "Connection refused"));
}

static void a_collector_that_never_answers(void **state) {
    (void)state;
    struct collector *c = &collector;
    collector_start(c, NULL);
    struct status status = post(c, SPANS, 200 * NS_PER_MS);
    assert_non_null(strstr(status.message, "Connection timed out"));
    collector_stop(c);
}

/* More than the sockets' buffers hold, and nobody reads. */
static void a_collector_that_never_reads(void **state) {
    (void)state;
    enum { LARGE = 64 << 20 };
    struct collector *c = &collector;
    collector_listen(c, NULL);
    char *body = calloc(1, LARGE);
    struct status status = post(c, (struct slice){body, LARGE}, 200 * NS_PER_MS);
    close(c->listener);
    free(body);
    assert_non_null(strstr(status.message, "Connection timed out"));
}

/* ---- a tracer in front of them ---- */

static void start_tracer(struct fixture *f, const struct collector *c, uint32_t queue, uint32_t batch,
                         uint32_t delay_ms) {
    fixture_init(f);
    f->config.mode = TRACE_MODE_OPENTELEMETRY;
    f->config.otlp.host = "127.0.0.1";
    f->config.otlp.port = c->port;
    f->config.otlp.max_queue_size = queue;
    f->config.otlp.max_export_batch_size = batch;
    f->config.otlp.schedule_delay_ms = delay_ms;
    fixture_start(f);
}

static void trace_one(struct fixture *f) {
    struct trace *trace = sample(f, "m");
    assert_non_null(trace);
    trace_stamp(trace, TRACE_RECV_START, clock_monotonic_ns());
    trace_end(trace);
}

#define wait_until(condition)                                                                                          \
    do {                                                                                                               \
        uint64_t end_ns_ = clock_monotonic_ns() + 60 * NS_PER_S;                                                       \
        while (!(condition) && clock_monotonic_ns() < end_ns_)                                                         \
            usleep(1000);                                                                                              \
        assert_true(condition);                                                                                        \
    } while (0)

/* A batch goes out when it is full, whatever the delay; the rest at the end. */
static void full_batches_and_the_rest(void **state) {
    (void)state;
    struct collector *c = &collector;
    struct fixture f;
    collector_start(c, OK_ANSWER);
    start_tracer(&f, c, 300, 9, 3600 * 1000);
    for (int i = 0; i < 4; i++)
        trace_one(&f);
    wait_until(atomic_load(&c->requests) == 1);
    fixture_stop(&f);
    assert_int_equal(c->requests, 2);
    collector_stop(c);
    fixture_end(&f);
}

static void a_batch_that_is_not_full_goes_after_the_delay(void **state) {
    (void)state;
    struct collector *c = &collector;
    struct fixture f;
    collector_start(c, OK_ANSWER);
    start_tracer(&f, c, 300, 300, 10);
    trace_one(&f);
    wait_until(tracer_counts(f.tracer).written == 1);
    fixture_end(&f);
    collector_stop(c);
}

/* The queue is full of what a silent collector keeps waiting: more is dropped, and the end comes all the same. */
static void a_full_queue(void **state) {
    (void)state;
    struct collector *c = &collector;
    struct fixture f;
    collector_start(c, NULL);
    start_tracer(&f, c, 30, 3, 3600 * 1000);
    trace_one(&f);
    wait_until(atomic_load(&c->requests) == 1); /* the thread is busy with it */
    for (int i = 0; i < 25; i++)
        trace_one(&f);
    struct spool_counts counts = tracer_counts(f.tracer);
    assert_int_equal(counts.dropped, 15);
    assert_int_equal(counts.written, 0);
    fixture_stop(&f);
    collector_stop(c);
    char text[4096] = {0};
    assert_true(pread(f.log.fd, text, sizeof text - 1, 0) > 0);
    assert_non_null(strstr(text, "10 traces were not written before the end"));
    fixture_end(&f);
}

/* The largest queue that can be asked for is one; what it holds is bounded by bytes too. */
static void the_largest_queue(void **state) {
    (void)state;
    struct collector *c = &collector;
    struct fixture f;
    collector_start(c, OK_ANSWER);
    start_tracer(&f, c, UINT32_MAX, 3, 3600 * 1000);
    trace_one(&f);
    wait_until(tracer_counts(f.tracer).written == 1);
    assert_int_equal(tracer_counts(f.tracer).dropped, 0);
    fixture_end(&f);
    collector_stop(c);
}

static void a_dead_collector_is_told_of_once(void **state) {
    (void)state;
    struct collector *c = &collector;
    struct fixture f;
    collector_listen(c, NULL);
    close(c->listener);
    start_tracer(&f, c, 300, 3, 3600 * 1000);
    for (int i = 0; i < 20; i++)
        trace_one(&f);
    wait_until(tracer_counts(f.tracer).failed == 20);
    fixture_stop(&f);
    char text[4096] = {0};
    assert_true(pread(f.log.fd, text, sizeof text - 1, 0) > 0);
    assert_int_equal(count_of(text, "traces are lost"), 1);
    assert_non_null(strstr(text, "Connection refused"));
    fixture_end(&f);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_collector_that_takes_them),
        cmocka_unit_test(answers_that_are_none),
        cmocka_unit_test(nobody_there),
        cmocka_unit_test(a_collector_that_never_answers),
        cmocka_unit_test(a_collector_that_never_reads),
        cmocka_unit_test(full_batches_and_the_rest),
        cmocka_unit_test(a_batch_that_is_not_full_goes_after_the_delay),
        cmocka_unit_test(a_full_queue),
        cmocka_unit_test(the_largest_queue),
        cmocka_unit_test(a_dead_collector_is_told_of_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
