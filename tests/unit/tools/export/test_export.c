/* The whole command in process: what it writes, what it says, how it exits. */
#include "tools/export/export.h"

#include <fcntl.h>
#include <unistd.h>

#include "../../checkpoint/scratch.h"
#include "text/vocab.h"

#define TF "tests/fixtures/tf_checkpoint"
#define HF "tests/fixtures/hf_checkpoint"

/* Exit status and both outputs of a run. */
struct outcome {
    int status;
    struct buf out, err; /* NUL-terminated */
};

static int redirect(int fd, const char *path) {
    int kept = dup(fd), file = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    assert_true(kept >= 0 && file >= 0 && dup2(file, fd) == fd);
    close(file);
    return kept;
}

static void restore(int fd, int kept, const char *path, struct buf *ret) {
    assert_int_equal(dup2(kept, fd), fd);
    close(kept);
    expect_ok(file_read(path, 1 << 20, ret));
    buf_append_char(ret, '\0');
}

/* Runs `inferd export` with the words of a command line ("@" in a word is the scratch folder). */
static struct outcome run(struct scratch *scratch, const char *line) {
    struct outcome outcome = {0, BUF_EMPTY, BUF_EMPTY};
    char text[1024] = "", *argv[32], out_path[128], err_path[128];
    int argc = 0;
    for (const char *at = line; *at; at++) {
        size_t used = strlen(text);
        snprintf(text + used, sizeof text - used, *at == '@' ? "%s" : "%.1s", *at == '@' ? scratch->folder : at);
    }
    argv[argc++] = (char[]){"export"};
    for (char *word = text; word; argc++) {
        char *space = strchr(word, ' ');
        if (space)
            *space = '\0';
        argv[argc] = word;
        word = space ? space + 1 : NULL;
    }
    argv[argc] = NULL;
    snprintf(out_path, sizeof out_path, "%s/out", scratch->folder);
    snprintf(err_path, sizeof err_path, "%s/err", scratch->folder);
    fflush(stdout);
    int kept_out = redirect(1, out_path), kept_err = redirect(2, err_path);
    outcome.status = export_main(argc, argv);
    fflush(stdout);
    fflush(stderr);
    restore(1, kept_out, out_path, &outcome.out);
    restore(2, kept_err, err_path, &outcome.err);
    return outcome;
}

static void expect_run(struct scratch *scratch, const char *line, int status, const char *part) {
    struct outcome outcome = run(scratch, line);
    const char *text = status == 0 ? outcome.out.data : outcome.err.data;
    if (outcome.status != status || !strstr(text, part))
        print_error("%s\nexit %d, expected %d and \"%s\"\n%s%s", line, outcome.status, status, part, outcome.out.data,
                    outcome.err.data);
    assert_int_equal(outcome.status, status);
    assert_non_null(strstr(text, part));
    if (status == 0)
        assert_string_equal(outcome.err.data, "");
    buf_free(&outcome.out);
    buf_free(&outcome.err);
}

static void expect_in_file(struct scratch *scratch, const char *name, const char *part, bool there) {
    struct buf content = BUF_EMPTY;
    expect_ok(file_read(scratch_path(scratch, name), 1 << 20, &content));
    buf_append_char(&content, '\0');
    if (!strstr(content.data, part) != !there)
        print_error("%s: \"%s\" %s\n", name, part, there ? "is missing" : "should not be there");
    assert_int_equal(strstr(content.data, part) != NULL, there);
    buf_free(&content);
}

/* The hash that the configuration must show for a vocabulary. */
static void vocab_line(const char *path, char *text, size_t size) {
    struct arena *arena = arena_create(0);
    struct vocab *vocab;
    char hash[VOCAB_HASH_TEXT_SIZE];
    expect_ok(path ? vocab_load(arena, path, &vocab) : vocab_open_embedded(arena, &vocab));
    vocab_hash_text(vocab, hash);
    snprintf(text, size, "key: \"vocab_hash\" value { string_value: \"%s\" }", hash);
    arena_destroy(arena);
}

