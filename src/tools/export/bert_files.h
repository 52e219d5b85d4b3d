/* bert_files.h: a checkpoint for engine bert: model.safetensors with Hugging Face's names, as floats, and the
 * config.json beside it. */
#ifndef INFERD_TOOLS_EXPORT_BERT_FILES_H
#define INFERD_TOOLS_EXPORT_BERT_FILES_H

#include "base/status.h"
#include "checkpoint/bert_checkpoint.h"

/* `path` is that of model.safetensors. Errors: those of weight_stream_write. */
struct status bert_files_write(const struct bert_checkpoint *checkpoint, const char *path) STATUS_MUST_CHECK;

#endif
