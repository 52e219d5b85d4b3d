#include "trace/tracer.h"

#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "base/clock.h"
#include "trace/trace_priv.h"

/* How long the end may take for traces that are not written yet. */
#define FLUSH_NS (TRACE_FLUSH_S * NS_PER_S)

/* Bits of struct trace_setting.own. */
enum { OWN_LEVEL = 1, OWN_RATE = 2, OWN_COUNT = 4, OWN_LOG_FREQUENCY = 8 };

struct model_setting {
    struct slice name; /* owned */
    struct trace_setting *setting;
};

struct tracer_state {
    struct trace_writer *writer;
    const struct trace_config *config; /* the writer's */
    pthread_mutex_t lock;              /* of what follows */
    struct trace_setting *server;
    struct model_setting *models;
    size_t model_count;
    uint64_t last_id;
};

static struct status no_memory(void) {
    return status_error(STATUS_RESOURCE_EXHAUSTED, "no memory for the trace settings");
}

/* ---- settings; all under the lock ---- */

static struct trace_setting *setting_create(const struct trace_settings *values, unsigned own) {
    struct trace_setting *setting = calloc(1, sizeof *setting);
    if (!setting)
        return NULL;
    atomic_init(&setting->references, 1);
    setting->values = *values;
    setting->own = own;
    return setting;
}

static struct model_setting *find_model(struct tracer_state *state, struct slice name) {
    for (size_t i = 0; i < state->model_count; i++)
        if (slice_equal(state->models[i].name, name))
            return &state->models[i];
    return NULL;
}

static struct trace_setting *setting_of(struct tracer_state *state, struct slice model) {
    struct model_setting *own = model.size ? find_model(state, model) : NULL;
    return own ? own->setting : state->server;
}

/* True when some inference could be traced by this setting. */
static bool is_live(const struct tracer_state *state, const struct trace_setting *setting) {
    return setting->values.level != TRACE_OFF &&
           (setting->values.count != 0 || state->config->mode == TRACE_MODE_OPENTELEMETRY);
}

static void set_switch(struct tracer *tracer) {
    struct tracer_state *state = tracer->own;
    bool on = is_live(state, state->server);
    for (size_t i = 0; i < state->model_count; i++)
        on |= is_live(state, state->models[i].setting);
    atomic_store(&tracer->on, on);
}

/* Which values are its own after an update. */
static unsigned own_after(unsigned own, const struct trace_update *update) {
    const struct {
        enum trace_change change;
        unsigned bit;
    } changes[] = {{update->level, OWN_LEVEL},
                   {update->rate, OWN_RATE},
                   {update->count, OWN_COUNT},
                   {update->log_frequency, OWN_LOG_FREQUENCY}};
    for (size_t i = 0; i < sizeof changes / sizeof changes[0]; i++) {
        if (changes[i].change == TRACE_SET)
            own |= changes[i].bit;
        else if (changes[i].change == TRACE_CLEAR)
            own &= ~changes[i].bit;
    }
    return own;
}

/* The values of a setting with these of its own: each is the new one, the one it had, or that of the level above. */
static struct trace_settings merge(unsigned own, const struct trace_settings *had, const struct trace_settings *above,
                                   const struct trace_update *update) {
    struct trace_settings values = *above;
    const struct trace_settings *set = &update->values;
    if (own & OWN_LEVEL)
        values.level = update->level == TRACE_SET ? set->level : had->level;
    if (own & OWN_RATE)
        values.rate = update->rate == TRACE_SET ? set->rate : had->rate;
    if (own & OWN_COUNT)
        values.count = update->count == TRACE_SET ? set->count : had->count;
    if (own & OWN_LOG_FREQUENCY)
        values.log_frequency = update->log_frequency == TRACE_SET ? set->log_frequency : had->log_frequency;
    return values;
}

/* The setting after an update of what `had` (NULL: nothing) had of its own. NULL when memory is short. */
static struct trace_setting *make_setting(const struct trace_setting *had, const struct trace_settings *above,
                                          const struct trace_update *update) {
    unsigned own = own_after(had ? had->own : 0, update);
    struct trace_settings values = merge(own, had ? &had->values : above, above, update);
    return setting_create(&values, own);
}

