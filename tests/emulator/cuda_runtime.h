/* cuda_runtime.h: what the two files of the emulated runtime share: streams, which cuda_streams.c has, and the lock and
 * the last error, which cuda_runtime.c has. */
#ifndef INFERD_TESTS_EMULATOR_CUDA_RUNTIME_H
#define INFERD_TESTS_EMULATOR_CUDA_RUNTIME_H

#include <pthread.h>
#include <stdalign.h>

#include "cuda_emulator.h"

struct operation {
    struct operation *next;
    void (*run)(const void *arguments);
    size_t size;
    alignas(16) char arguments[];
};

struct queue {
    struct operation *first, **end;
};

struct CUstream_st {
    struct queue queue;
    struct CUgraph_st *recording; /* or NULL */
    bool is_broken;               /* what is recorded has been refused something */
    bool is_of_all_threads;       /* so that any of them may break it */
    pthread_t thread;             /* that records */
};

/* Of all that follows; a thread may take it again. Unlocking gives the error back. */
void runtime_lock(void);
cudaError_t runtime_unlock(cudaError_t error);
/* Notes an error as the thread's last one, and gives it back. */
cudaError_t runtime_result(cudaError_t error);
void *runtime_must(void *memory); /* there is memory, or the program ends */

/* Does what lies on a stream (NULL: the default one), or on all. */
void runtime_drain(struct CUstream_st *stream);
void runtime_drain_all(void);
/* Of what must not be called while this thread's stream records: true if one does, and its record is spoilt. */
bool runtime_spoils_recording(void);

/* Leaves the function with the error that a test has asked for. */
#define MAY_FAIL(error)                                                                                                \
    do {                                                                                                               \
        if (emulator_fails())                                                                                          \
            return runtime_result(error);                                                                              \
    } while (0)

#endif