static void both_formats_of_both_families(void **state) {
    (void)state;
    struct scratch s = scratch_create();
    char hash[128];
    vocab_line(TF "/vocab.txt", hash, sizeof hash);
    expect_run(&s, "--checkpoint " TF " --model-repository @/r --model a --max-seq-length 48 --format onnx", 0,
               "2 layers, hidden size 32, 4 heads, vocabulary 64: 20866 parameters");
    assert_true(file_exists(scratch_path(&s, "r/a/1/model.onnx")));
    expect_in_file(&s, "r/a/config.pbtxt", "platform: \"onnxruntime_onnx\"", true);
    expect_in_file(&s, "r/a/config.pbtxt", hash, true);
    expect_in_file(&s, "r/a/config.pbtxt", "\"do_lower_case\" value { string_value: \"true\" }",
                   true); /* by vocab.txt */
    expect_in_file(&s, "r/a/config.pbtxt", "dynamic_batching", false);
    expect_in_file(&s, "r/a/config.pbtxt", "instance_group", false);
    expect_run(&s,
               "--checkpoint=" HF
               " --model-store=@/r --model=b --max-seq-length=20 --format=savedmodel --precision=bf16 "
               "--max-batch-size=5 --dynamic-batching-delay=0.5 --instances=3 --model-version=12",
               0, "r/b/12/model.savedmodel/saved_model.pb");
    assert_true(file_exists(scratch_path(&s, "r/b/12/model.savedmodel/saved_model.pb")));
    expect_in_file(&s, "r/b/config.pbtxt", "platform: \"tensorflow_savedmodel\"", true);
    expect_in_file(&s, "r/b/config.pbtxt", "preferred_batch_size: [ 2, 5 ]\n  max_queue_delay_microseconds: 500\n",
                   true);
    expect_in_file(&s, "r/b/config.pbtxt", "count: 3", true);
    expect_in_file(&s, "r/b/config.pbtxt", "\"inference_precision\" value { string_value: \"bf16\" }", true);
    expect_in_file(&s, "r/b/config.pbtxt", "\"max_seq_length\" value { string_value: \"20\" }", true);
    expect_in_file(&s, "r/b/config.pbtxt", "\"do_lower_case\" value { string_value: \"false\" }", true);
    scratch_remove(&s);
}

/* What is for GPUs gets batches that fill one; who says nothing leaves it to the server. */
static void kinds_of_instances(void **state) {
    (void)state;
    static const struct {
        const char *options, *text;
    } rows[] = {
        {"--precision auto", "max_batch_size: 8\n"},
        {"--instances 2", "count: 2\n    kind: KIND_CPU\n"},
        {"--instances 2 --precision fp8", "count: 2\n    kind: KIND_GPU\n"},
        {"--precision fp16", "max_batch_size: 256\n"},
        {"--precision fp16 --max-batch-size 9", "max_batch_size: 9\n"},
        {"--instance-kind gpu", "max_batch_size: 256\n"},
        {"--instance-kind gpu", "instance_group [\n  {\n    kind: KIND_GPU\n  }\n]\n"},
        {"--instance-kind cpu", "instance_group [\n  {\n    kind: KIND_CPU\n  }\n]\n"},
        {"--instance-kind auto --instances 3", "count: 3\n    kind: KIND_AUTO\n"},
        {"--instance-kind auto --instances 3", "max_batch_size: 8\n"},
    };
    struct scratch s = scratch_create();
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char line[256];
        snprintf(line, sizeof line, "--checkpoint " TF " --model-repository @/r --model m%zu --max-seq-length 48 %s", i,
                 rows[i].options);
        expect_run(&s, line, 0, "wrote");
        snprintf(line, sizeof line, "r/m%zu/config.pbtxt", i);
        expect_in_file(&s, line, rows[i].text, true);
    }
    scratch_remove(&s);
}

