/* router.h: finds the row of the route table for a request, and takes the path apart.
 *
 * Patterns are segments split by '/': a literal, {model} or {name} (any text, percent-decoded) or {version} (digits).
 * {rest}, which comes last, is whatever follows, slashes and all and not decoded; it is told as the name. The whole
 * path must match; there is no trailing slash. Earlier rows win, so that /v2/models/stats is not a model. */
#ifndef INFERD_API_ROUTER_H
#define INFERD_API_ROUTER_H

#include "api/http_call.h"

typedef void route_handler_f(struct http_call *call);

struct route {
    const char *method;
    const char *pattern;
    enum api_class class;
    route_handler_f *handle; /* the whole body is there */
};

/* routes.c: the table of everything that HTTP clients may call. */
extern const struct route api_routes[];
extern const size_t api_route_count;

struct route_match {
    const struct route *route;
    struct slice model; /* memory of the arena */
    struct slice name;  /* of what the path names besides a model, such as a memory region; memory of the arena */
    int64_t version;    /* -1: none in the path */
    const char *allow;  /* with METHOD_NOT_ALLOWED: the methods that the path has, "GET, POST"; memory of the arena */
};

/* Finds method and path among the routes of the given classes. NOT_FOUND: no such path; METHOD_NOT_ALLOWED: the path
 * exists and ret->allow is filled; INVALID_ARGUMENT: broken percent-encoding. */
struct status router_match(const struct route *routes, size_t route_count, unsigned classes, struct slice method,
                           struct slice path, struct arena *arena, struct route_match *ret) STATUS_MUST_CHECK;

#endif
