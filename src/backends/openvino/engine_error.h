/* engine_error.h: from the engine's failures to our one error type.
 *
 * The C API gives a code that says little and a text of the last failure in the process, many lines of which are source
 * positions. What is kept is what a person can use. Two instances that fail at the same instant may get each other's
 * text; the code and our own words before it are always the right ones. */
#ifndef INFERD_BACKENDS_OPENVINO_ENGINE_ERROR_H
#define INFERD_BACKENDS_OPENVINO_ENGINE_ERROR_H

#include <openvino/c/openvino.h>

#include "base/slice.h"
#include "base/status.h"

/* "<context>: <what the engine said>" for a call that returned `result`. Thread: any. */
struct status engine_error(ov_status_e result, enum status_code code, const char *context, ...) STATUS_PRINTF(3, 4);

/* The lines of an engine's message that say something, joined by "; ", cut to the room. Without its source positions.
 */
void engine_error_text(struct slice message, char *text, size_t size);

/* True when the status tells of shapes that do not fit together: then the request is at fault, not the model. */
bool engine_error_is_shape(const struct status *status);

#endif