static void remove_model(struct tracer_state *state, struct model_setting *model) {
    trace_setting_release(model->setting);
    free((void *)(uintptr_t)model->name.data);
    *model = state->models[--state->model_count];
}

static struct status add_model(struct tracer_state *state, struct slice name, struct trace_setting *setting) {
    if (state->model_count == TRACE_MODELS_MAX)
        return status_error(STATUS_RESOURCE_EXHAUSTED, "%d models have trace settings of their own, and no more may",
                            TRACE_MODELS_MAX);
    struct model_setting *grown = reallocarray(state->models, state->model_count + 1, sizeof *grown);
    if (!grown)
        return no_memory();
    state->models = grown;
    char *copy = malloc(name.size);
    if (!copy)
        return no_memory();
    memcpy(copy, name.data, name.size);
    grown[state->model_count++] = (struct model_setting){{copy, name.size}, setting};
    return status_ok();
}

/* The same, if traces could be made with it. */
static struct status make_checked(const struct tracer_state *state, const struct trace_setting *had,
                                  const struct trace_settings *above, const struct trace_update *update,
                                  struct trace_setting **ret) {
    struct trace_setting *setting = make_setting(had, above, update);
    if (!setting)
        return no_memory();
    struct status status = trace_settings_check(state->config, &setting->values);
    if (status_is_ok(&status))
        *ret = setting;
    else
        trace_setting_release(setting);
    return status;
}

static struct status update_model(struct tracer_state *state, struct slice name, const struct trace_update *update) {
    struct model_setting *model = find_model(state, name);
    struct trace_setting *setting = NULL;
    STATUS_TRY(make_checked(state, model ? model->setting : NULL, &state->server->values, update, &setting));
    struct status status = status_ok();
    if (setting->own == 0) {
        trace_setting_release(setting); /* it follows the server's */
        if (model)
            remove_model(state, model);
    } else if (model) {
        trace_setting_release(model->setting);
        model->setting = setting;
    } else {
        status = add_model(state, name, setting);
        if (!status_is_ok(&status))
            trace_setting_release(setting);
    }
    return status;
}

/* What the models have once they follow the server's new values in all that is not their own. A model that gets values
 * by which no trace can be made is just not traced. NULL when memory is short. */
static struct trace_setting **follow(const struct tracer_state *state, const struct trace_settings *above) {
    const struct trace_update nothing = {0};
    struct trace_setting **followed = calloc(state->model_count + 1, sizeof(struct trace_setting *));
    for (size_t i = 0; followed && i < state->model_count; i++) {
        followed[i] = make_setting(state->models[i].setting, above, &nothing);
        if (followed[i])
            continue;
        while (i > 0)
            trace_setting_release(followed[--i]);
        free(followed);
        return NULL;
    }
    return followed;
}

static struct status update_server(struct tracer_state *state, const struct trace_update *update) {
    struct trace_setting *setting = NULL;
    STATUS_TRY(make_checked(state, state->server, &state->config->settings, update, &setting));
    struct trace_setting **followed = follow(state, &setting->values);
    if (!followed) {
        trace_setting_release(setting);
        return no_memory();
    }
    trace_setting_release(state->server);
    state->server = setting;
    for (size_t i = 0; i < state->model_count; i++) {
        trace_setting_release(state->models[i].setting);
        state->models[i].setting = followed[i];
    }
    free(followed);
    return status_ok();
}

struct status tracer_update(struct tracer *tracer, struct slice model, const struct trace_update *update) {
    struct tracer_state *state = tracer->own;
    pthread_mutex_lock(&state->lock);
    struct status status = model.size ? update_model(state, model, update) : update_server(state, update);
    set_switch(tracer);
    pthread_mutex_unlock(&state->lock);
    if (status_is_ok(&status) && tracer_is_on(tracer))
        status = trace_writer_start(state->writer);
    return status;
}

struct trace_settings tracer_settings(struct tracer *tracer, struct slice model) {
    struct tracer_state *state = tracer->own;
    pthread_mutex_lock(&state->lock);
    struct trace_settings values = setting_of(state, model)->values;
    pthread_mutex_unlock(&state->lock);
    return values;
}

