#include "tools/figures/doubt.h"

#include "tools/figures/svg.h"

struct doubt {
    unsigned bit;
    const char *data, *text, *tooltip, *meaning;
};

/* The gravest first. */
static const struct doubt rows[] = {
    {DOUBT_LIMITED, "limited", "the load generator was the bottleneck", " (limited by the generator)",
     "the load generator was the bottleneck, not the server"},
    {DOUBT_FAILED, "failed", "requests failed", " (requests failed)", "requests failed"},
    {DOUBT_UNSTABLE, "unstable", "unstable", " (unstable)",
     "measured in windows that are too few or too different to be sure"},
};
enum { DOUBTS = sizeof rows / sizeof rows[0] };

void doubt_write_data(struct buf *out, unsigned doubts) {
    for (int i = 0; i < DOUBTS; i++)
        if (doubts & rows[i].bit)
            svg_data(out, rows[i].data, 1);
}

static const struct doubt *gravest(unsigned doubts) {
    static const struct doubt none = {0, "", "", "", ""};
    for (int i = 0; i < DOUBTS; i++)
        if (doubts & rows[i].bit)
            return &rows[i];
    return &none;
}

const char *doubt_text(unsigned doubts) {
    return gravest(doubts)->text;
}

const char *doubt_tooltip(unsigned doubts) {
    return gravest(doubts)->tooltip;
}

const char *doubt_caption(struct arena *arena, const char *caption, unsigned doubts) {
    const char *text = "";
    if (doubts == 0)
        return caption;
    for (int i = 0; i < DOUBTS && text != NULL; i++)
        if (doubts & rows[i].bit)
            text = arena_printf(arena, "%s%s%s", text, text[0] != '\0' ? "; or " : "Hollow marks: ", rows[i].meaning);
    if (text == NULL)
        return NULL;
    return arena_printf(arena, "%s.%s%s", text, caption[0] != '\0' ? " " : "", caption);
}
