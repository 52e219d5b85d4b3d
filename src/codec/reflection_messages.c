#include "codec/reflection_messages.h"

#include <stddef.h>

#define PB_DEF_FILE "codec/reflection.def"
#include "codec/pb_define_tables.h"

const struct pb_method pb_reflection_methods[PB_REFLECTION_METHOD_COUNT] = {
#define PB_DEF_FILE "codec/reflection.def"
#include "codec/pb_define_methods.h"
};
