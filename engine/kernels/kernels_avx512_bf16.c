/* The kernels for AVX-512 with VNNI and BF16: see the files that this one is made of. Compiled for that instruction set
 * alone. */
#include "engine/kernels/simd_avx512.h"
#include "engine/kernels/simd_unroll.h"

#include "engine/kernels/kernel_math.inc"

#include "engine/kernels/kernel_gemm.inc"

#include "engine/kernels/kernel_rows.inc"

const struct kernels kernels_avx512_bf16 = {
    .name = "avx512_bf16",
    .gemm = {gemm_f32, gemm_bf16, gemm_int8},
    .layer_norm = layer_norm,
    .softmax = softmax,
    .quantise = quantise,
    .pack_outputs = pack_outputs,
    .pack_inputs = pack_inputs,
    .span = span,
};
