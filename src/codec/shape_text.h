/* shape_text.h: a tensor's shape as text, for messages. */
#ifndef INFERD_CODEC_SHAPE_TEXT_H
#define INFERD_CODEC_SHAPE_TEXT_H

#include <stddef.h>
#include <stdint.h>

/* "[2,128]" into text; cut when it does not fit. */
void shape_text(const int64_t *shape, int rank, char *text, size_t size);

#endif
