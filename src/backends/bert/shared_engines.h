/* shared_engines.h: one engine, so one copy of the packed weights, for all models that are loaded from the same files
 * and compute alike on the same device.
 *
 * Files are the same when device, inode, size and time of change of weights and configuration are: links lead to the
 * same engine, and a file that was replaced to a new one.
 * Thread: any. Whoever asks for an engine that another thread is making waits for it. */
#ifndef INFERD_BACKENDS_BERT_SHARED_ENGINES_H
#define INFERD_BACKENDS_BERT_SHARED_ENGINES_H

#include "engine/bert_engine.h"

struct shared_engines;
struct shared_engine;

/* `pool` is borrowed. RESOURCE_EXHAUSTED. */
struct status shared_engines_create(struct bert_pool *pool, struct shared_engines **ret) STATUS_MUST_CHECK;
void shared_engines_destroy(struct shared_engines *engines); /* accepts NULL; no engine is in use any more */

/* The engine for the checkpoint in a folder; made if there is none. Give it back by shared_engines_release.
 * Errors: those of bert_checkpoint_open and bert_engine_create. */
struct status shared_engines_get(struct shared_engines *engines, const char *directory,
                                 const struct bert_engine_options *options,
                                 struct shared_engine **ret) STATUS_MUST_CHECK;
/* The last user's release frees the weights. Accepts NULL. */
void shared_engines_release(struct shared_engines *engines, struct shared_engine *engine);
/* Whether both were made of the same files, maybe for different devices. */
bool shared_engine_same_files(const struct shared_engine *a, const struct shared_engine *b);
const struct bert_engine *shared_engine_engine(const struct shared_engine *engine);

#endif