static void delays(void **state) {
    (void)state;
    static const struct {
        const char *delay, *line; /* line NULL: no dynamic batching */
    } rows[] = {{"0", NULL}, {"-1", NULL}, {"0.0001", "microseconds: 1\n"}, {"2.5", "microseconds: 2500\n"}};
    struct scratch s = scratch_create();
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char line[256];
        snprintf(line, sizeof line,
                 "--checkpoint " TF " --model-repository @/r --model m%zu --max-seq-length 48 --format onnx "
                 "--dynamic-batching-delay %s",
                 i, rows[i].delay);
        expect_run(&s, line, 0, "wrote");
        snprintf(line, sizeof line, "r/m%zu/config.pbtxt", i);
        expect_in_file(&s, line, rows[i].line ? rows[i].line : "dynamic_batching", rows[i].line != NULL);
    }
    /* Format bert, the default, joins what waits. */
    expect_run(&s, "--checkpoint " TF " --model-repository @/r --model b --max-seq-length 48", 0, "model.safetensors");
    expect_in_file(&s, "r/b/config.pbtxt", "dynamic_batching {\n}\n", true);
    scratch_remove(&s);
}

static void overwriting(void **state) {
    (void)state;
    struct scratch s = scratch_create();
    const char *plain = "--checkpoint " TF " --model-repository @/r --model a --max-seq-length 48";
    expect_run(&s, plain, 0, "wrote");
    expect_run(&s, plain, 1, "r/a/1 exists; give --overwrite to replace it");
    expect_run(&s, "--checkpoint " TF " --model-repository @/r --model a --max-seq-length 48 --overwrite", 0, "wrote");
    expect_run(&s, "--checkpoint " TF " --model-repository @/r --model a --max-seq-length 48 --model-version 2", 0,
               "wrote");
    expect_run(&s, "--checkpoint " TF " --model-repository @/r --model a --max-seq-length 40 --model-version 3", 1,
               "config.pbtxt:43: the model's configuration has");
    assert_false(file_exists(scratch_path(&s, "r/a/3")));
    expect_run(&s,
               "--checkpoint " TF
               " --model-repository @/r --model a --max-seq-length 40 --model-version 3 --overwrite true",
               0, "wrote");
    expect_in_file(&s, "r/a/config.pbtxt", "string_value: \"40\"", true);
    scratch_remove(&s);
}

static void random_weights(void **state) {
    (void)state;
    struct scratch s = scratch_create();
    char hash[128];
    expect_run(&s,
               "--checkpoint random:3 --bert-config " TF "/bert_config.json --model-repository @/r --model a "
               "--max-seq-length 48",
               0, "random:3 (random weights)");
    scratch_write(&s, "odd.json",
                  SLICE_LITERAL("{\"vocab_size\":99,\"hidden_size\":8,\"num_hidden_layers\":1,"
                                "\"num_attention_heads\":2,\"intermediate_size\":8}"));
    expect_run(&s, "--checkpoint random:3 --bert-config @/odd.json --model-repository @/r --model b", 0, "wrote");
    expect_in_file(&s, "r/b/config.pbtxt", "vocab_hash", false);
    scratch_write(&s, "usual.json",
                  SLICE_LITERAL("{\"vocab_size\":30522,\"hidden_size\":8,\"num_hidden_layers\":1,"
                                "\"num_attention_heads\":2,\"intermediate_size\":8}"));
    expect_run(&s, "--checkpoint random:3 --bert-config @/usual.json --model-repository @/r --model c", 0, "wrote");
    vocab_line(NULL, hash, sizeof hash);
    expect_in_file(&s, "r/c/config.pbtxt", hash, true);
    scratch_remove(&s);
}

static void expect_link(struct scratch *scratch, const char *name, const char *target) {
    char text[256];
    ssize_t size = readlink(scratch_path(scratch, name), text, sizeof text - 1);
    assert_true(size > 0);
    text[size] = '\0';
    assert_string_equal(text, target);
}

