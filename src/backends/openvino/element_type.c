#include "backends/openvino/element_type.h"

static const struct {
    ov_element_type_e engine;
    enum datatype ours;
    const char *name;
} rows[] = {
    {BOOLEAN, DATATYPE_BOOL, "boolean"},
    {U8, DATATYPE_UINT8, "u8"},
    {U16, DATATYPE_UINT16, "u16"},
    {U32, DATATYPE_UINT32, "u32"},
    {U64, DATATYPE_UINT64, "u64"},
    {I8, DATATYPE_INT8, "i8"},
    {I16, DATATYPE_INT16, "i16"},
    {I32, DATATYPE_INT32, "i32"},
    {I64, DATATYPE_INT64, "i64"},
    {F16, DATATYPE_FP16, "f16"},
    {F32, DATATYPE_FP32, "f32"},
    {F64, DATATYPE_FP64, "f64"},
    {BF16, DATATYPE_BF16, "bf16"},
    {STRING, DATATYPE_INVALID, "string"},
    {DYNAMIC, DATATYPE_INVALID, "a type that the file leaves open"},
    {I4, DATATYPE_INVALID, "i4"},
    {U1, DATATYPE_INVALID, "u1"},
    {U2, DATATYPE_INVALID, "u2"},
    {U3, DATATYPE_INVALID, "u3"},
    {U4, DATATYPE_INVALID, "u4"},
    {U6, DATATYPE_INVALID, "u6"},
    {NF4, DATATYPE_INVALID, "nf4"},
    {F8E4M3, DATATYPE_INVALID, "f8e4m3"},
    {F8E5M3, DATATYPE_INVALID, "f8e5m2"},
    {F4E2M1, DATATYPE_INVALID, "f4e2m1"},
    {F8E8M0, DATATYPE_INVALID, "f8e8m0"},
};

enum datatype element_type_to_datatype(ov_element_type_e type) {
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (rows[i].engine == type)
            return rows[i].ours;
    return DATATYPE_INVALID;
}

ov_element_type_e element_type_of(enum datatype type) {
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (rows[i].ours == type)
            return rows[i].engine;
    return DYNAMIC;
}

const char *element_type_name(ov_element_type_e type) {
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (rows[i].engine == type)
            return rows[i].name;
    return "an unknown type";
}
