#include "peak.h"

#include <string.h>

enum { LOOPS = 200000, CHAINS = 12 };

/* Twelve chains hide the latency of every product here. The registers hold zeros: sums that stay 0 run at the full
 * speed. */
#define CHAIN_ZMM(op, n) op " %%zmm31, %%zmm30, %%zmm" #n "\n\t"
#define CHAIN_YMM(op, n) op " %%ymm15, %%ymm14, %%ymm" #n "\n\t"
#define TWELVE(chain, op)                                                                                              \
    chain(op, 0) chain(op, 1) chain(op, 2) chain(op, 3) chain(op, 4) chain(op, 5) chain(op, 6) chain(op, 7)            \
        chain(op, 8) chain(op, 9) chain(op, 10) chain(op, 11)

#define LOOP(name, isa, body, ...)                                                                                     \
    __attribute__((target(isa))) static void name(void) {                                                              \
        __asm__ volatile("vzeroall" ::: __VA_ARGS__);                                                                  \
        for (int i = 0; i < LOOPS; i++)                                                                                \
            __asm__ volatile(body ::: __VA_ARGS__);                                                                    \
        __asm__ volatile("vzeroupper" ::: __VA_ARGS__);                                                                \
    }
#define LOW                                                                                                            \
    "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", "xmm8", "xmm9", "xmm10", "xmm11", "xmm14", "xmm15"

#define CLEAR_HIGH "vpxord %%zmm30, %%zmm30, %%zmm30\n\tvpxord %%zmm31, %%zmm31, %%zmm31\n\t"

LOOP(f32_avx512, "avx512f", CLEAR_HIGH TWELVE(CHAIN_ZMM, "vfmadd231ps"), LOW, "xmm30", "xmm31")
LOOP(bf16_avx512, "avx512f,avx512bf16", CLEAR_HIGH TWELVE(CHAIN_ZMM, "vdpbf16ps"), LOW, "xmm30", "xmm31")
LOOP(int8_avx512, "avx512f,avx512vnni", CLEAR_HIGH TWELVE(CHAIN_ZMM, "vpdpbusd"), LOW, "xmm30", "xmm31")
LOOP(f32_avx2, "avx2,fma", TWELVE(CHAIN_YMM, "vfmadd231ps"), LOW)

struct peak_row {
    const char *kernels;
    enum kernel_format format;
    void (*run)(void);
    int operations; /* of one instruction */
};

static const struct peak_row rows[] = {
    {"avx2", KERNEL_F32, f32_avx2, 16},
    {"avx512", KERNEL_F32, f32_avx512, 32},
    {"avx512", KERNEL_INT8, int8_avx512, 128},
    {"avx512_bf16", KERNEL_F32, f32_avx512, 32},
    {"avx512_bf16", KERNEL_BF16, bf16_avx512, 64},
    {"avx512_bf16", KERNEL_INT8, int8_avx512, 128},
};

static const struct peak_row *find(const char *kernels, enum kernel_format format) {
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        if (strcmp(rows[i].kernels, kernels) == 0 && rows[i].format == format)
            return &rows[i];
    return NULL;
}

double peak_operations(const char *kernels, enum kernel_format format) {
    const struct peak_row *row = find(kernels, format);
    return row ? (double)row->operations * CHAINS * LOOPS : 0;
}

void peak_run(const char *kernels, enum kernel_format format) {
    const struct peak_row *row = find(kernels, format);
    if (row)
        row->run();
}
