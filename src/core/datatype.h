/* datatype.h: element types of tensors. Numbers equal ModelConfig's DataType enum. */
#ifndef INFERD_CORE_DATATYPE_H
#define INFERD_CORE_DATATYPE_H

#include <stddef.h>

#include "base/slice.h"

enum datatype {
/* DATATYPE_ROW(name, number, element bytes (0: variable), v2 protocol name, config name) */
#define DATATYPE_ROW(name, number, size, wire_name, config_name) DATATYPE_##name = number,
#include "core/datatype.def"
#undef DATATYPE_ROW
};

/* Bytes of one element; 0 for BYTES (variable) and INVALID. */
size_t datatype_size(enum datatype type);
/* "FP32"; "" for INVALID. */
const char *datatype_name(enum datatype type);
/* "TYPE_FP32". */
const char *datatype_config_name(enum datatype type);
/* From the v2 protocol name; DATATYPE_INVALID when unknown. */
enum datatype datatype_from_name(struct slice name);
/* From the ModelConfig enum number; DATATYPE_INVALID when out of range. */
enum datatype datatype_from_number(int number);

#endif
