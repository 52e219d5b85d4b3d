/* model_config_limits.h: bounds of a config.pbtxt that those who write one and those who read it share. */
#ifndef INFERD_CODEC_MODEL_CONFIG_LIMITS_H
#define INFERD_CODEC_MODEL_CONFIG_LIMITS_H

enum { MODEL_CONFIG_BATCH_MAX = 65536 /* max_batch_size */ };

#endif
