/* Tests of the whole `inferd squad` against a fake model behind HTTP: its logits depend on nothing but a token and its
 * place, so the answers must be the same however the windows are batched, padded and sent. The tool runs in a child
 * process with its output in files; the server is stepped by the parent. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>
#include <fcntl.h>
#include <math.h>
#include <poll.h>
#include <sys/wait.h>

#include "../../client/fake_server.h"
#include "base/file.h"
#include "text/vocab.h"
#include "tools/squad/squad.h"

enum { ARGUMENTS_MAX = 40 };

/* How the fake server behaves. */
enum trouble { NO_TROUBLE, REFUSE_THIRD, DIE_AT_THIRD, WRONG_SHAPE, NOT_A_NUMBER, OTHER_SERVICE, SILENCE };

struct fixture {
    struct arena *arena;
    char folder[64];
    char data[128];
    char hash[VOCAB_HASH_TEXT_SIZE];
    struct fake_server server;
    enum trouble trouble;
    size_t infer_count;
    int32_t max_rows;
    char *out, *err; /* of the last run */
};

/* ---- the fake model ---- */

/* Any function of a token and its place; "answers" of several tokens come out of it. */
static float logit(int32_t id, size_t place, unsigned salt) {
    uint32_t x = ((uint32_t)id * 2654435761U) ^ ((uint32_t)place * 40503U) ^ (salt * 97U);
    x ^= x >> 15;
    x *= 2246822519U;
    return (float)(x >> 20) / 512.0F - 4.0F;
}

static void append_logits(struct buf *out, const char *ids, size_t rows, size_t columns, unsigned salt, bool nan) {
    for (size_t i = 0; i < rows * columns; i++) {
        int32_t id;
        memcpy(&id, ids + i * sizeof id, sizeof id);
        float value = nan ? (float)NAN : logit(id, i % columns, salt);
        buf_append(out, &value, sizeof value);
    }
}

static void answer_infer(struct fixture *f, struct fake_connection *connection, struct slice request) {
    size_t rows = 0, columns = 0;
    const char *shape = memmem(request.data, request.size, "\"shape\":[", 9);
    assert_non_null(shape);
    assert_int_equal(sscanf(shape, "\"shape\":[%zu,%zu]", &rows, &columns), 2);
    f->max_rows = rows > (size_t)f->max_rows ? (int32_t)rows : f->max_rows;
    size_t tensor = rows * columns * sizeof(int32_t);
    /* segment_ids, input_ids, input_mask, unique_ids stand at the end, in this order */
    const char *ids = request.data + request.size - rows * sizeof(int32_t) - 2 * tensor;
    size_t said = f->trouble == WRONG_SHAPE ? columns - 1 : columns;
    struct buf json = BUF_EMPTY, body = BUF_EMPTY;
    buf_printf(
        &json,
        "{\"model_version\":\"1\",\"outputs\":[{\"name\":\"end_logits\",\"datatype\":\"FP32\",\"shape\":[%zu,%zu],"
        "\"parameters\":{\"binary_data_size\":%zu}},{\"name\":\"start_logits\",\"datatype\":\"FP32\",\"shape\":"
        "[%zu,%zu],\"parameters\":{\"binary_data_size\":%zu}}]}",
        rows, said, rows * said * 4, rows, said, rows * said * 4);
    append_logits(&body, ids, rows, said, 1, f->trouble == NOT_A_NUMBER);
    append_logits(&body, ids, rows, said, 2, f->trouble == NOT_A_NUMBER);
    buf_printf(&connection->out,
               "HTTP/1.1 200 OK\r\nInference-Header-Content-Length: %zu\r\nContent-Length: %zu\r\n\r\n", json.size,
               json.size + body.size);
    buf_append_slice(&connection->out, buf_slice(&json));
    buf_append_slice(&connection->out, buf_slice(&body));
    buf_free(&json);
    buf_free(&body);
}

