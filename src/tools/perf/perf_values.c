#include "tools/perf/perf_values.h"

#include <ctype.h>
#include <limits.h>
#include <stdio.h>
#include <sys/stat.h>

#include "client/client_address.h"

#define RANGE_MAX 1e7

static bool is_token(struct slice text) {
    for (size_t i = 0; i < text.size; i++) {
        unsigned char c = (unsigned char)text.data[i];
        if (!isalnum(c) && strchr("!#$%&'*+-.^_`|~", c) == NULL)
            return false;
    }
    return text.size > 0;
}

struct status perf_url_check(const char *url) {
    struct status status = client_target_check(url);
    return status_is_ok(&status) ? status : status_prefix(status, "--url");
}

struct status perf_version_check(const char *version) {
    uint64_t number;
    if (version[0] == '\0' || slice_to_u64(slice_of(version), &number))
        return status_ok();
    return status_error(STATUS_INVALID_ARGUMENT, "--model-version: expected a number, or -1, got \"%.100s\"", version);
}

/* The folder that a path names a file in, by its device and number; false when it is not there. */
static bool folder_of(const char *path, struct stat *ret) {
    char folder[PATH_MAX];
    const char *slash = strrchr(path, '/');
    int size = snprintf(folder, sizeof folder, "%.*s", slash != NULL ? (int)(slash - path + 1) : 1,
                        slash != NULL ? path : ".");
    return size > 0 && size < PATH_MAX && stat(folder, ret) == 0;
}

static const char *base_name(const char *path) {
    const char *slash = strrchr(path, '/');
    return slash != NULL ? slash + 1 : path;
}

struct status perf_outputs_check(const char *flag, const char *path, const char *other_flag, const char *other) {
    struct stat info, a, b;
    if (path == NULL || other == NULL || (lstat(path, &info) == 0 && !S_ISREG(info.st_mode)))
        return status_ok();
    bool same = strcmp(path, other) == 0 || (strcmp(base_name(path), base_name(other)) == 0 && folder_of(path, &a) &&
                                             folder_of(other, &b) && a.st_dev == b.st_dev && a.st_ino == b.st_ino);
    return same ? status_error(STATUS_INVALID_ARGUMENT, "%s and %s: both are %.200s, and one would replace the other",
                               flag, other_flag, path)
                : status_ok();
}

struct status perf_range_parse(const char *flag, const char *text, bool whole, struct perf_range *ret) {
    struct slice rest = slice_of(text), part;
    double values[3] = {1, 0, 1};
    bool given[3] = {false}, good = rest.size > 0;
    for (int i = 0; i < 3 && good && rest.size > 0; i++) {
        slice_split(rest, ':', &part, &rest);
        given[i] = part.size > 0;
        good = !given[i] || (slice_to_double(part, &values[i]) && values[i] >= 0 && values[i] <= RANGE_MAX);
        good = good && !(whole && values[i] != (double)(uint64_t)values[i]);
    }
    *ret = (struct perf_range){values[0], given[1] ? values[1] : values[0], values[2], given[1]};
    good = good && rest.size == 0 && given[0] && values[0] > 0 && values[2] > 0;
    good = good && (ret->end == 0 || ret->end >= ret->start);
    if (!good)
        return status_error(
            STATUS_INVALID_ARGUMENT,
            "%s: expected START[:END[:STEP]] of %s up to 10000000, END 0 or not below START, got \"%.100s\"", flag,
            whole ? "whole numbers" : "numbers", text);
    return status_ok();
}

