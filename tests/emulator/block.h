/* block.h: one kernel on the CPU: its blocks one after the other, each thread of a block as a fiber, and what threads
 * do together when all of them have come to it. The blocks of a cooperative launch run in turns, each from one barrier
 * of the grid to the next.
 *
 * Whatever the device would leave undefined ends the program with a message: a step of a warp that not all its lanes
 * take, a barrier that not all threads come to, addresses that are not aligned, copies that nobody waits for. What a
 * copy brings is NaNs until its thread has waited for it, and what shared memory held is NaNs for the next block.
 */
#ifndef INFERD_TESTS_EMULATOR_BLOCK_H
#define INFERD_TESTS_EMULATOR_BLOCK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Blocks of a cooperative launch that the device holds at once. Arrivals from BLOCKS_GAVE_UP on: nobody waits any more.
 */
enum { BLOCKS_RESIDENT = 6 };
#define BLOCKS_GAVE_UP 0x80000000U

struct emulated_kernel {
    const char *name;
    void (*run)(void (*kernel)(void), const void *arguments); /* for one thread */
    void (*kernel)(void);
    unsigned grid[3], threads;
    size_t shared_size; /* bytes that every block has besides what the kernel declares */
    bool is_cooperative;
};

/* Thread: one kernel at a time; others wait. */
void block_run_kernel(const struct emulated_kernel *kernel, const void *arguments);

/* ---- of the kernel's thread that runs ---- */

unsigned block_thread_index(void);
const unsigned *block_index_of(void); /* [3] */
const unsigned *block_grid(void);     /* [3] */

void *block_shared_memory(void); /* [shared_size], full of NaNs */

void block_barrier_all(void);
/* `arrivals` counts each block. */
void block_grid_arrive(uint32_t *arrivals);
/* False: the blocks have given up, at once where too few will come. */
bool block_grid_wait(uint32_t *arrivals, uint32_t goal);
float block_shuffle_xor(float number, int mask);
void block_copy(void *shared, const void *global, bool is_there);
void block_copy_end_group(void);
void block_copy_wait(int pending);
void block_fetch(const void *global, unsigned size); /* only looks at what it is given */
void block_load_matrices(uint32_t *words, const void *shared, bool is_transposed);
/* c[4] += a[4] * b[2], lane by lane as fragments; by_number turns 16 bits into a float. */
void block_multiply_add(float *c, const uint32_t *a, const uint32_t *b, float (*by_number)(uint16_t bits));

#ifdef __cplusplus
}
#endif
#endif