static void answer_config(const struct fixture *f, struct fake_connection *connection) {
    struct buf json = BUF_EMPTY;
    buf_append_text(&json, "{\"name\":\"bert\",\"max_batch_size\":16,\"input\":[");
    static const char *const inputs[] = {"segment_ids", "input_ids", "input_mask"};
    for (size_t i = 0; i < 3; i++)
        buf_printf(&json, "{\"name\":\"%s\",\"data_type\":\"TYPE_INT32\",\"dims\":[-1]},", inputs[i]);
    buf_printf(
        &json,
        "{\"name\":\"unique_ids\",\"data_type\":\"TYPE_INT32\",\"dims\":[1],\"optional\":true}],\"output\":[{"
        "\"name\":\"start_logits\",\"data_type\":\"TYPE_FP32\",\"dims\":[-1]},{\"name\":\"end_logits\",\"data_type\":"
        "\"TYPE_FP32\",\"dims\":[-1]}],\"parameters\":{\"max_seq_length\":{\"string_value\":\"64\"},\"do_lower_case\":"
        "{\"string_value\":\"true\"},\"vocab_hash\":{\"string_value\":\"%s\"}}}",
        f->hash);
    buf_printf(&connection->out, "HTTP/1.1 200 OK\r\nContent-Length: %zu\r\n\r\n", json.size);
    buf_append_slice(&connection->out, buf_slice(&json));
    buf_free(&json);
}

static void on_http(struct fake_server *server, struct fake_connection *connection, struct slice request) {
    struct fixture *f = server->user;
    if (f->trouble == OTHER_SERVICE) {
        buf_append_text(&connection->out,
                        "HTTP/1.1 404 Not Found\r\nContent-Length: 21\r\n\r\n{\"error\":\"Not Found\"}");
    } else if (memmem(request.data, request.size, "GET /v2/models/bert/config ", 27) != NULL) {
        answer_config(f, connection);
    } else if (slice_starts_with(request, SLICE_LITERAL("GET "))) {
        buf_append_text(&connection->out, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
    } else if (f->trouble == SILENCE) {
        f->infer_count++;
    } else if (++f->infer_count == 3 && f->trouble == REFUSE_THIRD) {
        buf_append_text(&connection->out,
                        "HTTP/1.1 503 Busy\r\nContent-Length: 24\r\n\r\n{\"error\":\"queue is full\"}");
    } else if (f->infer_count >= 3 && f->trouble == DIE_AT_THIRD) {
        connection->close_after = true;
        if (server->listen_fd >= 0)
            close(server->listen_fd);
        server->listen_fd = -1;
    } else {
        answer_infer(f, connection, request);
    }
}

/* ---- running the tool ---- */

static char *path_of(struct fixture *f, const char *name) {
    char *path = path_join(f->arena, f->folder, name);
    assert_non_null(path);
    return path;
}

static char *content_of(struct fixture *f, const char *path) {
    struct buf content = BUF_EMPTY;
    struct status status = file_read(path, 1 << 24, &content);
    assert_string_equal(status.message, "");
    char *text = arena_strdup(f->arena, buf_slice(&content));
    buf_free(&content);
    return text;
}

static void redirect(const char *path, int to) {
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0644);
    if (fd < 0 || dup2(fd, to) < 0)
        _exit(99);
    close(fd);
}

/* Steps the server until the child has ended. */
static int serve_until_exit(struct fixture *f, pid_t child) {
    int state = 0;
    while (waitpid(child, &state, WNOHANG) == 0) {
        struct pollfd watched[FAKE_CONNECTIONS];
        nfds_t n = 0;
        if (f->server.listen_fd >= 0)
            watched[n++] = (struct pollfd){.fd = f->server.listen_fd, .events = POLLIN};
        for (size_t i = 0; i < f->server.connection_count; i++) {
            if (f->server.connections[i].fd >= 0)
                watched[n++] = (struct pollfd){.fd = f->server.connections[i].fd, .events = POLLIN};
        }
        poll(watched, n, 20);
        fake_server_step(&f->server);
    }
    return WIFEXITED(state) ? WEXITSTATUS(state) : -WTERMSIG(state);
}