/* Configurations for random weights: the compiled-in vocabulary fits the first only. */
static void write_shapes(struct scratch *s) {
    scratch_write(s, "usual.json",
                  SLICE_LITERAL("{\"vocab_size\":30522,\"hidden_size\":8,\"num_hidden_layers\":1,"
                                "\"num_attention_heads\":2,\"intermediate_size\":8}"));
    scratch_write(s, "odd.json",
                  SLICE_LITERAL("{\"vocab_size\":99,\"hidden_size\":8,\"num_hidden_layers\":1,"
                                "\"num_attention_heads\":2,\"intermediate_size\":8}"));
}

#define BERT "--checkpoint random:3 --model-repository @/r "

/* The bert format has a second model, on the first one's files. */
static void questions_beside_logits(void **state) {
    (void)state;
    struct scratch s = scratch_create();
    char hash[128];
    write_shapes(&s);
    expect_run(&s, BERT "--bert-config @/usual.json --model a --model-version 7", 0,
               "/r/a-qa: question and context in");
    expect_link(&s, "r/a-qa/7/model.safetensors", "../../a/7/model.safetensors");
    expect_link(&s, "r/a-qa/7/config.json", "../../a/7/config.json");
    assert_true(file_exists(scratch_path(&s, "r/a-qa/7/model.safetensors")));
    vocab_line(NULL, hash, sizeof hash);
    expect_in_file(&s, "r/a-qa/config.pbtxt", hash, true);
    expect_in_file(&s, "r/a-qa/config.pbtxt", "\"task\" value { string_value: \"question_answering\" }", true);
    expect_in_file(&s, "r/a-qa/7/vocab.txt", "\n[CLS]\n", true);
    expect_in_file(&s, "r/a/config.pbtxt", "question", false);
    expect_run(&s, BERT "--bert-config @/usual.json --model a --model-version 7 --overwrite", 0, "a-qa");
    /* Nothing is written when the second model is there alone. */
    expect_ok(file_remove_tree(scratch_path(&s, "r/a")));
    expect_run(&s, BERT "--bert-config @/usual.json --model a --model-version 7", 1, "/r/a-qa/7 exists");
    assert_false(file_exists(scratch_path(&s, "r/a")));
    expect_run(&s, BERT "--bert-config @/usual.json --model b --max-seq-length 67", 0, "no b-qa");
    expect_run(&s, BERT "--bert-config @/odd.json --model c", 0,
               "no c-qa, which would take questions: there is no voc");
    assert_false(file_exists(scratch_path(&s, "r/b-qa")) || file_exists(scratch_path(&s, "r/c-qa")));
    scratch_remove(&s);
}

