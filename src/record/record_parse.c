#include <yyjson.h>

#include "codec/base64.h"
#include "record/record.h"

static struct status no_memory(void) {
    return status_error(STATUS_RESOURCE_EXHAUSTED, "no memory for a record");
}

static struct slice text_of(yyjson_val *value) {
    return (struct slice){yyjson_get_str(value), yyjson_get_len(value)};
}

static struct status expected(const char *list, size_t index, const char *member, const char *what, yyjson_val *got) {
    const char *type = got ? yyjson_get_type_desc(got) : "none";
    if (list)
        return status_error(STATUS_INVALID_ARGUMENT, "%s[%zu].%s: expected %s, got %s", list, index, member, what,
                            type);
    return status_error(STATUS_INVALID_ARGUMENT, "%s: expected %s, got %s", member, what, type);
}

/* Where in a record a member stands, for messages. */
struct place {
    yyjson_val *object;
    const char *list; /* NULL: the record itself */
    size_t index;
    struct arena *arena;
};

/* A text that must be there, and not be empty. */
static struct status read_text(const struct place *place, const char *member, struct slice *ret) {
    yyjson_val *value = yyjson_obj_get(place->object, member);
    if (!yyjson_is_str(value) || yyjson_get_len(value) == 0)
        return expected(place->list, place->index, member, "a text", value);
    *ret = arena_copy(place->arena, text_of(value));
    return ret->data ? status_ok() : no_memory();
}

static struct status read_optional(const struct place *place, const char *member, struct slice *ret) {
    *ret = (struct slice){NULL, 0};
    yyjson_val *value = yyjson_obj_get(place->object, member);
    if (!value || (yyjson_is_str(value) && yyjson_get_len(value) == 0))
        return status_ok();
    return read_text(place, member, ret);
}

/* 0 when it is not there. */
static struct status read_number(const struct place *place, const char *member, uint64_t most, uint64_t *ret) {
    yyjson_val *value = yyjson_obj_get(place->object, member);
    *ret = 0;
    if (!value)
        return status_ok();
    if (!yyjson_is_uint(value) || yyjson_get_uint(value) > most)
        return expected(place->list, place->index, member, "an integer of 0 or more that is not too large", value);
    *ret = yyjson_get_uint(value);
    return status_ok();
}

static struct status read_flag(const struct place *place, const char *member, bool *ret) {
    yyjson_val *value = yyjson_obj_get(place->object, member);
    *ret = yyjson_get_bool(value);
    return !value || yyjson_is_bool(value) ? status_ok()
                                           : expected(place->list, place->index, member, "true or false", value);
}

/* A list that may be missing; the objects in it are the caller's to read. */
static struct status read_list(const struct place *place, const char *member, size_t item_size, yyjson_val **ret,
                               void **ret_items) {
    *ret = yyjson_obj_get(place->object, member);
    if (*ret && !yyjson_is_arr(*ret))
        return expected(place->list, place->index, member, "a list", *ret);
    *ret_items = arena_calloc(place->arena, yyjson_arr_size(*ret), item_size);
    return *ret_items ? status_ok() : no_memory();
}

/* ---- inputs ---- */

static struct status read_shape(const struct place *place, struct record_tensor *ret) {
    yyjson_val *list, *dim;
    void *items;
    size_t i, count;
    STATUS_TRY(read_list(place, "shape", sizeof(int64_t), &list, &items));
    if (!list)
        return expected(place->list, place->index, "shape", "a list", NULL);
    int64_t *shape = items;
    yyjson_arr_foreach(list, i, count, dim) {
        if (!yyjson_is_uint(dim) || yyjson_get_uint(dim) > INT64_MAX)
            return expected(place->list, place->index, "shape", "integers of 0 or more", dim);
        shape[i] = (int64_t)yyjson_get_uint(dim);
    }
    ret->shape = shape;
    ret->rank = count;
    return status_ok();
}

static struct status read_data(const struct place *place, struct record_tensor *ret) {
    yyjson_val *value = yyjson_obj_get(place->object, "b64");
    if (!value)
        return status_ok();
    if (!yyjson_is_str(value))
        return expected(place->list, place->index, "b64", "a text", value);
    struct status status = base64_decode(text_of(value), place->arena, &ret->data);
    if (!status_is_ok(&status))
        return status_prefix(status, "%s[%zu].b64", place->list, place->index);
    if (ret->data.size != ret->size)
        return status_error(STATUS_INVALID_ARGUMENT, "%s[%zu].b64: expected %llu bytes, as `size` says, got %zu",
                            place->list, place->index, (unsigned long long)ret->size, ret->data.size);
    ret->has_data = true;
    return status_ok();
}