/* Runs `inferd squad` with these arguments; returns its exit code, keeps its output. */
static int run_squad(struct fixture *f, ...) {
    char *arguments[ARGUMENTS_MAX] = {arena_strdup(f->arena, SLICE_LITERAL("squad"))};
    int count = 1;
    va_list list;
    va_start(list, f);
    for (const char *word = va_arg(list, const char *); word != NULL; word = va_arg(list, const char *))
        arguments[count++] = arena_strdup(f->arena, slice_of(word));
    va_end(list);
    f->infer_count = 0;
    f->max_rows = 0;
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        redirect(path_of(f, "out"), 1);
        redirect(path_of(f, "err"), 2);
        int code = squad_main(count, arguments);
        fflush(NULL);
        _exit(code);
    }
    int code = serve_until_exit(f, child);
    f->out = content_of(f, path_of(f, "out"));
    f->err = content_of(f, path_of(f, "err"));
    return code;
}

static int set_up(void **state) {
    struct fixture *f = test_calloc(1, sizeof *f);
    struct vocab *vocab = NULL;
    f->arena = arena_create(0);
    snprintf(f->folder, sizeof f->folder, "/tmp/test_squad.XXXXXX");
    assert_non_null(mkdtemp(f->folder));
    snprintf(f->data, sizeof f->data, "%s/models/questions/questions-v2.0.json", INFERD_SOURCE_DIR);
    struct status status = vocab_open_embedded(f->arena, &vocab);
    assert_string_equal(status.message, "");
    vocab_hash_text(vocab, f->hash);
    fake_server_open(&f->server, false);
    f->server.on_http = on_http;
    f->server.user = f;
    *state = f;
    return 0;
}

static int tear_down(void **state) {
    struct fixture *f = *state;
    fake_server_close(&f->server);
    struct status status = file_remove_tree(f->folder);
    assert_string_equal(status.message, "");
    arena_destroy(f->arena);
    test_free(f);
    return 0;
}

#define COMMON "--url", f->server.url, "--protocol", "http", "--data", f->data, "--max-query-length", "30"

/* ---- tests ---- */

static void test_same_answers_however_they_are_asked(void **state) {
    struct fixture *f = *state;
    static const struct {
        const char *pad, *batch, *concurrency;
    } cases[] = {
        {"longest", "8", "20"}, {"max", "16", "3"}, {"none", "8", "20"}, {"longest", "1", "1"}, {"none", "1", "7"},
    };
    const char *files[3] = {NULL, NULL, NULL};
    static const char *const names[] = {"predictions.json", "nbest_predictions.json", "null_odds.json"};
    char *folder = path_of(f, "deep/folder");
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        int code = run_squad(f, COMMON, "--pad", cases[i].pad, "--batch-size", cases[i].batch, "--concurrency",
                             cases[i].concurrency, "--output-dir", folder, NULL);
        if (code != 0)
            print_error("%s", f->err);
        assert_int_equal(code, 0);
        assert_int_equal(f->max_rows, atoi(cases[i].batch));
        assert_non_null(strstr(f->out, "\nexact match: "));
        assert_non_null(strstr(f->err, "(100%)"));
        for (size_t k = 0; k < 3; k++) {
            char *content = content_of(f, path_join(f->arena, folder, names[k]));
            if (i > 0)
                assert_string_equal(content, files[k]);
            files[k] = content;
        }
    }
    assert_non_null(strstr(files[0], "\"q001-marathon\""));
}

static void test_json_and_evaluate_agree(void **state) {
    struct fixture *f = *state;
    char *json = path_of(f, "scores.json"), *again = path_of(f, "again.json");
    char *equals = arena_printf(f->arena, "--json=%s", json);
    assert_int_equal(run_squad(f, COMMON, "--output-dir", f->folder, equals, NULL), 0);
    const char *from_run = strstr(f->out, "exact match: ");
    assert_int_equal(run_squad(f, "--data", f->data, "--evaluate", path_of(f, "predictions.json"), "--null-odds",
                               path_of(f, "null_odds.json"), "--json", again, NULL),
                     0);
    assert_string_equal(f->out, from_run);
    char *full = content_of(f, json), *scores = content_of(f, again);
    char *speed = strstr(full, ",\"throughput\":");
    assert_non_null(speed);
    assert_memory_equal(full, scores, (size_t)(speed - full));
    assert_string_equal(scores + (speed - full), "}\n");
}

