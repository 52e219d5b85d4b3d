/* model_config_messages.h: struct pb_model_config and all messages in it (pb.h tells how members look).
 * Every message x has struct pb_x and its descriptor pb_x_type; enum values are PB_<NAME>, such as PB_KIND_CPU. */
#ifndef INFERD_CODEC_MODEL_CONFIG_MESSAGES_H
#define INFERD_CODEC_MODEL_CONFIG_MESSAGES_H

#include "codec/pb.h"

#define PB_DEF_FILE "codec/model_config.def"
#include "codec/pb_define_structs.h"

#endif
