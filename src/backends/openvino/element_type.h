/* element_type.h: the engine's element types and ours. All of fixed size that both know; strings and types narrower
 * than a byte have no counterpart. */
#ifndef INFERD_BACKENDS_OPENVINO_ELEMENT_TYPE_H
#define INFERD_BACKENDS_OPENVINO_ELEMENT_TYPE_H

#include <openvino/c/openvino.h>

#include "core/datatype.h"

/* DATATYPE_INVALID when there is none. */
enum datatype element_type_to_datatype(ov_element_type_e type);
/* For the datatypes that the function above gives. */
ov_element_type_e element_type_of(enum datatype type);
/* The engine's name, for messages: "string", "u4". */
const char *element_type_name(ov_element_type_e type);

#endif
