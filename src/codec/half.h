/* half.h: conversion of FP16 (IEEE 754 binary16) and BF16 to and from float, and from double, on bit patterns.
 *
 * To float is exact. From float and double rounds once, to nearest, ties to even; overflow gives infinity; NaN stays a
 * (quiet) NaN. Source: IEEE 754-2019, section 3.6; BF16 is the upper half of a binary32. Boldo and Melquiond, "When
 * double rounding is odd" (2005), for the way from double. */
#ifndef INFERD_CODEC_HALF_H
#define INFERD_CODEC_HALF_H

#include <stddef.h>
#include <stdint.h>

float half_to_float(uint16_t half);
/* `count` of them, which may lie anywhere. */
void half_to_floats(const void *halves, size_t count, float *ret);
void bfloat16_to_floats(const void *numbers, size_t count, float *ret);
uint16_t half_from_float(float value);
float bfloat16_to_float(uint16_t bits);
uint16_t bfloat16_from_float(float value);
uint16_t half_from_double(double value);
uint16_t bfloat16_from_double(double value);

#endif
