/* The functions of cuBLASLt that the engine opens, as a library of its own (cuda_emulator.h): matrices by column,
 * products in float, and what the real library asks of operands checked.
 *
 * Source: the cuBLASLt API reference, cublasLtMatmul(), with its tables of types.
 */
#include <library_types.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "cuda_emulator.h"
#include "engine/cuda/cublas_library.h"
#include "numbers.h"

enum {
    SUCCESS = 0,
    NOT_INITIALIZED = 1,
    ALLOC_FAILED = 3,
    INVALID_VALUE = 7,
    EXECUTION_FAILED = 13,
    NOT_SUPPORTED = 15
};
enum { EPILOGUE_DEFAULT = 1, LAYOUT_ROWS = 2 };
enum { MAGIC = 0x1d3a, ALGORITHMS = 3, ALIGN = 16 };

struct cublas_handle {
    int magic;
};

struct cublas_operation {
    int32_t transpose_a, transpose_b, bias_type;
    uint32_t epilogue;
    int8_t is_fast;
    const void *bias;
    const float *scale_a, *scale_b, *scale_d;
};

struct cublas_layout {
    int type;
    uint64_t rows, columns;
    int64_t stride;
};

struct cublas_preference {
    uint64_t workspace;
};

/* All that a product needs when its turn comes. */
struct product {
    struct cublas_operation operation;
    struct cublas_layout a_layout, b_layout, c_layout, d_layout;
    const void *a, *b, *c;
    void *d;
    float alpha, beta;
    float milliseconds;
};

#define MAY_FAIL(status)                                                                                               \
    do {                                                                                                               \
        if (emulator_fails())                                                                                          \
            return status;                                                                                             \
    } while (0)

static size_t size_of(int type) {
    return type == CUDA_R_32F ? 4 : type == CUDA_R_8F_E4M3 ? 1 : 2;
}

static const struct number_format *format_of(int type) {
    return type == CUDA_R_16BF ? &number_bf16 : type == CUDA_R_16F ? &number_fp16 : &number_e4m3;
}

static uint32_t bits_at(int type, const void *numbers, size_t index) {
    uint16_t bits;
    if (type == CUDA_R_8F_E4M3)
        return ((const uint8_t *)numbers)[index];
    memcpy(&bits, (const char *)numbers + 2 * index, sizeof bits);
    return bits;
}

/* Every number of a type, so that reading one costs little. */
static const float *table_of(int type) {
    static float *tables[3];
    const int index = type == CUDA_R_16BF ? 0 : type == CUDA_R_16F ? 1 : 2;
    const size_t count = index == 2 ? 256 : 65536;
    if (!tables[index]) {
        float *table = calloc(count, sizeof *table);
        for (size_t i = 0; table && i < count; i++)
            table[i] = (float)number_decode(format_of(type), (uint32_t)i);
        tables[index] = table;
    }
    return tables[index];
}

static float read_number(int type, const void *numbers, size_t index) {
    return table_of(type)[bits_at(type, numbers, index)];
}

static void write_number(int type, void *numbers, size_t index, float number) {
    const uint32_t bits = number_encode(format_of(type), (double)number);
    if (type == CUDA_R_8F_E4M3)
        ((uint8_t *)numbers)[index] = (uint8_t)bits;
    else
        memcpy((char *)numbers + 2 * index, &(uint16_t){(uint16_t)bits}, 2);
}

/* ---- the product ---- */

/* op(x) with its inner dimension together, as floats: [outer][inner]. */
static float *read_operand(const struct cublas_layout *layout, const void *numbers, bool is_inner_first) {
    float *floats = calloc(layout->rows * layout->columns, sizeof *floats);
    for (size_t column = 0; floats && column < layout->columns; column++)
        for (size_t row = 0; row < layout->rows; row++)
            floats[is_inner_first ? column * layout->rows + row : row * layout->columns + column] =
                read_number(layout->type, numbers, column * (size_t)layout->stride + row);
    return floats;
}

static float dot(const float *a, const float *b, size_t count) {
    float sums[8] = {0}, sum = 0;
    size_t i = 0;
    for (; i + 8 <= count; i += 8)
        for (size_t k = 0; k < 8; k++)
            sums[k] += a[i + k] * b[i + k];
    for (; i < count; i++)
        sum += a[i] * b[i];
    for (size_t k = 0; k < 8; k++)
        sum += sums[k];
    return sum;
}

