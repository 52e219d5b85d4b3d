#include "block.h"

#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cuda_runtime.h"
#include "fiber.h"

enum { WARP = 32, THREADS_MAX = 1024, COPIES_MAX = 256, COPY_SIZE = 16, SHARED_ALIGN = 1024 };

enum step { NONE, SHUFFLE, LOAD, LOAD_TRANSPOSED, MULTIPLY, BARRIER, GRID_WAIT, ENDED };
static const char *const step_names[] = {"running",      "shuffle_xor",   "load_matrices", "load_matrices_transposed",
                                         "multiply_add", "block_barrier", "grid_wait",     "ended"};

/* What a lane brings to a step of its warp. */
struct operands {
    float *c; /* multiply: [4]; shuffle: the number */
    const uint32_t *a, *b;
    float (*by_number)(uint16_t bits);
    int mask;
    uint32_t *words; /* load: [4] */
    const uint8_t *row;
};

struct copy {
    void *to;
    const void *from; /* NULL: zeros */
    int group;
    char bytes[COPY_SIZE]; /* what lay there when it was asked for */
};

struct thread {
    struct fiber *fiber;
    struct block *block;
    unsigned index; /* in it */
    enum step step; /* what it waits for */
    struct operands operands;
    struct copy copies[COPIES_MAX];
    int copy_count, group;
};

struct warp {
    enum step step;      /* what those that wait for the others wait for */
    int waiting, absent; /* lanes at that step; at a barrier or at their end */
};

struct block {
    unsigned index[3];
    struct thread *threads[THREADS_MAX]; /* made when they are first needed, and kept */
    struct warp warps[THREADS_MAX / WARP];
    char *shared; /* that the launch asked for */
};

/* The kernel that runs. The blocks of a cooperative one are all there; of others there is one at a time. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct block *blocks[BLOCKS_RESIDENT];
static struct thread *running;
static const struct emulated_kernel *kernel;
static const void *kernel_arguments;
static void **touched; /* shared memory that copies went to */
static size_t touched_count, touched_room;

static void __attribute__((format(printf, 1, 2), noreturn)) fail(const char *format, ...) {
    va_list list;
    const unsigned *index = running ? running->block->index : blocks[0]->index;
    fprintf(stderr, "emulator: %s, block (%u, %u, %u), thread %u: ", kernel->name, index[0], index[1], index[2],
            running ? running->index : 0);
    va_start(list, format);
    vfprintf(stderr, format, list);
    va_end(list);
    fprintf(stderr, "\n");
    abort();
}

/* ---- steps of a warp ---- */

static void shuffle(struct thread **lanes) {
    float numbers[WARP];
    for (int lane = 0; lane < WARP; lane++) {
        if (lanes[lane]->operands.mask != lanes[0]->operands.mask)
            fail("shuffle_xor by different masks in one warp");
        numbers[lane] = *lanes[lane]->operands.c;
    }
    for (int lane = 0; lane < WARP; lane++)
        *lanes[lane]->operands.c = numbers[(lane ^ lanes[lane]->operands.mask) % WARP];
}

static uint32_t number_at(const uint8_t *row, int column) {
    uint16_t bits;
    memcpy(&bits, row + 2 * column, sizeof bits);
    return bits;
}

static void load(struct thread **lanes, bool is_transposed) {
    for (int lane = 0; lane < WARP; lane++)
        for (int matrix = 0; matrix < 4; matrix++) {
            struct thread **rows = lanes + matrix * 8;
            const int g = lane / 4, t = lane % 4 * 2;
            lanes[lane]->operands.words[matrix] =
                is_transposed ? number_at(rows[t]->operands.row, g) | number_at(rows[t + 1]->operands.row, g) << 16
                              : number_at(rows[g]->operands.row, t) | number_at(rows[g]->operands.row, t + 1) << 16;
        }
}

/* Numbers `first` and its neighbour to the right, or below. */
static void unpack(float (*by_number)(uint16_t bits), uint32_t word, float *first, float *second) {
    *first = by_number((uint16_t)(word & 0xffff));
    *second = by_number((uint16_t)(word >> 16));
}

