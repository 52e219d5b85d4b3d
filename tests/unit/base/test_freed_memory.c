/* What is freed goes back to the system when it is worth it, whenever it was freed; what is in use is left alone. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <malloc.h>

#include "base/freed_memory.h"

enum { BLOCKS = 4096, BLOCK_BYTES = 16 << 10, MUCH = 8 << 20 };

static void *blocks[BLOCKS];

static void take_blocks(void) {
    for (size_t i = 0; i < BLOCKS; i++) {
        blocks[i] = malloc(BLOCK_BYTES);
        assert_non_null(blocks[i]);
        memset(blocks[i], 1, BLOCK_BYTES);
    }
}

/* Keeps the last one: memory at the end of the heap goes back by itself. */
static void free_blocks(void) {
    for (size_t i = 0; i + 1 < BLOCKS; i++)
        free(blocks[i]);
}

static void test_given_back_once(void **state) {
    (void)state;
    struct freed_memory freed = {0};
    (void)freed_memory_return(&freed, MUCH);
    assert_false(freed_memory_return(&freed, MUCH));
    take_blocks();
    assert_false(freed_memory_return(&freed, MUCH)); /* in use */
    free_blocks();
    assert_true(freed_memory_return(&freed, MUCH));
    assert_false(freed_memory_return(&freed, MUCH));
    free(blocks[BLOCKS - 1]);
}

static void test_freed_after_a_trim(void **state) {
    (void)state;
    struct freed_memory freed = {0};
    take_blocks();
    (void)freed_memory_return(&freed, MUCH);
    free_blocks();
    assert_true(freed_memory_return(&freed, MUCH));
    free(blocks[BLOCKS - 1]);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_given_back_once),
        cmocka_unit_test(test_freed_after_a_trim),
    };
    blocks[0] = malloc(BLOCK_BYTES);
    bool sanitized = mallinfo2().uordblks == 0; /* another allocator, which keeps what is freed for its own ends */
    free(blocks[0]);
    if (sanitized)
        return 0;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
