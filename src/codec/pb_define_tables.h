/* pb_define_tables.h: makes the descriptor tables from the .def file that PB_DEF_FILE names. Included by the
 * *_messages.c files, once each, after their header; the rows are explained in pb_define_structs.h. */
/* clang-format off */
#define PB_TAG_(self) pb_##self
#define PB_TAG(self) PB_TAG_(self)
#define PB_TYPE_(self) pb_##self##_type
#define PB_TYPE(self) PB_TYPE_(self)
#define PB_NAME_(self) pb_##self##_name
#define PB_NAME(self) PB_NAME_(self)
#define PB_ROWS_(self) pb_##self##_rows
#define PB_ROWS(self) PB_ROWS_(self)
#define PB_ROW_COUNT (sizeof(PB_ROWS(PB_SELF)) / sizeof(PB_ROWS(PB_SELF)[0]))
#define PB_SIZE sizeof(struct PB_TAG(PB_SELF))
#define PB_OFFSET(member) offsetof(struct PB_TAG(PB_SELF), member)

/* The opening keeps the proto name for the descriptor, which follows when the rows are complete. */
#define PB_ENUM(proto_name) \
    static const char PB_NAME(PB_SELF)[] = proto_name; \
    static const struct pb_enum_value PB_ROWS(PB_SELF)[] = {
#define PB_VALUE(number, name) {#name, number},
#define PB_ENUM_END }; \
    const struct pb_enum PB_TYPE(PB_SELF) = {PB_PACKAGE, PB_NAME(PB_SELF), PB_ROWS(PB_SELF), PB_ROW_COUNT};
#define PB_MESSAGE(proto_name) \
    static const char PB_NAME(PB_SELF)[] = proto_name; \
    static const struct pb_field PB_ROWS(PB_SELF)[] = {
#define PB_END }; \
    const struct pb_message PB_TYPE(PB_SELF) = {PB_PACKAGE, PB_NAME(PB_SELF), PB_ROWS(PB_SELF), PB_ROW_COUNT, PB_SIZE};
#define PB_EMPTY(proto_name) \
    const struct pb_message PB_TYPE(PB_SELF) = {PB_PACKAGE, proto_name, NULL, 0, PB_SIZE};

/* As struct pb_field: name, number, kind, label, offset, oneof, which_offset, message, enumeration. */
#define PB_FIELD(number, KIND, name) \
    {#name, number, PB_##KIND, PB_LABEL_SINGULAR, PB_OFFSET(name), NULL, 0, NULL, NULL},
#define PB_ENUM_FIELD(number, type, name) \
    {#name, number, PB_ENUMERATION, PB_LABEL_SINGULAR, PB_OFFSET(name), NULL, 0, NULL, &PB_TYPE_(type)},
#define PB_MESSAGE_FIELD(number, type, name) \
    {#name, number, PB_SUBMESSAGE, PB_LABEL_SINGULAR, PB_OFFSET(name), NULL, 0, &PB_TYPE_(type), NULL},
#define PB_REPEATED(number, KIND, name) \
    {#name, number, PB_##KIND, PB_LABEL_REPEATED, PB_OFFSET(name), NULL, 0, NULL, NULL},
#define PB_REPEATED_MESSAGE(number, type, name) \
    {#name, number, PB_SUBMESSAGE, PB_LABEL_REPEATED, PB_OFFSET(name), NULL, 0, &PB_TYPE_(type), NULL},
#define PB_MAP(number, type, name) \
    {#name, number, PB_SUBMESSAGE, PB_LABEL_MAP, PB_OFFSET(name), NULL, 0, &PB_TYPE_(type), NULL},
#define PB_ONEOF(oneof)
#define PB_ONEOF_FIELD(oneof, number, KIND, name) \
    {#name, number, PB_##KIND, PB_LABEL_SINGULAR, PB_OFFSET(name), #oneof, PB_OFFSET(which_##oneof), NULL, NULL},
#define PB_ONEOF_MESSAGE(oneof, number, type, name) \
    {#name, number, PB_SUBMESSAGE, PB_LABEL_SINGULAR, PB_OFFSET(name), #oneof, PB_OFFSET(which_##oneof), \
     &PB_TYPE_(type), NULL},
#define PB_METHOD(name, request, response, client_streams, server_streams)

#include PB_DEF_FILE
#include "codec/pb_define_end.h"
#undef PB_SIZE
#undef PB_DEF_FILE
/* clang-format on */
