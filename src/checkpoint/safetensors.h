/* safetensors.h: reads a .safetensors file: 8 bytes of header length, a JSON header, the tensors' bytes.
 *
 * The file is mapped, not copied. All of the header is checked on opening: types, shapes, sizes that fit them, and that
 * the tensors cover the data part exactly, without overlap, gap or rest. Source: the format description of
 * huggingface/safetensors (README, "Format").
 */
#ifndef INFERD_CHECKPOINT_SAFETENSORS_H
#define INFERD_CHECKPOINT_SAFETENSORS_H

#include "base/status.h"
#include "checkpoint/weight.h"

struct safetensors;

/* Errors: NOT_FOUND and the like from opening; DATA_LOSS for a file that is cut off; INVALID_ARGUMENT for a malformed
 * one, with the tensor's name; RESOURCE_EXHAUSTED. */
struct status safetensors_open(const char *path, struct safetensors **ret) STATUS_MUST_CHECK;
void safetensors_close(struct safetensors *file); /* accepts NULL; views of its tensors end here */

/* True once bytes were read that the file no longer has: it was cut short. */
bool safetensors_is_lost(const struct safetensors *file);

/* All tensors, those of unused types included. Borrowed from the file. */
struct weight_set safetensors_tensors(const struct safetensors *file);

#endif
