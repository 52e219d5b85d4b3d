#include "engine/cuda/cuda_gemm.h"

#include <library_types.h>
#include <pthread.h>
#include <stdlib.h>

#include "engine/cuda/cublas_library.h"
#include "engine/cuda/cuda_status.h"

enum { WORKSPACE_SIZE = 32 << 20, CANDIDATES = 24, MEASURE_TOKENS = 16384 };

#define CUBLAS_TRY(library, call, what)                                                                                \
    do {                                                                                                               \
        int cublas_try_ = (call);                                                                                      \
        if (cublas_try_ != 0)                                                                                          \
            return cublas_status(library, cublas_try_, what);                                                          \
    } while (0)

/* What the operands of a product are: numbers, or bytes of fp8. */
enum form { OF_NUMBERS, OF_BYTES, FORM_COUNT };

struct cuda_gemms {
    const struct cuda_weights *weights;
    struct cublas_library library;
    struct cublas_handle *handle;
    pthread_mutex_t lock; /* of what follows while it is measured; it does not change once a bucket is known */
    struct cublas_algorithm algorithms[FORM_COUNT][CUDA_GEMM_COUNT][CUDA_BUCKET_COUNT];
    bool is_known[FORM_COUNT][CUDA_BUCKET_COUNT];
};

/* Column-major, as the library has it: to^T = weights * rows^T. */
struct description {
    struct cublas_operation *operation;
    struct cublas_layout *weights, *rows, *residual, *to;
};

struct cuda_gemm_room {
    struct cuda_gemms *gemms;
    struct description descriptions[FORM_COUNT][CUDA_GEMM_COUNT];
    void *workspace;
};

static enum form form_of(const struct cuda_gemm_call *call) {
    return call->matrix->scales ? OF_BYTES : OF_NUMBERS;
}

static const struct description *description_of(const struct cuda_gemm_room *room, const struct cuda_gemm_call *call) {
    return &room->descriptions[form_of(call)][call->gemm];
}

/* How many layers have products of a form. */
static int64_t layers_of(const struct cuda_weights *weights, enum form form) {
    return form == OF_BYTES ? weights->config.layer_count - weights->fp8_from : weights->fp8_from;
}

/* ---- engines ---- */

struct status cuda_gemms_create(const struct cuda_weights *weights, struct cuda_gemms **ret) {
    struct cuda_gemms *gemms = calloc(1, sizeof *gemms);
    if (!gemms)
        return status_error(STATUS_RESOURCE_EXHAUSTED, "no memory for matrix products");
    gemms->weights = weights;
    pthread_mutex_init(&gemms->lock, NULL);
    struct status status = cublas_library_open(&gemms->library);
    if (status_is_ok(&status))
        status = cublas_status(&gemms->library, gemms->library.create(&gemms->handle), "start");
    if (status_is_ok(&status))
        *ret = gemms;
    else
        cuda_gemms_destroy(gemms);
    return status;
}

void cuda_gemms_destroy(struct cuda_gemms *gemms) {
    if (!gemms)
        return;
    if (gemms->handle)
        gemms->library.destroy(gemms->handle);
    pthread_mutex_destroy(&gemms->lock);
    free(gemms);
}

/* ---- sessions ---- */

const struct cuda_matrix *cuda_gemm_matrix(const struct cuda_layer *layer, enum cuda_gemm gemm) {
    const struct cuda_matrix *const matrices[CUDA_GEMM_COUNT] = {&layer->query_key_value, &layer->attention,
                                                                 &layer->intermediate, &layer->output};
    return matrices[gemm];
}

static int number_type(const struct cuda_weights *weights) {
    return weights->number == CUDA_BF16 ? CUDA_R_16BF : CUDA_R_16F;
}

static struct status set(const struct cublas_library *library, const struct description *description, int attribute,
                         const void *value, size_t size) {
    int error = library->operation_set(description->operation, attribute, value, size);
    return error ? cublas_status(library, error, "describe a product") : status_ok();
}

