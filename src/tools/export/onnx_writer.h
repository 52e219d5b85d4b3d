/* onnx_writer.h: writes a BERT as an ONNX model: dynamic batch and sequence, standard operators of opset 17, float
 * weights.
 *
 * The operators are put together the way PyTorch's exporter does, which is what engines' fusions look for.
 */
#ifndef INFERD_TOOLS_EXPORT_ONNX_WRITER_H
#define INFERD_TOOLS_EXPORT_ONNX_WRITER_H

#include "base/status.h"
#include "checkpoint/bert_checkpoint.h"

/* Writes the new file `path`. TOO_LARGE when the model passes the 2 GiB that a protobuf file may have; the errors of
 * weight_stream_write. */
struct status onnx_write(const struct bert_checkpoint *checkpoint, const char *path) STATUS_MUST_CHECK;

#endif
