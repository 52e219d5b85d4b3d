/* health_messages.h: the messages of grpc.health.v1.Health (pb.h tells how members look). */
#ifndef INFERD_CODEC_HEALTH_MESSAGES_H
#define INFERD_CODEC_HEALTH_MESSAGES_H

#include "codec/pb.h"

#define PB_DEF_FILE "codec/health.def"
#include "codec/pb_define_structs.h"

enum { PB_HEALTH_METHOD_COUNT = 2 };
extern const struct pb_method pb_health_methods[PB_HEALTH_METHOD_COUNT];

#endif
