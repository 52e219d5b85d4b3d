/* Inferences as TRTIS v1 words them. Input: a byte that chooses the model and whether the header is text (as over HTTP)
 * or protobuf (as over gRPC), the header's size (two bytes), the header, and the bytes of the tensors behind it. Holds:
 * what is taken is described back with the batch size and id that were asked for, one raw part for each output, and in
 * a text form that reads back as the same; errors are errors. */
#include <pthread.h>
#include <sys/stat.h>
#include <unistd.h>

#include "api/v1_infer.h"
#include "backends/identity/identity.h"
#include "base/file.h"
#include "codec/pb_text.h"
#include "codec/pb_text_write.h"
#include "core/inference_server.h"
#include "fuzz.h"

enum { ARENA_FACTOR = 16, ARENA_BASE = 1 << 20 }; /* as a call of that size gets */

static const struct {
    const char *name, *config;
} models[] = {
    {"fixed", "backend: \"identity\" max_batch_size: 8 input { name: \"IN\" data_type: TYPE_INT32 dims: 4 } "
              "output { name: \"OUT\" data_type: TYPE_INT32 dims: 4 }"},
    {"varied", "backend: \"identity\" max_batch_size: 8 input { name: \"A\" data_type: TYPE_FP32 dims: [-1, 2] } "
               "input { name: \"B\" data_type: TYPE_STRING dims: -1 } "
               "output { name: \"X\" data_type: TYPE_FP32 dims: [-1, 2] } "
               "output { name: \"Y\" data_type: TYPE_STRING dims: -1 }"},
    {"plain", "backend: \"identity\" input { name: \"IN\" data_type: TYPE_UINT8 dims: -1 } "
              "output { name: \"OUT\" data_type: TYPE_UINT8 dims: -1 }"},
};

enum { MODEL_COUNT = sizeof models / sizeof models[0] };

/* One inference under way, as the server's threads answer it. */
struct answer {
    pthread_mutex_t lock;
    pthread_cond_t released;
    bool over;
    uint32_t batch_size;
    uint64_t id;
};

static struct inference_server *start_server(void) {
    char folder[] = "/tmp/fuzz-v1-XXXXXX", path[128];
    FUZZ_CHECK(mkdtemp(folder));
    for (size_t i = 0; i < MODEL_COUNT; i++) {
        FILE *file;
        snprintf(path, sizeof path, "%s/%s", folder, models[i].name);
        FUZZ_CHECK(mkdir(path, 0700) == 0);
        snprintf(path, sizeof path, "%s/%s/1", folder, models[i].name);
        FUZZ_CHECK(mkdir(path, 0700) == 0);
        snprintf(path, sizeof path, "%s/%s/config.pbtxt", folder, models[i].name);
        FUZZ_CHECK((file = fopen(path, "w")) != NULL && fputs(models[i].config, file) >= 0 && fclose(file) == 0);
    }
    const char *repositories[] = {folder};
    const struct backend_ops *backends[] = {identity_backend()};
    struct inference_server_options options = {.repositories = repositories,
                                               .repository_count = 1,
                                               .strict_readiness = true,
                                               .backend_directory = "/nonexistent",
                                               .builtin_backends = backends,
                                               .builtin_backend_count = 1,
                                               .max_queue_size = 4};
    struct inference_server *server;
    size_t failed;
    struct status status = inference_server_create(&options, &server);
    if (status_is_ok(&status))
        status = inference_server_load_models(server, &failed);
    FUZZ_CHECK(status_is_ok(&status) && failed == 0);
    return server;
}