static float gelu(float x) {
    return 0.5f * x * (1 + tanhf(0.79788456f * (x + 0.044715f * x * x * x)));
}

static float finish(const struct product *product, float sum, size_t row, size_t column) {
    const struct cublas_operation *operation = &product->operation;
    sum *= product->alpha;
    if (operation->scale_a)
        sum *= *operation->scale_a;
    if (operation->scale_b)
        sum *= *operation->scale_b;
    if (product->beta != 0)
        sum += product->beta *
               read_number(product->c_layout.type, product->c, column * (size_t)product->c_layout.stride + row);
    if (operation->epilogue != EPILOGUE_DEFAULT)
        sum += read_number(operation->bias_type, operation->bias, row);
    if (operation->epilogue == CUBLAS_EPILOGUE_GELU_BIAS)
        sum = gelu(sum);
    return operation->scale_d ? sum * *operation->scale_d : sum;
}

static void run_product(const void *arguments) {
    const struct product *product = arguments;
    const bool is_a_inner_first = product->operation.transpose_a == CUBLAS_TRANSPOSED;
    const size_t inner = is_a_inner_first ? product->a_layout.rows : product->a_layout.columns;
    float *a = read_operand(&product->a_layout, product->a, is_a_inner_first);
    float *b = read_operand(&product->b_layout, product->b, product->operation.transpose_b != CUBLAS_TRANSPOSED);
    for (size_t column = 0; a && b && column < product->d_layout.columns; column++)
        for (size_t row = 0; row < product->d_layout.rows; row++)
            write_number(product->d_layout.type, product->d, column * (size_t)product->d_layout.stride + row,
                         finish(product, dot(a + row * inner, b + column * inner, inner), row, column));
    free(a);
    free(b);
    emulator_spend(product->milliseconds);
}

/* ---- what is refused ---- */

static bool is_16_bits(int type) {
    return type == CUDA_R_16BF || type == CUDA_R_16F;
}

static bool is_aligned(const struct cublas_layout *layout, const void *matrix) {
    return (uintptr_t)matrix % ALIGN == 0 && (size_t)layout->stride * size_of(layout->type) % ALIGN == 0;
}

/* Types that go together. */
static bool are_types_supported(const struct product *product) {
    const int a = product->a_layout.type, b = product->b_layout.type, c = product->c_layout.type;
    const int d = product->d_layout.type, bias = product->operation.bias_type;
    if (a != b || !is_16_bits(c))
        return false;
    if (product->operation.epilogue != EPILOGUE_DEFAULT && bias != c)
        return false;
    if (a == CUDA_R_8F_E4M3)
        return product->operation.transpose_a == CUBLAS_TRANSPOSED && !product->operation.transpose_b &&
               (d == c || d == CUDA_R_8F_E4M3);
    return is_16_bits(a) && c == a && d == a && !product->operation.scale_a && !product->operation.scale_b &&
           !product->operation.scale_d;
}

static bool are_shapes_right(const struct product *product) {
    const bool a_turned = product->operation.transpose_a == CUBLAS_TRANSPOSED;
    const bool b_turned = product->operation.transpose_b == CUBLAS_TRANSPOSED;
    const struct cublas_layout *a = &product->a_layout, *b = &product->b_layout, *c = &product->c_layout;
    const struct cublas_layout *d = &product->d_layout;
    const uint64_t m = a_turned ? a->columns : a->rows, k = a_turned ? a->rows : a->columns;
    const uint64_t n = b_turned ? b->rows : b->columns;
    if ((b_turned ? b->columns : b->rows) != k || d->rows != m || d->columns != n || c->rows != m || c->columns != n)
        return false;
    if (a->stride < (int64_t)a->rows || b->stride < (int64_t)b->rows || c->stride < (int64_t)m ||
        d->stride < (int64_t)m)
        return false;
    return a->type != CUDA_R_8F_E4M3 || (m % 16 == 0 && k % 16 == 0);
}

static int check(const struct product *product) {
    if (!are_shapes_right(product))
        return INVALID_VALUE;
    return are_types_supported(product) ? SUCCESS : NOT_SUPPORTED;
}

static bool is_there(const struct cublas_layout *layout, const void *matrix) {
    const size_t numbers = ((size_t)layout->columns - 1) * (size_t)layout->stride + (size_t)layout->rows;
    return layout->columns > 0 && is_aligned(layout, matrix) &&
           emulator_is_on_device(matrix, numbers * size_of(layout->type));
}

