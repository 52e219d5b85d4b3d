/* model_instance.h: an execution instance of a model version: a worker thread that fetches batches from the batcher,
 * lets the backend execute them, books them and answers. Owner: its model. */
#ifndef INFERD_CORE_MODEL_INSTANCE_H
#define INFERD_CORE_MODEL_INSTANCE_H

#include "base/status.h"

struct infer_request;
struct model;
struct model_instance;

/* Creates the backend's instance; the model's batcher must be there. */
struct status model_instance_create(struct model *model, int index, struct model_instance **ret) STATUS_MUST_CHECK;
/* Starts the worker. It ends when the batcher is stopped. */
struct status model_instance_start(struct model_instance *instance) STATUS_MUST_CHECK;
/* Runs a batch on the calling thread: the worker, or one that has the instance's turn (dynamic_batcher.h). */
void model_instance_run(struct model_instance *instance, struct infer_request *batch);
/* Joins the worker, if it was started, and destroys the backend's instance. Accepts NULL. */
void model_instance_destroy(struct model_instance *instance);

#endif
