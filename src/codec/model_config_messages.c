#include "codec/model_config_messages.h"

#include <stddef.h>

#define PB_DEF_FILE "codec/model_config.def"
#include "codec/pb_define_tables.h"
