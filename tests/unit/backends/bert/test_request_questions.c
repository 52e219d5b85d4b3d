/* Task question_answering: its answers are those of src/text on the logits that task span_logits gives, for one window
 * and for several, in batches and alone; its limits, and configs that are refused. */
#include "bert_fixture.h"

#include "backends/bert/question_settings.h"

#define PARAMETER(key, value) " parameters { key: \"" key "\" value { string_value: \"" value "\" } }"
#define QUESTIONS                                                                                                      \
    "backend: \"bert\" max_batch_size: 8" PARAMETER("task", "question_answering")                                      \
        PARAMETER("inference_precision", "fp32") PARAMETER("max_query_length", "8") PARAMETER("do_lower_case", "true")

static const char questions_config[] =
    QUESTIONS PARAMETER("max_seq_length", "24") PARAMETER("doc_stride", "5") PARAMETER("n_best", "20");

enum { TEXTS_MAX = 3, ROOM = 4096 };

static const char *const contexts[TEXTS_MAX] = {
    "it is in the h\xC3\xA4\xC3\xA4, who is it.",
    "a b c d e f g h i j k l m n o p q r s t u v w x y z the end is in z, a b c d e f g h i who j k l m n o.",
    "",
};
static const char *const questions[TEXTS_MAX] = {"who is it?", "who is in the end of it all is it a b c?", "is?"};

/* ---- requests ---- */

static void add_texts(struct infer_request *request, const char *name, const struct slice *texts, size_t rows) {
    struct tensor *tensor = &request->inputs[request->input_count++];
    *tensor = (struct tensor){.name = slice_of(name), .type = DATATYPE_BYTES, .rank = 2, .shape = {(int64_t)rows, 1}};
    size_t size = 0;
    for (size_t i = 0; i < rows; i++)
        size += 4 + texts[i].size;
    char *to = arena_alloc(request->arena, size);
    tensor->data = (struct slice){to, size};
    for (size_t i = 0; i < rows; i++) {
        uint32_t length = (uint32_t)texts[i].size;
        memcpy(to, &length, sizeof length);
        memcpy(to + 4, texts[i].data, length);
        to += 4 + length;
    }
}

static void ask(struct call *call, const struct slice *question, const struct slice *context, size_t rows) {
    call_begin(call, 2);
    add_texts(call->request, "question", question, rows);
    add_texts(call->request, "context", context, rows);
}

static void ask_text(struct call *call, const char *question, const char *context) {
    struct slice texts[2] = {slice_of(question), slice_of(context)};
    ask(call, &texts[0], &texts[1], 1);
}

static void set_n_best(struct call *call, struct infer_parameter parameter) {
    parameter.name = SLICE_LITERAL("n_best");
    call->request->parameters = arena_calloc(call->request->arena, 1, sizeof parameter);
    call->request->parameters[call->request->parameter_count++] = parameter;
}

/* ---- answers ---- */

struct told {
    struct slice text;
    float score;
    int32_t start, end;
};

static const struct tensor *output(const struct call *call, const char *name) {
    assert_string_equal(call->response->status.message, "");
    for (size_t i = 0; i < call->response->output_count; i++)
        if (slice_equal_text(call->response->outputs[i].name, name))
            return &call->response->outputs[i];
    fail_msg("no output %s", name);
    return NULL;
}

static struct told told(const struct call *call, size_t at) {
    struct told told;
    const char *text = output(call, "answer")->data.data;
    uint32_t length;
    for (size_t i = 0; i <= at; i++) {
        memcpy(&length, text, sizeof length);
        told.text = (struct slice){text + 4, length};
        text += 4 + length;
    }
    memcpy(&told.score, output(call, "score")->data.data + 4 * at, sizeof told.score);
    memcpy(&told.start, output(call, "start")->data.data + 4 * at, sizeof told.start);
    memcpy(&told.end, output(call, "end")->data.data + 4 * at, sizeof told.end);
    return told;
}

