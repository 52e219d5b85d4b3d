/* identity.c: a backend for Triton that answers each input as an output: the same work as inferd's identity backend, so
 * that a comparison of the two servers measures the servers.
 *
 * The output of input "IN<rest>" is "OUT<rest>" (INPUT0 -> OUTPUT0). The parameter execute_delay_ms, if the config has
 * it, makes an execution sleep. Statistics are reported as every backend should, since clients read them.
 *
 * Triton's backend interface is a C ABI (triton-inference-server/core, tritonbackend.h, version 1): declared here are
 * the few functions that this backend needs. bench/peers/setup compiles it to libtriton_identity.so. */
#define _GNU_SOURCE /* memmem */
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* ---- of tritonserver.h and tritonbackend.h ---- */

typedef struct TRITONSERVER_Error TRITONSERVER_Error;
typedef struct TRITONSERVER_Message TRITONSERVER_Message;
typedef struct TRITONBACKEND_Model TRITONBACKEND_Model;
typedef struct TRITONBACKEND_ModelInstance TRITONBACKEND_ModelInstance;
typedef struct TRITONBACKEND_Request TRITONBACKEND_Request;
typedef struct TRITONBACKEND_Response TRITONBACKEND_Response;
typedef struct TRITONBACKEND_Input TRITONBACKEND_Input;
typedef struct TRITONBACKEND_Output TRITONBACKEND_Output;

enum { ERROR_INTERNAL = 1 };
enum { MEMORY_CPU = 0 };
enum { RESPONSE_COMPLETE_FINAL = 1 };
enum { REQUEST_RELEASE_ALL = 1 };
enum { CONFIG_VERSION = 1 };

TRITONSERVER_Error *TRITONSERVER_ErrorNew(int code, const char *message);
void TRITONSERVER_ErrorDelete(TRITONSERVER_Error *error);
TRITONSERVER_Error *TRITONSERVER_MessageSerializeToJson(TRITONSERVER_Message *message, const char **base, size_t *size);
TRITONSERVER_Error *TRITONSERVER_MessageDelete(TRITONSERVER_Message *message);
TRITONSERVER_Error *TRITONBACKEND_ModelConfig(TRITONBACKEND_Model *model, uint32_t version, TRITONSERVER_Message **ret);
TRITONSERVER_Error *TRITONBACKEND_ModelSetState(TRITONBACKEND_Model *model, void *state);
TRITONSERVER_Error *TRITONBACKEND_ModelState(TRITONBACKEND_Model *model, void **ret);
TRITONSERVER_Error *TRITONBACKEND_ModelInstanceModel(TRITONBACKEND_ModelInstance *instance, TRITONBACKEND_Model **ret);
TRITONSERVER_Error *TRITONBACKEND_RequestInputCount(TRITONBACKEND_Request *request, uint32_t *ret);
TRITONSERVER_Error *TRITONBACKEND_RequestInputByIndex(TRITONBACKEND_Request *request, uint32_t index,
                                                      TRITONBACKEND_Input **ret);
TRITONSERVER_Error *TRITONBACKEND_RequestOutputCount(TRITONBACKEND_Request *request, uint32_t *ret);
TRITONSERVER_Error *TRITONBACKEND_RequestOutputName(TRITONBACKEND_Request *request, uint32_t index, const char **ret);
TRITONSERVER_Error *TRITONBACKEND_RequestRelease(TRITONBACKEND_Request *request, uint32_t flags);
TRITONSERVER_Error *TRITONBACKEND_InputProperties(TRITONBACKEND_Input *input, const char **name, int *datatype,
                                                  const int64_t **shape, uint32_t *rank, uint64_t *byte_size,
                                                  uint32_t *buffer_count);
TRITONSERVER_Error *TRITONBACKEND_InputBuffer(TRITONBACKEND_Input *input, uint32_t index, const void **buffer,
                                              uint64_t *byte_size, int *memory_type, int64_t *memory_type_id);
TRITONSERVER_Error *TRITONBACKEND_ResponseNew(TRITONBACKEND_Response **ret, TRITONBACKEND_Request *request);
TRITONSERVER_Error *TRITONBACKEND_ResponseOutput(TRITONBACKEND_Response *response, TRITONBACKEND_Output **ret,
                                                 const char *name, int datatype, const int64_t *shape, uint32_t rank);
