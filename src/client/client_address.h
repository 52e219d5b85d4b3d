/* client_address.h: where the client's server is: "[https://]HOST:PORT" taken apart and resolved once. */
#ifndef INFERD_CLIENT_ADDRESS_H
#define INFERD_CLIENT_ADDRESS_H

#include <stdbool.h>
#include <sys/socket.h>

#include "base/status.h"

enum { CLIENT_ADDRESS_MAX = 8, CLIENT_AUTHORITY_MAX = 280, CLIENT_HOST_MAX = 253 };

struct client_address {
    struct sockaddr_storage sockaddr;
    socklen_t size;
};

struct client_target {
    char authority[CLIENT_AUTHORITY_MAX]; /* HOST:PORT as the user wrote it: for Host, :authority and messages */
    char host[CLIENT_HOST_MAX + 1];       /* without brackets */
    bool secure;                          /* https:// */
    size_t address_count;                 /* at least 1, tried in this order */
    struct client_address addresses[CLIENT_ADDRESS_MAX];
};

/* Whether it begins with a scheme, "https://" or "http://", in whatever case. */
bool client_target_has_scheme(const char *url, const char *scheme);
/* Whether client_target_resolve takes the form of it; asks nobody. Errors: INVALID_ARGUMENT. */
struct status client_target_check(const char *url) STATUS_MUST_CHECK;
/* Takes "HOST:PORT" (a name, an IPv4 address, or an IPv6 address in brackets), perhaps with https:// or http:// before
 * it, apart and asks the resolver, which may block. Errors: INVALID_ARGUMENT for another form; UNAVAILABLE when the
 * name is not known. */
struct status client_target_resolve(const char *url, struct client_target *ret) STATUS_MUST_CHECK;

#endif
