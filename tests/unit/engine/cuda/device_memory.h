/* device_memory.h: numbers of the three types to the device's memory and back, and numbers to test with. */
#ifndef INFERD_TESTS_ENGINE_CUDA_DEVICE_MEMORY_H
#define INFERD_TESTS_ENGINE_CUDA_DEVICE_MEMORY_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "engine/cuda/cuda_kernels.h"
#include "numbers.h"

static inline const char *number_name(enum cuda_number number) {
    return number == CUDA_BF16 ? "bf16" : "fp16";
}

static inline const struct number_format *format_of_number(enum cuda_number number) {
    return number == CUDA_BF16 ? &number_bf16 : &number_fp16;
}

/* From -size to size, the same for the same seed. */
static inline float *random_floats(size_t count, float size, uint32_t seed) {
    float *floats = calloc(count, sizeof *floats);
    assert_non_null(floats);
    for (size_t i = 0; i < count; i++) {
        seed = seed * 1664525u + 1013904223u;
        floats[i] = size * ((float)(seed >> 8) / 8388608.0f - 1);
    }
    return floats;
}

static inline void *new_memory(size_t size) {
    void *memory = NULL;
    assert_int_equal(cudaMalloc(&memory, size), cudaSuccess);
    return memory;
}

static inline void *upload(const void *from, size_t size) {
    void *memory = new_memory(size);
    assert_int_equal(cudaMemcpy(memory, from, size, cudaMemcpyHostToDevice), cudaSuccess);
    return memory;
}

static inline void *download(const void *from, size_t size) {
    void *memory = malloc(size);
    assert_non_null(memory);
    assert_int_equal(cudaMemcpy(memory, from, size, cudaMemcpyDeviceToHost), cudaSuccess);
    return memory;
}

/* The floats become what the device has. */
static inline void *upload_numbers(enum cuda_number number, float *floats, size_t count) {
    uint16_t *numbers = calloc(count, sizeof *numbers);
    assert_non_null(numbers);
    for (size_t i = 0; i < count; i++) {
        numbers[i] = (uint16_t)number_encode(format_of_number(number), (double)floats[i]);
        floats[i] = (float)number_decode(format_of_number(number), numbers[i]);
    }
    void *memory = upload(numbers, count * sizeof *numbers);
    free(numbers);
    return memory;
}

static inline float *download_numbers(enum cuda_number number, const void *from, size_t count) {
    uint16_t *numbers = download(from, count * sizeof *numbers);
    float *floats = calloc(count, sizeof *floats);
    assert_non_null(floats);
    for (size_t i = 0; i < count; i++)
        floats[i] = (float)number_decode(format_of_number(number), numbers[i]);
    free(numbers);
    return floats;
}

/* Each byte by its scale: what it stands for. */
static inline float *download_bytes(const void *from, size_t count, float scale) {
    uint8_t *bytes = download(from, count);
    float *floats = calloc(count, sizeof *floats);
    assert_non_null(floats);
    for (size_t i = 0; i < count; i++)
        floats[i] = (float)number_decode(&number_e4m3, bytes[i]) / scale;
    free(bytes);
    return floats;
}

/* |got - wanted| <= absolute + relative |wanted|, and no NaN. */
static inline void expect_near(const char *what, const float *got, const float *wanted, size_t count, float relative,
                               float absolute) {
    for (size_t i = 0; i < count; i++)
        if (!(fabsf(got[i] - wanted[i]) <= absolute + relative * fabsf(wanted[i])))
            fail_msg("%s, number %zu: expected %g, got %g", what, i, (double)wanted[i], (double)got[i]);
}

#endif