const struct trace_config *tracer_config(const struct tracer *tracer) {
    return tracer->own->config;
}

struct spool_counts tracer_counts(struct tracer *tracer) {
    return trace_writer_counts(tracer->own->writer);
}

/* ---- life ---- */

static struct status create_state(const struct trace_config *config, const char *version, const struct log *log,
                                  struct tracer_state *state) {
    pthread_mutex_init(&state->lock, NULL);
    STATUS_TRY(trace_config_check(config));
    STATUS_TRY(trace_writer_create(config, version, log, &state->writer));
    state->config = trace_writer_config(state->writer);
    state->server = setting_create(&config->settings, 0);
    if (!state->server)
        return no_memory();
    return is_live(state, state->server) ? trace_writer_start(state->writer) : status_ok();
}

struct status tracer_create(const struct trace_config *config, const char *version, const struct log *log,
                            struct tracer **ret) {
    struct tracer *tracer = calloc(1, sizeof *tracer);
    struct tracer_state *state = calloc(1, sizeof *state);
    if (!tracer || !state) {
        free(tracer);
        free(state);
        return no_memory();
    }
    tracer->own = state;
    struct status status = create_state(config, version, log, state);
    if (!status_is_ok(&status)) {
        tracer_destroy(tracer);
        return status;
    }
    set_switch(tracer);
    *ret = tracer;
    return status_ok();
}

void tracer_destroy(struct tracer *tracer) {
    if (!tracer)
        return;
    struct tracer_state *state = tracer->own;
    trace_writer_destroy(state->writer, FLUSH_NS);
    while (state->model_count > 0)
        remove_model(state, &state->models[state->model_count - 1]);
    free(state->models);
    trace_setting_release(state->server);
    pthread_mutex_destroy(&state->lock);
    free(state);
    free(tracer);
}

/* ---- sampling ---- */

/* Whether this inference is traced; under the lock. */
static bool decide(struct tracer *tracer, struct trace_setting *setting, const struct trace_context *client) {
    struct trace_settings *values = &setting->values;
    if (values->level == TRACE_OFF)
        return false;
    if (tracer->own->config->mode == TRACE_MODE_OPENTELEMETRY && client->known)
        return client->sampled;
    if (values->count == 0 || values->rate == 0 || ++setting->samples % values->rate != 0)
        return false;
    if (values->count > 0 && --values->count == 0)
        set_switch(tracer);
    return true;
}

/* Ids that no other trace has. */
static bool make_ids(struct trace *trace, const struct trace_context *client) {
    trace->context = *client;
    if (getrandom(trace->span_ids, sizeof trace->span_ids, 0) != (ssize_t)sizeof trace->span_ids)
        return false;
    return client->known ||
           getrandom(trace->context.trace_id, TRACE_ID_SIZE, 0) == (ssize_t)sizeof trace->context.trace_id;
}

struct trace *tracer_sample(struct tracer *tracer, struct slice model, enum trace_protocol protocol,
                            const struct trace_context *client) {
    static const struct trace_context nobody;
    struct tracer_state *state = tracer->own;
    if (!client || state->config->mode != TRACE_MODE_OPENTELEMETRY)
        client = &nobody;
    pthread_mutex_lock(&state->lock);
    struct trace_setting *setting = setting_of(state, model);
    bool traced = decide(tracer, setting, client);
    uint64_t id = traced ? ++state->last_id : 0;
    unsigned level = setting->values.level;
    if (traced)
        atomic_fetch_add(&setting->references, 1);
    pthread_mutex_unlock(&state->lock);
    if (!traced)
        return NULL;
    struct trace *trace = trace_create(model);
    if (!trace) {
        trace_setting_release(setting);
        return NULL;
    }
    trace->writer = state->writer;
    trace->setting = setting;
    trace->id = id;
    trace->protocol = protocol;
    trace->level = level;
    if (!make_ids(trace, client)) {
        trace_destroy(trace);
        return NULL;
    }
    return trace;
}
