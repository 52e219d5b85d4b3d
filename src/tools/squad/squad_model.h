/* squad_model.h: what the served model is like, and whether it can be asked as the options say. */
#ifndef INFERD_TOOLS_SQUAD_SQUAD_MODEL_H
#define INFERD_TOOLS_SQUAD_SQUAD_MODEL_H

#include "client/infer_client.h"
#include "text/normalizer_options.h"
#include "text/vocab.h"
#include "tools/squad/squad_options.h"

struct squad_model {
    int64_t max_batch_size;
    uint32_t max_seq_length;
    struct normalizer_options tokenizer;
    enum squad_padding padding;
    bool takes_unique_ids; /* as the recipe's models do; [batch, 1] */
    /* What was assumed because neither options nor config say it; "" for nothing. For the person at the terminal. */
    char notes[STATUS_MESSAGE_MAX];
};

/* Waits, if so asked, until server and model are ready. Errors: UNAVAILABLE when they are not in time. */
struct status squad_model_wait_ready(struct infer_client *client,
                                     const struct squad_options *options) STATUS_MUST_CHECK;
/* Reads the model's config and settles what follows from it. Errors: those of the client; FAILED_PRECONDITION with what
 * was expected and what the config says: another vocabulary, no batches of that size, other tensors, a fixed length. */
struct status squad_model_inspect(struct infer_client *client, const struct squad_options *options,
                                  const struct vocab *vocab, struct squad_model *ret) STATUS_MUST_CHECK;
/* The part that asks no server: settles everything from a config. */
struct status squad_model_settle(const struct infer_model_info *info, const struct squad_options *options,
                                 const struct vocab *vocab, struct squad_model *ret) STATUS_MUST_CHECK;

#endif
