/* bert_instance.h: runs batches of requests on a session of the model's engine. */
#ifndef INFERD_BACKENDS_BERT_BERT_INSTANCE_H
#define INFERD_BACKENDS_BERT_BERT_INSTANCE_H

#include "core/backend.h"

struct status bert_instance_create(void *model, int index, void **ret_instance) STATUS_MUST_CHECK;
void bert_instance_destroy(void *instance);
struct status bert_instance_execute(void *instance, const struct backend_batch *batch,
                                    struct backend_times *ret_times) STATUS_MUST_CHECK;

#endif
