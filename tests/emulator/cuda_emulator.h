/* cuda_emulator.h: a CUDA runtime and a cuBLASLt that compute on the CPU, for tests of the engine for GPUs. The
 * functions of cuda_runtime_api.h that the engine calls are in cuda_runtime.c and cuda_streams.c, those of cuBLASLt in
 * cublas.c; here is what tests ask and set besides.
 *
 * Like the device, a stream does its work later: when somebody waits for it. Memory of the device is the host's, so
 * that ASan sees its ends; it is handed out full of NaNs. What the real runtime refuses is an error here, and what it
 * leaves undefined ends the program with a message.
 *
 * Thread: any.
 */
#ifndef INFERD_TESTS_EMULATOR_CUDA_EMULATOR_H
#define INFERD_TESTS_EMULATOR_CUDA_EMULATOR_H

#include <cuda_runtime_api.h>
#include <stdbool.h>
#include <stddef.h>

#include "block.h"

#ifdef __cplusplus
extern "C" {
#endif

/* ---- for tests ---- */

/* What there is that has not been freed or destroyed: memory of both kinds, streams, events, graphs, cuBLASLt's things.
 */
int emulator_live(void);
/* The n-th call from now on (1: the next) of those that can fail gives an error; 0: none does. */
void emulator_fail_call(int n);
/* Whether a call has failed since. */
bool emulator_has_failed(void);
/* From now on every call that can fail does, as after a fault of the device, or none does any more. */
void emulator_break(bool is_broken);
/* Device index 0 and 1; what they have: 90 unless set. */
void emulator_set_capability(int capability);
/* Bytes of shared memory for a block: 227 KiB unless set. */
void emulator_set_shared_memory(size_t size);
/* Cooperative launches since the program began. */
int emulator_cooperative_launches(void);
/* Is called with the arguments of every cooperative kernel before it runs, and after; NULL: is not. */
void emulator_watch_cooperative(void (*before)(const void *arguments), void (*after)(const void *arguments));
/* So many graphs were launched since the program began. */
int emulator_graph_launches(void);
/* Milliseconds that the device has worked; what a kernel or a product takes is made up. */
float emulator_time(void);

/* ---- for the emulator's own files ---- */

cudaError_t emulator_launch(const struct emulated_kernel *kernel, const void *arguments, size_t size,
                            cudaStream_t stream);
/* 0 with more shared memory than there is. */
cudaError_t emulator_resident_blocks(size_t shared_size, unsigned *ret);
/* Puts run(arguments), a copy of which is taken, on the stream, or in the graph that it records. */
cudaError_t emulator_enqueue(cudaStream_t stream, void (*run)(const void *arguments), const void *arguments,
                             size_t size);
/* True: this call is to fail. */
bool emulator_fails(void);
void emulator_count_live(int change);
/* All of it is memory of the device. */
bool emulator_is_on_device(const void *memory, size_t size);
/* The device's time goes on. */
void emulator_spend(float milliseconds);

#ifdef __cplusplus
}
#endif
#endif