struct status perf_ids_parse(const char *text, uint64_t *ret_first, uint64_t *ret_end) {
    struct slice first, end;
    slice_split(slice_of(text), ':', &first, &end);
    *ret_first = *ret_end = 0;
    bool good = slice_to_u64(first, ret_first) && *ret_first > 0 && *ret_first <= INT64_MAX;
    if (end.size > 0)
        good = good && slice_to_u64(end, ret_end) && *ret_end > *ret_first && *ret_end <= INT64_MAX;
    if (!good)
        return status_error(STATUS_INVALID_ARGUMENT,
                            "--sequence-id-range: expected FIRST or FIRST:END, ids from 1 to 9223372036854775807, END "
                            "(excluded) above FIRST, got \"%.100s\"",
                            text);
    return status_ok();
}

/* What the client says of its own messages: a second one would contradict it. */
static bool is_own_header(struct slice name, bool grpc) {
    static const char *const any[] = {"host", "content-length", "transfer-encoding", "inference-header-content-length"};
    static const char *const of_grpc[] = {"te", "content-type", "connection"};
    bool own = grpc && name.size >= 5 && slice_equal_nocase((struct slice){name.data, 5}, SLICE_LITERAL("grpc-"));
    for (size_t i = 0; i < sizeof any / sizeof any[0]; i++)
        own = own || slice_equal_nocase(name, slice_of(any[i]));
    for (size_t i = 0; grpc && i < sizeof of_grpc / sizeof of_grpc[0]; i++)
        own = own || slice_equal_nocase(name, slice_of(of_grpc[i]));
    return own;
}

struct status perf_header_parse(const char *text, bool grpc, struct arena *arena, struct infer_header *ret) {
    struct slice name, value;
    bool good = slice_split(slice_of(text), ':', &name, &value) && is_token(name);
    value = slice_trim(value);
    for (size_t i = 0; i < value.size; i++)
        good = good && ((unsigned char)value.data[i] >= ' ' || value.data[i] == '\t');
    if (!good)
        return status_error(STATUS_INVALID_ARGUMENT, "--header: expected NAME:VALUE, got \"%.100s\"", text);
    if (is_own_header(name, grpc))
        return status_error(STATUS_INVALID_ARGUMENT, "--header: %.*s is what the client says itself of its requests",
                            SLICE_ARGS(name));
    char *copy = arena_strdup(arena, name);
    if (copy == NULL)
        return status_error(STATUS_RESOURCE_EXHAUSTED, "out of memory for the command line");
    for (size_t i = 0; grpc && i < name.size; i++)
        copy[i] = (char)tolower((unsigned char)copy[i]);
    *ret = (struct infer_header){{copy, name.size}, value};
    return status_ok();
}

struct status perf_parameter_parse(const char *text, struct infer_client_parameter *ret) {
    struct slice whole = slice_of(text), name, rest, type;
    bool good = slice_split(whole, ':', &name, &rest) && name.size > 0;
    size_t colon = rest.size;
    while (colon > 0 && rest.data[colon - 1] != ':') /* the value may hold colons */
        colon--;
    good = good && colon > 0;
    type = (struct slice){rest.data + colon, rest.size - colon};
    struct slice value = {rest.data, colon > 0 ? colon - 1 : 0};
    *ret = (struct infer_client_parameter){.name = name, .text = value};
    if (good && slice_equal_text(type, "int")) {
        ret->kind = INFER_VALUE_INT;
        good = slice_to_i64(value, &ret->integer);
    } else if (good && slice_equal_text(type, "bool")) {
        ret->kind = INFER_VALUE_BOOL;
        ret->boolean = slice_equal_text(value, "true");
        good = ret->boolean || slice_equal_text(value, "false");
    } else if (good && slice_equal_text(type, "double")) {
        ret->kind = INFER_VALUE_DOUBLE;
        good = slice_to_double(value, &ret->number);
    } else {
        ret->kind = INFER_VALUE_TEXT;
        good = good && slice_equal_text(type, "string");
    }
    if (!good)
        return status_error(STATUS_INVALID_ARGUMENT,
                            "--request-parameter: expected NAME:VALUE:TYPE with TYPE bool, int, double or string, got "
                            "\"%.100s\"",
                            text);
    return status_ok();
}
