/* pb_files.c: the table of .proto files, and what is where in them. */
#include <string.h>

#include "codec/health_messages.h"
#include "codec/inference_messages.h"
#include "codec/pb_file.h"
#include "codec/reflection_messages.h"

/* ---- the lists of their declarations ---- */

static const struct pb_message *const model_config_messages[] = {
#define PB_DEF_FILE "codec/model_config.def"
#include "codec/pb_define_message_list.h"
};
static const struct pb_enum *const model_config_enums[] = {
#define PB_DEF_FILE "codec/model_config.def"
#include "codec/pb_define_enum_list.h"
};
static const struct pb_message *const inference_messages[] = {
#define PB_DEF_FILE "codec/inference_service.def"
#include "codec/pb_define_message_list.h"
};
static const struct pb_message *const health_messages[] = {
#define PB_DEF_FILE "codec/health.def"
#include "codec/pb_define_message_list.h"
};
static const struct pb_enum *const health_enums[] = {
#define PB_DEF_FILE "codec/health.def"
#include "codec/pb_define_enum_list.h"
};
static const struct pb_message *const reflection_messages[] = {
#define PB_DEF_FILE "codec/reflection.def"
#include "codec/pb_define_message_list.h"
};

#define COUNT(array) (sizeof(array) / sizeof(array)[0])

/* ---- the files ---- */

static const struct pb_file model_config_file = {
    .name = "model_config.proto",
    .package = "inference",
    .messages = model_config_messages,
    .message_count = COUNT(model_config_messages),
    .enums = model_config_enums,
    .enum_count = COUNT(model_config_enums),
};

static const struct pb_file *const inference_imports[] = {&model_config_file};
static const struct pb_file inference_file = {
    .name = "grpc_service.proto",
    .package = "inference",
    .imports = inference_imports,
    .import_count = COUNT(inference_imports),
    .messages = inference_messages,
    .message_count = COUNT(inference_messages),
    .service = "GRPCInferenceService",
    .methods = pb_inference_methods,
    .method_count = PB_INFERENCE_METHOD_COUNT,
};

static const struct pb_file health_file = {
    .name = "grpc/health/v1/health.proto",
    .package = "grpc.health.v1",
    .messages = health_messages,
    .message_count = COUNT(health_messages),
    .enums = health_enums,
    .enum_count = COUNT(health_enums),
    .service = "Health",
    .methods = pb_health_methods,
    .method_count = PB_HEALTH_METHOD_COUNT,
};

#define REFLECTION_FILE(file_name, package_name)                                                                       \
    {                                                                                                                  \
        .name = file_name, .package = package_name, .messages = reflection_messages,                                   \
        .message_count = COUNT(reflection_messages), .service = "ServerReflection", .methods = pb_reflection_methods,  \
        .method_count = PB_REFLECTION_METHOD_COUNT,                                                                    \
    }
static const struct pb_file reflection_file =
    REFLECTION_FILE("grpc/reflection/v1/reflection.proto", "grpc.reflection.v1");
static const struct pb_file reflection_alpha_file =
    REFLECTION_FILE("grpc/reflection/v1alpha/reflection.proto", "grpc.reflection.v1alpha");

const struct pb_file *const pb_files[] = {&model_config_file, &inference_file, &health_file, &reflection_file,
                                          &reflection_alpha_file};
const size_t pb_file_count = COUNT(pb_files);

/* ---- names ---- */

const struct pb_file *pb_file_by_name(struct slice name) {
    for (size_t i = 0; i < pb_file_count; i++)
        if (slice_equal_text(name, pb_files[i]->name))
            return pb_files[i];
    return NULL;
}

/* Takes "prefix." off the front; false when it is not there. */
static bool take_prefix(struct slice *name, const char *prefix) {
    struct slice front = slice_of(prefix);
    if (!slice_starts_with(*name, front) || name->size <= front.size || name->data[front.size] != '.')
        return false;
    *name = (struct slice){name->data + front.size + 1, name->size - front.size - 1};
    return true;
}

static bool message_has(const struct pb_message *message, struct slice name) {
    if (slice_equal_text(name, message->name))
        return true;
    if (!take_prefix(&name, message->name))
        return false;
    for (size_t i = 0; i < message->field_count; i++) {
        const struct pb_field *field = &message->fields[i];
        if (slice_equal_text(name, field->name) || (field->oneof && slice_equal_text(name, field->oneof)))
            return true;
    }
    return false;
}

/* The values of an enum are siblings of it, not its children. */
static bool enum_has(const struct pb_enum *type, struct slice name) {
    if (slice_equal_text(name, type->name))
        return true;
    const char *dot = strrchr(type->name, '.');
    if (dot) {
        struct slice scope = {type->name, (size_t)(dot - type->name)};
        if (!slice_starts_with(name, scope) || name.size <= scope.size || name.data[scope.size] != '.')
            return false;
        name = (struct slice){name.data + scope.size + 1, name.size - scope.size - 1};
    }
    for (size_t i = 0; i < type->value_count; i++)
        if (slice_equal_text(name, type->values[i].name))
            return true;
    return false;
}

static bool service_has(const struct pb_file *file, struct slice name) {
    if (!file->service)
        return false;
    if (slice_equal_text(name, file->service))
        return true;
    if (!take_prefix(&name, file->service))
        return false;
    for (size_t i = 0; i < file->method_count; i++)
        if (slice_equal_text(name, file->methods[i].name))
            return true;
    return false;
}

static bool file_has(const struct pb_file *file, struct slice name) {
    for (size_t i = 0; i < file->message_count; i++)
        if (message_has(file->messages[i], name))
            return true;
    for (size_t i = 0; i < file->enum_count; i++)
        if (enum_has(file->enums[i], name))
            return true;
    return service_has(file, name);
}

const struct pb_file *pb_file_by_symbol(struct slice symbol) {
    for (size_t i = 0; i < pb_file_count; i++) {
        struct slice name = symbol;
        if (take_prefix(&name, pb_files[i]->package) && file_has(pb_files[i], name))
            return pb_files[i];
    }
    return NULL;
}

const struct pb_message *pb_file_message(struct slice full_name) {
    for (size_t i = 0; i < pb_file_count; i++) {
        struct slice name = full_name;
        if (!take_prefix(&name, pb_files[i]->package))
            continue;
        for (size_t k = 0; k < pb_files[i]->message_count; k++)
            if (slice_equal_text(name, pb_files[i]->messages[k]->name))
                return pb_files[i]->messages[k];
    }
    return NULL;
}
