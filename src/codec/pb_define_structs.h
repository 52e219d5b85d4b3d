/* pb_define_structs.h: makes enums, structs and extern tables from the .def file that PB_DEF_FILE names; for each
 * member of a oneof also the constant pb_<message>_<member>_number, to compare which_<oneof> with. Included by the
 * *_messages.h headers, once each, so it has no include guard.
 *
 * Rows stand between PB_MESSAGE("Proto.Name") and PB_END, with PB_SELF defined as the C name without "pb_"; the entry
 * of a map is a message of its own; a message without fields is PB_EMPTY. The rows:
 * - PB_FIELD(number, KIND, name) and PB_REPEATED(number, KIND, name)
 * - PB_ENUM_FIELD(number, enum, name)
 * - PB_MESSAGE_FIELD(number, message, name), PB_REPEATED_MESSAGE(number, message, name), PB_MAP(number, entry, name)
 * - PB_ONEOF(oneof) once, then PB_ONEOF_FIELD(oneof, number, KIND, name) and
 *   PB_ONEOF_MESSAGE(oneof, number, message, name)
 *
 * Enums are PB_VALUE(number, NAME) rows between PB_ENUM and PB_ENUM_END; C sees PB_<NAME>, or PB_<scope><NAME>. */
/* clang-format off */
#define PB_C_BOOL bool
#define PB_C_INT32 int32_t
#define PB_C_INT64 int64_t
#define PB_C_UINT32 uint32_t
#define PB_C_UINT64 uint64_t
#define PB_C_FLOAT float
#define PB_C_DOUBLE double
#define PB_C_STRING struct slice
#define PB_C_BYTES struct slice

#define PB_TAG_(self) pb_##self
#define PB_TAG(self) PB_TAG_(self)
#define PB_TYPE_(self) pb_##self##_type
#define PB_TYPE(self) PB_TYPE_(self)

#define PB_ENUM(proto_name) \
    extern const struct pb_enum PB_TYPE(PB_SELF); \
    enum PB_TAG(PB_SELF) {
#define PB_SCOPE /* a .def file may define another, V1_ say, to keep its constants apart */
#define PB_CONSTANT_(scope, name) PB_##scope##name
#define PB_CONSTANT(scope, name) PB_CONSTANT_(scope, name)
#define PB_VALUE(number, name) PB_CONSTANT(PB_SCOPE, name) = number,
#define PB_ENUM_END };
#define PB_MESSAGE(proto_name) \
    extern const struct pb_message PB_TYPE(PB_SELF); \
    struct PB_TAG(PB_SELF) {
#define PB_END };
#define PB_EMPTY(proto_name) PB_MESSAGE(proto_name) char empty; PB_END /* C has no empty structs */
#define PB_FIELD(number, KIND, name) PB_C_##KIND name;
#define PB_ENUM_FIELD(number, enumeration, name) int32_t name; /* enum pb_<enumeration> */
#define PB_MESSAGE_FIELD(number, type, name) struct pb_##type *name;
#define PB_REPEATED(number, KIND, name) struct { PB_C_##KIND *items; size_t count, capacity; } name;
#define PB_REPEATED_MESSAGE(number, type, name) struct { struct pb_##type *items; size_t count, capacity; } name;
#define PB_MAP(number, type, name) PB_REPEATED_MESSAGE(number, type, name)
#define PB_ONEOF(oneof) uint32_t which_##oneof; /* pb_<message>_<member>_number, or 0 */
#define PB_ONEOF_FIELD(oneof, number, KIND, name) PB_FIELD(number, KIND, name)
#define PB_ONEOF_MESSAGE(oneof, number, type, name) PB_MESSAGE_FIELD(number, type, name)
#define PB_METHOD(name, request, response, client_streams, server_streams)

#include PB_DEF_FILE
#include "codec/pb_define_end.h"

/* Once more, for the oneofs' constants. */
#include "codec/pb_define_nothing.h"
#undef PB_ONEOF_FIELD
#undef PB_ONEOF_MESSAGE
#define PB_NUMBER_(self, name) pb_##self##_##name##_number
#define PB_NUMBER(self, name) PB_NUMBER_(self, name)
#define PB_ONEOF_FIELD(oneof, number, KIND, name) enum { PB_NUMBER(PB_SELF, name) = number };
#define PB_ONEOF_MESSAGE(oneof, number, type, name) enum { PB_NUMBER(PB_SELF, name) = number };

#include PB_DEF_FILE
#include "codec/pb_define_end.h"
#undef PB_DEF_FILE
/* clang-format on */
