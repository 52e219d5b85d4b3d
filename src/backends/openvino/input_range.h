/* input_range.h: numbers that the engine would compute with as others. Its CPU device (OpenVINO 2026.4) takes integers
 * of 64 bits, and those of 32 without a sign, as INT32, and FP64 as FP32: of what does not fit it keeps the low bits,
 * or the largest number. */
#ifndef INFERD_BACKENDS_OPENVINO_INPUT_RANGE_H
#define INFERD_BACKENDS_OPENVINO_INPUT_RANGE_H

#include "core/tensor.h"

/* INVALID_ARGUMENT tells the first number that does not fit, and its place. Those of other types all fit. */
struct status input_range_check(const struct tensor *tensor) STATUS_MUST_CHECK;

#endif
