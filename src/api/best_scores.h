/* best_scores.h: which k of many scores are the best, in time that no order of the scores makes long.
 *
 * A score is turned into an unsigned key that is ordered as the scores are. The key of the k-th best is found digit by
 * digit, by counting (radix selection): at most one pass over the scores for each byte of the datatype, no memory
 * beyond the k kept. Source: Knuth, The Art of Computer Programming, volume 3, 5.2.5 (radix sorting, used from the
 * highest digit down on the one bucket that matters). Thread: none of its own. */
#ifndef INFERD_API_BEST_SCORES_H
#define INFERD_API_BEST_SCORES_H

#include "core/datatype.h"

struct ranked_score {
    uint64_t key;   /* greater for a greater score; NaN has the least, both zeros have the same */
    uint32_t index; /* of the score */
};

/* Whether the datatype has an order here: the integers, FP32 and FP64. */
bool best_scores_has_order(enum datatype type);
/* Writes the k best of `count` scores, best first, equal ones by index. k is 1..count; `scores` need not be aligned;
 * the type has an order. */
void best_scores_select(enum datatype type, const char *scores, uint32_t count, uint32_t k, struct ranked_score *ret);

#endif
