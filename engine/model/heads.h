/* heads.h: what is made of whole sequences when the last layer's rows are there: their mean, their first rows, and what
 * pooler and classifier make of those. Always in float, whatever the layers are computed in: it is little work. */
#ifndef INFERD_ENGINE_MODEL_HEADS_H
#define INFERD_ENGINE_MODEL_HEADS_H

#include "engine/model/forward.h"

/* After forward_run. */
void heads_run(const struct forward *forward);

#endif
