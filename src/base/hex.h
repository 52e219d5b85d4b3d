/* hex.h: the value of a hexadecimal digit of either case, or -1. For chunk sizes, escapes and percent-encoding. */
#ifndef INFERD_BASE_HEX_H
#define INFERD_BASE_HEX_H

static inline int hex_value(char c) {
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

#endif
