/* cpu_features.h: which kernels this CPU can run. */
#ifndef INFERD_ENGINE_CPU_FEATURES_H
#define INFERD_ENGINE_CPU_FEATURES_H

#include "base/status.h"
#include "engine/bert_engine.h"
#include "engine/kernels/kernels.h"

/* The best instruction set of this CPU, when the operating system saves its registers. */
enum bert_isa cpu_features_best(void);
/* The kernels of an instruction set; BERT_ISA_AUTO is the best. UNSUPPORTED when the CPU lacks it. */
struct status cpu_features_kernels(enum bert_isa isa, const struct kernels **ret) STATUS_MUST_CHECK;
/* Whether the CPU multiplies bf16 numbers at their full speed. */
bool cpu_features_fast_bf16(enum bert_isa isa);

#endif
