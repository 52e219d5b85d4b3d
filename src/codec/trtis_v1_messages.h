/* trtis_v1_messages.h: the messages of TRTIS v1, nvidia.inferenceserver (pb.h tells how members look). Every message x
 * has struct pb_v1_x and its descriptor pb_v1_x_type. */
#ifndef INFERD_CODEC_TRTIS_V1_MESSAGES_H
#define INFERD_CODEC_TRTIS_V1_MESSAGES_H

#include "codec/model_config_messages.h"

#define PB_DEF_FILE "codec/trtis_v1.def"
#include "codec/pb_define_structs.h"

enum { PB_TRTIS_V1_METHOD_COUNT = 8 };
extern const struct pb_method pb_trtis_v1_methods[PB_TRTIS_V1_METHOD_COUNT];

#endif