static void expect_equal(struct told got, struct told expected) {
    assert_true(slice_equal(got.text, expected.text));
    assert_true(got.score == expected.score);
    assert_int_equal(got.start, expected.start);
    assert_int_equal(got.end, expected.end);
}

/* ---- the same, by hand ---- */

/* The logits of a window, from a model of task span_logits. */
static void run_window(struct loaded *logits, const struct squad_windows *windows, const struct squad_window *window,
                       struct squad_logits *ret, struct arena *arena) {
    struct call call;
    uint32_t size = squad_window_size(window);
    const int64_t shape[] = {1, size};
    call_begin(&call, 2);
    squad_window_fill(windows, window, call.ids, call.segments);
    const int32_t *const numbers[] = {call.ids, call.segments};
    static const char *const names[] = {"input_ids", "segment_ids"};
    for (int i = 0; i < 2; i++) {
        struct tensor *tensor = &call.request->inputs[call.request->input_count++];
        *tensor = (struct tensor){.name = slice_of(names[i]), .type = DATATYPE_INT32, .rank = 2};
        memcpy(tensor->shape, shape, sizeof shape);
        tensor->data = (struct slice){(const char *)numbers[i], size * sizeof(int32_t)};
    }
    execute(logits, &call, 1);
    ret->start = (const float *)(const void *)arena_copy(arena, output(&call, "start_logits")->data).data;
    ret->end = (const float *)(const void *)arena_copy(arena, output(&call, "end_logits")->data).data;
    call_close(&call);
}

static void answer_by_hand(struct loaded *logits, size_t text, bool no_answer, struct arena *arena,
                           struct squad_answer *ret, size_t *ret_windows) {
    struct vocab *vocab;
    assert_good(vocab_load(arena, HF "/vocab.txt", &vocab));
    const struct wordpiece tokenizer = {vocab, NORMALIZER_UNCASED};
    const struct squad_window_config config = {24, 5, 8, 0};
    const struct squad_answer_config answers = {20, 30, no_answer, 0};
    const struct squad_paragraph paragraph = {
        .context = slice_of(contexts[text]), .first_question = 0, .question_count = 1};
    const struct squad_question question = {.id = SLICE_LITERAL("q"), .text = slice_of(questions[text])};
    const struct squad_dataset dataset = {
        .paragraphs = &paragraph, .paragraph_count = 1, .questions = &question, .question_count = 1};
    struct squad_windows windows;
    struct squad_logits rows[32];
    assert_good(squad_windows_create(arena, &tokenizer, &config, &dataset, &windows));
    assert_in_range(windows.window_count, 1, 32);
    for (size_t i = 0; i < windows.window_count; i++)
        run_window(logits, &windows, &windows.windows[i], &rows[i], arena);
    assert_good(squad_answer_question(&windows, 0, rows, &answers, arena, ret));
    *ret_windows = windows.window_count;
}

static void expect_by_hand(const struct call *call, size_t row, const struct squad_answer *answer,
                           const char *context) {
    assert_true(slice_equal(told(call, row * 20).text, answer->prediction));
    for (size_t i = 0; i < 20; i++) {
        struct told got = told(call, row * 20 + i);
        if (i >= answer->entry_count || answer->entries[i].text.size == 0) {
            assert_int_equal(got.text.size, 0);
            assert_int_equal(got.start, -1);
            assert_int_equal(got.end, -1);
            assert_true(got.score == (i < answer->entry_count ? (float)answer->entries[i].probability : 0));
            continue;
        }
        assert_true(slice_equal(got.text, answer->entries[i].text));
        assert_true(got.score == (float)answer->entries[i].probability);
        int32_t begin = 0, count = 0;
        for (const char *at = context; at[0] && begin < got.start; at++)
            begin += (at[1] & 0xC0) != 0x80; /* a character ends where the next begins */
        assert_int_equal(begin, got.start);
        for (size_t k = 0; k < got.text.size; k++)
            count += (got.text.data[k] & 0xC0) != 0x80;
        assert_int_equal(got.end, got.start + count);
    }
}

