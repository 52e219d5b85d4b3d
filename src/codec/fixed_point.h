/* fixed_point.h: a double with six decimals, the text of printf's "%f", without printf's cost.
 * Thread: none of its own. */
#ifndef INFERD_CODEC_FIXED_POINT_H
#define INFERD_CODEC_FIXED_POINT_H

#include <stddef.h>

enum { FIXED_POINT_MAX = 320 }; /* most bytes of a text, NUL included: a double has up to 309 digits before the point */

/* Exactly what snprintf(text, size, "%f", value) writes and returns in the C locale and with rounding to nearest;
 * `size` is FIXED_POINT_MAX or more. */
int fixed_point_format(char *text, size_t size, double value);

#endif
