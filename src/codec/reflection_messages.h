/* reflection_messages.h: the messages of gRPC server reflection (pb.h tells how members look). */
#ifndef INFERD_CODEC_REFLECTION_MESSAGES_H
#define INFERD_CODEC_REFLECTION_MESSAGES_H

#include "codec/pb.h"

#define PB_DEF_FILE "codec/reflection.def"
#include "codec/pb_define_structs.h"

enum { PB_REFLECTION_METHOD_COUNT = 1 };
extern const struct pb_method pb_reflection_methods[PB_REFLECTION_METHOD_COUNT];

#endif
