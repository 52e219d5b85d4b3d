/* client_address.c: "https://HOST:PORT" -> socket addresses. Called once, by infer_client_open. */
#include "client/client_address.h"

#include <netdb.h>
#include <string.h>
#include <strings.h>

#include "base/slice.h"

enum { PORT_MAX = 65535 };

/* A host may hold what names and addresses are made of; everything else (blanks, '/', '@', control characters) would
 * end up in a Host header. */
static bool host_is_plain(struct slice host) {
    for (size_t i = 0; i < host.size; i++) {
        char c = host.data[i];
        bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' ||
                     c == '-' || c == '_' || c == ':' || c == '%';
        if (!plain)
            return false;
    }
    return host.size > 0 && host.size <= CLIENT_HOST_MAX;
}

static struct status target_split(struct slice url, struct slice *ret_host, struct slice *ret_port) {
    size_t colon = url.size;
    while (colon > 0 && url.data[colon - 1] != ':')
        colon--;
    struct slice host = {url.data, colon > 0 ? colon - 1 : 0};
    struct slice port = {url.data + colon, url.size - colon};
    uint64_t number = 0;
    bool bracketed = host.size > 2 && host.data[0] == '[' && host.data[host.size - 1] == ']';
    if (bracketed)
        host = (struct slice){host.data + 1, host.size - 2};
    else if (host.size > 0 && memchr(host.data, ':', host.size) != NULL)
        return status_error(STATUS_INVALID_ARGUMENT, "expected HOST:PORT (an IPv6 address in brackets), got '%.*s'",
                            SLICE_ARGS(url));
    if (colon == 0 || !host_is_plain(host))
        return status_error(STATUS_INVALID_ARGUMENT, "expected HOST:PORT, such as localhost:8001, got '%.*s'",
                            SLICE_ARGS(url));
    if (!slice_to_u64(port, &number) || number == 0 || number > PORT_MAX)
        return status_error(STATUS_INVALID_ARGUMENT, "expected a port of 1 to 65535 after the colon, got '%.*s'",
                            SLICE_ARGS(url));
    *ret_host = host;
    *ret_port = port;
    return status_ok();
}

static void copy_text(char *to, size_t room, struct slice from) {
    size_t n = from.size < room - 1 ? from.size : room - 1;
    memcpy(to, from.data, n);
    to[n] = '\0';
}

bool client_target_has_scheme(const char *url, const char *scheme) {
    return strncasecmp(url, scheme, strlen(scheme)) == 0;
}

static struct slice without_scheme(const char *url) {
    const char *const schemes[] = {"https://", "http://"};
    for (size_t i = 0; i < sizeof schemes / sizeof schemes[0]; i++)
        if (client_target_has_scheme(url, schemes[i]))
            return slice_of(url + strlen(schemes[i]));
    return slice_of(url);
}

struct status client_target_check(const char *url) {
    struct slice host, port;
    return target_split(without_scheme(url), &host, &port);
}

struct status client_target_resolve(const char *url, struct client_target *ret) {
    struct slice host, port, text = without_scheme(url);
    char port_text[8];
    memset(ret, 0, sizeof *ret);
    ret->secure = client_target_has_scheme(url, "https://");
    STATUS_TRY(target_split(text, &host, &port));
    copy_text(ret->host, sizeof ret->host, host);
    copy_text(port_text, sizeof port_text, port);

    struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICSERV};
    struct addrinfo *found = NULL;
    int rc = getaddrinfo(ret->host, port_text, &hints, &found);
    if (rc != 0)
        return status_error(STATUS_UNAVAILABLE, "%s: the host cannot be resolved: %s", url, gai_strerror(rc));
    copy_text(ret->authority, sizeof ret->authority, text);
    for (const struct addrinfo *at = found; at != NULL && ret->address_count < CLIENT_ADDRESS_MAX; at = at->ai_next) {
        if (at->ai_addrlen > sizeof ret->addresses[0].sockaddr)
            continue;
        struct client_address *address = &ret->addresses[ret->address_count++];
        memcpy(&address->sockaddr, at->ai_addr, at->ai_addrlen);
        address->size = at->ai_addrlen;
    }
    freeaddrinfo(found);
    if (ret->address_count == 0)
        return status_error(STATUS_UNAVAILABLE, "%s: the host has no usable address", url);
    return status_ok();
}
