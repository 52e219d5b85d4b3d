/* pb_map.h: what sets maps apart from other repeated fields; private to codec/pb_*.c. */
#ifndef INFERD_CODEC_PB_MAP_H
#define INFERD_CODEC_PB_MAP_H

#include "codec/pb.h"

const struct pb_field *pb_map_key_field(const struct pb_message *entry_type);
const struct pb_field *pb_map_value_field(const struct pb_message *entry_type);
/* Whether the key of the member's last entry may stand there already; of many entries that is not found out. */
bool pb_map_last_may_repeat(const struct pb_field *map, struct pb_repeated entries);
/* In the message and all below it: of map entries with the same key only the last stays. Costs n log n, so that a peer
 * cannot make it slow. False when memory is short. */
bool pb_map_make_unique(const struct pb_message *type, void *message);
/* Whether some key occurs twice in the member, and which (string keys only; else ret_key is untouched). Also n log n;
 * false when memory is short. */
bool pb_map_find_duplicate(const struct pb_field *map, const void *message, bool *ret_found, struct slice *ret_key);

#endif
