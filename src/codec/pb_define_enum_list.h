/* pb_define_enum_list.h: makes the elements of an array of struct pb_enum * from the .def file that PB_DEF_FILE names,
 * in its order. Included inside the array's braces. */
/* clang-format off */
#include "codec/pb_define_nothing.h"
#undef PB_ENUM
#define PB_TYPE_(self) pb_##self##_type
#define PB_TYPE(self) PB_TYPE_(self)
#define PB_ENUM(proto_name) &PB_TYPE(PB_SELF),

#include PB_DEF_FILE
#include "codec/pb_define_end.h"
#undef PB_DEF_FILE
/* clang-format on */
