/* fuzz_messages.h: every message that clients and servers exchange, by number. */
#ifndef INFERD_FUZZ_FUZZ_MESSAGES_H
#define INFERD_FUZZ_FUZZ_MESSAGES_H

#include "codec/inference_messages.h"
#include "codec/trtis_v1_messages.h"
#include "fuzz.h"

/* Of codec/health_messages.h, whose enumerators have names that TRTIS v1's have too. */
enum { FUZZ_HEALTH_METHOD_COUNT = 1 };
extern const struct pb_method pb_health_methods[FUZZ_HEALTH_METHOD_COUNT];

/* The request or (odd) response of a method; 254 and 255 are model configs. */
static inline const struct pb_message *fuzz_message(uint8_t choice) {
    static const struct {
        const struct pb_method *methods;
        size_t count;
    } services[] = {
        {pb_inference_methods, PB_INFERENCE_METHOD_COUNT},
        {pb_health_methods, FUZZ_HEALTH_METHOD_COUNT},
        {pb_trtis_v1_methods, PB_TRTIS_V1_METHOD_COUNT},
    };
    size_t i = choice / 2 % (PB_INFERENCE_METHOD_COUNT + FUZZ_HEALTH_METHOD_COUNT + PB_TRTIS_V1_METHOD_COUNT);
    if (choice >= 254)
        return &pb_model_config_type;
    size_t s = 0;
    for (; i >= services[s].count; s++)
        i -= services[s].count;
    return choice % 2 ? services[s].methods[i].response : services[s].methods[i].request;
}

#endif
