/* pb.h: protocol buffers (proto3) from descriptor tables: the wire form here, text in pb_text.h, JSON in pb_json.h.
 *
 * A message is a plain C struct (model_config_messages.h, inference_messages.h, health_messages.h) and a `struct
 * pb_message` that describes it. Both are made from the same .def rows. What a member looks like:
 * - bool, int32, int64, uint32, uint64, float, double: plain C types; enums are int32_t
 * - string, bytes: struct slice, pointing into the decoded input (nothing is copied)
 * - message: struct pb_x *, NULL when absent
 * - repeated T: struct { T *items; size_t count, capacity; }, messages by value, strings as struct slice. Who builds a
 *   message by hand sets items and count to memory of his own and leaves capacity 0.
 * - map<K, V>: repeated entries with .key and .value; message values are pointers, never NULL after decoding; keys are
 *   unique after decoding (the last one wins)
 * - oneof o: besides its members `uint32_t which_o`, the number of the member that is set, 0 for none
 *
 * A zeroed struct is the empty message. Messages own nothing: their memory is an arena's and the input's.
 * Thread: tables are const; functions have no state.
 * Source: protobuf.dev, "Encoding" and "Language Guide (proto 3)". */
#ifndef INFERD_CODEC_PB_H
#define INFERD_CODEC_PB_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/status.h"

enum pb_kind {
    PB_BOOL,
    PB_INT32,
    PB_INT64,
    PB_UINT32,
    PB_UINT64,
    PB_FLOAT,
    PB_DOUBLE,
    PB_ENUMERATION,
    PB_STRING,
    PB_BYTES,
    PB_SUBMESSAGE
};

enum pb_label { PB_LABEL_SINGULAR, PB_LABEL_REPEATED, PB_LABEL_MAP };

enum { PB_DEPTH_MAX = 100, PB_FIELD_NUMBER_MAX = (1 << 29) - 1 };

struct pb_enum_value {
    const char *name;
    int32_t number;
};

struct pb_enum {
    const char *package;
    const char *name; /* "ModelInstanceGroup.Kind" */
    const struct pb_enum_value *values;
    size_t value_count;
};

struct pb_field {
    const char *name; /* "max_batch_size" */
    uint32_t number;
    enum pb_kind kind;
    enum pb_label label;
    size_t offset;                     /* of the member in its struct */
    const char *oneof;                 /* name of the oneof that it belongs to, or NULL */
    size_t which_offset;               /* of which_<oneof>; only where oneof is not NULL */
    const struct pb_message *message;  /* for PB_SUBMESSAGE: its type (for maps, the entry's) */
    const struct pb_enum *enumeration; /* for PB_ENUMERATION */
};

struct pb_message {
    const char *package; /* "inference" */
    const char *name;    /* "ModelInferRequest.InferInputTensor" */
    const struct pb_field *fields;
    size_t field_count;
    size_t size; /* of the struct */
};

/* A remote call, for the tables of methods. */
struct pb_method {
    const char *path; /* "/inference.GRPCInferenceService/ModelInfer" */
    const char *name; /* "ModelInfer" */
    const struct pb_message *request, *response;
    bool client_streaming, server_streaming;
};

/* The layout that every repeated member shares. */
struct pb_repeated {
    void *items;
    size_t count, capacity;
};

/* Decodes `bytes` into the struct at `ret`, which it zeroes first. Slices point into `bytes`, arrays and sub-messages
 * are the arena's. Unknown fields are skipped, also groups; the last of several singular values wins, sub-messages
 * merge; packed and unpacked numbers are both taken. INVALID_ARGUMENT tells type, field path and byte offset
 * ("ModelInferRequest.inputs.shape: byte 17: ..."), also for strings that are not UTF-8 and nesting over PB_DEPTH_MAX;
 * RESOURCE_EXHAUSTED when the arena is at its limit. */
struct status pb_decode(const struct pb_message *type, struct slice bytes, struct arena *arena,
                        void *ret) STATUS_MUST_CHECK;

/* Appends the wire form to `out`, in table order and with default values left out (but kept inside oneofs). Room is
 * reserved once. RESOURCE_EXHAUSTED when memory is short. Strings are written as they are: text of unknown origin must
 * be made valid UTF-8 by the caller, or the peer refuses the message. */
struct status pb_encode(const struct pb_message *type, const void *message, struct buf *out) STATUS_MUST_CHECK;
/* Bytes that pb_encode will append. */
size_t pb_encoded_size(const struct pb_message *type, const void *message);

/* A new zeroed item at the end of a repeated or map member, with memory from the arena (an array that has capacity 0 is
 * copied on the first append). NULL when memory is short. */
void *pb_append(struct arena *arena, const struct pb_field *field, void *message);

/* NULL when the type has none. */
const struct pb_field *pb_field_by_number(const struct pb_message *type, uint32_t number);
const struct pb_field *pb_field_by_name(const struct pb_message *type, struct slice name);
const char *pb_enum_name(const struct pb_enum *type, int32_t number);
bool pb_enum_number(const struct pb_enum *type, struct slice name, int32_t *ret);
/* Whether the member differs from an absent one: not the default, a message, items, or the choice of its oneof. */
bool pb_field_is_set(const struct pb_field *field, const void *message);
/* The sub-messages of a message field: 0 or 1 of a singular one, all items or entries of others. */
size_t pb_child_count(const struct pb_field *field, const void *message);
const void *pb_child(const struct pb_field *field, const void *message, size_t i);
/* Makes fields absent in the message and all below it: those for which `drop` says so. */
void pb_strip(const struct pb_message *type, void *message,
              bool (*drop)(const struct pb_message *type, const struct pb_field *field));
/* Size of one value in memory: of the scalar, of the slice, or of the message struct. */
size_t pb_item_size(const struct pb_field *field);

#endif
