/* input_range.h: numbers that the engine would compute with as others. Its CPU device (OpenVINO 2026.4) takes 64-bit
 * integers as 32-bit ones and FP64 as FP32: of what does not fit it keeps the low bits, or the largest number. */
#ifndef INFERD_BACKENDS_OPENVINO_INPUT_RANGE_H
#define INFERD_BACKENDS_OPENVINO_INPUT_RANGE_H

#include "core/tensor.h"

/* INVALID_ARGUMENT tells the first number that does not fit, and its place. Types of 32 bits and less all fit. */
struct status input_range_check(const struct tensor *tensor) STATUS_MUST_CHECK;

#endif