TRITONSERVER_Error *TRITONBACKEND_OutputBuffer(TRITONBACKEND_Output *output, void **buffer, uint64_t byte_size,
                                               int *memory_type, int64_t *memory_type_id);
TRITONSERVER_Error *TRITONBACKEND_ResponseSend(TRITONBACKEND_Response *response, uint32_t flags,
                                               TRITONSERVER_Error *error);
TRITONSERVER_Error *TRITONBACKEND_ModelInstanceReportStatistics(TRITONBACKEND_ModelInstance *instance,
                                                                TRITONBACKEND_Request *request, bool success,
                                                                uint64_t exec_start_ns, uint64_t compute_start_ns,
                                                                uint64_t compute_end_ns, uint64_t exec_end_ns);
TRITONSERVER_Error *TRITONBACKEND_ModelInstanceReportBatchStatistics(TRITONBACKEND_ModelInstance *instance,
                                                                     uint64_t batch_size, uint64_t exec_start_ns,
                                                                     uint64_t compute_start_ns, uint64_t compute_end_ns,
                                                                     uint64_t exec_end_ns);

#define EXPORT __attribute__((visibility("default")))
EXPORT TRITONSERVER_Error *TRITONBACKEND_ModelInitialize(TRITONBACKEND_Model *model);
EXPORT TRITONSERVER_Error *TRITONBACKEND_ModelFinalize(TRITONBACKEND_Model *model);
EXPORT TRITONSERVER_Error *TRITONBACKEND_ModelInstanceExecute(TRITONBACKEND_ModelInstance *instance,
                                                              TRITONBACKEND_Request **requests, uint32_t count);

/* Leaves the function with the error, if there is one. */
#define TRY(expression)                                                                                                \
    do {                                                                                                               \
        TRITONSERVER_Error *error_ = (expression);                                                                     \
        if (error_)                                                                                                    \
            return error_;                                                                                             \
    } while (0)

static void forget(TRITONSERVER_Error *error) {
    if (error)
        TRITONSERVER_ErrorDelete(error);
}