static void multiply(struct thread **lanes) {
    float a[16][16], b[8][16]; /* b by its columns */
    for (int lane = 0; lane < WARP; lane++) {
        const struct operands *operands = &lanes[lane]->operands;
        const int g = lane / 4, t = lane % 4 * 2;
        for (int word = 0; word < 4; word++) {
            float *to = &a[g + word % 2 * 8][t + word / 2 * 8];
            unpack(operands->by_number, operands->a[word], to, to + 1);
        }
        for (int word = 0; word < 2; word++)
            unpack(operands->by_number, operands->b[word], &b[g][t + word * 8], &b[g][t + word * 8 + 1]);
    }
    for (int lane = 0; lane < WARP; lane++)
        for (int i = 0; i < 4; i++) {
            const int row = lane / 4 + i / 2 * 8, column = lane % 4 * 2 + i % 2;
            float sum = lanes[lane]->operands.c[i];
            for (int k = 0; k < 16; k++)
                sum += a[row][k] * b[column][k];
            lanes[lane]->operands.c[i] = sum;
        }
}

static void take_step(struct thread **lanes) {
    switch (lanes[0]->step) {
    case SHUFFLE:
        shuffle(lanes);
        break;
    case LOAD:
    case LOAD_TRANSPOSED:
        load(lanes, lanes[0]->step == LOAD_TRANSPOSED);
        break;
    case MULTIPLY:
        multiply(lanes);
        break;
    case NONE:
    case BARRIER:
    case GRID_WAIT:
    case ENDED:
    default:
        fail("a warp cannot %s", step_names[lanes[0]->step]);
    }
    for (int lane = 0; lane < WARP; lane++)
        lanes[lane]->step = NONE;
}

static struct warp *own_warp(void) {
    return &running->block->warps[running->index / WARP];
}

/* Comes back when all lanes of the warp have come to it. */
static void meet(enum step step) {
    struct thread *self = running, **lanes = self->block->threads + self->index / WARP * WARP;
    struct warp *warp = own_warp();
    if (warp->absent)
        fail("%s, and %d lanes of the warp are at a barrier or have ended", step_names[step], warp->absent);
    if (warp->waiting && warp->step != step)
        fail("%s, and %d lanes of the warp are at %s", step_names[step], warp->waiting, step_names[warp->step]);
    self->step = warp->step = step;
    if (++warp->waiting < WARP) {
        fiber_yield(self->fiber);
        return;
    }
    warp->waiting = 0;
    take_step(lanes);
}

/* Leaves the warp, for a barrier or for good. */
static void leave(enum step step) {
    struct warp *warp = own_warp();
    if (warp->waiting)
        fail("%s, and %d lanes of the warp are at %s", step_names[step], warp->waiting, step_names[warp->step]);
    warp->absent++;
    running->step = step;
}

float block_shuffle_xor(float number, int mask) {
    running->operands.c = &number;
    running->operands.mask = mask;
    meet(SHUFFLE);
    return number;
}

void block_load_matrices(uint32_t *words, const void *shared, bool is_transposed) {
    if ((uintptr_t)shared % COPY_SIZE)
        fail("load_matrices from %p, which is no multiple of 16", shared);
    running->operands.words = words;
    running->operands.row = shared;
    meet(is_transposed ? LOAD_TRANSPOSED : LOAD);
}

void block_multiply_add(float *c, const uint32_t *a, const uint32_t *b, float (*by_number)(uint16_t bits)) {
    running->operands = (struct operands){.c = c, .a = a, .b = b, .by_number = by_number};
    meet(MULTIPLY);
}

void block_barrier_all(void) {
    leave(BARRIER);
    fiber_yield(running->fiber);
}

void block_grid_arrive(uint32_t *arrivals) {
    if (!kernel->is_cooperative)
        fail("grid_arrive, and the launch was no cooperative one");
    block_barrier_all();
    if (running->index == 0)
        ++*arrivals;
}

