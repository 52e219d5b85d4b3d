/* savedmodel_writer.h: writes a BERT as a TensorFlow SavedModel: a frozen graph (the weights are Const nodes) with the
 * tag "serve" and the signature "serving_default". */
#ifndef INFERD_TOOLS_EXPORT_SAVEDMODEL_WRITER_H
#define INFERD_TOOLS_EXPORT_SAVEDMODEL_WRITER_H

#include "base/status.h"
#include "checkpoint/bert_checkpoint.h"

/* Writes the new file `path` (saved_model.pb). TOO_LARGE when the model passes the 2 GiB that a protobuf file may have;
 * the errors of weight_stream_write. */
struct status savedmodel_write(const struct bert_checkpoint *checkpoint, const char *path) STATUS_MUST_CHECK;

#endif