static void expect_failure(struct fixture *f, const char *text) {
    char *folder = path_of(f, "lost");
    assert_int_equal(run_squad(f, COMMON, "--concurrency", "2", "--output-dir", folder, NULL), 1);
    if (strstr(f->err, text) == NULL)
        print_error("%s", f->err);
    assert_non_null(strstr(f->err, text));
    assert_false(file_exists(path_join(f->arena, folder, "predictions.json")));
    assert_null(strstr(f->out, "exact match"));
}

static void test_refused_request(void **state) {
    struct fixture *f = *state;
    f->trouble = REFUSE_THIRD;
    expect_failure(f, "queue is full");
    assert_non_null(strstr(f->err, "1 failed"));
    assert_non_null(strstr(f->err, "questions have no answer"));
    assert_in_range(f->infer_count, 3, 4); /* nothing is sent behind the failure */
}

static void test_dying_server(void **state) {
    struct fixture *f = *state;
    f->trouble = DIE_AT_THIRD;
    expect_failure(f, "the server closed the connection");
    assert_non_null(strstr(f->err, "no predictions were written"));
}

static void test_nonsense_answers(void **state) {
    struct fixture *f = *state;
    f->trouble = WRONG_SHAPE;
    expect_failure(f, "expected FP32 [");
    f->trouble = NOT_A_NUMBER;
    expect_failure(f, "q001-marathon");
}

static void test_another_kind_of_server(void **state) {
    struct fixture *f = *state;
    f->trouble = OTHER_SERVICE;
    expect_failure(f, "expected a KServe v2 server at ");
    assert_non_null(strstr(f->err, "it does not know the call: Not Found"));
}

static void test_usage(void **state) {
    struct fixture *f = *state;
    assert_int_equal(run_squad(f, NULL), 2);
    assert_non_null(strstr(f->err, "--data"));
    assert_int_equal(run_squad(f, "--data", f->data, "--btach-size", "8", NULL), 2);
    assert_non_null(strstr(f->err, "--batch-size"));
    assert_int_equal(run_squad(f, "--data", f->data, "--null-odds", "x", NULL), 2);
    assert_int_equal(run_squad(f, "--data", f->data, "--evaluate", "x", "--output-dir", "y", NULL), 2);
    assert_int_equal(run_squad(f, "--data", f->data, "--max-seq-length", "50", NULL), 2);
    assert_int_equal(run_squad(f, "--data", f->data, "--pad", "some", NULL), 2);
    static const char *const malformed[][2] = {
        {"--url", "localhost"},     {"--url", ""},   {"--url", "localhost:0"}, {"--url", "ftp://localhost:1"},
        {"--model-version", "abc"}, {"--model", ""},
    };
    for (size_t i = 0; i < sizeof malformed / sizeof malformed[0]; i++) {
        assert_int_equal(run_squad(f, "--data", f->data, malformed[i][0], malformed[i][1], NULL), 2);
        assert_non_null(strstr(f->err, malformed[i][0]));
    }
    assert_int_equal(run_squad(f, "--data", f->data, "--concurrency", "0", NULL), 2);
    assert_int_equal(run_squad(f, "--help", NULL), 0);
    assert_non_null(strstr(f->out, "INFERD_NULL_SCORE_DIFF_THRESHOLD"));
    assert_int_equal(run_squad(f, "--data", "/nonexistent", NULL), 1);
    assert_int_equal(run_squad(f, COMMON, "--batch-size", "17", NULL), 1);
    assert_non_null(strstr(f->err, "max_batch_size 16"));
}

