/* pb_file.h: .proto files as tables of what they declare, and their descriptors.
 *
 * The tables are made from the same .def rows as the messages, so what a server tells of its protocol by reflection is
 * what it speaks. Thread: tables are const; functions have no state.
 * Source: google/protobuf/descriptor.proto. */
#ifndef INFERD_CODEC_PB_FILE_H
#define INFERD_CODEC_PB_FILE_H

#include "codec/pb.h"

struct pb_file {
    const char *name;    /* "grpc_service.proto" */
    const char *package; /* "inference" */
    const struct pb_file *const *imports;
    size_t import_count;
    const struct pb_message *const *messages; /* nested ones too, which their names with dots tell */
    size_t message_count;
    const struct pb_enum *const *enums; /* likewise */
    size_t enum_count;
    const char *service; /* "GRPCInferenceService"; NULL: the file has none */
    const struct pb_method *methods;
    size_t method_count;
};

/* pb_files.c: the files of everything that the server speaks; files that others import come before them. */
extern const struct pb_file *const pb_files[];
extern const size_t pb_file_count;

/* The one of that name, or the one that declares the message, enum, service, method, field, oneof or enum value of that
 * full name ("inference.ModelInferRequest.id"); NULL: there is none. */
const struct pb_file *pb_file_by_name(struct slice name);
const struct pb_file *pb_file_by_symbol(struct slice symbol);
/* The message of that full name, or NULL. */
const struct pb_message *pb_file_message(struct slice full_name);

/* Appends the file's FileDescriptorProto. RESOURCE_EXHAUSTED when memory is short. */
struct status pb_file_describe(const struct pb_file *file, struct buf *out) STATUS_MUST_CHECK;

#endif