static struct status read_input(const struct place *place, struct record_tensor *ret) {
    STATUS_TRY(read_text(place, "name", &ret->name));
    STATUS_TRY(read_text(place, "datatype", &ret->datatype));
    STATUS_TRY(read_shape(place, ret));
    STATUS_TRY(read_number(place, "size", UINT64_MAX, &ret->size));
    STATUS_TRY(read_flag(place, "shared", &ret->shared));
    return read_data(place, ret);
}

static struct status read_inputs(const struct place *record, struct record *ret) {
    struct place place = {.list = "inputs", .arena = record->arena};
    yyjson_val *list;
    void *items;
    size_t count;
    STATUS_TRY(read_list(record, "inputs", sizeof(struct record_tensor), &list, &items));
    struct record_tensor *inputs = items;
    yyjson_arr_foreach(list, place.index, count, place.object) {
        STATUS_TRY(read_input(&place, &inputs[place.index]));
    }
    ret->inputs = inputs;
    ret->input_count = yyjson_arr_size(list);
    return status_ok();
}

/* ---- what else was asked ---- */

static struct status read_outputs(const struct place *record, struct record *ret) {
    struct place place = {.list = "outputs", .arena = record->arena};
    yyjson_val *list;
    void *items;
    size_t count;
    STATUS_TRY(read_list(record, "outputs", sizeof(struct record_output), &list, &items));
    struct record_output *outputs = items;
    yyjson_arr_foreach(list, place.index, count, place.object) {
        uint64_t classification;
        STATUS_TRY(read_text(&place, "name", &outputs[place.index].name));
        STATUS_TRY(read_number(&place, "classification", UINT32_MAX, &classification));
        STATUS_TRY(read_flag(&place, "shared", &outputs[place.index].shared));
        outputs[place.index].classification = (uint32_t)classification;
    }
    ret->outputs = outputs;
    ret->output_count = yyjson_arr_size(list);
    return status_ok();
}

static struct status read_parameter(yyjson_val *key, yyjson_val *value, struct arena *arena,
                                    struct record_parameter *ret) {
    ret->name = arena_copy(arena, text_of(key));
    if (!ret->name.data && yyjson_get_len(key) > 0)
        return no_memory();
    if (yyjson_is_bool(value)) {
        ret->kind = RECORD_BOOL;
        ret->value.boolean = yyjson_get_bool(value);
    } else if (yyjson_is_uint(value)) {
        ret->kind = RECORD_UINT;
        ret->value.unsigned_integer = yyjson_get_uint(value);
    } else if (yyjson_is_sint(value)) {
        ret->kind = RECORD_INT;
        ret->value.integer = yyjson_get_sint(value);
    } else if (yyjson_is_real(value)) {
        ret->kind = RECORD_DOUBLE;
        ret->value.real = yyjson_get_real(value);
    } else if (yyjson_is_str(value)) {
        ret->kind = RECORD_STRING;
        ret->value.string = arena_copy(arena, text_of(value));
    } else {
        return status_error(STATUS_INVALID_ARGUMENT,
                            "parameters.%.*s: expected a text, a number, true or false, got %s", SLICE_ARGS(ret->name),
                            yyjson_get_type_desc(value));
    }
    return status_ok();
}

static struct status read_parameters(const struct place *place, struct record *ret) {
    yyjson_val *object = yyjson_obj_get(place->object, "parameters"), *key, *value;
    if (!object)
        return status_ok();
    if (!yyjson_is_obj(object))
        return expected(NULL, 0, "parameters", "an object", object);
    struct record_parameter *parameters = arena_calloc(place->arena, yyjson_obj_size(object), sizeof *parameters);
    if (!parameters)
        return no_memory();
    size_t i, count;
    yyjson_obj_foreach(object, i, count, key, value) {
        STATUS_TRY(read_parameter(key, value, place->arena, &parameters[i]));
    }
    ret->parameters = parameters;
    ret->parameter_count = yyjson_obj_size(object);
    return status_ok();
}

static struct status read_sequence(const struct place *record, struct record_sequence *ret) {
    struct place place = {.object = yyjson_obj_get(record->object, "sequence"), .arena = record->arena};
    if (!place.object)
        return status_ok();
    if (!yyjson_is_obj(place.object))
        return expected(NULL, 0, "sequence", "an object", place.object);
    STATUS_TRY(read_flag(&place, "start", &ret->start));
    STATUS_TRY(read_flag(&place, "end", &ret->end));
    if (yyjson_is_str(yyjson_obj_get(place.object, "id")))
        return read_optional(&place, "id", &ret->text);
    return read_number(&place, "id", UINT64_MAX, &ret->number);
}