static void check_response(const struct infer_request *request, const struct infer_response *response,
                           const struct answer *answer) {
    struct pb_v1_infer_response_header header, again;
    struct slice *raw;
    struct status status = v1_infer_describe(request, response, &header, &raw);
    if (!status_is_ok(&status)) { /* classes of what cannot be ordered */
        fuzz_check_error(&status);
        return;
    }
    FUZZ_CHECK(header.id == answer->id && header.batch_size == answer->batch_size);
    FUZZ_CHECK(header.output.count <= request->output_count);
    for (size_t i = 0; i < header.output.count; i++) {
        const struct pb_v1_infer_response_header_output *output = &header.output.items[i];
        FUZZ_CHECK(!output->raw || output->raw->batch_byte_size == raw[i].size);
        FUZZ_CHECK(output->raw || output->batch_classes.count == answer->batch_size);
    }
    struct buf text = BUF_EMPTY, second = BUF_EMPTY;
    struct arena *arena = fuzz_arena(0);
    status = pb_text_write(&pb_v1_infer_response_header_type, &header, PB_TEXT_ONE_LINE, &text);
    FUZZ_CHECK(status_is_ok(&status));
    status = pb_text_parse(&pb_v1_infer_response_header_type, buf_slice(&text), "header", arena, &again, NULL);
    FUZZ_CHECK(status_is_ok(&status));
    status = pb_text_write(&pb_v1_infer_response_header_type, &again, PB_TEXT_ONE_LINE, &second);
    FUZZ_CHECK(status_is_ok(&status) && slice_equal(buf_slice(&text), buf_slice(&second)));
    arena_destroy(arena);
    buf_free(&text);
    buf_free(&second);
}

static void on_response(struct infer_request *request, struct infer_response *response, void *user) {
    if (status_is_ok(&response->status))
        check_response(request, response, user);
    else
        fuzz_check_error(&response->status);
    infer_response_destroy(response);
}

static void on_release(struct infer_request *request, void *user) {
    struct answer *answer = user;
    infer_request_destroy(request);
    pthread_mutex_lock(&answer->lock);
    answer->over = true;
    pthread_cond_signal(&answer->released);
    pthread_mutex_unlock(&answer->lock);
}

/* Cuts the tensors' bytes off in order, as far as they go. */
static void take_tensors(struct infer_request *request, const size_t *sizes, struct slice bytes) {
    for (size_t i = 0; i < request->input_count; i++) {
        size_t size = sizes[i] < bytes.size ? sizes[i] : bytes.size;
        request->inputs[i].data = (struct slice){bytes.data, size};
        bytes = (struct slice){bytes.data + size, bytes.size - size};
    }
}

static struct status submit(struct inference_server *server, struct infer_request *request, struct answer *answer,
                            const struct pb_v1_infer_request_header *header, struct slice tensors) {
    const struct api_context context = {.server = server};
    size_t *sizes;
    answer->id = header->id;
    answer->batch_size = header->batch_size;
    STATUS_TRY(v1_infer_decode(&context, header, request, &sizes));
    FUZZ_CHECK(v1_infer_id(request) == header->id);
    take_tensors(request, sizes, tensors);
    request->on_response = on_response;
    request->on_release = on_release;
    request->user = answer;
    request->deadline_ns = 0;
    return inference_server_submit(server, request);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static struct inference_server *server;
    if (!server)
        server = start_server();
    struct fuzz_input input = fuzz_input_on(data, size);
    uint8_t choice = fuzz_byte(&input);
    uint16_t header_size = fuzz_u16(&input);
    struct slice header_bytes = fuzz_take(&input, header_size), tensors = fuzz_rest(&input);
    char *header_copy = fuzz_copy(header_bytes), *tensor_copy = fuzz_copy(tensors);
    struct infer_request *request = infer_request_create(size * ARENA_FACTOR + ARENA_BASE);
    FUZZ_CHECK(request);
    struct pb_v1_infer_request_header header;
    struct answer answer = {.lock = PTHREAD_MUTEX_INITIALIZER, .released = PTHREAD_COND_INITIALIZER};
    request->model_name = slice_of(models[(choice >> 1) % MODEL_COUNT].name);
    header_bytes.data = header_copy;
    tensors.data = tensor_copy;
    struct status status = choice & 1
                               ? pb_decode(&pb_v1_infer_request_header_type, header_bytes, request->arena, &header)
                               : pb_text_parse(&pb_v1_infer_request_header_type, header_bytes, "NV-InferRequest",
                                               request->arena, &header, NULL);
    if (status_is_ok(&status))
        status = submit(server, request, &answer, &header, tensors);
    if (status_is_ok(&status)) {
        pthread_mutex_lock(&answer.lock);
        while (!answer.over)
            pthread_cond_wait(&answer.released, &answer.lock);
        pthread_mutex_unlock(&answer.lock);
    } else {
        fuzz_check_error(&status);
        infer_request_destroy(request);
    }
    free(header_copy);
    free(tensor_copy);
    return 0;
}