/* What takes questions goes with the weights that it links to, where none is written in its place. */
static void questions_without_weights(void **state) {
    (void)state;
    static const char *const others[] = {
        "--checkpoint " TF " --max-seq-length 48 --format onnx",
        "--checkpoint tests/fixtures/hf_classifier --max-seq-length 48",
        "--checkpoint random:3 --bert-config @/odd.json",
        "--checkpoint random:3 --bert-config @/usual.json --max-seq-length 67",
    };
    struct scratch s = scratch_create();
    char line[256];
    write_shapes(&s);
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) {
        snprintf(line, sizeof line, BERT "--bert-config @/usual.json --model m%zu", i);
        expect_run(&s, line, 0, "-qa: question");
        snprintf(line, sizeof line, "%s --model-repository @/r --model m%zu --overwrite", others[i], i);
        expect_run(&s, line, 0, "-qa, which took questions on the weights that were here");
        snprintf(line, sizeof line, "r/m%zu-qa", i);
        assert_false(file_exists(scratch_path(&s, line)));
    }
    expect_run(
        &s, "--checkpoint tests/fixtures/hf_classifier --model-repository @/r --model head --max-seq-length 48", 0,
        "no head-qa, which would take questions: the checkpoint has no question-answering head, but a classifier");
    /* Another version stays, on weights that stay; and what is not there is not taken away. */
    expect_run(&s, BERT "--bert-config @/usual.json --model two", 0, "two-qa");
    expect_run(&s, BERT "--bert-config @/usual.json --model two --model-version 2", 0, "two-qa");
    expect_run(&s, BERT "--bert-config @/odd.json --model two --overwrite", 0, "removed");
    assert_false(file_exists(scratch_path(&s, "r/two-qa/1")));
    expect_link(&s, "r/two-qa/2/model.safetensors", "../../two/2/model.safetensors");
    expect_run(&s, BERT "--bert-config @/odd.json --model two --overwrite", 0, "no two-qa");
    assert_true(file_exists(scratch_path(&s, "r/two-qa/2/vocab.txt")));
    /* Weights of another vocabulary do not slip in under an old one. */
    expect_ok(file_remove_tree(scratch_path(&s, "r/two/2")));
    expect_run(&s, BERT "--bert-config @/odd.json --model two --model-version 2", 1, "two-qa/2 exists");
    assert_false(file_exists(scratch_path(&s, "r/two/2")));
    scratch_remove(&s);
}

/* A model that only has the name is left as it is, and what is said does not offer to replace it. */
static void questions_of_others(void **state) {
    (void)state;
    static const struct {
        const char *file, *line; /* below the repository; of an export */
    } rows[] = {
        {"a-qa/1/model.safetensors", "--model a"},
        {"b-qa/2/model.safetensors", "--model b"},
        {"c-qa/config.pbtxt", "--model c"},
        {"d-qa", "--model d"},
    };
    static const char *const ways[] = {"", " --overwrite"};
    struct scratch s = scratch_create();
    char line[256];
    write_shapes(&s);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char path[64];
        snprintf(path, sizeof path, "r/%s", rows[i].file);
        char *slash = strrchr(path, '/');
        *slash = '\0';
        expect_ok(file_make_directories(scratch_path(&s, path)));
        *slash = '/';
        scratch_write(&s, path, SLICE_LITERAL("mine"));
        for (size_t j = 0; j < sizeof ways / sizeof ways[0]; j++) {
            snprintf(line, sizeof line, BERT "--bert-config @/usual.json %s%s", rows[i].line, ways[j]);
            expect_run(&s, line, 0, "-qa, which would take questions: another model, whose weights are not links");
            expect_in_file(&s, path, "mine", true);
        }
        snprintf(line, sizeof line, BERT "--bert-config @/odd.json %s --overwrite", rows[i].line);
        expect_run(&s, line, 0, "there is no vocabulary");
        expect_in_file(&s, path, "mine", true);
    }
    assert_false(file_exists(scratch_path(&s, "r/b-qa/1")));
    /* A link to other weights is no link of an export. */
    expect_ok(file_make_directories(scratch_path(&s, "r/e-qa/1")));
    assert_int_equal(symlink("../../e/1/model.safetensors.old", scratch_path(&s, "r/e-qa/1/model.safetensors")), 0);
    expect_run(&s, BERT "--bert-config @/usual.json --model e --overwrite", 0, "another model");
    expect_link(&s, "r/e-qa/1/model.safetensors", "../../e/1/model.safetensors.old");
    scratch_remove(&s);
}

/* A folder's name has 255 bytes: the model's may, and that with -qa behind it is no reason to refuse. */
static void long_names(void **state) {
    (void)state;
    static const struct {
        int size;
        const char *said;
    } rows[] = {
        {252, "-qa: question and context in"},
        {253, "-qa, which would take questions: a model's name has at most 255 bytes"},
        {255, "-qa, which would take questions: a model's name has at most 255 bytes"},
    };
    struct scratch s = scratch_create();
    write_shapes(&s);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char name[256], line[512];
        memset(name, 'n', sizeof name);
        name[rows[i].size] = '\0';
        for (int j = 0; j < 2; j++) {
            snprintf(line, sizeof line, BERT "--bert-config @/usual.json --model %s%s", name, j ? " --overwrite" : "");
            expect_run(&s, line, 0, rows[i].said);
            snprintf(line, sizeof line, "r/%s/1/model.safetensors", name);
            assert_true(file_exists(scratch_path(&s, line)));
        }
    }
    scratch_remove(&s);
}