/* ---- tests ---- */

static void answers_as_the_text_code_does(const char *config, bool no_answer) {
    struct loaded loaded, logits;
    struct call calls[TEXTS_MAX];
    size_t windows, most_windows = 0;
    struct arena *arena = arena_create(0);
    assert_good(load(config, &loaded));
    assert_good(load(base_config, &logits));
    for (size_t i = 0; i < TEXTS_MAX; i++)
        ask_text(&calls[i], questions[i], contexts[i]);
    execute(&loaded, calls, TEXTS_MAX);
    for (size_t i = 0; i < TEXTS_MAX; i++) {
        struct squad_answer answer;
        answer_by_hand(&logits, i, no_answer, arena, &answer, &windows);
        most_windows = windows > most_windows ? windows : most_windows;
        assert_int_equal(output(&calls[i], "answer")->shape[0], 1);
        assert_int_equal(output(&calls[i], "answer")->shape[1], 20);
        expect_by_hand(&calls[i], 0, &answer, contexts[i]);
        call_close(&calls[i]);
    }
    assert_true(most_windows > 5);
    arena_destroy(arena);
    unload(&loaded);
    unload(&logits);
}

static void answers_as_inferd_squad(void **state) {
    (void)state;
    answers_as_the_text_code_does(questions_config, false);
}

static void answers_as_inferd_squad_2(void **state) {
    (void)state;
    answers_as_the_text_code_does(QUESTIONS PARAMETER("max_seq_length", "24") PARAMETER("doc_stride", "5")
                                      PARAMETER("n_best", "20") PARAMETER("allow_no_answer", "true"),
                                  true);
}

/* Rows of a request, and batches that are computed in several pieces, change nothing. */
static void rows_and_pieces_change_nothing(void **state) {
    (void)state;
    struct loaded whole, pieces;
    struct call alone, rows[2];
    struct slice question[TEXTS_MAX], context[TEXTS_MAX];
    assert_good(load(questions_config, &whole));
    assert_good(load(QUESTIONS PARAMETER("max_seq_length", "24") PARAMETER("doc_stride", "5") PARAMETER("n_best", "20")
                         PARAMETER("max_batch_tokens", "1"),
                     &pieces));
    for (size_t i = 0; i < TEXTS_MAX; i++) {
        question[i] = slice_of(questions[i]);
        context[i] = slice_of(contexts[i]);
    }
    ask(&rows[0], question, context, TEXTS_MAX);
    ask(&rows[1], question, context, TEXTS_MAX);
    execute(&pieces, rows, 2);
    assert_int_equal(rows[0].request->cost.items, TEXTS_MAX);
    assert_true(rows[0].request->cost.tokens > 24);
    for (size_t i = 0; i < TEXTS_MAX; i++) {
        ask_text(&alone, questions[i], contexts[i]);
        execute(&whole, &alone, 1);
        for (size_t k = 0; k < 20; k++) {
            expect_equal(told(&rows[0], i * 20 + k), told(&alone, k));
            expect_equal(told(&rows[1], i * 20 + k), told(&alone, k));
        }
        call_close(&alone);
    }
    call_close(&rows[0]);
    call_close(&rows[1]);
    unload(&whole);
    unload(&pieces);
}