bool block_grid_wait(uint32_t *arrivals, uint32_t goal) {
    leave(GRID_WAIT);
    fiber_yield(running->fiber);
    if (*arrivals < goal)
        *arrivals |= BLOCKS_GAVE_UP;
    const bool have_come = *arrivals < BLOCKS_GAVE_UP;
    block_barrier_all(); /* before one of them goes on, to where the counter may be set back */
    return have_come;
}

/* ---- copies ---- */

static void touch(void *shared) {
    if (touched_count == touched_room) {
        touched_room = touched_room ? 2 * touched_room : 1024;
        touched = runtime_must(realloc(touched, touched_room * sizeof *touched));
    }
    touched[touched_count++] = shared;
}

void block_copy(void *shared, const void *global, bool is_there) {
    if ((uintptr_t)shared % COPY_SIZE || (uintptr_t)global % COPY_SIZE)
        fail("copy_async_16 from %p to %p: not multiples of 16", global, shared);
    if (running->copy_count == COPIES_MAX)
        fail("more copies than the emulator has room for");
    memset(shared, 0xff, COPY_SIZE); /* NaNs until it has been waited for */
    touch(shared);
    struct copy *copy = &running->copies[running->copy_count++];
    *copy = (struct copy){shared, is_there ? global : NULL, running->group, {0}};
    if (is_there)
        memcpy(copy->bytes, global, COPY_SIZE);
}

void block_copy_end_group(void) {
    running->group++;
}

void block_copy_wait(int pending) {
    int kept = 0;
    for (int i = 0; i < running->copy_count; i++) {
        const struct copy *copy = &running->copies[i];
        if (copy->group >= running->group - pending)
            running->copies[kept++] = *copy;
        else
            memcpy(copy->to, copy->bytes, COPY_SIZE);
        if (copy->from && memcmp(copy->bytes, copy->from, COPY_SIZE) != 0)
            fail("what a copy brings from %p was written after it was asked for", copy->from);
    }
    running->copy_count = kept;
}

void block_fetch(const void *global, unsigned size) {
    if ((uintptr_t)global % COPY_SIZE || size % COPY_SIZE || !emulator_is_on_device(global, size))
        fail("fetch_ahead of %u bytes from %p: not multiples of 16, or not of the device", size, global);
}

/* ---- blocks ---- */

unsigned block_thread_index(void) {
    return running->index;
}

const unsigned *block_index_of(void) {
    return running->block->index;
}

const unsigned *block_grid(void) {
    return kernel->grid;
}

void *block_shared_memory(void) {
    return running->block->shared;
}

static void run_thread(void *argument) {
    struct thread *self = argument;
    kernel->run(kernel->kernel, kernel_arguments);
    if (self->copy_count)
        fail("ends, and has not waited for %d of its copies", self->copy_count);
    leave(ENDED);
}

static unsigned count_at(const struct block *block, enum step step) {
    unsigned count = 0;
    for (unsigned i = 0; i < kernel->threads; i++)
        count += block->threads[i]->step == step;
    return count;
}

static void run_warp(struct thread **lanes) {
    for (unsigned lane = 0, idle = 0; idle < WARP; lane = (lane + 1) % WARP) {
        idle++;
        if (lanes[lane]->step != NONE)
            continue;
        running = lanes[lane];
        fiber_resume(running->fiber);
        idle = 0;
    }
}

/* Every warp as far as it gets; in turn from the first and from the last, since the device knows no order either. */
static void run_warps(struct block *block) {
    const unsigned count = kernel->threads / WARP;
    const bool is_backwards = (block->index[0] + block->index[1]) % 2;
    for (unsigned i = 0; i < count; i++)
        run_warp(block->threads + (is_backwards ? count - 1 - i : i) * WARP);
}

/* All threads go on. */
static void pass_barrier(struct block *block) {
    for (unsigned i = 0; i < kernel->threads; i++)
        block->threads[i]->step = NONE;
    memset(block->warps, 0, sizeof block->warps);
}

