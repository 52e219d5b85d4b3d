#include "backends/bert/shared_engines.h"

#include <pthread.h>
#include <stdlib.h>

#include "base/file.h"
#include "checkpoint/bert_locate.h"

struct engine_key {
    struct file_stamp weights, config, tokenizer; /* the last: all zero where there is none */
    struct bert_engine_options options;
};

/* In the list while it is being made and while it has users; one that could not be made is taken out at once. */
struct shared_engine {
    struct engine_key key;
    struct bert_engine *engine;
    bool made; /* engine and status are final */
    struct status status;
    size_t users;
    struct shared_engine *next;
};

struct shared_engines {
    struct bert_pool *pool;
    pthread_mutex_t lock;
    pthread_cond_t changed; /* some engine is made */
    struct shared_engine *first;
};

struct status shared_engines_create(struct bert_pool *pool, struct shared_engines **ret) {
    struct shared_engines *engines = calloc(1, sizeof *engines);
    if (!engines)
        return status_error(STATUS_RESOURCE_EXHAUSTED, "no memory for a table of engines");
    engines->pool = pool;
    pthread_mutex_init(&engines->lock, NULL);
    pthread_cond_init(&engines->changed, NULL);
    *ret = engines;
    return status_ok();
}

void shared_engines_destroy(struct shared_engines *engines) {
    if (!engines)
        return;
    pthread_cond_destroy(&engines->changed);
    pthread_mutex_destroy(&engines->lock);
    free(engines);
}

const struct bert_engine *shared_engine_engine(const struct shared_engine *engine) {
    return engine->engine;
}

/* ---- which files ---- */

/* The index of a TensorFlow checkpoint holds the checksums of the rest, so it stands for all. */
static struct status identify_checkpoint(const char *directory, struct arena *arena, struct engine_key *key) {
    struct bert_files files;
    STATUS_TRY(bert_locate(directory, NULL, arena, &files));
    const char *weights = files.weights;
    if (files.form == BERT_FORM_TENSOR_BUNDLE)
        weights = arena_printf(arena, "%s.index", files.weights);
    if (!weights)
        return status_error(STATUS_RESOURCE_EXHAUSTED, "no memory to look for a checkpoint");
    STATUS_TRY(file_stamp(weights, FILE_CHANGED, &key->weights));
    struct status status = files.tokenizer ? file_stamp(files.tokenizer, FILE_CHANGED, &key->tokenizer) : status_ok();
    if (!status_is_ok(&status) && status.code != STATUS_NOT_FOUND)
        return status;
    return file_stamp(files.config, FILE_CHANGED, &key->config);
}

static struct status make_key(const char *directory, const struct bert_engine_options *options,
                              struct engine_key *key) {
    struct arena *arena = arena_create(0);
    if (!arena)
        return status_error(STATUS_RESOURCE_EXHAUSTED, "no memory to look for a checkpoint");
    *key = (struct engine_key){.options = *options};
    struct status status = bert_engine_resolve(&key->options);
    if (status_is_ok(&status))
        status = identify_checkpoint(directory, arena, key);
    arena_destroy(arena);
    return status;
}

static bool same_files(const struct engine_key *a, const struct engine_key *b) {
    return file_stamp_equal(&a->weights, &b->weights) && file_stamp_equal(&a->config, &b->config) &&
           file_stamp_equal(&a->tokenizer, &b->tokenizer);
}

static bool same_key(const struct engine_key *a, const struct engine_key *b) {
    const struct bert_engine_options *x = &a->options, *y = &b->options;
    return same_files(a, b) && x->precision == y->precision && x->bf16_layers == y->bf16_layers && x->isa == y->isa &&
           x->short_batches == y->short_batches && x->device.kind == y->device.kind &&
           x->device.index == y->device.index;
}

bool shared_engine_same_files(const struct shared_engine *a, const struct shared_engine *b) {
    return same_files(&a->key, &b->key);
}

/* ---- the list, under the lock ---- */

static struct shared_engine *find(const struct shared_engines *engines, const struct engine_key *key) {
    struct shared_engine *at = engines->first;
    while (at && !same_key(&at->key, key))
        at = at->next;
    return at;
}

static void take_out(struct shared_engines *engines, const struct shared_engine *engine) {
    struct shared_engine **at = &engines->first;
    while (*at && *at != engine)
        at = &(*at)->next;
    if (*at)
        *at = engine->next;
}

/* ---- making one ---- */

/* What was read must be what the key says, or others would be given it under the names of other files. */
static struct status check_unchanged(const char *directory, const struct engine_key *key) {
    struct engine_key now;
    STATUS_TRY(make_key(directory, &key->options, &now));
    return same_key(&now, key)
               ? status_ok()
               : status_error(STATUS_UNAVAILABLE, "the checkpoint in %s was replaced while it was read", directory);
}

static struct status make(const struct shared_engines *engines, const char *directory, struct shared_engine *engine) {
    struct bert_checkpoint *checkpoint;
    STATUS_TRY(bert_checkpoint_open(directory, NULL, &checkpoint));
    struct status status = bert_engine_create(checkpoint, &engine->key.options, engines->pool, &engine->engine);
    if (status_is_ok(&status))
        status = bert_checkpoint_check(checkpoint);
    bert_checkpoint_close(checkpoint);
    return status_is_ok(&status) ? check_unchanged(directory, &engine->key) : status;
}

/* Finds the entry or adds one that is still to be made; NULL when memory is short. */
static struct shared_engine *enter(struct shared_engines *engines, const struct engine_key *key, bool *ret_new) {
    struct shared_engine *entry = find(engines, key);
    *ret_new = !entry;
    if (!entry && (entry = calloc(1, sizeof *entry))) {
        entry->key = *key;
        entry->next = engines->first;
        engines->first = entry;
    }
    if (entry)
        entry->users++;
    return entry;
}

struct status shared_engines_get(struct shared_engines *engines, const char *directory,
                                 const struct bert_engine_options *options, struct shared_engine **ret) {
    struct engine_key key;
    bool is_new;
    STATUS_TRY(make_key(directory, options, &key));
    pthread_mutex_lock(&engines->lock);
    struct shared_engine *entry = enter(engines, &key, &is_new);
    if (entry && is_new) {
        pthread_mutex_unlock(&engines->lock);
        struct status made = make(engines, directory, entry);
        pthread_mutex_lock(&engines->lock);
        entry->status = made;
        entry->made = true;
        if (!status_is_ok(&made)) {
            bert_engine_destroy(entry->engine);
            entry->engine = NULL;
            take_out(engines, entry);
        }
        pthread_cond_broadcast(&engines->changed);
    }
    while (entry && !entry->made)
        pthread_cond_wait(&engines->changed, &engines->lock);
    pthread_mutex_unlock(&engines->lock);
    if (!entry)
        return status_error(STATUS_RESOURCE_EXHAUSTED, "no memory for an engine");
    struct status status = entry->status;
    if (status_is_ok(&status))
        *ret = entry;
    else
        shared_engines_release(engines, entry);
    return status;
}

void shared_engines_release(struct shared_engines *engines, struct shared_engine *engine) {
    if (!engine)
        return;
    pthread_mutex_lock(&engines->lock);
    bool last = --engine->users == 0;
    if (last)
        take_out(engines, engine);
    pthread_mutex_unlock(&engines->lock);
    if (!last)
        return;
    bert_engine_destroy(engine->engine);
    free(engine);
}