static void tells_as_many_as_are_wanted(void **state) {
    (void)state;
    struct loaded loaded;
    struct call all, one, three, passed_on, wrong;
    assert_good(load(QUESTIONS, &loaded));
    ask_text(&all, questions[1], contexts[1]);
    set_n_best(&all, (struct infer_parameter){.kind = PARAMETER_UINT, .value.unsigned_integer = 20});
    ask_text(&one, questions[1], contexts[1]);
    ask_text(&three, questions[1], contexts[1]);
    set_n_best(&three, (struct infer_parameter){.kind = PARAMETER_INT, .value.integer = 3});
    execute(&loaded, &all, 1);
    execute(&loaded, &one, 1);
    execute(&loaded, &three, 1);
    ask_text(&passed_on, questions[1], contexts[1]); /* a header of that name asks for nothing */
    set_n_best(&passed_on,
               (struct infer_parameter){.kind = PARAMETER_STRING, .value.string = {"x", 1}, .forwarded = true});
    execute(&loaded, &passed_on, 1);
    assert_int_equal(output(&passed_on, "score")->shape[1], 1);
    call_close(&passed_on);
    assert_true(one.request->cost.tokens >= 3 && one.request->cost.tokens < 400);
    assert_int_equal(output(&one, "score")->shape[1], 1);
    assert_int_equal(output(&three, "score")->shape[1], 3);
    expect_equal(told(&one, 0), told(&all, 0));
    for (size_t i = 0; i < 3; i++)
        expect_equal(told(&three, i), told(&all, i));
    const struct infer_parameter bad[] = {
        {.kind = PARAMETER_INT, .value.integer = 0},
        {.kind = PARAMETER_INT, .value.integer = -1},
        {.kind = PARAMETER_UINT, .value.unsigned_integer = 21},
        {.kind = PARAMETER_DOUBLE, .value.real = 3},
        {.kind = PARAMETER_STRING, .value.string = {"3", 1}},
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        ask_text(&wrong, questions[1], contexts[1]);
        set_n_best(&wrong, bad[i]);
        execute(&loaded, &wrong, 1);
        assert_error(wrong.response->status, "n_best: expected a whole number of 1..20");
        call_close(&wrong);
    }
    call_close(&all);
    call_close(&one);
    call_close(&three);
    unload(&loaded);
}

static void refuses_what_is_too_much(void **state) {
    (void)state;
    struct loaded loaded;
    struct call calls[5];
    struct arena *arena = arena_create(0);
    char *words = arena_alloc(arena, QUESTION_CONTEXT_BYTES_MAX + 2);
    for (size_t i = 0; i < QUESTION_CONTEXT_BYTES_MAX + 1; i++)
        words[i] = i % 2 ? ' ' : 'a';
    const struct slice question = slice_of("who is it?"), bad = {"is \xFF it", 7};
    const struct slice sizes[] = {{words, QUESTION_CONTEXT_BYTES_MAX + 1}, {words, QUESTION_TEXT_BYTES_MAX + 1}};
    const struct slice many = {words, 400}; /* 200 tokens */
    assert_good(load(QUESTIONS PARAMETER("max_seq_length", "24") PARAMETER("max_windows", "16"), &loaded));
    ask(&calls[0], &question, &sizes[0], 1);
    ask(&calls[1], &sizes[1], &many, 1);
    ask(&calls[2], &question, &bad, 1);
    ask(&calls[3], &question, &many, 1);
    ask_text(&calls[4], "who?", "it is the end");
    execute(&loaded, calls, 5);
    assert_int_equal(calls[0].response->status.code, STATUS_TOO_LARGE);
    assert_non_null(strstr(calls[0].response->status.message, "context 0: expected at most 1048576 bytes"));
    assert_int_equal(calls[1].response->status.code, STATUS_TOO_LARGE);
    assert_non_null(strstr(calls[1].response->status.message, "question 0: expected at most 65536 bytes"));
    assert_error(calls[2].response->status, "context 0: the text is not valid UTF-8");
    assert_string_equal(calls[3].response->status.message, "");
    assert_true(told(&calls[4], 0).text.size > 0);
    for (int i = 0; i < 5; i++)
        call_close(&calls[i]);
    const struct slice more = {words, 1000};
    ask(&calls[0], &question, &more, 1);
    execute(&loaded, calls, 1);
    assert_int_equal(calls[0].response->status.code, STATUS_TOO_LARGE);
    assert_non_null(strstr(calls[0].response->status.message, "more than 16 windows"));
    call_close(&calls[0]);
    arena_destroy(arena);
    unload(&loaded);
}

