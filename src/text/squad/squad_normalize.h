/* squad_normalize.h: the form in which the official SQuAD evaluators compare answers.
 *
 * Called by squad_evaluate.c. Thread: no shared state.
 */
#ifndef INFERD_TEXT_SQUAD_SQUAD_NORMALIZE_H
#define INFERD_TEXT_SQUAD_SQUAD_NORMALIZE_H

#include "base/buf.h"

/* The official normalize_answer: lower case, ASCII punctuation removed, the words a, an, the removed, white space
 * squeezed to single blanks, with Python's notions of all of them. Appends to `out`. */
void squad_normalize_answer(struct slice text, struct buf *out);

#endif
