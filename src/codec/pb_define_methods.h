/* pb_define_methods.h: makes the rows of a struct pb_method array from the .def file that PB_DEF_FILE names. Included
 * inside the array's braces. */
/* clang-format off */
#include "codec/pb_define_nothing.h"
#undef PB_METHOD
#define PB_METHOD(name, request, response, client_streams, server_streams) \
    {"/" PB_PACKAGE "." PB_SERVICE "/" #name, #name, &pb_##request##_type, &pb_##response##_type, client_streams, \
     server_streams},

#include PB_DEF_FILE
#include "codec/pb_define_end.h"
#undef PB_DEF_FILE
/* clang-format on */