/* One token, however long: it stands in each of the best answers. */
static void refuses_answers_that_are_too_long(void **state) {
    (void)state;
    struct loaded loaded;
    struct call call;
    struct arena *arena = arena_create(0);
    char *word = arena_alloc(arena, QUESTION_CONTEXT_BYTES_MAX);
    memset(word, 'b', QUESTION_CONTEXT_BYTES_MAX);
    memcpy(word, "it was ", 7);
    memcpy(word + QUESTION_CONTEXT_BYTES_MAX - 9, " of the a", 9);
    const struct slice question = slice_of("who is it?"), context = {word, QUESTION_CONTEXT_BYTES_MAX};
    assert_good(load(QUESTIONS PARAMETER("n_best", "20"), &loaded));
    ask(&call, &question, &context, 1);
    execute(&loaded, &call, 1);
    assert_int_equal(call.response->status.code, STATUS_TOO_LARGE);
    assert_non_null(strstr(call.response->status.message, "at most 1048576 are given; ask for fewer (n_best)"));
    assert_int_equal(call.response->output_count, 0);
    call_close(&call);
    arena_destroy(arena);
    unload(&loaded);
}

static void refuses_wrong_settings(void **state) {
    (void)state;
    static const struct {
        const char *config, *text;
    } rows[] = {
        {PARAMETER("n_best", "21"), "n_best must be 1 to 20, got '21'"},
        {PARAMETER("max_seq_length", "49"), "max_seq_length must be 1 to 48, got '49'"},
        {PARAMETER("max_seq_length", "11"), "leaves no room for the paragraph"},
        {PARAMETER("doc_stride", "0"), "doc_stride must be 1 to"},
        {PARAMETER("max_windows", "5000"), "max_windows must be 1 to 4096"},
        {PARAMETER("allow_no_answer", "yes"), "allow_no_answer must be true or false, got 'yes'"},
        {PARAMETER("strip_accents", "maybe"), "strip_accents must be true or false, got 'maybe'"},
        {PARAMETER("tokenize_chinese_chars", "0"), "tokenize_chinese_chars must be true or false, got '0'"},
        {PARAMETER("n_bset", "2"), "did you mean 'n_best'?"},
        {"input [ { name: \"question\" data_type: TYPE_STRING dims: [ 1 ] } ]", "needs an input 'context'"},
        {"input [ { name: \"question\" data_type: TYPE_STRING dims: [ -1 ] } ]", "TYPE_STRING with dims [ 1 ]"},
        {"output [ { name: \"answer\" data_type: TYPE_STRING dims: [ 5 ] } ]", "TYPE_STRING with dims [ -1 ]"},
        {"output [ { name: \"start_logits\" data_type: TYPE_FP32 dims: [ -1 ] } ]", "has no output 'start_logits'"},
    };
    struct loaded loaded;
    char config[1024];
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        snprintf(config, sizeof config, "%s%s", QUESTIONS, rows[i].config);
        assert_error(load(config, &loaded), rows[i].text);
    }
    struct status status = load(QUESTIONS PARAMETER("vocab_hash", "0123456789abcdef"), &loaded);
    assert_int_equal(status.code, STATUS_FAILED_PRECONDITION);
    assert_non_null(strstr(status.message, "parameter vocab_hash is '0123456789abcdef'"));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(refuses_answers_that_are_too_long),
        cmocka_unit_test(answers_as_inferd_squad),
        cmocka_unit_test(answers_as_inferd_squad_2),
        cmocka_unit_test(rows_and_pieces_change_nothing),
        cmocka_unit_test(tells_as_many_as_are_wanted),
        cmocka_unit_test(refuses_what_is_too_much),
        cmocka_unit_test(refuses_wrong_settings),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
