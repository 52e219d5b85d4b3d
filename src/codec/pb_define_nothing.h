/* pb_define_nothing.h: makes all rows of a .def file vanish, for those who then define again the few that they want. */
#define PB_ENUM(proto_name)
#define PB_VALUE(number, name)
#define PB_ENUM_END
#define PB_MESSAGE(proto_name)
#define PB_END
#define PB_EMPTY(proto_name)
#define PB_FIELD(number, KIND, name)
#define PB_ENUM_FIELD(number, type, name)
#define PB_MESSAGE_FIELD(number, type, name)
#define PB_REPEATED(number, KIND, name)
#define PB_REPEATED_MESSAGE(number, type, name)
#define PB_MAP(number, type, name)
#define PB_ONEOF(oneof)
#define PB_ONEOF_FIELD(oneof, number, KIND, name)
#define PB_ONEOF_MESSAGE(oneof, number, type, name)
#define PB_METHOD(name, request, response, client_streams, server_streams)