/* To where all its threads wait for other blocks (true), or to its end. */
static bool run_block(struct block *block) {
    do {
        pass_barrier(block);
        run_warps(block);
    } while (count_at(block, BARRIER) == kernel->threads);
    if (count_at(block, ENDED) < kernel->threads && count_at(block, GRID_WAIT) < kernel->threads)
        fail("%u of %u threads are at a barrier, %u at one of the grid, and %u have ended", count_at(block, BARRIER),
             kernel->threads, count_at(block, GRID_WAIT), count_at(block, ENDED));
    return count_at(block, ENDED) < kernel->threads;
}

static void begin_block(struct block *block, const unsigned *index) {
    memcpy(block->index, index, sizeof block->index);
    for (unsigned i = 0; i < kernel->threads; i++) {
        struct thread *thread = block->threads[i];
        thread->copy_count = thread->group = 0;
        fiber_begin(thread->fiber, run_thread, thread);
    }
    if (kernel->shared_size) {
        block->shared = runtime_must(
            aligned_alloc(SHARED_ALIGN, (kernel->shared_size + SHARED_ALIGN - 1) / SHARED_ALIGN * SHARED_ALIGN));
        memset(block->shared, 0xff, kernel->shared_size);
    }
}

/* Of those that ran: shared memory is lost. */
static void end_blocks(unsigned count) {
    for (size_t i = 0; i < touched_count; i++)
        memset(touched[i], 0xff, COPY_SIZE);
    touched_count = 0;
    for (unsigned i = 0; i < count; i++) {
        free(blocks[i]->shared);
        blocks[i]->shared = NULL;
    }
}

static void run_one_by_one(void) {
    unsigned index[3];
    for (index[2] = 0; index[2] < kernel->grid[2]; index[2]++)
        for (index[1] = 0; index[1] < kernel->grid[1]; index[1]++)
            for (index[0] = 0; index[0] < kernel->grid[0]; index[0]++) {
                begin_block(blocks[0], index);
                run_block(blocks[0]);
                end_blocks(1);
            }
}

/* From one barrier of the grid to the next, in turn from the first block and from the last. */
static void run_together(void) {
    const unsigned count = kernel->grid[0];
    unsigned waiting = count;
    for (unsigned i = 0; i < count; i++)
        begin_block(blocks[i], (const unsigned[3]){i, 0, 0});
    for (bool is_backwards = false; waiting == count; is_backwards = !is_backwards) {
        waiting = 0;
        for (unsigned i = 0; i < count; i++)
            waiting += run_block(blocks[is_backwards ? count - 1 - i : i]);
    }
    if (waiting)
        fail("%u of %u blocks are at a barrier of the grid, and the others have ended", waiting, count);
    end_blocks(count);
}

static void make_block(struct block **block) {
    *block = *block ? *block : runtime_must(calloc(1, sizeof **block));
    for (unsigned i = 0; i < kernel->threads; i++) {
        struct thread **thread = &(*block)->threads[i];
        if (*thread)
            continue;
        *thread = runtime_must(calloc(1, sizeof **thread));
        (*thread)->fiber = fiber_create();
        (*thread)->block = *block;
        (*thread)->index = i;
    }
}

void block_run_kernel(const struct emulated_kernel *called, const void *arguments) {
    pthread_mutex_lock(&lock);
    kernel = called;
    kernel_arguments = arguments;
    running = NULL;
    for (unsigned i = 0; i < (kernel->is_cooperative ? kernel->grid[0] : 1); i++)
        make_block(&blocks[i]);
    if (kernel->threads % WARP)
        fail("%u threads: no whole warps", kernel->threads);
    if (kernel->is_cooperative)
        run_together();
    else
        run_one_by_one();
    pthread_mutex_unlock(&lock);
}

/* For the leak detector. */
static void __attribute__((destructor)) free_blocks(void) {
    for (unsigned i = 0; i < BLOCKS_RESIDENT && blocks[i]; i++) {
        for (unsigned k = 0; k < THREADS_MAX && blocks[i]->threads[k]; k++) {
            fiber_destroy(blocks[i]->threads[k]->fiber);
            free(blocks[i]->threads[k]);
        }
        free(blocks[i]);
    }
    free(touched);
}
