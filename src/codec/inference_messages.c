#include "codec/inference_messages.h"

#include <stddef.h>

#define PB_DEF_FILE "codec/inference_service.def"
#include "codec/pb_define_tables.h"

const struct pb_method pb_inference_methods[PB_INFERENCE_METHOD_COUNT] = {
#define PB_DEF_FILE "codec/inference_service.def"
#include "codec/pb_define_methods.h"
};