static uint64_t now_ns(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

/* ---- the model: its delay ---- */

/* The config as Triton writes it: ..."execute_delay_ms":{"string_value":"300"}... */
static long find_delay_ms(const char *json, size_t size) {
    static const char key[] = "\"execute_delay_ms\":{\"string_value\":\"";
    const char *found = memmem(json, size, key, sizeof key - 1);
    return found ? strtol(found + sizeof key - 1, NULL, 10) : 0;
}

TRITONSERVER_Error *TRITONBACKEND_ModelInitialize(TRITONBACKEND_Model *model) {
    TRITONSERVER_Message *config;
    const char *json;
    size_t size;
    TRY(TRITONBACKEND_ModelConfig(model, CONFIG_VERSION, &config));
    TRITONSERVER_Error *error = TRITONSERVER_MessageSerializeToJson(config, &json, &size);
    struct timespec *delay = error ? NULL : calloc(1, sizeof *delay);
    if (delay) {
        long ms = find_delay_ms(json, size);
        *delay = (struct timespec){.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000};
    }
    forget(TRITONSERVER_MessageDelete(config));
    if (error)
        return error;
    return delay ? TRITONBACKEND_ModelSetState(model, delay) : TRITONSERVER_ErrorNew(ERROR_INTERNAL, "no memory");
}

TRITONSERVER_Error *TRITONBACKEND_ModelFinalize(TRITONBACKEND_Model *model) {
    void *delay;
    TRY(TRITONBACKEND_ModelState(model, &delay));
    free(delay);
    return NULL;
}

/* ---- execution ---- */

static TRITONSERVER_Error *is_wanted(TRITONBACKEND_Request *request, const char *name, bool *ret) {
    uint32_t count;
    TRY(TRITONBACKEND_RequestOutputCount(request, &count));
    *ret = false;
    for (uint32_t i = 0; i < count && !*ret; i++) {
        const char *wanted;
        TRY(TRITONBACKEND_RequestOutputName(request, i, &wanted));
        *ret = strcmp(name, wanted) == 0;
    }
    return NULL;
}

static TRITONSERVER_Error *copy_bytes(TRITONBACKEND_Input *input, uint32_t buffer_count, TRITONBACKEND_Output *output,
                                      uint64_t byte_size) {
    void *to;
    int memory = MEMORY_CPU;
    int64_t memory_id = 0;
    TRY(TRITONBACKEND_OutputBuffer(output, &to, byte_size, &memory, &memory_id));
    if (memory > MEMORY_CPU + 1) /* pinned memory is the CPU's too */
        return TRITONSERVER_ErrorNew(ERROR_INTERNAL, "the output is not in the CPU's memory");
    char *at = to;
    for (uint32_t i = 0; i < buffer_count; i++) {
        const void *from;
        uint64_t size;
        TRY(TRITONBACKEND_InputBuffer(input, i, &from, &size, &memory, &memory_id));
        memcpy(at, from, size);
        at += size;
    }
    return NULL;
}

static TRITONSERVER_Error *copy_tensor(TRITONBACKEND_Request *request, uint32_t index,
                                       TRITONBACKEND_Response *response) {
    TRITONBACKEND_Input *input;
    TRITONBACKEND_Output *output;
    const char *name;
    const int64_t *shape;
    uint64_t byte_size;
    uint32_t rank, buffer_count;
    int datatype;
    TRY(TRITONBACKEND_RequestInputByIndex(request, index, &input));
    TRY(TRITONBACKEND_InputProperties(input, &name, &datatype, &shape, &rank, &byte_size, &buffer_count));
    if (strncmp(name, "IN", 2) != 0)
        return TRITONSERVER_ErrorNew(ERROR_INTERNAL, "identity wants inputs named IN...");
    char output_name[256];
    snprintf(output_name, sizeof output_name, "OUT%s", name + 2);
    bool wanted;
    TRY(is_wanted(request, output_name, &wanted));
    if (!wanted)
        return NULL;
    TRY(TRITONBACKEND_ResponseOutput(response, &output, output_name, datatype, shape, rank));
    return copy_bytes(input, buffer_count, output, byte_size);
}

static TRITONSERVER_Error *copy_tensors(TRITONBACKEND_Request *request, TRITONBACKEND_Response *response) {
    uint32_t count;
    TRY(TRITONBACKEND_RequestInputCount(request, &count));
    for (uint32_t i = 0; i < count; i++)
        TRY(copy_tensor(request, i, response));
    return NULL;
}

static void answer(TRITONBACKEND_ModelInstance *instance, TRITONBACKEND_Request *request, uint64_t begun_ns) {
    TRITONBACKEND_Response *response;
    TRITONSERVER_Error *error = TRITONBACKEND_ResponseNew(&response, request);
    bool good = !error;
    if (good) {
        error = copy_tensors(request, response);
        good = !error;
        forget(TRITONBACKEND_ResponseSend(response, RESPONSE_COMPLETE_FINAL, error));
    }
    forget(error);
    uint64_t ended_ns = now_ns();
    forget(
        TRITONBACKEND_ModelInstanceReportStatistics(instance, request, good, begun_ns, begun_ns, ended_ns, ended_ns));
    forget(TRITONBACKEND_RequestRelease(request, REQUEST_RELEASE_ALL));
}

/* From here on the requests are ours, so there is no error to return. */
TRITONSERVER_Error *TRITONBACKEND_ModelInstanceExecute(TRITONBACKEND_ModelInstance *instance,
                                                       TRITONBACKEND_Request **requests, uint32_t count) {
    TRITONBACKEND_Model *model;
    void *delay;
    TRY(TRITONBACKEND_ModelInstanceModel(instance, &model));
    TRY(TRITONBACKEND_ModelState(model, &delay));
    uint64_t begun_ns = now_ns();
    const struct timespec *sleep = delay;
    if (sleep->tv_sec || sleep->tv_nsec)
        nanosleep(sleep, NULL);
    for (uint32_t i = 0; i < count; i++)
        answer(instance, requests[i], begun_ns);
    uint64_t ended_ns = now_ns();
    forget(TRITONBACKEND_ModelInstanceReportBatchStatistics(instance, count, begun_ns, begun_ns, ended_ns, ended_ns));
    return NULL;
}