/* No server is asked, so what is for asking is refused; the odds alone tell what a threshold decides. */
static void test_evaluate_takes_no_flag_in_vain(void **state) {
    struct fixture *f = *state;
    static const char *const flags[][2] = {
        {"--url", "localhost:1"},
        {"--protocol", "http"},
        {"--model", "bert"},
        {"--model-version", "1"},
        {"--wait-ready", "1"},
        {"--request-timeout", "1"},
        {"--vocab", "v"},
        {"--do-lower-case", "true"},
        {"--max-seq-length", "384"},
        {"--doc-stride", "128"},
        {"--max-query-length", "64"},
        {"--batch-size", "8"},
        {"--pad", "max"},
        {"--concurrency", "3"},
        {"--n-best-size", "20"},
        {"--max-answer-length", "30"},
        {"--output-dir", "d"},
        {"--tls-ca-file", "f"},
        {"--null-score-diff-threshold", "1"},
    };
    for (size_t i = 0; i < sizeof flags / sizeof flags[0]; i++) {
        assert_int_equal(run_squad(f, "--data", f->data, "--evaluate", "p", flags[i][0], flags[i][1], NULL), 2);
        assert_non_null(strstr(f->err, flags[i][0]));
    }
    setenv("INFERD_URL", "anything", 1); /* which is for all commands */
    assert_int_equal(run_squad(f, "--data", f->data, "--evaluate", "/nonexistent", NULL), 1);
    unsetenv("INFERD_URL");
}

/* The files of inferd serve: what the environment names does not keep us from a server without TLS. */
static void test_certificates_of_the_environment(void **state) {
    struct fixture *f = *state;
    setenv("INFERD_TLS_CERT_FILE", "c", 1);
    setenv("INFERD_TLS_KEY_FILE", "k", 1);
    assert_int_equal(run_squad(f, COMMON, NULL), 0);
    assert_int_equal(run_squad(f, COMMON, "--tls-cert-file", "c", NULL), 2);
    unsetenv("INFERD_TLS_CERT_FILE");
    unsetenv("INFERD_TLS_KEY_FILE");
}

/* Before anything is asked or read. */
static void test_where_json_cannot_go(void **state) {
    struct fixture *f = *state;
    char *nowhere = path_of(f, "none/scores.json");
    assert_int_equal(run_squad(f, COMMON, "--output-dir", path_of(f, "new"), "--json", nowhere, NULL), 1);
    assert_non_null(strstr(f->err, "--json: "));
    assert_non_null(strstr(f->err, nowhere));
    assert_int_equal(f->infer_count, 0);
    assert_int_equal(run_squad(f, COMMON, "--json", "-", NULL), 1);
    assert_int_equal(f->infer_count, 0);
    assert_int_equal(run_squad(f, "--data", f->data, "--evaluate", "/nonexistent", "--json", nowhere, NULL), 1);
    assert_non_null(strstr(f->err, nowhere));
}

static void test_the_address_is_told_once(void **state) {
    struct fixture *f = *state;
    f->trouble = SILENCE;
    assert_int_equal(run_squad(f, COMMON, "--concurrency", "2", "--request-timeout", "2", NULL), 1);
    assert_non_null(strstr(f->err, "no answer"));
    const char *last = strstr(f->err, "no predictions were written\n");
    assert_non_null(last);
    const char *first = strstr(last, f->server.url);
    assert_non_null(first);
    assert_null(strstr(first + 1, f->server.url));
}

#define WITH_FIXTURE(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void) {
    const struct CMUnitTest tests[] = {
        WITH_FIXTURE(test_same_answers_however_they_are_asked),
        WITH_FIXTURE(test_json_and_evaluate_agree),
        WITH_FIXTURE(test_refused_request),
        WITH_FIXTURE(test_dying_server),
        WITH_FIXTURE(test_nonsense_answers),
        WITH_FIXTURE(test_another_kind_of_server),
        WITH_FIXTURE(test_usage),
        WITH_FIXTURE(test_evaluate_takes_no_flag_in_vain),
        WITH_FIXTURE(test_certificates_of_the_environment),
        WITH_FIXTURE(test_where_json_cannot_go),
        WITH_FIXTURE(test_the_address_is_told_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
