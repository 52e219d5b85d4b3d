#include "codec/trtis_v1_messages.h"

#include <stddef.h>

#define PB_DEF_FILE "codec/trtis_v1.def"
#include "codec/pb_define_tables.h"

const struct pb_method pb_trtis_v1_methods[PB_TRTIS_V1_METHOD_COUNT] = {
#define PB_DEF_FILE "codec/trtis_v1.def"
#include "codec/pb_define_methods.h"
};
