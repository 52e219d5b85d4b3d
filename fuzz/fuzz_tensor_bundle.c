/* TensorFlow checkpoints: the index (a sorted string table) and a data file. Input: flags; then the index as it is, or
 * (flag 1) the entries of up to four data blocks and of the index block, around which right checksums are put, since no
 * mutation finds those. The data file is FUZZ_SHARD_BYTES zeroes. Holds: entries are sorted and unique, tensors lie
 * within the data file and can be read and verified. */
#include "checkpoint/tensor_bundle.h"
#include "fuzz_file.h"
#include "tests/unit/checkpoint/table_builder.h"

enum { FUZZ_SHARD_BYTES = 4096, BLOCKS_MAX = 4, FLAG_BUILD = 1, FLAG_RAW_INDEX = 2 };

/* A checkpoint's files: names in a folder that lead to files in memory. */
struct fuzz_bundle {
    char folder[64], prefix[80];
    struct fuzz_file index, shard;
};

static void link_as(const struct fuzz_bundle *bundle, const struct fuzz_file *file, const char *suffix) {
    char path[160];
    snprintf(path, sizeof path, "%s%s", bundle->prefix, suffix);
    FUZZ_CHECK(symlink(file->path, path) == 0);
}

static struct fuzz_bundle *the_bundle;

static void remove_bundle(void) {
    char path[160];
    snprintf(path, sizeof path, "%s.index", the_bundle->prefix);
    unlink(path);
    snprintf(path, sizeof path, "%s.data-00000-of-00001", the_bundle->prefix);
    unlink(path);
    rmdir(the_bundle->folder);
}

static void open_bundle(void) {
    static struct fuzz_bundle bundle = {.folder = "/tmp/inferd-fuzz-XXXXXX"};
    static const char zeroes[FUZZ_SHARD_BYTES];
    FUZZ_CHECK(mkdtemp(bundle.folder));
    snprintf(bundle.prefix, sizeof bundle.prefix, "%s/m", bundle.folder);
    bundle.index = fuzz_file_create();
    bundle.shard = fuzz_file_create();
    link_as(&bundle, &bundle.index, ".index");
    link_as(&bundle, &bundle.shard, ".data-00000-of-00001");
    fuzz_file_fill(&bundle.shard, (struct slice){zeroes, sizeof zeroes});
    the_bundle = &bundle;
    atexit(remove_bundle);
}

static void build_table(struct fuzz_input *input, bool raw_index, struct buf *file) {
    struct buf index = BUF_EMPTY, index_handle = BUF_EMPTY;
    size_t blocks = fuzz_byte(input) % (BLOCKS_MAX + 1);
    for (size_t i = 0; i < blocks; i++) {
        size_t size = fuzz_u16(input);
        struct buf handle = BUF_EMPTY;
        put_block(file, fuzz_take(input, size), 0, &handle);
        char key[] = {(char)('a' + i), 0};
        put_entry(&index, 0, (struct slice){key, 1}, buf_slice(&handle));
        buf_free(&handle);
    }
    put_block(file, raw_index ? fuzz_rest(input) : buf_slice(&index), 0, &index_handle);
    put_footer(file, buf_slice(&index_handle));
    buf_free(&index);
    buf_free(&index_handle);
}

static void check_tensors(const struct tensor_bundle *bundle) {
    struct weight_set set = tensor_bundle_tensors(bundle);
    for (size_t i = 0; i < set.count; i++) {
        const struct weight *tensor = &set.items[i];
        FUZZ_CHECK(weight_find(&set, tensor->name) == tensor);
        FUZZ_CHECK(tensor->bytes.size <= FUZZ_SHARD_BYTES);
        FUZZ_CHECK(tensor->rank >= 0 && tensor->rank <= WEIGHT_RANK_MAX);
        struct status status = tensor_bundle_verify(bundle, tensor);
        if (!status_is_ok(&status))
            fuzz_check_error(&status);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (!the_bundle)
        open_bundle();
    struct fuzz_input input = fuzz_input_on(data, size);
    uint8_t flags = fuzz_byte(&input);
    struct buf file = BUF_EMPTY;
    if (flags & FLAG_BUILD)
        build_table(&input, flags & FLAG_RAW_INDEX, &file);
    else
        buf_append_slice(&file, fuzz_rest(&input));
    fuzz_file_fill(&the_bundle->index, buf_slice(&file));
    buf_free(&file);
    struct tensor_bundle *bundle;
    struct status status = tensor_bundle_open(the_bundle->prefix, &bundle);
    if (status_is_ok(&status)) {
        check_tensors(bundle);
        tensor_bundle_close(bundle);
    } else {
        fuzz_check_error(&status);
    }
    return 0;
}