static bool is_float_there(const float *number) {
    return !number || emulator_is_on_device(number, sizeof *number);
}

static bool are_operands_there(const struct product *product) {
    const struct cublas_operation *operation = &product->operation;
    if (!is_there(&product->a_layout, product->a) || !is_there(&product->b_layout, product->b) ||
        !is_there(&product->d_layout, product->d))
        return false;
    if (product->beta != 0 && !is_there(&product->c_layout, product->c))
        return false;
    if (product->c == product->d && product->c_layout.type != product->d_layout.type)
        return false;
    if (operation->epilogue != EPILOGUE_DEFAULT &&
        !emulator_is_on_device(operation->bias, product->d_layout.rows * size_of(operation->bias_type)))
        return false;
    if (operation->scale_d && product->d_layout.type != CUDA_R_8F_E4M3)
        return false;
    return is_float_there(operation->scale_a) && is_float_there(operation->scale_b) &&
           is_float_there(operation->scale_d);
}

/* ---- the library's functions ---- */

int cublasLtCreate(struct cublas_handle **ret) {
    MAY_FAIL(NOT_INITIALIZED);
    *ret = calloc(1, sizeof **ret);
    (*ret)->magic = MAGIC;
    emulator_count_live(1);
    return SUCCESS;
}

static int destroy(void *thing) {
    free(thing);
    emulator_count_live(-1);
    return SUCCESS;
}

int cublasLtDestroy(struct cublas_handle *handle) {
    return destroy(handle);
}

size_t cublasLtGetVersion(void) {
    return 130002;
}

const char *cublasLtGetStatusString(int status) {
    return status == NOT_SUPPORTED ? "CUBLAS_STATUS_NOT_SUPPORTED" : "an error of the emulated cuBLASLt";
}

int cublasLtMatmulDescCreate(struct cublas_operation **ret, int compute_type, int scale_type) {
    MAY_FAIL(ALLOC_FAILED);
    if (compute_type != CUBLAS_COMPUTE_FLOAT || scale_type != CUDA_R_32F)
        return INVALID_VALUE;
    *ret = calloc(1, sizeof **ret);
    (*ret)->epilogue = EPILOGUE_DEFAULT;
    emulator_count_live(1);
    return SUCCESS;
}

int cublasLtMatmulDescDestroy(struct cublas_operation *operation) {
    return destroy(operation);
}

static int set(void *to, size_t wanted, const void *value, size_t size) {
    if (size != wanted)
        return INVALID_VALUE;
    memcpy(to, value, size);
    return SUCCESS;
}

int cublasLtMatmulDescSetAttribute(struct cublas_operation *operation, int attribute, const void *value, size_t size) {
    MAY_FAIL(INVALID_VALUE);
    switch (attribute) {
    case CUBLAS_TRANSPOSE_A:
        return set(&operation->transpose_a, 4, value, size);
    case CUBLAS_TRANSPOSE_B:
        return set(&operation->transpose_b, 4, value, size);
    case CUBLAS_EPILOGUE:
        return set(&operation->epilogue, 4, value, size);
    case CUBLAS_BIAS:
        return set(&operation->bias, sizeof(void *), value, size);
    case CUBLAS_BIAS_TYPE:
        return set(&operation->bias_type, 4, value, size);
    case CUBLAS_SCALE_A:
        return set(&operation->scale_a, sizeof(void *), value, size);
    case CUBLAS_SCALE_B:
        return set(&operation->scale_b, sizeof(void *), value, size);
    case CUBLAS_SCALE_D:
        return set(&operation->scale_d, sizeof(void *), value, size);
    case CUBLAS_FAST_ACCUMULATE:
        return set(&operation->is_fast, 1, value, size);
    default:
        return INVALID_VALUE;
    }
}

int cublasLtMatrixLayoutCreate(struct cublas_layout **ret, int type, uint64_t rows, uint64_t columns, int64_t stride) {
    MAY_FAIL(ALLOC_FAILED);
    *ret = calloc(1, sizeof **ret);
    **ret = (struct cublas_layout){type, rows, columns, stride};
    emulator_count_live(1);
    return SUCCESS;
}

int cublasLtMatrixLayoutDestroy(struct cublas_layout *layout) {
    return destroy(layout);
}

