/* Tests of label_field: labels stay in the area and apart, and leave lines uncovered where there is room. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>

#include "tools/figures/label_field.h"

static const struct box area = {0, 0, 400, 300};

static struct arena *arena;
static struct label_field field;

static int set_up(void **state) {
    (void)state;
    arena = arena_create(0);
    struct status status = label_field_create(arena, &area, &field);
    return !status_is_ok(&status);
}

static int tear_down(void **state) {
    (void)state;
    arena_destroy(arena);
    return 0;
}

static void test_beside_the_end(void **state) {
    (void)state;
    struct plot_point line[] = {{20, 280}, {200, 100}}, place, anchor;
    label_field_add_line(&field, line[0], line[1]);
    assert_true(label_field_place(&field, line, 2, 60, &place, &anchor));
    assert_true(place.x > 200 && place.x < 215 && fabs(place.y - 100) < 10);
}

static void test_not_out_of_the_area(void **state) {
    (void)state;
    struct plot_point line[] = {{20, 280}, {398, 2}}, place, anchor;
    label_field_add_line(&field, line[0], line[1]);
    assert_true(label_field_place(&field, line, 2, 60, &place, &anchor));
    assert_true(place.x >= 0 && place.x + 60 <= 400 && place.y >= 10 && place.y <= 300);
}

static void test_apart(void **state) {
    (void)state;
    struct plot_point point = {200, 150}, anchor;
    enum { LABELS = 30 };
    struct plot_point places[LABELS];
    size_t far = 0;
    for (int i = 0; i < LABELS; i++)
        far += !label_field_place(&field, &point, 1, 60, &places[i], &anchor);
    assert_true(far > 0 && far < LABELS);
    for (int i = 0; i < LABELS; i++)
        for (int j = 0; j < i; j++)
            assert_true(fabs(places[i].x - places[j].x) >= 60 || fabs(places[i].y - places[j].y) >= 15);
}

static void test_lines_stay_visible(void **state) {
    (void)state;
    /* A line runs where the label of the other would stand first. */
    struct plot_point line[] = {{20, 150}, {100, 150}}, place, anchor;
    label_field_add_line(&field, (struct plot_point){100, 150}, (struct plot_point){300, 150});
    assert_true(label_field_place(&field, line, 2, 60, &place, &anchor));
    assert_true(place.y < 146 || place.y > 161);
}

static void test_full(void **state) {
    (void)state;
    struct plot_point point = {200, 150}, place, anchor;
    for (int i = 0; i < LABEL_FIELD_LABELS * 3; i++) {
        label_field_place(&field, &point, 1, 60, &place, &anchor);
        assert_true(isfinite(place.x) && isfinite(place.y));
    }
    for (int i = 0; i < 2000; i++)
        label_field_add_line(&field, (struct plot_point){0, 0}, (struct plot_point){400, 300});
    assert_int_equal(field.obstacle_count, LABEL_FIELD_OBSTACLES);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_beside_the_end, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_not_out_of_the_area, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_apart, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_lines_stay_visible, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_full, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
