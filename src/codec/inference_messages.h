/* inference_messages.h: the messages of inference.GRPCInferenceService and the table of its methods (pb.h tells how
 * members look). Every message x has struct pb_x and its descriptor pb_x_type. */
#ifndef INFERD_CODEC_INFERENCE_MESSAGES_H
#define INFERD_CODEC_INFERENCE_MESSAGES_H

#include "codec/model_config_messages.h"

#define PB_DEF_FILE "codec/inference_service.def"
#include "codec/pb_define_structs.h"

enum { PB_INFERENCE_METHOD_COUNT = 20 };
extern const struct pb_method pb_inference_methods[PB_INFERENCE_METHOD_COUNT];

#endif
