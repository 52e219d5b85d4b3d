/* squad_output.h: the three JSON files of run_squad: predictions, n-best lists, null odds.
 *
 * Used by tools/squad: begin, add every question in order, end, write the buffers to files, free.
 * Thread: one owner at a time.
 */
#ifndef INFERD_TEXT_SQUAD_SQUAD_OUTPUT_H
#define INFERD_TEXT_SQUAD_SQUAD_OUTPUT_H

#include "base/buf.h"
#include "text/squad/squad_answer.h"

struct squad_output {
    struct buf predictions; /* {id: text} */
    struct buf nbest;       /* {id: [{text, probability, start_logit, end_logit}]} */
    struct buf null_odds;   /* {id: score}; {} unless version 2 */
    bool version_2;
    bool any; /* private: an entry has been written */
};

void squad_output_begin(struct squad_output *output, bool version_2);
void squad_output_add(struct squad_output *output, struct slice question_id, const struct squad_answer *answer);
/* Errors: RESOURCE_EXHAUSTED when any append failed on the way. */
struct status squad_output_end(struct squad_output *output) STATUS_MUST_CHECK;
void squad_output_free(struct squad_output *output);

#endif
