/* client_hex.h: the value of a hexadecimal digit, or -1. For chunk sizes and percent-encoding. */
#ifndef INFERD_CLIENT_CLIENT_HEX_H
#define INFERD_CLIENT_CLIENT_HEX_H

static inline int client_hex_value(char c) {
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

#endif