/* The vocabulary decides on casing where the checkpoint does not. */
static void vocabularies(void **state) {
    (void)state;
    struct scratch s = scratch_create();
    scratch_write(&s, "cased.txt", SLICE_LITERAL("[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\nParis\nparis\n"));
    scratch_write(&s, "lower.txt", SLICE_LITERAL("[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\nparis\n"));
    scratch_write(&s, "broken.txt", SLICE_LITERAL("paris\n"));
    const char *start = "--checkpoint " TF " --model-repository @/r --max-seq-length 48";
    char line[256];
    snprintf(line, sizeof line, "%s --model a --vocab @/cased.txt", start);
    expect_run(&s, line, 0, "wrote");
    expect_in_file(&s, "r/a/config.pbtxt", "\"do_lower_case\" value { string_value: \"false\" }", true);
    snprintf(line, sizeof line, "%s --model b --vocab @/lower.txt", start);
    expect_run(&s, line, 0, "wrote");
    expect_in_file(&s, "r/b/config.pbtxt", "\"do_lower_case\" value { string_value: \"true\" }", true);
    snprintf(line, sizeof line, "%s --model c --vocab @/broken.txt", start);
    expect_run(&s, line, 1, "broken.txt");
    snprintf(line, sizeof line, "%s --model c --vocab @/none.txt", start);
    expect_run(&s, line, 1, "none.txt");
    struct buf many = BUF_EMPTY;
    buf_append_text(&many, "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\n");
    for (int i = 0; i < 60; i++)
        buf_printf(&many, "t%d\n", i);
    scratch_write(&s, "many.txt", buf_slice(&many));
    buf_free(&many);
    snprintf(line, sizeof line, "%s --model c --vocab @/many.txt", start);
    expect_run(&s, line, 1, "has 65 tokens, but the model has word embeddings for 64");
    assert_false(file_exists(scratch_path(&s, "r/c")));
    scratch_remove(&s);
}

static void missing_vocabulary(void **state) {
    (void)state;
    struct scratch s = scratch_create();
    scratch_copy(&s, "model.safetensors", HF "/model.safetensors");
    scratch_copy(&s, "config.json", HF "/config.json");
    expect_run(&s, "--checkpoint @ --model-repository @/r --model a --max-seq-length 48", 1, "give --vocab FILE");
    scratch_remove(&s);
}

static char *read_text(struct scratch *s, const char *name) {
    struct buf text = BUF_EMPTY;
    size_t size;
    expect_ok(file_read(scratch_path(s, name), 1 << 20, &text));
    buf_append_char(&text, '\0');
    return buf_detach(&text, &size);
}

/* Without a question-answering head: the engine serves the heads that there are, and the other formats have none. */
static void other_heads(void **state) {
    (void)state;
    static const char common[] =
        "--checkpoint tests/fixtures/hf_classifier --model-repository @/r --max-seq-length 48 ";
    static const char *const others[] = {"--model a --format onnx", "--model a --format savedmodel"};
    struct scratch s = scratch_create();
    char line[256];
    for (size_t i = 0; i < 2; i++) {
        snprintf(line, sizeof line, "%s%s", common, others[i]);
        expect_run(&s, line, 1, "this model has no question-answering head: fine-tune it on SQuAD first");
    }
    snprintf(line, sizeof line, "%s--model classes --format bert", common);
    expect_run(&s, line, 0, "wrote");
    assert_false(file_exists(scratch_path(&s, "r/classes-qa")));
    char *config = read_text(&s, "r/classes/config.pbtxt"), *shape = read_text(&s, "r/classes/1/config.json");
    assert_non_null(strstr(config, "name: \"logits\"\n    data_type: TYPE_FP32\n    dims: [ 3 ]"));
    assert_non_null(strstr(config, "key: \"task\" value { string_value: \"classification\" }"));
    assert_null(strstr(config, "start_logits"));
    assert_non_null(strstr(shape, "BertForSequenceClassification"));
    free(config);
    free(shape);
    scratch_remove(&s);
}

