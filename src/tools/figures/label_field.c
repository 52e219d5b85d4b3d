#include "tools/figures/label_field.h"

#include <math.h>

enum { ASCENT = 11, DESCENT = 4, GAP = 9, STEP = 5, ANCHORS_TRIED = 24, GRID_X = 24, GRID_Y = 18 };

/* Costs of a place: covering a line's point, and standing at an early point of the line, whose end it names best. */
static const double COST_COVER = 10, COST_EARLY = 1.5, COST_SIDE = 0.5;

struct status label_field_create(struct arena *arena, const struct box *area, struct label_field *ret) {
    *ret = (struct label_field){.area = *area};
    ret->obstacles = arena_calloc(arena, LABEL_FIELD_OBSTACLES, sizeof *ret->obstacles);
    ret->taken = arena_calloc(arena, LABEL_FIELD_LABELS, sizeof *ret->taken);
    if (ret->obstacles == NULL || ret->taken == NULL)
        return status_error(STATUS_RESOURCE_EXHAUSTED, "out of memory");
    return status_ok();
}

void label_field_add_line(struct label_field *field, struct plot_point from, struct plot_point to) {
    double length = hypot(to.x - from.x, to.y - from.y);
    int steps = length > STEP ? (int)(length / STEP) : 1;
    for (int i = 0; i <= steps && field->obstacle_count < LABEL_FIELD_OBSTACLES; i++) {
        double part = (double)i / steps;
        field->obstacles[field->obstacle_count++] =
            (struct plot_point){from.x + part * (to.x - from.x), from.y + part * (to.y - from.y)};
    }
}

static bool overlaps(const struct box *a, const struct box *b) {
    return a->left < b->right && b->left < a->right && a->top < b->bottom && b->top < a->bottom;
}

static struct box box_at(struct plot_point baseline, double width) {
    return (struct box){baseline.x - 2, baseline.y - ASCENT, baseline.x + width + 2, baseline.y + DESCENT};
}

/* INFINITY when the place is out of the area or taken by another label. */
static double cost_of(const struct label_field *field, struct plot_point baseline, double width) {
    struct box box = box_at(baseline, width);
    if (box.left < field->area.left || box.right > field->area.right || box.top < field->area.top ||
        box.bottom > field->area.bottom)
        return INFINITY;
    for (size_t i = 0; i < field->taken_count; i++)
        if (overlaps(&box, &field->taken[i]))
            return INFINITY;
    double cost = 0;
    for (size_t i = 0; i < field->obstacle_count; i++) {
        const struct plot_point *p = &field->obstacles[i];
        if (p->x > box.left && p->x < box.right && p->y > box.top && p->y < box.bottom)
            cost += COST_COVER;
    }
    return cost;
}

static void take(struct label_field *field, struct plot_point baseline, double width) {
    if (field->taken_count < LABEL_FIELD_LABELS)
        field->taken[field->taken_count++] = box_at(baseline, width);
}

/* Around an anchor: right, left, above, below, and the corners. */
static struct plot_point place_around(struct plot_point anchor, int which, double width) {
    static const struct {
        double x, y; /* -1: left or above, 0: centred, 1: right or below */
    } sides[] = {{1, 0}, {0, -1}, {0, 1}, {1, -1}, {1, 1}, {-1, -1}, {-1, 1}, {-1, 0}};
    double x = sides[which].x, y = sides[which].y;
    return (struct plot_point){anchor.x + (x > 0   ? GAP
                                           : x < 0 ? -GAP - width
                                                   : -width / 2),
                               anchor.y + (y > 0   ? GAP + ASCENT
                                           : y < 0 ? -GAP - DESCENT + 2
                                                   : 4)};
}

enum { SIDES = 8 };

/* Anywhere free, as near to the anchor as can be. */
static bool place_anywhere(const struct label_field *field, struct plot_point anchor, double width,
                           struct plot_point *ret) {
    double best = INFINITY;
    const struct box *area = &field->area;
    for (int i = 0; i < GRID_X * GRID_Y; i++) {
        struct plot_point place = {
            area->left + 2 + (area->right - area->left - width - 4) * (i % GRID_X) / (GRID_X - 1),
            area->top + ASCENT + 1 +
                (area->bottom - area->top - ASCENT - DESCENT - 2) * ((double)(i / GRID_X)) / (GRID_Y - 1)};
        double far = hypot(place.x + width / 2 - anchor.x, place.y - anchor.y);
        double cost = cost_of(field, place, width) * 3 + far;
        if (cost < best) {
            best = cost;
            *ret = place;
        }
    }
    return best < INFINITY;
}

bool label_field_place(struct label_field *field, const struct plot_point *anchors, size_t count, double width,
                       struct plot_point *ret, struct plot_point *ret_anchor) {
    double best = INFINITY;
    size_t tried = count < ANCHORS_TRIED ? count : ANCHORS_TRIED;
    struct plot_point place = anchors[count - 1];
    *ret_anchor = anchors[count - 1];
    for (size_t i = 0; i < tried; i++) {
        struct plot_point anchor = anchors[count - 1 - i];
        for (int side = 0; side < SIDES; side++) {
            struct plot_point candidate = place_around(anchor, side, width);
            double cost = cost_of(field, candidate, width) + COST_EARLY * (double)i + COST_SIDE * side;
            if (cost < best) {
                best = cost;
                place = candidate;
            }
        }
    }
    bool near = best < INFINITY;
    if (!near && !place_anywhere(field, anchors[count - 1], width, &place))
        place = anchors[count - 1]; /* the area is full of labels */
    take(field, place, width);
    *ret = place;
    return near;
}
