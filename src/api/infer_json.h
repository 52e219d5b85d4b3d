/* infer_json.h: the JSON of an inference over HTTP, with the binary tensors that may stand behind it.
 *
 * Source: KServe v2 "Inference Request/Response JSON Object" and the binary tensor data extension. Thread: none of its
 * own. */
#ifndef INFERD_API_INFER_JSON_H
#define INFERD_API_INFER_JSON_H

#include "base/buf.h"
#include "core/infer_request.h"

/* Whether a requested output goes out as binary: kept in requested_output.adapter. */
bool infer_json_output_is_binary(const struct requested_output *output);
void infer_json_set_output_binary(struct requested_output *output, bool binary);

/* Reads `json` into the request: inputs, outputs, id and parameters. Names and elements are copied into the request's
 * arena; tensors with binary_data_size point into `binary`, the bytes behind the JSON (`has_binary`: such bytes may be
 * there at all). *ret_all_binary is the request's binary_data_output. `now_ns` is when a timeout begins. Errors:
 * INVALID_ARGUMENT with the JSON path. */
struct status infer_json_decode(struct slice json, struct slice binary, bool has_binary, uint64_t now_ns,
                                struct infer_request *request, bool *ret_all_binary) STATUS_MUST_CHECK;

/* Writes the answer's JSON, then the bytes of its binary outputs: those that ask for it, or all when none is listed and
 * `all_binary`. *ret_json_size is the length of the JSON part when bytes follow it, and 0 when the answer is JSON
 * alone. ret_tail: where the last one's bytes may be told instead of written (infer_outputs_tail); or NULL. */
struct status infer_json_encode(const struct infer_request *request, const struct infer_response *response,
                                bool all_binary, struct buf *out, size_t *ret_json_size,
                                struct slice *ret_tail) STATUS_MUST_CHECK;

/* Members that other forms of an answer have too: id, model_name and model_version; one parameter. */
struct json_writer;
void infer_json_write_origin(struct json_writer *writer, const struct infer_request *request,
                             const struct infer_response *response);
void infer_json_write_parameter(struct json_writer *writer, const struct infer_parameter *parameter);

#endif
