#include "codec/health_messages.h"

#include <stddef.h>

#define PB_DEF_FILE "codec/health.def"
#include "codec/pb_define_tables.h"

const struct pb_method pb_health_methods[PB_HEALTH_METHOD_COUNT] = {
#define PB_DEF_FILE "codec/health.def"
#include "codec/pb_define_methods.h"
};
