/* peer_address.h: who is at the other end of a socket, for logs. */
#ifndef INFERD_NET_PEER_ADDRESS_H
#define INFERD_NET_PEER_ADDRESS_H

#include <stddef.h>

/* Writes address and port of a connected socket's peer, "127.0.0.1:40000", "[::1]:40000"; leaves `text` as it is when
 * they cannot be told. */
void peer_address_text(int fd, char *text, size_t size);

#endif