static void wrong_usage(void **state) {
    (void)state;
    static const struct {
        const char *line;
        int status;
        const char *part;
    } rows[] = {
        {"--help", 0, "--dynamic-batching-delay MS"},
        {"--model a --model-repository @/r", 2, "--checkpoint is missing"},
        {"--checkpoint " TF " --model-repository @/r", 2, "--model is missing"},
        {"--checkpoint " TF " --model a", 2, "--model-repository is missing"},
        {"--checkpoint " TF " --model a --model-repository @/r --fromat onnx", 2, "did you mean --format?"},
        {"--checkpoint " TF " --model a --model-repository @/r --format tflite", 2,
         "expected one of bert|onnx|savedmodel"},
        {"--checkpoint " TF " --model a --model-repository @/r --precision fp4", 2,
         "expected one of auto|fp32|bf16|int8|fp16|fp8"},
        {"--checkpoint " TF " --model a --model-repository @/r --precision fp16 --format savedmodel", 2,
         "--precision fp16 is for --format bert"},
        {"--checkpoint " TF " --model a --model-repository @/r --precision int8 --format onnx", 2,
         "--precision int8 is for --format bert"},
        {"--checkpoint " TF " --model a --model-repository @/r --instance-kind gpu --format onnx", 2,
         "--instance-kind gpu is for --format bert"},
        {"--checkpoint " TF " --model a --model-repository @/r --instance-kind cpu --precision fp8", 2,
         "no CPU computes in fp8"},
        {"--checkpoint " TF " --model a --model-repository @/r --max-batch-size 0", 2, "from 1 to 65536"},
        {"--checkpoint " TF " --model a --model-repository @/r --model-version 0", 2, "from 1 to"},
        {"--checkpoint " TF " --model a --model-repository @/r --instances 0", 2, "from 1 to 1024"},
        {"--checkpoint " TF " --model a --model-repository @/r --dynamic-batching-delay soon", 2, "expected a number"},
        {"--checkpoint " TF " --model a --model-repository @/r surplus", 2, "unexpected argument"},
        {"--checkpoint " TF " --model a --model-repository @/r", 1,
         "--max-seq-length 384 is longer than the model's 48"},
        {"--checkpoint @/none --model a --model-repository @/r", 1, "there is no checkpoint"},
        {"--checkpoint " TF " --model .. --model-repository @/r", 2, "cannot be a model's name"},
        {"--checkpoint " TF " --model .b --model-repository @/r", 2, "cannot be a model's name"},
        {"--checkpoint " TF " --model a/b --model-repository @/r", 2, "cannot be a model's name"},
    };
    struct scratch s = scratch_create();
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        expect_run(&s, rows[i].line, rows[i].status, rows[i].part);
    assert_false(file_exists(scratch_path(&s, "r/a")));
    scratch_remove(&s);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(both_formats_of_both_families),
        cmocka_unit_test(kinds_of_instances),
        cmocka_unit_test(delays),
        cmocka_unit_test(overwriting),
        cmocka_unit_test(random_weights),
        cmocka_unit_test(questions_beside_logits),
        cmocka_unit_test(questions_without_weights),
        cmocka_unit_test(questions_of_others),
        cmocka_unit_test(long_names),
        cmocka_unit_test(vocabularies),
        cmocka_unit_test(missing_vocabulary),
        cmocka_unit_test(other_heads),
        cmocka_unit_test(wrong_usage),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