static struct status describe_operation(const struct cuda_gemms *gemms, enum form form, enum cuda_gemm gemm,
                                        struct description *description) {
    const struct cublas_library *library = &gemms->library;
    const int32_t transposed = CUBLAS_TRANSPOSED, bias_type = number_type(gemms->weights);
    const uint32_t epilogue = gemm == CUDA_INTERMEDIATE ? CUBLAS_EPILOGUE_GELU_BIAS : CUBLAS_EPILOGUE_BIAS;
    const int8_t is_fast = 1;
    CUBLAS_TRY(library, library->operation_create(&description->operation, CUBLAS_COMPUTE_FLOAT, CUDA_R_32F),
               "describe a product");
    STATUS_TRY(set(library, description, CUBLAS_TRANSPOSE_A, &transposed, sizeof transposed));
    STATUS_TRY(set(library, description, CUBLAS_EPILOGUE, &epilogue, sizeof epilogue));
    STATUS_TRY(set(library, description, CUBLAS_BIAS_TYPE, &bias_type, sizeof bias_type));
    if (form == OF_BYTES)
        STATUS_TRY(set(library, description, CUBLAS_FAST_ACCUMULATE, &is_fast, sizeof is_fast));
    return status_ok();
}

static struct status create_layout(const struct cublas_library *library, int type, int rows, int columns,
                                   struct cublas_layout **ret) {
    CUBLAS_TRY(library, library->layout_create(ret, type, (uint64_t)rows, (uint64_t)columns, rows),
               "describe a matrix");
    return status_ok();
}

static struct status describe(const struct cuda_gemms *gemms, enum form form, enum cuda_gemm gemm,
                              struct description *description) {
    const struct cuda_weights *weights = gemms->weights;
    const struct cuda_matrix *matrix = cuda_gemm_matrix(&weights->layers[0], gemm);
    const int number = number_type(weights), input = form == OF_BYTES ? CUDA_R_8F_E4M3 : number;
    const int to = gemm == CUDA_INTERMEDIATE ? input : number;
    STATUS_TRY(describe_operation(gemms, form, gemm, description));
    STATUS_TRY(create_layout(&gemms->library, input, matrix->inputs, matrix->outputs, &description->weights));
    STATUS_TRY(create_layout(&gemms->library, input, matrix->inputs, 1, &description->rows));
    STATUS_TRY(create_layout(&gemms->library, number, matrix->outputs, 1, &description->residual));
    return create_layout(&gemms->library, to, matrix->outputs, 1, &description->to);
}

/* Of the forms that some layer has. */
static struct status describe_all(const struct cuda_gemms *gemms, struct cuda_gemm_room *room) {
    for (int form = 0; form < FORM_COUNT; form++)
        for (int gemm = 0; gemm < CUDA_GEMM_COUNT; gemm++)
            if (layers_of(gemms->weights, (enum form)form) > 0)
                STATUS_TRY(describe(gemms, (enum form)form, (enum cuda_gemm)gemm, &room->descriptions[form][gemm]));
    return status_ok();
}

struct status cuda_gemm_room_create(struct cuda_gemms *gemms, struct cuda_gemm_room **ret) {
    struct cuda_gemm_room *room = calloc(1, sizeof *room);
    if (!room)
        return status_error(STATUS_RESOURCE_EXHAUSTED, "no memory for matrix products");
    room->gemms = gemms;
    struct status status = cuda_status(cudaMalloc(&room->workspace, WORKSPACE_SIZE), "cudaMalloc");
    if (status_is_ok(&status))
        status = describe_all(gemms, room);
    if (status_is_ok(&status))
        *ret = room;
    else
        cuda_gemm_room_destroy(room);
    return status;
}

static void destroy_layout(const struct cublas_library *library, struct cublas_layout *layout) {
    if (layout)
        library->layout_destroy(layout);
}

void cuda_gemm_room_destroy(struct cuda_gemm_room *room) {
    if (!room)
        return;
    const struct cublas_library *library = &room->gemms->library;
    for (int i = 0; i < FORM_COUNT * CUDA_GEMM_COUNT; i++) {
        const struct description *description = &room->descriptions[i / CUDA_GEMM_COUNT][i % CUDA_GEMM_COUNT];
        if (description->operation)
            library->operation_destroy(description->operation);
        destroy_layout(library, description->weights);
        destroy_layout(library, description->rows);
        destroy_layout(library, description->residual);
        destroy_layout(library, description->to);
    }
    cudaFree(room->workspace);
    free(room);
}