int cublasLtMatrixLayoutSetAttribute(struct cublas_layout *layout, int attribute, const void *value, size_t size) {
    MAY_FAIL(INVALID_VALUE);
    if (attribute != CUBLAS_LAYOUT_COLUMNS && attribute != LAYOUT_ROWS)
        return INVALID_VALUE;
    return set(attribute == LAYOUT_ROWS ? &layout->rows : &layout->columns, 8, value, size);
}

int cublasLtMatmulPreferenceCreate(struct cublas_preference **ret) {
    MAY_FAIL(ALLOC_FAILED);
    *ret = calloc(1, sizeof **ret);
    emulator_count_live(1);
    return SUCCESS;
}

int cublasLtMatmulPreferenceDestroy(struct cublas_preference *preference) {
    return destroy(preference);
}

int cublasLtMatmulPreferenceSetAttribute(struct cublas_preference *preference, int attribute, const void *value,
                                         size_t size) {
    MAY_FAIL(INVALID_VALUE);
    if (attribute != CUBLAS_PREFERENCE_WORKSPACE)
        return INVALID_VALUE;
    return set(&preference->workspace, 8, value, size);
}

/* An algorithm is for operands of these types, and weights of this shape. */
static uint64_t purpose_of(const struct product *product) {
    const struct cublas_layout *a = &product->a_layout;
    return (uint64_t)a->type | (uint64_t)product->d_layout.type << 8 | a->rows << 16 | a->columns << 40;
}

/* Of the three algorithms the second is the fastest, and the third refuses to run. */
int cublasLtMatmulAlgoGetHeuristic(struct cublas_handle *handle, struct cublas_operation *operation,
                                   struct cublas_layout *a, struct cublas_layout *b, struct cublas_layout *c,
                                   struct cublas_layout *d, struct cublas_preference *preference, int wanted,
                                   struct cublas_candidate *ret, int *ret_count) {
    static const size_t workspaces[ALGORITHMS] = {0, 4 << 20, 1 << 20};
    const struct product product = {*operation, *a, *b, *c, *d, NULL, NULL, NULL, NULL, 1, 1, 0};
    MAY_FAIL(INVALID_VALUE);
    int status = handle->magic == MAGIC ? check(&product) : NOT_INITIALIZED;
    *ret_count = 0;
    for (int i = 0; i < ALGORITHMS && *ret_count < wanted && status == SUCCESS; i++) {
        if (workspaces[i] > preference->workspace)
            continue;
        ret[(*ret_count)++] = (struct cublas_candidate){
            .algorithm = {{MAGIC, (uint64_t)i, workspaces[i], purpose_of(&product)}}, .workspace_size = workspaces[i]};
    }
    return status;
}

int cublasLtMatmul(struct cublas_handle *handle, struct cublas_operation *operation, const void *alpha, const void *a,
                   struct cublas_layout *a_layout, const void *b, struct cublas_layout *b_layout, const void *beta,
                   const void *c, struct cublas_layout *c_layout, void *d, struct cublas_layout *d_layout,
                   const struct cublas_algorithm *algorithm, void *workspace, size_t workspace_size,
                   cudaStream_t stream) {
    static const float milliseconds[ALGORITHMS] = {2, 1, 0};
    struct product product = {*operation, *a_layout, *b_layout, *c_layout, *d_layout, a, b, c, d, 0, 0, 0};
    MAY_FAIL(EXECUTION_FAILED);
    memcpy(&product.alpha, alpha, sizeof product.alpha);
    memcpy(&product.beta, beta, sizeof product.beta);
    int status = handle->magic == MAGIC ? check(&product) : NOT_INITIALIZED;
    if (status != SUCCESS)
        return status;
    if (algorithm->data[0] != MAGIC || algorithm->data[1] >= ALGORITHMS || !are_operands_there(&product) ||
        algorithm->data[3] != purpose_of(&product) || algorithm->data[2] > workspace_size ||
        (workspace_size && !emulator_is_on_device(workspace, workspace_size)) || (uintptr_t)workspace % 256)
        return INVALID_VALUE;
    if (algorithm->data[1] == ALGORITHMS - 1)
        return NOT_SUPPORTED;
    product.milliseconds = milliseconds[algorithm->data[1]];
    return emulator_enqueue(stream, run_product, &product, sizeof product) ? EXECUTION_FAILED : SUCCESS;
}
