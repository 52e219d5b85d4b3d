#include "engine/cpu_features.h"

struct isa_row {
    enum bert_isa isa;
    const struct kernels *kernels;
};

/* Ascending. */
static const struct isa_row rows[] = {
    {BERT_ISA_REFERENCE, &kernels_reference},
#ifdef __x86_64__
    {BERT_ISA_AVX2, &kernels_avx2},
    {BERT_ISA_AVX512, &kernels_avx512},
    {BERT_ISA_AVX512_BF16, &kernels_avx512_bf16},
#endif
};

enum { ROW_COUNT = sizeof rows / sizeof rows[0] };

/* The compiler's test also asks the operating system (XCR0). */
static bool cpu_has(enum bert_isa isa) {
#ifdef __x86_64__
    bool avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
    bool avx512 = avx2 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
                  __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl") &&
                  __builtin_cpu_supports("avx512vnni");
    if (isa == BERT_ISA_AVX2)
        return avx2;
    if (isa == BERT_ISA_AVX512)
        return avx512;
    if (isa == BERT_ISA_AVX512_BF16)
        return avx512 && __builtin_cpu_supports("avx512bf16");
#endif
    return isa == BERT_ISA_REFERENCE;
}

enum bert_isa cpu_features_best(void) {
    enum bert_isa best = BERT_ISA_REFERENCE;
    for (size_t i = 0; i < ROW_COUNT; i++)
        if (cpu_has(rows[i].isa))
            best = rows[i].isa;
    return best;
}

struct status cpu_features_kernels(enum bert_isa isa, const struct kernels **ret) {
    if (isa == BERT_ISA_AUTO)
        isa = cpu_features_best();
    for (size_t i = 0; i < ROW_COUNT; i++) {
        if (rows[i].isa != isa || !cpu_has(isa))
            continue;
        *ret = rows[i].kernels;
        return status_ok();
    }
    return status_error(STATUS_UNSUPPORTED, "this CPU has not the instructions '%s' (it has '%s')", bert_isa_text(isa),
                        bert_isa_text(cpu_features_best()));
}

bool cpu_features_fast_bf16(enum bert_isa isa) {
    return (isa == BERT_ISA_AUTO ? cpu_features_best() : isa) == BERT_ISA_AVX512_BF16;
}
