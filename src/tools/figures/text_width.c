#include "tools/figures/text_width.h"

#include <stdio.h>

enum { FIRST = ' ', LAST = '~', DIGIT = 636, EM = 1000 };

/* Advances of ASCII from the blank on, in thousandths of the font size. */
static const short regular[] = {318,  401, 460, 838, 636, 950, 780, 275, 390, 390, 500, 838, 318, 361, 318, 337,
                                636,  636, 636, 636, 636, 636, 636, 636, 636, 636, 337, 337, 838, 838, 838, 531,
                                1000, 684, 686, 698, 770, 632, 575, 775, 752, 295, 295, 656, 557, 863, 748, 787,
                                603,  787, 695, 635, 611, 732, 684, 989, 685, 611, 685, 390, 337, 390, 838, 500,
                                500,  613, 635, 550, 635, 615, 352, 635, 634, 278, 278, 579, 278, 974, 634, 612,
                                635,  635, 411, 521, 392, 634, 592, 818, 592, 592, 525, 636, 337, 636, 838};
static const short bold_widths[] = {348,  456, 521, 838, 696, 1002, 872, 306,  457, 457, 523, 838, 380, 415,  380, 365,
                                    696,  696, 696, 696, 696, 696,  696, 696,  696, 696, 400, 400, 838, 838,  838, 580,
                                    1000, 774, 762, 734, 830, 683,  683, 821,  837, 372, 372, 775, 637, 995,  837, 850,
                                    733,  850, 770, 720, 682, 812,  774, 1103, 771, 724, 725, 457, 365, 457,  838, 500,
                                    500,  675, 716, 593, 716, 678,  435, 716,  712, 343, 343, 665, 343, 1042, 712, 687,
                                    716,  716, 493, 595, 478, 712,  652, 924,  645, 652, 582, 712, 365, 712,  838};

/* Advances to the next character; a broken byte counts as one. */
static size_t character(struct slice rest) {
    size_t length = slice_utf8_length(rest);
    return length > 0 ? length : 1;
}

static int advance(struct slice rest, bool bold) {
    unsigned char c = (unsigned char)rest.data[0];
    if (c >= FIRST && c <= LAST)
        return bold ? bold_widths[c - FIRST] : regular[c - FIRST];
    return character(rest) > 2 ? EM : DIGIT + 60 * bold; /* three bytes and more: dashes, and the scripts of Asia */
}

double text_width(struct slice text, double size, bool bold) {
    double sum = 0;
    for (size_t at = 0; at < text.size;) {
        struct slice rest = {text.data + at, text.size - at};
        sum += advance(rest, bold);
        at += character(rest);
    }
    return sum * size / EM;
}

size_t text_width_break(struct slice text, double size, double width, size_t *ret_next) {
    size_t at = 0, blank = 0;
    double sum = 0;
    while (at < text.size) {
        struct slice rest = {text.data + at, text.size - at};
        sum += advance(rest, false) * size / EM;
        if (sum > width && at > 0)
            break;
        if (text.data[at] == ' ')
            blank = at;
        at += character(rest);
    }
    if (at >= text.size) {
        *ret_next = text.size;
        return text.size;
    }
    if (blank == 0 && text.data[at] != ' ') { /* one word wider than the line */
        *ret_next = at;
        return at;
    }
    size_t cut = text.data[at] == ' ' ? at : blank;
    *ret_next = cut + 1;
    return cut;
}

const char *text_width_shorten(const char *text, double size, double width, bool bold, char *room, size_t room_size) {
    static const char ellipsis[] = "\xE2\x80\xA6";
    struct slice whole = slice_of(text);
    if (whole.size < room_size && text_width(whole, size, bold) <= width) {
        memcpy(room, text, whole.size + 1);
        return room;
    }
    double left = width - size; /* the ellipsis is one em */
    size_t at = 0;
    while (at < whole.size) {
        struct slice rest = {text + at, whole.size - at};
        double step = advance(rest, bold) * size / EM;
        if (step > left || at + character(rest) + sizeof ellipsis > room_size)
            break;
        left -= step;
        at += character(rest);
    }
    snprintf(room, room_size, "%.*s%s", (int)at, text, ellipsis);
    return room;
}
