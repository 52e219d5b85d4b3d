#include "tools/figures/scale.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

double scale_at(const struct scale *scale, double value) {
    double from = scale->from, to = scale->to;
    if (scale->logarithmic) {
        from = log10(from);
        to = log10(to);
        value = log10(value > scale->from ? value : scale->from);
    }
    return scale->page_from + (value - from) / (to - from) * (scale->page_to - scale->page_from);
}

/* The smallest "round" number that is not below `rough`: these digits times a power of ten. */
static double nice_step(double rough) {
    static const double digits[] = {1, 2, 2.5, 3, 4, 5, 6, 8, 10};
    double power = pow(10, floor(log10(rough)));
    for (size_t i = 0; i < sizeof digits / sizeof digits[0]; i++)
        if (rough <= digits[i] * power * (1 + 1e-9))
            return digits[i] * power;
    return 10 * power;
}

static double positive(double max) {
    return max > 1e-12 ? max : 1; /* also what no division below survives */
}

static struct scale scale_with(int steps, double step, struct ticks *ret_ticks) {
    ret_ticks->count = 0;
    ret_ticks->step = step;
    for (int i = 0; i <= steps; i++)
        ret_ticks->values[ret_ticks->count++] = (double)i * step;
    return (struct scale){.from = 0, .to = (double)steps * step, .page_from = 0, .page_to = 1};
}

void scale_pair_from_zero(double max_a, double max_b, int wanted, struct scale *ret_a, struct ticks *ret_ticks_a,
                          struct scale *ret_b, struct ticks *ret_ticks_b) {
    double a = positive(max_a), b = positive(max_b), least = INFINITY;
    int best = wanted;
    for (int steps = wanted > 5 ? wanted - 2 : 3; steps <= wanted + 2 && steps < TICKS_MAX; steps++) {
        /* How far the ends of the axes are above their data; every step away from the wanted number counts a little. */
        double waste = steps * nice_step(a / steps) / a + steps * nice_step(b / steps) / b + 0.02 * abs(steps - wanted);
        if (waste < least) {
            least = waste;
            best = steps;
        }
    }
    *ret_a = scale_with(best, nice_step(a / best), ret_ticks_a);
    *ret_b = scale_with(best, nice_step(b / best), ret_ticks_b);
}

struct scale scale_from_zero(double max, int wanted, struct ticks *ret_ticks) {
    struct scale scale, same;
    struct ticks ticks;
    scale_pair_from_zero(max, max, wanted, &scale, ret_ticks, &same, &ticks);
    return scale;
}

/* The tick before or after a value: 1, 2 or 5 times a power of ten. */
static double log_tick_below(double value) {
    double power = pow(10, floor(log10(value) + 1e-9)), digit = value / power * (1 + 1e-9);
    return power * (digit >= 5 ? 5 : digit >= 2 ? 2 : 1);
}

static double log_tick_after(double tick) {
    double power = pow(10, floor(log10(tick) + 1e-9)), digit = tick / power;
    return power * (digit < 1.5 ? 2 : digit < 3 ? 5 : 10);
}

struct scale scale_logarithmic(double min, double max, struct ticks *ret_ticks) {
    double from = log_tick_below(fmax(min, max * 1e-6)), to = from;
    while (to < max * (1 - 1e-9) || to <= from)
        to = log_tick_after(to);
    ret_ticks->count = 0;
    ret_ticks->step = 0;
    bool tens_only = to / from > 1e4;
    if (tens_only) { /* so that the axis begins and ends at what it marks */
        from = pow(10, floor(log10(from) + 1e-9));
        to = pow(10, ceil(log10(to) - 1e-9));
    }
    double every = pow(10, floor(log10(to / from) / 12) + 1); /* of tens_only: at most a dozen labels */
    double next = from;
    for (double tick = from; tick <= to * (1 + 1e-9) && ret_ticks->count < TICKS_MAX; tick = log_tick_after(tick)) {
        bool is_ten = fabs(log10(tick) - round(log10(tick))) < 1e-6;
        if (tens_only && (!is_ten || tick < next * (1 - 1e-9)))
            continue;
        ret_ticks->values[ret_ticks->count++] = tick;
        next = tick * every;
    }
    return (struct scale){.from = from, .to = to, .page_from = 0, .page_to = 1, .logarithmic = true};
}

/* The suffix for labels of which the largest is `max`, and what it stands for. */
static const char *suffix_for(double max, double *ret_unit) {
    static const struct {
        double from, unit;
        const char *suffix;
    } rows[] = {{1e16, 1, ""}, {1e12, 1e12, "T"}, {1e9, 1e9, "G"}, {1e6, 1e6, "M"}, {1e4, 1e3, "k"}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        if (max >= rows[i].from * (1 - 1e-9)) {
            *ret_unit = rows[i].unit;
            return rows[i].suffix;
        }
    *ret_unit = 1;
    return "";
}

const char *tick_text(const struct ticks *ticks, size_t i, char text[static TICK_TEXT_MAX]) {
    double value = ticks->values[i], last = ticks->values[ticks->count - 1], unit;
    const char *suffix = suffix_for(ticks->step > 0 ? last : value, &unit);
    double step = ticks->step / unit;
    if (value == 0 || ticks->step <= 0 || step < 1e-6 || last / unit >= 1e6) {
        snprintf(text, TICK_TEXT_MAX, "%.4g%s", value / unit, value == 0 ? "" : suffix);
        return text;
    }
    int decimals = (int)-floor(log10(step) + 1e-9);
    decimals = decimals > 0 ? decimals : 0;
    double shown = step * pow(10, decimals);
    decimals += fabs(shown - round(shown)) > 1e-6; /* 2.5 */
    snprintf(text, TICK_TEXT_MAX, "%.*f%s", decimals, value / unit, suffix);
    return text;
}

const char *number_text(double value, char text[static TICK_TEXT_MAX]) {
    double size = fabs(value);
    if (size >= 1e9 || (size > 0 && size < 1e-3))
        snprintf(text, TICK_TEXT_MAX, "%.3g", value);
    else
        snprintf(text, TICK_TEXT_MAX, "%.*f",
                 size == 0 || size >= 99.95 ? 0
                 : size >= 9.995            ? 1
                 : size >= 0.9995           ? 2
                                            : 3,
                 value);
    return text;
}

const char *load_text(double value, char text[static TICK_TEXT_MAX]) {
    snprintf(text, TICK_TEXT_MAX, "%.7g", value);
    return text;
}

struct time_unit time_unit_for(double max_us) {
    if (max_us >= 5e6)
        return (struct time_unit){"s", 1e6};
    if (max_us >= 1000)
        return (struct time_unit){"ms", 1e3};
    return (struct time_unit){"\xC2\xB5s", 1};
}
