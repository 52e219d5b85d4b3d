#include "core/datatype.h"

struct datatype_row {
    enum datatype type;
    size_t size;
    const char *name;
    const char *config_name;
};

static const struct datatype_row rows[] = {
#define DATATYPE_ROW(name, number, size, wire_name, config_name)                                                       \
    [number] = {DATATYPE_##name, size, wire_name, config_name},
#include "core/datatype.def"
#undef DATATYPE_ROW
};

enum { ROW_COUNT = sizeof rows / sizeof rows[0] };

static const struct datatype_row *row_of(enum datatype type) {
    return (unsigned)type < ROW_COUNT ? &rows[type] : &rows[DATATYPE_INVALID];
}

size_t datatype_size(enum datatype type) {
    return row_of(type)->size;
}

const char *datatype_name(enum datatype type) {
    return row_of(type)->name;
}

const char *datatype_config_name(enum datatype type) {
    return row_of(type)->config_name;
}

enum datatype datatype_from_name(struct slice name) {
    for (int i = 1; i < ROW_COUNT; i++)
        if (slice_equal_text(name, rows[i].name))
            return rows[i].type;
    return DATATYPE_INVALID;
}

enum datatype datatype_from_number(int number) {
    return number > 0 && number < ROW_COUNT ? rows[number].type : DATATYPE_INVALID;
}
