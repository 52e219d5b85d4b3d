#include "backends/bert/token_list.h"

#include <stdlib.h>

void token_list_free(struct token_list *list) {
    void *const parts[] = {list->ids, list->segments, list->positions, list->starts, list->ends, list->offsets};
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++)
        free(parts[i]);
    *list = (struct token_list){0};
}

void token_list_clear(struct token_list *list) {
    list->token_count = list->sequence_count = 0;
}

static bool grow(void *array, size_t count, size_t size) {
    void **at = array;
    void *grown = realloc(*at, count * size);
    if (grown)
        *at = grown;
    return grown != NULL;
}

static bool reserve(struct token_list *list, size_t tokens, size_t sequences) {
    size_t token_room = list->token_count + tokens, sequence_room = list->sequence_count + sequences;
    if (sequence_room > list->sequence_room || !list->offsets) {
        sequence_room *= 2;
        if (!grow(&list->offsets, sequence_room + 1, sizeof *list->offsets))
            return false;
        list->offsets[0] = 0;
        list->sequence_room = sequence_room;
    }
    if (token_room < list->token_room) /* so that there is room even for none */
        return true;
    token_room = 2 * token_room + 1;
    if (!grow(&list->ids, token_room, sizeof *list->ids) ||
        !grow(&list->segments, token_room, sizeof *list->segments) ||
        !grow(&list->positions, token_room, sizeof *list->positions) ||
        !grow(&list->starts, token_room, sizeof *list->starts) || !grow(&list->ends, token_room, sizeof *list->ends))
        return false;
    list->token_room = token_room;
    return true;
}

struct status token_list_reserve(struct token_list *list, size_t tokens, size_t sequences) {
    return reserve(list, tokens, sequences)
               ? status_ok()
               : status_error(STATUS_RESOURCE_EXHAUSTED, "no memory for the tokens of a batch");
}

void token_list_end_sequence(struct token_list *list) {
    list->offsets[++list->sequence_count] = (uint32_t)list->token_count;
}
