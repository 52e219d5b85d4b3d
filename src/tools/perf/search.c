#include "tools/perf/search.h"

#include <math.h>

/* A doubling that brings less than so much more throughput has saturated the server. */
#define GAIN 1.05
/* A rate is sustained when so much of it is answered well. */
#define SUSTAINED 0.99

double search_begin(struct search *search) {
    search->measured = 0;
    search->is_cut = false;
    search->good = search->bad = search->best = 0;
    return search->range.start;
}

static bool next_linear(const struct search *search, const struct point *last, double *ret) {
    double next = last->value + search->range.step;
    bool within = search->range.end == 0 || next <= search->range.end * (1 + 1e-9);
    *ret = next;
    return within && !last->over_limit;
}

/* Between the highest load that held and the lowest that did not, until they are a step apart. */
static bool halve(const struct search *search, double *ret) {
    double middle = (search->good + search->bad) / 2;
    *ret = search->whole ? floor(middle) : middle;
    return search->bad - search->good > search->range.step && *ret > search->good;
}

static bool next_binary(struct search *search, const struct point *last, double *ret) {
    bool held = !last->over_limit && last->stable;
    if (held)
        search->good = last->value;
    else
        search->bad = last->value;
    if (search->measured == 1) { /* the start was measured; the end comes second */
        *ret = search->range.end;
        return held && search->range.end > search->range.start;
    }
    return search->bad > 0 && halve(search, ret);
}

static bool next_saturation(struct search *search, const struct point *last, double *ret) {
    double wanted = search->open ? SUSTAINED * last->value : search->best * GAIN;
    double answered = search->open && last->seconds > 0 ? (double)last->requests / last->seconds : last->throughput;
    bool held = !last->over_limit && last->valid && answered >= wanted;
    search->best = fmax(search->best, last->throughput);
    if (held)
        search->good = last->value;
    else
        search->bad = last->value;
    if (search->bad <= 0) {
        *ret = 2 * last->value;
        return true;
    }
    return search->open && search->good > 0 && halve(search, ret);
}

static bool next_load(struct search *search, const struct point *last, double *ret) {
    switch (search->kind) {
    case SEARCH_BINARY:
        return next_binary(search, last, ret);
    case SEARCH_SATURATION:
        return next_saturation(search, last, ret);
    case SEARCH_LINEAR:
        break;
    }
    return next_linear(search, last, ret);
}

bool search_next(struct search *search, const struct point *last, double *ret) {
    search->measured++;
    bool more = next_load(search, last, ret);
    search->is_cut = more && search->measured >= SEARCH_POINTS_MAX;
    return more && !search->is_cut;
}