/* ---- one product ---- */

/* What differs from call to call: the operands' places, and how many tokens there are. */
static struct status prepare(const struct cuda_gemm_room *room, const struct cuda_gemm_call *call) {
    const struct cublas_library *library = &room->gemms->library;
    const struct description *description = description_of(room, call);
    struct cublas_layout *const layouts[] = {description->rows, description->residual, description->to};
    const struct cuda_scales *scales = call->matrix->scales;
    const uint64_t tokens = call->tokens;
    for (size_t i = 0; i < sizeof layouts / sizeof layouts[0]; i++)
        CUBLAS_TRY(library, library->layout_set(layouts[i], CUBLAS_LAYOUT_COLUMNS, &tokens, sizeof tokens),
                   "describe a matrix");
    STATUS_TRY(set(library, description, CUBLAS_BIAS, &call->matrix->bias, sizeof(void *)));
    if (!scales)
        return status_ok();
    const float *weights = &scales->weights, *rows = &scales->rows, *to = &scales->to;
    STATUS_TRY(set(library, description, CUBLAS_SCALE_A, &weights, sizeof weights));
    STATUS_TRY(set(library, description, CUBLAS_SCALE_B, &rows, sizeof rows));
    return call->gemm == CUDA_INTERMEDIATE ? set(library, description, CUBLAS_SCALE_D, &to, sizeof to) : status_ok();
}

static int multiply(const struct cuda_gemm_room *room, const struct cuda_gemm_call *call,
                    const struct cublas_algorithm *algorithm, cudaStream_t stream) {
    const struct description *description = description_of(room, call);
    const float alpha = 1, beta = call->residual ? 1 : 0;
    return room->gemms->library.multiply(room->gemms->handle, description->operation, &alpha, call->matrix->weights,
                                         description->weights, call->rows, description->rows, &beta, call->residual,
                                         description->residual, call->to, description->to, algorithm, room->workspace,
                                         WORKSPACE_SIZE, stream);
}

struct status cuda_gemm_run(struct cuda_gemm_room *room, const struct cuda_gemm_call *call, cudaStream_t stream) {
    const struct cuda_gemms *gemms = room->gemms;
    const struct cublas_algorithm *algorithms = gemms->algorithms[form_of(call)][call->gemm];
    STATUS_TRY(prepare(room, call));
    CUBLAS_TRY(&gemms->library, multiply(room, call, &algorithms[cuda_bucket_of(call->tokens)], stream), "multiply");
    return status_ok();
}

/* ---- which algorithm ---- */

/* Where a measurement takes its time from. */
struct stopwatch {
    cudaEvent_t begin, end;
    cudaStream_t stream;
};

static struct status propose(const struct cuda_gemm_room *room, const struct cuda_gemm_call *call,
                             struct cublas_candidate *ret, int *ret_count) {
    const struct cuda_gemms *gemms = room->gemms;
    const struct cublas_library *library = &gemms->library;
    const struct description *description = description_of(room, call);
    const uint64_t workspace_size = WORKSPACE_SIZE;
    struct cublas_preference *preference;
    CUBLAS_TRY(library, library->preference_create(&preference), "choose an algorithm");
    int error =
        library->preference_set(preference, CUBLAS_PREFERENCE_WORKSPACE, &workspace_size, sizeof workspace_size);
    if (!error)
        error = library->heuristic(gemms->handle, description->operation, description->weights, description->rows,
                                   description->residual, description->to, preference, CANDIDATES, ret, ret_count);
    library->preference_destroy(preference);
    return cublas_status(library, error, "choose an algorithm");
}

