/* pb_json.h: the JSON form of messages, driven by the same tables as the wire form.
 *
 * Names are the proto's snake_case ones; enums go by name, bytes in base64, maps are objects. As Triton prints: all
 * singular scalars with their defaults, repeated fields as [] and maps as {} when empty, 64-bit integers as numbers;
 * absent sub-messages and unset oneof members are left out. Source: protobuf.dev, "ProtoJSON Format", and Triton's
 * ModelConfigToJson. */
#ifndef INFERD_CODEC_PB_JSON_H
#define INFERD_CODEC_PB_JSON_H

#include "codec/json_write.h"
#include "codec/pb.h"

/* Writes the message as one JSON object; shortage of memory shows in buf_failed(writer->out). */
void pb_json_write(struct json_writer *writer, const struct pb_message *type, const void *message);
/* The same, appended to `out`. RESOURCE_EXHAUSTED when memory is short. */
struct status pb_to_json(const struct pb_message *type, const void *message, struct buf *out) STATUS_MUST_CHECK;

/* ProtoJSON by the letter, as protobuf's own MessageToJsonString prints: lowerCamelCase names, 64-bit integers as
 * strings, whatever is not set left out. For TRTIS v1. */
struct status pb_to_canonical_json(const struct pb_message *type, const void *message,
                                   struct buf *out) STATUS_MUST_CHECK;

/* Reads such an object into the struct at `ret`, which it zeroes first; all memory is the arena's. Names may also be
 * the lowerCamelCase ones, 64-bit integers strings, enums numbers; null stands for absence. INVALID_ARGUMENT names the
 * path and what was expected; unknown members are errors with a suggestion. */
struct status pb_json_parse(const struct pb_message *type, struct slice json, struct arena *arena,
                            void *ret) STATUS_MUST_CHECK;
/* The same for what a peer says, who may be newer: unknown members are skipped, and an unknown name of an enum counts
 * as its 0. */
struct status pb_json_parse_lenient(const struct pb_message *type, struct slice json, struct arena *arena,
                                    void *ret) STATUS_MUST_CHECK;

#endif