static struct status read_record(const struct place *place, struct record *ret) {
    *ret = (struct record){0};
    if (!yyjson_is_uint(yyjson_obj_get(place->object, "at_ns")))
        return expected(NULL, 0, "at_ns", "an integer of 0 or more", yyjson_obj_get(place->object, "at_ns"));
    STATUS_TRY(read_number(place, "at_ns", UINT64_MAX, &ret->at_ns));
    STATUS_TRY(read_text(place, "protocol", &ret->protocol));
    STATUS_TRY(read_text(place, "model", &ret->model));
    STATUS_TRY(read_optional(place, "version", &ret->version));
    STATUS_TRY(read_optional(place, "id", &ret->id));
    STATUS_TRY(read_number(place, "priority", UINT64_MAX, &ret->priority));
    STATUS_TRY(read_number(place, "timeout_us", UINT64_MAX, &ret->timeout_us));
    STATUS_TRY(read_sequence(place, &ret->sequence));
    STATUS_TRY(read_parameters(place, ret));
    STATUS_TRY(read_outputs(place, ret));
    return read_inputs(place, ret);
}

/* ---- lines ---- */

/* Parameters may be NaN or infinite. *ret_doc is the caller's to free, in any case. */
static struct status read_object(struct slice line, yyjson_doc **ret_doc, yyjson_val **ret) {
    yyjson_read_err error;
    *ret_doc = yyjson_read_opts((char *)(uintptr_t)line.data, line.size, YYJSON_READ_ALLOW_INF_AND_NAN, NULL, &error);
    if (!*ret_doc)
        return status_error(STATUS_INVALID_ARGUMENT, "byte %zu: %s", error.pos, error.msg);
    *ret = yyjson_doc_get_root(*ret_doc);
    if (yyjson_is_obj(*ret))
        return status_ok();
    return status_error(STATUS_INVALID_ARGUMENT, "expected an object, got %s", yyjson_get_type_desc(*ret));
}

struct status record_parse(struct slice line, struct arena *arena, struct record *ret) {
    struct place place = {.arena = arena};
    yyjson_doc *doc;
    struct status status = read_object(line, &doc, &place.object);
    if (status_is_ok(&status))
        status = read_record(&place, ret);
    yyjson_doc_free(doc);
    return status;
}

static struct status read_head(const struct place *place, struct record_head *ret) {
    yyjson_val *form = yyjson_obj_get(place->object, "inferd_record");
    if (!yyjson_is_uint(form))
        return expected(NULL, 0, "inferd_record", "the number of the form", form);
    if (yyjson_get_uint(form) != RECORD_FORM)
        return status_error(STATUS_UNSUPPORTED, "records of the form %llu: expected %d",
                            (unsigned long long)yyjson_get_uint(form), RECORD_FORM);
    STATUS_TRY(read_optional(place, "server", &ret->server));
    STATUS_TRY(read_optional(place, "started", &ret->started));
    return read_flag(place, "bodies", &ret->bodies);
}

struct status record_head_parse(struct slice line, struct arena *arena, struct record_head *ret) {
    struct place place = {.arena = arena};
    yyjson_doc *doc;
    *ret = (struct record_head){0};
    struct status status = read_object(line, &doc, &place.object);
    if (status_is_ok(&status))
        status = read_head(&place, ret);
    yyjson_doc_free(doc);
    return status;
}

static struct status read_end(const struct place *place, struct record_end *ret) {
    STATUS_TRY(read_text(place, "end", &ret->reason));
    STATUS_TRY(read_number(place, "records", UINT64_MAX, &ret->records));
    STATUS_TRY(read_number(place, "dropped", UINT64_MAX, &ret->dropped));
    return read_number(place, "failed", UINT64_MAX, &ret->failed);
}

bool record_end_parse(struct slice line, struct arena *arena, struct record_end *ret) {
    struct place place = {.arena = arena};
    yyjson_doc *doc;
    if (!slice_starts_with(line, SLICE_LITERAL("{\"end\"")))
        return false;
    struct status status = read_object(line, &doc, &place.object);
    if (status_is_ok(&status))
        status = read_end(&place, ret);
    yyjson_doc_free(doc);
    return status_is_ok(&status);
}