/* Milliseconds of some products with the weights of one layer after another, as in a batch; negative: none. */
static float measure(const struct cuda_gemm_room *room, const struct cuda_gemm_call *call,
                     const struct cublas_algorithm *algorithm, const struct stopwatch *stopwatch) {
    const struct cuda_weights *weights = room->gemms->weights;
    const int64_t layers = layers_of(weights, form_of(call)), least = 4;
    int64_t left = call->tokens <= 2048 && layers > least ? layers : least;
    struct cuda_gemm_call turn = *call;
    float milliseconds = -1;
    if (multiply(room, call, algorithm, stopwatch->stream) != 0 || cudaEventRecord(stopwatch->begin, stopwatch->stream))
        return -1;
    for (int64_t i = 0; left > 0; i++) {
        turn.matrix = cuda_gemm_matrix(&weights->layers[i % weights->config.layer_count], call->gemm);
        if (form_of(&turn) != form_of(call))
            continue;
        if (multiply(room, &turn, algorithm, stopwatch->stream) != 0)
            return -1;
        left--;
    }
    if (cudaEventRecord(stopwatch->end, stopwatch->stream) || cudaEventSynchronize(stopwatch->end) ||
        cudaEventElapsedTime(&milliseconds, stopwatch->begin, stopwatch->end))
        return -1;
    return milliseconds;
}

static struct status choose(struct cuda_gemm_room *room, const struct cuda_gemm_call *call, unsigned bucket,
                            const struct stopwatch *stopwatch) {
    struct cublas_candidate candidates[CANDIDATES];
    float best = -1;
    int count = 0;
    STATUS_TRY(prepare(room, call));
    STATUS_TRY(propose(room, call, candidates, &count));
    for (int i = 0; i < count; i++) {
        float taken = candidates[i].state ? -1 : measure(room, call, &candidates[i].algorithm, stopwatch);
        if (taken < 0 || (best >= 0 && taken >= best))
            continue;
        best = taken;
        room->gemms->algorithms[form_of(call)][call->gemm][bucket] = candidates[i].algorithm;
    }
    if (best < 0)
        return status_error(STATUS_UNAVAILABLE, "cuBLASLt has no algorithm for %u x %d x %d that works here",
                            call->tokens, call->matrix->outputs, call->matrix->inputs);
    (void)cudaGetLastError(); /* of candidates that did not work */
    return status_ok();
}

/* Buckets that are larger than what can be told apart take what the largest before them took. */
static struct status choose_bucket(struct cuda_gemm_room *room, const struct cuda_gemm_call *calls, unsigned bucket,
                                   const struct stopwatch *stopwatch) {
    struct cuda_gemms *gemms = room->gemms;
    const unsigned tokens = cuda_bucket_tokens(bucket);
    const enum form form = form_of(calls);
    for (int gemm = 0; gemm < CUDA_GEMM_COUNT; gemm++) {
        struct cuda_gemm_call call = calls[gemm];
        call.tokens = tokens;
        if (tokens > MEASURE_TOKENS)
            gemms->algorithms[form][gemm][bucket] = gemms->algorithms[form][gemm][bucket - 1];
        else
            STATUS_TRY(choose(room, &call, bucket, stopwatch));
    }
    gemms->is_known[form][bucket] = true;
    return status_ok();
}

struct status cuda_gemms_measure(struct cuda_gemm_room *room, const struct cuda_gemm_call *calls, unsigned most,
                                 cudaStream_t stream) {
    struct cuda_gemms *gemms = room->gemms;
    struct stopwatch stopwatch = {.stream = stream};
    CUDA_TRY(cudaEventCreate(&stopwatch.begin));
    cudaError_t error = cudaEventCreate(&stopwatch.end);
    struct status status = cuda_status(error, "cudaEventCreate");
    pthread_mutex_lock(&gemms->lock);
    for (unsigned bucket = 0; bucket <= cuda_bucket_of(most) && status_is_ok(&status); bucket++)
        if (!gemms->is_known[form_of(calls)][bucket])
            status = choose_bucket(room, calls, bucket, &stopwatch);
    pthread_mutex_unlock(&gemms->lock);
    cudaEventDestroy(stopwatch.begin);
    if (!error)
        cudaEventDestroy(stopwatch.end);
    return status;
}
